//! The civil day and the wall time of a row, as written.
//!
//! Only the day on the paper counts: a midnight time part is dropped, `Z` or an offset never moves
//! the day, and what can be read in two ways is refused with a sentence, never guessed (contract 4).
//! Read on in [`super::record`].

use chrono::format::{Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};

use super::headers::cut;

/// Days on which a format must read back what it wrote: each tells two parts of a date apart.
const PROBES: [(i32, u32, u32); 5] = [(2027, 3, 31), (2027, 12, 1), (2026, 11, 9), (2028, 2, 29), (1999, 1, 20)];
/// A year outside of these was written with too few or too many digits.
const YEARS: std::ops::RangeInclusive<i32> = 1000..=9999;

/// `date_format` of a feed: strftime text that names a whole day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    text: String,
    items: Vec<Item<'static>>,
}

impl DateFormat {
    /// Reads strftime text.
    ///
    /// # Errors
    /// A sentence: not strftime, two-digit years, an instant instead of a day, or no whole day.
    ///
    /// ```
    /// use firstpass::rules::dates::DateFormat;
    /// assert!(DateFormat::parse("%d/%m/%Y").is_ok());
    /// assert!(DateFormat::parse("%d.%m.%y").unwrap_err().contains("two-digit years"));
    /// assert!(DateFormat::parse("%m/%Y").unwrap_err().contains("whole day"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let items = StrftimeItems::new(text)
            .parse_to_owned()
            .map_err(|_| format!("{text:?} is no strftime format; write it as %d/%m/%Y"))?;
        let names =
            |wanted: &[Numeric]| items.iter().any(|item| matches!(item, Item::Numeric(n, _) if wanted.contains(n)));
        if names(&[Numeric::YearMod100, Numeric::IsoYearMod100]) {
            return Err(format!(
                "{text:?} has two-digit years, which are never guessed; write %Y, and have the source write four digits"
            ));
        }
        if names(&[Numeric::Timestamp]) {
            return Err(format!("{text:?} names an instant (%s), which is no civil day; write it as %d/%m/%Y"));
        }
        let format = Self { text: text.to_owned(), items };
        for (year, month, day) in PROBES {
            let Some(probe) = Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).single() else { continue };
            if format.reads_back(&probe) != Some(probe.date_naive()) {
                return Err(format!("{text:?} names no whole day: year, month and day are needed, as %d/%m/%Y"));
            }
        }
        Ok(format)
    }

    fn reads_back(&self, probe: &DateTime<Utc>) -> Option<NaiveDate> {
        let written = probe.format_with_items(self.items.iter()).to_string();
        let (read, rest) = self.read(&written)?;
        rest.is_empty().then(|| read.to_naive_date().ok()).flatten()
    }

    fn read<'a>(&self, text: &'a str) -> Option<(Parsed, &'a str)> {
        let mut parsed = Parsed::new();
        let rest = parse_and_remainder(&mut parsed, text, self.items.iter()).ok()?;
        Some((parsed, rest))
    }

    /// As the settings write it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The civil day as written, and the time part if there is one; with `format`, only by that format.
///
/// A midnight time part says nothing unless `time_wanted` (the column gives `start_time`, too).
///
/// # Errors
/// A sentence that says what is wrong and how to write it.
///
/// ```
/// use firstpass::rules::dates::{DateFormat, civil_day};
/// let (day, time) = civil_day("2027-03-01T00:00:00-11:00", None, false).unwrap();
/// assert_eq!((day.to_string().as_str(), time), ("2027-03-01", None));
/// assert!(civil_day("03/04/2027", None, false).unwrap_err().contains("more than one way"));
/// let format = DateFormat::parse("%d/%m/%Y").unwrap();
/// assert_eq!(civil_day("03/04/2027", Some(&format), false).unwrap().0.to_string(), "2027-04-03");
/// ```
pub fn civil_day(
    text: &str,
    format: Option<&DateFormat>,
    time_wanted: bool,
) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    if text.is_empty() {
        return Err("no start date; every row needs one".to_owned());
    }
    let (date, time) = match format {
        None => iso(text)?,
        Some(format) => as_set(text, format)?,
    };
    match time {
        Some(time) if !time_wanted && time != NaiveTime::MIN => Err(format!(
            "\"{}\" has a time; write the day alone, or map the column to start_time as well in the feed's `columns`",
            cut(text, 40)
        )),
        time => Ok((date, if time_wanted { time } else { None })),
    }
}

