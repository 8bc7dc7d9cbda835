//! A query on an HR database → rows as text in a file of ours, read-only and in flat memory.
//!
//! Each database hands out its columns as text, as its own shell shows them; a value that is no text
//! is marked and later rejected with its row. The rows go into a file beside the feed's reports, and
//! from there the same way as a dropped file ([`super::csv`]). Nothing of a reading that fails half
//! way is used. Read on in [`mod@target`] (which database, how secured), `spool` (the rows on disk).

mod cell;
mod mysql;
#[cfg(feature = "odbc")]
mod odbc;
mod postgres;
mod spool;
mod sqlite;
pub mod target;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

#[cfg(feature = "odbc")]
pub use self::odbc::Odbc;
use self::spool::Spool;
pub use self::spool::{Room, room};
pub use self::target::{Engine, Target, Trust};
use crate::config::{SecretError, Sql};
use crate::rules::headers::HeaderError;
use crate::rules::record::{HireRecord, Reject, readable_id};
use crate::rules::words::{chain, masked};

/// What is asked, and under which rules.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The feed's settings.
    pub sql: &'a Sql,
    /// `columns` of the feed.
    pub columns: &'a BTreeMap<String, String>,
    /// What is bound to the query, when it reads changes only.
    pub since: Option<&'a str>,
    /// Marks far ahead of it are not believed.
    pub now: DateTime<Utc>,
}

/// A reading that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub rows: u64,
    /// Of the rows in any order, hex.
    pub digest: String,
    /// The greatest value of the watermark's column.
    pub newest: Option<String>,
    /// A value of it that is not believed, for the log.
    pub beyond: Option<String>,
}

/// Why a database could not be read. Nothing of it is used; the next poll tries again. Texts stay
/// the same as long as the cause does, so that they are told once.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The file with the URL.
    #[error("the database's URL cannot be read: {}", chain(.0))]
    Secret(#[source] SecretError),
    /// What is in it.
    #[error("{0}")]
    Url(String),
    /// Down, refused, cut off.
    #[error(
        "the database cannot be reached: {0}; nothing changed. See that it runs, and what feed.url_file says of host, login and CA"
    )]
    Down(String),
    /// `feed.timeout` is over.
    #[error("the query did not end within feed.timeout ({}); nothing changed. Raise it, or let feed.query read less", humantime::format_duration(*.0))]
    Slow(Duration),
    /// Somebody holds a lock on it.
    #[error(
        "the database is locked by somebody else; nothing changed. If it stays so, see whose transaction stays open"
    )]
    Locked,
    /// The database refuses the query.
    #[error("the database refused the query: {0}; correct feed.query, or what its login may read. Nothing changed")]
    Refused(String),
    /// Columns are not what the settings say.
    #[error("{0}. Nothing changed")]
    Shape(String),
    /// No row at all.
    #[error("the query returned no row; nothing changed. See whether feed.query and its login still find the people")]
    Empty,
    /// More than the bound.
    #[error("the query returned more than {0} rows (feed.max_rows); nothing changed. Raise it if so many are right")]
    TooMany(u64),
    /// More than the bound of a file.
    #[error("the rows take more than {0} MiB; let feed.query name fewer columns. Nothing changed")]
    TooLarge(u64),
    /// Our own disk.
    #[error("the rows could not be written to disk: {0}; nothing changed")]
    Disk(#[from] io::Error),
}

impl From<HeaderError> for SqlError {
    fn from(error: HeaderError) -> Self {
        Self::Shape(error.to_string())
    }
}

/// Asks and writes the rows to `out` as CSV: a header, then every row quoted, columns that a field
/// stands in (and the watermark's) only.
///
/// # Errors
/// [`SqlError`]; what stands in `out` then is worth nothing.
pub async fn read(ask: &Ask<'_>, out: File) -> Result<Rows, SqlError> {
    let target = target(ask.sql)?;
    let timeout = ask.sql.timeout;
    let mut spool = Spool::new(ask, out);
    let until = Instant::now() + timeout;
    let reading = async {
        match &target.engine {
            Engine::Postgres(options) => postgres::read(options, ask, &mut spool).await,
            Engine::Mysql(options) => mysql::read(options, ask, &mut spool).await,
            Engine::Sqlite(path) => sqlite::read(path, ask, &mut spool, until).await,
            #[cfg(feature = "odbc")]
            Engine::Odbc(to) => odbc::read(to, ask, &mut spool).await,
        }
    };
    // The servers have the same limit; this one is for those who do not answer at all.
    tokio::time::timeout(timeout, reading).await.map_err(|_| SqlError::Slow(timeout))??;
    spool.finish()
}

