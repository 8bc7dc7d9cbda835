//! Judging a staged file against the state: twins, people on record, past ones, vanished ones.
//!
//! Sets are judged in SQL; what a row of a person on record means is asked of
//! [`crate::rules::intake::decide`], row by row, for those rows that differ.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use super::{Counts, Staging, StoreError, count, ms, on_link};
use crate::rules::calendar::Zone;
use crate::rules::hire::{FeedStatus, Hire, Start, State, UserRef};
use crate::rules::intake::{Change, Known, decide};
use crate::rules::staged::Verdict;
use crate::store::engine::{Sql, sql};

/// A pass of this hire is out, or may be. `$1` is now.
macro_rules! live {
    ($hire:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM pass p WHERE p.hire_id = ",
            $hire,
            ".id AND (p.state IN ('intended', 'issued', 'mailing', 'condemned')",
            " OR (p.state = 'mailed' AND (p.valid_until IS NULL OR p.valid_until > $1))))"
        )
    };
}
pub(super) use live;

/// Rows per page of the differing ones.
const PAGE: i64 = 500;

const INDEX: Sql = sql!("CREATE INDEX IF NOT EXISTS staged_key ON staged (employee_id)");
const ANALYZE: Sql = sql!(sqlite: "SELECT 1", postgres: "ANALYZE staged");
const FIND_TWINS: Sql = sql!(
    "INSERT INTO twins (employee_id, first_line, same, all_past)
     SELECT employee_id, min(line), CASE WHEN min(alike) = max(alike) THEN 1 ELSE 0 END,
            min(CASE WHEN verdict IN ('past', 'bad-past') THEN 1 ELSE 0 END)
     FROM staged WHERE employee_id <> '' GROUP BY employee_id HAVING count(*) > 1"
);
const TWINS_ALIKE: Sql = sql!(
    "UPDATE staged SET verdict = 'twin' FROM twins t
     WHERE t.employee_id = staged.employee_id AND t.same = 1 AND staged.line <> t.first_line"
);
/// Unlike rows are rejected, unless all of them are past and nobody waits for a pass.
const TWINS_UNLIKE: Sql = sql!(
    "UPDATE staged SET verdict = CASE WHEN verdict IN ('bad', 'bad-past') THEN 'bad' ELSE 'unlike' END FROM twins t
     WHERE t.employee_id = staged.employee_id AND t.same = 0
       AND (t.all_past = 0 OR EXISTS (SELECT 1 FROM hire h WHERE h.tenant = $1 AND h.employee_id = staged.employee_id
                                      AND h.current = 1 AND h.state NOT IN ('delivered', 'cancelled')))"
);
const BAD_BUT_PAST: Sql = sql!(
    "UPDATE staged SET verdict = CASE WHEN EXISTS (
         SELECT 1 FROM hire h WHERE h.tenant = $1 AND h.employee_id = staged.employee_id
         AND h.current = 1 AND h.state NOT IN ('delivered', 'cancelled')) THEN 'bad' ELSE 'past' END
     WHERE verdict = 'bad-past'"
);
const ON_RECORD: Sql = sql!(
    "UPDATE staged SET hire_id = h.id, revision = h.revision, verdict = CASE
         WHEN h.feed_status = 'withdrawn' AND staged.withdrawn = 1 THEN 'same'
         WHEN h.feed_status = 'active' AND staged.withdrawn = 0 AND h.user_ref = staged.user_ref
              AND h.display_name = staged.display_name AND h.manager_ref = staged.manager_ref
              AND h.language = staged.language AND h.start_date = s.start_date AND h.start_time = s.start_time
              AND h.zone = s.zone THEN 'same'
         ELSE 'differs' END
     FROM hire h, starts s
     WHERE h.tenant = $1 AND h.employee_id = staged.employee_id AND h.current = 1 AND s.id = staged.start_id
       AND staged.verdict IN ('added', 'missed', 'past', 'nothing')"
);
const DIFFERING: Sql = sql!(concat!(
    "SELECT t.line, t.employee_id, t.user_ref, t.display_name, t.manager_ref, t.language, t.withdrawn,
            s.start_date, s.start_time, s.zone, s.start_at,
            h.feed AS k_feed, h.feed_status AS k_status, h.state AS k_state, h.user_ref AS k_user,
            h.display_name AS k_name, h.manager_ref AS k_manager, h.language AS k_language,
            h.start_date AS k_date, h.start_time AS k_time, h.zone AS k_zone,
            CASE WHEN ",
    live!("h"),
    " THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS k_live
     FROM staged t JOIN starts s ON s.id = t.start_id JOIN hire h ON h.id = t.hire_id
     WHERE t.verdict = 'differs' AND t.line > $2 ORDER BY t.line LIMIT $3"
));
const FIRST_FILE: Sql =
    sql!("SELECT CAST(count(*) AS BIGINT) FROM (SELECT 1 FROM file WHERE feed = $1 AND state = 'taken' LIMIT 1) one");
