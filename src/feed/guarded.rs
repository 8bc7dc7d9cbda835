//! The decoded bytes of a file on their way into the CSV reader: counted and bounded.
//!
//! Follows the quotes as the CSV reader does. So every record knows the line on which it starts, as an
//! editor counts (CRLF, LF and CR each end one), a quote that never closes is seen (a file cut in
//! two), as is one that closes in another row, and of a row without end only the beginning is handed on
//! and kept in memory. Such a row is rejected by its [`Flaw`], and the rows behind it go in.

use std::collections::VecDeque;
use std::io::{self, Read};

use memchr::memchr3;

use super::encoding::{Text, Written};
use crate::rules::flaw::{Flaw, Kind};

/// A field longer than this is no field of a person.
const FIELD_BYTES: usize = 64 * 1024;
/// So much of a row is handed on; the rest of it is passed over.
const RECORD_BYTES: usize = 1024 * 1024;
/// So many fields of a row are handed on; how many a header may have is the business of `rows`.
const COLUMNS: usize = 1024;
/// Bytes behind the first of a letter, at most.
const CONTINUED: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    RecordStart,
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first of two.
    QuoteSeen,
}

/// A record that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    /// On which it starts.
    pub(crate) line: u64,
    /// Why it cannot be read as a row.
    pub(crate) flaw: Option<Flaw>,
    /// Columns, counted from 0, that go on behind their closing quote on the same line.
    pub(crate) strays: Vec<usize>,
}

impl Begun {
    fn on(line: u64) -> Self {
        Self { line, flaw: None, strays: Vec::new() }
    }
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
    /// On which the field starts.
    field_line: u64,
    /// The rest of the record is passed over.
    cut: bool,
    record_line: u64,
    begun: VecDeque<Begun>,
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
            field_line: 1,
            cut: false,
            record_line: 1,
            begun: VecDeque::new(),
            fault: None,
        }
    }

    /// The next record that the CSV reader hands out.
    pub(crate) fn next_record(&mut self) -> Begun {
        self.begun.pop_front().unwrap_or_else(|| Begun::on(self.record_line))
    }

    /// Why reading was stopped, if its letters are none.
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

    /// Takes in what was read, and leaves at its front what is handed on: so many bytes.
    fn follow(&mut self, bytes: &mut [u8]) -> usize {
        let (mut at, mut kept) = (0, 0);
        while let Some(byte) = bytes.get(at).copied() {
            let n_inside = self.n_inside(bytes.get(at..).unwrap_or_default());
            if n_inside == 0 {
                if let (Some(byte), Some(place)) = (self.step(byte), bytes.get_mut(kept)) {
                    *place = byte;
                    kept += 1;
                }
                at += 1;
                continue;
            }
            self.grow(n_inside);
            self.after_cr = false;
            if !self.cut {
                if kept != at {
                    bytes.copy_within(at..at + n_inside, kept);
                }
                kept += n_inside;
            }
            at += n_inside;
        }
        kept
    }

    /// How many of the next bytes lie inside of a field, where no byte means anything, and below the bound.
    fn n_inside(&self, bytes: &[u8]) -> usize {
        let end = match self.place {
            Place::Plain => memchr3(self.delimiter, b'\r', b'\n', bytes),
            Place::Quoted => memchr3(b'"', b'\r', b'\n', bytes),
            Place::RecordStart | Place::FieldStart | Place::QuoteSeen => Some(0),
        };
        let n_inside = end.unwrap_or(bytes.len());
        if self.cut { n_inside } else { n_inside.min(RECORD_BYTES.saturating_sub(self.record)) }
    }

    fn grow(&mut self, n: usize) {
        self.record += n;
        self.field += n;
        if self.field > FIELD_BYTES {
            self.tell(Kind::Field(self.columns - 1));
        }
    }

    /// The first flaw of a record is the one that is told.
    fn tell(&mut self, kind: Kind) {
        let line = self.line;
        if let Some(begun) = self.begun.back_mut() {
            let lines = line - begun.line + 1;
            begun.flaw.get_or_insert(Flaw { kind, lines, cut: false });
        }
    }

    /// Text behind a closing quote: over several lines it is another row's.
    fn goes_on(&mut self) {
        let column = self.columns - 1;
        if self.line > self.field_line {
            self.tell(Kind::Quote(column));
        } else if let Some(begun) = self.begun.back_mut().filter(|_| self.columns <= COLUMNS) {
            begun.strays.push(column);
        }
    }

    /// One byte, and what of it is handed on.
    fn step(&mut self, byte: u8) -> Option<u8> {
        let ends_line = matches!(byte, b'\r' | b'\n');
        if self.place == Place::RecordStart && !ends_line {
            self.record_line = self.line;
            self.begun.push_back(Begun::on(self.line));
            (self.record, self.columns, self.place) = (0, 1, Place::FieldStart);
        }
        if self.place == Place::FieldStart {
            (self.field, self.field_line) = (0, self.line);
        }
        let before = self.place;
        self.place = match (before, byte) {
            (Place::Quoted, b'"') => Place::QuoteSeen,
            (Place::Quoted, _) | (Place::FieldStart | Place::QuoteSeen, b'"') => Place::Quoted,
            (Place::RecordStart, _) | (_, b'\r' | b'\n') => Place::RecordStart,
            (Place::FieldStart | Place::Plain | Place::QuoteSeen, byte) if byte == self.delimiter => {
                self.columns += 1;
                Place::FieldStart
            }
            (Place::FieldStart | Place::Plain | Place::QuoteSeen, _) => Place::Plain,
        };
        if (before, self.place) == (Place::QuoteSeen, Place::Plain) && byte != b' ' {
            self.goes_on();
        }
        // Two quotes inside of quotes are one: a row is as long when it is written again.
        if before != Place::RecordStart && (before, byte) != (Place::QuoteSeen, b'"') {
            self.grow(1);
        }
        if byte == b'\r' || (byte == b'\n' && !self.after_cr) {
            if before != Place::RecordStart
                && let Some(Begun { line, flaw: Some(flaw), .. }) = self.begun.back_mut()
            {
                flaw.lines = flaw.lines.max(self.line - *line + 1);
            }
            self.line += 1;
        }
        self.after_cr = byte == b'\r';
        if self.place == Place::RecordStart {
            self.cut = false;
            return Some(byte);
        }
        if self.cut { None } else { self.within_bounds(before, byte) }
    }

    /// The byte; at a bound what closes the field in place of it, and nothing more of this record.
    fn within_bounds(&mut self, before: Place, byte: u8) -> Option<u8> {
        let inside_of_a_letter = byte & 0xC0 == 0x80 && self.record <= RECORD_BYTES + CONTINUED;
        if self.columns > COLUMNS {
            self.tell(Kind::Columns);
        } else if self.record > RECORD_BYTES && !inside_of_a_letter {
            self.tell(Kind::Row);
        } else {
            return Some(byte);
        }
        self.cut = true;
        if let Some(Begun { flaw: Some(flaw), .. }) = self.begun.back_mut() {
            flaw.cut = true;
        }
        (before == Place::Quoted).then_some(b'"')
    }
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = match self.text.read(into) {
                Ok(n) => n,
                Err(error) => {
                    self.fault = self.text.malformed().map(|written| self.no_letters(written));
                    return Err(error);
                }
            };
            let kept = self.follow(into.get_mut(..n).unwrap_or_default());
            // Nothing is the end of the file.
            if kept > 0 || n == 0 {
                return Ok(kept);
            }
        }
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
