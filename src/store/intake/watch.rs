//! The watch over each feed's rhythm: written by the service, read by the commands.

use chrono::{DateTime, Utc};

use super::apply::TELL_FILE;
use super::files::{GET_META, SET_META};
use super::{StoreError, ms};
use crate::rules::rhythm::{LastRead, Watch};
use crate::store::Store;
use crate::store::engine::{Sql, in_transaction, on_engine, on_reader, sql};

const WATCH: Sql = sql!("SELECT file_id, since, told_at, tidied_at FROM feed_watch WHERE feed = $1");
const NEWEST: Sql = sql!("SELECT id, read_at, file, state FROM file WHERE feed = $1 ORDER BY id DESC LIMIT 1");
const KEEP: Sql = sql!(
    "INSERT INTO feed_watch (feed, file_id, since, told_at, tidied_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (feed) DO UPDATE SET file_id = excluded.file_id, since = excluded.since,
       told_at = excluded.told_at, tidied_at = excluded.tidied_at"
);
/// Counted: of two workers one tells.
const TOLD: Sql = sql!("UPDATE feed_watch SET told_at = $2 WHERE feed = $1 AND told_at IS NULL");
const HELD_WHY: Sql = sql!("SELECT why FROM event WHERE file_id = $1 AND what = 'file-held' ORDER BY seq DESC LIMIT 1");

/// The file of a feed that was read last, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestFile {
    /// Its row and its time.
    pub read: LastRead,
    /// Name in the drop folder.
    pub file: String,
    /// `taken`, `held` …
    pub state: String,
}

fn instant(ms: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(ms)
        .ok_or_else(|| StoreError::Corrupt(format!("an instant of a feed is unreadable: {ms}")))
}

impl Store {
    /// What is kept about a feed; `None` before the service first looked at it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn feed_watch(&self, feed: &str) -> Result<Option<Watch>, StoreError> {
        let row: Option<(Option<i64>, i64, Option<i64>, i64)> =
            on_reader!(self, |db, text| sqlx::query_as(text(WATCH)).bind(feed).fetch_optional(db).await?);
        let Some((file_id, since, told, tidied)) = row else { return Ok(None) };
        let told = told.map(instant).transpose()?;
        Ok(Some(Watch { file_id, since: instant(since)?, told, tidied: instant(tidied)? }))
    }

    /// What was read last of a feed: its newest file, or its query, whatever became of the rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_read(&self, feed: &str) -> Result<Option<LastRead>, StoreError> {
        let file = self.newest_file(feed).await?.map(|newest| newest.read);
        let key = answered_key(feed);
        let at: Option<String> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(GET_META)).bind(&key).fetch_optional(db).await?);
        let Some(at) = at else { return Ok(file) };
        let at = at.parse().map_err(|_| StoreError::Corrupt(format!("{key} is no instant: {at}")))?;
        let read_at = file.map_or(instant(at)?, |file| file.read_at.max(instant(at).unwrap_or(file.read_at)));
        Ok(Some(LastRead { file_id: file.and_then(|file| file.file_id), read_at }))
    }

    /// A query answered: the feed is not silent, also when its rows are held, refused or none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn query_answered(&self, now: DateTime<Utc>, feed: &str) -> Result<(), StoreError> {
        let (key, at) = (answered_key(feed), ms(now).to_string());
        on_engine!(self, |db, text| sqlx::query(text(SET_META))
            .bind(&key)
            .bind(&at)
            .execute(db)
            .await?
            .rows_affected());
        Ok(())
    }

    /// The file of this feed that was read last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_file(&self, feed: &str) -> Result<Option<NewestFile>, StoreError> {
        let row: Option<(i64, i64, String, String)> =
            on_reader!(self, |db, text| sqlx::query_as(text(NEWEST)).bind(feed).fetch_optional(db).await?);
        let Some((file_id, read_at, file, state)) = row else { return Ok(None) };
        Ok(Some(NewestFile { read: LastRead { file_id: Some(file_id), read_at: instant(read_at)? }, file, state }))
    }

    /// Keeps the watch of a feed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_feed_watch(&self, feed: &str, watch: &Watch) -> Result<(), StoreError> {
        on_engine!(self, |db, text| sqlx::query(text(KEEP))
            .bind(feed)
            .bind(watch.file_id)
            .bind(ms(watch.since))
            .bind(watch.told.map(ms))
            .bind(ms(watch.tidied))
            .execute(db)
            .await?
            .rows_affected());
        Ok(())
    }

    /// Tells that a feed is overdue: an event `feed-overdue`, once. `false`: it was told already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tell_feed_overdue(
        &self,
        now: DateTime<Utc>,
        feed: &str,
        tenant: &str,
        why: &str,
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(self, |tx, text| {
            let told = sqlx::query(text(TOLD)).bind(feed).bind(ms(now)).execute(&mut *tx).await?.rows_affected() == 1;
            if told {
                sqlx::query(text(TELL_FILE))
                    .bind(ms(now))
                    .bind(tenant)
                    .bind(None::<i64>)
                    .bind("feed-overdue")
                    .bind(why)
                    .bind("firstpass")
                    .execute(&mut *tx)
                    .await?;
            }
            told
        }))
    }

    /// Why a held file is held, in the words that were told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_why(&self, file_id: i64) -> Result<String, StoreError> {
        let why: Option<String> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(HELD_WHY)).bind(file_id).fetch_optional(db).await?);
        Ok(why.unwrap_or_default())
    }
}

/// In `meta`, among the small facts about the state itself.
fn answered_key(feed: &str) -> String {
    format!("answered/{feed}")
}
