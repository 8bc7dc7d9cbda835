//! Numbers as watermarks, and which of them are times in disguise.
//!
//! Nobody says of a column of integers whether it counts changes or time. So its own numbers decide: a
//! column in which a number reads as a time of this century that is not ahead, and none up to a year
//! ahead reads as no time, holds times. Then a number beyond now is not believed. A mistake costs
//! little: nothing is lost by a mark that stays behind, the same rows are only read again.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};

/// A decimal number of any length, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number<'t> {
    negative: bool,
    /// Without zeros in front.
    whole: &'t str,
    /// Without zeros at the end.
    fraction: &'t str,
}

impl<'t> Number<'t> {
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Some(Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        let magnitude =
            (self.whole.len(), self.whole, self.fraction).cmp(&(other.whole.len(), other.whole, other.fraction));
        match (self.negative, other.negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// How a number may stand for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Parts of a second since 1970: 1, 1,000 …
    Epoch(i64),
    /// Digits of the civil day, and as many of the time as the second says: `20261122`, `20261122070000`.
    Day(usize),
}

const SCALES: [Scale; 8] = [
    Scale::Epoch(1),
    Scale::Epoch(1_000),
    Scale::Epoch(1_000_000),
    Scale::Epoch(1_000_000_000),
    Scale::Day(0),
    Scale::Day(4),
    Scale::Day(6),
    Scale::Day(9),
];

impl Scale {
    fn time(self, number: &Number<'_>) -> Option<DateTime<Utc>> {
        match self {
            Self::Epoch(parts) => {
                let value = if number.whole.is_empty() { 0 } else { number.whole.parse::<i128>().ok()? };
                let value = if number.negative { -value } else { value };
                let seconds = i64::try_from(value / i128::from(parts)).ok()?;
                DateTime::from_timestamp(seconds, 0).filter(|at| at.year() <= 9999)
            }
            Self::Day(more) => {
                let day = number.whole.get(..8).filter(|_| number.whole.len() == 8 + more)?;
                if number.negative || !number.fraction.is_empty() {
                    return None;
                }
                let day = NaiveDate::parse_from_str(day, "%Y%m%d").ok()?;
                let clock = number.whole.get(8..8 + more.min(6))?;
                let clock = match more {
                    0 => NaiveTime::MIN,
                    4 => NaiveTime::parse_from_str(clock, "%H%M").ok()?,
                    _ => NaiveTime::parse_from_str(clock, "%H%M%S").ok()?,
                };
                Some(day.and_time(clock).and_utc())
            }
        }
    }

    /// The number of this time.
    fn number(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Epoch(parts) => (i128::from(at.timestamp()) * i128::from(parts)).to_string(),
            Self::Day(more) => {
                let digits = at.format("%Y%m%d%H%M%S000").to_string();
                digits.get(..8 + more).unwrap_or(&digits).to_owned()
            }
        }
    }
}

/// What speaks for and against one scale.
#[derive(Debug, Clone)]
struct Witness {
    scale: Scale,
    /// The number that stands for a year ahead.
    horizon: String,
    /// A number up to the horizon is no time.
    refuted: bool,
    /// A number is a time of this century that is not ahead.
    shown: bool,
    /// Numbers that are times, and that are none.
    times: u64,
    others: u64,
    /// The newest that is not ahead.
    newest: Option<String>,
}

/// The numbers of one reading.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    /// Times after this lie ahead.
    until: DateTime<Utc>,
    greatest: Option<String>,
    witnesses: Vec<Witness>,
}

impl Numbers {
    pub(super) fn new(until: DateTime<Utc>) -> Self {
        let witness = |scale: Scale| Witness {
            scale,
            horizon: scale.number(until + TimeDelta::days(365)),
            refuted: false,
            shown: false,
            times: 0,
            others: 0,
            newest: None,
        };
        Self { until, greatest: None, witnesses: SCALES.into_iter().map(witness).collect() }
    }

    /// A number of the same column that is not among those of this reading.
    pub(super) fn heard_of(&mut self, number: &Number<'_>) {
        for witness in &mut self.witnesses {
            let time = witness.scale.time(number);
            witness.shown |= time.is_some_and(|at| at <= self.until && of_this_century(at));
        }
    }

    pub(super) fn add(&mut self, text: &str, number: &Number<'_>) {
        self.heard_of(number);
        let zero = number.whole.is_empty();
        for witness in &mut self.witnesses {
            let time = witness.scale.time(number);
            witness.times += u64::from(time.is_some());
            match time {
                Some(at) if at <= self.until => keep_later(&mut witness.newest, text, number),
                Some(_) => {}
                // Often stands for "never".
                None if zero => {}
                None => {
                    witness.others += 1;
                    let horizon = Number::parse(&witness.horizon);
                    witness.refuted |= horizon.is_some_and(|horizon| number.cmp(&horizon) != Ordering::Greater);
                }
            }
        }
        keep_later(&mut self.greatest, text, number);
    }

    /// The newest that is believed, and one that is not.
    pub(super) fn end(self) -> (Option<String>, Option<String>) {
        let Some(greatest) = self.greatest else { return (None, None) };
        for witness in self.witnesses {
            // Without any witness a number that reads as a day is one: few others do.
            let by_look = witness.times > 0 && witness.others == 0 && matches!(witness.scale, Scale::Day(_));
            if !witness.refuted && (witness.shown || by_look) && witness.newest.as_ref() != Some(&greatest) {
                return (witness.newest, Some(greatest));
            }
        }
        (Some(greatest), None)
    }
}

fn keep_later(newest: &mut Option<String>, text: &str, number: &Number<'_>) {
    let known = newest.as_deref().and_then(Number::parse);
    if known.is_none_or(|known| number.cmp(&known) == Ordering::Greater) {
        *newest = Some(text.to_owned());
    }
}

/// Records of changes are no older; small counters read as seconds of 1970.
fn of_this_century(at: DateTime<Utc>) -> bool {
    at.year() >= 2000
}
