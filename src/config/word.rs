//! Text → value: one function for each kind, used when the settings are checked and again when they
//! are put together.
//!
//! Values of the environment are text as written (`0123` stays `0123`); the function that wants a
//! number, a flag or a list reads it out of the text. Messages say what was expected and how to
//! write it; they never repeat a value that might be a secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{NaiveTime, Timelike};
use croner::parser::{CronParser, Seconds};
use url::Url;
use uuid::Uuid;

use super::Mailbox;
use super::keys::{FIELDS, Key, Kind, Served};
use crate::rules::calendar;
use crate::rules::dates::DateFormat;
use crate::rules::hire::MailAddress;
use crate::rules::letter;

/// A value before its kind is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// Text in the file, and dates and times there, as written.
    Text(String),
    /// The text of a variable.
    Variable(String),
    Whole(i64),
    Fraction(f64),
    Flag(bool),
    List(Vec<Raw>),
    Table(BTreeMap<String, Raw>),
}

type Parsed<T> = Result<T, String>;

impl Raw {
    fn what(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Variable(_) => "text",
            Self::Whole(_) => "a whole number",
            Self::Fraction(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    fn wanted(&self, what: &str, example: &str) -> String {
        format!("{what} is wanted here, not {}; write it as {example}", self.what())
    }
}

/// Reads TOML text such as a default of the definition.
pub(super) fn toml(text: &str) -> Parsed<Raw> {
    let parsed = toml::de::DeValue::parse(text).map_err(|error| format!("is no TOML value: {}", error.message()))?;
    Ok(super::source::raw_of(&super::source::value_of(parsed.get_ref())?, false))
}

/// Is the value of the key's kind?
pub(super) fn check(key: &Key, raw: &Raw) -> Parsed<()> {
    match key.kind {
        Kind::Text | Kind::File => plain(raw).map(drop),
        Kind::Name => name(raw).map(drop),
        Kind::Whole(least, most) => whole(raw).and_then(|n| within(&n, &least, &most, i64::to_string)),
        Kind::Share => share(raw).map(drop),
        Kind::Flag => flag(raw).map(drop),
        Kind::Span(least, most) => span(raw).and_then(|value| {
            let shown = |value: &Duration| humantime::format_duration(*value).to_string();
            within(&value, &Duration::from_secs(least), &Duration::from_secs(most), shown)
        }),
        Kind::Time => time(raw).map(drop),
        Kind::Zone => zone(raw).map(drop),
        Kind::Cron => cron(raw).map(drop),
        Kind::Origin => origin(raw).map(drop),
        Kind::Listen => listen(raw).map(drop),
        Kind::Url => super::webhook::url(raw).map(drop),
        Kind::StateUrl => state_path(raw).map(drop),
        Kind::Id => id(raw).map(drop),
        Kind::Secret => secret(raw).map(drop),
        Kind::Query => query(raw).map(drop),
        Kind::Word(words) => word(raw, words, key.served),
        Kind::Texts => texts(raw).map(drop),
        Kind::Domains => domains(raw).map(drop),
        Kind::Addresses => addresses(raw).map(drop),
        Kind::Mailbox => mailbox(raw).map(drop),
        Kind::Language => language(raw).map(drop),
        Kind::Columns => columns(raw).map(drop),
        Kind::Zones => zones(raw).map(drop),
        Kind::Encoding => encoding(raw).map(drop),
        Kind::DateFormat => date_format(raw).map(drop),
    }
}

fn within<T: PartialOrd>(value: &T, least: &T, most: &T, shown: impl Fn(&T) -> String) -> Parsed<()> {
    if value < least || value > most {
        return Err(format!("must lie between {} and {}", shown(least), shown(most)));
    }
    Ok(())
}

/// Text as written; empty is text too.
pub(super) fn text(raw: &Raw) -> Parsed<String> {
    match raw {
        Raw::Text(text) | Raw::Variable(text) => Ok(text.clone()),
        other @ (Raw::Whole(_) | Raw::Fraction(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table(_)) => {
            Err(other.wanted("text", "\"…\""))
        }
    }
}

/// Text on one line.
pub(super) fn plain(raw: &Raw) -> Parsed<String> {
    let text = text(raw)?;
    if text.chars().any(char::is_control) {
        return Err("holds a line break or another control character; write it on one line".to_owned());
    }
    Ok(text)
}

/// The text of one query, on as many lines as it likes, without the semicolon at its end.
pub(super) fn query(raw: &Raw) -> Parsed<String> {
    let text = text(raw)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("holds a control character; remove it".to_owned());
    }
    let query = text.trim_end_matches(|c: char| c.is_whitespace() || c == ';').trim_start();
    let first: String = query.trim_start_matches('(').chars().take_while(char::is_ascii_alphabetic).collect();
    let reads = ["select", "with", "values", "table"].iter().any(|word| first.eq_ignore_ascii_case(word));
    if reads { Ok(query.to_owned()) } else { Err("is no query; write one SELECT, or WITH … SELECT".to_owned()) }
}

pub(super) fn name(raw: &Raw) -> Parsed<String> {
    let text = text(raw)?;
    let good = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if good { Ok(text) } else { Err(format!("{text:?} is no name; write 1 to 64 letters, digits, . _ or -")) }
}

pub(super) fn whole(raw: &Raw) -> Parsed<i64> {
    match raw {
        Raw::Whole(number) => Ok(*number),
        Raw::Variable(text) => text.trim().parse().map_err(|_| format!("{text:?} is no whole number")),
        other @ (Raw::Text(_) | Raw::Fraction(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table(_)) => {
            Err(other.wanted("a whole number", "20, without quotes"))
        }
    }
}

pub(super) fn share(raw: &Raw) -> Parsed<f64> {
    let number = match raw {
        Raw::Fraction(number) => *number,
        Raw::Whole(0) => 0.0,
        Raw::Whole(1) => 1.0,
        Raw::Variable(text) => text.trim().parse().map_err(|_| format!("{text:?} is no number"))?,
        other @ (Raw::Whole(_) | Raw::Text(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table(_)) => {
            return Err(other.wanted("a share from 0 to 1", "0.2, without quotes"));
        }
    };
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("must lie between 0 and 1".to_owned()) }
}

pub(super) fn flag(raw: &Raw) -> Parsed<bool> {
    match raw {
        Raw::Flag(flag) => Ok(*flag),
        Raw::Variable(text) => text.trim().parse().map_err(|_| format!("{text:?} is neither true nor false")),
        other @ (Raw::Text(_) | Raw::Whole(_) | Raw::Fraction(_) | Raw::List(_) | Raw::Table(_)) => {
            Err(other.wanted("true or false", "true, without quotes"))
        }
    }
}

pub(super) fn span(raw: &Raw) -> Parsed<Duration> {
    let text = text(raw).map_err(|_| raw.wanted("a duration", "\"8h\" or \"1h 30m\""))?;
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("{text:?} is no duration ({error}); write it as 30s, 8h, 1h 30m or 7d"))
}

pub(super) fn time(raw: &Raw) -> Parsed<NaiveTime> {
    let text = text(raw).map_err(|_| raw.wanted("a wall time", "\"07:00\""))?;
    let parsed = NaiveTime::parse_from_str(&text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(&text, "%H:%M:%S"));
    match parsed {
        // chrono reads 23:59:60 as a leap second.
        Ok(time) if time.nanosecond() < 1_000_000_000 => Ok(time),
        Ok(_) | Err(_) => Err(format!("{text:?} is no wall time; write it as 07:00, from 00:00 to 23:59")),
    }
}

pub(super) fn zone(raw: &Raw) -> Parsed<calendar::Zone> {
    calendar::Zone::parse(&text(raw)?).map_err(|error| error.to_string())
}

pub(super) fn cron(raw: &Raw) -> Parsed<String> {
    let text = text(raw)?;
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(&text)
        .map(|_| text.clone())
        .map_err(|error| format!("{text:?} is no cron text with seconds ({error}); six fields are wanted, as 0 * * * * * for every minute"))
}

pub(super) fn origin(raw: &Raw) -> Parsed<Url> {
    let text = text(raw)?;
    let url = Url::parse(&text).map_err(|error| format!("{text:?} is no URL ({error})"))?;
    // Url adds "/" to an origin without a path.
    let bare = url.scheme() == "https"
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if bare {
        Ok(url)
    } else {
        Err("must be a bare https origin, as https://localhost:8443: no path, query or user".to_owned())
    }
}

/// The path behind `sqlite:`, as written.
/// Where health and metrics are asked; empty: nowhere. Port 0 is any free one, which the log names.
pub(super) fn listen(raw: &Raw) -> Parsed<Option<SocketAddr>> {
    let text = plain(raw)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!("{text:?} is no address with a port; write 127.0.0.1:9464, [::1]:9464, 0.0.0.0:9464 for every address of this machine, or \"\" for no port")
    })
}

