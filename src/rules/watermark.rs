//! Watermarks: texts of one column of a database, which of two is later, and how far a feed may go on.
//!
//! A mark is a time that begins with its year, a number, or a version (`0x00000000000007D1`, SQL
//! Server's rowversion). Anything else has no order that is known here, and is never gone past. Nor is
//! a time that lies ahead: one row of the year 2099 would silence the feed for good. Numbers that are
//! times in disguise (`20990101`, epoch milliseconds) are told by the other numbers; see `number`.

mod number;

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use self::number::{Number, Numbers};

/// So far ahead a mark is believed: a day covers every time zone.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// What a mark reads as.
enum Mark<'t> {
    Number(Number<'t>),
    /// As written, and how far that is ahead of UTC where it says so.
    Time(NaiveDateTime, Option<TimeDelta>),
    /// Digits without leading zeros.
    Version(&'t str),
    Other,
}

impl<'t> Mark<'t> {
    fn of(text: &'t str) -> Self {
        if let Some(number) = Number::parse(text) {
            return Self::Number(number);
        }
        let version = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        if let Some(digits) = version.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            return if digits.is_empty() { Self::Other } else { Self::Version(digits.trim_start_matches('0')) };
        }
        time(text).map_or(Self::Other, |(at, ahead)| Self::Time(at, ahead))
    }
}

/// Whether `a` is later than `b`; an empty text is earlier than any other. Instants are compared as such
/// where both say how far from UTC they are.
///
/// ```
/// use firstpass::rules::watermark::later;
/// assert!(later("2027-03-01 07:00:00.5", "2027-03-01 07:00:00") && later("9", ""));
/// assert!(later("10.5", "9") && !later("9", "9.0") && later("100000000000000000000000000000000000000000", "7"));
/// assert!(later("2027-10-31 02:10:00+01", "2027-10-31 02:30:00+02"), "an hour that comes twice");
/// assert!(later("0x00000000000007d2", "0x00000000000007D1") && later("0x10", "0x000F"));
/// ```
pub fn later(a: &str, b: &str) -> bool {
    compare(a, b) == Ordering::Greater
}

/// Whether two marks are of one kind, so that [`later`] says something about them.
///
/// ```
/// use firstpass::rules::watermark::alike;
/// assert!(alike("7", "4711") && alike("2027-03-01", "2027-03-01T07:00Z") && alike("0x7d1", "0X0A"));
/// assert!(!alike("7", "2027-03-01") && !alike("", "7") && !alike("infinity", "infinity"));
/// ```
pub fn alike(a: &str, b: &str) -> bool {
    matches!(
        (Mark::of(a), Mark::of(b)),
        (Mark::Number(_), Mark::Number(_)) | (Mark::Time(..), Mark::Time(..)) | (Mark::Version(_), Mark::Version(_))
    )
}

/// Whether a feed may go on from this mark alone: a number, a version, or a time that is not ahead of
/// `now` by more than a day.
///
/// ```
/// use firstpass::rules::watermark::believable;
/// let now = "2027-03-01T07:00:00Z".parse().unwrap();
/// for mark in ["2027-03-01 21:00:00", "2027-03-02", "2027/03/01 07:00", "4711", "0x00000000000007D1"] {
///     assert!(believable(mark, now), "{mark}");
/// }
/// for mark in ["2099-01-01", "2027-03-02T07:00:01Z", "infinity", "12027-03-01 07:00:00", "01/03/2027", "0/16B3748"] {
///     assert!(!believable(mark, now), "{mark}");
/// }
/// ```
pub fn believable(mark: &str, now: DateTime<Utc>) -> bool {
    match Mark::of(mark) {
        Mark::Number(_) | Mark::Version(_) => true,
        Mark::Time(at, ahead) => instant(at, ahead) <= now.naive_utc() + AHEAD,
        Mark::Other => false,
    }
}

/// The marks of one reading, as they come.
///
/// ```
/// use firstpass::rules::watermark::Marks;
/// let now = "2026-11-22T07:00:00Z".parse().unwrap();
/// let of = |texts: &[&str]| {
///     let mut marks = Marks::new(now, "0");
///     texts.iter().for_each(|text| marks.add(text));
///     marks.end()
/// };
/// let some = |text: &str| Some(text.to_owned());
/// assert_eq!(of(&["2026-11-20", "2099-01-01", "2026-11-21"]), (some("2026-11-21"), some("2099-01-01")));
/// assert_eq!(of(&["20261120", "20990101", "0", "99999999"]), (some("20261120"), some("99999999")));
/// assert_eq!(of(&["1763800000000", "4070908800000"]), (some("1763800000000"), some("4070908800000")));
/// assert_eq!(of(&["20261121", "20261199", "20270000"]), (some("20270000"), None), "a sequence: not all are days");
/// assert_eq!(of(&["2000", "4070908800000"]), (some("4070908800000"), None), "a sequence: no time of ours");
/// assert_eq!(of(&["0x07D1", "0x07D3", ""]), (some("0x07D3"), None));
/// assert_eq!(of(&["7", "2026-11-20"]), (None, some("7")), "two kinds have no order");
/// ```
#[derive(Debug, Clone)]
pub struct Marks {
    now: DateTime<Utc>,
    time: Option<String>,
    version: Option<String>,
    numbers: Numbers,
    beyond: Option<String>,
}

