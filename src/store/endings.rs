//! How a pass row ends: not made, condemned and gone, or over; and what its recipient is owed.
//!
//! Same steps as in `passes`: hold the hire, move the pass row, write the event, commit. What has
//! happened outside (a DELETE was answered, a letter was taken) counts even when the lease is over,
//! as long as nobody else took the hire over.

use chrono::{DateTime, Utc};

use super::engine::{Sql, in_transaction, sql};
use super::raw::{maybe_ms, ms};
use super::step::{EVEN_LATE, step};
use super::{Claimed, Store, StoreError};
use crate::rules::hire::Outcome;

const NOT_MADE: Sql = sql!(
    "UPDATE pass SET state = 'over', cause = $3, look_at = NULL WHERE id = $1 AND hire_id = $2 AND state = 'intended'"
);
/// Counted as not made, and there it is.
const ADOPT: Sql = sql!(
    "UPDATE pass SET state = 'condemned', graph_id = $3, cause = $4, looks = 0, look_at = NULL
     WHERE id = $1 AND hire_id = $2 AND state = 'over' AND graph_id IS NULL
       AND NOT EXISTS (SELECT 1 FROM pass o WHERE o.hire_id = $2
                         AND o.state IN ('intended', 'issued', 'mailing', 'condemned'))"
);
/// A POST that did not reach Graph's judgement is no try.
const NO_TRY: Sql = sql!("UPDATE hire SET tries = tries - 1 WHERE id = $1 AND tries > 0");
/// Whose pass goes is no longer delivered, not even between this commit and the end of the claim.
const HIRE_REPLANNED: Sql =
    sql!("UPDATE hire SET state = 'pending' WHERE id = $1 AND state IN ('delivered', 'sending', 'issuing')");
/// Not while another pass of this hire is unsettled: one at a time.
const CONDEMN: Sql = sql!(
    "UPDATE pass SET state = 'condemned', graph_id = coalesce($3, graph_id),
       owes = CASE WHEN $4 = 1 THEN 1 ELSE owes END, cause = $5, looks = 0, look_at = NULL
     WHERE id = $1 AND hire_id = $2 AND state IN ('intended', 'issued', 'mailing', 'mailed')
       AND NOT EXISTS (SELECT 1 FROM pass o WHERE o.hire_id = $2 AND o.id <> $1
                         AND o.state IN ('intended', 'issued', 'mailing', 'condemned'))"
);
const GONE: Sql = sql!(
    "UPDATE pass SET state = 'gone', looks = 0, look_at = NULL,
       outcome = CASE WHEN mailed_at IS NOT NULL THEN 'deleted' ELSE outcome END
     WHERE id = $1 AND hire_id = $2 AND state = 'condemned'"
);
const OVER: Sql = sql!(
    "UPDATE pass SET state = 'over', outcome = $3, look_at = NULL,
       looks = CASE WHEN graph_id IS NULL THEN looks ELSE 0 END,
       cause = CASE WHEN cause = '' THEN $4 ELSE cause END
     WHERE id = $1 AND hire_id = $2 AND state IN ('intended', 'mailed', 'condemned')"
);
const LOOKED: Sql = sql!("UPDATE pass SET looks = $3, look_at = $4 WHERE id = $1 AND hire_id = $2");
const NOT_TOLD: Sql = sql!("UPDATE pass SET owes = 0, look_at = NULL WHERE id = $1 AND hire_id = $2 AND owes = 1");
const TOLD_VOID: Sql = sql!("UPDATE pass SET owes = 0, told_at = $3 WHERE id = $1 AND hire_id = $2 AND owes = 1");

