//! What will happen to a hire, in one sentence; `plan`, `hire show` and the daily digest say the same.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::rules::calendar::{Zone, local_text};
use crate::rules::hire::{FeedStatus, OperatorStatus, PassState, State};
use crate::rules::unsettled::{PASS_STAYS, SETTLED_AFTER};
use crate::store::{HireRow, PassRow};

/// An instant as the views write it: `2027-03-01T08:00:00Z`.
pub fn utc_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant where the hire is, or in UTC while the zone is unknown.
pub fn at_hire(hire: &HireRow, at: DateTime<Utc>) -> String {
    match Zone::parse(&hire.zone) {
        Ok(zone) => local_text(at, &zone),
        Err(_) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

/// The start as HR means it: `2027-03-01 09:00 Europe/Berlin`.
pub fn start_local(hire: &HireRow) -> String {
    let zone = if hire.zone.is_empty() { "(zone unknown)" } else { &hire.zone };
    format!("{} {} {zone}", hire.start_date, hire.start_time.format("%H:%M"))
}

/// The send time where the hire is; empty while it has no instant.
pub fn send_local(hire: &HireRow) -> String {
    hire.send_at.map(|at| at_hire(hire, at)).unwrap_or_default()
}

/// Today's civil date where the hire is.
pub fn today_of(hire: &HireRow, now: DateTime<Utc>) -> NaiveDate {
    at_hire(hire, now).get(..10).and_then(|day| day.parse().ok()).unwrap_or_else(|| now.date_naive())
}

/// `contoso/E1001`.
pub fn key(hire: &HireRow) -> String {
    format!("{}/{}", hire.tenant, hire.employee_id)
}

/// A name as the directory has it; while it has not said, the feed's, called so.
pub fn or_the_feeds(directory: &str, feed: &str) -> String {
    match (directory, feed) {
        ("", "") => String::new(),
        ("", feed) => format!("none known yet; the feed says {feed}"),
        (directory, _) => directory.to_owned(),
    }
}

/// What will happen, and when.
pub fn next_sentence(hire: &HireRow, now: DateTime<Utc>) -> String {
    if let Some(wanted) = wanted_otherwise(hire) {
        return wanted.to_owned();
    }
    match hire.state {
        State::Pending | State::Issuing | State::Cancelled if hire.what_to_do.starts_with(PASS_STAYS) => {
            hire.what_to_do.clone()
        }
        State::Pending => pending(hire, now),
        State::Issuing | State::Sending => in_hand(hire, now),
        State::Delivered => match hire.channel.as_str() {
            "" => "the letter was taken by the mail server; nothing more to do".to_owned(),
            channel => format!("the letter to {channel} was taken by the mail server; nothing more to do"),
        },
        State::Attention => attention(hire, now),
        State::Held => "nothing is sent until `firstpass hire release`".to_owned(),
        State::Cancelled => match (hire.operator_status == OperatorStatus::Cancelled, hire.feed_status) {
            (true, FeedStatus::Active | FeedStatus::Vanished) => {
                "no pass is made, unless `firstpass hire release` takes the cancellation back".to_owned()
            }
            (false, _) => "no pass is made, unless the feed names the person as active again".to_owned(),
            (true, FeedStatus::Withdrawn) => "no pass is made: cancelled here, and withdrawn by the feed".to_owned(),
        },
    }
}

/// Whoever has it may be gone: then its claim ends by itself.
fn in_hand(hire: &HireRow, now: DateTime<Utc>) -> String {
    match (hire.claimed_until.filter(|until| *until > now), hire.look_at) {
        (Some(until), _) => {
            format!("a worker has it in hand until {}; if it is gone, the next one looks then", at_hire(hire, until))
        }
        (None, Some(look)) if look > now => format!("nobody has it in hand; looked at again {}", at_hire(hire, look)),
        (None, _) => "nobody has it in hand; looked at again now, by the service".to_owned(),
    }
}

/// What is left of a cancelled hire, when no pass of it is out.
fn cancelled_with(hire: &HireRow, passes: &[PassRow]) -> Option<&'static str> {
    let out = |pass: &PassRow| !matches!(pass.state, PassState::Gone | PassState::Over);
    match hire.state {
        _ if !is_cancelled(hire) || passes.iter().any(out) => None,
        _ if passes.iter().any(|pass| pass.owes) => {
            Some("no pass is made; whoever has the letter of the deleted one is told that it is void")
        }
        State::Delivered => Some("nothing: it is cancelled, and its pass is over"),
        State::Cancelled => None,
        State::Pending | State::Issuing | State::Sending | State::Attention | State::Held => {
            Some("cancelled: the service ends what is under way, and no pass is made")
        }
    }
}

fn is_cancelled(hire: &HireRow) -> bool {
    hire.operator_status == OperatorStatus::Cancelled || hire.feed_status == FeedStatus::Withdrawn
}

/// A request is under way for so long, at most.
const ASKING: TimeDelta = TimeDelta::minutes(1);

/// The same, knowing the hire's passes: a request whose answer is not on record says what is waited for.
pub fn next_with_passes(hire: &HireRow, passes: &[PassRow], now: DateTime<Utc>) -> String {
    if let Some(nothing_out) = cancelled_with(hire, passes) {
        return nothing_out.to_owned();
    }
    let claimed = hire.claimed_until.is_some_and(|until| until > now);
    let asked = passes.iter().filter(|pass| pass.state == PassState::Intended).map(|pass| pass.made_at).max();
    let on_its_way = matches!(hire.state, State::Pending | State::Issuing | State::Sending);
    match asked.filter(|at| on_its_way && wanted_otherwise(hire).is_none() && (!claimed || now - *at >= ASKING)) {
        None => next_sentence(hire, now),
        Some(at) => {
            let until = hire.look_at.map_or(at + SETTLED_AFTER, |look| look.max(at + SETTLED_AFTER));
            let until = if until > now { format!("until {}", at_hire(hire, until)) } else { "now".to_owned() };
            format!(
                "Microsoft was asked for a pass at {}, and no answer is on record: it may have been made. It is looked for in the directory {until}; one that is found is deleted, and then a new one is made and mailed",
                at_hire(hire, at)
            )
        }
    }
}

/// Feed or operator want something that the state does not show yet.
fn wanted_otherwise(hire: &HireRow) -> Option<&'static str> {
    let cancelled = is_cancelled(hire);
    let held = hire.operator_status == OperatorStatus::Held;
    match hire.state {
        State::Cancelled => None,
        _ if cancelled => Some("cancelled: the service deletes what is out and tells its recipient"),
        State::Held | State::Delivered => None,
        State::Pending | State::Issuing | State::Sending | State::Attention => {
            held.then_some("held: nothing is sent until `firstpass hire release`")
        }
    }
}

