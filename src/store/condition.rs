//! How the state file is: whole, of which version, how much is in it, who serves it.
//!
//! Looks only: nothing is migrated, and the service goes on meanwhile. Used by `state check`, by
//! `state migrate` for the versions, and by `backup` for its copies.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::open::{BUSY, SQLITE, file_of, newest, probe, reading};
use super::{Lock, Store, StoreError};
use super::{place, room};

/// What `state check` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where the state is.
    pub path: PathBuf,
    /// Size of the file, and of what SQLite keeps beside it.
    pub bytes: u64,
    /// What its disk still takes; `None` when nobody can say.
    pub free: Option<u64>,
    /// Permissions of the file, as in `chmod`.
    pub mode: u32,
    /// Version of its tables.
    pub version: i64,
    /// The version that this firstpass works with.
    pub newest: i64,
    /// Damaged pages, values that no version writes, rows without the row they belong to.
    pub faults: Vec<String>,
    /// Hires by state, the commonest first.
    pub hires: Vec<(String, i64)>,
    /// Passes whose end is not known yet, or that wait for their deletion.
    pub unsettled: i64,
    /// Events on record.
    pub events: i64,
    /// When the service last said that it lives.
    pub heartbeat: Option<DateTime<Utc>>,
    /// Who has the lock of `run`: `process 4711`.
    pub served_by: Option<String>,
}

/// Versions of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// In the state.
    pub found: i64,
    /// Of this firstpass.
    pub newest: i64,
}

impl Store {
    /// Looks through the whole state that `url` names.
    ///
    /// # Errors
    /// As [`Store::open`]; a state that can be opened and is damaged is no error but has `faults`.
    pub async fn condition(url: &str) -> Result<Condition, StoreError> {
        let path = file_of(url)?;
        Self::condition_of(path.clone()).await.map_err(|error| error.at(&path))
    }

    async fn condition_of(path: PathBuf) -> Result<Condition, StoreError> {
        let version = probe(&path, plainly(&path)).await?;
        let mut db = plainly(&path).connect().await?;
        let faults = faults(&mut db).await?;
        let hires = "SELECT state, count(*) FROM hire GROUP BY state ORDER BY count(*) DESC, state";
        let unsettled = "SELECT count(*) FROM pass WHERE state IN ('intended', 'issued', 'mailing', 'condemned')";
        let at: Option<i64> = sqlx::query_scalar("SELECT at FROM heartbeat").fetch_optional(&mut db).await?;
        let found = std::fs::metadata(&path);
        let condition = Condition {
            bytes: ["", "-wal", "-shm"].iter().map(|end| size(&path, end)).sum(),
            free: room::free(&path),
            mode: found.map_or(0, |found| found.mode() & 0o777),
            version,
            newest: newest(&SQLITE),
            faults,
            hires: sqlx::query_as(hires).fetch_all(&mut db).await?,
            unsettled: sqlx::query_scalar(unsettled).fetch_one(&mut db).await?,
            events: sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut db).await?,
            heartbeat: at.and_then(DateTime::from_timestamp_millis),
            served_by: place::holder(&path),
            path,
        };
        db.close().await?;
        Ok(condition)
    }

    /// The versions of the tables, without touching them.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn versions(url: &str) -> Result<Versions, StoreError> {
        let path = file_of(url)?;
        Ok(Versions { found: probe(&path, plainly(&path)).await?, newest: newest(&SQLITE) })
    }

    /// Whether the file is a state of ours and whole, for `check`: its pages, not each reference as in
    /// [`Self::condition`]. Nothing is written, not even beside it.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Corrupt`] when it is damaged.
    pub async fn soundness(url: &str) -> Result<Versions, StoreError> {
        let path = file_of(url)?;
        let looked = async {
            let found = probe(&path, reading(&path)).await?;
            let mut db = reading(&path).connect().await?;
            let first: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut db).await?;
            db.close().await?;
            if first == "ok" { Ok(found) } else { Err(damaged(&path, &first)) }
        };
        let found = looked.await.map_err(|error: StoreError| error.at(&path))?;
        Ok(Versions { found, newest: newest(&SQLITE) })
    }

    /// The lock of `run` on a state that is not opened yet.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that has it.
    pub fn lock_before_opening(url: &str) -> Result<Lock, StoreError> {
        place::lock_beside(&file_of(url)?)
    }
}

/// What a damaged state means.
pub(super) fn damaged(path: &Path, found: &str) -> StoreError {
    StoreError::Corrupt(format!("the state {} is damaged ({found}); restore a backup", path.display()))
}

/// An existing file as it is, neither made nor migrated.
pub(super) fn plainly(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY)
}

/// What SQLite finds wrong; empty when all is well. Ten damaged places at most: a damaged file has thousands.
pub(super) async fn faults(db: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let looked: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(&mut *db).await?;
    let mut faults: Vec<String> = looked.into_iter().filter(|line| line != "ok").collect();
    let lost: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check() GROUP BY \"table\", parent ORDER BY 1, 2",
    )
    .fetch_all(db)
    .await?;
    faults
        .extend(lost.into_iter().map(|(table, parent, n)| format!("{n} rows of {table} belong to no row of {parent}")));
    Ok(faults)
}

fn size(path: &Path, end: &str) -> u64 {
    let mut path = path.to_owned().into_os_string();
    path.push(end);
    std::fs::metadata(path).map_or(0, |found| found.len())
}
