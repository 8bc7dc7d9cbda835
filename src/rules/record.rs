//! One row of a feed, as text → [`Hire`] or a reason why not.
//!
//! Every text is judged here once: controls, ids, dates, zones, statuses. What passes is trusted
//! from then on. A manager's text is a cross-check and never an address to mail to (T03). Read on in
//! [`super::headers`] (which column is which field) and [`super::intake`] (what a row changes).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{NaiveDate, NaiveTime};
use serde::Serialize;

use super::calendar::Zone;
use super::dates::{DateFormat, civil_day, wall_time};
use super::flaw::{Flaw, Kind};
use super::headers::{Columns, Field, cut};
use super::hire::{Hire, Start, UserRef};
use super::places::only_zone_of_country;
use super::status::withdrawn;

/// A row as it came: the texts by column and the line it starts on (as an editor counts).
pub struct HireRecord<'a> {
    /// Line of the file, the header's is 1.
    pub line: u64,
    /// The mapping of the file.
    pub columns: &'a Columns,
    /// The row's texts.
    pub cells: &'a dyn Cells,
}

/// The texts of one row, by column counted from 0.
pub trait Cells {
    /// The text of a column; `""` beyond the last one.
    fn cell(&self, place: usize) -> &str;
    /// How many there are.
    fn count(&self) -> usize;
    /// All are known to be ASCII without a control character, as most rows are.
    fn are_plain(&self) -> bool {
        false
    }
}

impl Cells for Vec<&str> {
    fn cell(&self, place: usize) -> &str {
        self.get(place).copied().unwrap_or_default()
    }
    fn count(&self) -> usize {
        self.len()
    }
}

/// What the settings say about a feed's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRules {
    /// field = header.
    pub columns: BTreeMap<String, String>,
    /// Zones by site, city or country, in lower case.
    pub zones: BTreeMap<String, Zone>,
    /// For rows that name no zone, site, city or country.
    pub zone: Option<Zone>,
    /// Start time of rows that give none.
    pub start_at: NaiveTime,
    /// How the feed writes its dates; ISO 8601 without it.
    pub date_format: Option<DateFormat>,
}

/// A row that cannot be taken, for the report and the file of rejected rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// Line of the file, the header's is 1; of a query the row's position, the first is 1.
    pub line: u64,
    /// Of a query's row, whose position says little; empty when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    /// The header as the file writes it; empty when it concerns the whole row.
    pub column: String,
    /// The field of contract 4; empty when it concerns the whole row.
    pub field: String,
    /// A sentence: what is wrong and what to do.
    pub reason: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.employee_id.as_deref() {
            None => write!(f, "line {}", self.line)?,
            Some("") => write!(f, "row {} (no readable employee id)", self.line)?,
            Some(id) => write!(f, "row {} (employee id {id})", self.line)?,
        }
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// A rejected row, and what could be read of it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Why.
    pub reject: Reject,
    /// Readable: this person has not vanished.
    pub employee_id: Option<String>,
    /// Readable: when it is long over, the row is past and not told.
    pub date: Option<NaiveDate>,
    /// Other rows may lie inside of it: it is told whatever its date says, and the file is no whole list.
    pub may_hold_rows: bool,
}

/// Characters in one field that we use; longer ones are no ids and no names.
pub(crate) const FIELD_CHARS: usize = 256;

/// The employee id of a row, as far as it can be read; `""` when it cannot.
pub fn readable_id<'a>(record: &HireRecord<'a>) -> &'a str {
    text(record, Field::EmployeeId).unwrap_or_default()
}

/// Reads one row.
///
/// # Errors
/// [`Bad`] with a sentence.
///
/// ```
/// use firstpass::rules::{headers::Columns, record::{FeedRules, HireRecord, parse}};
/// let columns = Columns::find(&["WorkerID".into(), "HireDate".into(), "CountryCode".into()], &Default::default()).unwrap();
/// let rules = FeedRules { columns: Default::default(), zones: Default::default(), zone: None,
///                         start_at: "09:00:00".parse().unwrap(), date_format: None };
/// let hire = parse(&HireRecord { line: 2, columns: &columns, cells: &vec!["0042", "2027-03-01", "DE"] }, &rules).unwrap();
/// assert_eq!(hire.employee_id, "0042");
/// assert_eq!(hire.start.zone.unwrap().as_str(), "Europe/Berlin");
/// let bad = parse(&HireRecord { line: 3, columns: &columns, cells: &vec!["7", "03/04/2027", "DE"] }, &rules).unwrap_err();
/// assert_eq!((bad.reject.line, bad.reject.column.as_str(), bad.employee_id.as_deref()), (3, "HireDate", Some("7")));
/// ```
pub fn parse(record: &HireRecord<'_>, rules: &FeedRules) -> Result<Hire, Box<Bad>> {
    match read(record, rules) {
        Ok(hire) => Ok(hire),
        Err((field, reason)) => Err(Box::new(bad(record, rules, field, reason))),
    }
}

