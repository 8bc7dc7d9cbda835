//! What is kept: the hire row (what is wanted) and the pass row (what is out there).
//!
//! Rows come as integers and texts and are converted with a check: a value that no version of
//! firstpass writes is [`StoreError::Corrupt`] with table, id and column, never a panic. Instants are
//! epoch milliseconds on disk. Never holds the code of a pass: there is no column for it.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use super::StoreError;
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
    /// Looks in a row that found nothing, or deletes in a row that failed.
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

/// The columns of [`RawHire`].
macro_rules! hire_columns {
    () => {
        "id, tenant, employee_id, engagement, user_ref, display_name, manager_ref, language, start_date, start_time, \
         zone, send_time, feed_status, operator_status, revision, state, reason, what_to_do, start_at, send_at, \
         window_from, window_until, look_at, tries, claims, user_upn, manager_upn, channel, feed, source_file, source_line"
    };
}

/// The columns of [`RawPass`].
macro_rules! pass_columns {
    () => {
        "id, hire_id, state, user_id, graph_id, start_at, lifetime_min, one_time, recipient, manager_id, made_at, \
         hire_revision, valid_from, valid_until, mailed_at, message_id, looks, look_at, outcome, owes, cause"
    };
}
pub(crate) use {hire_columns, pass_columns};

/// A hire row as the engine gives it.
#[derive(sqlx::FromRow)]
pub(crate) struct RawHire {
    pub(crate) id: i64,
    tenant: String,
    employee_id: String,
    engagement: i64,
    user_ref: String,
    display_name: String,
    manager_ref: String,
    language: String,
    start_date: String,
    start_time: String,
    zone: String,
    send_time: String,
    feed_status: String,
    operator_status: String,
    revision: i64,
    state: String,
    reason: Option<String>,
    what_to_do: String,
    start_at: Option<i64>,
    send_at: Option<i64>,
    window_from: Option<i64>,
    window_until: Option<i64>,
    look_at: Option<i64>,
    tries: i64,
    claims: i64,
    user_upn: String,
    manager_upn: String,
    channel: String,
    feed: String,
    source_file: String,
    source_line: i64,
}

/// A pass row as the engine gives it.
#[derive(sqlx::FromRow)]
pub(crate) struct RawPass {
    id: i64,
    hire_id: i64,
    state: String,
    user_id: String,
    graph_id: Option<String>,
    start_at: Option<i64>,
    lifetime_min: i64,
    one_time: i64,
    recipient: String,
    manager_id: String,
    made_at: i64,
    hire_revision: i64,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
    mailed_at: Option<i64>,
    message_id: String,
    looks: i64,
    look_at: Option<i64>,
    outcome: Option<String>,
    owes: i64,
    cause: String,
}

impl TryFrom<RawHire> for HireRow {
    type Error = StoreError;

    fn try_from(raw: RawHire) -> Result<Self, StoreError> {
        let row = Row { table: "hire", id: raw.id };
        Ok(Self {
            id: raw.id,
            tenant: raw.tenant,
            employee_id: raw.employee_id,
            engagement: raw.engagement,
            user: UserRef::parse(&raw.user_ref),
            display_name: raw.display_name,
            manager_ref: raw.manager_ref,
            language: raw.language,
            start_date: row.date("start_date", &raw.start_date)?,
            start_time: row.time("start_time", &raw.start_time)?,
            zone: raw.zone,
            send_time: row.time("send_time", &raw.send_time)?,
            feed_status: row.word("feed_status", &raw.feed_status)?,
            operator_status: row.word("operator_status", &raw.operator_status)?,
            revision: raw.revision,
            state: row.word("state", &raw.state)?,
            reason: raw.reason.map(|word| row.word("reason", &word)).transpose()?,
            what_to_do: raw.what_to_do,
            start_at: row.maybe("start_at", raw.start_at)?,
            send_at: row.maybe("send_at", raw.send_at)?,
            window_from: row.maybe("window_from", raw.window_from)?,
            window_until: row.maybe("window_until", raw.window_until)?,
            look_at: row.maybe("look_at", raw.look_at)?,
            tries: raw.tries,
            claims: raw.claims,
            user_upn: raw.user_upn,
            manager_upn: raw.manager_upn,
            channel: raw.channel,
            feed: raw.feed,
            source_file: raw.source_file,
            source_line: raw.source_line,
        })
    }
}