pub(super) fn state_path(raw: &Raw) -> Parsed<String> {
    let text = plain(raw)?;
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return Err("PostgreSQL is not served by this version; write sqlite: and a path".to_owned());
    }
    let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest)).unwrap_or_default();
    if path.is_empty() || path.starts_with(':') || path.contains(['?', '%']) {
        return Err("write sqlite: and the path of a file, as sqlite:/var/lib/firstpass/state.db".to_owned());
    }
    Ok(path.to_owned())
}

pub(super) fn id(raw: &Raw) -> Parsed<Uuid> {
    let text = text(raw)?;
    Uuid::try_parse(&text)
        .map_err(|_| "not an id; write it as Entra shows it, as 11111111-2222-3333-4444-555555555555".to_owned())
}

/// The path as written. Entra's own secrets hold a `~`, and no path here starts with one.
pub(super) fn secret(raw: &Raw) -> Parsed<String> {
    let text = plain(raw)?;
    if text.trim().is_empty() {
        return Err("must name a file".to_owned());
    }
    if text.contains('~') || text.starts_with("-----BEGIN") {
        return Err("looks like the secret itself (or a path with ~); put the secret into a file and write that file's full path here".to_owned());
    }
    Ok(text)
}

/// Names the words that are served, where an unknown one stands.
fn word(raw: &Raw, words: &[&str], served: Served) -> Parsed<()> {
    let text = text(raw)?;
    if words.contains(&text.as_str()) {
        return Ok(());
    }
    let offered = match served {
        Served::Only(words) => words,
        Served::Fully | Served::NotYet | Served::NoEffect => words,
    };
    Err(format!("{text:?} is not known here; write {}", offered.join(" or ")))
}

