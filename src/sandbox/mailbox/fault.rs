//! Faults of the model mail server: which command, when, and what happens instead.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What a client says, and what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Every one of those below.
    Any,
    /// The connection itself: a fault takes the place of the greeting.
    Connect,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the letter.
    Data,
    /// The letter's first line has come, its end has not.
    Body,
    /// The final dot.
    Dot,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// Anything else.
    Other,
}

/// Whether the server does what it was told before the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It has not been done, and will not be (except after a delay or a released hold).
    Before,
    /// It has been done: the letter is stored, only the answer is faulty.
    After,
}

/// What happens instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// No answer until `release`, or until the client is gone.
    Hold,
    /// The connection is closed without a word.
    Drop,
    /// This answer instead.
    Reply(u16, String),
    /// The right answer, late.
    Delay(Duration),
}

/// One fault, fired once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFault {
    /// On what.
    pub verb: Verb,
    /// 1 = the next one.
    pub nth: usize,
    /// Before or after it is done.
    pub when: When,
    /// What happens instead.
    pub effect: Effect,
}

/// A fault that waits, and until when it fires again and again; `None`: it fires once.
#[derive(Debug)]
struct Waiting {
    fault: MailFault,
    until: Option<DateTime<Utc>>,
}

/// Faults that wait.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Waiting>);

impl Faults {
    pub(super) fn add(&mut self, fault: MailFault, until: Option<DateTime<Utc>>) {
        self.0.push(Waiting { fault, until });
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().filter(|waiting| waiting.until.is_none()).count()
    }

    /// Counts this verb down in every fault that waits for it; gives the first that is due.
    pub(super) fn due(&mut self, now: DateTime<Utc>, verb: Verb) -> Option<MailFault> {
        self.0.retain(|waiting| waiting.until.is_none_or(|end| now < end));
        let waits = |waiting: &Waiting| waiting.fault.verb == verb || waiting.fault.verb == Verb::Any;
        for waiting in self.0.iter_mut().filter(|waiting| waits(waiting)) {
            waiting.fault.nth = waiting.fault.nth.saturating_sub(1);
        }
        let at = self.0.iter().position(|waiting| waiting.fault.nth == 0 && waits(waiting))?;
        match self.0.get(at) {
            Some(Waiting { fault, until: Some(_) }) => Some(fault.clone()),
            Some(_) | None => Some(self.0.remove(at).fault),
        }
    }
}