/// A row that is not read: what could be read of it all the same.
pub fn flawed(record: &HireRecord<'_>, rules: &FeedRules, flaw: &Flaw) -> Box<Bad> {
    let place = match flaw.kind {
        Kind::Quote(place) | Kind::Field(place) => Some(place),
        Kind::Row | Kind::Columns | Kind::Before => None,
    };
    let field = place.and_then(|place| record.columns.field_at(place));
    let mut bad = bad(record, rules, field, flaw.to_string());
    if let Some(header) = place.and_then(|place| record.columns.headers().get(place)) {
        bad.reject.column = cut(header, 60);
    }
    bad.may_hold_rows |= flaw.may_hold_rows();
    Box::new(bad)
}

type Fault = (Option<Field>, String);

fn read(record: &HireRecord<'_>, rules: &FeedRules) -> Result<Hire, Fault> {
    let (wanted, got) = (record.columns.headers().len(), record.cells.count());
    let surplus = (wanted..got).all(|place| record.cells.cell(place).is_empty());
    if got < wanted || !surplus {
        return Err((
            None,
            format!(
                "the row has {got} field{} and the header {wanted}; is a quote or a delimiter missing?",
                if got == 1 { "" } else { "s" }
            ),
        ));
    }
    no_controls(record)?;
    if !record.cells.are_plain()
        && let Some(place) = row_inside(record, rules)
    {
        let header = record.columns.headers().get(place).map_or("", String::as_str);
        let reason = format!(
            "a line in the column \"{}\" reads like a row of its own: is a quote missing in this row? Rows inside of it were not read",
            cut(header, 60)
        );
        return Err((record.columns.field_at(place), reason));
    }
    let text = |field| text(record, field);
    let employee_id = text(Field::EmployeeId)?;
    if employee_id.is_empty() {
        return Err((Some(Field::EmployeeId), "no employee id; every row needs one".to_owned()));
    }
    visible(employee_id).map_err(|reason| (Some(Field::EmployeeId), reason))?;
    if let Some(reason) = spoiled(employee_id) {
        return Err((Some(Field::EmployeeId), reason));
    }
    let start = start(record, rules)?;
    let user = text(Field::User)?;
    visible(user).map_err(|reason| (Some(Field::User), reason))?;
    if user.contains('@') && !user.is_ascii() {
        let reason =
            "a user principal name has only plain letters, and this one has others (or look-alikes); correct it";
        return Err((Some(Field::User), reason.to_owned()));
    }
    Ok(Hire {
        employee_id: employee_id.to_owned(),
        user: UserRef::parse(user),
        display_name: display_name(record)?,
        start,
        manager: named_manager(text(Field::Manager)?).to_owned(),
        language: language(text(Field::Language)?),
        withdrawn: withdrawn(text(Field::Status)?).map_err(|reason| (Some(Field::Status), reason))?,
    })
}

/// SuccessFactors writes a word where there is no manager.
fn named_manager(text: &str) -> &str {
    let nobody = ["NO_MANAGER", "NO_MGR"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if nobody { "" } else { text }
}

/// The text of a field: trimmed, without controls, of bounded length; `""` when there is none.
fn text<'a>(record: &HireRecord<'a>, field: Field) -> Result<&'a str, Fault> {
    let Some(place) = record.columns.place(field) else { return Ok("") };
    let text = record.cells.cell(place);
    if record.cells.are_plain() && text.len() <= FIELD_CHARS {
        return Ok(text.trim_ascii());
    }
    let text = text.trim();
    if text.is_ascii() && text.len() <= FIELD_CHARS && !text.bytes().any(|b| b.is_ascii_control()) {
        return Ok(text);
    }
    if let Some(odd) = text.chars().find(|c| c.is_control() || turns_text(*c)) {
        let reason =
            format!("a character that cannot be seen (U+{:04X}); write the field anew without it", u32::from(odd));
        return Err((Some(field), reason));
    }
    if text.chars().count() > FIELD_CHARS {
        return Err((Some(field), format!("longer than {FIELD_CHARS} characters")));
    }
    Ok(text)
}

