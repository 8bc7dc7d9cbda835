//! The rows of a reading on their way to disk: mapped, bounded, digested; memory stays flat.
//!
//! Only columns that a field stands in are kept: nothing that nobody asked for lies on our disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek};

use super::{Ask, Rows, SqlError, cell};
use crate::feed::folder::FILE_BYTES;
use crate::feed::rows_digest::RowsDigest;
use crate::rules::headers::{Columns, Field, cut};
use crate::rules::watermark::{Marks, alike, later};

/// HR tables have tens of columns, seldom a hundred.
pub(super) const COLUMNS: usize = 512;

/// A column of the result.
pub(super) struct Column {
    /// Its name or alias.
    pub(super) name: String,
    /// The name of a type that is never text; `None` for all others.
    pub(super) binary: Option<&'static str>,
}

/// See the module.
pub(super) struct Spool<'a> {
    out: csv::Writer<BufWriter<File>>,
    named: &'a BTreeMap<String, String>,
    watermark: Option<&'a str>,
    max_rows: u64,
    /// Columns that are kept, by their places in the result.
    kept: Vec<usize>,
    /// The watermark's, in the result.
    mark: Option<usize>,
    marks: Marks,
    rows: u64,
    bytes: u64,
    digest: RowsDigest,
}

impl<'a> Spool<'a> {
    pub(super) fn new(ask: &Ask<'a>, out: File) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, out);
        Self {
            out: csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(out),
            named: ask.columns,
            watermark: ask.sql.watermark.as_deref(),
            max_rows: ask.sql.max_rows,
            kept: Vec::new(),
            mark: None,
            marks: Marks::new(ask.now, ask.since.unwrap_or_default()),
            rows: 0,
            bytes: 0,
            digest: RowsDigest::default(),
        }
    }

    /// Whether the columns are known: they come with the first row.
    pub(super) fn shaped(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Finds the fields among the columns of the result.
    pub(super) fn shape(&mut self, columns: &[Column]) -> Result<(), SqlError> {
        if columns.len() > COLUMNS {
            return Err(SqlError::Shape(format!("the query returns {} columns; name the needed ones", columns.len())));
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let found = Columns::find(&names, self.named)?;
        self.kept = Field::ALL.iter().filter_map(|field| found.place(*field)).collect();
        if let Some(wanted) = self.watermark {
            let place = names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
            let place = place.ok_or_else(|| {
                SqlError::Shape(format!(
                    "the query returns no column \"{wanted}\", which feed.watermark names ({}); select it",
                    cut(&names.join(", "), 200)
                ))
            })?;
            self.mark = Some(place);
            self.kept.push(place);
        }
        self.kept.sort_unstable();
        self.kept.dedup();
        let kept = self.kept.iter().filter_map(|place| columns.get(*place));
        if let Some((name, kind)) = kept.clone().find_map(|column| Some((&column.name, column.binary?))) {
            return Err(SqlError::Shape(format!(
                "the column \"{name}\" is of the type {kind}, which is no text; cast it in feed.query"
            )));
        }
        let header: Vec<&str> = kept.map(|column| column.name.as_str()).collect();
        self.digest.add(header.iter().copied());
        self.out.write_record(&header).map_err(io::Error::other)?;
        Ok(())
    }

    /// Places of the columns that are kept, in their order.
    #[cfg(feature = "odbc")]
    pub(super) fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// One row; `of` gives the text of a column by its place in the result, `None` for NULL.
    pub(super) fn row<'c>(
        &mut self,
        of: impl Fn(usize) -> Result<Option<Cow<'c, str>>, SqlError>,
    ) -> Result<(), SqlError> {
        self.rows += 1;
        if self.rows > self.max_rows {
            return Err(SqlError::TooMany(self.max_rows));
        }
        let mut cells: Vec<Cow<'c, str>> = Vec::with_capacity(self.kept.len());
        for place in &self.kept {
            let mut text = of(*place)?.unwrap_or_default();
            if text.len() > cell::CELL_BYTES {
                if Some(*place) == self.mark {
                    return Err(too_long_a_mark(cell::CELL_BYTES));
                }
                text = Cow::Owned(cell::too_long_for_a_field());
            }
            self.bytes += u64::try_from(text.len()).unwrap_or(u64::MAX) + 3;
            if Some(*place) == self.mark {
                self.marks.add(&text);
            }
            cells.push(text);
        }
        if self.bytes > FILE_BYTES {
            return Err(SqlError::TooLarge(FILE_BYTES / 1024 / 1024));
        }
        self.digest.add(cells.iter().map(|text| &**text));
        self.out.write_record(cells.iter().map(|text| text.as_bytes())).map_err(io::Error::other)?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Rows, SqlError> {
        self.out.flush()?;
        let (newest, beyond) = self.marks.end();
        let beyond = beyond.map(|beyond| cut(&beyond, 40));
        Ok(Rows { rows: self.rows, digest: self.digest.hex(), newest, beyond })
    }
}

/// Nothing was left out of a mark, or it would be another one.
pub(super) fn too_long_a_mark(length: usize) -> SqlError {
    SqlError::Shape(format!(
        "feed.watermark is a text of more than {length} characters; select a timestamp or number for it"
    ))
}

/// How far a watermark may go that must not pass rows which are not on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// As far as it likes: there is no such row.
    Free,
    /// As far as this.
    UpTo(String),
    /// Nowhere: such a row has no mark, or one of another kind, and would be lost behind any.
    No,
}

/// How far `newest` may go without passing the rows at `positions` (sorted, the first row is 1).
///
/// # Errors
/// The disk's, and a file that no reading wrote.
pub fn room(mut file: File, watermark: &str, positions: &[u64], newest: &str) -> io::Result<Room> {
    file.rewind()?;
    let mut reader = csv::Reader::from_reader(io::BufReader::new(file));
    let place = reader.headers()?.iter().position(|name| name.eq_ignore_ascii_case(watermark));
    let Some(place) = place else { return Err(io::Error::other("the rows have no watermark")) };
    let mut wanted = positions.iter().peekable();
    let mut least: Option<String> = None;
    for (row, position) in reader.records().zip(1_u64..) {
        if wanted.peek().is_none() {
            break;
        }
        let row = row?;
        if wanted.next_if(|wanted| **wanted == position).is_none() {
            continue;
        }
        let mark = row.get(place).unwrap_or_default();
        if !alike(mark, newest) {
            return Ok(Room::No);
        }
        if least.as_deref().is_none_or(|least| later(least, mark)) {
            least = Some(mark.to_owned());
        }
    }
    if wanted.peek().is_some() {
        return Err(io::Error::other("a rejected row is not among the rows"));
    }
    Ok(least.filter(|least| later(newest, least)).map_or(Room::Free, Room::UpTo))
}
