//! What is said about one file: to the admin, to `--json`, and as `NAME.report.json` beside it.

use std::fmt;

use serde::Serialize;

use crate::rules::intake::ChangeLine;
use crate::rules::record::Reject;

/// More rejects than this are no rows to correct one by one; such a file is rejected whole.
pub const REJECTS: u64 = 100_000;
/// Lines of a dry run that are kept, some 300 bytes each; the counts are always whole.
pub const CHANGES: u64 = 200_000;

/// What became of one file. The first keys are the columns of `review_file`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FileReport {
    /// `name` of the `[[feed]]`.
    pub feed: String,
    /// Name in the drop folder.
    pub file: String,
    /// Of its bytes, hex; empty when they were not read.
    pub sha256: String,
    /// When it was read.
    pub read_utc: String,
    /// Data rows, twins too.
    pub rows: u64,
    /// New hires.
    pub added: u64,
    /// Moved, amended, returned, vanished.
    pub changed: u64,
    /// Of the changed: no longer in a whole list, and so in attention; absent when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub vanished: u64,
    /// Withdrawn.
    pub withdrawn: u64,
    /// As on record.
    pub unchanged: u64,
    /// Start over, left alone.
    pub past: u64,
    /// Rejected rows.
    pub rejected: u64,
    /// Rows that say the same as another one, which is counted above; absent when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub twins: u64,
    /// `taken`, `held`, `refused`, `superseded`, `rejected`.
    pub state: String,
    /// Why it is held or rejected, or what else is worth knowing; may be empty.
    pub why: String,
    /// `why` is what an operator gave as a reason.
    #[serde(skip)]
    pub answered: bool,
    /// Held files whose place it took (of a dry run: would take), by name; absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<String>,
    /// Rejects that the newest file before did not have: only these are told.
    pub new_rejects: u64,
    /// Where the file lies now, below the drop folder; empty when it was left where it is.
    pub now_at: String,
    /// Where its rejected rows lie, below the drop folder; empty when there are none.
    pub rejected_at: String,
    /// Every rejected row.
    pub rejects: Vec<Reject>,
    /// Nothing was written: `state` is what would become of the file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What would change, the first 200,000 (dry run only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeLine>,
    /// Changes that are counted and left out of `changes`; absent when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub truncated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl FileReport {
    /// Keeps what would change and says how much of it was left out. The counts must stand already.
    ///
    /// ```
    /// use firstpass::feed::FileReport;
    /// let mut report = FileReport { added: 2, changed: 1, ..FileReport::default() };
    /// report.keep_changes(Vec::new());
    /// assert_eq!(report.truncated, 3);
    /// ```
    pub fn keep_changes(&mut self, changes: Vec<ChangeLine>) {
        let kept = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.truncated = (self.added + self.changed + self.withdrawn).saturating_sub(kept);
        self.changes = changes;
    }

    /// A person must look: rejected rows, a held or an unreadable file (contract 2).
    pub fn needs_a_person(&self) -> bool {
        self.rejected > 0 || matches!(self.state.as_str(), "held" | "rejected")
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let would = match (self.dry_run, self.state.as_str()) {
            (true, "taken" | "held" | "rejected") => "would be ",
            (true | false, _) => "",
        };
        write!(f, "{} {would}{}: ", self.file, self.state)?;
        if self.state == "rejected" {
            return f.write_str(&self.why);
        }
        write!(
            f,
            "{} rows, {} added, {} changed, {} withdrawn, {} unchanged, {} past, {} rejected",
            self.rows, self.added, self.changed, self.withdrawn, self.unchanged, self.past, self.rejected
        )?;
        if !self.why.is_empty() {
            let given = if self.answered { "reason given: " } else { "" };
            write!(f, "; {given}{}", self.why)?;
        }
        if let [first, others @ ..] = self.superseded.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            let takes = if self.dry_run { "would take" } else { "takes" };
            write!(
                f,
                "; it {takes} the place of {first}{more}, which waited for an answer (superseded, in rejected/)"
            )?;
        }
        Ok(())
    }
}