impl TryFrom<RawPass> for PassRow {
    type Error = StoreError;

    fn try_from(raw: RawPass) -> Result<Self, StoreError> {
        let row = Row { table: "pass", id: raw.id };
        Ok(Self {
            id: raw.id,
            hire_id: raw.hire_id,
            state: row.word("state", &raw.state)?,
            user_id: row.uuid("user_id", &raw.user_id)?,
            graph_id: raw.graph_id,
            start: row.maybe("start_at", raw.start_at)?,
            lifetime_min: raw.lifetime_min,
            one_time: raw.one_time != 0,
            recipient: raw.recipient,
            manager_id: row.uuid("manager_id", &raw.manager_id)?,
            made_at: row.instant("made_at", raw.made_at)?,
            hire_revision: raw.hire_revision,
            from: row.maybe("valid_from", raw.valid_from)?,
            until: row.maybe("valid_until", raw.valid_until)?,
            mailed_at: row.maybe("mailed_at", raw.mailed_at)?,
            message_id: raw.message_id,
            looks: raw.looks,
            look_at: row.maybe("look_at", raw.look_at)?,
            outcome: raw.outcome.map(|word| row.word("outcome", &word)).transpose()?,
            owes: raw.owes != 0,
            cause: raw.cause,
        })
    }
}

/// Which row is being read, for the error that names it.
struct Row {
    table: &'static str,
    id: i64,
}

impl Row {
    fn corrupt(&self, column: &str) -> StoreError {
        StoreError::Corrupt(format!(
            "the state is damaged: {} {} has a value in {column} that firstpass never writes; restore a backup",
            self.table, self.id
        ))
    }

    fn word<T: FromStr>(&self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    fn uuid(&self, column: &str, text: &str) -> Result<Uuid, StoreError> {
        Uuid::try_parse(text).map_err(|_| self.corrupt(column))
    }

    fn date(&self, column: &str, text: &str) -> Result<NaiveDate, StoreError> {
        NaiveDate::parse_from_str(text, DATE).map_err(|_| self.corrupt(column))
    }

    fn time(&self, column: &str, text: &str) -> Result<NaiveTime, StoreError> {
        NaiveTime::parse_from_str(text, TIME).map_err(|_| self.corrupt(column))
    }

    fn instant(&self, column: &str, ms: i64) -> Result<DateTime<Utc>, StoreError> {
        DateTime::from_timestamp_millis(ms).ok_or_else(|| self.corrupt(column))
    }

    fn maybe(&self, column: &str, ms: Option<i64>) -> Result<Option<DateTime<Utc>>, StoreError> {
        ms.map(|ms| self.instant(column, ms)).transpose()
    }
}

/// Civil dates on disk.
const DATE: &str = "%Y-%m-%d";
/// Wall times on disk: always with seconds, so that texts compare as times do.
const TIME: &str = "%H:%M:%S";

/// A civil date as it stands on disk: `2027-03-01`.
pub(crate) fn date_text(date: NaiveDate) -> String {
    date.format(DATE).to_string()
}

/// A wall time as it stands on disk: `09:00:00`.
pub(crate) fn time_text(time: NaiveTime) -> String {
    time.format(TIME).to_string()
}

/// An instant as it stands on disk.
pub(crate) fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// An instant that may be absent, as it stands on disk.
pub(crate) fn maybe_ms(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(ms)
}

/// An instant that no row holds (`min(…)`, a gate).
pub(crate) fn instant(table: &'static str, column: &str, at: i64) -> Result<DateTime<Utc>, StoreError> {
    Row { table, id: 0 }.instant(column, at)
}
