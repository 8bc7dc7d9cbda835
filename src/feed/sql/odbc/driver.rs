//! The blocking side: connects, asks, fetches in blocks of bounded size, rolls back.
//!
//! Every column is fetched as UTF-16 text, whatever the locale. What is longer than a cell is marked
//! so that its row is rejected: nothing is ever cut in silence.

use std::time::Duration;

use odbc_api::buffers::{ColumnarBuffer, WCharColumn};
use odbc_api::{
    ColumnDescription, Connection, ConnectionOptions, Cursor, DataType, Error, IntoParameter, ResultSetMetadata,
    environment,
};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use super::super::spool::{COLUMNS, Column, too_long_a_mark};
use super::super::{Looked, SqlError, cell, one_line};
use super::{Odbc, Question, Said};

/// UTF-16 units that a cell holds at least: drivers of databases without lengths make theirs up.
const CELL_LEAST: usize = 256;
/// And at most; a field is shorter by far.
const CELL_MOST: usize = 4000;
/// Of one block of rows.
const BLOCK_BYTES: usize = 8 * 1024 * 1024;
const BLOCK_ROWS: usize = 1000;
/// A login takes no longer on a network that works.
const LOGIN_SECS: u64 = 30;

/// Sends everything that the query returns, then how it ended.
pub(super) fn ask(question: &Question, out: &Sender<Result<Said, SqlError>>) {
    let db = match connect(&question.to, question.timeout) {
        Ok(db) => db,
        Err(error) => {
            // Nobody waits any more, if this fails.
            let _ = out.blocking_send(Err(error));
            return;
        }
    };
    let ended = rows(&db, &product(&db), question, out);
    // Nothing is ever committed. A connection that is lost has nothing to roll back.
    let _ = db.rollback();
    // Before the connection is closed, which a driver may take its time for.
    let _ = out.blocking_send(ended.map(|()| Said::End));
}

fn connect(to: &Odbc, timeout: Duration) -> Result<Connection<'static>, SqlError> {
    let login = u32::try_from(timeout.as_secs().clamp(1, LOGIN_SECS)).ok();
    let options = ConnectionOptions { login_timeout_sec: login, packet_size: None };
    let down = |error: Error| match failed(&error, "", to, timeout) {
        SqlError::Refused(why) => SqlError::Down(why),
        other => other,
    };
    let db = environment().map_err(down)?.connect_with_connection_string(to.string(), options).map_err(down)?;
    db.set_autocommit(false).map_err(down)?;
    Ok(db)
}

/// The name that the driver gives its server.
fn product(db: &Connection<'_>) -> String {
    db.database_management_system_name().unwrap_or_default()
}

/// What makes the session read-only and its waiting for locks short, where the server knows such.
/// ODBC's own access mode is a hint that drivers ignore.
fn opening(product: &str, timeout: Duration) -> Vec<String> {
    let half = (timeout / 2).as_millis().max(1);
    match product {
        "PostgreSQL" => vec![
            "SET TRANSACTION READ ONLY".to_owned(),
            format!("SET LOCAL lock_timeout = {half}"),
            format!("SET LOCAL statement_timeout = {}", timeout.as_millis()),
        ],
        "SQLite" => vec!["PRAGMA query_only = ON".to_owned()],
        "Microsoft SQL Server" => vec![format!("SET LOCK_TIMEOUT {half}")],
        "Oracle" => vec!["SET TRANSACTION READ ONLY".to_owned()],
        _ => Vec::new(),
    }
}

