//! What the models see, one line each: requests, passes made and deleted, letters, refusals.
//!
//! Pure, and never a code: the journal has none, and of a letter only the envelope and the subject
//! are told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::sandbox::mailbox::{Happened, Verb};
use crate::sandbox::tenant::{Kind, SIGN_IN, Seen};

/// One line; with `--json` one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `2027-03-01T06:00:00Z`.
    pub at_utc: String,
    /// `graph`, `mail`, `sandbox`.
    pub what: &'static str,
    /// The sentence.
    pub text: String,
    /// Of a request to Graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path and query, readable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// 0 when no answer was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `made` or `deleted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<&'static str>,
    /// Whose pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Recipients of a letter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Of a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where the letter lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Longer paths are cut.
const PATH: usize = 200;

impl Line {
    /// Something of the sandbox itself.
    pub fn own(at: DateTime<Utc>, text: String) -> Self {
        Self { at_utc: stamp(at), what: "sandbox", text, ..Self::default() }
    }

    /// As people read it: `06:00:00Z  graph  …`.
    pub fn shown(&self) -> String {
        let time = self.at_utc.get(11..).unwrap_or_default();
        let path = self.path.as_deref().map(short);
        let request = match (&self.method, &path, self.status) {
            (Some(method), Some(path), Some(0)) => format!("{method} {path} no answer"),
            (Some(method), Some(path), Some(status)) => format!("{method} {path} {status}"),
            _ => String::new(),
        };
        let file = self.file.as_deref().map(|file| format!("  {file}")).unwrap_or_default();
        let between = if request.is_empty() || self.text.is_empty() { "" } else { "  " };
        format!("{time}  {:<7} {request}{between}{}{file}", self.what, self.text)
    }
}

/// Without the list of members, which is the same every time.
fn short(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let query: Vec<&str> = query.split('&').filter(|part| !part.starts_with("$select=")).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A request that has ended. `upn` names an account by its object id.
pub fn request(seen: &Seen, upn: impl Fn(Uuid) -> Option<String>) -> Line {
    let path = readable(&seen.path);
    let id = path.split(['/', '?']).find_map(|part| Uuid::parse_str(part).ok()).filter(|_| seen.kind != Kind::Token);
    let user = id.and_then(upn);
    let whose = user.as_deref().unwrap_or("somebody");
    let (pass, told) = match (seen.kind, seen.applied) {
        (Kind::PassCreate, Some(201)) => (Some("made"), made(seen, whose)),
        (Kind::PassDelete, Some(204)) => (Some("deleted"), format!("the pass of {whose} is deleted")),
        (Kind::Other, Some(applied)) if path == SIGN_IN => (None, signed_in(seen, applied)),
        _ => (None, refusal(seen).or_else(|| user.clone()).unwrap_or_default()),
    };
    let fault = match (seen.faulted, told.is_empty()) {
        (true, true) => "a fault of yours",
        (true, false) => " (a fault of yours)",
        (false, _) => "",
    };
    Line {
        at_utc: stamp(seen.at),
        what: "graph",
        text: format!("{told}{fault}"),
        method: Some(seen.method.clone()),
        path: Some(path),
        status: Some(if seen.cut { 0 } else { seen.status }),
        pass,
        user,
        ..Line::default()
    }
}

fn made(seen: &Seen, whose: &str) -> String {
    let answer = seen.answer.as_ref().filter(|_| seen.status == 201);
    let member = |name: &str| answer.and_then(|answer| answer.get(name));
    let start = member("startDateTime").and_then(Value::as_str).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let minutes = member("lifetimeInMinutes").and_then(Value::as_i64).and_then(chrono::TimeDelta::try_minutes);
    let Some((start, until)) = start.and_then(|start| Some((start, start.checked_add_signed(minutes?)?))) else {
        return format!("a pass for {whose} is made, and the answer does not say so");
    };
    let uses = if member("isUsableOnce").and_then(Value::as_bool) == Some(true) { "once" } else { "several times" };
    format!("a pass for {whose} is made: {uses}, {} until {}", stamp(start), stamp(until))
}

fn signed_in(seen: &Seen, applied: u16) -> String {
    let member = |name: &str| seen.body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    match (member("user"), applied) {
        (None, _) => "the page to sign in".to_owned(),
        (Some(user), 200) => format!("{user} signs in with a code: it works"),
        (Some(user), _) => format!("{user} signs in with a code: it does not work"),
    }
}

/// Graph's code, or the token endpoint's number.
fn refusal(seen: &Seen) -> Option<String> {
    let answer = seen.answer.as_ref().filter(|_| seen.status >= 400)?;
    let code = answer.pointer("/error/code").and_then(Value::as_str).map(str::to_owned);
    let number = || answer.pointer("/error_codes/0").and_then(Value::as_u64).map(|number| format!("AADSTS{number}"));
    code.or_else(number)
}

fn readable(path: &str) -> String {
    let decoded = url::form_urlencoded::parse(format!("p={}", path.replace('&', "%26").replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, text)| text.into_owned())
        .unwrap_or_default();
    crate::rules::headers::cut(&decoded, PATH)
}

/// Something at the mail server. `folder` is where letters lie.
pub fn mail(happened: &Happened, now: DateTime<Utc>, folder: &str) -> Line {
    let line = Line { at_utc: stamp(now), what: "mail", ..Line::default() };
    match happened {
        Happened::Letter { letter, file } => {
            let subject = letter.header("Subject").unwrap_or_default();
            let holds = if letter.code().is_some() { "with the code" } else { "without a code" };
            Line {
                at_utc: stamp(letter.at),
                text: format!("a letter {holds} for {}: \"{subject}\"", letter.to.join(", ")),
                to: letter.to.clone(),
                subject: Some(subject),
                file: file.as_ref().map(|file| format!("{folder}/{file}")),
                ..line
            }
        }
        Happened::Refused { verb, reply } => Line { text: format!("{}: {reply}", word(*verb)), ..line },
        Happened::Dropped { verb } => {
            Line { text: format!("{}: the connection is closed without a word", word(*verb)), ..line }
        }
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Any | Verb::Other => "a command",
        Verb::Connect => "connection",
        Verb::Ehlo => "greeting",
        Verb::Starttls => "STARTTLS",
        Verb::Auth => "login",
        Verb::Mail => "sender",
        Verb::Rcpt => "recipient",
        Verb::Data => "before the letter",
        Verb::Body => "in the letter",
        Verb::Dot => "behind the letter",
        Verb::Rset => "RSET",
        Verb::Noop => "NOOP",
        Verb::Quit => "QUIT",
    }
}
