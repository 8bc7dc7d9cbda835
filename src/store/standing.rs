//! How everything stands, for `/metrics`: a few counts, each by an index, read without waiting for a writer.
//!
//! Nothing here names a person: tenants and feeds by their names in the settings, states and reasons of
//! the contract, and how many.

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::{Sql, on_reader, sql};
use super::raw::{instant, ms};
use super::{Store, StoreError};

/// How everything stands at one moment.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// How many hires (newest engagements) are in which state for which reason.
    pub hires: Vec<HiresAt>,
    /// How many in attention start yesterday, today or tomorrow (civil days, seen from UTC).
    pub near: Vec<NearAttention>,
    /// Passes that are neither in a delivered letter nor gone, by their state.
    pub unsettled: Vec<(String, i64)>,
    /// Notices that were not taken yet, and when the oldest was made.
    pub notices: (i64, Option<DateTime<Utc>>),
}

/// Hires of one tenant in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiresAt {
    /// `name` of the `[[tenant]]`.
    pub tenant: String,
    /// As in the contract.
    pub state: String,
    /// As in the contract, or empty.
    pub reason: String,
    /// How many.
    pub n: i64,
    /// Since when a letter of them should have gone, if one should: the send time, the retry, or when
    /// the row came, whichever was last.
    pub due_since: Option<DateTime<Utc>>,
}

/// Hires in attention whose start is near.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NearAttention {
    /// `name` of the `[[tenant]]`.
    pub tenant: String,
    /// As in the contract.
    pub reason: String,
    /// How many.
    pub n: i64,
}

/// How a feed's newest file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedStanding {
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Its rejected rows.
    pub rejected: i64,
    /// Files that wait for `feed accept` or `feed refuse`.
    pub held: i64,
}

#[derive(sqlx::FromRow)]
struct RawHiresAt {
    tenant: String,
    state: String,
    reason: String,
    n: i64,
    due_since: Option<i64>,
}

/// By the index `hire_standing`, which leaves pending ones out: a roster of new hires costs it nothing.
const SETTLED: Sql = sql!(
    "SELECT tenant, state, coalesce(reason, '') AS reason, count(*) AS n, CAST(NULL AS BIGINT) AS due_since
     FROM hire WHERE current = 1 AND state <> 'pending' GROUP BY state, tenant, reason"
);
/// By the index of what is looked at by itself: a pending hire always is.
macro_rules! under_way {
    ($latest:literal) => {
        concat!(
            "SELECT tenant, state, coalesce(reason, '') AS reason, count(*) AS n,
               min(CASE WHEN send_at <= $1 AND feed_status = 'active' AND operator_status = 'none'
                        THEN ",
            $latest,
            "(send_at, coalesce(window_from, send_at), first_seen) END) AS due_since
             FROM hire WHERE look_at >= 0 AND current = 1 AND state IN ('pending', 'issuing', 'sending')
             GROUP BY tenant, state, reason"
        )
    };
}
const UNDER_WAY: Sql = sql!(sqlite: under_way!("max"), postgres: under_way!("greatest"));
const NEAR: Sql = sql!(
    "SELECT tenant, coalesce(reason, '') AS reason, count(*) AS n FROM hire
     WHERE current = 1 AND state <> 'pending' AND state = 'attention' AND start_date >= $1 AND start_date <= $2
     GROUP BY tenant, reason"
);
const UNSETTLED: Sql = sql!(
    "SELECT state, count(*) AS n FROM pass
     WHERE state IN ('intended', 'issued', 'mailing', 'condemned') GROUP BY state"
);
const NOTICES: Sql = sql!("SELECT count(*), min(made_at) FROM notice");
/// A held file is one of the newest: a later one that is taken takes its place.
const FEED: Sql = sql!(
    "SELECT read_at, rejected,
       (SELECT count(*) FROM (SELECT state FROM file WHERE feed = $1 ORDER BY id DESC LIMIT 100) AS newest
        WHERE newest.state = 'held') AS held
     FROM file WHERE feed = $1 ORDER BY id DESC LIMIT 1"
);

impl Store {
    /// How everything stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standing(&self, now: DateTime<Utc>) -> Result<Standing, StoreError> {
        let at = ms(now);
        let settled: Vec<RawHiresAt> = on_reader!(self, |db, text| sqlx::query_as(text(SETTLED)).fetch_all(db).await?);
        let under_way: Vec<RawHiresAt> =
            on_reader!(self, |db, text| sqlx::query_as(text(UNDER_WAY)).bind(at).fetch_all(db).await?);
        let day = |by: TimeDelta| (now + by).date_naive().to_string();
        let near: Vec<NearAttention> = on_reader!(self, |db, text| sqlx::query_as(text(NEAR))
            .bind(day(TimeDelta::days(-1)))
            .bind(day(TimeDelta::days(1)))
            .fetch_all(db)
            .await?);
        let unsettled: Vec<(String, i64)> =
            on_reader!(self, |db, text| sqlx::query_as(text(UNSETTLED)).fetch_all(db).await?);
        let (n, oldest): (i64, Option<i64>) =
            on_reader!(self, |db, text| sqlx::query_as(text(NOTICES)).fetch_one(db).await?);
        let oldest = oldest.map(|made| instant("notice", "made_at", made)).transpose()?;
        Ok(Standing { hires: joined(settled, under_way)?, near, unsettled, notices: (n, oldest) })
    }

    /// How a feed's newest file stands; `None` before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn feed_standing(&self, feed: &str) -> Result<Option<FeedStanding>, StoreError> {
        let row: Option<(i64, i64, i64)> =
            on_reader!(self, |db, text| sqlx::query_as(text(FEED)).bind(feed).fetch_optional(db).await?);
        let Some((read_at, rejected, held)) = row else { return Ok(None) };
        Ok(Some(FeedStanding { read_at: instant("file", "read_at", read_at)?, rejected, held }))
    }
}

/// Those on their way are in both lists: one counts them, the other knows since when they are due.
fn joined(settled: Vec<RawHiresAt>, under_way: Vec<RawHiresAt>) -> Result<Vec<HiresAt>, StoreError> {
    let mut all: Vec<HiresAt> = Vec::with_capacity(settled.len() + under_way.len());
    for raw in settled.into_iter().chain(under_way) {
        let due_since = raw.due_since.map(|at| instant("hire", "send_at", at)).transpose()?;
        let same = |known: &&mut HiresAt| {
            (&known.tenant, &known.state, &known.reason) == (&raw.tenant, &raw.state, &raw.reason)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.due_since = due_since,
            None => all.push(HiresAt { tenant: raw.tenant, state: raw.state, reason: raw.reason, n: raw.n, due_since }),
        }
    }
    Ok(all)
}
