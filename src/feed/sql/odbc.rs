//! ODBC: whatever a driver of this machine speaks, above all SQL Server and Oracle (feature `odbc`).
//!
//! Drivers block, so each reading has a thread of its own (`driver`) that sends its rows in blocks.
//! Whoever stops waiting drops the receiver; the thread ends at its next block, and the end of the
//! process waits for none. Nothing is committed. Read on in [`string`] (the connection string).

mod driver;
pub(super) mod string;

use std::borrow::Cow;

use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::string::Odbc;
use super::spool::{Column, Spool};
use super::{Ask, Looked, SqlError};
use crate::config::Sql;

/// Threads that may be inside drivers at once. One that never answers keeps its thread, so that
/// without a bound every poll would add one.
const THREADS: usize = 8;
static AT_WORK: Semaphore = Semaphore::const_new(THREADS);
/// Blocks of rows on their way: one is written while the next is fetched.
const BLOCKS: usize = 1;

/// What the thread needs to know.
struct Question {
    to: Odbc,
    query: String,
    since: Option<String>,
    watermark: Option<String>,
    timeout: std::time::Duration,
}

/// What the thread has to say.
enum Said {
    /// The columns; it wants to know which of them to fetch, by their places.
    Columns(Vec<Column>, oneshot::Sender<Vec<usize>>),
    /// The fetched columns of some rows, in the order of their places.
    Rows(Vec<Vec<Option<String>>>),
    /// There are no more.
    End,
}

pub(super) async fn read(to: &Odbc, ask: &Ask<'_>, spool: &mut Spool<'_>) -> Result<(), SqlError> {
    let question = Question {
        to: to.clone(),
        query: ask.sql.query.clone(),
        since: ask.since.map(str::to_owned),
        watermark: ask.sql.watermark.clone(),
        timeout: ask.sql.timeout,
    };
    let (send, mut heard) = mpsc::channel(BLOCKS);
    on_a_thread(move || driver::ask(&question, &send))?;
    let mut kept = Vec::new();
    loop {
        match heard.recv().await.unwrap_or_else(|| Err(silent()))? {
            Said::Columns(columns, wanted) => {
                spool.shape(&columns)?;
                kept = spool.kept().to_vec();
                // A thread that ended meanwhile is told by the next message.
                let _ = wanted.send(kept.clone());
            }
            Said::Rows(rows) => {
                for row in rows {
                    spool.row(|place| {
                        let cell = kept.binary_search(&place).ok().and_then(|at| row.get(at));
                        Ok(cell.and_then(Option::as_deref).map(|text| Cow::Owned(text.to_owned())))
                    })?;
                }
            }
            Said::End => return Ok(()),
        }
    }
}

pub(super) async fn look(to: &Odbc, sql: &Sql) -> Result<Looked, SqlError> {
    let (to, timeout) = (to.clone(), sql.timeout);
    let (send, heard) = oneshot::channel();
    on_a_thread(move || {
        // Nobody waits any more: then nobody needs the answer.
        let _ = send.send(driver::look(&to, timeout));
    })?;
    heard.await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> SqlError {
    SqlError::Down("the ODBC driver broke off without an answer".to_owned())
}

/// Not a thread of the runtime, which would wait for it at the end of the process.
fn on_a_thread(work: impl FnOnce() + Send + 'static) -> Result<(), SqlError> {
    let Ok(permit) = AT_WORK.try_acquire() else {
        return Err(SqlError::Down(format!(
            "{THREADS} earlier readings still hang inside the ODBC driver; restart firstpass"
        )));
    };
    let thread = std::thread::Builder::new().name("odbc".to_owned());
    let thread = thread.spawn(move || {
        let _permit = permit;
        work();
    });
    thread.map(|_| ()).map_err(|error| SqlError::Down(format!("no thread for the ODBC driver: {error}")))
}
