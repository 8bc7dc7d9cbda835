//! Filling the temporary tables.

use sqlx::AssertSqlSafe;

use super::{Link, Staging, StoreError, ms, on_link};
use crate::rules::staged::{Batch, StagedRow, StagedStart};
use crate::store::engine::{Sql, sql};

const STAGED: Sql = sql!(
    sqlite: "CREATE TEMP TABLE staged (line INTEGER PRIMARY KEY, employee_id TEXT NOT NULL, alike INTEGER NOT NULL,
        verdict TEXT NOT NULL, user_ref TEXT NOT NULL, display_name TEXT NOT NULL, manager_ref TEXT NOT NULL,
        language TEXT NOT NULL, withdrawn INTEGER NOT NULL, start_id INTEGER NOT NULL,
        hire_id INTEGER, revision INTEGER, why TEXT)",
    postgres: "CREATE TEMP TABLE staged (line BIGINT PRIMARY KEY, employee_id TEXT COLLATE \"C\" NOT NULL,
        alike BIGINT NOT NULL, verdict TEXT NOT NULL, user_ref TEXT NOT NULL, display_name TEXT NOT NULL,
        manager_ref TEXT NOT NULL, language TEXT NOT NULL, withdrawn BIGINT NOT NULL, start_id BIGINT NOT NULL,
        hire_id BIGINT, revision BIGINT, why TEXT)",
);
const STARTS: Sql = sql!(
    sqlite: "CREATE TEMP TABLE starts (id INTEGER PRIMARY KEY, start_date TEXT NOT NULL, start_time TEXT NOT NULL,
        zone TEXT NOT NULL, start_at INTEGER, send_at INTEGER, window_until INTEGER, look_at INTEGER,
        day_from INTEGER, day_until INTEGER)",
    postgres: "CREATE TEMP TABLE starts (id BIGINT PRIMARY KEY, start_date TEXT NOT NULL, start_time TEXT NOT NULL,
        zone TEXT NOT NULL, start_at BIGINT, send_at BIGINT, window_until BIGINT, look_at BIGINT,
        day_from BIGINT, day_until BIGINT)",
);
const TWINS: Sql = sql!(
    sqlite: "CREATE TEMP TABLE twins (employee_id TEXT PRIMARY KEY, first_line INTEGER NOT NULL,
        same INTEGER NOT NULL, all_past INTEGER NOT NULL) WITHOUT ROWID",
    postgres: "CREATE TEMP TABLE twins (employee_id TEXT COLLATE \"C\" PRIMARY KEY, first_line BIGINT NOT NULL,
        same BIGINT NOT NULL, all_past BIGINT NOT NULL)",
);
const VANISHING: Sql = sql!(
    sqlite: "CREATE TEMP TABLE vanishing (hire_id INTEGER PRIMARY KEY, revision INTEGER NOT NULL)",
    postgres: "CREATE TEMP TABLE vanishing (hire_id BIGINT PRIMARY KEY, revision BIGINT NOT NULL)",
);
const DIGESTS: Sql = sql!(
    sqlite: "CREATE TEMP TABLE digests (digest TEXT PRIMARY KEY) WITHOUT ROWID",
    postgres: "CREATE TEMP TABLE digests (digest TEXT COLLATE \"C\" PRIMARY KEY)",
);

/// Rows of one statement.
const AT_ONCE: usize = 200;
/// Columns of one inserted row.
const ROW: usize = 10;
const INSERT: &str = "INSERT INTO staged (line, employee_id, alike, verdict, user_ref, display_name, manager_ref, language, withdrawn, start_id) VALUES ";
const INSERT_STARTS: &str = "INSERT INTO starts (id, start_date, start_time, zone, start_at, send_at, window_until, look_at, day_from, day_until) VALUES ";

impl Staging {
    pub(super) async fn make_tables(&mut self) -> Result<(), StoreError> {
        if let Link::Sqlite(db) = &mut self.link {
            // On disk, and without a journal: a crash drops these tables anyway.
            sqlx::query("PRAGMA temp_store = FILE").execute(&mut *db).await?;
            sqlx::query("PRAGMA temp.journal_mode = OFF").execute(&mut *db).await?;
            // The indexes of a large file do not fit into 2 MB; more than this makes nothing faster. For one file only.
            sqlx::query("PRAGMA cache_size = -6000").execute(&mut *db).await?;
        }
        for table in [STAGED, STARTS, TWINS, VANISHING, DIGESTS] {
            on_link!(&mut self.link, |db, text| sqlx::query(text(table)).execute(db).await?.rows_affected());
        }
        on_link!(&mut self.link, |db, text| sqlx::query(text(sql!("BEGIN"))).execute(db).await?.rows_affected());
        Ok(())
    }

