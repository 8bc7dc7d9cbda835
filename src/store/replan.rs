//! Instants made anew when zone data or the schedule change, and small facts about the state.

use chrono::{DateTime, Utc};

use super::{HireRow, Store, StoreError};

/// New instants for one hire; written when the revision still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which hire.
    pub hire_id: i64,
    /// Its revision when it was read.
    pub revision: i64,
    /// Start instant.
    pub start_at: Option<DateTime<Utc>>,
    /// Send instant.
    pub send_at: Option<DateTime<Utc>>,
    /// From when a pass may be sent.
    pub window_from: Option<DateTime<Utc>>,
    /// Until when.
    pub window_until: Option<DateTime<Utc>>,
    /// The start day's first instant where the hire is.
    pub day_from: Option<DateTime<Utc>>,
    /// The day after's.
    pub day_until: Option<DateTime<Utc>>,
    /// The next look.
    pub look_at: Option<DateTime<Utc>>,
    /// For the event; ids only.
    pub why: String,
}

fn unfinished<T>() -> Result<T, StoreError> {
    Err(StoreError::Unusable("being written".to_owned()))
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// A small fact: `tzdata`, `schedule/contoso`.
    pub async fn meta(&self, _key: &str) -> Result<Option<String>, StoreError> {
        unfinished()
    }

    /// Sets one.
    pub async fn set_meta(&self, _key: &str, _value: &str) -> Result<(), StoreError> {
        unfinished()
    }

    /// Newest engagements of a tenant that are neither delivered nor cancelled, or have a pass out; by id.
    pub async fn open_hires(&self, _tenant: &str, _after: i64, _limit: i64) -> Result<Vec<HireRow>, StoreError> {
        unfinished()
    }

    /// Writes new instants (revision + 1) and an event for each; how many counted. One transaction.
    pub async fn replan(&self, _now: DateTime<Utc>, _planned: &[Planned]) -> Result<u64, StoreError> {
        unfinished()
    }
}
