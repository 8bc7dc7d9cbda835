//! Writing a judged file: one transaction, counted.
//!
//! Instants are rewritten only where the start moved; a hire that somebody has in hand, or whose
//! pass is out, keeps its state and is looked at now. A finished hire is only recorded.

use chrono::{DateTime, NaiveTime, Utc};

use super::judge::live;
use super::{Counts, KnownFile, Link, Staging, StoreError, count, ms, number, on_link};
use crate::rules::next;
use crate::store::engine::{Sql, sql};

/// Nobody has it in hand and no pass is out: its state may follow the feed at once. `$1` is now.
macro_rules! at_rest {
    () => {
        concat!("hire.claim_token IS NULL AND hire.operator_status = 'none' AND hire.state IN ('pending', 'attention', 'cancelled') AND NOT ", live!("hire"))
    };
}
/// Somebody holds a letter about a pass that is gone and was not told yet: that waits for no start.
macro_rules! owes {
    () => {
        "EXISTS (SELECT 1 FROM pass o WHERE o.hire_id = hire.id AND o.owes = 1)"
    };
}
/// Delivered, and the pass is over.
macro_rules! finished {
    () => {
        concat!("hire.state = 'delivered' AND NOT ", live!("hire"))
    };
}

pub(super) const INSERT_FILE: Sql = sql!(
    "INSERT INTO file (feed, file, sha256, mapping, read_at, rows, added, changed, withdrawn, unchanged, past, rejected, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id"
);
const LET_IN: Sql = sql!(
    "UPDATE file SET state = 'taken', rows = $2, added = $3, changed = $4, withdrawn = $5, unchanged = $6, past = $7,
         rejected = $8, mapping = $9 WHERE id = $1 AND state = 'held' RETURNING id"
);
const TELL: Sql = sql!(
    "INSERT INTO event (at, tenant, hire_id, file_id, what, why)
     SELECT $1, $2, t.hire_id, $3, t.verdict, coalesce(t.why, '') FROM staged t
     WHERE t.verdict IN ('engaged', 'moved', 'amended', 'returned', 'withdrawn') ORDER BY t.line"
);
const TELL_VANISHED: Sql = sql!(
    "INSERT INTO event (at, tenant, hire_id, file_id, what, why)
     SELECT $1, $2, v.hire_id, $3, 'vanished', 'no longer named by the feed, whose files are whole lists'
     FROM vanishing v ORDER BY v.hire_id"
);
/// New hires are told by the file's event; those among them that need a person have one of their own. All
/// files of a poll have one time: each tells of its own.
const TELL_ATTENTION: Sql = sql!(
    "INSERT INTO event (at, tenant, hire_id, file_id, what, why)
     SELECT $1, tenant, id, $3, 'attention', coalesce(reason, '') || ': ' || what_to_do FROM hire
     WHERE state = 'attention' AND current = 1 AND feed = $2 AND first_seen = $1 AND changed = $1 AND source_file = $4
     ORDER BY id"
);
const TELL_REJECTS: Sql =
    sql!("INSERT INTO event (at, tenant, file_id, what, why) VALUES ($1, $2, $3, 'rows-rejected', $4)");