/// ISO 8601: `2027-03-01` or `20270301`, perhaps with a time and an offset.
fn iso(text: &str) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    let Some((day, rest)) = iso_day(text) else { return Err(no_iso_day(text, &cut(text, 40))) };
    let date = day.ok_or_else(|| format!("{} is no day of the calendar", cut(text, 40)))?;
    Ok((date, time_part(rest, text)?))
}

/// A text of the shape of an ISO day: the day if the calendar has it, and what stands behind it.
fn iso_day(text: &str) -> Option<(Option<NaiveDate>, &str)> {
    let digits = |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let dash = |at: usize| text.get(at..=at) == Some("-");
    let (year, month, day, end) = if dash(4) && dash(7) {
        (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?, 10)
    } else {
        (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?, 8)
    };
    let rest = text.get(end..)?;
    if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',') {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok();
    let found = year.parse::<i32>().ok().zip(number(month)).zip(number(day));
    Some((found.and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day)), rest))
}

fn no_iso_day(text: &str, shown: &str) -> String {
    if let Some(sheet) = from_a_spreadsheet(text, shown) {
        return sheet;
    }
    let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
    let what = match readings(text) {
        Readings::None if n_digits >= 3 && text.contains(['/', '.', '-', ' ']) => {
            "is no day that is known without a format"
        }
        Readings::None => return format!("\"{shown}\" is no date; write the day as 2027-03-31 (year, month, day)"),
        Readings::NoDay => return format!("\"{shown}\" is no day of the calendar, whichever part is the month"),
        Readings::One => "is no day as ISO 8601 writes it, and no other form is guessed",
        Readings::Several => "can be read in more than one way",
    };
    format!(
        "\"{shown}\" {what}; write the day as 2027-03-31 (year, month, day), \
         or say in the feed's settings how it is written, as in date_format = \"%d/%m/%Y\""
    )
}

/// In how many ways three numbers name a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readings {
    /// They are no three numbers.
    None,
    /// Not one.
    NoDay,
    One,
    /// Two orders, or two centuries.
    Several,
}

/// Year first means month, day; year last may mean either. A year of two digits has no century.
fn readings(text: &str) -> Readings {
    let parts: Vec<&str> = text.split(['/', '.', '-', ' ']).collect();
    let [first, middle, last] = parts.as_slice() else { return Readings::None };
    let number =
        |part: &str| part.parse::<u32>().ok().filter(|_| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit()));
    let Some(((a, b), c)) = number(first).zip(number(middle)).zip(number(last)) else { return Readings::None };
    let day = |year: u32, month: u32, day: u32| {
        i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
    };
    let found = match (first.len(), last.len()) {
        (4, _) => vec![day(a, b, c)],
        (_, 4) => vec![day(c, a, b), day(c, b, a)],
        (_, _) => return Readings::Several,
    };
    let mut found: Vec<NaiveDate> = found.into_iter().flatten().collect();
    found.dedup();
    match found.len() {
        0 => Readings::NoDay,
        1 => Readings::One,
        _ => Readings::Several,
    }
}

/// What a spreadsheet shows or keeps in place of a day.
fn from_a_spreadsheet(text: &str, shown: &str) -> Option<String> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'#') {
        return Some(
            "a spreadsheet writes # where a column is too narrow; make the column wider and export again".to_owned(),
        );
    }
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let number = (4..=6).contains(&whole.len()) && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    number.then(|| {
        format!("\"{shown}\" is the number by which a spreadsheet keeps a day; format that column as yyyy-mm-dd and export again")
    })
}

/// As `date_format` says, and nothing else.
fn as_set(text: &str, format: &DateFormat) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    let shown = cut(text, 40);
    let wrong = || {
        from_a_spreadsheet(text, &shown).unwrap_or_else(|| {
            format!("\"{shown}\" is no day as the feed's date_format (\"{}\") writes it", format.as_str())
        })
    };
    let (parsed, rest) = format.read(text).ok_or_else(wrong)?;
    let date = parsed.to_naive_date().map_err(|_| format!("{shown} is no day of the calendar"))?;
    if !YEARS.contains(&chrono::Datelike::year(&date)) {
        return Err(format!("\"{shown}\" has no year of four digits; which century it means is never guessed"));
    }
    // A digit left over was cut off a number: 1/3/20270.
    if rest.starts_with(|c: char| c.is_alphanumeric() && !matches!(c, 'T' | 't' | 'Z' | 'z')) {
        return Err(wrong());
    }
    let own = if parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some() {
        parsed.to_naive_time().ok()
    } else {
        None
    };
    Ok((date, own.or(time_part(rest, text)?)))
}

