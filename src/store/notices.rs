//! What admins are told: a cursor over the events, things gathered by cause, notices on their way.
//!
//! Each step is counted, so that of two workers one makes a notice and one sends it. Nothing here
//! touches hires or passes. A notice is deleted once somebody took it.

use chrono::{DateTime, NaiveDate, Utc};

use super::engine::{Sql, in_transaction, on_engine, on_reader, sql};
use super::raw::{RawHire, hire_columns, instant, ms};
use super::{HireRow, Store, StoreError};

/// How far the events were read, and the starts looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeCursor {
    /// The last event that was read.
    pub seq: i64,
    /// Starts up to here were looked at.
    pub swept: DateTime<Utc>,
}

/// An event, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns of event, hire and file")]
pub struct Happened {
    pub seq: i64,
    pub at: i64,
    pub tenant: String,
    pub hire_id: Option<i64>,
    pub what: String,
    pub why: String,
    pub feed: Option<String>,
    pub file: Option<String>,
    pub state: Option<String>,
    pub start_at: Option<i64>,
    pub start_date: Option<String>,
}

impl Happened {
    /// When.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.at)
    }

    /// Start instant and civil day of its hire; `None`: it is about no hire.
    pub fn start(&self) -> Option<(Option<DateTime<Utc>>, NaiveDate)> {
        let date = self.start_date.as_ref()?.parse().ok()?;
        Some((self.start_at.and_then(DateTime::from_timestamp_millis), date))
    }
}

/// A thing that waits to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of notice_item")]
pub struct NoticeItem {
    pub audience: String,
    pub cause: &'static str,
    pub tenant: String,
    pub hire_id: Option<i64>,
    pub about: String,
    pub why: String,
    pub at: DateTime<Utc>,
}

/// Things of one audience and cause that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heap {
    /// `''` or a tenant.
    pub audience: String,
    /// A word of `rules::notice::Cause`.
    pub cause: String,
    /// The newest of them.
    pub upto: i64,
    /// The first came then.
    pub first: DateTime<Utc>,
    /// This cause was told last then.
    pub told: Option<DateTime<Utc>>,
}

/// One gathered thing, not a hire's.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns of notice_item")]
pub struct Gathered {
    pub tenant: String,
    pub about: String,
    pub why: String,
    pub at: i64,
}

