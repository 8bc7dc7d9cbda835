//! What reviewers and commands see: the views of contract 8, the events, the files, and whole rows.
//!
//! Reads only. The views live in `migrations/*/0002_review.sql`: whoever has read rights on the
//! database sees exactly what the commands print.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::engine::{Sql, on_reader, sql};
use super::raw::{RawHire, RawPass, hire_columns, ms, pass_columns};
use super::{HireRow, KeyText, PassRow, Store, StoreError};
use crate::rules::hire::State;

/// Which view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `review_hire`
    Hire,
    /// `review_today`
    Today,
    /// `review_upcoming`
    Upcoming,
    /// `review_attention`
    Attention,
}

/// Which rows; the default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this state.
    pub state: Option<State>,
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only this hire, all engagements.
    pub key: Option<KeyText>,
}

/// One row of `review_hire`: its columns in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "contract 8 says what the columns are")]
pub struct ReviewRow {
    pub tenant: String,
    pub employee_id: String,
    pub display_name: String,
    pub user: String,
    pub manager: String,
    pub channel: String,
    pub start_local: String,
    pub send_local: String,
    pub start_utc: Option<String>,
    pub send_utc: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub what_to_do: String,
    pub tries: i64,
    pub next_try_utc: Option<String>,
    pub pass_id: Option<String>,
    pub pass_from_utc: Option<String>,
    pub pass_until_utc: Option<String>,
    pub mailed_to: Option<String>,
    pub mailed_utc: Option<String>,
    pub outcome: Option<String>,
    pub feed: String,
    pub source_file: String,
    pub source_line: i64,
    pub first_seen_utc: String,
    pub changed_utc: String,
}

/// One row of `review_event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "contract 8 says what the columns are")]
pub struct EventRow {
    pub seq: i64,
    pub at_utc: String,
    pub tenant: String,
    pub employee_id: Option<String>,
    pub what: String,
    pub why: String,
    pub by: String,
}

/// One row of `review_file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "contract 8 says what the columns are")]
pub struct FileRow {
    pub feed: String,
    pub file: String,
    pub sha256: String,
    pub read_utc: String,
    pub rows: i64,
    pub added: i64,
    pub changed: i64,
    pub withdrawn: i64,
    pub unchanged: i64,
    pub past: i64,
    pub rejected: i64,
    pub state: String,
}

/// What `run --once` reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    /// Letters that were accepted about passes made after the one asked about.
    pub delivered: i64,
    /// Hires in attention.
    pub attention: i64,
    /// Hires whose morning is ahead, or that are under way.
    pub pending: i64,
}

/// $1 state, $2 tenant, $3 to $5 the readings of a key; '' = any. Tenant and employee id go before an
/// employee id that only looks so.
macro_rules! rows_of {
    ($view:literal) => {
        concat!(
            "SELECT * FROM ",
            $view,
            " WHERE ($1 = '' OR state = $1) AND ($2 = '' OR tenant = $2)
                AND ($3 = '' OR (tenant = $4 AND employee_id = $5)
                  OR (employee_id = $3 AND NOT EXISTS (SELECT 1 FROM hire WHERE tenant = $4 AND employee_id = $5)))
              ORDER BY coalesce(start_utc, ''), tenant, employee_id, first_seen_utc"
        )
    };
}
const REVIEW_HIRE: Sql = sql!(rows_of!("review_hire"));
const REVIEW_TODAY: Sql = sql!(rows_of!("review_today"));
const REVIEW_UPCOMING: Sql = sql!(rows_of!("review_upcoming"));
const REVIEW_ATTENTION: Sql = sql!(rows_of!("review_attention"));

/// The newest $4, shown in order.
const EVENTS: Sql = sql!(
    "SELECT * FROM (
       SELECT * FROM review_event
       WHERE ($1 = '' OR (tenant = $2 AND employee_id = $3)
         OR (employee_id = $1 AND NOT EXISTS (SELECT 1 FROM hire WHERE tenant = $2 AND employee_id = $3)))
       ORDER BY seq DESC LIMIT $4) AS newest
     ORDER BY seq"
);
/// The rows of `review_file`, whose times are cut to the second: files read within one stand in their order too.
macro_rules! files {
    ($read_utc:literal) => {
        concat!(
            "SELECT feed, file, sha256, ",
            $read_utc,
            " AS read_utc, rows, added, changed, withdrawn, unchanged, past, rejected, state FROM file
              WHERE ($1 = '' OR feed = $1) ORDER BY read_at DESC, id DESC LIMIT $2"
        )
    };
}
const FILES: Sql = sql!(
    sqlite: files!("strftime('%Y-%m-%dT%H:%M:%SZ', read_at / 1000, 'unixepoch')"),
    postgres: files!("to_char(to_timestamp(read_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
);
const HIRES_BETWEEN: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE current = 1 AND (send_at IS NULL OR (send_at >= $1 AND send_at < $2))
      ORDER BY coalesce(send_at, 0), tenant, employee_id"
));
const IN_ATTENTION: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE current = 1 AND state = 'attention' ORDER BY coalesce(start_at, 0), tenant, employee_id"
));
/// The newest engagement of an account: $2 its name in lower case, $3 an employee id.
const OF_USER: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE current = 1 AND tenant = $1
        AND (lower(user_ref) = $2 OR lower(user_upn) = $2 OR employee_id = $3)
      ORDER BY id DESC LIMIT 1"
));
const SENT_SINCE: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE id IN (SELECT hire_id FROM pass WHERE mailed_at > $1) ORDER BY coalesce(start_at, 0), tenant, employee_id"
));
const ALL_HIRES: Sql = sql!(concat!("SELECT ", hire_columns!(), " FROM hire ORDER BY id"));
const PASSES_OF: Sql = sql!(concat!("SELECT ", pass_columns!(), " FROM pass WHERE hire_id = $1 ORDER BY id"));

