//! SQLite: the file opened for reading only; each value has a type of its own.
//!
//! Nothing is created, migrated or checked. A statement that outlives the feed's timeout is
//! interrupted inside SQLite.

use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Connection, Decode, Row, TypeInfo, ValueRef};

use super::spool::{Column, Spool};
use super::{Ask, Looked, SqlError, cell, failed, one_line};

/// For somebody's write lock.
const BUSY: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the time: some hundred microseconds.
const STEPS: i32 = 10_000;

async fn connect(path: &Path, busy: Duration) -> Result<SqliteConnection, SqlError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(busy);
    let options = options.pragma("query_only", "ON").disable_statement_logging();
    options.connect().await.map_err(|error| match failed(error, busy) {
        SqlError::Locked => SqlError::Locked,
        SqlError::Down(why) | SqlError::Refused(why) => SqlError::Down(format!("{}: {why}", path.display())),
        other => SqlError::Down(one_line(&format!("{}: {other}", path.display()))),
    })
}

pub(super) async fn read(path: &Path, ask: &Ask<'_>, spool: &mut Spool<'_>, until: Instant) -> Result<(), SqlError> {
    let timeout = ask.sql.timeout;
    let mut db = connect(path, BUSY.min(timeout / 2)).await?;
    let refused = |error| failed(error, timeout);
    db.lock_handle().await.map_err(refused)?.set_progress_handler(STEPS, move || Instant::now() < until);
    let mut query = sqlx::query(AssertSqlSafe(ask.sql.query.clone())).persistent(false);
    if let Some(since) = ask.since {
        query = query.bind(since);
    }
    let mut rows = query.fetch(&mut db);
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        if !spool.shaped() {
            let column = |column: &sqlx::sqlite::SqliteColumn| Column { name: column.name().to_owned(), binary: None };
            spool.shape(&row.columns().iter().map(column).collect::<Vec<_>>())?;
        }
        spool.row(|place| text(&row, place).map_err(refused))?;
    }
    drop(rows);
    // Everything was read; an error now says nothing about it.
    let _ = db.close().await;
    Ok(())
}

fn text(row: &SqliteRow, place: usize) -> Result<Option<Cow<'_, str>>, sqlx::Error> {
    let value = row.try_get_raw(place)?;
    if value.is_null() {
        return Ok(None);
    }
    let kind = value.type_info().name().to_owned();
    let decoded = match kind.as_str() {
        "INTEGER" => <i64 as Decode<'_, Sqlite>>::decode(value).map(|number| Cow::Owned(number.to_string())),
        "REAL" => <f64 as Decode<'_, Sqlite>>::decode(value).map(cell::float),
        "TEXT" => <&[u8] as Decode<'_, Sqlite>>::decode(value).map(cell::text),
        _ => Ok(Cow::Borrowed(cell::NO_TEXT)),
    };
    decoded.map(Some).map_err(sqlx::Error::Decode)
}

pub(super) async fn look(path: &Path) -> Result<Looked, SqlError> {
    let mut db = connect(path, BUSY).await?;
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut db).await.map_err(|error| failed(error, BUSY))?;
    let _ = db.close().await;
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let writes = writable.then(|| "this user may write to the file".to_owned());
    Ok(Looked { version: format!("SQLite {version}"), writes })
}