const CURSOR: Sql = sql!("SELECT seq, swept FROM notice_cursor WHERE one = 1");
const BEGIN: Sql = sql!(
    "INSERT INTO notice_cursor (one, seq, swept)
     SELECT 1, coalesce((SELECT max(seq) FROM event), 0), $1 WHERE true ON CONFLICT (one) DO NOTHING"
);
const HAPPENED: Sql = sql!(
    "SELECT e.seq, e.at, e.tenant, e.hire_id, e.what, e.why, f.feed, f.file, h.state, h.start_at, h.start_date
     FROM event e LEFT JOIN hire h ON h.id = e.hire_id LEFT JOIN file f ON f.id = e.file_id
     WHERE e.seq > $1 ORDER BY e.seq LIMIT $2"
);
/// Of transactions that are under way events with a lower number may still come: then nothing is read
/// now. SQLite has one writer, whose numbers come in order.
const NOBODY_WRITES: &str = "LOCK TABLE event IN SHARE MODE NOWAIT";
/// `lock_not_available`.
const SOMEBODY_WRITES: &str = "55P03";
const ADVANCE: Sql = sql!("UPDATE notice_cursor SET seq = $3, swept = $4 WHERE one = 1 AND seq = $1 AND swept = $2");
const ADD_ITEM: Sql = sql!(
    "INSERT INTO notice_item (audience, cause, tenant, hire_id, about, why, at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
);
/// Whoever starts in the span without a letter: in attention, or under way (those are looked at soon).
const WITHOUT_LETTER: Sql = sql!(
    "SELECT tenant, id FROM hire
     WHERE state = 'attention' AND current = 1 AND start_at > $1 AND start_at <= $2
       AND feed_status <> 'withdrawn' AND operator_status <> 'cancelled'
     UNION ALL
     SELECT tenant, id FROM hire
     WHERE look_at <= $3 AND state IN ('pending', 'issuing', 'sending') AND current = 1
       AND start_at > $1 AND start_at <= $2 AND feed_status <> 'withdrawn' AND operator_status = 'none'"
);
const HEAPS: Sql = sql!(
    "SELECT i.audience, i.cause, max(i.id) AS upto, min(i.at) AS first_at, max(t.at) AS told_at
     FROM notice_item i LEFT JOIN notice_told t ON t.audience = i.audience AND t.cause = i.cause
     GROUP BY i.audience, i.cause ORDER BY i.audience, i.cause"
);
const ITS_HIRES: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE id IN (SELECT hire_id FROM notice_item WHERE audience = $1 AND cause = $2 AND id <= $3)
      ORDER BY coalesce(start_at, 0), tenant, employee_id"
));
const ITS_OTHERS: Sql = sql!(
    "SELECT tenant, about, why, max(at) AS at FROM notice_item
     WHERE audience = $1 AND cause = $2 AND id <= $3 AND hire_id IS NULL
     GROUP BY tenant, about, why ORDER BY max(id) LIMIT $4"
);
const FORGET_ITEMS: Sql = sql!("DELETE FROM notice_item WHERE audience = $1 AND cause = $2 AND id <= $3");
const TOLD_AT: Sql = sql!("SELECT at FROM notice_told WHERE audience = $1 AND cause = $2");
const TELL: Sql = sql!(
    "INSERT INTO notice_told (audience, cause, at) VALUES ($1, $2, $3)
     ON CONFLICT (audience, cause) DO UPDATE SET at = excluded.at"
);
const FIRST_DIGEST: Sql = sql!(
    "INSERT INTO notice_told (audience, cause, at) VALUES ($1, 'digest', $2) ON CONFLICT (audience, cause) DO NOTHING"
);
const NEXT_DIGEST: Sql = sql!("UPDATE notice_told SET at = $3 WHERE audience = $1 AND cause = 'digest' AND at = $2");
/// So many notices wait at most: a receiver that is down for a day gets some hundred.
const ADD_NOTICE: Sql = sql!(
    "INSERT INTO notice (uid, target, cause, body, made_at, next_at) VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (uid) DO NOTHING"
);

