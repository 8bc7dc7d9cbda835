//! What a dry run shows: the lines of a judged file, and what of a known hire they change.

use sqlx::FromRow;

use super::judge::{CHANGES, VANISHED, start};
use super::{Staging, StoreError, count, number, on_link};
use crate::rules::hire::{Hire, UserRef};
use crate::rules::intake::{Change, ChangeLine, differences, start_text};

/// Rows read at once.
const PAGE: u64 = 5_000;

/// A row that changes something, beside the hire on record if there is one.
#[derive(FromRow)]
struct Changing {
    line: i64,
    employee_id: String,
    verdict: String,
    why: Option<String>,
    user_ref: String,
    display_name: String,
    manager_ref: String,
    language: String,
    withdrawn: i64,
    start_date: String,
    start_time: String,
    zone: String,
    k_user: Option<String>,
    k_name: Option<String>,
    k_manager: Option<String>,
    k_language: Option<String>,
    k_date: Option<String>,
    k_time: Option<String>,
    k_zone: Option<String>,
}

impl Changing {
    fn line(self) -> Result<ChangeLine, StoreError> {
        let row = Hire {
            employee_id: self.employee_id,
            user: UserRef::parse(&self.user_ref),
            display_name: self.display_name,
            start: start(&self.start_date, &self.start_time, &self.zone)?,
            manager: self.manager_ref,
            language: self.language,
            withdrawn: self.withdrawn != 0,
        };
        let known = match (self.k_date, self.k_time, self.k_zone) {
            (Some(date), Some(time), Some(zone)) => Some(Hire {
                employee_id: row.employee_id.clone(),
                user: UserRef::parse(&self.k_user.unwrap_or_default()),
                display_name: self.k_name.unwrap_or_default(),
                start: start(&date, &time, &zone)?,
                manager: self.k_manager.unwrap_or_default(),
                language: self.k_language.unwrap_or_default(),
                withdrawn: row.withdrawn,
            }),
            (_, _, _) => None,
        };
        let change = self.why.unwrap_or_else(|| match self.verdict.as_str() {
            "missed" => Change::Missed(row.start.clone()).to_string(),
            _ => Change::Add(row.start.clone()).to_string(),
        });
        // A withdrawal keeps the facts on record, whatever else its row says.
        let (shown, fields) = match &known {
            Some(known) if row.withdrawn => (known, Vec::new()),
            Some(known) => (&row, differences(known, &row)),
            None => (&row, Vec::new()),
        };
        Ok(ChangeLine {
            line: count(self.line),
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
            after = last.line;
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
