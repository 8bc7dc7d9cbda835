//! `hire show`: the whole story of one hire, out of the events, with what will happen next.
//!
//! Passes appear with their states and times; their codes were never written anywhere.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::end::{End, Trouble};
use super::open;
use super::out::Out;
use super::words::{at_hire, key, next_with_passes, or_the_feeds, send_local, start_local, utc_text};
use crate::rules::hire::Outcome;
use crate::store::{EventRow, Filter, HireRow, KeyText, PassRow, ReviewRow, Store, View};

/// More than any hire has; a story is bounded like everything else.
const MOST_EVENTS: i64 = 10_000;

/// Tells it.
pub async fn show(store: &Store, asked: &KeyText, out: Out) -> Result<End, Trouble> {
    let hire = store.find_hire(asked).await?;
    let key = KeyText(key(&hire));
    let passes = store.passes_of(hire.id).await?;
    let events = store.events(Some(&key), MOST_EVENTS).await?;
    let now = open::now();
    let rows = store.review(View::Hire, &Filter { key: Some(key), ..Filter::default() }).await?;
    if out.is_json() {
        out.document(&json!({
            "engagements": rows,
            "next": next_with_passes(&hire, &passes, now),
            "passes": passes.iter().map(pass_json).collect::<Vec<_>>(),
            "events": events,
        }))?;
    } else {
        out.paragraphs(story(&hire, &rows, &passes, &events, now))?;
    }
    Ok(End::Done)
}

fn story(
    hire: &HireRow,
    engagements: &[ReviewRow],
    passes: &[PassRow],
    events: &[EventRow],
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut lines = head(hire);
    lines.extend([String::new(), "What happened".to_owned()]);
    // A new hire has no event of its own: the file's event tells of all that came with it.
    let first = engagements.iter().min_by_key(|row| &row.first_seen_utc);
    lines.extend(first.map(|row| moment(hire, &row.first_seen_utc, &format!("first named by feed {}", row.feed))));
    lines.extend(events.iter().map(|event| told(hire, event)));
    if !passes.is_empty() {
        lines.extend([String::new(), "Passes".to_owned()]);
        lines.extend(passes.iter().map(|pass| pass_line(hire, pass)));
    }
    lines.extend([String::new(), "What comes next".to_owned(), format!("  {}", next_with_passes(hire, passes, now))]);
    lines
}

fn head(hire: &HireRow) -> Vec<String> {
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let reason = hire.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let account = or_the_feeds(&hire.user_upn, &hire.user.as_text());
    let manager = or_the_feeds(&hire.manager_upn, &hire.manager_ref);
    let mut lines = vec![
        format!("{} {}", key(hire), hire.display_name),
        format!("  state     {}{reason}", hire.state),
        format!("  start     {}", start_local(hire)),
        format!("  send      {}", or(&send_local(hire), "no instant yet")),
        format!("  account   {}", or(&account, "asked of the directory by employee id")),
        format!("  manager   {}", or(&manager, "none known yet")),
        format!("  channel   {}", or(&hire.channel, "none known yet")),
        format!("  from      feed {}, {} line {}", hire.feed, hire.source_file, hire.source_line),
    ];
    if hire.engagement > 1 {
        lines.push(format!("  engagement {} of this person", hire.engagement));
    }
    if hire.tries > 0 {
        lines.push(format!("  tries     {}", hire.tries));
    }
    if let Some(at) = hire.look_at {
        lines.push(format!("  next look {} ({})", at_hire(hire, at), utc_text(at)));
    }
    lines
}

fn told(hire: &HireRow, event: &EventRow) -> String {
    let by = if event.by == "firstpass" { String::new() } else { format!(" [{}]", event.by) };
    let why = if event.why.is_empty() { String::new() } else { format!(": {}", event.why) };
    moment(hire, &event.at_utc, &format!("{}{why}{by}", event.what))
}

/// In UTC and where the hire is.
fn moment(hire: &HireRow, at_utc: &str, what: &str) -> String {
    let local = at_utc.parse::<DateTime<Utc>>().map(|at| at_hire(hire, at)).unwrap_or_default();
    format!("  {at_utc}  {local}  {what}")
}

fn pass_line(hire: &HireRow, pass: &PassRow) -> String {
    let life = match (pass.from, pass.until) {
        (Some(from), Some(until)) => format!(", valid {} until {}", at_hire(hire, from), at_hire(hire, until)),
        (Some(_) | None, _) => String::new(),
    };
    let id = pass.graph_id.as_deref().unwrap_or("(no id known)");
    let uses = if pass.one_time { "once" } else { "several times" };
    let mailed =
        pass.mailed_at.map(|at| format!(", mailed to {} at {}", pass.recipient, at_hire(hire, at))).unwrap_or_default();
    let outcome = pass.told_outcome().map(|outcome| format!(", {outcome}")).unwrap_or_default();
    let cause = if pass.cause.is_empty() { String::new() } else { format!(" ({})", pass.cause) };
    let owes = if pass.owes { ", its recipient must still be told that it is void" } else { "" };
    format!("  {id}: {}{outcome}, {uses}{life}{mailed}{owes}{cause}", pass.state)
}

fn pass_json(pass: &PassRow) -> serde_json::Value {
    json!({
        "pass_id": pass.graph_id,
        "state": pass.state.as_str(),
        "one_time": pass.one_time,
        "lifetime_min": pass.lifetime_min,
        "made_utc": utc_text(pass.made_at),
        "from_utc": pass.from.map(utc_text),
        "until_utc": pass.until.map(utc_text),
        "mailed_to": pass.mailed_at.map(|_| pass.recipient.clone()),
        "mailed_utc": pass.mailed_at.map(utc_text),
        "outcome": pass.told_outcome().map(Outcome::as_str),
        "owes_a_letter": pass.owes,
        "why": pass.cause,
    })
}