impl Marks {
    /// None yet. `since` is what the reading began with.
    pub fn new(now: DateTime<Utc>, since: &str) -> Self {
        let mut numbers = Numbers::new(now + AHEAD);
        if let Some(since) = Number::parse(since) {
            numbers.heard_of(&since);
        }
        Self { now, time: None, version: None, numbers, beyond: None }
    }

    /// One more; an empty one says nothing.
    pub fn add(&mut self, text: &str) {
        let newest = match Mark::of(text) {
            Mark::Number(number) => return self.numbers.add(text, &number),
            Mark::Time(..) if believable(text, self.now) => &mut self.time,
            Mark::Version(_) => &mut self.version,
            Mark::Time(..) | Mark::Other => {
                if !text.is_empty() && self.beyond.as_deref().is_none_or(|beyond| text > beyond) {
                    self.beyond = Some(text.to_owned());
                }
                return;
            }
        };
        if newest.as_deref().is_none_or(|newest| later(text, newest)) {
            *newest = Some(text.to_owned());
        }
    }

    /// The newest that the feed may go on from, and one that it does not go past.
    pub fn end(self) -> (Option<String>, Option<String>) {
        let (number, beyond) = self.numbers.end();
        let beyond = self.beyond.or(beyond);
        let mut kinds = [number, self.time, self.version].into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(mixed), Some(_)) => (None, Some(mixed)),
            (newest, _) => (newest, beyond),
        }
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    match (Mark::of(a), Mark::of(b)) {
        (Mark::Number(a), Mark::Number(b)) => a.cmp(&b),
        (Mark::Time(at, Some(ahead)), Mark::Time(bt, Some(bhead))) => (at - ahead).cmp(&(bt - bhead)),
        (Mark::Time(at, _), Mark::Time(bt, _)) => at.cmp(&bt),
        (Mark::Version(a), Mark::Version(b)) => {
            (a.len(), a.to_ascii_lowercase()).cmp(&(b.len(), b.to_ascii_lowercase()))
        }
        (_, _) => a.cmp(b),
    }
}

fn instant(at: NaiveDateTime, ahead: Option<TimeDelta>) -> NaiveDateTime {
    ahead.and_then(|ahead| at.checked_sub_signed(ahead)).unwrap_or(at)
}

/// `2027-03-01`, `2027/03/01 07:00`, `2027-03-01T07:00:00.5Z`, `20270301T070000Z`, `… +05:30`.
fn time(text: &str) -> Option<(NaiveDateTime, Option<TimeDelta>)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (form, length) = match (digits, text.as_bytes().get(4)?) {
        (4, b'-') => ("%Y-%m-%d", 10),
        (4, b'/') => ("%Y/%m/%d", 10),
        (4, b'.') => ("%Y.%m.%d", 10),
        (8, _) => ("%Y%m%d", 8),
        (_, _) => return None,
    };
    let day = NaiveDate::parse_from_str(text.get(..length)?, form).ok()?;
    let rest = text.get(length..)?;
    if rest.is_empty() {
        return Some((day.and_time(NaiveTime::MIN), None));
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let clock = rest.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')).count();
    let (clock, tail) = rest.split_at_checked(clock)?;
    let forms = ["%H:%M:%S%.f", "%H:%M", "%H%M%S%.f", "%H%M"];
    let clock = forms.iter().find_map(|form| NaiveTime::parse_from_str(clock, form).ok())?;
    let tail = tail.trim_start();
    let ahead = if tail.is_empty() { None } else { Some(offset(tail)?) };
    Some((day.and_time(clock), ahead))
}

/// `Z`, `+02`, `-0330`, `+05:30`; anything else is no time that is read here.
fn offset(text: &str) -> Option<TimeDelta> {
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(TimeDelta::zero());
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        (_, _) => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let fits = matches!(digits.len(), 2 | 4 | 6) && digits.bytes().all(|b| b.is_ascii_digit());
    let part = |from: usize| digits.get(from..from + 2).and_then(|two| two.parse::<i64>().ok()).unwrap_or(0);
    let seconds = part(0) * 3600 + part(2) * 60 + part(4);
    fits.then(|| TimeDelta::seconds(sign * seconds))
}
