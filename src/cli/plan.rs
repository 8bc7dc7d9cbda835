//! `plan`: who starts when, what will happen at which instant, and what stands in the way.
//!
//! Reads the state, asks nobody. Days are civil days where the hires are: "today" spans 26 hours. One
//! command answers "what will happen on Monday, and why is Grace in attention?": hires in attention
//! stand below even when they start on another day. `--json` is the days' hires alone.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use serde::Serialize;

use super::cohort::{self, Departures};
use super::end::{End, Trouble};
use super::open;
use super::out::Out;
use super::rhythm::{self, FeedStanding};
use super::words::{at_hire, key, next_sentence, or_the_feeds, send_local, start_local, today_of, utc_text};
use crate::config::Settings;
use crate::rules::hire::{Reason, State};
use crate::store::{Gate, HireRow, Store};

/// Which days.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First start date: 2027-03-01, today, tomorrow, or the next monday, tuesday …, where each hire is.
    #[arg(long, value_name = "DATE", value_parser = from, default_value = "today")]
    from: From,
    /// How many days.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

/// The first day that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A civil day.
    Day(NaiveDate),
    /// The next day of that name, today included.
    Weekday(Weekday),
    /// Today or later by so many days, where each hire is.
    Ahead(i64),
}

impl From {
    /// The day where it is `today`.
    fn day(self, today: NaiveDate) -> NaiveDate {
        let later = |days: i64| today.checked_add_signed(TimeDelta::days(days)).unwrap_or(today);
        match self {
            Self::Day(day) => day,
            Self::Weekday(wanted) => {
                let ahead = (7 + wanted.num_days_from_monday() - today.weekday().num_days_from_monday()) % 7;
                later(i64::from(ahead))
            }
            Self::Ahead(days) => later(days),
        }
    }
}

/// A civil day as ISO 8601 writes it, `today`, `tomorrow`, or the name of a weekday.
fn from(text: &str) -> Result<From, String> {
    match text.to_ascii_lowercase().as_str() {
        "today" => return Ok(From::Ahead(0)),
        "tomorrow" => return Ok(From::Ahead(1)),
        _ => {}
    }
    if let Ok(day) = text.parse() {
        return Ok(From::Day(day));
    }
    let weekday = text.parse().map(From::Weekday);
    weekday.map_err(|_| "write the day as 2027-03-31 (year, month, day), or as today, tomorrow, monday …".to_owned())
}

/// Zones reach from 12 hours behind UTC to 14 hours before it; a day more costs nothing.
const WIDEST: TimeDelta = TimeDelta::hours(38);
const WEEK: TimeDelta = TimeDelta::days(7);

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
    let midnight = args.from.day(now.date_naive()).and_time(chrono::NaiveTime::MIN).and_utc();
    // A weekday's name may mean a day seven later where it is a day earlier or later than in UTC.
    let span = midnight.checked_sub_signed(WIDEST + WEEK).zip(midnight.checked_add_signed(days + WIDEST + WEEK));
    let (from, until) =
        span.ok_or_else(|| Trouble::Usage("--from lies outside the years that can be computed".to_owned()))?;
    let around = store.hires_between(from, until).await?;
    let departures = cohort::departures(&around, settings.mail.per_minute, now);
    let mut hires = around;
    hires.retain(|hire| {
        let first = args.from.day(today_of(hire, now));
        first.checked_add_signed(days).is_some_and(|end| (first..end).contains(&hire.start_date))
    });
    hires.sort_by(|a, b| {
        let order = |hire: &HireRow| (hire.start_date, hire.send_at, hire.tenant.clone(), hire.employee_id.clone());
        order(a).cmp(&order(b))
    });
    if out.is_json() {
        let lines: Vec<Line> = hires.iter().map(|hire| line(hire, now)).collect();
        out.document(&lines)?;
        return Ok(End::Done);
    }
    let mut lines = troubles(&settings, &store, now).await?;
    if !lines.is_empty() {
        lines.insert(0, "Look at this first:".to_owned());
        lines.push(String::new());
    }
    let in_days: BTreeSet<i64> = hires.iter().map(|hire| hire.id).collect();
    lines.extend(by_day(&hires, args, now, &departures, settings.mail.per_minute));
    lines.extend(others_in_attention(&store, &in_days, now).await?);
    out.paragraphs(lines)?;
    Ok(End::Done)
}

/// What stops or endangers every hire: a stopped tenant or mail server, a held file, a feed without files.
async fn troubles(settings: &Settings, store: &Store, now: DateTime<Utc>) -> Result<Vec<String>, Trouble> {
    let gates = store.gates().await?;
    // Feeds tell of themselves below.
    let stands = |gate: &&Gate| gate.holds(now) && !gate.name.starts_with("feed/");
    let mut lines: Vec<String> = gates
        .iter()
        .filter(stands)
        .filter_map(|gate| Some(format!("  {} is stopped: {}", gate.name, gate.stopped.as_ref()?)))
        .collect();
    let feeds = rhythm::feeds(settings, store, now).await?;
    lines.extend(feeds.iter().flat_map(FeedStanding::troubles).map(|line| format!("  {line}")));
    Ok(lines)
}

