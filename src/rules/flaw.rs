//! A row that cannot be read as one row, for its quotes or its size → why it is rejected.
//!
//! Either is nearly always a lost quote: a field that opens in one row and closes in another. The row is
//! rejected like any bad row and the others go in (contract 4); the sentence says that rows may lie inside
//! of it. Where it is seen: `feed::guarded`.

use std::fmt;

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A quoted field goes on behind its closing quote; its column, counted from 0.
    Quote(usize),
    /// A field is too large; its column, counted from 0.
    Field(usize),
    /// All fields together are too large.
    Row,
    /// Too many fields.
    Columns,
    /// It was rejected for one of these before, and has not been mended.
    Before,
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

impl Flaw {
    /// Other rows may lie inside of it. Then it is no row of long ago whatever its date says, and nobody has
    /// vanished whom the file does not name.
    pub fn may_hold_rows(&self) -> bool {
        self.lines > 1 || matches!(self.kind, Kind::Columns | Kind::Before)
    }

    /// Whether it would look like a good row once it is written again; the one of before has its mark.
    pub fn is_marked(&self) -> bool {
        self.kind != Kind::Before && (self.may_hold_rows() || matches!(self.kind, Kind::Quote(_)))
    }
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
            Kind::Columns => {
                "more than 1024 fields in one row: is a line end missing there? Rows inside of it were not read"
            }
            Kind::Before => {
                "rows may be inside of this one; mend it in the source, or here, and empty the cell that says so"
            }
        })?;
        match (self.kind, self.lines) {
            (Kind::Columns | Kind::Before, _) => {}
            (_, 2..) => {
                write!(f, ", over {} lines: is a quote missing there? Rows inside of it were not read", self.lines)?;
            }
            (Kind::Quote(_), _) => f.write_str("; put the whole field in quotes, or none in front of it")?,
            (Kind::Field(_) | Kind::Row, _) => {
                f.write_str("; leave columns of pictures or documents out of the export")?;
            }
        }
        if self.cut { f.write_str(". Only its beginning is kept with the rejected rows") } else { Ok(()) }
    }
}