const NEWEST_PASS: Sql = sql!("SELECT coalesce(max(id), 0) FROM pass");
/// One line, so that it is one reading. By numbers, not by times: the clock may have been set back. A
/// code lives in its process only, so a letter is sent by the run that made its pass.
const TALLY: Sql = sql!(
    "SELECT (SELECT count(*) FROM pass WHERE id > $1 AND mailed_at IS NOT NULL) AS delivered,
            (SELECT count(*) FROM hire WHERE current = 1 AND state = 'attention') AS attention,
            (SELECT count(*) FROM hire WHERE current = 1 AND state IN ('pending', 'issuing', 'sending')) AS pending"
);

impl Store {
    /// The row number of the newest pass, 0 before the first.
    pub async fn newest_pass(&self) -> Result<i64, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_scalar(text(NEWEST_PASS)).fetch_one(db).await)?)
    }

    /// How many letters were accepted about passes made after this one ([`Store::newest_pass`]), and how
    /// many hires wait or need a person.
    pub async fn tally(&self, after: i64) -> Result<Tally, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(TALLY)).bind(after).fetch_one(db).await)?)
    }

    /// Rows of a view by start, tenant, employee id.
    pub async fn review(&self, view: View, filter: &Filter) -> Result<Vec<ReviewRow>, StoreError> {
        let sql = match view {
            View::Hire => REVIEW_HIRE,
            View::Today => REVIEW_TODAY,
            View::Upcoming => REVIEW_UPCOMING,
            View::Attention => REVIEW_ATTENTION,
        };
        let (whole, tenant, employee_id) = filter.key.as_ref().map(KeyText::readings).unwrap_or_default();
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(sql))
            .bind(filter.state.map(State::as_str).unwrap_or_default())
            .bind(filter.tenant.as_deref().unwrap_or_default())
            .bind(whole)
            .bind(tenant)
            .bind(employee_id)
            .fetch_all(db)
            .await)?)
    }

    /// The newest `limit` events in order: of one hire (all its engagements), or of everything.
    pub async fn events(&self, key: Option<&KeyText>, limit: i64) -> Result<Vec<EventRow>, StoreError> {
        let (whole, tenant, employee_id) = key.map(KeyText::readings).unwrap_or_default();
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(EVENTS))
            .bind(whole)
            .bind(tenant)
            .bind(employee_id)
            .bind(limit)
            .fetch_all(db)
            .await)?)
    }

    /// Files and readings, newest first.
    pub async fn files(&self, feed: Option<&str>, limit: i64) -> Result<Vec<FileRow>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(FILES))
            .bind(feed.unwrap_or_default())
            .bind(limit)
            .fetch_all(db)
            .await)?)
    }

    /// Newest engagements whose send instant lies in `[from, until)`, and those that have none
    /// (`zone-unknown`); for `plan`.
    pub async fn hires_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<HireRow>, StoreError> {
        let hires: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(HIRES_BETWEEN))
            .bind(ms(from))
            .bind(ms(until))
            .fetch_all(db)
            .await)?;
        hires.into_iter().map(TryInto::try_into).collect()
    }

    /// Newest engagements that need a person, by start.
    pub async fn hires_in_attention(&self) -> Result<Vec<HireRow>, StoreError> {
        let hires: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(IN_ATTENTION)).fetch_all(db).await)?;
        hires.into_iter().map(TryInto::try_into).collect()
    }

    /// The newest hire of the tenant whose account has this name (user principal name or object id, any
    /// case), or who bears this employee id.
    pub async fn hire_of_user(&self, tenant: &str, name: &str) -> Result<Option<HireRow>, StoreError> {
        let hire: Option<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(OF_USER))
            .bind(tenant)
            .bind(name.to_lowercase())
            .bind(name)
            .fetch_optional(db)
            .await)?;
        hire.map(TryInto::try_into).transpose()
    }

    /// Hires about whom a letter with a pass was accepted after that, by start.
    pub async fn sent_since(&self, since: DateTime<Utc>) -> Result<Vec<HireRow>, StoreError> {
        let hires: Vec<RawHire> =
            on_reader!(self, |db, text| sqlx::query_as(text(SENT_SINCE)).bind(ms(since)).fetch_all(db).await)?;
        hires.into_iter().map(TryInto::try_into).collect()
    }

    /// Every hire row, every engagement, by id.
    pub async fn all_hires(&self) -> Result<Vec<HireRow>, StoreError> {
        let hires: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(ALL_HIRES)).fetch_all(db).await)?;
        hires.into_iter().map(TryInto::try_into).collect()
    }

    /// Every pass of a hire, oldest first.
    pub async fn passes_of(&self, hire_id: i64) -> Result<Vec<PassRow>, StoreError> {
        let passes: Vec<RawPass> =
            on_reader!(self, |db, text| sqlx::query_as(text(PASSES_OF)).bind(hire_id).fetch_all(db).await)?;
        passes.into_iter().map(TryInto::try_into).collect()
    }
}