const NOT_MISSED: Sql = sql!(
    "UPDATE staged SET verdict = 'past' WHERE verdict = 'missed' AND ($1 = 1 OR EXISTS (
         SELECT 1 FROM known_person k WHERE k.feed = $2 AND k.employee_id = staged.employee_id))"
);
const FIND_VANISHED: Sql = sql!(
    "INSERT INTO vanishing (hire_id, revision)
     SELECT h.id, h.revision FROM hire h
     WHERE h.feed = $2 AND h.tenant = $4 AND h.current = 1 AND h.feed_status = 'active'
       AND h.state NOT IN ('delivered', 'cancelled')
       AND (h.day_from > $1 OR (h.day_from IS NULL AND h.start_date > $3))
       AND NOT EXISTS (SELECT 1 FROM staged t WHERE t.employee_id = h.employee_id)"
);
const REJECTS: Sql =
    sql!("SELECT line, verdict, why FROM staged WHERE verdict IN ('bad', 'unlike', 'foreign') ORDER BY line LIMIT $1");
/// Somebody new is compared with the row itself.
pub(super) const CHANGES: Sql = sql!(
    "SELECT t.line, t.employee_id, t.verdict, t.why, t.user_ref, t.display_name, t.manager_ref, t.language, t.withdrawn,
            s.start_date, s.start_time, s.zone,
            coalesce(h.user_ref, t.user_ref) AS k_user, coalesce(h.display_name, t.display_name) AS k_name,
            coalesce(h.manager_ref, t.manager_ref) AS k_manager, coalesce(h.language, t.language) AS k_language,
            coalesce(h.start_date, s.start_date) AS k_date, coalesce(h.start_time, s.start_time) AS k_time,
            coalesce(h.zone, s.zone) AS k_zone
     FROM staged t JOIN starts s ON s.id = t.start_id LEFT JOIN hire h ON h.id = t.hire_id
     WHERE t.verdict IN ('added', 'missed', 'engaged', 'moved', 'amended', 'returned', 'withdrawn') AND t.line > $2
     ORDER BY t.line LIMIT $1"
);
pub(super) const VANISHED: Sql = sql!(
    "SELECT h.employee_id, h.display_name, h.start_date, h.start_time, h.zone FROM vanishing v JOIN hire h ON h.id = v.hire_id ORDER BY h.employee_id LIMIT $1"
);

/// What a file says about one person.
#[derive(FromRow)]
pub(super) struct Said {
    pub(super) line: i64,
    employee_id: String,
    user_ref: String,
    display_name: String,
    manager_ref: String,
    language: String,
    withdrawn: i64,
    start_date: String,
    start_time: String,
    zone: String,
}

impl Said {
    pub(super) fn hire(self) -> Result<Hire, StoreError> {
        Ok(Hire {
            user: UserRef::parse(&self.user_ref),
            start: start(&self.start_date, &self.start_time, &self.zone)?,
            employee_id: self.employee_id,
            display_name: self.display_name,
            manager: self.manager_ref,
            language: self.language,
            withdrawn: self.withdrawn != 0,
        })
    }
}

/// What is on record about a person.
#[derive(FromRow)]
#[expect(clippy::struct_field_names, reason = "as the columns are called, beside those of the row")]
pub(super) struct OnRecord {
    k_user: String,
    k_name: String,
    k_manager: String,
    k_language: String,
    k_date: String,
    k_time: String,
    k_zone: String,
}

impl OnRecord {
    pub(super) fn hire(self, employee_id: &str, withdrawn: bool) -> Result<Hire, StoreError> {
        Ok(Hire {
            employee_id: employee_id.to_owned(),
            user: UserRef::parse(&self.k_user),
            start: start(&self.k_date, &self.k_time, &self.k_zone)?,
            display_name: self.k_name,
            manager: self.k_manager,
            language: self.k_language,
            withdrawn,
        })
    }
}

#[derive(FromRow)]
struct Differing {
    #[sqlx(flatten)]
    said: Said,
    #[sqlx(flatten)]
    known: OnRecord,
    start_at: Option<i64>,
    k_feed: String,
    k_status: String,
    k_state: String,
    k_live: i64,
}

pub(super) fn start(date: &str, time: &str, zone: &str) -> Result<Start, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("a start of a hire is unreadable: {date} {time} {zone}"));
    Ok(Start {
        date: date.parse::<NaiveDate>().map_err(|_| corrupt())?,
        time: time.parse::<NaiveTime>().map_err(|_| corrupt())?,
        // A zone that is gone from the data since counts as unknown.
        zone: Zone::parse(zone).ok(),
    })
}

impl Differing {
    fn judge(self, feed: &str, now: DateTime<Utc>) -> Result<(i64, Change), StoreError> {
        let line = self.said.line;
        let row = self.said.hire()?;
        let corrupt =
            |_| StoreError::Corrupt(format!("the hire {} has a word that no version writes", row.employee_id));
        let feed_status: FeedStatus = self.k_status.parse().map_err(corrupt)?;
        let state: State = self.k_state.parse().map_err(corrupt)?;
        let facts = self.known.hire(&row.employee_id, feed_status == FeedStatus::Withdrawn)?;
        let known = Known { facts, feed: self.k_feed, feed_status, state, live: self.k_live != 0 };
        let start_at = self.start_at.and_then(DateTime::from_timestamp_millis);
        Ok((line, decide(feed, &known, &row, start_at, now)))
    }
}