impl Store {
    /// `intended → over`: certainly not done, or counted as not made. `counts`: it was a try. `why`
    /// in ids only.
    pub async fn not_made(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        counts: bool,
        why: &str,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(NOT_MADE)).bind(pass_id).bind(claimed.hire.id).bind(why),
            hire: (!counts).then_some(NO_TRY),
            what: "not-made", why: format!("pass row {pass_id}: {why}")))
    }

    /// `intended | issued | mailing | mailed → condemned`: it must be deleted in the directory.
    /// `owes`: its recipient may hold the letter and must be told. A delivered hire is pending again.
    pub async fn condemn(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        graph_id: Option<&str>,
        owes: bool,
        cause: &str,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: EVEN_LATE,
            |tx, text| sqlx::query(text(CONDEMN))
                .bind(pass_id)
                .bind(claimed.hire.id)
                .bind(graph_id)
                .bind(i64::from(owes))
                .bind(cause),
            hire: Some(HIRE_REPLANNED),
            what: "condemned", why: format!("pass row {pass_id} must go: {cause}")))
    }

    /// `over → condemned`: the POST of an intent that counted as not made came late.
    pub async fn adopt(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        graph_id: &str,
        cause: &str,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: EVEN_LATE,
            |tx, text| sqlx::query(text(ADOPT)).bind(pass_id).bind(claimed.hire.id).bind(graph_id).bind(cause),
            hire: Some(HIRE_REPLANNED),
            what: "condemned", why: format!("pass {graph_id} of pass row {pass_id} came late and must go")))
    }

    /// `condemned → gone`: the directory answered the DELETE with 204 or 404.
    pub async fn gone(&self, claimed: &Claimed, now: DateTime<Utc>, pass_id: i64) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: EVEN_LATE,
            |tx, text| sqlx::query(text(GONE)).bind(pass_id).bind(claimed.hire.id),
            what: "gone", why: format!("pass row {pass_id} is deleted in the directory")))
    }

    /// `mailed | condemned | intended → over`: past its life, used, replaced, or deleted by others.
    pub async fn over(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        outcome: Option<Outcome>,
        why: &str,
    ) -> Result<bool, StoreError> {
        let outcome = outcome.map(Outcome::as_str);
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(OVER)).bind(pass_id).bind(claimed.hire.id).bind(outcome).bind(why),
            what: outcome.unwrap_or("over"), why: format!("pass row {pass_id}: {why}")))
    }

    /// As [`Store::over`], of a pass that a moved start has outlived: a delivered hire is pending again.
    pub async fn over_unserved(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        outcome: Outcome,
        why: &str,
    ) -> Result<bool, StoreError> {
        let outcome = outcome.as_str();
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(OVER)).bind(pass_id).bind(claimed.hire.id).bind(outcome).bind(why),
            hire: Some(HIRE_REPLANNED),
            what: outcome, why: format!("pass row {pass_id}: {why}")))
    }

    /// After a watch or a delete that failed: how many in a row, and when the next is. No event.
    pub async fn looked(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        looks: i64,
        look_at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(LOOKED))
                .bind(pass_id)
                .bind(claimed.hire.id)
                .bind(looks)
                .bind(maybe_ms(look_at)),
            what: "", why: ""))
    }

    /// A condemned pass cannot be deleted: as [`Store::looked`], and told. `why` without addresses.
    pub async fn not_deleted(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        failed: i64,
        again: DateTime<Utc>,
        why: &str,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(LOOKED)).bind(pass_id).bind(claimed.hire.id).bind(failed).bind(ms(again)),
            what: "pass-not-deleted", why: format!("pass row {pass_id} must go and could not be deleted {failed} times: {why}")))
    }

    /// A one-time pass that is not used an hour after it became usable: told, and watched until its end.
    pub async fn still_unused(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        look_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: ms(now),
            |tx, text| sqlx::query(text(LOOKED)).bind(pass_id).bind(claimed.hire.id).bind(0_i64).bind(ms(look_at)),
            what: "unused", why: format!("pass row {pass_id} can be used once, and was not an hour after it became usable")))
    }

    /// The recipient was told that the code is void.
    pub async fn told_void(&self, claimed: &Claimed, now: DateTime<Utc>, pass_id: i64) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: EVEN_LATE,
            |tx, text| sqlx::query(text(TOLD_VOID)).bind(pass_id).bind(claimed.hire.id).bind(ms(now)),
            what: "told-void", why: format!("the recipient of pass row {pass_id} was told that its code is void")))
    }

    /// The recipient cannot be told that the code is void, and is not tried again. `why` is a sentence
    /// for a person, without addresses.
    pub async fn not_told(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        why: &str,
    ) -> Result<bool, StoreError> {
        Ok(step!(self, claimed, now, lease: EVEN_LATE,
            |tx, text| sqlx::query(text(NOT_TOLD)).bind(pass_id).bind(claimed.hire.id),
            what: "void-not-told", why: why))
    }
}
