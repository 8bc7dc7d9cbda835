//! What a dry run shows: the lines of a judged file, and what of a known hire they change.

use sqlx::FromRow;

use super::judge::{CHANGES, OnRecord, Said, VANISHED, start};
use super::{Staging, StoreError, count, number, on_link};
use crate::rules::intake::{Change, ChangeLine, differences, start_text};

/// Rows read at once.
const PAGE: u64 = 5_000;

/// A row that changes something, beside the hire on record.
#[derive(FromRow)]
struct Changing {
    #[sqlx(flatten)]
    said: Said,
    #[sqlx(flatten)]
    known: OnRecord,
    verdict: String,
    why: Option<String>,
}

impl Changing {
    fn line(self) -> Result<ChangeLine, StoreError> {
        let line = count(self.said.line);
        let row = self.said.hire()?;
        let known = self.known.hire(&row.employee_id, row.withdrawn)?;
        let change = self.why.unwrap_or_else(|| match self.verdict.as_str() {
            "missed" => Change::Missed(row.start.clone()).to_string(),
            _ => Change::Add(row.start.clone()).to_string(),
        });
        // A withdrawal keeps the facts on record, whatever else its row says.
        let (shown, fields) = if row.withdrawn { (&known, Vec::new()) } else { (&row, differences(&known, &row)) };
        Ok(ChangeLine {
            line,
            start: start_text(&shown.start),
            display_name: shown.display_name.clone(),
            employee_id: row.employee_id.clone(),
            what: self.verdict,
            change,
            fields,
        })
    }
}

impl Staging {
    /// What would change, at most `most` lines; whom the file no longer names stands at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changes(&mut self, most: u64) -> Result<Vec<ChangeLine>, StoreError> {
        let mut lines: Vec<ChangeLine> = Vec::new();
        let mut after = 0;
        loop {
            let room = most.saturating_sub(u64::try_from(lines.len()).unwrap_or(u64::MAX)).min(PAGE);
            let page: Vec<Changing> = on_link!(&mut self.link, |db, text| sqlx::query_as(text(CHANGES))
                .bind(number(room))
                .bind(after)
                .fetch_all(db)
                .await?);
            let Some(last) = page.last() else { break };
            after = last.said.line;
            for row in page {
                lines.push(row.line()?);
            }
        }
        let left = most.saturating_sub(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        let gone: Vec<(String, String, String, String, String)> =
            on_link!(&mut self.link, |db, text| sqlx::query_as(text(VANISHED))
                .bind(number(left))
                .fetch_all(db)
                .await?);
        for (employee_id, display_name, date, time, zone) in gone {
            lines.push(ChangeLine {
                line: 0,
                employee_id,
                display_name,
                what: Change::Vanish.word().to_owned(),
                change: Change::Vanish.to_string(),
                start: start_text(&start(&date, &time, &zone)?),
                fields: Vec::new(),
            });
        }
        Ok(lines)
    }
}