const STEP_BACK: Sql = sql!(
    "UPDATE hire SET current = 0 FROM staged t
     WHERE t.verdict = 'engaged' AND hire.id = t.hire_id AND hire.revision = t.revision AND hire.current = 1"
);
/// On SQLite in the order of the file, which needs no look-ups; on PostgreSQL by key, so that two
/// workers never wait for each other in a ring.
macro_rules! add {
    ($order:literal) => {
        concat!(
            "INSERT INTO hire (tenant, employee_id, engagement, feed, source_file, source_line, user_ref, display_name,
         manager_ref, language, start_date, start_time, zone, send_time, state, reason, what_to_do,
         start_at, send_at, window_from, window_until, day_from, day_until, look_at, first_seen, changed)
     SELECT $2, t.employee_id,
         CASE WHEN t.verdict = 'engaged' THEN 1 + (
             SELECT max(o.engagement) FROM hire o
             WHERE o.tenant = $2 AND o.employee_id = t.employee_id AND o.current = 0) ELSE 1 END,
         $3, $4, t.line, t.user_ref, t.display_name, t.manager_ref, t.language, s.start_date, s.start_time, s.zone, $5,
         CASE WHEN t.verdict = 'missed' OR s.zone = '' THEN 'attention' ELSE 'pending' END,
         CASE WHEN t.verdict = 'missed' THEN 'missed' WHEN s.zone = '' THEN 'zone-unknown' ELSE NULL END,
         CASE WHEN t.verdict = 'missed' THEN $6 WHEN s.zone = '' THEN $7 ELSE '' END,
         s.start_at, s.send_at, s.send_at, s.window_until, s.day_from, s.day_until,
         CASE WHEN t.verdict = 'missed' THEN NULL ELSE s.look_at END, $1, $1
     FROM staged t JOIN starts s ON s.id = t.start_id
     WHERE t.verdict IN ('added', 'missed', 'engaged')",
            $order
        )
    };
}
const ADD: Sql = sql!(sqlite: add!(""), postgres: add!(" ORDER BY t.employee_id"));
const MOVE: Sql = sql!(concat!(
    "UPDATE hire SET user_ref = t.user_ref, display_name = t.display_name, manager_ref = t.manager_ref,
         language = t.language, start_date = s.start_date, start_time = s.start_time, zone = s.zone, send_time = $2,
         start_at = s.start_at, send_at = s.send_at, window_from = s.send_at, window_until = s.window_until,
         day_from = s.day_from, day_until = s.day_until, source_file = $3, source_line = t.line,
         feed_status = 'active', tries = 0, revision = hire.revision + 1, changed = $1,
         look_at = CASE WHEN ",
    owes!(),
    " THEN $1
                        WHEN ",
    finished!(),
    " THEN hire.look_at
                        WHEN s.zone = '' AND ",
    at_rest!(),
    " THEN NULL
                        WHEN hire.state = 'pending' AND ",
    at_rest!(),
    " THEN s.look_at ELSE $1 END,
         state = CASE WHEN ",
    at_rest!(),
    " THEN CASE WHEN s.zone = '' THEN 'attention' ELSE 'pending' END ELSE hire.state END,
         reason = CASE WHEN ",
    at_rest!(),
    " THEN CASE WHEN s.zone = '' THEN 'zone-unknown' ELSE NULL END ELSE hire.reason END,
         what_to_do = CASE WHEN ",
    at_rest!(),
    " THEN CASE WHEN s.zone = '' THEN $4 ELSE '' END ELSE hire.what_to_do END
     FROM staged t, starts s
     WHERE t.verdict IN ('moved', 'returned') AND s.id = t.start_id
       AND hire.id = t.hire_id AND hire.revision = t.revision AND hire.current = 1"
));
const AMEND: Sql = sql!(concat!(
    "UPDATE hire SET user_ref = t.user_ref, display_name = t.display_name, manager_ref = t.manager_ref,
         language = t.language, source_file = $2, source_line = t.line, revision = hire.revision + 1, changed = $1,
         look_at = CASE WHEN ",
    finished!(),
    " OR hire.start_at IS NULL OR hire.state = 'cancelled' THEN hire.look_at ELSE $1 END
     FROM staged t
     WHERE t.verdict = 'amended' AND hire.id = t.hire_id AND hire.revision = t.revision AND hire.current = 1"
));
const WITHDRAW: Sql = sql!(concat!(
    "UPDATE hire SET feed_status = 'withdrawn', source_file = $2, source_line = t.line,
         revision = hire.revision + 1, changed = $1,
         look_at = CASE WHEN ",
    owes!(),
    " THEN $1 WHEN ",
    finished!(),
    " THEN hire.look_at WHEN ",
    at_rest!(),
    " THEN NULL ELSE $1 END,
         reason = CASE WHEN ",
    at_rest!(),
    " THEN NULL ELSE hire.reason END,
         what_to_do = CASE WHEN ",
    at_rest!(),
    " THEN '' ELSE hire.what_to_do END,
         state = CASE WHEN ",
    at_rest!(),
    " THEN 'cancelled' ELSE hire.state END
     FROM staged t
     WHERE t.verdict = 'withdrawn' AND hire.id = t.hire_id AND hire.revision = t.revision AND hire.current = 1"
));
const VANISH: Sql = sql!(concat!(
    "UPDATE hire SET feed_status = 'vanished', revision = hire.revision + 1, changed = $1, look_at = $1,
         reason = CASE WHEN ",
    at_rest!(),
    " THEN 'vanished' ELSE hire.reason END,
         what_to_do = CASE WHEN ",
    at_rest!(),
    " THEN $2 ELSE hire.what_to_do END,
         state = CASE WHEN ",
    at_rest!(),
    " THEN 'attention' ELSE hire.state END
     FROM vanishing v WHERE hire.id = v.hire_id AND hire.revision = v.revision AND hire.current = 1"
));
pub(super) const SUPERSEDE: Sql = sql!(
    "UPDATE file SET state = 'superseded' WHERE feed = $1 AND state = 'held' AND id < $2
     RETURNING id, file, sha256, mapping, read_at, state, rows, added, changed, withdrawn, unchanged, past, rejected"
);
pub(super) const TELL_FILE: Sql =
    sql!("INSERT INTO event (at, tenant, file_id, what, why, by_whom) VALUES ($1, $2, $3, $4, $5, $6)");