/// What does not read is not sent at all: Oracle commits DDL on its own, and SQL Server has no
/// read-only session.
fn only_reads(query: &str) -> Result<(), SqlError> {
    let mut rest = query.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    while let Some(comment) = rest.strip_prefix("--").map(|text| text.split_once('\n')) {
        rest = comment.map_or("", |(_, rest)| rest).trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    if ["select", "with"].contains(&word.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(SqlError::Refused("through ODBC it has to begin with SELECT or WITH".to_owned()))
}

fn rows(
    db: &Connection<'_>,
    product: &str,
    question: &Question,
    out: &Sender<Result<Said, SqlError>>,
) -> Result<(), SqlError> {
    only_reads(&question.query)?;
    let refused = |error: Error| failed(&error, product, &question.to, question.timeout);
    for text in opening(product, question.timeout) {
        db.execute(&text, (), None).map_err(refused)?;
    }
    let mut statement = db.prepare(&question.query).map_err(refused)?;
    let secs = usize::try_from(question.timeout.as_secs().max(1)).unwrap_or(usize::MAX);
    // A driver that does not know it: our own limit holds anyway.
    let _ = statement.set_query_timeout_sec(secs);
    let no_rows = || SqlError::Refused("it returns no rows; write one SELECT".to_owned());
    if statement.num_result_cols().map_err(refused)? <= 0 {
        return Err(no_rows());
    }
    let cursor = match &question.since {
        Some(since) => statement.execute(&since.clone().into_parameter()),
        None => statement.execute(()),
    };
    let mut cursor = cursor.map_err(refused)?.ok_or_else(no_rows)?;
    let (columns, shapes) = columns(&mut cursor).map_err(refused)?;
    let mark = question.watermark.as_deref();
    let mark = mark.and_then(|mark| columns.iter().position(|column| column.name.eq_ignore_ascii_case(mark)));
    let (wanted, kept) = oneshot::channel();
    // Whoever hears it answers, or is gone: then there is nobody to tell.
    if out.blocking_send(Ok(Said::Columns(columns, wanted))).is_err() {
        return Ok(());
    }
    let Ok(kept) = kept.blocking_recv() else { return Ok(()) };
    let kept: Vec<Shape> = shapes.into_iter().filter(|shape| kept.contains(&shape.place)).collect();
    let mut blocks = cursor.bind_buffer(buffer(&kept)).map_err(refused)?;
    while let Some(block) = blocks.fetch().map_err(refused)? {
        let rows = texts(block, &kept, mark)?;
        if out.blocking_send(Ok(Said::Rows(rows))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// How a column is fetched.
struct Shape {
    /// In the result, from 0.
    place: usize,
    kind: Kind,
    /// UTF-16 units of a cell.
    units: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Float,
}

fn columns(cursor: &mut impl ResultSetMetadata) -> Result<(Vec<Column>, Vec<Shape>), Error> {
    let n_columns = u16::try_from(cursor.num_result_cols()?).unwrap_or_default();
    let (mut columns, mut shapes) = (Vec::new(), Vec::new());
    for number in 1..=n_columns {
        let mut told = ColumnDescription::default();
        cursor.describe_col(number, &mut told)?;
        let (kind, binary) = match told.data_type {
            DataType::Numeric { .. } | DataType::Decimal { .. } => (Kind::Number, None),
            DataType::Float { .. } | DataType::Real | DataType::Double => (Kind::Float, None),
            DataType::Binary { .. } | DataType::Varbinary { .. } | DataType::LongVarbinary { .. } => {
                (Kind::Text, Some("binary"))
            }
            _ => (Kind::Text, None),
        };
        let units = told.data_type.utf16_len().map_or(CELL_MOST, std::num::NonZeroUsize::get);
        let units = units.clamp(CELL_LEAST, CELL_MOST);
        let place = usize::from(number) - 1;
        columns.push(Column { name: told.name_to_string().unwrap_or_default(), binary });
        shapes.push(Shape { place, kind, units });
        if columns.len() > COLUMNS {
            break;
        }
    }
    Ok((columns, shapes))
}

/// Two units more than a cell may have: a driver that cuts between two halves of a character still
/// shows that it cut.
fn buffer(kept: &[Shape]) -> ColumnarBuffer<WCharColumn> {
    let row: usize = kept.iter().map(|shape| (shape.units + 3) * 2).sum();
    let n_rows = (BLOCK_BYTES / row.max(1)).clamp(1, BLOCK_ROWS);
    let column = |shape: &Shape| {
        let number = u16::try_from(shape.place + 1).unwrap_or(u16::MAX);
        (number, WCharColumn::new(n_rows, shape.units + 2))
    };
    ColumnarBuffer::new(kept.iter().map(column).collect())
}

fn texts(
    block: &ColumnarBuffer<WCharColumn>,
    kept: &[Shape],
    mark: Option<usize>,
) -> Result<Vec<Vec<Option<String>>>, SqlError> {
    let mut rows = Vec::with_capacity(block.num_rows());
    for row in 0..block.num_rows() {
        let mut cells = Vec::with_capacity(kept.len());
        for (at, shape) in kept.iter().enumerate() {
            let units = block.column(at).get(row);
            let too_long = units.is_some_and(|units| units.len() > shape.units);
            if too_long && mark == Some(shape.place) {
                return Err(too_long_a_mark(shape.units));
            }
            cells
                .push(units.map(|units| if too_long { cell::too_long_for_a_field() } else { text(units, shape.kind) }));
        }
        rows.push(cells);
    }
    Ok(rows)
}

fn text(units: &[u16], kind: Kind) -> String {
    let Ok(text) = String::from_utf16(units) else { return cell::NO_TEXT.to_owned() };
    let text = cell::text(text.as_bytes());
    match kind {
        Kind::Text => text.into_owned(),
        Kind::Number => cell::number(&text).into_owned(),
        Kind::Float => text.parse().map_or(cell::NO_TEXT.into(), cell::float).into_owned(),
    }
}

/// Classes of SQLSTATE: <https://learn.microsoft.com/sql/odbc/reference/appendixes/appendix-a-odbc-error-codes>.
/// 57014 is PostgreSQL's for a statement that was ended for its time, 55P03 for a lock.
fn failed(error: &Error, product: &str, to: &Odbc, timeout: Duration) -> SqlError {
    let Error::Diagnostics { record, .. } = error else {
        return SqlError::Refused(one_line(&to.without_secrets(&error.to_string())));
    };
    let said = one_line(&to.without_secrets(&String::from_utf16_lossy(&record.message)));
    let locked = match product {
        "SQLite" => [5, 6].contains(&record.native_error),
        "Microsoft SQL Server" => record.native_error == 1222,
        _ => false,
    };
    let state = record.state.as_str();
    match state {
        _ if locked => SqlError::Locked,
        "40001" | "40P01" | "55P03" => SqlError::Locked,
        "HYT00" | "HYT01" | "HY008" | "57014" => SqlError::Slow(timeout),
        _ if state.starts_with("08") || state.starts_with("28") || state.starts_with("57P") => SqlError::Down(said),
        _ => SqlError::Refused(said),
    }
}

/// Signs in and asks who answers.
pub(super) fn look(to: &Odbc, timeout: Duration) -> Result<Looked, SqlError> {
    let db = connect(to, timeout)?;
    let product = product(&db);
    let asks = match product.as_str() {
        "PostgreSQL" => Some("SHOW server_version"),
        "SQLite" => Some("SELECT sqlite_version()"),
        "Microsoft SQL Server" => Some("SELECT CAST(SERVERPROPERTY('ProductVersion') AS varchar(60))"),
        "Oracle" => Some("SELECT version FROM product_component_version WHERE rownum = 1"),
        _ => None,
    };
    let version = asks.and_then(|asks| one_value(&db, asks)).unwrap_or_default();
    let _ = db.rollback();
    Ok(Looked {
        version: format!("{} through the ODBC driver {}", format!("{product} {version}").trim(), to.driver),
        writes: Some("what else the login may do cannot be asked through ODBC".to_owned()),
    })
}

/// The product's name is enough where this fails.
fn one_value(db: &Connection<'_>, query: &str) -> Option<String> {
    let cursor = db.execute(query, (), None).ok()??;
    let buffer = ColumnarBuffer::new(vec![(1, WCharColumn::new(1, CELL_LEAST))]);
    let mut block = cursor.bind_buffer(buffer).ok()?;
    let value = block.fetch().ok()??.column(0).get(0).map(String::from_utf16_lossy)?;
    Some(one_line(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t25_only_what_reads_is_sent() {
        for query in ["SELECT 1", "  (select 1)", "with a AS (SELECT 1) SELECT * FROM a", "-- all\nSELECT 1"] {
            assert!(only_reads(query).is_ok(), "{query}");
        }
        for query in ["DROP TABLE e", "EXEC p", "-- SELECT", "BEGIN NULL; END;", "", "/* x */ DELETE FROM e"] {
            assert!(only_reads(query).is_err(), "{query}");
        }
    }

    #[test]
    fn what_is_no_text_or_too_long_is_marked() {
        assert_eq!(text(&[0xd800], Kind::Text), cell::NO_TEXT);
        assert_eq!(text(&"42.00".encode_utf16().collect::<Vec<_>>(), Kind::Number), "42");
        assert_eq!(text(&"1E+20".encode_utf16().collect::<Vec<_>>(), Kind::Float), cell::NO_TEXT);
    }
}
