//! PostgreSQL: a cursor in a read-only transaction, its rows fetched as the server's own text.
//!
//! The simple protocol hands out every type as text; DECLARE takes one SELECT that changes nothing,
//! and the bound watermark. FETCH in pieces keeps memory flat on both sides.

use std::borrow::Cow;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Connection, Row, TypeInfo, ValueRef};

use super::spool::{Column, Spool};
use super::target::Postgres;
use super::{Ask, Looked, SqlError, cell, failed, one_line};

/// Rows of one FETCH.
const PIECE: u64 = 2000;

const TABLES_TO_WRITE: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND has_schema_privilege(n.oid, 'USAGE')
      AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))";

async fn connect(to: &Postgres) -> Result<PgConnection, SqlError> {
    to.options.connect().await.map_err(|error| SqlError::Down(one_line(&error.to_string())))
}

pub(super) async fn read(to: &Postgres, ask: &Ask<'_>, spool: &mut Spool<'_>) -> Result<(), SqlError> {
    let mut db = connect(to).await?;
    let timeout = ask.sql.timeout;
    let ms = timeout.as_millis();
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {ms}; \
         SET LOCAL lock_timeout = {}; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex'; \
         SET LOCAL cursor_tuple_fraction = 1; SET LOCAL TIME ZONE '{}'",
        ms / 2,
        to.zone
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut db).await.map_err(|error| failed(error, timeout))?;
    let declare = format!("DECLARE firstpass NO SCROLL CURSOR FOR {}", ask.sql.query);
    let mut declare = sqlx::query(AssertSqlSafe(declare)).persistent(false);
    if let Some(since) = ask.since {
        declare = declare.bind(since);
    }
    declare.execute(&mut db).await.map_err(|error| failed(error, timeout))?;
    let mut kinds = Vec::new();
    loop {
        let fetch = AssertSqlSafe(format!("FETCH FORWARD {PIECE} FROM firstpass"));
        let mut rows = sqlx::raw_sql(fetch).fetch(&mut db);
        let mut n_rows: u64 = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| failed(error, timeout))? {
            if !spool.shaped() {
                spool.shape(&columns(&row))?;
                kinds = row.columns().iter().map(|column| Kind::of(column.type_info().name())).collect();
            }
            n_rows += 1;
            spool.row(|place| text(&row, place, kinds.get(place).copied().unwrap_or(Kind::Text), timeout))?;
        }
        if n_rows < PIECE {
            break;
        }
    }
    // Everything was read; an error now says nothing about it.
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut db).await;
    let _ = db.close().await;
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bool,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "NUMERIC" | "FLOAT4" | "FLOAT8" => Self::Number,
            "BOOL" => Self::Bool,
            _ => Self::Text,
        }
    }
}

fn columns(row: &PgRow) -> Vec<Column> {
    let column = |column: &sqlx::postgres::PgColumn| Column {
        name: column.name().to_owned(),
        binary: (column.type_info().name() == "BYTEA").then_some("bytea"),
    };
    row.columns().iter().map(column).collect()
}

fn text(row: &PgRow, place: usize, kind: Kind, timeout: std::time::Duration) -> Result<Option<Cow<'_, str>>, SqlError> {
    let value = row.try_get_raw(place).map_err(|error| failed(error, timeout))?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(|error| SqlError::Down(error.to_string()))?;
    let text = cell::text(bytes);
    Ok(Some(match (kind, text) {
        (Kind::Number, Cow::Borrowed(text)) => cell::number(text),
        (Kind::Bool, Cow::Borrowed("t")) => Cow::Borrowed("true"),
        (Kind::Bool, Cow::Borrowed("f")) => Cow::Borrowed("false"),
        (Kind::Text | Kind::Number | Kind::Bool, text) => text,
    }))
}

pub(super) async fn look(to: &Postgres) -> Result<Looked, SqlError> {
    let mut db = connect(to).await?;
    let refused = |error: sqlx::Error| SqlError::Down(one_line(&error.to_string()));
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut db).await.map_err(refused)?;
    let role = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    let may_all: bool = sqlx::query_scalar(role).fetch_one(&mut db).await.map_err(refused)?;
    let n_tables: i64 = sqlx::query_scalar(TABLES_TO_WRITE).fetch_one(&mut db).await.map_err(refused)?;
    let _ = db.close().await;
    let writes = if may_all {
        Some("the login is a superuser".to_owned())
    } else {
        (n_tables > 0).then(|| format!("the login may write to {n_tables} table(s)"))
    };
    Ok(Looked { version: format!("PostgreSQL {version}"), writes })
}
