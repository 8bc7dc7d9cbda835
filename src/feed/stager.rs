//! Parsed rows → staged rows: each with its verdict, and each distinct start once with its instants.
//!
//! Nothing here reads a file or writes the state, so every kind of feed can use it. Read on in
//! `rules::intake` (what a row means) and `rules::staged` (what is handed on).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};

use super::csv::Rules;
use crate::rules::calendar::{NoMorning, first_look, morning};
use crate::rules::hire::{Hire, Start};
use crate::rules::intake::{first_seen, is_past};
use crate::rules::record::Bad;
use crate::rules::staged::{Batch, StagedRow, StagedStart, Verdict};

/// Distinct starts remembered; a file that names more computes some twice.
const STARTS: usize = 20_000;
/// Rows handed on at once: a statement of this many is fast on both engines.
const BATCH: usize = 200;

/// The instants of a start: its number, and the start instant.
type Known = Result<(i64, Option<DateTime<Utc>>), NoMorning>;

/// Rows on their way into the staging table.
pub(crate) struct Stager<'a> {
    rules: &'a Rules,
    now: DateTime<Utc>,
    starts: HashMap<Start, Known>,
    next: i64,
    batch: Batch,
    /// Rows may lie inside of a rejected one.
    pub(crate) rows_within_rows: bool,
}

impl<'a> Stager<'a> {
    /// Nothing staged yet.
    pub(crate) fn new(rules: &'a Rules, now: DateTime<Utc>) -> Self {
        Self { rules, now, starts: HashMap::new(), next: 0, batch: Batch::default(), rows_within_rows: false }
    }

    /// The rows in hand, once there are enough of them.
    pub(crate) fn full(&mut self) -> Option<Batch> {
        (self.batch.rows.len() >= BATCH).then(|| std::mem::take(&mut self.batch))
    }

    /// The rows in hand after the last one.
    pub(crate) fn rest(self) -> Option<Batch> {
        (!self.batch.rows.is_empty()).then_some(self.batch)
    }

    /// One row: parsed, or what could be read of it.
    pub(crate) fn push(&mut self, row: Result<Hire, Box<Bad>>, line: u64) {
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        let staged = match row {
            Ok(hire) => self.good(hire, line),
            Err(bad) => {
                self.rows_within_rows |= bad.may_hold_rows;
                let date = bad.date.filter(|_| !bad.may_hold_rows);
                self.bad(bad.employee_id.unwrap_or_default(), date, line)
            }
        };
        self.batch.rows.push(staged);
    }

    fn good(&mut self, hire: Hire, line: i64) -> StagedRow {
        match self.instants(&hire.start) {
            Ok((start, start_at)) => {
                let verdict = first_seen(&hire, start_at, &self.rules.age, self.now).into();
                StagedRow { line, bad_id: String::new(), alike: alike(&hire), verdict, facts: Some((hire, start)) }
            }
            Err(NoMorning::ZoneUnknown | NoMorning::NoSuchDay | NoMorning::OutOfRange) => {
                self.bad(hire.employee_id, Some(hire.start.date), line)
            }
        }
    }

    fn bad(&self, employee_id: String, date: Option<chrono::NaiveDate>, line: i64) -> StagedRow {
        let past = date.is_some_and(|date| is_past(date, None, &self.rules.age, self.now));
        let verdict = if past && !employee_id.is_empty() { Verdict::BadPast } else { Verdict::Bad };
        StagedRow { line, bad_id: employee_id, alike: line, verdict, facts: None }
    }

    fn instants(&mut self, start: &Start) -> Known {
        if let Some(known) = self.starts.get(start) {
            return *known;
        }
        let known = self.compute(start);
        if self.starts.len() >= STARTS {
            self.starts.clear();
        }
        self.starts.insert(start.clone(), known);
        known
    }

    fn compute(&mut self, start: &Start) -> Known {
        let schedule = &self.rules.schedule;
        let morning = match morning(start, schedule.send_at) {
            Ok(morning) => Some(morning),
            Err(NoMorning::ZoneUnknown) if start.zone.is_none() => None,
            Err(error) => return Err(error),
        };
        let late = TimeDelta::from_std(schedule.late_until).unwrap_or(TimeDelta::MAX);
        self.next += 1;
        self.batch.starts.push(StagedStart {
            id: self.next,
            start: start.clone(),
            window_until: morning.as_ref().and_then(|morning| morning.start.checked_add_signed(late)),
            look_at: morning.as_ref().map(|morning| first_look(morning, schedule, self.now)),
            morning,
        });
        Ok((self.next, morning.map(|morning| morning.start)))
    }
}

/// Equal for rows whose fields say the same. Not keyed: who can write one row can write the other.
fn alike(hire: &Hire) -> i64 {
    let mut hasher = DefaultHasher::new();
    hire.hash(&mut hasher);
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}
