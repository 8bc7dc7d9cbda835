//! A row on its way into the state: parsed, with its instants, and with what it would do if nobody
//! knew the person. The feed makes these, the store judges them against what it has.

use chrono::{DateTime, Utc};

use super::calendar::Morning;
use super::hire::{Hire, Start, text_enum};
use super::intake::{Change, FirstSeen};

text_enum! {
    /// What becomes of one row.
    Verdict {
        /// A new hire.
        Added = "added",
        /// New, and its start is just over; past when an earlier file named the person.
        Missed = "missed",
        /// A start that is over: left alone.
        Past = "past",
        /// A withdrawn row of somebody unknown.
        Nothing = "nothing",
        /// Rejected for what it says.
        Bad = "bad",
        /// Bad, and its start is over: past, unless the person waits for a pass.
        BadPast = "bad-past",
        /// Stands before as it is: counts once.
        Twin = "twin",
        /// One employee id in unlike rows: rejected.
        Unlike = "unlike",
        /// Another feed's hire: rejected.
        Foreign = "foreign",
        /// As on record.
        Same = "same",
        /// On record with other facts; to be decided.
        Differs = "differs",
        Engaged = "engaged",
        Moved = "moved",
        Amended = "amended",
        Returned = "returned",
        Withdrawn = "withdrawn",
        Vanished = "vanished",
    }
}

impl From<FirstSeen> for Verdict {
    fn from(seen: FirstSeen) -> Self {
        match seen {
            FirstSeen::Add => Self::Added,
            FirstSeen::Missed => Self::Missed,
            FirstSeen::Past => Self::Past,
            FirstSeen::Nothing => Self::Nothing,
        }
    }
}

impl From<&Change> for Verdict {
    fn from(change: &Change) -> Self {
        match change {
            Change::Add(_) => Self::Added,
            Change::Missed(_) => Self::Missed,
            Change::Engage(_) => Self::Engaged,
            Change::Move(..) => Self::Moved,
            Change::Amend(_) => Self::Amended,
            Change::Return(_) => Self::Returned,
            Change::Withdraw => Self::Withdrawn,
            Change::Vanish => Self::Vanished,
            Change::Same => Self::Same,
            Change::Past => Self::Past,
            Change::Foreign(_) => Self::Foreign,
        }
    }
}

/// A start and its instants; many rows share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedStart {
    /// Number inside the file.
    pub id: i64,
    /// The civil start.
    pub start: Start,
    /// `None`: zone unknown.
    pub morning: Option<Morning>,
    /// Until when a missed pass is still sent.
    pub window_until: Option<DateTime<Utc>>,
    /// The first look.
    pub look_at: Option<DateTime<Utc>>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedRow {
    /// Line of the file.
    pub line: i64,
    /// Of a bad row, as far as it can be read; of a good one it stands in its facts.
    pub bad_id: String,
    /// Equal for rows that say the same.
    pub alike: i64,
    /// If nobody knows the person.
    pub verdict: Verdict,
    /// The facts and the number of the start; `None` for a bad row.
    pub facts: Option<(Hire, i64)>,
}

impl StagedRow {
    /// Empty: could not be read.
    pub fn employee_id(&self) -> &str {
        self.facts.as_ref().map_or(&self.bad_id, |(hire, _)| &hire.employee_id)
    }
}

/// Rows and the starts that they are the first to name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// New starts.
    pub starts: Vec<StagedStart>,
    /// Rows in the order of the file.
    pub rows: Vec<StagedRow>,
}