impl Store {
    /// How far the events were read; `None`: nobody was ever to be told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_cursor(&self) -> Result<Option<NoticeCursor>, StoreError> {
        let row: Option<(i64, i64)> =
            on_reader!(self, |db, text| sqlx::query_as(text(CURSOR)).fetch_optional(db).await)?;
        row.map(|(seq, swept)| Ok(NoticeCursor { seq, swept: instant("notice_cursor", "swept", swept)? })).transpose()
    }

    /// What happened so far is not told; from here on it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_notices(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(BEGIN)).bind(ms(now)).execute(db).await.map(drop))?)
    }

    /// Events behind that one, in order. Empty, too, while somebody writes events (PostgreSQL).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events_behind(&self, seq: i64, most: i64) -> Result<Vec<Happened>, StoreError> {
        match self {
            Self::Sqlite { read, .. } => {
                Ok(sqlx::query_as(HAPPENED.sqlite).bind(seq).bind(most).fetch_all(read).await?)
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                match sqlx::query(NOBODY_WRITES).execute(&mut *tx).await {
                    Ok(_) => {}
                    Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SOMEBODY_WRITES) => {
                        return Ok(Vec::new());
                    }
                    Err(error) => return Err(error.into()),
                }
                let happened = sqlx::query_as(HAPPENED.postgres).bind(seq).bind(most).fetch_all(&mut *tx).await?;
                tx.commit().await?;
                Ok(happened)
            }
        }
    }

    /// Hires (with their tenants) that start in `(from, until]` and got no letter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn starts_without_letter(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        looked_at_by: DateTime<Utc>,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(WITHOUT_LETTER))
            .bind(ms(from))
            .bind(ms(until))
            .bind(ms(looked_at_by))
            .fetch_all(db)
            .await)?)
    }

    /// Moves the cursor and keeps what was found on the way, or neither: `false`, another worker did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gather(&self, from: NoticeCursor, to: NoticeCursor, items: &[NoticeItem]) -> Result<bool, StoreError> {
        Ok(in_transaction!(self, |tx, text| {
            let moved = sqlx::query(text(ADVANCE))
                .bind(from.seq)
                .bind(ms(from.swept))
                .bind(to.seq)
                .bind(ms(to.swept))
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() != 1 {
                return Ok(false);
            }
            for item in items {
                sqlx::query(text(ADD_ITEM))
                    .bind(&item.audience)
                    .bind(item.cause)
                    .bind(&item.tenant)
                    .bind(item.hire_id)
                    .bind(&item.about)
                    .bind(&item.why)
                    .bind(ms(item.at))
                    .execute(&mut *tx)
                    .await?;
            }
            true
        }))
    }

    /// What waits to be told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heaps(&self) -> Result<Vec<Heap>, StoreError> {
        let rows: Vec<(String, String, i64, i64, Option<i64>)> =
            on_reader!(self, |db, text| sqlx::query_as(text(HEAPS)).fetch_all(db).await)?;
        rows.into_iter()
            .map(|(audience, cause, upto, first, told)| {
                let first = instant("notice_item", "at", first)?;
                let told = told.map(|told| instant("notice_told", "at", told)).transpose()?;
                Ok(Heap { audience, cause, upto, first, told })
            })
            .collect()
    }

    /// The hires of a heap as they stand now, and its other things (at most `most`).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heap(&self, heap: &Heap, most: i64) -> Result<(Vec<HireRow>, Vec<Gathered>), StoreError> {
        let hires: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(ITS_HIRES))
            .bind(&heap.audience)
            .bind(&heap.cause)
            .bind(heap.upto)
            .fetch_all(db)
            .await)?;
        let others = on_reader!(self, |db, text| sqlx::query_as(text(ITS_OTHERS))
            .bind(&heap.audience)
            .bind(&heap.cause)
            .bind(heap.upto)
            .bind(most)
            .fetch_all(db)
            .await)?;
        Ok((hires.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?, others))
    }

    /// When that was told last; of the digest, for when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told_at(&self, audience: &str, cause: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = on_reader!(self, |db, text| sqlx::query_scalar(text(TOLD_AT))
            .bind(audience)
            .bind(cause)
            .fetch_optional(db)
            .await)?;
        at.map(|at| instant("notice_told", "at", at)).transpose()
    }

    /// A heap becomes notices, `(uid, target, body)`, or nothing when it is told no more. `false`:
    /// another worker did it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tell_heap(
        &self,
        now: DateTime<Utc>,
        heap: &Heap,
        notices: &[(String, String, String)],
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(self, |tx, text| {
            let gone = sqlx::query(text(FORGET_ITEMS))
                .bind(&heap.audience)
                .bind(&heap.cause)
                .bind(heap.upto)
                .execute(&mut *tx)
                .await?;
            if gone.rows_affected() == 0 {
                return Ok(false);
            }
            if !notices.is_empty() {
                let told = sqlx::query(text(TELL)).bind(&heap.audience).bind(&heap.cause).bind(ms(now));
                told.execute(&mut *tx).await?;
            }
            for (uid, target, body) in notices {
                let add = sqlx::query(text(ADD_NOTICE)).bind(uid).bind(target).bind(&heap.cause).bind(body);
                add.bind(ms(now)).execute(&mut *tx).await?;
            }
            true
        }))
    }

    /// The first digest of an audience is the next one after `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_digest(&self, now: DateTime<Utc>, audience: &str) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(FIRST_DIGEST))
            .bind(audience)
            .bind(ms(now))
            .execute(db)
            .await
            .map(drop))?)
    }

    /// A digest becomes notices; `before` is the one that was made last. `false`: another worker did it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tell_digest(
        &self,
        now: DateTime<Utc>,
        audience: &str,
        before: DateTime<Utc>,
        digest: DateTime<Utc>,
        notices: &[(String, String, String)],
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(self, |tx, text| {
            let moved = sqlx::query(text(NEXT_DIGEST)).bind(audience).bind(ms(before)).bind(ms(digest));
            if moved.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            for (uid, target, body) in notices {
                let add = sqlx::query(text(ADD_NOTICE)).bind(uid).bind(target).bind("digest").bind(body);
                add.bind(ms(now)).execute(&mut *tx).await?;
            }
            true
        }))
    }
}