pub(super) fn texts(raw: &Raw) -> Parsed<Vec<String>> {
    match raw {
        Raw::List(list) => list.iter().map(plain).collect(),
        Raw::Variable(text) if text.trim_start().starts_with('[') => texts(&toml(text)?),
        Raw::Variable(text) => {
            Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
        other @ (Raw::Text(_) | Raw::Whole(_) | Raw::Fraction(_) | Raw::Flag(_) | Raw::Table(_)) => {
            Err(other.wanted("a list", "[\"…\", \"…\"]"))
        }
    }
}

pub(super) fn domains(raw: &Raw) -> Parsed<Vec<String>> {
    let domains = texts(raw)?;
    match domains.iter().find(|domain| MailAddress::parse(&format!("a@{domain}")).is_err()) {
        Some(bad) => Err(format!("{bad:?} is no mail domain; write it as contoso.example, without the @")),
        None => Ok(domains),
    }
}

pub(super) fn addresses(raw: &Raw) -> Parsed<Vec<MailAddress>> {
    texts(raw)?.iter().map(|text| address(text)).collect()
}

pub(super) fn mailbox(raw: &Raw) -> Parsed<Mailbox> {
    let text = plain(raw)?;
    let (name, address) = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", text.trim()),
    };
    let address = self::address(address)
        .map_err(|text| format!("{text}; write it as Onboarding <onboarding@contoso.example>"))?;
    Ok(Mailbox { name: name.to_owned(), address })
}

/// The tag as written.
pub(super) fn language(raw: &Raw) -> Parsed<String> {
    let text = plain(raw)?;
    let language = letter::primary(&text);
    if (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase()) {
        return Ok(text);
    }
    Err(format!("{text:?} is no language; write its two letters, as de or en"))
}

fn address(text: &str) -> Parsed<MailAddress> {
    MailAddress::parse(text).map_err(|bad| format!("{text:?} is no mail address ({})", bad.0))
}

fn table(raw: &Raw) -> Parsed<BTreeMap<String, String>> {
    match raw {
        Raw::Table(table) => table.iter().map(|(name, value)| Ok((name.clone(), plain(value)?))).collect(),
        Raw::Variable(text) => match toml(text)? {
            Raw::Variable(_) => Err("a table is wanted here".to_owned()),
            read @ (Raw::Table(_) | Raw::Text(_) | Raw::Whole(_) | Raw::Fraction(_) | Raw::Flag(_) | Raw::List(_)) => {
                table(&read)
            }
        },
        other @ (Raw::Text(_) | Raw::Whole(_) | Raw::Fraction(_) | Raw::Flag(_) | Raw::List(_)) => {
            Err(other.wanted("a table", "{ name = \"…\" }"))
        }
    }
}

pub(super) fn columns(raw: &Raw) -> Parsed<BTreeMap<String, String>> {
    let columns = table(raw)?;
    for (field, header) in &columns {
        if !FIELDS.contains(&field.as_str()) {
            let likeness = |known: &&&str| strsim::normalized_damerau_levenshtein(known, field);
            let nearest = FIELDS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).copied().unwrap_or_default();
            return Err(format!("{field:?} is no field of a feed; did you mean {nearest}? (field = header)"));
        }
        if header.is_empty() && ["employee_id", "start_date"].contains(&field.as_str()) {
            return Err(format!("{field} is needed and cannot be left out"));
        }
    }
    Ok(columns)
}

pub(super) fn zones(raw: &Raw) -> Parsed<BTreeMap<String, calendar::Zone>> {
    let read = |(place, zone): (String, String)| match calendar::Zone::parse(&zone) {
        Ok(zone) => Ok((place, zone)),
        Err(error) => Err(format!("{place:?}: {error}")),
    };
    table(raw)?.into_iter().map(read).collect()
}

pub(super) fn encoding(raw: &Raw) -> Parsed<&'static encoding_rs::Encoding> {
    super::encodings::parse(&plain(raw)?)
}

pub(super) fn date_format(raw: &Raw) -> Parsed<DateFormat> {
    DateFormat::parse(&plain(raw)?)
}