/// Of hires in attention whose start lies outside the days that are shown.
const MOST_OTHERS: usize = 20;

async fn others_in_attention(store: &Store, shown: &BTreeSet<i64>, now: DateTime<Utc>) -> Result<Vec<String>, Trouble> {
    let mut others = store.hires_in_attention().await?;
    others.retain(|hire| !shown.contains(&hire.id));
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = vec![String::new(), "Also in attention, with other start dates:".to_owned()];
    for hire in others.iter().take(MOST_OTHERS) {
        let reason = hire.reason.map(|reason| format!("{reason}: ")).unwrap_or_default();
        lines.push(format!("  {} {}, {}", key(hire), hire.display_name, start_local(hire)));
        lines.push(format!("    {reason}{}", next_sentence(hire, now)));
    }
    if let Some(more) = others.len().checked_sub(MOST_OTHERS).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more; `firstpass hire list --state attention` has all"));
    }
    Ok(lines)
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
        manager: hire.manager_upn.clone(),
        state: hire.state.as_str(),
        reason: hire.reason.map(Reason::as_str),
        next: next_sentence(hire, now),
    }
}

fn by_day(hires: &[HireRow], args: &Args, now: DateTime<Utc>, departures: &Departures, per_minute: u32) -> Vec<String> {
    if hires.is_empty() {
        let from = args.from.day(now.date_naive());
        let when = if args.days == 1 { format!("on {from}") } else { format!("within {} days from {from}", args.days) };
        return vec![format!("nobody starts {when}")];
    }
    let mut lines = Vec::new();
    for day in hires.chunk_by(|a, b| a.start_date == b.start_date) {
        let Some(first) = day.first() else { continue };
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let n = if day.len() == 1 { "1 hire starts".to_owned() } else { format!("{} hires start", day.len()) };
        lines.push(format!("{}: {n}", first.start_date.format("%A %Y-%m-%d")));
        lines.extend(departures.warning(day, per_minute));
        lines.extend(day.iter().flat_map(|hire| paragraph(hire, now)));
    }
    lines
}

/// Who; when the letter goes and the pass is usable; whom it is for; how it stands and what happens next.
fn paragraph(hire: &HireRow, now: DateTime<Utc>) -> Vec<String> {
    let mut lines = vec![String::new(), format!("  {} {}", key(hire), hire.display_name)];
    if may_still_be_sent(hire) {
        lines.extend(instants(hire, now));
        let known = !hire.manager_upn.is_empty() || !hire.manager_ref.is_empty();
        lines.extend(known.then(|| format!("    manager  {}", or_the_feeds(&hire.manager_upn, &hire.manager_ref))));
    }
    let state = match (hire.state, hire.reason) {
        (State::Pending, Some(reason)) => format!("pending, forecast {reason}"),
        (State::Attention, Some(reason)) => format!("ATTENTION {reason}"),
        (state, Some(reason)) => format!("{state}, {reason}"),
        (state, None) => state.to_string(),
    };
    lines.push(format!("    {state}: {}", next_sentence(hire, now)));
    lines
}

fn may_still_be_sent(hire: &HireRow) -> bool {
    match hire.state {
        State::Pending | State::Issuing | State::Sending => true,
        State::Attention => hire.reason.is_none_or(|reason| !reason.waits_for_retry()),
        State::Delivered | State::Held | State::Cancelled => false,
    }
}

/// A pass whose start is not a minute ahead when it is made is usable at once (contract 5).
const AHEAD: TimeDelta = TimeDelta::minutes(1);

fn instants(hire: &HireRow, now: DateTime<Utc>) -> Vec<String> {
    let (Some(send), Some(start)) = (hire.send_at, hire.start_at) else {
        return vec![format!("    start    {}", start_local(hire))];
    };
    let both = |at: DateTime<Utc>| format!("{}  ({} UTC)", at_hire_with_weekday(hire, at), at.format("%Y-%m-%d %H:%M"));
    let letter = if send > now { both(send) } else { "now".to_owned() };
    let usable = if start - send.max(now) >= AHEAD { both(start) } else { "at once, with the letter".to_owned() };
    vec![format!("    letter   {letter}"), format!("    usable   {usable}")]
}

/// `Mon 2027-03-01 07:00 Europe/Berlin`.
fn at_hire_with_weekday(hire: &HireRow, at: DateTime<Utc>) -> String {
    let text = at_hire(hire, at);
    let weekday = text.get(..10).and_then(|day| day.parse::<NaiveDate>().ok()).map(|day| day.format("%a ").to_string());
    format!("{}{text}", weekday.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_people_say_them() {
        let tuesday: NaiveDate = "2027-03-02".parse().unwrap();
        let day = |text: &str| from(text).map(|from| from.day(tuesday).to_string());
        for (text, wanted) in [
            ("2027-04-01", "2027-04-01"),
            ("today", "2027-03-02"),
            ("Tomorrow", "2027-03-03"),
            ("tuesday", "2027-03-02"),
            ("Mon", "2027-03-08"),
            ("wednesday", "2027-03-03"),
        ] {
            assert_eq!(day(text).as_deref(), Ok(wanted), "{text}");
        }
        assert!(day("03/04/2027").is_err() && day("someday").is_err());
    }
}
