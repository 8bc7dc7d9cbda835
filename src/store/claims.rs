//! Who may act on a hire, and for how long.
//!
//! A claim is a token and the end of its lease. What is *about to* happen counts only under the
//! token and before that end; what *has* happened outside is recorded as long as the token is ours.
//! A lease is over when its end has passed, lies more than a lease's length ahead (the clock went
//! back), or, on SQLite, belongs to another process: there is only one. Read on in `passes`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::engine::{Sql, in_transaction, on_reader, sql};
use super::raw::{RawHire, RawPass, hire_columns, instant, maybe_ms, ms, pass_columns};
use super::{Claimed, Rest, Store, StoreError};
use crate::rules::hire::{Reason, State};

/// Claims without a rest after which a hire pauses: something about it ends the worker each time.
const CLAIMS_BEFORE_PAUSE: i64 = 5;
/// A POST without an answer may still be applied for so long.
const LATE_POSTS: TimeDelta = TimeDelta::days(1);
/// How long it pauses.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// A gate further ahead than two hours holds nothing, as [`super::Gate::holds`] says.
/// $1 now, $2 end of the lease, $3 worker, $4 token, $5 may send, $6 claims before a pause, $7 its end.
macro_rules! claim {
    ($foreign_worker:literal, $lock:literal) => {
        concat!(
            "UPDATE hire SET claim_token = $4, claim_worker = $3, lease_until = $2, claims = claims + 1,
               look_at = CASE WHEN claims + 1 >= $6 THEN $7 ELSE look_at END
             WHERE id = (
               SELECT h.id FROM hire h
               WHERE h.look_at <= $1
                 AND (h.claim_token IS NULL OR h.lease_until <= $1 OR h.lease_until > $2",
            $foreign_worker,
            ")
                 AND NOT EXISTS (SELECT 1 FROM gate g WHERE g.name = 'tenant/' || h.tenant AND g.not_before > $1
                                    AND g.not_before <= $1 + 7200000)
                 AND ($5 = 1 OR h.send_at IS NULL OR h.send_at > $1
                      OR h.state NOT IN ('pending', 'attention', 'issuing', 'sending')
                      OR h.feed_status <> 'active' OR h.operator_status <> 'none'
                      OR EXISTS (SELECT 1 FROM pass p WHERE p.hire_id = h.id AND p.state NOT IN ('gone', 'over')))
               ORDER BY h.look_at, h.id LIMIT 1",
            $lock,
            ") RETURNING ",
            hire_columns!()
        )
    };
}
const CLAIM: Sql = sql!(
    sqlite: claim!(" OR h.claim_worker <> $3", ""),
    // On PostgreSQL other workers are alive: their leases count.
    postgres: claim!("", " FOR UPDATE SKIP LOCKED")
);

/// Also intents that were counted as not made within the last day: their POST may come late.
const ITS_PASSES: Sql = sql!(concat!(
    "SELECT ",
    pass_columns!(),
    " FROM pass WHERE hire_id = $1 AND (state NOT IN ('gone', 'over') OR owes = 1
        OR (state = 'over' AND graph_id IS NULL AND looks > 0 AND made_at > $2)) ORDER BY id"
));

const FOR_REST: Sql = sql!(
    sqlite: "SELECT state, reason, revision FROM hire WHERE id = $1 AND claim_token = $2 AND lease_until > $3",
    postgres: "SELECT state, reason, revision FROM hire WHERE id = $1 AND claim_token = $2 AND lease_until > $3 FOR UPDATE"
);

const REST: Sql = sql!(
    "UPDATE hire SET state = $3, reason = $4, what_to_do = $5, look_at = $6, claims = 0,
       user_upn = coalesce($7, user_upn), manager_upn = coalesce($8, manager_upn), channel = coalesce($9, channel),
       changed = CASE WHEN $10 = 1 THEN $11 ELSE changed END,
       attention_since = CASE WHEN $3 = 'attention' THEN coalesce(attention_since, $11)
                              WHEN $4 IS NULL AND $3 <> 'issuing' THEN NULL ELSE attention_since END,
       claim_token = NULL, claim_worker = NULL, lease_until = NULL
     WHERE id = $1 AND claim_token = $2"
);

/// What is wanted has changed meanwhile: what this attempt found out is about something else.
const REST_MOVED: Sql = sql!(
    "UPDATE hire SET look_at = $3, claims = 0, claim_token = NULL, claim_worker = NULL, lease_until = NULL
     WHERE id = $1 AND claim_token = $2"
);

const RENEW: Sql =
    sql!("UPDATE hire SET lease_until = $4 WHERE id = $1 AND claim_token = $2 AND lease_until > $3 RETURNING revision");

/// The first look of a hire that nobody has and no gate holds; the first end of a gate or a lease.
const NEXT_LOOK: Sql = sql!(
    "SELECT min(at) FROM (
       SELECT * FROM (
         SELECT h.look_at AS at FROM hire h
         WHERE h.look_at IS NOT NULL AND (h.claim_token IS NULL OR h.lease_until <= $1)
           AND NOT EXISTS (SELECT 1 FROM gate g WHERE g.name = 'tenant/' || h.tenant AND g.not_before > $1
                                    AND g.not_before <= $1 + 7200000)
         ORDER BY h.look_at LIMIT 1) AS first_look
       UNION ALL SELECT min(not_before) FROM gate WHERE not_before > $1
       UNION ALL SELECT min(lease_until) FROM hire WHERE lease_until > $1) AS looks"
);