/// Columns that we do not use may hold lines and tabs, but no other control (F41, F45).
fn no_controls(record: &HireRecord<'_>) -> Result<(), Fault> {
    if record.cells.are_plain() {
        return Ok(());
    }
    for place in 0..record.cells.count() {
        let text = record.cells.cell(place);
        if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
            continue;
        }
        if let Some(odd) = text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
            let header = record.columns.headers().get(place).map_or("", String::as_str);
            let field = record.columns.field_at(place);
            let place = if field.is_none() { format!(" in the column \"{}\"", cut(header, 60)) } else { String::new() };
            let reason = format!("a control character (U+{:04X}){place}; remove it", u32::from(odd));
            return Err((field, reason));
        }
    }
    Ok(())
}

/// Marks that turn the direction of text and so show another text than is there (F43).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Ids hold nothing that takes no room on the screen (F43).
fn visible(text: &str) -> Result<(), String> {
    if text.is_ascii() {
        return Ok(());
    }
    let hidden = |c: &char| {
        matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200D}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{FEFF}')
    };
    match text.chars().find(hidden) {
        Some(odd) => {
            Err(format!("a character that cannot be seen (U+{:04X}); write the field anew without it", u32::from(odd)))
        }
        None => Ok(()),
    }
}

/// What a spreadsheet or an export writes in place of an id: as a key it would stand for somebody else
/// tomorrow, or for everybody.
fn spoiled(id: &str) -> Option<String> {
    let shown = cut(id, 40);
    let upper = id.to_ascii_uppercase();
    if id.starts_with('=') {
        return Some(format!("\"{shown}\" is a spreadsheet's formula; export the values, with that column as text"));
    }
    if id.contains('"') {
        return Some(format!(
            "{shown} has a quote in it: the quotes of this row do not match; mend them in the source"
        ));
    }
    let error =
        ["#N/A", "#NV", "#REF!", "#BEZUG!", "#VALUE!", "#WERT!", "#NAME?", "#DIV/0!", "#NUM!", "#ZAHL!", "#NULL!"];
    if error.contains(&upper.as_str()) || (id.len() > 1 && id.bytes().all(|byte| byte == b'#')) {
        return Some(format!(
            "\"{shown}\" is a spreadsheet's error or a column too narrow; mend it there and export again"
        ));
    }
    if ["NULL", "(NULL)", "<NULL>", "\\N", "N/A"].contains(&upper.as_str()) {
        return Some(format!("\"{shown}\" says that there is no employee id; every row needs one"));
    }
    let (digits, power) = upper.split_once("E+")?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    (number(digits) && number(power)).then(|| {
        format!("\"{shown}\" is how a spreadsheet shortens a long number; format that column as text and export again")
    })
}

fn display_name(record: &HireRecord<'_>) -> Result<String, Fault> {
    let whole = text(record, Field::DisplayName)?;
    if !whole.is_empty() {
        return Ok(whole.to_owned());
    }
    Ok(match (text(record, Field::GivenName)?, text(record, Field::FamilyName)?) {
        (given, "") => given.to_owned(),
        ("", family) => family.to_owned(),
        (given, family) => [given, " ", family].concat(),
    })
}

fn start(record: &HireRecord<'_>, rules: &FeedRules) -> Result<Start, Fault> {
    let shared = record.columns.share(Field::StartDate, Field::StartTime);
    let (date, in_date) = civil_day(text(record, Field::StartDate)?, rules.date_format.as_ref(), shared)
        .map_err(|reason| (Some(Field::StartDate), reason))?;
    let own = if shared {
        None
    } else {
        wall_time(text(record, Field::StartTime)?).map_err(|reason| (Some(Field::StartTime), reason))?
    };
    let time = own.or(if shared { in_date } else { None }).unwrap_or(rules.start_at);
    Ok(Start { date, time, zone: zone(record, rules)? })
}

/// The row's own zone; else by site, city, country; the default only for rows that name no place.
fn zone(record: &HireRecord<'_>, rules: &FeedRules) -> Result<Option<Zone>, Fault> {
    let named = text(record, Field::Zone)?;
    if !named.is_empty() {
        return Zone::parse(named).map(Some).map_err(|error| (Some(Field::Zone), error.to_string()));
    }
    let mut place_named = false;
    for field in [Field::Site, Field::City, Field::Country] {
        let place = text(record, field)?;
        if place.is_empty() {
            continue;
        }
        place_named = true;
        if let Some(zone) = rules.zones.get(&place.to_lowercase()) {
            return Ok(Some(zone.clone()));
        }
    }
    let country = text(record, Field::Country)?;
    if let Some(zone) = only_zone_of_country(country).and_then(|name| Zone::parse(name).ok()) {
        return Ok(Some(zone));
    }
    Ok(if place_named { None } else { rules.zone.clone() })
}

