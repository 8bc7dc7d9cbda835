//! What is kept: the hire row (what is wanted) and the pass row (what is out there).
//!
//! The columns, their CHECKs and indexes stand in `migrations/`; how a row is read and checked in
//! `raw`. There is no place for the code of a pass in any of them.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use crate::rules::hire::{FeedStatus, OperatorStatus, Outcome, PassState, Reason, State, UserRef};

/// One hire, one engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HireRow {
    /// Row id, never used again.
    pub id: i64,
    /// `name` of the `[[tenant]]`.
    pub tenant: String,
    /// As the feed writes it.
    pub employee_id: String,
    /// 1 for the first start of this person, 2 for the next …
    pub engagement: i64,
    /// The account, as the feed says it.
    pub user: UserRef,
    /// The feed's name for the person, or empty.
    pub display_name: String,
    /// The feed's manager, a cross-check; empty = none named.
    pub manager_ref: String,
    /// BCP 47 tag, or empty.
    pub language: String,
    /// Civil day of the start.
    pub start_date: NaiveDate,
    /// Wall time of the start.
    pub start_time: NaiveTime,
    /// IANA name; empty = unknown (`zone-unknown`).
    pub zone: String,
    /// Wall time at which the pass is made and mailed.
    pub send_time: NaiveTime,
    /// What the feed wants now.
    pub feed_status: FeedStatus,
    /// What an operator wants now.
    pub operator_status: OperatorStatus,
    /// +1 with every change by feed or operator.
    pub revision: i64,
    /// Where the hire stands.
    pub state: State,
    /// Why it is in attention, or waits.
    pub reason: Option<Reason>,
    /// A sentence for the admin, or empty.
    pub what_to_do: String,
    /// Start instant; `None` while the zone is unknown or the day does not exist.
    pub start_at: Option<DateTime<Utc>>,
    /// Send instant, never after the start.
    pub send_at: Option<DateTime<Utc>>,
    /// From when a pass may be sent: the send instant, or the retry's.
    pub window_from: Option<DateTime<Utc>>,
    /// Until when a missed pass is still sent.
    pub window_until: Option<DateTime<Utc>>,
    /// When the hire is looked at next; `None` = not by itself.
    pub look_at: Option<DateTime<Utc>>,
    /// Until when a worker has it, if one took it: that worker may be gone.
    pub claimed_until: Option<DateTime<Utc>>,
    /// Since when it needs a person, also while a pass is asked for in between.
    pub attention_since: Option<DateTime<Utc>>,
    /// When a feed first named it.
    pub first_seen: DateTime<Utc>,
    /// POSTs asked of Graph in this window.
    pub tries: i64,
    /// Claims in a row that ended without a rest.
    pub claims: i64,
    /// The account's UPN as the directory had it at the last look, or empty.
    pub user_upn: String,
    /// The manager's UPN as the directory had it, or empty.
    pub manager_upn: String,
    /// The address that would be, or was, mailed to, or empty.
    pub channel: String,
    /// `name` of the `[[feed]]` that brought it.
    pub feed: String,
    /// File that last changed it.
    pub source_file: String,
    /// Line in that file, header = 1.
    pub source_line: i64,
}

/// One pass of one hire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRow {
    /// Row id, never used again.
    pub id: i64,
    /// Whose.
    pub hire_id: i64,
    /// Where it stands.
    pub state: PassState,
    /// Object id of the account.
    pub user_id: Uuid,
    /// Graph's id, once known.
    pub graph_id: Option<String>,
    /// The start that was asked for; `None` = usable at once.
    pub start: Option<DateTime<Utc>>,
    /// Life from the start, minutes: asked, then answered.
    pub lifetime_min: i64,
    /// Usable once.
    pub one_time: bool,
    /// The one address that the letter goes to.
    pub recipient: String,
    /// Object id of the manager.
    pub manager_id: Uuid,
    /// When the intent was written.
    pub made_at: DateTime<Utc>,
    /// The hire's revision that it was made for.
    pub hire_revision: i64,
    /// Usable from, as answered.
    pub from: Option<DateTime<Utc>>,
    /// Usable until, as answered.
    pub until: Option<DateTime<Utc>>,
    /// When the mail server took the letter.
    pub mailed_at: Option<DateTime<Utc>>,
    /// Of the letter, or empty.
    pub message_id: String,
    /// In a row: looks that found nothing, deletes that failed, letters about a void code that were not taken.
    pub looks: i64,
    /// When it is looked at next.
    pub look_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Its recipient must be told that the code is void.
    pub owes: bool,
    /// Why it was condemned or ended, or empty.
    pub cause: String,
}

impl PassRow {
    /// The outcome as `review_hire` shows it: `unused` while a mailed one-time pass waits. Of a pass
    /// that can be used several times nobody can know.
    pub fn told_outcome(&self) -> Option<Outcome> {
        self.outcome.or((self.state == PassState::Mailed && self.one_time).then_some(Outcome::Unused))
    }
}

/// One hire in the hands of this worker until the lease is over. Not `Clone`: one attempt at a time.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    /// As it was when it was claimed.
    pub hire: HireRow,
    /// Its passes that are not gone or over, or owe a letter; oldest first.
    pub passes: Vec<PassRow>,
    /// Every later statement counts only under this token.
    pub token: Uuid,
    /// Until when nobody else may claim it.
    pub lease_until: DateTime<Utc>,
}

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Where the hire stands now.
    pub state: State,
    /// Why, if it waits or needs a person.
    pub reason: Option<Reason>,
    /// A sentence for the admin, or empty.
    pub what_to_do: String,
    /// When it is looked at next.
    pub look_at: Option<DateTime<Utc>>,
    /// What the directory said, if it was asked.
    pub seen: Option<Seen>,
    /// For the event; ids only.
    pub why: String,
}

/// Names as the directory has them, for reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// UPN of the account.
    pub user_upn: String,
    /// UPN of the manager, or empty.
    pub manager_upn: String,
    /// The address a letter would go to, or empty.
    pub channel: String,
}