fn pending(hire: &HireRow, now: DateTime<Utc>) -> String {
    let whom = match hire.channel.as_str() {
        "" => "the manager whom the directory names",
        channel => channel,
    };
    let forecast = forecast(hire);
    match hire.send_at {
        Some(send) if now < send => {
            format!("a pass is made and mailed to {whom} at {}{forecast}", at_hire(hire, send))
        }
        Some(_) => format!("due now: a pass is made and mailed to {whom}{forecast}"),
        None => format!("nothing can be sent before the start has an instant{forecast}"),
    }
}

fn forecast(hire: &HireRow) -> String {
    match (hire.reason, hire.what_to_do.as_str()) {
        (None, _) => String::new(),
        (Some(reason), "") => format!(", unless {reason} stands until then"),
        (Some(reason), what_to_do) => format!(", unless {reason} stands until then: {what_to_do}"),
    }
}

fn attention(hire: &HireRow, now: DateTime<Utc>) -> String {
    let what_to_do = match hire.what_to_do.as_str() {
        "" => "a person must look",
        text => text,
    };
    let look = match hire.look_at {
        Some(at) if at > now => format!(" (looked at again {})", at_hire(hire, at)),
        Some(_) => " (looked at again now)".to_owned(),
        None => String::new(),
    };
    format!("{what_to_do}{look}{}", once_mended(hire, now))
}

/// When the letter goes, once the cause is gone. Some reasons wait for a person's word instead.
fn once_mended(hire: &HireRow, now: DateTime<Utc>) -> String {
    let by_itself = hire.look_at.is_some() && hire.reason.is_none_or(|reason| !reason.waits_for_retry());
    match (hire.send_at, hire.window_until) {
        (Some(send), _) if by_itself && now < send => {
            format!("; once mended, the letter goes at {}", at_hire(hire, send))
        }
        (_, Some(until)) if by_itself && now < until => {
            format!("; once mended, the letter goes at once, until {}", at_hire(hire, until))
        }
        (_, _) => String::new(),
    }
}