/// A BCP 47 tag, or nothing: a language we cannot read is no reason to refuse a person.
fn language(text: &str) -> String {
    let tag = if text.contains('_') { Cow::Owned(text.replace('_', "-")) } else { Cow::Borrowed(text) };
    let fits = tag.len() <= 35
        && tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && tag.split('-').next().is_some_and(|main| (2..=3).contains(&main.len()));
    if fits { tag.into_owned() } else { String::new() }
}

fn bad(record: &HireRecord<'_>, rules: &FeedRules, field: Option<Field>, reason: String) -> Bad {
    let column = field.map_or("", |field| record.columns.header(field));
    let employee_id = text(record, Field::EmployeeId).ok().filter(|id| !id.is_empty()).map(str::to_owned);
    let day = |text| civil_day(text, rules.date_format.as_ref(), true).ok();
    let date = text(record, Field::StartDate).ok().and_then(day).map(|(date, _)| date);
    Bad {
        reject: Reject {
            line: record.line,
            employee_id: None,
            column: cut(column, 60),
            field: field.map_or("", Field::as_str).to_owned(),
            reason,
        },
        employee_id,
        date,
        may_hold_rows: holds_another(record, rules),
    }
}

/// A line end is lost, and two rows are one; or a quote, and a row lies in a column that nobody reads.
fn holds_another(record: &HireRecord<'_>, rules: &FeedRules) -> bool {
    let n_columns = record.columns.headers().len();
    (n_columns > 1 && record.cells.count() >= 2 * n_columns - 1) || row_inside(record, rules).is_some()
}

