//! A file to drop: a pass at once, one in two minutes, one tomorrow morning, whatever time it is now.
//!
//! The send time is one wall time for everybody, so the places are chosen: somewhere on earth it is
//! always between seven in the morning and the evening, and somewhere before seven.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

use super::file::{TenantFile, User};
use crate::rules::calendar::{Zone, local_text};

/// Places all around the earth, at most three hours apart.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/Los_Angeles",
    "Asia/Tokyo",
    "Europe/London",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Australia/Brisbane",
    "America/Denver",
    "Pacific/Honolulu",
];

/// A file, and what it will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    /// CSV.
    pub text: String,
    /// A sentence for each row.
    pub told: Vec<String>,
}

/// Up to three people of the file who can have a pass; `None` when there is nobody.
///
/// ```
/// use firstpass::sandbox::serve::{TenantFile, today::today};
/// let file = TenantFile::parse("[[user]]\nupn = \"m@contoso.example\"\n\
///     [[user]]\nupn = \"ada@contoso.example\"\nemployee_id = \"E1\"\nmanager = \"m@contoso.example\"\n").unwrap();
/// let today = today(&file, "2027-03-01T10:20:30Z".parse().unwrap()).unwrap();
/// assert_eq!(today.text, "employee_id,user,display_name,start_date,start_time,zone\n\
///                         E1,ada@contoso.example,ada,2027-03-01,12:20,Europe/Berlin\n");
/// ```
pub fn today(file: &TenantFile, now: DateTime<Utc>) -> Option<Today> {
    let starts = [at_once(now), soon(now), tomorrow(now)];
    let can = |user: &&User| user.enabled && !user.guest && user.manager.is_some() && user.employee_id.is_some();
    let mut today =
        Today { text: "employee_id,user,display_name,start_date,start_time,zone\n".to_owned(), told: Vec::new() };
    for (user, start) in file.users.iter().filter(can).zip(starts.into_iter().flatten()) {
        let upn = user.upn.get_ref();
        let name = user.display_name.as_deref().unwrap_or_else(|| upn.split('@').next().unwrap_or_default());
        let id = user.employee_id.as_deref().unwrap_or_default();
        let (at, zone) = (start.at, &start.zone);
        // Writing to a String cannot fail.
        let _ = writeln!(
            today.text,
            "{},{},{},{},{},{zone}",
            cell(id),
            cell(upn),
            cell(name),
            at.date(),
            at.time().format("%H:%M")
        );
        today.told.push(format!("{name} starts {} {zone}: {}", at.format("%Y-%m-%d %H:%M"), start.means));
    }
    (!today.told.is_empty()).then_some(today)
}

struct Start {
    at: NaiveDateTime,
    zone: Zone,
    means: String,
}

/// Seven is over, the start is ahead, and the day is long enough.
fn at_once(now: DateTime<Utc>) -> Option<Start> {
    let (local, zone) = place(now, 8, 20)?;
    Some(Start {
        at: local + TimeDelta::hours(1),
        zone,
        means: "a pass at once, for it is past 07:00 there".to_owned(),
    })
}

/// Before seven: a start that is earlier than the send time is the send time.
fn soon(now: DateTime<Utc>) -> Option<Start> {
    let (local, zone) = place(now, 1, 5)?;
    // The next whole minute but one: between two and three minutes ahead.
    let at = local + TimeDelta::minutes(3);
    let means = format!("a pass at {}, two minutes from now; the start is before 07:00 there", at.format("%H:%M"));
    Some(Start { at, zone, means })
}

fn tomorrow(now: DateTime<Utc>) -> Option<Start> {
    let (local, zone) = place(now, 0, 24)?;
    let at = (local.date() + TimeDelta::days(1)).and_time(NaiveTime::from_hms_opt(9, 0, 0)?);
    Some(Start { at, zone, means: "a pass tomorrow at 07:00 there".to_owned() })
}

/// The first place where the hour is in this range, and the wall time there, whole minutes.
fn place(now: DateTime<Utc>, from: u32, until: u32) -> Option<(NaiveDateTime, Zone)> {
    ZONES.iter().filter_map(|name| Zone::parse(name).ok()).find_map(|zone| {
        let text = local_text(now, &zone);
        let local = NaiveDateTime::parse_from_str(text.get(..16)?, "%Y-%m-%d %H:%M").ok()?;
        (from..until).contains(&local.hour()).then_some((local, zone))
    })
}

/// Quoted when it must be.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minute_of_a_day_has_its_places() {
        for month in ["2027-01-15", "2027-07-15"] {
            let midnight: DateTime<Utc> = format!("{month}T00:00:00Z").parse().unwrap();
            for minute in 0..24 * 60 {
                let now = midnight + TimeDelta::minutes(minute);
                let (once, soon) = (at_once(now).unwrap(), soon(now).unwrap());
                assert!(once.at.hour() >= 9 && soon.at.hour() < 7, "{now}: {} {}", once.at, soon.at);
            }
        }
    }
}
