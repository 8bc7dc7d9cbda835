//! Files of the feeds as rows of their own: the one taken last, those held, and those not applied.

use chrono::{DateTime, Utc};

use super::apply::{INSERT_FILE, SUPERSEDE, TELL_FILE, Taken, file_row};
use super::{KnownFile, StoreError, ms};
use crate::store::Store;
use crate::store::engine::{Sql, on_engine, on_reader, sql};

const LAST_TAKEN: Sql = sql!(
    "SELECT id, file, sha256, mapping, read_at, state, rows, added, changed, withdrawn, unchanged, past, rejected
     FROM file WHERE feed = $1 AND state = 'taken' ORDER BY id DESC LIMIT 1"
);
const HELD: Sql = sql!(
    "SELECT id, file, sha256, mapping, read_at, state, rows, added, changed, withdrawn, unchanged, past, rejected
     FROM file WHERE feed = $1 AND state = 'held' ORDER BY id"
);
const NEWEST: Sql = sql!(
    "SELECT id, file, sha256, mapping, read_at, state, rows, added, changed, withdrawn, unchanged, past, rejected
     FROM file WHERE feed = $1 ORDER BY id DESC LIMIT 1"
);
const NOTED: Sql = sql!(
    "SELECT id, file, sha256, mapping, read_at, state, rows, added, changed, withdrawn, unchanged, past, rejected
     FROM file WHERE feed = $1 AND file = $2 AND sha256 = $3 AND mapping = $4 AND state = $5 ORDER BY id DESC LIMIT 1"
);
/// Only what is not looked for by its time: a held file's name has it.
const READ_AGAIN: Sql = sql!("UPDATE file SET read_at = $2 WHERE id = $1 AND state = 'taken'");
pub(super) const GET_META: Sql = sql!("SELECT value FROM meta WHERE key = $1");
pub(super) const SET_META: Sql =
    sql!("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
const SET_STATE: Sql = sql!("UPDATE file SET state = $2 WHERE id = $1 AND state = 'held'");

impl Store {
    /// The file of this feed that was taken last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_taken(&self, feed: &str) -> Result<Option<KnownFile>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(LAST_TAKEN)).bind(feed).fetch_optional(db).await?))
    }

    /// The newest file or reading of this feed, whatever became of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_file(&self, feed: &str) -> Result<Option<KnownFile>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(NEWEST)).bind(feed).fetch_optional(db).await?))
    }

    /// The same rows were read again: no file of its own, only a new time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_again(&self, now: DateTime<Utc>, id: i64) -> Result<(), StoreError> {
        let at = ms(now);
        on_engine!(self, |db, text| sqlx::query(text(READ_AGAIN)).bind(id).bind(at).execute(db).await?.rows_affected());
        Ok(())
    }

    /// How far a feed's changes were read, as [`Store::set_watermark`] wrote it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watermark(&self, feed: &str) -> Result<Option<String>, StoreError> {
        let key = watermark_key(feed);
        Ok(on_reader!(self, |db, text| sqlx::query_scalar(text(GET_META)).bind(&key).fetch_optional(db).await?))
    }

    /// Remembers how far a feed's changes were read. Only after everything up to there is on record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_watermark(&self, feed: &str, value: &str) -> Result<(), StoreError> {
        let key = watermark_key(feed);
        on_engine!(self, |db, text| sqlx::query(text(SET_META))
            .bind(&key)
            .bind(value)
            .execute(db)
            .await?
            .rows_affected());
        Ok(())
    }

    /// Folders in the drop folder of this feed that were told, as [`Store::told_strays`] wrote them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn strays(&self, feed: &str) -> Result<Vec<String>, StoreError> {
        let key = strays_key(feed);
        let kept: Option<String> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(GET_META)).bind(&key).fetch_optional(db).await?);
        Ok(kept.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    /// Remembers which folders lie in the drop folder of this feed. Names hold no line ends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told_strays(&self, feed: &str, names: &[String]) -> Result<(), StoreError> {
        let (key, value) = (strays_key(feed), names.join("\n"));
        on_engine!(self, |db, text| sqlx::query(text(SET_META))
            .bind(&key)
            .bind(&value)
            .execute(db)
            .await?
            .rows_affected());
        Ok(())
    }

    /// Files of this feed that wait for `feed accept` or `feed refuse`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_files(&self, feed: &str) -> Result<Vec<KnownFile>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(HELD)).bind(feed).fetch_all(db).await?))
    }

    /// The newest row that [`Store::note_file`] wrote about the same bytes under the same name, read in the
    /// same way and with the same end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn noted(
        &self,
        feed: &str,
        taken: &Taken<'_>,
        state: &'static str,
    ) -> Result<Option<KnownFile>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_as(text(NOTED))
            .bind(feed)
            .bind(taken.file)
            .bind(taken.sha256)
            .bind(&taken.mapping)
            .bind(state)
            .fetch_optional(db)
            .await?))
    }

    /// Writes the row and the event of a file that was not applied: `held`, `rejected`, or the same
    /// as was `taken` last. Held files of the feed are superseded by one that [`Taken::supersedes`], unless it is
    /// a rejected one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_file(
        &self,
        now: DateTime<Utc>,
        feed: &str,
        tenant: &str,
        taken: &Taken<'_>,
        state: &'static str,
    ) -> Result<Vec<KnownFile>, StoreError> {
        let at = ms(now);
        let what = match state {
            "held" => "file-held",
            "rejected" => "file-rejected",
            _ => "file-repeated",
        };
        let superseded = crate::store::engine::in_transaction!(self, |tx, text| {
            let id: i64 =
                file_row(sqlx::query_scalar(text(INSERT_FILE)), feed, taken, at, state).fetch_one(&mut *tx).await?;
            sqlx::query(text(TELL_FILE))
                .bind(at)
                .bind(tenant)
                .bind(id)
                .bind(what)
                .bind(taken.why)
                .bind(taken.by)
                .execute(&mut *tx)
                .await?;
            let superseded: Vec<KnownFile> = if taken.supersedes && state != "rejected" {
                sqlx::query_as(text(SUPERSEDE)).bind(feed).bind(id).fetch_all(&mut *tx).await?
            } else {
                Vec::new()
            };
            superseded
        });
        Ok(superseded)
    }

    /// A held file is not let in. `false`: it was not held any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refuse_file(
        &self,
        now: DateTime<Utc>,
        tenant: &str,
        id: i64,
        why: &str,
        by: &str,
    ) -> Result<bool, StoreError> {
        let at = ms(now);
        let done = on_engine!(self, |db, text| sqlx::query(text(SET_STATE))
            .bind(id)
            .bind("refused")
            .execute(db)
            .await?
            .rows_affected());
        if done == 1 {
            on_engine!(self, |db, text| sqlx::query(text(TELL_FILE))
                .bind(at)
                .bind(tenant)
                .bind(id)
                .bind("file-refused")
                .bind(why)
                .bind(by)
                .execute(db)
                .await?
                .rows_affected());
        }
        Ok(done == 1)
    }
}

fn strays_key(feed: &str) -> String {
    format!("strays/{feed}")
}

/// In `meta`, among the small facts about the state itself.
fn watermark_key(feed: &str) -> String {
    format!("watermark/{feed}")
}
