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
use crate::rules::flaw::Flaw;
use crate::rules::headers::{Columns, cut};
use crate::rules::hire::Hire;
use crate::rules::record::{Bad, Cells, FeedRules, HireRecord, flawed, parse};

/// HR systems export tens of columns, seldom a hundred. Our own two come on top.
const COLUMNS: usize = 512;
/// So much of the decoded file is looked at to find the header and its delimiter.
const HEAD: u64 = 64 * 1024;

impl Cells for csv::StringRecord {
    fn cell(&self, place: usize) -> &str {
        self.get(place).unwrap_or_default()
    }
    fn count(&self) -> usize {
        self.len()
    }
    fn are_plain(&self) -> bool {
        self.as_slice().bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte))
    }
}

/// A file that is being read.
pub(super) struct Rows {
    reader: csv::Reader<Guarded>,
    /// Which column is which field.
    pub(super) columns: Columns,
    /// The record that [`Rows::advance`] found.
    pub(super) record: csv::StringRecord,
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
            let Begun { mut line, flaw } = self.reader.get_mut().next_record();
            self.flaw = flaw;
            if let Some((position, digest)) = &mut self.reading {
                // The header is 0.
                line = *position;
                *position += 1;
                digest.add(self.record.iter());
            }
            if self.record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if std::mem::take(&mut self.labels) && self.columns.are_labels(&self.record) {
                continue;
            }
            return Ok(Some(line));
        }
    }

    /// What the record says.
    pub(super) fn judge(&self, line: u64, rules: &FeedRules) -> Result<Hire, Box<Bad>> {
        let record = HireRecord { line, columns: &self.columns, cells: &self.record };
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
