//! Which of two watermarks is later: texts of one column of a database.
//!
//! Numbers are compared as numbers; instants of one column are written alike, so that their texts
//! sort as they do (`07:00:00` before `07:00:00.5`).

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// Whether `a` is later than `b`; an empty text is earlier than any other.
///
/// ```
/// use firstpass::rules::watermark::later;
/// assert!(later("2027-03-01 07:00:00.5", "2027-03-01 07:00:00"));
/// assert!(later("10", "9") && !later("9", "9"));
/// assert!(later("9", ""));
/// ```
pub fn later(a: &str, b: &str) -> bool {
    compare(a, b) == Ordering::Greater
}

/// Whether a feed may go on from this mark: a number, or a date or instant that is not ahead of `now`
/// by more than a day (which covers every time zone). One row of the year 2099, or PostgreSQL's
/// `infinity`, would otherwise silence the feed for good.
///
/// ```
/// use firstpass::rules::watermark::believable;
/// let now = "2027-03-01T07:00:00Z".parse().unwrap();
/// assert!(believable("2027-03-01 21:00:00", now) && believable("2027-03-02", now) && believable("4711", now));
/// assert!(!believable("2099-01-01", now) && !believable("2027-03-02T07:00:01Z", now));
/// assert!(!believable("infinity", now) && !believable("12027-03-01 07:00:00", now));
/// ```
pub fn believable(mark: &str, now: DateTime<Utc>) -> bool {
    if mark.parse::<f64>().is_ok_and(f64::is_finite) {
        return true;
    }
    let digits = mark.chars().take_while(char::is_ascii_digit).count();
    if digits < 4 || (digits > 4 && mark.chars().nth(digits) == Some('-')) {
        return false;
    }
    let day = mark.get(..10).and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
    let Some(day) = day else { return true };
    let time = mark.get(11..19).and_then(|time| NaiveTime::parse_from_str(time, "%H:%M:%S").ok());
    NaiveDateTime::new(day, time.unwrap_or_default()) <= now.naive_utc() + TimeDelta::days(1)
}

fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (_, _) => a.cmp(b),
    }
}
