//! Who may act on a hire, and for how long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Claimed, Rest, Store, StoreError};

fn unfinished<T>() -> Result<T, StoreError> {
    Err(StoreError::Unusable("being written".to_owned()))
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// Takes one due hire, oldest look first. `may_send = false` leaves out those that need nothing but a letter slot.
    pub async fn claim(
        &self,
        _now: DateTime<Utc>,
        _worker: Uuid,
        _lease: Duration,
        _may_send: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        unfinished()
    }

    /// Ends the claim. `false` = the claim was no longer ours, nothing was written.
    pub async fn rest(&self, _claimed: Claimed, _now: DateTime<Utc>, _rest: Rest) -> Result<bool, StoreError> {
        unfinished()
    }

    /// A longer lease; the hire's revision, or `None` when the claim is no longer ours.
    pub async fn renew(
        &self,
        _claimed: &mut Claimed,
        _now: DateTime<Utc>,
        _lease: Duration,
    ) -> Result<Option<i64>, StoreError> {
        unfinished()
    }

    /// The next instant at which something is due; in the past when something is due now.
    pub async fn next_look(&self, _now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        unfinished()
    }
}
