//! Notices on their way to a mailbox or a webhook: claimed, taken, tried again, dropped.
//!
//! A claim is counted and puts the next try off, so a crash in the middle costs one more try with the
//! same id and nothing else. What nobody took within a day is dropped, and an event says so.

use chrono::{DateTime, Utc};

use super::engine::{Sql, in_transaction, on_engine, on_reader, sql};
use super::raw::{instant, ms};
use super::{Store, StoreError};

/// One notice for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its row.
    pub id: i64,
    /// Message-ID or webhook-id, the same at every try.
    pub uid: String,
    /// `mail/ADDRESS` or `webhook/NAME`.
    pub target: String,
    /// A word of `rules::notice::Cause`.
    pub cause: String,
    /// The notice, as JSON.
    pub body: String,
    /// When it was made.
    pub made: DateTime<Utc>,
    /// Tries so far, this one included once it is claimed.
    pub tries: i64,
    /// Not before this.
    pub next: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: i64,
    uid: String,
    target: String,
    cause: String,
    body: String,
    made_at: i64,
    tries: i64,
    next_at: i64,
}

const DUE: Sql = sql!(
    "SELECT id, uid, target, cause, body, made_at, tries, next_at FROM (
       SELECT id, uid, target, cause, body, made_at, tries, next_at,
              row_number() OVER (PARTITION BY target ORDER BY next_at, id) AS place
       FROM notice WHERE next_at <= $1) AS due
     WHERE place <= $2 ORDER BY next_at, id"
);
const CLAIM: Sql = sql!("UPDATE notice SET tries = tries + 1, next_at = $3 WHERE id = $1 AND next_at = $2");
const AGAIN: Sql = sql!("UPDATE notice SET next_at = $2 WHERE id = $1");
const WAITS: Sql = sql!("UPDATE notice SET next_at = $2, tries = tries - 1 WHERE id = $1");
const TAKEN: Sql = sql!("DELETE FROM notice WHERE id = $1");
const DROPPED: Sql = sql!("INSERT INTO event (at, what, why) VALUES ($1, 'notice-dropped', $2)");
/// Mail works again: what waits for it need not wait for its pause.
const WAKE_MAIL: Sql = sql!("UPDATE notice SET next_at = $1 WHERE next_at > $1 AND target LIKE 'mail/%'");
const LOOK_ANEW: Sql = sql!("UPDATE notice SET next_at = $1 WHERE next_at > $2");
const N_WAITING: Sql = sql!("SELECT CAST(count(*) AS BIGINT) FROM notice");

impl Store {
    /// Notices to be tried now, at most `most` for one target, so that none keeps another waiting; the
    /// longest waiting first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_notices(&self, now: DateTime<Utc>, most: i64) -> Result<Vec<OutboxRow>, StoreError> {
        let rows: Vec<Raw> =
            on_reader!(self, |db, text| sqlx::query_as(text(DUE)).bind(ms(now)).bind(most).fetch_all(db).await)?;
        rows.into_iter()
            .map(|row| {
                Ok(OutboxRow {
                    id: row.id,
                    uid: row.uid,
                    target: row.target,
                    cause: row.cause,
                    body: row.body,
                    made: instant("notice", "made_at", row.made_at)?,
                    tries: row.tries,
                    next: instant("notice", "next_at", row.next_at)?,
                })
            })
            .collect()
    }

    /// How many wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_waiting(&self) -> Result<i64, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_scalar(text(N_WAITING)).fetch_one(db).await)?)
    }

    /// Takes one to be tried now; nobody else tries it until `until`. `false`: somebody did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_notice(&self, row: &OutboxRow, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let claimed = on_engine!(self, |db, text| sqlx::query(text(CLAIM))
            .bind(row.id)
            .bind(ms(row.next))
            .bind(ms(until))
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(claimed == 1)
    }

    /// It was taken.
    ///
    /// # Errors
    /// [`StoreError`]: then it goes again, with the same id.
    pub async fn notice_taken(&self, id: i64) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(TAKEN)).bind(id).execute(db).await.map(drop))?)
    }

    /// It was not taken: again then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_again(&self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(AGAIN)).bind(id).bind(ms(at)).execute(db).await.map(drop))?)
    }

    /// It was not tried after all: again then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_waits(&self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(WAITS)).bind(id).bind(ms(at)).execute(db).await.map(drop))?)
    }

    /// It is not tried any more; an event says why.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_notice(&self, now: DateTime<Utc>, id: i64, why: &str) -> Result<bool, StoreError> {
        Ok(in_transaction!(self, |tx, text| {
            let gone = sqlx::query(text(TAKEN)).bind(id).execute(&mut *tx).await?.rows_affected() == 1;
            if gone {
                sqlx::query(text(DROPPED)).bind(ms(now)).bind(why).execute(&mut *tx).await?;
            }
            gone
        }))
    }

    /// Mail works again: what waits for it goes now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wake_mail_notices(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(WAKE_MAIL)).bind(ms(now)).execute(db).await.map(drop))?)
    }

    /// The clock went back: what was put off beyond `latest` goes now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_anew(&self, now: DateTime<Utc>, latest: DateTime<Utc>) -> Result<(), StoreError> {
        Ok(on_engine!(self, |db, text| sqlx::query(text(LOOK_ANEW))
            .bind(ms(now))
            .bind(ms(latest))
            .execute(db)
            .await
            .map(drop))?)
    }
}
