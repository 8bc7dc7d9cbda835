//! Faults as words: `pass-create lost-answer`, `any 429 for 2m`, `login 535 3 times`.
//!
//! First what is asked, then what happens instead of the right answer, then how often: once, unless it
//! says so. The same words stand in the small file and behind `--fault`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::file::{nearest, worded};
use crate::sandbox::mailbox::{self, Verb};
use crate::sandbox::tenant::{self, Effect, Kind};

/// How often, by the fault's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Often {
    /// At the next so many.
    Times(usize),
    /// At all, so long from the moment when it is set.
    For(Duration),
    /// At all, until it is taken out of the file.
    Always,
}

/// More is `always`.
const MOST_TIMES: usize = 1000;

/// A fault of Graph or of the token endpoint.
#[derive(Debug, Clone)]
pub struct GraphFault {
    /// As it is written.
    pub text: String,
    /// `None` is any request.
    pub kind: Option<Kind>,
    /// Before or after the tenant did it.
    pub when: tenant::When,
    /// What happens.
    pub effect: Effect,
    /// How often.
    pub often: Often,
}

/// A fault of the mail server.
#[derive(Debug, Clone)]
pub struct MailFault {
    /// As it is written.
    pub text: String,
    /// On what.
    pub verb: Verb,
    /// Before or after it is done.
    pub when: mailbox::When,
    /// What happens.
    pub effect: mailbox::Effect,
    /// How often.
    pub often: Often,
}

/// What Graph is asked, in the words of this file.
pub const ASKED: [(&str, Option<Kind>); 15] = [
    ("any", None),
    ("token", Some(Kind::Token)),
    ("user", Some(Kind::User)),
    ("manager", Some(Kind::Manager)),
    ("methods", Some(Kind::Methods)),
    ("roles", Some(Kind::Roles)),
    ("groups", Some(Kind::Groups)),
    ("policy", Some(Kind::Policy)),
    ("domains", Some(Kind::Domains)),
    ("access", Some(Kind::Access)),
    ("pass-list", Some(Kind::PassList)),
    ("pass-get", Some(Kind::PassGet)),
    ("pass-create", Some(Kind::PassCreate)),
    ("pass-delete", Some(Kind::PassDelete)),
    ("send-mail", Some(Kind::SendMail)),
];

/// What the mail server is told, in the words of this file.
pub const TOLD: [(&str, Verb); 7] = [
    ("any", Verb::Any),
    ("connect", Verb::Connect),
    ("login", Verb::Auth),
    ("from", Verb::Mail),
    ("to", Verb::Rcpt),
    ("data", Verb::Data),
    ("end", Verb::Dot),
];

/// What may happen instead of the right answer, besides a status.
const GRAPH_EFFECTS: [&str; 7] = ["lost", "lost-answer", "late", "html", "empty", "half", "no-code"];
const MAIL_EFFECTS: [&str; 3] = ["lost", "lost-answer", "late"];

impl GraphFault {
    /// Reads the words.
    ///
    /// # Errors
    /// A sentence.
    ///
    /// ```
    /// use firstpass::sandbox::serve::faults::{GraphFault, Often};
    /// let fault = GraphFault::parse("any 429 for 2m").unwrap();
    /// assert_eq!(fault.often, Often::For(std::time::Duration::from_secs(120)));
    /// let wrong = GraphFault::parse("pass-crate lost").unwrap_err();
    /// assert_eq!(wrong, "\"pass-crate\" is nothing that Graph is asked; did you mean \"pass-create\"?");
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let asked = words.next().unwrap_or_default();
        let Some((_, kind)) = ASKED.iter().find(|(word, _)| *word == asked) else {
            let near = nearest(asked, ASKED.iter().map(|(word, _)| *word));
            return Err(format!("{asked:?} is nothing that Graph is asked; did you mean {near:?}?"));
        };
        let what = words.next().unwrap_or_default();
        let (when, effect) = match (what, what.parse::<u16>()) {
            (_, Ok(status @ 400..=599)) => (tenant::When::Before, graph_status(status)),
            ("lost", _) => (tenant::When::Before, Effect::Reset),
            ("lost-answer", _) => (tenant::When::After, Effect::Reset),
            ("late", _) => (tenant::When::Before, Effect::Delay(span(words.next())?)),
            ("html", _) => (tenant::When::Before, Effect::Html),
            ("empty", _) => (tenant::When::After, Effect::EmptyBody),
            ("half", _) => (tenant::When::After, Effect::CutJson),
            ("no-code", _) => (tenant::When::After, Effect::NoCode),
            _ => return Err(unknown_effect(what, &GRAPH_EFFECTS)),
        };
        let often = often(&words.collect::<Vec<_>>())?;
        Ok(Self { text: text.to_owned(), kind: *kind, when, effect, often })
    }
}

