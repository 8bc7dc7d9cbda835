//! What stops a tenant, the mail or everything, and the sign of life: a restart forgets neither.
//!
//! A gate is a name (`tenant/contoso`, `mail`, `mail/contoso`, `clock`, `feed/hr`) with an instant before which nothing is tried and,
//! when it is more than patience, the sentence that says why. Claims leave the hires of a held
//! tenant alone; the other gates are asked by the tick.

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::{Sql, in_transaction, on_engine, on_reader, sql};
use super::raw::{instant, ms};
use super::{Store, StoreError};
use crate::rules::hire::Reason;

/// How often the sign of life is written.
const BEAT: TimeDelta = TimeDelta::minutes(1);
/// A gate further ahead was held by a clock that was wrong: `Retry-After` is bounded to one hour. Claims say the same.
const LONGEST: TimeDelta = TimeDelta::hours(2);

/// A tenant (`tenant/contoso`), the mail (`mail`) or everything (`clock`) that waits or is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// `tenant/NAME`, `mail`, `clock`, `feed/NAME` (which stops nothing but itself).
    pub name: String,
    /// Nothing is tried before this.
    pub not_before: Option<DateTime<Utc>>,
    /// Why it is stopped; `None` = only slowed down.
    pub stopped: Option<String>,
    /// When it stopped, or was slowed down first.
    pub since: DateTime<Utc>,
}

impl Gate {
    /// Nothing is tried at this moment. One that would hold for longer than anything does holds nothing.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.not_before.is_some_and(|at| at > now && at <= now + LONGEST)
    }
}

#[derive(sqlx::FromRow)]
struct RawGate {
    name: String,
    not_before: Option<i64>,
    stopped: Option<String>,
    since: i64,
}

const GATES: Sql = sql!("SELECT name, not_before, stopped, since FROM gate ORDER BY name");
const GATE_STOPPED: Sql = sql!(
    sqlite: "SELECT stopped IS NOT NULL FROM gate WHERE name = $1",
    postgres: "SELECT CASE WHEN stopped IS NULL THEN 0::BIGINT ELSE 1::BIGINT END FROM gate WHERE name = $1 FOR UPDATE"
);
/// A stopped gate stays stopped when it is only slowed down; `since` is that of the stop.
const HOLD: Sql = sql!(
    "INSERT INTO gate (name, not_before, stopped, since) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO UPDATE SET not_before = excluded.not_before,
       stopped = coalesce(excluded.stopped, gate.stopped),
       since = CASE WHEN gate.stopped IS NULL AND excluded.stopped IS NOT NULL THEN excluded.since ELSE gate.since END"
);
/// Not one that somebody has just held anew.
const OPEN: Sql = sql!("DELETE FROM gate WHERE name = $1 AND (not_before <= $2 OR not_before > $3)");
/// Held by a clock that was ahead.
const GATES_ANEW: Sql = sql!("UPDATE gate SET not_before = $2 WHERE not_before > $1");
const GATE_EVENT: Sql = sql!("INSERT INTO event (at, tenant, what, why) VALUES ($1, $2, $3, $4)");

/// $1 now, $2 reason, $3 tenant or '' for all.
macro_rules! waiting {
    () => {
        "look_at <= $1 AND send_at <= $1 AND state = 'pending' AND reason IS DISTINCT FROM $2
           AND feed_status = 'active' AND operator_status = 'none' AND ($3 = '' OR tenant = $3)
           AND (claim_token IS NULL OR lease_until <= $1)"
    };
}
const WAITING_EVENTS: Sql = sql!(concat!(
    "INSERT INTO event (at, tenant, hire_id, what, why) SELECT $1, tenant, id, 'waiting', $2 FROM hire WHERE ",
    waiting!(),
    " ORDER BY id"
));
const WAITING: Sql = sql!(concat!("UPDATE hire SET reason = $2, what_to_do = $4, changed = $1 WHERE ", waiting!()));

const HEARTBEAT: Sql = sql!("SELECT at FROM heartbeat WHERE one = 1");
const BEAT_NOW: Sql =
    sql!("INSERT INTO heartbeat (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at");

impl Store {
    /// All gates on record, also those whose `not_before` is past and that nobody opened.
    pub async fn gates(&self) -> Result<Vec<Gate>, StoreError> {
        let gates: Vec<RawGate> = on_reader!(self, |db, text| sqlx::query_as(text(GATES)).fetch_all(db).await)?;
        gates
            .into_iter()
            .map(|gate| {
                Ok(Gate {
                    name: gate.name,
                    not_before: gate.not_before.map(|at| instant("gate", "not_before", at)).transpose()?,
                    stopped: gate.stopped,
                    since: instant("gate", "since", gate.since)?,
                })
            })
            .collect()
    }

