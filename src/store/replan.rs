//! Instants made anew when zone data or the schedule change, and small facts about the state.
//!
//! The civil start never changes here: only what was computed from it. Read a page, compute with
//! `rules/calendar.rs`, write back what differs; a row that moved meanwhile is left for the next page.

use chrono::{DateTime, NaiveTime, Utc};

use super::claims::EVENT;
use super::engine::{Sql, in_transaction, on_engine, on_reader, sql};
use super::raw::{RawHire, hire_columns, maybe_ms, ms};
use super::{HireRow, Store, StoreError};

/// New instants for one hire; written when the revision still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which hire.
    pub hire_id: i64,
    /// Its tenant.
    pub tenant: String,
    /// Its revision when it was read.
    pub revision: i64,
    /// Start instant.
    pub start_at: Option<DateTime<Utc>>,
    /// Send instant.
    pub send_at: Option<DateTime<Utc>>,
    /// Wall time of the send instant.
    pub send_time: NaiveTime,
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

const META: Sql = sql!("SELECT value FROM meta WHERE key = $1");
const SET_META: Sql =
    sql!("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
const OPEN_HIRES: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE current = 1 AND tenant = $1 AND id > $2
        AND (state NOT IN ('delivered', 'cancelled')
             OR EXISTS (SELECT 1 FROM pass p WHERE p.hire_id = hire.id AND p.state NOT IN ('gone', 'over')))
      ORDER BY id LIMIT $3"
));
const REPLAN: Sql = sql!(
    "UPDATE hire SET start_at = $3, send_at = $4, window_from = $5, window_until = $6, day_from = $7, day_until = $8,
       look_at = $9, changed = $10, send_time = $11, revision = revision + 1
     WHERE id = $1 AND revision = $2"
);

impl Store {
    /// A small fact: `tzdata`, `schedule/contoso`.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_scalar(text(META)).bind(key).fetch_optional(db).await)?)
    }

    /// Sets one.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(SET_META)).bind(key).bind(value).execute(db).await.map(drop))?)
    }

    /// A page of a tenant's newest engagements that are not finished or have a pass out; by id,
    /// after the id `after`, at most `limit`.
    pub async fn open_hires(&self, tenant: &str, after: i64, limit: i64) -> Result<Vec<HireRow>, StoreError> {
        let hires: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(OPEN_HIRES))
            .bind(tenant)
            .bind(after)
            .bind(limit)
            .fetch_all(db)
            .await)?;
        hires.into_iter().map(TryInto::try_into).collect()
    }

    /// Writes new instants (revision + 1) and an event for each, in one transaction, by id; how many
    /// counted.
    pub async fn replan(&self, now: DateTime<Utc>, planned: &[Planned]) -> Result<u64, StoreError> {
        let mut planned: Vec<&Planned> = planned.iter().collect();
        planned.sort_by_key(|plan| plan.hire_id); // two workers never wait for each other in a ring
        let n_moved = in_transaction!(self, |tx, text| {
            let mut n_moved = 0;
            for plan in planned {
                let moved = sqlx::query(text(REPLAN))
                    .bind(plan.hire_id)
                    .bind(plan.revision)
                    .bind(maybe_ms(plan.start_at))
                    .bind(maybe_ms(plan.send_at))
                    .bind(maybe_ms(plan.window_from))
                    .bind(maybe_ms(plan.window_until))
                    .bind(maybe_ms(plan.day_from))
                    .bind(maybe_ms(plan.day_until))
                    .bind(maybe_ms(plan.look_at))
                    .bind(ms(now))
                    .bind(plan.send_time.format("%H:%M:%S").to_string())
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
                if moved == 1 {
                    n_moved += moved;
                    sqlx::query(text(EVENT))
                        .bind(ms(now))
                        .bind(&plan.tenant)
                        .bind(plan.hire_id)
                        .bind("replanned")
                        .bind(&plan.why)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            n_moved
        });
        Ok(n_moved)
    }
}
