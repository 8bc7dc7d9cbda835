//! Whose start is over: remembered by feed, so that nobody among them is `missed` later.

use super::{Staging, StoreError, on_link};
use crate::rules::staged::Verdict;
use crate::store::engine::{Sql, sql};

/// A piece of the file by its lines: nobody waits for the write lock while a million people are remembered.
const REMEMBER: Sql = sql!(
    "INSERT INTO known_person (feed, employee_id)
     SELECT $1, t.employee_id FROM staged t
     WHERE t.verdict = 'past' AND t.employee_id <> '' AND t.line > $2 AND t.line <= $3
       AND NOT EXISTS (SELECT 1 FROM known_person k WHERE k.feed = $1 AND k.employee_id = t.employee_id)
     GROUP BY t.employee_id ON CONFLICT DO NOTHING"
);
const LAST_LINE: Sql = sql!("SELECT coalesce(max(line), 0) FROM staged");

/// Lines of one piece: some tens of milliseconds of writing.
const PIECE: i64 = 20_000;
/// Between two pieces that wrote something.
const TURN: std::time::Duration = std::time::Duration::from_millis(120);

impl Staging {
    /// Piece by piece and before the rest: should the rest fail, they are past at the next reading, too.
    pub(super) async fn remember(&mut self) -> Result<(), StoreError> {
        if !self.tally.has(&[Verdict::Past]) {
            return Ok(());
        }
        let last: i64 = on_link!(&mut self.link, |db, text| sqlx::query_scalar(text(LAST_LINE)).fetch_one(db).await?);
        let mut after = 0;
        while after < last {
            let until = after + PIECE;
            let n_new = on_link!(&mut self.link, |db, text| sqlx::query(text(REMEMBER))
                .bind(&self.feed)
                .bind(after)
                .bind(until)
                .execute(db)
                .await?
                .rows_affected());
            after = until;
            if n_new > 0 && after < last {
                // Whoever waits for the write lock looks for it every few milliseconds.
                tokio::time::sleep(TURN).await;
            }
        }
        Ok(())
    }
}
