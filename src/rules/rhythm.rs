//! The rhythm of a feed: is its next file overdue, and may old files go now?
//!
//! Both are asked with a clock that may jump. A clock that went back starts the waiting anew instead
//! of stopping it; one that went far ahead deletes nothing before it has run so for half a day.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What is kept about one feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The newest file that was counted, by its row.
    pub file_id: Option<i64>,
    /// From here on the next file is waited for.
    pub since: DateTime<Utc>,
    /// When it was told that none came in time.
    pub told: Option<DateTime<Utc>>,
    /// The last look for files older than `keep_files`.
    pub tidied: DateTime<Utc>,
}

/// What was read last of a feed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRead {
    /// The newest file's row id, greater for each newer file; `None` while a query has brought no rows.
    pub file_id: Option<i64>,
    /// When that file was read, or the query answered.
    pub read_at: DateTime<Utc>,
}

/// The watch as it is now: a new file starts the waiting anew, and so does a clock that went back.
///
/// Whatever came counts, also a file that was held or could not be read: that is told by itself. A
/// query that answers is not silent, whatever became of its rows.
///
/// ```
/// use firstpass::rules::rhythm::{LastRead, overdue_since, watched};
/// let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let day = std::time::Duration::from_hours(24);
/// let first = watched(None, None, at("2027-03-01T00:00:00Z"));
/// assert_eq!(overdue_since(&first, day, at("2027-03-01T23:59:59Z")), None);
/// assert_eq!(overdue_since(&first, day, at("2027-03-02T06:00:00Z")), Some(at("2027-03-02T00:00:00Z")));
/// let file = LastRead { file_id: Some(1), read_at: at("2027-03-02T07:00:00Z") };
/// let again = watched(Some(first), Some(file), at("2027-03-02T07:00:01Z"));
/// assert_eq!((again.since, again.told), (at("2027-03-02T07:00:00Z"), None));
/// ```
pub fn watched(before: Option<Watch>, newest: Option<LastRead>, now: DateTime<Utc>) -> Watch {
    let file_id = newest.and_then(|file| file.file_id);
    match before {
        // A query that brings the same rows again, or none, makes no new row.
        Some(before) if before.file_id == file_id => Watch {
            since: read_again(newest, before.since, now).unwrap_or(before.since).min(now),
            told: before.told.filter(|told| *told <= now && read_again(newest, *told, now).is_none()),
            tidied: before.tidied.min(now),
            ..before
        },
        Some(before) => Watch {
            file_id,
            since: newest.map_or(now, |file| file.read_at.min(now)),
            told: None,
            tidied: before.tidied.min(now),
        },
        None => Watch { file_id, since: newest.map_or(now, |file| file.read_at.min(now)), told: None, tidied: now },
    }
}

/// When the newest file was read, if that was after `since`.
fn read_again(newest: Option<LastRead>, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    newest.map(|file| file.read_at).filter(|read_at| *read_at > since && *read_at <= now)
}

/// Since when the next file is overdue; `None` while there is time.
pub fn overdue_since(watch: &Watch, expect_every: Duration, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let every = TimeDelta::from_std(expect_every).ok()?;
    watch.since.checked_add_signed(every).filter(|due| *due <= now)
}

/// Old files are looked for so often, or as often as they are kept.
const TIDY_EVERY: TimeDelta = TimeDelta::hours(12);
/// After a longer silence the clock may have jumped, and what is deleted is gone.
const LONGEST_SILENCE: TimeDelta = TimeDelta::days(8);

/// What to do about old files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidy {
    /// It was looked for them not long ago.
    NotYet,
    /// Nothing now; the next look counts from here.
    FromHere,
    /// Those read before this instant go.
    Before(DateTime<Utc>),
}

/// Whether files that were read long ago go now.
///
/// ```
/// use firstpass::rules::rhythm::{Tidy, tidy};
/// let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let (last, month) = (at("2027-03-01T00:00:00Z"), std::time::Duration::from_hours(720));
/// assert_eq!(tidy(last, month, at("2027-03-01T11:00:00Z")), Tidy::NotYet);
/// assert_eq!(tidy(last, month, at("2027-03-01T12:00:00Z")), Tidy::Before(at("2027-01-30T12:00:00Z")));
/// assert_eq!(tidy(last, month, at("2037-03-01T00:00:00Z")), Tidy::FromHere, "off for years, or a clock that jumped");
/// ```
pub fn tidy(last: DateTime<Utc>, keep_files: Duration, now: DateTime<Utc>) -> Tidy {
    let Ok(keep) = TimeDelta::from_std(keep_files) else { return Tidy::NotYet };
    let silence = now - last;
    if silence < TIDY_EVERY.min(keep) {
        return Tidy::NotYet;
    }
    match now.checked_sub_signed(keep) {
        Some(before) if silence <= LONGEST_SILENCE => Tidy::Before(before),
        Some(_) | None => Tidy::FromHere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_clock_that_jumps_neither_stops_the_watch_nor_tells_for_good() {
        let file = Some(LastRead { file_id: Some(7), read_at: at("2037-01-01T00:00:00Z") });
        // Read while the clock was ten years ahead; then it was set right.
        let ahead = watched(None, file, at("2037-01-01T00:00:00Z"));
        let right = watched(Some(ahead), file, at("2027-01-01T00:00:00Z"));
        assert_eq!(right.since, at("2027-01-01T00:00:00Z"));
        assert!(overdue_since(&right, DAY, at("2027-01-02T00:00:00Z")).is_some(), "a day later it is missed");
        // Told while the clock was ahead: it may be told again when it is true.
        let told = Watch { told: Some(at("2037-01-01T00:00:00Z")), ..right };
        assert_eq!(watched(Some(told), file, at("2027-01-01T06:00:00Z")).told, None);
        let told = Watch { told: Some(at("2027-01-02T00:00:00Z")), ..right };
        assert_eq!(watched(Some(told), file, at("2027-01-03T00:00:00Z")).told, told.told, "once");
    }
}