/// The column in which a line reads like a row of this file: as many fields, and a day where the start stands.
fn row_inside(record: &HireRecord<'_>, rules: &FeedRules) -> Option<usize> {
    let columns = record.columns;
    let start = columns.place(Field::StartDate)?;
    let is_row = |line: &str| {
        [',', ';', '\t', '|'].iter().any(|delimiter| {
            let mut cells = line.split(*delimiter);
            let day = cells.nth(start).map(|cell| cell.trim_matches(['"', ' ']));
            let n_cells = start + 1 + cells.count();
            n_cells == columns.headers().len()
                && day.is_some_and(|day| civil_day(day, rules.date_format.as_ref(), true).is_ok())
        })
    };
    (0..record.cells.count()).find(|place| {
        let text = record.cells.cell(*place);
        text.contains(['\n', '\r']) && text.split(['\n', '\r']).skip(1).any(is_row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> FeedRules {
        let zone = |name: &str| Zone::parse(name).unwrap();
        FeedRules {
            columns: BTreeMap::new(),
            zones: [("berlin".to_owned(), zone("Europe/Berlin")), ("chicago".to_owned(), zone("America/Chicago"))]
                .into(),
            zone: Some(zone("Asia/Kolkata")),
            start_at: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
            date_format: None,
        }
    }

    fn row(headers: &str, cells: &str) -> Result<Hire, Box<Bad>> {
        let headers: Vec<String> = headers.split('|').map(str::to_owned).collect();
        let columns = Columns::find(&headers, &BTreeMap::new()).unwrap();
        parse(&HireRecord { line: 2, columns: &columns, cells: &cells.split('|').collect::<Vec<_>>() }, &rules())
    }

    fn reason(headers: &str, cells: &str) -> String {
        row(headers, cells).unwrap_err().reject.reason
    }

    #[test]
    fn needed_fields_and_their_reasons() {
        let hire = row("employee_id|start_date", "1|2027-03-01T00:00:00Z").unwrap();
        assert_eq!(
            (hire.start.date.to_string(), hire.start.time.to_string()),
            ("2027-03-01".into(), "09:00:00".into())
        );
        assert!(reason("employee_id|start_date", "1|03/04/2027").contains("more than one way"));
        assert!(reason("employee_id|start_date", "1|").contains("no start date"));
        assert!(reason("employee_id|start_date", "|2027-03-01").contains("no employee id"));
        for time in ["24:00", "23:59:60", "9", "9h"] {
            assert!(
                reason("employee_id|start_date|start_time", &format!("1|2027-03-01|{time}")).contains("no time of day")
            );
        }
    }

    #[test]
    fn what_a_spreadsheet_leaves_in_place_of_an_id_is_no_id() {
        for (id, told) in [
            ("=\"0012\"", "a spreadsheet's formula"),
            ("1.2E+05", "shortens a long number"),
            ("1,23457e+11", "shortens a long number"),
            ("#N/A", "a spreadsheet's error"),
            ("#ref!", "a spreadsheet's error"),
            ("########", "too narrow"),
            ("NULL", "there is no employee id"),
            ("\\N", "there is no employee id"),
        ] {
            assert!(reason("employee_id|start_date", &format!("{id}|2027-03-01")).contains(told), "{id}");
        }
        for id in ["0012", "#12", "1E5", "E+1", "12E+x", "NULLER", "nu-11", "A=1", "#"] {
            assert!(row("employee_id|start_date", &format!("{id}|2027-03-01")).is_ok(), "{id}");
        }
    }

    #[test]
    fn one_column_may_give_day_and_time() {
        let headers = vec!["id".to_owned(), "when".to_owned()];
        let named = [("employee_id", "id"), ("start_date", "when"), ("start_time", "when")];
        let columns =
            Columns::find(&headers, &named.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).unwrap();
        let hire =
            parse(&HireRecord { line: 2, columns: &columns, cells: &vec!["1", "2027-03-01T08:30:00+05:30"] }, &rules())
                .unwrap();
        assert_eq!(hire.start.time.to_string(), "08:30:00");
    }

    #[test]
    fn zone_by_row_site_city_country_default() {
        let zone = |headers: &str, cells: &str| {
            row(&format!("employee_id|start_date|{headers}"), &format!("1|2027-03-01|{cells}"))
                .unwrap()
                .start
                .zone
                .map(|zone| zone.as_str().to_owned())
        };
        assert_eq!(zone("zone|city", "Pacific/Auckland|Berlin").as_deref(), Some("Pacific/Auckland"));
        assert_eq!(zone("site|city|country", "CHICAGO|Berlin|FR").as_deref(), Some("America/Chicago"));
        assert_eq!(zone("site|city|country", "Europe|Berlin|FR").as_deref(), Some("Europe/Berlin"));
        assert_eq!(zone("site|city|country", "Europe|Lyon|FR").as_deref(), Some("Europe/Paris"));
        assert_eq!(zone("country", "UK").as_deref(), Some("Europe/London"));
        assert_eq!(zone("country", "US"), None, "a place that gives no zone never takes the default");
        assert_eq!(zone("city", "").as_deref(), Some("Asia/Kolkata"));
        assert!(row("employee_id|start_date|zone", "1|2027-03-01|EST").is_err());
    }

    #[test]
    fn f41_f43_f44_f45_odd_characters() {
        let h = "employee_id|start_date|display_name|user|notes";
        assert!(reason(h, "1|2027-03-01|A\0da||").contains("U+0000"));
        assert!(reason(h, "1|2027-03-01|Ada||\u{1b}[31m").contains("\"notes\""));
        assert!(row(h, "1|2027-03-01|Ada||two\nlines").is_ok());
        assert!(reason(h, "1|2027-03-01|Ada\nLovelace||").contains("U+000A"));
        assert!(reason(h, "1|2027-03-01|\u{202E}adA||").contains("U+202E"));
        assert!(reason(h, "1\u{200b}2|2027-03-01|Ada||").contains("U+200B"));
        assert!(reason(h, "1|2027-03-01|Ada|\u{0430}da@contoso.example|").contains("look-alikes"));
        assert!(row(h, "1|2027-03-01|Zoë Łukasz 李||").is_ok());
        let bad = row(h, "7|2027-03-01|A\0da||").unwrap_err();
        assert_eq!(bad.employee_id.as_deref(), Some("7"), "readable: has not vanished");
        assert!(reason(h, "1|2027-03-01").contains("2 fields and the header 5"));
        assert!(row("employee_id|start_date", "1|2027-03-01||").is_ok(), "trailing delimiters (F29)");
    }

    #[test]
    fn statuses() {
        let status = |word: &str| {
            row("employee_id|start_date|status", &format!("1|2027-03-01|{word}")).map(|hire| hire.withdrawn)
        };
        for word in ["", "active", "ACTIVE", "Pre-Hire", "On Leave"] {
            assert!(!status(word).unwrap(), "{word}");
        }
        for word in ["Inactive", "Cancelled", "canceled", "No-show", "NO SHOW", "withdrawn", "Terminated"] {
            assert!(status(word).unwrap(), "{word}");
        }
        assert!(status("maybe").unwrap_err().reject.reason.contains("no status"));
    }
}
