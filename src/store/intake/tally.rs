//! How many rows have which verdict, so that no statement looks for rows that are not there: each would
//! read the whole file once more.

use std::collections::BTreeMap;

use super::{Counts, Staging, StoreError, count, on_link};
use crate::rules::intake::Weight;
use crate::rules::staged::Verdict;
use crate::store::engine::{Sql, sql};

const TALLY: Sql = sql!("SELECT verdict, CAST(count(*) AS BIGINT) FROM staged GROUP BY verdict");
const HEAVY: Sql = sql!(
    "SELECT CAST(count(*) AS BIGINT) FROM staged t JOIN hire h ON h.id = t.hire_id
     WHERE t.verdict IN ('moved', 'withdrawn') AND h.state NOT IN ('delivered', 'cancelled')"
);
const PENDING: Sql = sql!(
    "SELECT CAST(count(*) AS BIGINT) FROM hire
     WHERE feed = $1 AND tenant = $2 AND current = 1 AND state NOT IN ('delivered', 'cancelled')"
);
const N_VANISHING: Sql = sql!("SELECT CAST(count(*) AS BIGINT) FROM vanishing");

/// Rows by verdict.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Verdict, u64>);

impl Tally {
    pub(super) fn add(&mut self, verdict: Verdict) {
        *self.0.entry(verdict).or_default() += 1;
    }

    /// There are rows with one of these.
    pub(super) fn has(&self, verdicts: &[Verdict]) -> bool {
        verdicts.iter().any(|verdict| self.0.get(verdict).is_some_and(|n| *n > 0))
    }

    /// Somebody on record is changed by this file; new people and vanished ones apart.
    pub(super) fn changes_people_on_record(&self) -> bool {
        use Verdict::{Amended, Engaged, Moved, Returned, Withdrawn};
        self.has(&[Engaged, Moved, Amended, Returned, Withdrawn])
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (verdict, n) in &self.0 {
            match verdict {
                Verdict::Added | Verdict::Missed | Verdict::Engaged => counts.added += n,
                Verdict::Moved | Verdict::Amended | Verdict::Returned | Verdict::Vanished => counts.changed += n,
                Verdict::Withdrawn => counts.withdrawn += n,
                Verdict::Same | Verdict::Nothing | Verdict::Differs => counts.unchanged += n,
                Verdict::Past | Verdict::BadPast => counts.past += n,
                Verdict::Bad | Verdict::Unlike | Verdict::Foreign => counts.rejected += n,
                Verdict::Twin => counts.twins += n,
            }
        }
        counts
    }
}

impl Staging {
    /// Counts the judged rows; where no statement changed one, as they came.
    pub(super) async fn count(&mut self, rows: u64, judged: bool) -> Result<Counts, StoreError> {
        if judged {
            let tally: Vec<(String, i64)> =
                on_link!(&mut self.link, |db, text| sqlx::query_as(text(TALLY)).fetch_all(db).await?);
            self.tally = Tally::default();
            for (word, n) in tally {
                let verdict = word.parse().map_err(|_| StoreError::Corrupt(format!("a staged row is {word}")))?;
                self.tally.0.insert(verdict, count(n));
            }
        }
        let heavy: i64 = if self.tally.has(&[Verdict::Moved, Verdict::Withdrawn]) {
            on_link!(&mut self.link, |db, text| sqlx::query_scalar(text(HEAVY)).fetch_one(db).await?)
        } else {
            0
        };
        let (pending, vanished): (i64, i64) = on_link!(&mut self.link, |db, text| (
            sqlx::query_scalar(text(PENDING)).bind(&self.feed).bind(&self.tenant).fetch_one(&mut *db).await?,
            sqlx::query_scalar(text(N_VANISHING)).fetch_one(&mut *db).await?,
        ));
        let mut counts = self.tally.counts();
        counts.changed += count(vanished);
        counts.weight = Weight {
            rows,
            new: counts.added,
            changed: count(heavy),
            vanished: count(vanished),
            pending: count(pending),
        };
        Ok(counts)
    }
}
