//! MySQL and MariaDB: one statement prepared by the server, in a read-only transaction, its rows
//! as the server's own text.
//!
//! PREPARE takes one statement only, and EXECUTE in the text protocol hands out every type as the
//! `mysql` shell shows it, `0000-00-00` too. A read-only session refuses every change and all DDL.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Connection, Row, TypeInfo};

use super::spool::{Column, Spool};
use super::{Ask, Looked, SqlError, cell, failed, one_line};

/// Privileges of a login that only reads.
const READS: [&str; 5] = ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS"];

async fn connect(to: &MySqlConnectOptions) -> Result<MySqlConnection, SqlError> {
    to.connect().await.map_err(|error| SqlError::Down(one_line(&error.to_string())))
}

pub(super) async fn read(to: &MySqlConnectOptions, ask: &Ask<'_>, spool: &mut Spool<'_>) -> Result<(), SqlError> {
    let mut db = connect(to).await?;
    let timeout = ask.sql.timeout;
    limit(&mut db, timeout).await;
    let refused = |error| failed(error, timeout);
    // The first for what commits the second on its own, as DDL does.
    for text in ["SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"] {
        sqlx::raw_sql(text).execute(&mut db).await.map_err(refused)?;
    }
    sqlx::query("SET @firstpass_query = ?")
        .bind(&ask.sql.query)
        .persistent(false)
        .execute(&mut db)
        .await
        .map_err(refused)?;
    sqlx::raw_sql("PREPARE firstpass FROM @firstpass_query").execute(&mut db).await.map_err(refused)?;
    let execute = if let Some(since) = ask.since {
        let bind = sqlx::query("SET @firstpass_since = ?").bind(since).persistent(false);
        bind.execute(&mut db).await.map_err(refused)?;
        "EXECUTE firstpass USING @firstpass_since"
    } else {
        "EXECUTE firstpass"
    };
    let mut kinds = Vec::new();
    let mut rows = sqlx::raw_sql(execute).fetch(&mut db);
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        if !spool.shaped() {
            spool.shape(&columns(&row))?;
            kinds = row.columns().iter().map(|column| Kind::of(column.type_info().name())).collect();
        }
        spool.row(|place| text(&row, place, kinds.get(place).copied().unwrap_or(Kind::Text), timeout))?;
    }
    drop(rows);
    // Everything was read; an error now says nothing about it.
    let _ = db.close().await;
    Ok(())
}

/// The server's own limits: MariaDB has the first, MySQL the second, both the third.
async fn limit(db: &mut MySqlConnection, timeout: Duration) {
    let lock_wait = (timeout / 2).as_secs().max(1);
    for text in [
        format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64()),
        format!("SET SESSION max_execution_time = {}", timeout.as_millis()),
        format!("SET SESSION lock_wait_timeout = {lock_wait}"),
        format!("SET SESSION innodb_lock_wait_timeout = {lock_wait}"),
    ] {
        // One that does not know it has the other; our own limit holds anyway.
        let _ = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *db).await;
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bits,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "DECIMAL" | "FLOAT" | "DOUBLE" => Self::Number,
            "BIT" => Self::Bits,
            _ => Self::Text,
        }
    }
}

/// A BLOB may hold text, and functions such as CONCAT often say VARBINARY: each value is looked at.
fn columns(row: &MySqlRow) -> Vec<Column> {
    let column = |column: &sqlx::mysql::MySqlColumn| Column {
        name: column.name().to_owned(),
        binary: (column.type_info().name() == "GEOMETRY").then_some("geometry"),
    };
    row.columns().iter().map(column).collect()
}

fn text(row: &MySqlRow, place: usize, kind: Kind, timeout: Duration) -> Result<Option<Cow<'_, str>>, SqlError> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(place).map_err(|error| failed(error, timeout))?;
    Ok(bytes.map(|bytes| match kind {
        Kind::Bits => cell::bits(bytes),
        Kind::Text => cell::text(bytes),
        Kind::Number => match cell::text(bytes) {
            Cow::Borrowed(text) => cell::number(text),
            Cow::Owned(text) => Cow::Owned(text),
        },
    }))
}

pub(super) async fn look(to: &MySqlConnectOptions) -> Result<Looked, SqlError> {
    let mut db = connect(to).await?;
    let refused = |error: sqlx::Error| SqlError::Down(one_line(&error.to_string()));
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut db).await.map_err(refused)?;
    let grants: Vec<String> = sqlx::query_scalar("SHOW GRANTS").fetch_all(&mut db).await.map_err(refused)?;
    let _ = db.close().await;
    let product = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    let surplus = grants.iter().find_map(|grant| surplus(grant));
    let writes = surplus.map(|what| format!("the login has more than SELECT ({what})"));
    Ok(Looked { version: format!("{product} {version}"), writes })
}

/// The first privilege of a line of SHOW GRANTS that a reader does not need. What a role may do stands in no line.
fn surplus(grant: &str) -> Option<String> {
    let granted = grant.strip_prefix("GRANT ")?;
    let Some((privileges, _)) = granted.split_once(" ON ") else {
        let roles = granted.split_once(" TO ").map_or(granted, |(roles, _)| roles);
        return Some(format!("whatever the role {roles} has"));
    };
    // `SELECT (a, b), UPDATE (c)`: columns in brackets are no privileges.
    let mut depth = 0_i32;
    let plain: String = privileges
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0 && *c != ')'
        })
        .collect();
    plain.split(',').map(str::trim).find(|word| !READS.contains(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f82_a_reader_has_nothing_else() {
        assert_eq!(surplus("GRANT USAGE ON *.* TO `hr`@`%` IDENTIFIED BY PASSWORD '*X'"), None);
        assert_eq!(surplus("GRANT SELECT, SHOW VIEW ON `hr`.* TO `hr`@`%`"), None);
        assert_eq!(surplus("GRANT SELECT (`id`, `day`) ON `hr`.`t` TO `hr`@`%`"), None);
        assert_eq!(surplus("GRANT SELECT, INSERT ON `hr`.* TO `hr`@`%`").as_deref(), Some("INSERT"));
        assert_eq!(surplus("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`").as_deref(), Some("ALL PRIVILEGES"));
        let role = surplus("GRANT `hr_writer`@`%` TO `hr`@`%`");
        assert_eq!(role.as_deref(), Some("whatever the role `hr_writer`@`%` has"));
        assert_eq!(surplus("GRANT SELECT (`a`), UPDATE (`a`) ON `hr`.`t` TO `hr`@`%`").as_deref(), Some("UPDATE"));
    }
}
