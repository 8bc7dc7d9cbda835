//! The decoded bytes of a file on their way into the CSV reader: counted and bounded.
//!
//! Follows the quotes as the CSV reader does, so that a record or field without an end is refused
//! before it is kept in memory, a quote that never closes is seen (a file cut in two), and every
//! record knows the line on which it starts, as an editor counts: CRLF, LF and CR each end one.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::encoding::{Text, Written};

/// A field longer than this is no field of a person.
const FIELD_BYTES: usize = 64 * 1024;
/// A record longer than this has lost a quote; it is also what is kept in memory at most.
const RECORD_BYTES: usize = 1024 * 1024;
/// More than this is not kept in memory; how many a header may have is the business of `rows`.
const COLUMNS: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    RecordStart,
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first of two.
    QuoteSeen,
}

/// A file read once from its start.
#[derive(Debug)]
pub(crate) struct Guarded {
    text: Text,
    delimiter: u8,
    place: Place,
    line: u64,
    after_cr: bool,
    record: usize,
    field: usize,
    columns: usize,
    record_line: u64,
    starts: VecDeque<u64>,
    fault: Option<String>,
}

impl Guarded {
    /// Starts at the first letter.
    pub(crate) fn new(text: Text, delimiter: u8) -> Self {
        Self {
            text,
            delimiter,
            place: Place::RecordStart,
            line: 1,
            after_cr: false,
            record: 0,
            field: 0,
            columns: 1,
            record_line: 1,
            starts: VecDeque::new(),
            fault: None,
        }
    }

    /// The line of the next record that the CSV reader hands out.
    pub(crate) fn next_line(&mut self) -> u64 {
        self.starts.pop_front().unwrap_or(self.record_line)
    }

    /// Why reading was stopped, if a bound was met.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn no_letters(&self, written: Written) -> String {
        let remedy = if written.by_settings() {
            "export the file as UTF-8, or correct `encoding` in the feed's settings"
        } else {
            "the file is damaged or cut off; export it anew"
        };
        format!("line {} has bytes that are no {}; {remedy}. Nothing was taken", self.line, written.name())
    }

    /// After the last byte: the line of a quote that never closes.
    pub(crate) fn open_quote(&self) -> Option<u64> {
        (self.place == Place::Quoted).then_some(self.record_line)
    }

    /// The digest of what was read, in hex.
    pub(crate) fn sha256(self) -> String {
        self.text.sha256()
    }

    fn follow(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            let n_inside = self.n_inside(rest);
            if n_inside == 0 {
                self.step(*byte)?;
                rest = after;
            } else {
                self.record += n_inside;
                self.field += n_inside;
                self.after_cr = false;
                self.within_bounds()?;
                rest = rest.get(n_inside..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// How many of the next bytes lie inside of a field, where no byte means anything.
    fn n_inside(&self, bytes: &[u8]) -> usize {
        let end = match self.place {
            Place::Plain => bytes.iter().position(|byte| *byte == self.delimiter || matches!(byte, b'\r' | b'\n')),
            Place::Quoted => bytes.iter().position(|byte| matches!(byte, b'"' | b'\r' | b'\n')),
            Place::RecordStart | Place::FieldStart | Place::QuoteSeen => Some(0),
        };
        end.unwrap_or(bytes.len())
    }

    fn step(&mut self, byte: u8) -> Result<(), String> {
        let ends_line = matches!(byte, b'\r' | b'\n');
        if self.place == Place::RecordStart && !ends_line {
            self.record_line = self.line;
            self.starts.push_back(self.line);
            (self.record, self.field, self.columns, self.place) = (0, 0, 1, Place::FieldStart);
        }
        // Two quotes inside of quotes are one: a row is as long when it is written again.
        if (self.place, byte) != (Place::QuoteSeen, b'"') {
            self.record += 1;
            self.field += 1;
        }
        self.place = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::QuoteSeen,
            (Place::Quoted, _) | (Place::FieldStart | Place::QuoteSeen, b'"') => Place::Quoted,
            (Place::RecordStart, _) | (_, b'\r' | b'\n') => Place::RecordStart,
            (Place::FieldStart | Place::Plain | Place::QuoteSeen, byte) if byte == self.delimiter => {
                self.columns += 1;
                self.field = 0;
                Place::FieldStart
            }
            (Place::FieldStart | Place::Plain | Place::QuoteSeen, _) => Place::Plain,
        };
        if byte == b'\r' || (byte == b'\n' && !self.after_cr) {
            self.line += 1;
        }
        self.after_cr = byte == b'\r';
        self.within_bounds()
    }

    fn within_bounds(&self) -> Result<(), String> {
        if self.field > FIELD_BYTES || self.record > RECORD_BYTES {
            return Err(format!(
                "the record that starts on line {} has more than {} KiB{}; is a quote missing there? A column of pictures or documents has to be left out of the export. Nothing was taken",
                self.record_line,
                if self.field > FIELD_BYTES { FIELD_BYTES / 1024 } else { RECORD_BYTES / 1024 },
                if self.field > FIELD_BYTES { " in one field" } else { "" },
            ));
        }
        if self.columns > COLUMNS {
            return Err(format!("line {} has more than {COLUMNS} columns; nothing was taken", self.record_line));
        }
        Ok(())
    }
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.fault.is_some() {
            return Err(io::Error::other("a bound was met"));
        }
        let n = match self.text.read(into) {
            Ok(n) => n,
            Err(error) => {
                self.fault = self.text.malformed().map(|written| self.no_letters(written));
                return Err(error);
            }
        };
        let bytes = into.get(..n).unwrap_or_default();
        if let Err(fault) = self.follow(bytes) {
            self.fault = Some(fault);
            return Err(io::Error::other("a bound was met"));
        }
        Ok(n)
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