/// Looks planned by a clock that was ahead.
const LOOK_ANEW: Sql = sql!("UPDATE hire SET look_at = $1 WHERE look_at > $1 AND look_at <= $2");
/// And tries to tell that a code is void. Other rows of passes keep no hire from being looked at.
const VOID_ANEW: Sql = sql!(
    "UPDATE pass SET look_at = $1 WHERE look_at > $1 AND look_at <= $2 AND owes = 1 AND state IN ('gone', 'over')"
);

pub(super) const EVENT: Sql = sql!("INSERT INTO event (at, tenant, hire_id, what, why) VALUES ($1, $2, $3, $4, $5)");

#[derive(sqlx::FromRow)]
struct Standing {
    state: String,
    reason: Option<String>,
    revision: i64,
}

impl Store {
    /// Takes one due hire, the oldest look first, and leases it to this worker.
    ///
    /// With `may_send = false` hires are left out that would need a letter now (due to be sent and
    /// without a pass row that waits to be settled). The fifth claim in a row that is not ended by a
    /// [`Store::rest`] puts the next look off by an hour: no crash loops.
    pub async fn claim(
        &self,
        now: DateTime<Utc>,
        worker: Uuid,
        lease: Duration,
        may_send: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        let token = Uuid::new_v4();
        let lease_until = lease_end(now, lease);
        let found: Option<(RawHire, Vec<RawPass>)> = in_transaction!(self, |tx, text| {
            let hire: Option<RawHire> = sqlx::query_as(text(CLAIM))
                .bind(ms(now))
                .bind(ms(lease_until))
                .bind(worker.to_string())
                .bind(token.to_string())
                .bind(i64::from(may_send))
                .bind(CLAIMS_BEFORE_PAUSE)
                .bind(ms(now + PAUSE))
                .fetch_optional(&mut *tx)
                .await?;
            match hire {
                None => None,
                Some(hire) => {
                    let passes = sqlx::query_as(text(ITS_PASSES))
                        .bind(hire.id)
                        .bind(ms(now - LATE_POSTS))
                        .fetch_all(&mut *tx)
                        .await?;
                    Some((hire, passes))
                }
            }
        });
        let Some((hire, passes)) = found else { return Ok(None) };
        let passes = passes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Some(Claimed { hire: hire.try_into()?, passes, token, lease_until }))
    }

    /// Ends the claim and says where the hire stands; an event when state or reason changed.
    ///
    /// When the revision moved since the claim, state and reason stay as they are on record and the
    /// hire is due again now. `false`: the claim was no longer ours, nothing was written.
    pub async fn rest(&self, claimed: Claimed, now: DateTime<Utc>, rest: Rest) -> Result<bool, StoreError> {
        let (id, token) = (claimed.hire.id, claimed.token.to_string());
        let reason = rest.reason.map(Reason::as_str);
        let counted = in_transaction!(self, |tx, text| {
            let standing: Option<Standing> =
                sqlx::query_as(text(FOR_REST)).bind(id).bind(&token).bind(ms(now)).fetch_optional(&mut *tx).await?;
            let Some(standing) = standing else { return Ok(false) };
            if standing.revision == claimed.hire.revision {
                let changed = standing.state != rest.state.as_str() || standing.reason.as_deref() != reason;
                let seen = rest.seen.as_ref();
                let rested = sqlx::query(text(REST))
                    .bind(id)
                    .bind(&token)
                    .bind(rest.state.as_str())
                    .bind(reason)
                    .bind(&rest.what_to_do)
                    .bind(maybe_ms(rest.look_at))
                    .bind(seen.map(|seen| &seen.user_upn))
                    .bind(seen.map(|seen| &seen.manager_upn))
                    .bind(seen.map(|seen| &seen.channel))
                    .bind(i64::from(changed))
                    .bind(ms(now))
                    .execute(&mut *tx)
                    .await?;
                if changed {
                    sqlx::query(text(EVENT))
                        .bind(ms(now))
                        .bind(&claimed.hire.tenant)
                        .bind(id)
                        .bind(rest.state.as_str())
                        .bind(sentence(rest.state, rest.reason, &rest.why))
                        .execute(&mut *tx)
                        .await?;
                }
                rested.rows_affected() == 1
            } else {
                let rested =
                    sqlx::query(text(REST_MOVED)).bind(id).bind(&token).bind(ms(now)).execute(&mut *tx).await?;
                rested.rows_affected() == 1
            }
        });
        Ok(counted)
    }

    /// A longer lease, from now; the hire's revision, or `None` when the claim is no longer ours.
    pub async fn renew(
        &self,
        claimed: &mut Claimed,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<i64>, StoreError> {
        let lease_until = lease_end(now, lease);
        let revision: Option<i64> = in_transaction!(self, |tx, text| {
            sqlx::query_scalar(text(RENEW))
                .bind(claimed.hire.id)
                .bind(claimed.token.to_string())
                .bind(ms(now))
                .bind(ms(lease_until))
                .fetch_optional(&mut *tx)
                .await?
        });
        if revision.is_some() {
            claimed.lease_until = lease_until;
        }
        Ok(revision)
    }

    /// The clock went back: looks up to `until` that it planned while it was ahead come now.
    pub async fn look_anew(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64, StoreError> {
        let looks = in_transaction!(self, |tx, text| {
            sqlx::query(text(VOID_ANEW)).bind(ms(now)).bind(ms(until)).execute(&mut *tx).await?;
            sqlx::query(text(LOOK_ANEW)).bind(ms(now)).bind(ms(until)).execute(&mut *tx).await?.rows_affected()
        });
        Ok(looks)
    }

    /// The next instant at which something may be due; in the past when something is due now.
    pub async fn next_look(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(NEXT_LOOK)).bind(ms(now)).fetch_one(db).await)?;
        at.map(|at| instant("hire", "look_at", at)).transpose()
    }
}