    /// Stages one batch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put(&mut self, batch: Batch) -> Result<(), StoreError> {
        for starts in batch.starts.chunks(AT_ONCE) {
            self.put_starts(starts).await?;
        }
        self.watch_order(&batch);
        for row in &batch.rows {
            self.tally.add(row.verdict);
        }
        let mut rows = batch.rows.into_iter();
        while rows.len() > 0 {
            let n_rows = rows.len().min(AT_ONCE);
            let text = match &self.full {
                Some(text) if n_rows == AT_ONCE => text.clone(),
                _ => self.values(INSERT, n_rows, ROW),
            };
            on_link!(&mut self.link, |db, _text| {
                let mut insert = sqlx::query(AssertSqlSafe(text.clone()));
                for row in rows.by_ref().take(n_rows) {
                    // Texts are handed over, not copied: there are a million of them in a large file.
                    let verdict = self.verdicts.get(row.verdict.index()).cloned().unwrap_or_default();
                    insert = insert.bind(row.line);
                    insert = match row.facts {
                        Some((hire, start)) => insert
                            .bind(hire.employee_id)
                            .bind(row.alike)
                            .bind(verdict)
                            .bind(hire.user.into_text())
                            .bind(hire.display_name)
                            .bind(hire.manager)
                            .bind(hire.language)
                            .bind(i64::from(hire.withdrawn))
                            .bind(start),
                        None => insert
                            .bind(row.bad_id)
                            .bind(row.alike)
                            .bind(verdict)
                            .bind("")
                            .bind("")
                            .bind("")
                            .bind("")
                            .bind(0_i64)
                            .bind(0_i64),
                    };
                }
                insert.execute(db).await?.rows_affected()
            });
            if n_rows == AT_ONCE && self.full.is_none() {
                self.full = Some(text);
            }
        }
        Ok(())
    }

    /// Whole rosters often come sorted: then nobody stands twice, and twins need not be looked for.
    fn watch_order(&mut self, batch: &Batch) {
        for id in batch.rows.iter().map(StagedRow::employee_id).filter(|id| !id.is_empty()) {
            match &mut self.ascending {
                Some(last) if last.as_str() < id => {
                    last.clear();
                    last.push_str(id);
                }
                Some(_) => self.ascending = None,
                None => return,
            }
        }
    }

    async fn put_starts(&mut self, starts: &[StagedStart]) -> Result<(), StoreError> {
        let text = self.values(INSERT_STARTS, starts.len(), ROW);
        on_link!(&mut self.link, |db, _text| {
            let mut insert = sqlx::query(AssertSqlSafe(text));
            for staged in starts {
                let morning = staged.morning.as_ref();
                insert = insert
                    .bind(staged.id)
                    .bind(staged.start.date.to_string())
                    .bind(staged.start.time.format("%H:%M:%S").to_string())
                    .bind(staged.start.zone.as_ref().map_or("", |zone| zone.as_str()))
                    .bind(morning.map(|morning| ms(morning.start)))
                    .bind(morning.map(|morning| ms(morning.send)))
                    .bind(staged.window_until.map(ms))
                    .bind(staged.look_at.map(ms))
                    .bind(morning.map(|morning| ms(morning.day_from)))
                    .bind(morning.map(|morning| ms(morning.day_until)));
            }
            insert.execute(db).await?.rows_affected()
        });
        Ok(())
    }

    /// Digests of the rejected rows, as [`crate::feed`] made them; twice the same counts once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_digests(&mut self, digests: &[String]) -> Result<(), StoreError> {
        for some in digests.chunks(500) {
            let mut text = self.values("INSERT INTO digests (digest) VALUES ", some.len(), 1);
            text.push_str(" ON CONFLICT DO NOTHING");
            on_link!(&mut self.link, |db, _text| {
                let mut insert = sqlx::query(AssertSqlSafe(text));
                for digest in some {
                    insert = insert.bind(digest.as_str());
                }
                insert.execute(db).await?.rows_affected()
            });
        }
        Ok(())
    }
}

impl Staging {
    /// `head (?,?),(?,?)`, or `($1,$2),($3,$4)` on PostgreSQL. Holds no data.
    ///
    /// SQLite looks a name such as `$1999` up in a list, from its start, for every value bound.
    fn values(&self, head: &str, rows: usize, columns: usize) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(head.len() + rows * columns * 6);
        text.push_str(head);
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ",(" });
            for column in 1..=columns {
                text.push_str(if column == 1 { "" } else { "," });
                match self.link {
                    Link::Sqlite(_) => text.push('?'),
                    Link::Postgres(_) => drop(write!(text, "${}", row * columns + column)),
                }
            }
            text.push(')');
        }
        text
    }
}
