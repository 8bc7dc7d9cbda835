//! A row that cannot be read as one row, for its quotes or its size → why it is rejected.
//!
//! Either is nearly always a lost quote: a field that opens in one row and closes in another. The row is
//! rejected like any bad row and the others go in (contract 4); the sentence says that rows may lie inside
//! of it. Where it is seen: `feed::guarded`.

use std::fmt;

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A quoted field over several lines goes on behind its closing quote; its column, counted from 0.
    Quote(usize),
    /// A field is too large; its column, counted from 0.
    Field(usize),
    /// All fields together are too large.
    Row,
    /// Too many fields.
    Columns,
}

/// A row that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What was seen first.
    pub kind: Kind,
    /// Lines of the file that it takes, from 1.
    pub lines: u64,
    /// Only its beginning was kept.
    pub cut: bool,
}

impl fmt::Display for Flaw {
    /// Equal for the same row wherever it stands.
    ///
    /// ```
    /// use firstpass::rules::flaw::{Flaw, Kind};
    /// let lost = Flaw { kind: Kind::Field(3), lines: 900, cut: false };
    /// assert_eq!(lost.to_string(), "more than 64 KiB in one field, over 900 lines: is a quote missing there? Rows inside of it were not read");
    /// let picture = Flaw { kind: Kind::Row, lines: 1, cut: true };
    /// assert_eq!(picture.to_string(), "more than 1 MiB in one row; leave columns of pictures or documents out of the export. Only its beginning is kept with the rejected rows");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Quote(_) => "a field goes on behind its closing quote",
            Kind::Field(_) => "more than 64 KiB in one field",
            Kind::Row => "more than 1 MiB in one row",
            Kind::Columns => "more than 1024 fields in one row",
        })?;
        match (self.lines, self.kind) {
            (2.., _) => {
                write!(f, ", over {} lines: is a quote missing there? Rows inside of it were not read", self.lines)?;
            }
            (_, Kind::Columns) => f.write_str("; is a line end missing there?")?,
            (_, Kind::Quote(_) | Kind::Field(_) | Kind::Row) => {
                f.write_str("; leave columns of pictures or documents out of the export")?;
            }
        }
        if self.cut { f.write_str(". Only its beginning is kept with the rejected rows") } else { Ok(()) }
    }
}
