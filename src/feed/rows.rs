//! The records of a CSV file behind its header, each with its line.
//!
//! Puts together what the file is (`encoding`, `dialect`), what bounds it (`guarded`) and which
//! column is which field (`rules::headers`). Blank lines are no rows; a second header row with
//! labels, as SuccessFactors exports it, is none either.

use std::fs::File;
use std::io::{self, Read};

use super::csv::{Rules, Unreadable};
use super::dialect::{self, Dialect};
use super::encoding::{self, Text};
use super::guarded::{Begun, Guarded};
use super::rows_digest::RowsDigest;
use crate::rules::flaw::{Flaw, Kind};
use crate::rules::headers::{Columns, cut};
use crate::rules::hire::Hire;
use crate::rules::record::{Bad, Cells, FeedRules, HireRecord, flawed, parse};

/// HR systems export tens of columns, seldom a hundred. Our own two come on top.
const COLUMNS: usize = 512;
/// So much of the decoded file is looked at to find the header and its delimiter.
const HEAD: u64 = 64 * 1024;

/// A cell behind the others of a row that is not read: without it the row would be a good one once it is written
/// again, for its quotes are right then.
pub(super) const NOT_A_ROW: &str = "not one row: see firstpass_reason";

/// A record's texts.
struct Row<'a> {
    record: &'a csv::StringRecord,
    plain: bool,
}

impl<'a> Row<'a> {
    fn of(record: &'a csv::StringRecord) -> Self {
        let plain = record.as_slice().bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
        Self { record, plain }
    }
}

impl Cells for Row<'_> {
    fn cell(&self, place: usize) -> &str {
        self.record.get(place).unwrap_or_default()
    }
    fn count(&self) -> usize {
        self.record.len()
    }
    fn are_plain(&self) -> bool {
        self.plain
    }
}

/// A file that is being read.
pub(super) struct Rows {
    reader: csv::Reader<Guarded>,
    /// Which column is which field.
    pub(super) columns: Columns,
    /// The record that [`Rows::advance`] found.
    record: csv::StringRecord,
    /// Why it cannot be read as a row.
    pub(super) flaw: Option<Flaw>,
    /// A row of labels may still follow the header.
    labels: bool,
    encoding_is_set: bool,
    /// The rows of a query: counted by position, and digested as rows in any order.
    reading: Option<(u64, RowsDigest)>,
}

impl Rows {
    /// Reads up to the end of the header.
    pub(super) fn open(file: File, rules: &Rules) -> Result<Self, Unreadable> {
        let written = encoding::recognise(&file, rules.encoding)?;
        let mut head = Vec::new();
        let start = Text::open(file.try_clone()?, written)?.take(HEAD).read_to_end(&mut head);
        // What is malformed is told with its line by the reading itself.
        drop(start);
        let dialect = if rules.reading { Dialect::OURS } else { dialect::recognise(&head, &rules.feed.columns)? };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(dialect.delimiter)
            .buffer_capacity(64 * 1024)
            .from_reader(Guarded::new(Text::open(file, written)?, dialect.delimiter));
        let record = csv::StringRecord::new();
        let encoding_is_set = rules.encoding.is_some();
        let reading = rules.reading.then(|| (0, RowsDigest::default()));
        let (columns, flaw) = (Columns::default(), None);
        let mut rows = Self { reader, columns, record, flaw, labels: false, encoding_is_set, reading };
        if dialect.sep_line {
            rows.advance()?;
        }
        if rows.advance()?.is_none() {
            return Err(Unreadable::File("the file is empty: it has not even a header".to_owned()));
        }
        if let Some(flaw) = &rows.flaw {
            return Err(Unreadable::File(format!("the header cannot be read: {flaw}. Nothing was taken")));
        }
        rows.columns = Columns::find(&headers(&rows.record)?, &rules.feed.columns)?;
        if rows.columns.headers().len() - rows.columns.ours().len() > COLUMNS {
            return Err(Unreadable::File(format!("the header has more than {COLUMNS} columns; nothing was taken")));
        }
        // A header in the middle of two files put together is a rejected row, and must be one again.
        rows.labels = !rules.reading && rows.columns.ours().is_empty();
        Ok(rows)
    }