const NEW_REJECTS: Sql = sql!(
    "SELECT CAST(count(*) AS BIGINT) FROM digests d WHERE NOT EXISTS (
         SELECT 1 FROM known_reject k WHERE k.feed = $1 AND k.digest = d.digest)"
);
const FORGET_REJECTS: Sql = sql!("DELETE FROM known_reject WHERE feed = $1");
const KEEP_REJECTS: Sql =
    sql!("INSERT INTO known_reject (feed, digest) SELECT $1, digest FROM digests ORDER BY digest");

const MISSED_REMEDY: &str = "first named after the start was over; if the person still needs a pass, `firstpass hire retry`, else nothing is to do";

/// One file, for its row and its event.
#[derive(Debug, Clone)]
pub struct Taken<'a> {
    /// Name in the drop folder.
    pub file: &'a str,
    /// Of its bytes, hex.
    pub sha256: &'a str,
    /// Fingerprint of the feed's settings.
    pub mapping: String,
    /// Rows of the file.
    pub rows: u64,
    /// What was judged.
    pub counts: Counts,
    /// Wall time at which passes of this feed are sent.
    pub send_time: NaiveTime,
    /// The row of a held file that is let in now.
    pub held: Option<i64>,
    /// Held files of the feed before it give way: it has rows, and they are not rejected ones dropped again.
    pub supersedes: bool,
    /// Who let it in, or `firstpass`.
    pub by: &'a str,
    /// Why, for the event.
    pub why: &'a str,
}

impl Taken<'_> {
    /// Held files with a smaller row id give way to this one.
    pub(super) fn beyond(&self, id: i64) -> i64 {
        if self.supersedes { id } else { 0 }
    }
}

/// A file is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Held files whose place it took.
    pub superseded: Vec<KnownFile>,
    /// Rejects that the newest file before did not have.
    pub new_rejects: u64,
}

