//! The life of a pass row.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Claimed, Store, StoreError};
use crate::rules::attempt::{Cleared, Intended, IssuedPass};
use crate::rules::hire::Outcome;

fn unfinished<T>() -> Result<T, StoreError> {
    Err(StoreError::Unusable("being written".to_owned()))
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// The intent, before the POST: pass row `intended`, hire `issuing`, tries + 1. `None` = the
    /// claim or the revision is no longer ours, or an older pass is unsettled.
    pub async fn intend(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _cleared: Cleared,
    ) -> Result<Option<Intended>, StoreError> {
        unfinished()
    }

    /// `intended → over`: certainly not done, or counted as not made.
    pub async fn not_made(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _why: &str,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// `intended → issued`; the hire's revision at this commit, `None` = no longer ours.
    pub async fn issued(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass: &IssuedPass,
        _lifetime_min: i64,
    ) -> Result<Option<i64>, StoreError> {
        unfinished()
    }

    /// `issued → mailing`, hire `sending`; `false` also when the revision moved since the claim.
    pub async fn mailing(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _message_id: &str,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// `mailing → mailed`, hire `delivered`, claim ended. A fact: counts as long as the token is
    /// ours, even when the lease is over; can be tried again when the commit fails.
    pub async fn delivered(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _look_at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// Ours, and used: it was received. → `over` with outcome used, hire `delivered`.
    pub async fn received(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _graph_id: &str,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// `intended | issued | mailing | mailed → condemned`.
    pub async fn condemn(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _graph_id: Option<&str>,
        _owes: bool,
        _cause: &str,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// `condemned → gone`.
    pub async fn gone(&self, _claimed: &Claimed, _now: DateTime<Utc>, _pass_id: i64) -> Result<bool, StoreError> {
        unfinished()
    }

    /// `mailed | condemned | intended → over`.
    pub async fn over(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _outcome: Option<Outcome>,
        _why: &str,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// After a watch, or a delete that failed.
    pub async fn looked(
        &self,
        _claimed: &Claimed,
        _now: DateTime<Utc>,
        _pass_id: i64,
        _looks: i64,
        _look_at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        unfinished()
    }

    /// The recipient was told that the code is void.
    pub async fn told_void(&self, _claimed: &Claimed, _now: DateTime<Utc>, _pass_id: i64) -> Result<bool, StoreError> {
        unfinished()
    }

    /// Graph ids of every pass of ours, ever, for this account.
    pub async fn our_graph_ids(&self, _user: Uuid) -> Result<Vec<String>, StoreError> {
        unfinished()
    }

    /// When letters went out since then (passes and "void"), ascending.
    pub async fn letters_since(&self, _since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, StoreError> {
        unfinished()
    }
}
