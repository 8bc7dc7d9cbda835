//! A row as the engine gives it, and its way into [`super::rows`].
//!
//! Rows come as integers and texts and are converted with a check: a value that no version of
//! firstpass writes is [`StoreError::Corrupt`] with table, id and column, never a guess and never a
//! panic. Instants are epoch milliseconds on disk, civil dates and times texts.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use super::{HireRow, PassRow, StoreError};
use crate::rules::hire::UserRef;

/// The columns of [`RawHire`].
macro_rules! hire_columns {
    () => {
        "id, tenant, employee_id, engagement, user_ref, display_name, manager_ref, language, start_date, start_time, \
         zone, send_time, feed_status, operator_status, revision, state, reason, what_to_do, start_at, send_at, \
         window_from, window_until, look_at, lease_until, attention_since, first_seen, tries, claims, user_upn, manager_upn, channel, \
         feed, source_file, source_line"
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
    lease_until: Option<i64>,
    attention_since: Option<i64>,
    first_seen: i64,
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
            claimed_until: row.maybe("lease_until", raw.lease_until)?,
            attention_since: row.maybe("attention_since", raw.attention_since)?,
            first_seen: row.instant("first_seen", raw.first_seen)?,
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