/// When a lease that begins now ends.
fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lease).ok().and_then(|lease| now.checked_add_signed(lease)).unwrap_or(now)
}

/// The event's sentence: the reason's word first, so that the story can be searched for it.
fn sentence(state: State, reason: Option<Reason>, why: &str) -> String {
    match (reason, why.is_empty()) {
        (Some(reason), false) => format!("{reason}: {why}"),
        (Some(reason), true) => reason.to_string(),
        (None, false) => why.to_owned(),
        (None, true) => format!("now {state}"),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::Open;

    async fn plan(db: &sqlx::SqlitePool, sql: Sql) -> Vec<String> {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(db).await.unwrap();
        steps.into_iter().map(|step| step.3).collect()
    }

    /// The cost follows what is due, not what is stored.
    #[tokio::test]
    async fn what_is_due_is_found_by_its_index_and_never_sorted() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("state.db").display());
        let Store::Sqlite { write, .. } = Store::open(&url, &Open::default()).await.unwrap() else { unreachable!() };
        for (sql, index) in [(CLAIM, "hire_due"), (NEXT_LOOK, "hire_due"), (ITS_PASSES, "pass_hire")] {
            let plan = plan(&write, sql).await;
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
            for slow in ["TEMP B-TREE", "SCAN hire", "SCAN h ", "SCAN p "] {
                assert!(!plan.iter().any(|step| format!("{step} ").contains(slow)), "{plan:#?}");
            }
        }
    }
}