impl Staging {
    /// Ends loading and judges all rows. `complete`: whoever is not named has vanished.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn judge(&mut self, now: DateTime<Utc>, complete: bool, rows: u64) -> Result<Counts, StoreError> {
        let twins_possible = self.ascending.is_none();
        let (bad_past, missed) = (self.tally.has(&[Verdict::BadPast]), self.tally.has(&[Verdict::Missed]));
        let mut judged = bad_past || missed;
        on_link!(&mut self.link, |db, text| {
            sqlx::query("COMMIT").execute(&mut *db).await?;
            if complete || twins_possible {
                sqlx::query(text(INDEX)).execute(&mut *db).await?;
            }
            sqlx::query(text(ANALYZE)).execute(&mut *db).await?;
            if twins_possible && sqlx::query(text(FIND_TWINS)).execute(&mut *db).await?.rows_affected() > 0 {
                judged = true;
                sqlx::query(text(TWINS_ALIKE)).execute(&mut *db).await?;
                sqlx::query(text(TWINS_UNLIKE)).bind(&self.tenant).execute(&mut *db).await?;
            }
            if bad_past {
                sqlx::query(text(BAD_BUT_PAST)).bind(&self.tenant).execute(&mut *db).await?;
            }
            judged |= sqlx::query(text(ON_RECORD)).bind(&self.tenant).execute(&mut *db).await?.rows_affected() > 0;
            if missed {
                let earlier: i64 = sqlx::query_scalar(text(FIRST_FILE)).bind(&self.feed).fetch_one(&mut *db).await?;
                let first = i64::from(earlier == 0);
                sqlx::query(text(NOT_MISSED)).bind(first).bind(&self.feed).execute(&mut *db).await?;
            }
        });
        if judged {
            self.decide_differing(now).await?;
        }
        if complete {
            let today = now.date_naive().to_string();
            on_link!(&mut self.link, |db, text| sqlx::query(text(FIND_VANISHED))
                .bind(ms(now))
                .bind(&self.feed)
                .bind(today)
                .bind(&self.tenant)
                .execute(db)
                .await?
                .rows_affected());
        }
        self.count(rows, judged).await
    }

    async fn decide_differing(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut after = 0_i64;
        loop {
            let page: Vec<Differing> = on_link!(&mut self.link, |db, text| sqlx::query_as(text(DIFFERING))
                .bind(ms(now))
                .bind(after)
                .bind(PAGE)
                .fetch_all(db)
                .await?);
            let Some(last) = page.last() else { return Ok(()) };
            after = last.said.line;
            let mut judged = Vec::with_capacity(page.len());
            for row in page {
                judged.push(row.judge(&self.feed, now)?);
            }
            self.write_verdicts(&judged).await?;
        }
    }

    async fn write_verdicts(&mut self, judged: &[(i64, Change)]) -> Result<(), StoreError> {
        let text = verdicts(judged.len());
        on_link!(&mut self.link, |db, _text| {
            let mut update = sqlx::query(AssertSqlSafe(text));
            for (line, change) in judged {
                update = update.bind(*line).bind(Verdict::from(change).as_str()).bind(change.to_string());
            }
            update.execute(db).await?.rows_affected()
        });
        Ok(())
    }

    /// Lines to reject, at most `most`, with the reason where it is not the row's own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rejects(&mut self, most: u64) -> Result<Vec<(u64, Option<String>)>, StoreError> {
        if !self.tally.has(&[Verdict::Bad, Verdict::Unlike, Verdict::Foreign]) {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, String, Option<String>)> =
            on_link!(&mut self.link, |db, text| sqlx::query_as(text(REJECTS))
                .bind(super::number(most))
                .fetch_all(db)
                .await?);
        Ok(rows
            .into_iter()
            .map(|(line, verdict, why)| {
                let reason = match verdict.as_str() {
                    "unlike" => Some("this employee id stands in another row that says something else; correct or remove one of them".to_owned()),
                    "foreign" => Some(format!(
                        "this person {}, which says something else; correct one of the two",
                        why.unwrap_or_else(|| "belongs to another feed".to_owned())
                    )),
                    _ => None,
                };
                (count(line), reason)
            })
            .collect())
    }
}

/// `UPDATE … FROM (VALUES …)`; both engines name the columns by a common table expression.
fn verdicts(rows: usize) -> String {
    use std::fmt::Write as _;
    let mut text = "WITH judged (line, verdict, why) AS (VALUES ".to_owned();
    for row in 0..rows {
        let comma = if row == 0 { "" } else { "," };
        let n = row * 3;
        let _ = write!(text, "{comma}(CAST(${} AS BIGINT),CAST(${} AS TEXT),CAST(${} AS TEXT))", n + 1, n + 2, n + 3);
    }
    text.push_str(
        ") UPDATE staged SET verdict = judged.verdict, why = judged.why FROM judged WHERE judged.line = staged.line",
    );
    text
}
