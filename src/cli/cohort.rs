//! A cohort that is too large for the mail server's pace: said in `plan`, days before it happens.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::words::{at_hire, key};
use crate::rules::hire::{FeedStatus, OperatorStatus, State};
use crate::rules::pace;
use crate::store::HireRow;

/// When the letter of each hire would leave.
#[derive(Debug)]
pub struct Departures(HashMap<i64, DateTime<Utc>>);

/// Letters of all tenants share one pace, so all hires around the days in question count.
pub fn departures(hires: &[HireRow], per_minute: u32, now: DateTime<Utc>) -> Departures {
    let mut waiting: Vec<(DateTime<Utc>, i64)> =
        hires.iter().filter(|hire| waits(hire)).filter_map(|hire| Some((hire.send_at?.max(now), hire.id))).collect();
    waiting.sort_unstable();
    let due: Vec<DateTime<Utc>> = waiting.iter().map(|(at, _)| *at).collect();
    let left = pace::departures(&due, per_minute);
    Departures(waiting.into_iter().map(|(_, id)| id).zip(left).collect())
}

/// A letter is to come if nothing changes; what is in attention, held or cancelled sends none.
fn waits(hire: &HireRow) -> bool {
    let wanted = hire.operator_status == OperatorStatus::None && hire.feed_status == FeedStatus::Active;
    match hire.state {
        State::Pending | State::Issuing | State::Sending => wanted,
        State::Delivered | State::Attention | State::Held | State::Cancelled => false,
    }
}

impl Departures {
    /// For one day's hires: letters that cannot leave before their hire's start, and when the last leaves.
    pub fn warning(&self, day: &[HireRow], per_minute: u32) -> Option<String> {
        let mut leaving: Vec<(DateTime<Utc>, &HireRow)> =
            day.iter().filter_map(|hire| Some((*self.0.get(&hire.id)?, hire))).collect();
        leaving.sort_by_key(|(at, _)| *at);
        // A letter that is due after the start anyway (found late) is not the pace's fault.
        let late = |(at, hire): &&(DateTime<Utc>, &HireRow)| {
            hire.send_at.is_some_and(|send| *at > send) && hire.start_at.is_some_and(|start| *at > start)
        };
        let n_late = leaving.iter().filter(late).count();
        let (_, first_late) = leaving.iter().find(late)?;
        let (last_at, last) = leaving.last()?;
        Some(format!(
            "  WARNING: too many letters: {} are due, and mail.per_minute = {per_minute} lets the last one ({}) leave at {}. {n_late} leave after their hire's start, first that of {}. Raise mail.per_minute to what the mail server takes, or send earlier (schedule.send_at)",
            leaving.len(),
            key(last),
            at_hire(last, *last_at),
            key(first_late),
        ))
    }
}