    /// Holds a gate until `not_before`; with `stopped` it is stopped for that reason. `true`: it was
    /// not stopped before and is now (an event says so, once).
    pub async fn hold_gate(
        &self,
        now: DateTime<Utc>,
        name: &str,
        not_before: DateTime<Utc>,
        stopped: Option<&str>,
    ) -> Result<bool, StoreError> {
        let newly = in_transaction!(self, |tx, text| {
            let before: Option<i64> =
                sqlx::query_scalar(text(GATE_STOPPED)).bind(name).fetch_optional(&mut *tx).await?;
            let newly = stopped.filter(|_| before != Some(1));
            sqlx::query(text(HOLD))
                .bind(name)
                .bind(ms(not_before))
                .bind(stopped)
                .bind(ms(now))
                .execute(&mut *tx)
                .await?;
            if let Some(why) = newly {
                sqlx::query(text(GATE_EVENT))
                    .bind(ms(now))
                    .bind(tenant_of(name))
                    .bind(format!("{}-stopped", kind_of(name)))
                    .bind(why)
                    .execute(&mut *tx)
                    .await?;
            }
            newly.is_some()
        });
        Ok(newly)
    }

    /// Opens a gate; `true`: it was stopped (an event says that it goes on).
    pub async fn open_gate(&self, now: DateTime<Utc>, name: &str) -> Result<bool, StoreError> {
        let Some(gate) = self.gates().await?.into_iter().find(|gate| gate.name == name) else {
            return Ok(false); // the usual case takes no write lock
        };
        let was_stopped = in_transaction!(self, |tx, text| {
            let before: Option<i64> =
                sqlx::query_scalar(text(GATE_STOPPED)).bind(name).fetch_optional(&mut *tx).await?;
            let opened =
                sqlx::query(text(OPEN)).bind(name).bind(ms(now)).bind(ms(now + LONGEST)).execute(&mut *tx).await?;
            if opened.rows_affected() == 0 {
                return Ok(false);
            }
            if before == Some(1) {
                sqlx::query(text(GATE_EVENT))
                    .bind(ms(now))
                    .bind(tenant_of(name))
                    .bind(format!("{}-resumed", kind_of(name)))
                    .bind(format!("{name} goes on; it was stopped since {}", gate.since.format("%Y-%m-%dT%H:%M:%SZ")))
                    .execute(&mut *tx)
                    .await?;
            }
            before == Some(1)
        });
        Ok(was_stopped)
    }

    /// The clock went back: what it held while it was ahead is tried now. It may be too early for one that
    /// asked for patience, once. How many were held.
    pub async fn gates_anew(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let long_over = ms(now - LONGEST);
        Ok(on_engine!(self, |db, text| sqlx::query(text(GATES_ANEW))
            .bind(ms(now))
            .bind(long_over)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?)
    }

    /// Gives the pending hires that are due to be sent this reason (those of `tenant/NAME`; all for
    /// any other gate), each with one event; how many were not so already.
    pub async fn mark_waiting(&self, now: DateTime<Utc>, gate: &str, reason: Reason) -> Result<u64, StoreError> {
        let what_to_do = match (kind_of(gate), tenant_of(gate)) {
            ("tenant", tenant) => format!(
                "firstpass cannot work with the tenant {tenant} now; `firstpass check` says why. It goes on by itself"
            ),
            ("clock", _) => {
                "the clock of this machine is wrong; `firstpass check` says how far. It goes on by itself".to_owned()
            }
            (_, _) => "firstpass cannot send mail now; `firstpass check` says why. It goes on by itself".to_owned(),
        };
        let marked = in_transaction!(self, |tx, text| {
            sqlx::query(text(WAITING_EVENTS))
                .bind(ms(now))
                .bind(reason.as_str())
                .bind(tenant_of(gate))
                .execute(&mut *tx)
                .await?;
            let marked = sqlx::query(text(WAITING))
                .bind(ms(now))
                .bind(reason.as_str())
                .bind(tenant_of(gate))
                .bind(what_to_do)
                .execute(&mut *tx)
                .await?;
            marked.rows_affected()
        });
        Ok(marked)
    }

    /// The service is alive. Written at most once a minute, or when time went back; the value before.
    pub async fn heartbeat(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let before = self.last_heartbeat().await?;
        if before.is_none_or(|before| now < before || now - before >= BEAT) {
            on_engine!(self, |db, text| sqlx::query(text(BEAT_NOW)).bind(ms(now)).execute(db).await.map(drop))?;
        }
        Ok(before)
    }

    /// The last sign of life, without writing.
    pub async fn last_heartbeat(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(HEARTBEAT)).fetch_optional(db).await)?;
        at.map(|at| instant("heartbeat", "at", at)).transpose()
    }
}

/// `tenant` of `tenant/contoso`; `mail` and `clock` are their own.
fn kind_of(gate: &str) -> &str {
    gate.split('/').next().unwrap_or_default()
}

/// `contoso` of `tenant/contoso` and `mail/contoso`; empty for the others, also for `feed/hr`.
fn tenant_of(gate: &str) -> &str {
    gate.split_once('/').filter(|(kind, _)| *kind != "feed").map_or("", |(_, tenant)| tenant)
}