/// What stands behind the day: nothing, an offset, or a time with or without one.
fn time_part(rest: &str, text: &str) -> Result<Option<NaiveTime>, String> {
    let rest = rest.trim();
    let time = without_offset(rest.trim_start_matches(['T', 't']));
    if time.is_empty() {
        // `2027-03-01T` was cut off.
        return if rest.ends_with(['T', 't']) { Err(format!("\"{}\" is no date", cut(text, 40))) } else { Ok(None) };
    }
    wall_time(time)
}

/// `09:00:00.000+02:00` → `09:00:00`: what is written on the wall.
fn without_offset(text: &str) -> &str {
    let text = ["UTC", "GMT"].iter().find_map(|name| text.strip_suffix(name)).unwrap_or(text).trim_end();
    let wall = text.trim_end_matches(['Z', 'z']);
    let wall = wall.find(['+', '-']).and_then(|at| wall.get(..at)).unwrap_or(wall);
    let fraction =
        wall.find(['.', ',']).filter(|at| wall.get(at + 1..).is_some_and(|digits| digits.bytes().all(|b| b == b'0')));
    fraction.and_then(|at| wall.get(..at)).unwrap_or(wall).trim()
}

/// `9:00`, `09:00`, `09:00:00`, `9:00 AM`; empty is none. 24:00 and 23:59:60 are no wall times (F109).
///
/// # Errors
/// A sentence that says how to write it.
///
/// ```
/// use firstpass::rules::dates::wall_time;
/// assert_eq!(wall_time("9:00 pm").unwrap().unwrap().to_string(), "21:00:00");
/// assert!(wall_time("24:00").is_err());
/// ```
pub fn wall_time(text: &str) -> Result<Option<NaiveTime>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("\"{}\" is no time of day; write it as 09:00", cut(text, 40));
    let (clock, half) = halves(text);
    let mut numbers = Vec::with_capacity(3);
    for part in clock.split(':') {
        if part.is_empty() || part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        numbers.push(part.parse::<u32>().map_err(|_| wrong())?);
    }
    let hour = |written: u32| match half {
        None => Some(written),
        Some(half) if (1..=12).contains(&written) => Some(written % 12 + half),
        Some(_) => None,
    };
    let time = match numbers.as_slice() {
        [written, minute] => hour(*written).and_then(|hour| NaiveTime::from_hms_opt(hour, *minute, 0)),
        [written, minute, second] => hour(*written).and_then(|hour| NaiveTime::from_hms_opt(hour, *minute, *second)),
        _ => None,
    };
    time.map(Some).ok_or_else(wrong)
}

