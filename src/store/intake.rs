//! One file of a feed → the state: staged whole, judged whole, applied by one transaction.
//!
//! Rows lie in temporary tables on a connection of their own, so memory stays flat, nobody waits
//! while a file is read, and the write lock is short. What was judged is applied under compare-and-set
//! on `revision`: when a hire moved meanwhile, nothing is written and the file is judged again.
//! Writes only what is wanted: never a pass row, never the state of a leased or delivered hire.
//! Read on in [`crate::rules::intake`] (who decides) and `apply` (the statements that write).

mod apply;
mod changes;
mod files;
mod judge;
mod load;
mod remember;
mod tally;
mod watch;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::{Store, StoreError};
use crate::rules::intake::Weight;
use crate::rules::staged::Verdict;

use self::tally::Tally;
pub use apply::{Applied, Taken};
pub use watch::NewestFile;

/// A connection of one engine, not of the pools.
pub(super) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// As `on_engine!`, on the staging's connection.
macro_rules! on_link {
    ($link:expr, |$db:ident, $text:ident| $body:expr) => {
        match $link {
            $crate::store::intake::Link::Sqlite(held) => {
                let $text = |sql: $crate::store::engine::Sql| sql.sqlite;
                let $db = &mut *held;
                $body
            }
            $crate::store::intake::Link::Postgres(held) => {
                let $text = |sql: $crate::store::engine::Sql| sql.postgres;
                let $db = &mut *held;
                $body
            }
        }
    };
}
pub(super) use on_link;

/// One file on its way in. Dropped without [`Staging::apply`], nothing has happened.
pub struct Staging {
    link: Link,
    feed: String,
    tenant: String,
    /// The insert of a full batch, made once.
    full: Option<String>,
    /// The words of all verdicts, in the order of [`Verdict::ALL`].
    verdicts: Vec<Arc<str>>,
    tally: Tally,
    /// The last employee id, while each was greater than the one before; `None` = twins are possible.
    ascending: Option<String>,
}

/// What one file would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// New hires, `missed` ones and new engagements among them.
    pub added: u64,
    /// Moved, amended, returned, vanished.
    pub changed: u64,
    /// Withdrawn.
    pub withdrawn: u64,
    /// As on record, or withdrawn and unknown.
    pub unchanged: u64,
    /// Start over, left alone.
    pub past: u64,
    /// Rejected.
    pub rejected: u64,
    /// Said again, word for word, by a row that is counted above.
    pub twins: u64,
    /// For the brake.
    pub weight: Weight,
}

impl Staging {
    /// Opens a connection and makes the temporary tables.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open(store: &Store, feed: &str, tenant: &str) -> Result<Self, StoreError> {
        let link = match store {
            Store::Sqlite { write, .. } => {
                let options = (*write.connect_options()).clone();
                Link::Sqlite(SqliteConnection::connect_with(&options).await?)
            }
            Store::Postgres(pool) => Link::Postgres(PgConnection::connect_with(&pool.connect_options()).await?),
        };
        let mut staging = Self {
            link,
            feed: feed.to_owned(),
            tenant: tenant.to_owned(),
            full: None,
            verdicts: Verdict::ALL.iter().map(|verdict| Arc::from(verdict.as_str())).collect(),
            tally: Tally::default(),
            ascending: Some(String::new()),
        };
        staging.make_tables().await?;
        Ok(staging)
    }

    /// Closes the connection; the temporary tables go with it.
    pub async fn close(self) {
        let closed = match self.link {
            Link::Sqlite(link) => link.close().await,
            Link::Postgres(link) => link.close().await,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a staging connection did not close well");
        }
    }
}

/// A file that this feed took, held or rejected before.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownFile {
    /// Row id.
    pub id: i64,
    /// Name in the drop folder.
    pub file: String,
    /// Of its bytes, hex.
    pub sha256: String,
    /// Fingerprint of the settings it was read with.
    pub mapping: String,
    /// Epoch milliseconds.
    pub read_at: i64,
    /// `taken`, `held` …
    pub state: String,
    pub rows: i64,
    pub added: i64,
    pub changed: i64,
    pub withdrawn: i64,
    pub unchanged: i64,
    pub past: i64,
    pub rejected: i64,
}

/// Milliseconds of an instant, for binding.
pub(super) fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// A counter of the database.
pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A counter for the database.
pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
