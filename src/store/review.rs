//! What reviewers and commands see: the views of contract 8, the events, the files.

use chrono::{DateTime, Utc};
use serde::Serialize;

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

fn unfinished<T>() -> Result<T, StoreError> {
    Err(StoreError::Unusable("being written".to_owned()))
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// Rows of a view by start, tenant, employee id.
    pub async fn review(&self, _view: View, _filter: &Filter) -> Result<Vec<ReviewRow>, StoreError> {
        unfinished()
    }

    /// Events in order: of one hire (all engagements), or the newest `limit` of all.
    pub async fn events(&self, _key: Option<&KeyText>, _limit: i64) -> Result<Vec<EventRow>, StoreError> {
        unfinished()
    }

    /// Files, newest first.
    pub async fn files(&self, _feed: Option<&str>, _limit: i64) -> Result<Vec<FileRow>, StoreError> {
        unfinished()
    }

    /// Newest engagements whose send instant lies in the span, or that have none; for `plan`.
    pub async fn hires_between(&self, _from: DateTime<Utc>, _until: DateTime<Utc>) -> Result<Vec<HireRow>, StoreError> {
        unfinished()
    }

    /// Every hire row, every engagement, by id.
    pub async fn all_hires(&self) -> Result<Vec<HireRow>, StoreError> {
        unfinished()
    }

    /// Every pass of a hire, oldest first.
    pub async fn passes_of(&self, _hire_id: i64) -> Result<Vec<PassRow>, StoreError> {
        unfinished()
    }
}