/// The clock's text, and the hours that `AM` or `PM` adds.
fn halves(text: &str) -> (&str, Option<u32>) {
    for (word, hours) in [("am", 0), ("pm", 12), ("a.m.", 0), ("p.m.", 12)] {
        let at = text.len().saturating_sub(word.len());
        if let (Some(clock), Some(end)) = (text.get(..at), text.get(at..))
            && end.eq_ignore_ascii_case(word)
        {
            return (clock.trim_end(), Some(hours));
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso_day_of(text: &str) -> Result<String, String> {
        civil_day(text, None, false).map(|(day, _)| day.to_string())
    }

    fn by(format: &str, text: &str) -> Result<String, String> {
        civil_day(text, Some(&DateFormat::parse(format).unwrap()), false).map(|(day, _)| day.to_string())
    }

    #[test]
    fn only_the_civil_day_counts() {
        for text in [
            "2027-03-01",
            "20270301",
            "2027-03-01T00:00:00",
            "20270301T000000".replace("T000000", "T00:00:00").as_str(),
            "2027-03-01T00:00:00Z",
            "2027-03-01 00:00:00.000-11:00",
            "2027-03-01T00:00+14:00",
            "2027-03-01 12:00:00 AM",
            "2027-03-01 00:00:00 UTC",
            // Workday writes a day with the offset of its tenant (xs:date).
            "2027-03-01-08:00",
            "2027-03-01+14:00",
            "2027-03-01Z",
        ] {
            assert_eq!(iso_day_of(text).as_deref(), Ok("2027-03-01"), "{text}");
        }
        assert!(iso_day_of("2027-03-01T08:30").unwrap_err().contains("has a time"));
        assert!(iso_day_of("2027-03-01T").is_err());
        assert!(iso_day_of("2027-02-29").unwrap_err().contains("no day of the calendar"));
        assert!(iso_day_of("01032027").unwrap_err().contains("no day of the calendar"), "1 March of the year 103?");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_never_guessed() {
        for text in ["03/04/2027", "3.4.2027", "01-02-27", "27-03-01", "1 2 2027"] {
            assert!(iso_day_of(text).unwrap_err().contains("more than one way"), "{text}");
        }
        for text in ["31/03/2027", "13/04/2027", "03/03/2027", "2027-3-1"] {
            assert!(iso_day_of(text).unwrap_err().contains("no other form is guessed"), "{text}");
        }
        for text in ["1 Mar 2027", "1-Mar-27", "+2027-03-01", "March 1, 2027"] {
            let told = iso_day_of(text).unwrap_err();
            assert!(told.contains("known without a format") && told.contains("date_format"), "{told}");
        }
        for text in ["20/20/2020", "2027-13-1", "31/02/2027", "0.0.2027"] {
            assert!(iso_day_of(text).unwrap_err().contains("no day of the calendar"), "{text}");
        }
        for text in ["46447", "46447.375", "46447,5"] {
            assert!(iso_day_of(text).unwrap_err().contains("a spreadsheet keeps a day"), "{text}");
            assert!(by("%d/%m/%Y", text).unwrap_err().contains("a spreadsheet keeps a day"), "{text}");
        }
        assert!(iso_day_of("########").unwrap_err().contains("too narrow"));
        assert!(iso_day_of("soon").unwrap_err().contains("is no date"));
        assert!(iso_day_of("2027-W09-1").is_err());
        assert!(iso_day_of("202703011").is_err());
    }

    #[test]
    fn a_date_format_is_the_only_way_to_read_a_day() {
        assert_eq!(by("%d/%m/%Y", "01/03/2027").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%d/%m/%Y", "1/3/2027").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%m/%d/%Y", "3/1/2027 12:00:00 AM").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%d.%m.%Y", "01.03.2027 00:00").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%d-%b-%Y", "01-Mar-2027").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%Y-%d-%m", "2027-01-03").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%d/%m/%Y %H:%M", "01/03/2027 00:00").as_deref(), Ok("2027-03-01"));
        assert_eq!(by("%Y-%m-%dT%H:%M:%S%z", "2027-03-01T00:00:00-1100").as_deref(), Ok("2027-03-01"));
        assert!(by("%d/%m/%Y %H:%M", "01/03/2027 08:30").unwrap_err().contains("has a time"));
        assert!(by("%d/%m/%Y", "01/03/2027 08:30").unwrap_err().contains("has a time"));
        assert!(by("%d/%m/%Y", "2027-03-01").unwrap_err().contains("date_format"), "ISO is another format");
        assert!(by("%Y-%d-%m", "2027-03-31").is_err());
        assert!(by("%d/%m/%Y", "31/02/2027").unwrap_err().contains("calendar"));
        for two in ["01/03/27", "1/3/027", "01/03/127"] {
            assert!(by("%d/%m/%Y", two).unwrap_err().contains("never guessed"), "{two}");
        }
        assert!(by("%d/%m/%Y", "01/03/20270").is_err());
        assert!(by("%d/%m/%Y", "01/03/2027x").is_err());
    }

    #[test]
    fn a_format_that_names_no_day_is_refused_at_start() {
        for good in ["%d/%m/%Y", "%Y%m%d", "%F", "%-d.%-m.%Y", "%e %B %Y", "%Y-%j", "%G-W%V-%u", "%d/%m/%Y %I:%M %p"] {
            assert!(DateFormat::parse(good).is_ok(), "{good}: {:?}", DateFormat::parse(good));
        }
        for (bad, why) in [
            ("%d.%m.%y", "two-digit years"),
            ("%D", "two-digit years"),
            ("%x", "two-digit years"),
            ("%s", "an instant"),
            ("%m/%Y", "no whole day"),
            ("%d/%m", "no whole day"),
            ("%Y", "no whole day"),
            ("%H:%M", "no whole day"),
            ("dd/mm/yyyy", "no whole day"),
            ("", "no whole day"),
            ("%d/%m/%Q", "no strftime"),
            ("%", "no strftime"),
        ] {
            let said = DateFormat::parse(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn times_of_day() {
        let time = |text: &str| wall_time(text).map(|time| time.map(|time| time.to_string()));
        assert_eq!(time("9:00").unwrap().as_deref(), Some("09:00:00"));
        assert_eq!(time("09:00:30").unwrap().as_deref(), Some("09:00:30"));
        assert_eq!(time("12:15 AM").unwrap().as_deref(), Some("00:15:00"));
        assert_eq!(time("12:15pm").unwrap().as_deref(), Some("12:15:00"));
        assert_eq!(time("9:00 p.m.").unwrap().as_deref(), Some("21:00:00"));
        assert_eq!(time("").unwrap(), None);
        for bad in ["24:00", "23:59:60", "9", "9h", "13:00 PM", "0:30 AM", "é9:00", "9:00 µm"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
