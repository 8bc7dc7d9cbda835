//! The state database: every statement we run, on SQLite and on PostgreSQL.
//!
//! What is wanted and what is out there are two rows (hire, pass). Each change of state is a counted
//! compare-and-set under a claim and appends its event in the same transaction; nothing here waits
//! for a network, reads a clock or holds the code of a pass. `now` comes second everywhere.
//! Read on in [`rows`] (what is kept), `claims` (who may act), `passes` (the life of a pass), `account` (whose),
//! `endings` (how it ends), `operate` (what admins do), `notices` and `outbox` (what they are told), `review` (what they see), `intake` (feeds).

mod account;
mod backup;
mod claims;
mod condition;
mod endings;
mod engine;
mod gates;
pub mod intake;
mod notices;
mod open;
mod operate;
mod outbox;
mod passes;
mod place;
mod raw;
mod replan;
mod review;
pub mod room;
pub mod rows;
mod standing;
mod step;

use std::path::PathBuf;

use sqlx::{PgPool, SqlitePool};

pub use backup::{Copied, Older};
pub use condition::{Condition, Versions};
pub use gates::Gate;
pub use notices::{Gathered, Happened, Heap, NoticeCursor, NoticeItem};
pub use open::Open;
pub use operate::{KeyText, Operate, OperateError, Operated};
pub use outbox::OutboxRow;
pub use place::Lock;
pub use replan::Planned;
pub use review::{EventRow, FileRow, Filter, ReviewRow, Tally, View};
pub use rows::{Claimed, HireRow, PassRow, Rest, Seen};
pub use standing::{FeedStanding, HiresAt, NearAttention, Standing};

/// The state database of one installation.
#[derive(Debug, Clone)]
pub enum Store {
    /// One file on this machine: one writing connection, a few reading ones.
    Sqlite {
        /// The only connection that writes.
        write: SqlitePool,
        /// Cannot write and waits for no writer.
        read: SqlitePool,
        /// Where the file is.
        path: PathBuf,
    },
    /// A server, for several workers.
    Postgres(PgPool),
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or cannot be written: stop before any effect.
    #[error("the state cannot be read or written: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// No room is left for it: stop before any effect. Holds the file, or what is known of it.
    #[error("the disk (or quota) of {0} is full; make room there")]
    Full(String),
    /// The state cannot be opened here; says what to do.
    #[error("{0}")]
    Unusable(String),
    /// The file or database belongs to something else.
    #[error("{0}")]
    Foreign(String),
    /// A newer firstpass wrote it.
    #[error("{0}")]
    Newer(String),
    /// A row or the file holds what no version of firstpass writes.
    #[error("{0}")]
    Corrupt(String),
    /// Another `firstpass run` uses it.
    #[error("{0}")]
    Locked(String),
}

/// SQLite's primary result codes for a damaged file and for a file that is no database.
const SQLITE_CORRUPT: &str = "11";
const SQLITE_NOTADB: &str = "26";

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(SQLITE_CORRUPT) => {
                Self::Corrupt("the state is damaged (SQLite finds malformed pages); restore a backup".to_owned())
            }
            Some(SQLITE_NOTADB) => {
                Self::Foreign("the file that state.url names is no SQLite database; name another file".to_owned())
            }
            Some(code) if room::is_no_room(code) => Self::Full("the state".to_owned()),
            Some(_) | None => Self::Unavailable(source),
        }
    }
}
