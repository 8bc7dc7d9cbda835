//! `plan`: who starts when, and what will happen at which instant.
//!
//! Reads the state, asks nobody. Days are civil days where the hires are: "today" spans 26 hours.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::end::{End, Trouble};
use super::open;
use super::out::Out;
use super::words::{at_hire, key, next_sentence, send_local, start_local, today_of, utc_text};
use crate::rules::hire::Reason;
use crate::store::HireRow;

/// Which days.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First start date, such as 2027-03-01; today where each hire is, when it is left out.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// How many days.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

/// A civil day, as ISO 8601 writes it.
fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "write the day as 2027-03-31 (year, month, day)".to_owned())
}

/// Zones reach from 12 hours behind UTC to 14 hours before it; a day more costs nothing.
const WIDEST: TimeDelta = TimeDelta::hours(38);

/// One line of `plan --json`.
#[derive(Debug, Serialize)]
struct Line {
    send_utc: Option<String>,
    send_local: String,
    start_utc: Option<String>,
    start_local: String,
    tenant: String,
    employee_id: String,
    display_name: String,
    manager: String,
    state: &'static str,
    reason: Option<&'static str>,
    /// The sentence that the text form shows.
    next: String,
}

/// Prints the plan.
pub async fn plan(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    let store = open::existing_state(&settings).await?;
    let now = open::now();
    let days = TimeDelta::days(i64::from(args.days));
    let midnight = args.from.unwrap_or_else(|| now.date_naive()).and_time(chrono::NaiveTime::MIN).and_utc();
    let span = midnight.checked_sub_signed(WIDEST).zip(midnight.checked_add_signed(days + WIDEST));
    let (from, until) =
        span.ok_or_else(|| Trouble::Usage("--from lies outside the years that can be computed".to_owned()))?;
    let mut hires = store.hires_between(from, until).await?;
    hires.retain(|hire| {
        let first = args.from.unwrap_or_else(|| today_of(hire, now));
        first.checked_add_signed(days).is_some_and(|end| (first..end).contains(&hire.start_date))
    });
    hires.sort_by(|a, b| {
        let order = |hire: &HireRow| (hire.start_date, hire.send_at, hire.tenant.clone(), hire.employee_id.clone());
        order(a).cmp(&order(b))
    });
    if out.is_json() {
        let lines: Vec<Line> = hires.iter().map(|hire| line(hire, now)).collect();
        out.document(&lines)?;
    } else {
        out.lines(by_day(&hires, args, now))?;
    }
    Ok(End::Done)
}

fn line(hire: &HireRow, now: DateTime<Utc>) -> Line {
    Line {
        send_utc: hire.send_at.map(utc_text),
        send_local: send_local(hire),
        start_utc: hire.start_at.map(utc_text),
        start_local: start_local(hire),
        tenant: hire.tenant.clone(),
        employee_id: hire.employee_id.clone(),
        display_name: hire.display_name.clone(),
        manager: manager(hire).to_owned(),
        state: hire.state.as_str(),
        reason: hire.reason.map(Reason::as_str),
        next: next_sentence(hire, now),
    }
}

/// As the directory has it; before the first look as the feed names it.
fn manager(hire: &HireRow) -> &str {
    if hire.manager_upn.is_empty() { &hire.manager_ref } else { &hire.manager_upn }
}

fn by_day(hires: &[HireRow], args: &Args, now: DateTime<Utc>) -> Vec<String> {
    if hires.is_empty() {
        let from = args.from.map_or_else(|| "today".to_owned(), |day| day.to_string());
        return vec![format!("nobody starts within {} days from {from}", args.days)];
    }
    let mut lines = Vec::new();
    let mut day = None;
    for hire in hires {
        if day.is_some_and(|day| day != hire.start_date) {
            lines.push(String::new());
        }
        if day != Some(hire.start_date) {
            lines.push(hire.start_date.format("%A %Y-%m-%d").to_string());
            day = Some(hire.start_date);
        }
        lines.extend(paragraph(hire, now));
    }
    lines
}

fn paragraph(hire: &HireRow, now: DateTime<Utc>) -> [String; 2] {
    let send = hire.send_at.map_or_else(|| "--:--".to_owned(), |at| wall_time(hire, at));
    let reason = hire.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let zone = if hire.zone.is_empty() { "zone unknown" } else { &hire.zone };
    let manager = match manager(hire) {
        "" => String::new(),
        manager => format!(", manager {manager}"),
    };
    let start = hire.start_time.format("%H:%M");
    [
        format!("  {send} send, {start} start, {zone}: {} {}{manager}", key(hire), hire.display_name),
        format!("        {}{reason}: {}", hire.state, next_sentence(hire, now)),
    ]
}

/// `07:00`, out of `2027-03-01 07:00 Europe/Berlin`.
fn wall_time(hire: &HireRow, at: DateTime<Utc>) -> String {
    at_hire(hire, at).get(11..16).unwrap_or_default().to_owned()
}
