//! One statement for both engines, and the engine that runs it.
//!
//! A statement is a constant: `sql!("…")` where both engines read the same text, or
//! `sql!(sqlite: "…", postgres: "…")`. [`on_engine!`] runs it on the writer, [`on_reader!`] on a
//! reader, [`in_transaction!`] with others at once. Placeholders are `$1` on both engines; values
//! bound are `i64`, `&str` and options of them. No traits, no generics, no `Any`.

/// The text of one statement on each engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// `sql!("…")` or `sql!(sqlite: "…", postgres: "…")`; `concat!` works inside.
macro_rules! sql {
    (sqlite: $sqlite:expr, postgres: $postgres:expr $(,)?) => {
        $crate::store::engine::Sql { sqlite: $sqlite, postgres: $postgres }
    };
    ($both:expr) => {
        $crate::store::engine::Sql { sqlite: $both, postgres: $both }
    };
}

/// `on_engine!(self, |db, text| sqlx::query(text(MOVE)).bind(now).execute(db).await)`
macro_rules! on_engine {
    ($store:expr, |$db:ident, $text:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite { write: $db, .. } => {
                let $text = |sql: $crate::store::engine::Sql| sql.sqlite;
                $body
            }
            $crate::store::Store::Postgres($db) => {
                let $text = |sql: $crate::store::engine::Sql| sql.postgres;
                $body
            }
        }
    };
}

/// As [`on_engine!`], on a connection that cannot write (SQLite) and waits for no writer.
macro_rules! on_reader {
    ($store:expr, |$db:ident, $text:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Sqlite { read: $db, .. } => {
                let $text = |sql: $crate::store::engine::Sql| sql.sqlite;
                $body
            }
            $crate::store::Store::Postgres($db) => {
                let $text = |sql: $crate::store::engine::Sql| sql.postgres;
                $body
            }
        }
    };
}

/// Runs the body inside one transaction and commits it; a `return` or `?` inside rolls back.
/// `BEGIN IMMEDIATE` on SQLite: a read that becomes a write would ignore the busy timeout.
///
/// `in_transaction!(self, |tx, text| { sqlx::query(text(A)).execute(&mut *tx).await?; true })`
macro_rules! in_transaction {
    ($store:expr, |$tx:ident, $text:ident| $body:block) => {
        match $store {
            $crate::store::Store::Sqlite { write, .. } => {
                let $text = |sql: $crate::store::engine::Sql| sql.sqlite;
                let mut held = write.begin_with("BEGIN IMMEDIATE").await?;
                let out = {
                    let $tx = &mut *held;
                    $body
                };
                held.commit().await?;
                out
            }
            $crate::store::Store::Postgres(pool) => {
                let $text = |sql: $crate::store::engine::Sql| sql.postgres;
                let mut held = pool.begin().await?;
                let out = {
                    let $tx = &mut *held;
                    $body
                };
                held.commit().await?;
                out
            }
        }
    };
}

pub(crate) use {in_transaction, on_engine, on_reader, sql};