    /// The next record that is not blank, and its line; of a query the row's position, from 1.
    pub(super) fn advance(&mut self) -> Result<Option<u64>, Unreadable> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return self.whole().map(|()| None),
                Err(error) => return Err(self.broken(&error)),
            }
            let Begun { mut line, flaw, strays } = self.reader.get_mut().next_record();
            self.flaw = flaw.or_else(|| self.other_flaw(&strays));
            if let Some((position, digest)) = &mut self.reading {
                // The header is 0.
                line = *position;
                *position += 1;
                digest.add(self.record.iter());
            }
            // What is not read as a row is neither blank nor a row of labels: others may lie inside of it.
            let whole = self.flaw.is_none();
            if whole && self.record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if std::mem::take(&mut self.labels) && whole && self.columns.are_labels(&Row::of(&self.record)) {
                continue;
            }
            return Ok(Some(line));
        }
    }

    /// A stray quote matters where the field does. A row that was rejected for such a flaw keeps its mark, also
    /// when a spreadsheet has made all rows as long as the longest.
    fn other_flaw(&self, strays: &[usize]) -> Option<Flaw> {
        let one_line = |kind| Flaw { kind, lines: 1, cut: false };
        if !self.columns.ours().is_empty() && self.record.iter().any(|cell| cell.trim() == NOT_A_ROW) {
            return Some(one_line(Kind::Before));
        }
        let stray = strays.iter().copied().find(|place| self.columns.field_at(*place).is_some());
        stray.map(|place| one_line(Kind::Quote(place)))
    }

    /// The record's texts.
    pub(super) fn cells(&self) -> impl Cells {
        Row::of(&self.record)
    }

    /// What the record says.
    pub(super) fn judge(&self, line: u64, rules: &FeedRules) -> Result<Hire, Box<Bad>> {
        let record = HireRecord { line, columns: &self.columns, cells: &self.cells() };
        match &self.flaw {
            None => parse(&record, rules),
            Some(flaw) => Err(flawed(&record, rules, flaw)),
        }
    }

    fn whole(&self) -> Result<(), Unreadable> {
        match self.reader.get_ref().open_quote() {
            None => Ok(()),
            Some(line) => Err(Unreadable::File(format!(
                "a quote that opens in the record on line {line} never closes: the file seems to be cut off. Nothing was taken"
            ))),
        }
    }

    fn broken(&mut self, error: &csv::Error) -> Unreadable {
        if let Some(fault) = self.reader.get_ref().fault() {
            return Unreadable::File(fault.to_owned());
        }
        let Begun { line, .. } = self.reader.get_mut().next_record();
        match error.kind() {
            csv::ErrorKind::Utf8 { .. } => Unreadable::File(self.no_utf8(line)),
            csv::ErrorKind::Io(source) => Unreadable::Io(io::Error::new(source.kind(), source.to_string())),
            _ => Unreadable::File(format!("line {line} is no CSV: {error}")),
        }
    }

    fn no_utf8(&self, line: u64) -> String {
        let remedy = if self.encoding_is_set {
            // The file is UTF-8 by its BOM, or changed while it was read.
            "it claims to be; export it anew"
        } else {
            "export the file as UTF-8, or name its encoding in the feed's settings, as in encoding = \"windows-1252\""
        };
        format!("line {line} is not UTF-8; {remedy}. Nothing was taken")
    }

    /// The digest of all bytes that were read, in hex; of a query that of its rows.
    pub(super) fn finish(self) -> String {
        match self.reading {
            Some((_, digest)) => digest.hex(),
            None => self.reader.into_inner().sha256(),
        }
    }
}

/// The headers, on one line each.
fn headers(record: &csv::StringRecord) -> Result<Vec<String>, Unreadable> {
    let on_one_line = |header: &str| {
        header.split(['\r', '\n', '\t']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let headers: Vec<String> = record.iter().map(on_one_line).collect();
    match headers.iter().find_map(|header| header.chars().find(|c| c.is_control()).map(|odd| (header, odd))) {
        None => Ok(headers),
        Some((header, odd)) => Err(Unreadable::File(format!(
            "the header \"{}\" has a control character (U+{:04X}); write the file anew as CSV in UTF-8. Nothing was taken",
            cut(&header.replace(char::is_control, "?"), 60),
            u32::from(odd)
        ))),
    }
}
