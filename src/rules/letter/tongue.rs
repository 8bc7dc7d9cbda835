//! Languages: which one a tag means, and times as it writes them.
//!
//! English and German are built in. Letters of an admin's own may be in any language; their times are
//! written without words, so that they are right in all of them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::rules::calendar::{self, Zone};

/// A language that firstpass itself writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// `en`.
    English,
    /// `de`.
    German,
}

const WEEKDAYS: [[&str; 2]; 7] = [
    ["Monday", "Montag"],
    ["Tuesday", "Dienstag"],
    ["Wednesday", "Mittwoch"],
    ["Thursday", "Donnerstag"],
    ["Friday", "Freitag"],
    ["Saturday", "Samstag"],
    ["Sunday", "Sonntag"],
];
const MONTHS: [[&str; 2]; 12] = [
    ["January", "Januar"],
    ["February", "Februar"],
    ["March", "März"],
    ["April", "April"],
    ["May", "Mai"],
    ["June", "Juni"],
    ["July", "Juli"],
    ["August", "August"],
    ["September", "September"],
    ["October", "Oktober"],
    ["November", "November"],
    ["December", "Dezember"],
];

impl Tongue {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language of a BCP 47 tag, if it is built in.
    ///
    /// ```
    /// use firstpass::rules::letter::Tongue;
    /// assert_eq!(Tongue::of("de_AT"), Some(Tongue::German));
    /// assert_eq!(Tongue::of("EN-gb"), Some(Tongue::English));
    /// assert_eq!(Tongue::of("fr"), None);
    /// ```
    pub fn of(tag: &str) -> Option<Self> {
        let language = primary(tag);
        Self::ALL.into_iter().find(|tongue| tongue.code() == language)
    }

    /// `en`, `de`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    fn pick([english, german]: [&'static str; 2], tongue: Self) -> &'static str {
        match tongue {
            Self::English => english,
            Self::German => german,
        }
    }
}

/// The language alone, in lower case: `de` of `de-AT` and `de_AT`. Regions choose no letter.
///
/// ```
/// use firstpass::rules::letter::primary;
/// assert_eq!((primary("de_AT").as_str(), primary(" FR ").as_str(), primary("").as_str()), ("de", "fr", ""));
/// ```
pub fn primary(tag: &str) -> String {
    tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// A moment on the clock of the hire's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    wall: NaiveDateTime,
    zone: String,
}

impl Moment {
    /// The instant, where the hire is; in UTC when the zone is gone from the data.
    pub fn at(at: DateTime<Utc>, zone: &Zone) -> Self {
        match calendar::wall(at, zone) {
            Some(wall) => Self { wall, zone: zone.to_string() },
            None => Self { wall: at.naive_utc(), zone: "UTC".to_owned() },
        }
    }

    /// A start as the feed gives it.
    pub fn civil(date: NaiveDate, time: NaiveTime, zone: &str) -> Self {
        Self { wall: date.and_time(time), zone: zone.to_owned() }
    }

    /// `Montag, 1. März 2027, 09:00 Uhr (Europe/Berlin)`; without words `2027-03-01 09:00 (Europe/Paris)`.
    pub fn words(&self, tongue: Option<Tongue>) -> String {
        let (date, time) = (self.date(tongue), self.time(tongue));
        let comma = if tongue.is_some() { "," } else { "" };
        format!("{date}{comma} {time} ({})", self.zone)
    }

    /// `Monday, 1 March 2027`, `Montag, 1. März 2027`, `2027-03-01`.
    pub(super) fn date(&self, tongue: Option<Tongue>) -> String {
        let wall = &self.wall;
        let name = |names: &[[&'static str; 2]], n: u32, tongue| {
            usize::try_from(n).ok().and_then(|n| names.get(n)).map_or("", |name| Tongue::pick(*name, tongue))
        };
        let Some(tongue) = tongue else { return wall.format("%Y-%m-%d").to_string() };
        let weekday = name(&WEEKDAYS, wall.weekday().num_days_from_monday(), tongue);
        let month = name(&MONTHS, wall.month0(), tongue);
        let dot = Tongue::pick(["", "."], tongue);
        format!("{weekday}, {}{dot} {month} {}", wall.day(), wall.year())
    }

    /// `09:00`, `09:00 Uhr`.
    pub(super) fn time(&self, tongue: Option<Tongue>) -> String {
        let time = self.wall.format("%H:%M");
        match tongue {
            Some(Tongue::German) => format!("{time} Uhr"),
            Some(Tongue::English) | None => time.to_string(),
        }
    }

    /// `2027-03-01T09:00`, for templates in other languages.
    pub(super) fn iso(&self) -> String {
        self.wall.format("%Y-%m-%dT%H:%M").to_string()
    }

    /// 1 = Monday … 7 = Sunday.
    pub(super) fn weekday(&self) -> u32 {
        self.wall.weekday().number_from_monday()
    }

    /// IANA name.
    pub(super) fn zone(&self) -> &str {
        &self.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_writes_times_its_way() {
        let at = "2027-03-01T08:00:00Z".parse().unwrap();
        let moment = Moment::at(at, &Zone::parse("Europe/Berlin").unwrap());
        assert_eq!(moment.words(Some(Tongue::English)), "Monday, 1 March 2027, 09:00 (Europe/Berlin)");
        assert_eq!(moment.words(Some(Tongue::German)), "Montag, 1. März 2027, 09:00 Uhr (Europe/Berlin)");
        assert_eq!(moment.words(None), "2027-03-01 09:00 (Europe/Berlin)");
        assert_eq!((moment.iso().as_str(), moment.weekday()), ("2027-03-01T09:00", 1));
    }

    #[test]
    fn every_day_and_month_has_its_name() {
        let mut said = std::collections::BTreeSet::new();
        for day in 0..366 {
            let date = NaiveDate::from_ymd_opt(2028, 1, 1).unwrap() + chrono::TimeDelta::days(day);
            let moment = Moment::civil(date, NaiveTime::MIN, "UTC");
            for tongue in Tongue::ALL {
                said.extend(moment.date(Some(tongue)).split([' ', ',']).map(str::to_owned));
            }
            assert_eq!(moment.date(Some(Tongue::English)), date.format("%A, %-d %B %Y").to_string());
        }
        assert!(["Samstag", "Dezember", "März", "Mai"].iter().all(|word| said.contains(*word)), "{said:?}");
    }
}
