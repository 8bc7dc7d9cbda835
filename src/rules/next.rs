//! What is next for one hire: rest, look, or issue.
//!
//! Pure: the hire row's facts and a time in, one [`Next`] out. The same function serves the worker
//! and `plan`, so that what is announced is what happens.

use chrono::{DateTime, Utc};

use super::calendar::{self, Morning, Schedule, Standing};
use super::guard;
use super::hire::{FeedStatus, OperatorStatus, Reason, State};

/// What is wanted of a hire, and how it stands.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What the feed says.
    pub feed: FeedStatus,
    /// What operators say.
    pub operator: OperatorStatus,
    /// State on disk.
    pub state: State,
    /// Reason on disk.
    pub reason: Option<Reason>,
    /// Sentence on disk.
    pub what_to_do: String,
    /// The instants, when the zone is known.
    pub morning: Option<Morning>,
    /// Since when the hire may be served: the send time, the moment of a retry, or when a feed first named it.
    pub window_from: DateTime<Utc>,
    /// Since when it needs a person; `None`: it does not.
    pub attention_since: Option<DateTime<Utc>>,
    /// Until when a missed pass is still sent.
    pub window_until: DateTime<Utc>,
    /// POSTs so far.
    pub tries: i64,
}

/// How a hire is left at the end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// State to write.
    pub state: State,
    /// Reason to write.
    pub reason: Option<Reason>,
    /// The sentence for people, empty when nothing is to do.
    pub what_to_do: String,
    /// When to look again; `None` = when somebody changes something.
    pub look_at: Option<DateTime<Utc>>,
}

/// What to do with a claimed hire whose pass rows are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing to ask of anybody.
    Rest(Standstill),
    /// Check, and write down what was found; the send time is still ahead.
    Look,
    /// The send time has come: check, dial, issue, send.
    Issue,
}

/// What to do about [`Reason::ZoneUnknown`]; intake writes the same.
pub const ZONE_UNKNOWN: &str = "no time zone is known for this start; give the row a zone, or its site, city or country one in the feed's `zones`, then drop the file again";
/// What to do about [`Reason::Vanished`]; intake writes the same.
pub const VANISHED: &str = "the feed's newest whole list no longer names this person; ask HR, then `firstpass hire cancel`, or let the row return";

/// The decision. `delivered` hires are left alone here; their passes have watches of their own.
pub fn next(wanted: &Wanted, schedule: &Schedule, now: DateTime<Utc>) -> Next {
    let rest = |state, reason, what_to_do: &str, look_at| {
        Next::Rest(Standstill { state, reason, what_to_do: what_to_do.to_owned(), look_at })
    };
    // A withdrawal takes a live pass back before this is asked; one whose pass is over changes nothing.
    if wanted.state == State::Delivered {
        return rest(State::Delivered, None, "", None);
    }
    match (wanted.operator, wanted.feed) {
        (OperatorStatus::Cancelled, _) | (_, FeedStatus::Withdrawn) => return rest(State::Cancelled, None, "", None),
        (OperatorStatus::None | OperatorStatus::Held, FeedStatus::Active | FeedStatus::Vanished) => {}
    }
    if wanted.operator == OperatorStatus::Held {
        return rest(State::Held, None, "held by an operator; `firstpass hire release` lets it go on", None);
    }
    if wanted.feed == FeedStatus::Vanished {
        return rest(State::Attention, Some(Reason::Vanished), VANISHED, None);
    }
    let Some(morning) = &wanted.morning else {
        return rest(State::Attention, Some(Reason::ZoneUnknown), ZONE_UNKNOWN, None);
    };
    if let Some(reason) = wanted.reason.filter(|reason| wanted.state == State::Attention && reason.waits_for_retry()) {
        return rest(State::Attention, Some(reason), &wanted.what_to_do, None);
    }
    if now >= wanted.window_until {
        return rest_missed(wanted);
    }
    if wanted.tries >= schedule.tries {
        return rest(
            State::Attention,
            Some(Reason::TriesExhausted),
            &format!(
                "{} passes were asked of Graph without a letter delivered; read `firstpass hire show`, mend the cause, then `firstpass hire retry`",
                wanted.tries
            ),
            None,
        );
    }
    if now >= morning.send {
        return Next::Issue;
    }
    let first = calendar::first_look(morning, schedule, now);
    if now < first {
        return rest(State::Pending, None, "", Some(first));
    }
    Next::Look
}

/// Past the window: the reason that stood last, or `missed`.
fn rest_missed(wanted: &Wanted) -> Next {
    let (reason, what_to_do) = match wanted.reason {
        Some(reason) if !wanted.what_to_do.is_empty() => (reason, out_of_time(&wanted.what_to_do)),
        Some(_) | None => (
            Reason::Missed,
            "the start is over and no pass was sent in time; `firstpass hire retry` makes one that is valid at once"
                .to_owned(),
        ),
    };
    Next::Rest(Standstill { state: State::Attention, reason: Some(reason), what_to_do, look_at: None })
}

/// What sentences promise that only holds inside the window.
const BY_ITSELF: [&str; 4] = [
    guard::BY_ITSELF,
    "firstpass goes on by itself when that is mended",
    "firstpass tries again by itself",
    "It goes on by itself",
];

/// The sentence of a reason for which the time is over: nothing happens by itself any more.
fn out_of_time(what_to_do: &str) -> String {
    const RETRY: &str = "the time for it is over: mend it, then `firstpass hire retry`";
    let cause = BY_ITSELF.iter().fold(what_to_do, |text, promise| text.trim_end_matches(promise));
    let cause = cause.trim_end_matches([' ', '.', ';']);
    if cause.ends_with(RETRY) { what_to_do.to_owned() } else { format!("{cause}; {RETRY}") }
}

/// How a hire stands after a check said no. Forecasts keep it `pending` before its send time.
pub fn after_refusal(wanted: &Wanted, reason: Reason, what_to_do: String, now: DateTime<Utc>) -> Standstill {
    let early = wanted.morning.as_ref().is_some_and(|morning| now < morning.send);
    let (state, standing) = if early && reason.is_forecast() {
        (State::Pending, Standing::Pending)
    } else {
        (State::Attention, Standing::Attention)
    };
    let look_at = if reason.waits_for_retry() { None } else { look_again(wanted, standing, now) };
    Standstill { state, reason: Some(reason), what_to_do, look_at }
}

/// How a hire stands after a look that found nothing wrong.
pub fn after_clear_look(wanted: &Wanted, now: DateTime<Utc>) -> Standstill {
    let look_at = look_again(wanted, Standing::Pending, now);
    Standstill { state: State::Pending, reason: None, what_to_do: String::new(), look_at }
}

/// The next look of contract 6, never past the end of the window, where it becomes `missed`.
pub fn look_again(wanted: &Wanted, standing: Standing, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let morning = wanted.morning.as_ref()?;
    let since = match standing {
        Standing::Pending => wanted.window_from,
        // Whoever was refused hours after the send time is looked at again in a minute, too.
        Standing::Attention => wanted.attention_since.unwrap_or(now).max(wanted.window_from),
    };
    calendar::next_look(standing, morning, since, wanted.window_until, now)
}
