//! What stops a tenant or the mail, and the heartbeat: a restart forgets neither.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};
use crate::rules::hire::Reason;

/// A tenant (`tenant/contoso`) or the mail (`mail`) that waits or is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// `tenant/NAME` or `mail`.
    pub name: String,
    /// Nothing is tried before this.
    pub not_before: Option<DateTime<Utc>>,
    /// Why it is stopped; `None` = only slowed down.
    pub stopped: Option<String>,
    /// When it stopped, or was slowed down first.
    pub since: DateTime<Utc>,
}

fn unfinished<T>() -> Result<T, StoreError> {
    Err(StoreError::Unusable("being written".to_owned()))
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// All gates on record, also those whose `not_before` is past and that nobody opened.
    pub async fn gates(&self) -> Result<Vec<Gate>, StoreError> {
        unfinished()
    }

    /// Holds a gate; `true` = it was not stopped before and is now.
    pub async fn hold_gate(
        &self,
        _now: DateTime<Utc>,
        _name: &str,
        _not_before: DateTime<Utc>,
        _stopped: Option<&str>,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// Opens a gate; `true` = it was stopped.
    pub async fn open_gate(&self, _now: DateTime<Utc>, _name: &str) -> Result<bool, StoreError> {
        unfinished()
    }

    /// Gives the hires that are due to be sent and pending this reason (those of `tenant/NAME`; all
    /// for `mail`), each with an event once; how many.
    pub async fn mark_waiting(&self, _now: DateTime<Utc>, _gate: &str, _reason: Reason) -> Result<u64, StoreError> {
        unfinished()
    }

    /// The service is alive. Written at most once a minute, or when time went back; the value before.
    pub async fn heartbeat(&self, _now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        unfinished()
    }

    /// The last heartbeat, without writing.
    pub async fn last_heartbeat(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        unfinished()
    }
}