/// What `check` says about a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Its product and version, as it says.
    pub version: String,
    /// A sentence when the login may write.
    pub writes: Option<String>,
}

/// Signs in and asks what the login may do.
///
/// # Errors
/// [`SqlError`].
pub async fn look(sql: &Sql) -> Result<Looked, SqlError> {
    let target = target(sql)?;
    let looking = async {
        match &target.engine {
            Engine::Postgres(options) => postgres::look(options).await,
            Engine::Mysql(options) => mysql::look(options).await,
            Engine::Sqlite(path) => sqlite::look(path).await,
            #[cfg(feature = "odbc")]
            Engine::Odbc(to) => odbc::look(to, sql).await,
        }
    };
    tokio::time::timeout(sql.timeout, looking).await.map_err(|_| SqlError::Slow(sql.timeout))?
}

/// Which database the settings name.
///
/// # Errors
/// [`SqlError::Secret`], [`SqlError::Url`].
pub fn target(sql: &Sql) -> Result<Target, SqlError> {
    let url = sql.url_file.read().map_err(SqlError::Secret)?;
    Target::parse(url.expose_secret()).map_err(|why| SqlError::Url(format!("{}: {why}", sql.url_file.key())))
}

/// A rejected row of a query is named by its employee id as well, and a value that was no text by its
/// cause.
pub(super) fn of_a_row(reject: &mut Reject, record: &HireRecord<'_>) {
    reject.employee_id = Some(readable_id(record).to_owned());
    if reject.reason.contains("(U+0000)") {
        "binary data, or a number that lost digits: no text; cast the column to text in feed.query"
            .clone_into(&mut reject.reason);
    }
}

/// Codes of a statement that was ended for its time: PostgreSQL, MariaDB, MySQL, SQLite.
const ENDED: [&str; 4] = ["57014", "1969", "3024", "9"];
/// Codes of a lock that was waited for in vain, or that two waited for: PostgreSQL, MySQL and MariaDB,
/// SQLite (busy, locked).
const LOCKED: [&str; 6] = ["55P03", "40P01", "1205", "1213", "5", "6"];
/// Codes of a server that goes down, broke the statement off or has no room: neither the query nor the
/// login is at fault. PostgreSQL (40001: a standby that replays what was read), MySQL and MariaDB
/// (connections, shutdown, KILL), SQLite (input and output, damaged, full, cannot open, no database).
const BROKEN_OFF: [&str; 19] = [
    "40001", "53000", "53100", "53200", "53300", "57P01", "57P02", "57P03", "57P05", "1021", "1040", "1053", "1317",
    "1927", "10", "11", "13", "14", "26",
];

/// What sqlx reports while a query is asked.
fn failed(error: sqlx::Error, timeout: Duration) -> SqlError {
    match error {
        sqlx::Error::Database(refused) => {
            let code = database_code(refused.as_ref());
            if ENDED.contains(&code.as_str()) {
                SqlError::Slow(timeout)
            } else if LOCKED.contains(&code.as_str()) {
                SqlError::Locked
            } else if BROKEN_OFF.contains(&code.as_str()) {
                SqlError::Down(one_line(&masked(refused.message())))
            } else {
                SqlError::Refused(one_line(&masked(refused.message())))
            }
        }
        other => SqlError::Down(one_line(&other.to_string())),
    }
}

/// MySQL's own number says more than the SQLSTATE, which many of its errors share; SQLite's primary code.
fn database_code(error: &dyn sqlx::error::DatabaseError) -> String {
    if let Some(mysql) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return mysql.number().to_string();
    }
    let code = error.code().unwrap_or_default().into_owned();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // The primary code stands in the lowest byte.
        return code.parse::<i32>().map_or(code, |code| (code & 0xff).to_string());
    }
    code
}

/// A server's words: on one line, and not too many.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    crate::rules::headers::cut(text.trim(), 300)
}