impl Staging {
    /// Writes what was judged. `None`: a hire changed meanwhile, nothing was written, judge anew.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn apply(&mut self, now: DateTime<Utc>, taken: &Taken<'_>) -> Result<Option<Applied>, StoreError> {
        self.remember().await?;
        self.begin().await?;
        match self.write(now, taken).await {
            Ok(Some(applied)) => {
                self.end("COMMIT").await?;
                Ok(Some(applied))
            }
            Ok(None) => {
                self.end("ROLLBACK").await?;
                Ok(None)
            }
            Err(error) => {
                // The connection may be gone; the first error says more.
                let _ = self.end("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        let text = match &self.link {
            Link::Sqlite(_) => "BEGIN IMMEDIATE",
            Link::Postgres(_) => "BEGIN",
        };
        self.end(text).await
    }

    async fn end(&mut self, text: &'static str) -> Result<(), StoreError> {
        on_link!(&mut self.link, |db, _text| sqlx::query(text).execute(db).await?.rows_affected());
        Ok(())
    }

    async fn write(&mut self, now: DateTime<Utc>, taken: &Taken<'_>) -> Result<Option<Applied>, StoreError> {
        let (feed, tenant) = (self.feed.clone(), self.tenant.clone());
        let at = ms(now);
        let send_time = taken.send_time.format("%H:%M:%S").to_string();
        let on_record = self.tally.changes_people_on_record();
        let applied = on_link!(&mut self.link, |db, text| {
            let file_id: Option<i64> = match taken.held {
                Some(held) => let_in(sqlx::query_scalar(text(LET_IN)), taken, held).fetch_optional(&mut *db).await?,
                None => {
                    file_row(sqlx::query_scalar(text(INSERT_FILE)), &feed, taken, at, "taken")
                        .fetch_optional(&mut *db)
                        .await?
                }
            };
            let Some(file_id) = file_id else { return Ok(None) };
            let told = if on_record {
                sqlx::query(text(TELL)).bind(at).bind(&tenant).bind(file_id).execute(&mut *db).await?.rows_affected()
            } else {
                0
            };
            let gone = sqlx::query(text(TELL_VANISHED))
                .bind(at)
                .bind(&tenant)
                .bind(file_id)
                .execute(&mut *db)
                .await?
                .rows_affected();
            let engaged =
                if on_record { sqlx::query(text(STEP_BACK)).execute(&mut *db).await?.rows_affected() } else { 0 };
            let added = sqlx::query(text(ADD))
                .bind(at)
                .bind(&tenant)
                .bind(&feed)
                .bind(taken.file)
                .bind(&send_time)
                .bind(MISSED_REMEDY)
                .bind(next::ZONE_UNKNOWN)
                .execute(&mut *db)
                .await;
            let added = match added {
                Ok(done) => done.rows_affected(),
                // Somebody else brought one of these people since we looked.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let mut changed = 0;
            if on_record {
                changed += sqlx::query(text(MOVE))
                    .bind(at)
                    .bind(&send_time)
                    .bind(taken.file)
                    .bind(next::ZONE_UNKNOWN)
                    .execute(&mut *db)
                    .await?
                    .rows_affected();
                changed += sqlx::query(text(AMEND)).bind(at).bind(taken.file).execute(&mut *db).await?.rows_affected();
                changed +=
                    sqlx::query(text(WITHDRAW)).bind(at).bind(taken.file).execute(&mut *db).await?.rows_affected();
            }
            let vanished = if gone > 0 {
                sqlx::query(text(VANISH)).bind(at).bind(next::VANISHED).execute(&mut *db).await?.rows_affected()
            } else {
                0
            };
            if added > 0 {
                let tell = sqlx::query(text(TELL_ATTENTION)).bind(at).bind(&feed).bind(file_id).bind(taken.file);
                tell.execute(&mut *db).await?;
            }
            if engaged + changed != told || vanished != gone || added != taken.counts.added {
                return Ok(None);
            }
            let superseded: Vec<KnownFile> =
                sqlx::query_as(text(SUPERSEDE)).bind(&feed).bind(taken.beyond(file_id)).fetch_all(&mut *db).await?;
            let new_rejects: i64 = sqlx::query_scalar(text(NEW_REJECTS)).bind(&feed).fetch_one(&mut *db).await?;
            sqlx::query(text(FORGET_REJECTS)).bind(&feed).execute(&mut *db).await?;
            sqlx::query(text(KEEP_REJECTS)).bind(&feed).execute(&mut *db).await?;
            sqlx::query(text(TELL_FILE))
                .bind(at)
                .bind(&tenant)
                .bind(file_id)
                .bind("file-taken")
                .bind(taken.why)
                .bind(taken.by)
                .execute(&mut *db)
                .await?;
            if new_rejects > 0 {
                sqlx::query(text(TELL_REJECTS))
                    .bind(at)
                    .bind(&tenant)
                    .bind(file_id)
                    .bind(rejects_sentence(new_rejects))
                    .execute(&mut *db)
                    .await?;
            }
            Applied { superseded, new_rejects: count(new_rejects) }
        });
        Ok(Some(applied))
    }
}

fn rejects_sentence(n: i64) -> String {
    match n {
        1 => "1 row is rejected that was not before".to_owned(),
        n => format!("{n} rows are rejected that were not before"),
    }
}

pub(super) fn file_row<'q, DB, O>(
    query: sqlx::query::QueryScalar<'q, DB, O, <DB as sqlx::Database>::Arguments>,
    feed: &str,
    taken: &Taken<'_>,
    at: i64,
    state: &'static str,
) -> sqlx::query::QueryScalar<'q, DB, O, <DB as sqlx::Database>::Arguments>
where
    DB: sqlx::Database,
    i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let counts = &taken.counts;
    query
        .bind(feed.to_owned())
        .bind(taken.file.to_owned())
        .bind(taken.sha256.to_owned())
        .bind(taken.mapping.clone())
        .bind(at)
        .bind(number(taken.rows))
        .bind(number(counts.added))
        .bind(number(counts.changed))
        .bind(number(counts.withdrawn))
        .bind(number(counts.unchanged))
        .bind(number(counts.past))
        .bind(number(counts.rejected))
        .bind(state.to_owned())
}

fn let_in<'q, DB, O>(
    query: sqlx::query::QueryScalar<'q, DB, O, <DB as sqlx::Database>::Arguments>,
    taken: &Taken<'_>,
    held: i64,
) -> sqlx::query::QueryScalar<'q, DB, O, <DB as sqlx::Database>::Arguments>
where
    DB: sqlx::Database,
    i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let counts = &taken.counts;
    query
        .bind(held)
        .bind(number(taken.rows))
        .bind(number(counts.added))
        .bind(number(counts.changed))
        .bind(number(counts.withdrawn))
        .bind(number(counts.unchanged))
        .bind(number(counts.past))
        .bind(number(counts.rejected))
        .bind(taken.mapping.clone())
}