impl MailFault {
    /// Reads the words.
    ///
    /// # Errors
    /// A sentence.
    ///
    /// ```
    /// use firstpass::sandbox::serve::faults::{MailFault, Often};
    /// assert_eq!(MailFault::parse("login 535 3 times").unwrap().often, Often::Times(3));
    /// assert!(MailFault::parse("login 200").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let told = words.next().unwrap_or_default();
        let Some((_, verb)) = TOLD.iter().find(|(word, _)| *word == told) else {
            let near = nearest(told, TOLD.iter().map(|(word, _)| *word));
            return Err(format!("{told:?} is nothing that a mail server is told; did you mean {near:?}?"));
        };
        let what = words.next().unwrap_or_default();
        let (when, effect) = match (what, what.parse::<u16>()) {
            (_, Ok(status @ 400..=599)) => {
                (mailbox::When::Before, mailbox::Effect::Reply(status, mail_words(status).to_owned()))
            }
            ("lost", _) => (mailbox::When::Before, mailbox::Effect::Drop),
            ("lost-answer", _) => (mailbox::When::After, mailbox::Effect::Drop),
            ("late", _) => (mailbox::When::Before, mailbox::Effect::Delay(span(words.next())?)),
            _ => return Err(unknown_effect(what, &MAIL_EFFECTS)),
        };
        let often = often(&words.collect::<Vec<_>>())?;
        Ok(Self { text: text.to_owned(), verb: *verb, when, effect, often })
    }
}

fn unknown_effect(what: &str, known: &[&str]) -> String {
    if what.is_empty() {
        return format!("it does not say what happens: a status from 400 to 599, {}", known.join(", "));
    }
    if what.parse::<u64>().is_ok() {
        return format!("{what} is no status of a fault; they are from 400 to 599");
    }
    let near = nearest(what, known.iter().copied());
    format!("{what:?} cannot happen; write a status from 400 to 599, or did you mean {near:?}?")
}

fn span(word: Option<&str>) -> Result<Duration, String> {
    let wrong = || "it does not say how long; write it as 90s or 5m".to_owned();
    word.and_then(|word| humantime::parse_duration(word).ok()).ok_or_else(wrong)
}

fn often(words: &[&str]) -> Result<Often, String> {
    match words {
        [] => Ok(Often::Times(1)),
        ["always"] => Ok(Often::Always),
        ["for", time] => span(Some(time)).map(Often::For),
        [n, "times" | "time"] => match n.parse() {
            Ok(n @ 1..=MOST_TIMES) => Ok(Often::Times(n)),
            Ok(_) | Err(_) => Err(format!("{n} times is none of 1 to {MOST_TIMES} times; more is `always`")),
        },
        other => {
            let other = other.join(" ");
            Err(format!("{other:?} does not say how often; write `3 times`, `for 2m`, `always`, or nothing for once"))
        }
    }
}

fn graph_status(status: u16) -> Effect {
    match status {
        // As documented, with a pause that a person can wait for.
        429 => Effect::throttled(Some("10")),
        503 => Effect::unavailable(Some("10")),
        400 => Effect::graph_error(400, "badRequest", "The request is not good."),
        401 => Effect::graph_error(401, "InvalidAuthenticationToken", "Access token validation failure."),
        403 => Effect::graph_error(403, "accessDenied", "Request Authorization failed"),
        404 => Effect::graph_error(404, "resourceNotFound", "Resource not found."),
        409 => Effect::graph_error(409, "conflict", "The object is being changed."),
        500.. => Effect::graph_error(status, "generalException", "An error has occurred."),
        _ => Effect::graph_error(status, "invalidRequest", "The request is refused."),
    }
}

fn mail_words(status: u16) -> &'static str {
    match status {
        421 => "4.3.2 Service shutting down",
        450 => "4.2.1 Mailbox busy",
        451 => "4.3.0 Try again later",
        452 => "4.3.1 Insufficient system storage",
        454 => "4.7.0 Temporary authentication failure",
        530 => "5.7.0 Authentication required",
        535 => "5.7.8 Error: authentication failed",
        550 => "5.1.1 Recipient address rejected: User unknown",
        552 => "5.2.2 Mailbox full",
        554 => "5.7.1 Refused by policy",
        ..500 => "4.0.0 Not now",
        _ => "5.0.0 Never",
    }
}

impl PartialEq for GraphFault {
    /// The words say everything.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialEq for MailFault {
    /// The words say everything.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for GraphFault {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl Serialize for MailFault {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GraphFault {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        worded(from, Self::parse)
    }
}

impl<'de> Deserialize<'de> for MailFault {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        worded(from, Self::parse)
    }
}
