//! `hire list`, and the acts: hold, release, cancel, retry.
//!
//! An act writes what is wanted, with its reason and the operator; the service does the rest within
//! seconds. Whether it was already so, or cannot be done now, is said. `hire show` is [`super::story`].

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::end::{End, Trouble};
use super::out::{Fit, Out};
use super::{open, story};
use crate::config::Settings;
use crate::rules::calendar::{Zone, local_text};
use crate::rules::hire::State;
use crate::store::{Filter, HireRow, KeyText, Operate, Operated, ReviewRow, Store, View};

/// What of hires.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// All hires, or those of a state or tenant; `--json` has every column of the view `review_hire`.
    #[command(after_help = "Example: firstpass hire list --state attention")]
    List {
        /// Only this state.
        #[arg(long, value_name = "STATE", value_parser = states())]
        state: Option<State>,
        /// Only this tenant, by its name in the settings.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// The whole story of one hire: what happened, in order, and what will happen next.
    #[command(after_help = "Example: firstpass hire show E1001")]
    Show {
        /// Employee id, or tenant/employee-id.
        key: String,
    },
    /// Opens a new window from now: all checks again, and a pass that is valid at once.
    #[command(after_help = "Example: firstpass hire retry E1001 --reason 'the phone is removed'")]
    Retry(Order),
    /// Sends nothing until released.
    #[command(after_help = "Example: firstpass hire hold E1001 --reason 'HR asked to wait'")]
    Hold(Order),
    /// Ends a hold, or takes a cancellation back.
    #[command(after_help = "Example: firstpass hire release E1001 --reason 'HR is sure now'")]
    Release(Order),
    /// No pass; a live one is deleted and its recipient told.
    #[command(after_help = "Example: firstpass hire cancel E1001 --reason 'will not come'")]
    Cancel(Order),
}

/// One act on one hire.
#[derive(Debug, clap::Args)]
pub struct Order {
    /// Employee id, or tenant/employee-id.
    key: String,
    /// Why; kept with the act and your name.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Longer reasons belong into a ticket.
const LONGEST_REASON: usize = 500;

/// A reason is one line that says something.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why, in a few words".to_owned());
    }
    if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(format!("one line of at most {LONGEST_REASON} characters"));
    }
    Ok(text.to_owned())
}

fn states() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.iter().map(|state| state.as_str())).try_map(|text| text.parse::<State>())
}

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    match act {
        Act::List { state, tenant } => {
            known_tenant(&settings, tenant.as_deref())?;
            let store = open::existing_state(&settings).await?;
            list(&store, &Filter { state, tenant, key: None }, out).await
        }
        Act::Show { key } => story::show(&open::existing_state(&settings).await?, &KeyText(key), out).await,
        Act::Hold(order) => operate(&settings, Operate::Hold, &order, out).await,
        Act::Release(order) => operate(&settings, Operate::Release, &order, out).await,
        Act::Cancel(order) => operate(&settings, Operate::Cancel, &order, out).await,
        Act::Retry(order) => {
            let store = open::existing_state(&settings).await?;
            let hire = store.find_hire(&KeyText(order.key.clone())).await?;
            let tenant = settings.tenant(&hire.tenant).ok_or_else(|| not_served(&hire, &settings))?;
            let late_until = tenant.rules.schedule.late_until;
            operate(&settings, Operate::Retry { late_until }, &order, out).await
        }
    }
}

fn not_served(hire: &HireRow, settings: &Settings) -> Trouble {
    Trouble::Failed(format!(
        "{}/{}: the settings have no tenant {:?}, only {}; put it back to serve its hires",
        hire.tenant,
        hire.employee_id,
        hire.tenant,
        names(settings)
    ))
}

fn names(settings: &Settings) -> String {
    settings.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn known_tenant(settings: &Settings, tenant: Option<&str>) -> Result<(), Trouble> {
    match tenant {
        Some(name) if settings.tenant(name).is_none() => {
            Err(Trouble::Usage(format!("--tenant {name}: the settings name {}", names(settings))))
        }
        Some(_) | None => Ok(()),
    }
}

async fn list(store: &Store, filter: &Filter, out: Out) -> Result<End, Trouble> {
    let rows = store.review(View::Hire, filter).await?;
    if out.is_json() {
        out.document(&rows)?;
        return Ok(End::Done);
    }
    let shown = rows.get(..MOST_SHOWN).filter(|_| out.is_terminal()).unwrap_or(&rows);
    let cells: Vec<_> = shown.iter().map(cells).collect();
    out.fitted(HEADS, &cells, "no hires")?;
    if rows.len() > shown.len() {
        out.lines([format!(
            "and {} more; narrow it with --state or --tenant, or --json has all",
            rows.len() - shown.len()
        )])?;
    }
    let told: BTreeSet<String> = rows
        .iter()
        .filter(|row| row.state == State::Attention.as_str())
        .map(|row| format!("  {}/{}: {}", row.tenant, row.employee_id, row.what_to_do))
        .collect();
    if !told.is_empty() {
        out.lines(["", "Needs a person:"])?;
        let most = if out.is_terminal() { MOST_TOLD } else { usize::MAX };
        out.paragraphs(told.iter().take(most))?;
        if told.len() > most {
            out.lines([format!(
                "  and {} more; `firstpass hire list --state attention --json` has all",
                told.len() - most
            )])?;
        }
    }
    Ok(End::Done)
}

/// Hires that a terminal shows, and those of them whose cause is told.
const MOST_SHOWN: usize = 500;
const MOST_TOLD: usize = 50;

const HEADS: [(&str, Fit); 7] = [
    ("HIRE", Fit::Cut(10)),
    ("NAME", Fit::Cut(10)),
    ("START", Fit::Cut(18)),
    ("SEND", Fit::Last(1)),
    ("STATE", Fit::Whole),
    ("REASON", Fit::Whole),
    ("MANAGER", Fit::Last(2)),
];

fn cells(row: &ReviewRow) -> [String; 7] {
    // The send time is on the start date, in the same zone: the wall time says it all.
    let send = row.send_local.get(11..16).unwrap_or_default();
    [
        format!("{}/{}", row.tenant, row.employee_id),
        row.display_name.clone(),
        row.start_local.clone(),
        send.to_owned(),
        row.state.clone(),
        row.reason.clone().unwrap_or_default(),
        row.manager.clone(),
    ]
}

async fn operate(settings: &Settings, act: Operate, order: &Order, out: Out) -> Result<End, Trouble> {
    let store = open::existing_state(settings).await?;
    let key = KeyText(order.key.clone());
    let now = open::now();
    let done = store.operate(now, &key, act, &order.reason, &open::operator(), order.dry_run).await?;
    if out.is_json() {
        out.document(&json!({
            "tenant": done.before.tenant,
            "employee_id": done.before.employee_id,
            "before": done.before.state.as_str(),
            "state": done.state.as_str(),
            "changed": done.changed,
            "dry_run": order.dry_run,
            "pass_live": done.pass_live,
            "service": service(&store),
        }))?;
    } else {
        out.lines([sentence(act, &done, order.dry_run, now)])?;
        out.lines(left_to_a_service(&store, act, &done))?;
    }
    Ok(End::Done)
}

/// Whether one runs that does what is left to do; a state on a server does not say.
fn service(store: &Store) -> &'static str {
    match (store, store.is_served()) {
        (Store::Sqlite { .. }, Ok(true)) => "running",
        (Store::Sqlite { .. }, Ok(false)) => "none",
        (Store::Postgres(_), _) | (Store::Sqlite { .. }, Err(_)) => "unknown",
    }
}

/// What only a service can do, when none runs that would.
fn left_to_a_service(store: &Store, act: Operate, done: &Operated) -> Option<&'static str> {
    let alone = act == Operate::Cancel && done.pass_live && service(store) == "none";
    alone.then_some(
        "no service runs now: a live pass stays so, and its recipient is told nothing, until the next `firstpass run` or `firstpass run --once`",
    )
}

fn sentence(act: Operate, done: &Operated, dry_run: bool, now: DateTime<Utc>) -> String {
    let key = super::words::key(&done.before);
    if !done.changed && act == Operate::Cancel && done.pass_live {
        return format!(
            "{key}: it is cancelled already, and its pass stays live until the service deletes it ({} for now)",
            done.state
        );
    }
    if !done.changed {
        return format!("{key}: it was so already ({}), nothing is changed", done.before.state);
    }
    let what = match act {
        Operate::Hold => "held; nothing is sent until `firstpass hire release`".to_owned(),
        Operate::Release => "released; it goes on as its morning says".to_owned(),
        Operate::Cancel => cancelled(done).to_owned(),
        Operate::Retry { .. } => retried(&done.before, now),
    };
    let before = if done.before.state == done.state {
        format!("{} for now", done.state)
    } else {
        format!("{} -> {}", done.before.state, done.state)
    };
    let would = if dry_run { " (dry run, nothing is written)" } else { "" };
    format!("{key}: {what} ({before}){would}")
}

/// What is left to do for a cancelled hire.
fn cancelled(done: &Operated) -> &'static str {
    match (done.pass_live, done.state) {
        (true, _) => "cancelled; the service deletes its pass and tells the recipient",
        (false, State::Cancelled) => "cancelled; no pass is out, and none is made",
        (false, _) => "cancelled; the service ends what is under way, and no pass is made",
    }
}

/// What a retry brings: before the send time it is a look, and never a pass.
fn retried(hire: &HireRow, now: DateTime<Utc>) -> String {
    retry_sentence(hire.send_at, hire.start_at, &hire.zone, now)
}

fn retry_sentence(send: Option<DateTime<Utc>>, start: Option<DateTime<Utc>>, zone: &str, now: DateTime<Utc>) -> String {
    let local = |at: DateTime<Utc>| match Zone::parse(zone) {
        Ok(zone) => local_text(at, &zone),
        Err(_) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
    };
    match (send, start) {
        (Some(send), _) if send > now => {
            format!("looked at again by the service within seconds; the pass is made at {} and not before", local(send))
        }
        (Some(_), Some(start)) if start > now => {
            format!("tried again by the service within seconds; the pass will be valid from {}", local(start))
        }
        (Some(_), Some(_)) => "tried again by the service within seconds; the pass will be valid at once".to_owned(),
        (None, _) | (_, None) => {
            "looked at again by the service within seconds; without a time zone there is no send time".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each sentence is true at its time: before the send time a retry makes no pass.
    #[test]
    fn a_retry_says_when_the_pass_is_made_and_valid() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (send, start) = (Some(at("2027-03-01T06:00:00Z")), Some(at("2027-03-01T08:00:00Z")));
        let says = |now: &str| retry_sentence(send, start, "Europe/Berlin", at(now));
        insta::assert_snapshot!(
            [
                says("2027-02-26T12:00:00Z"),
                says("2027-03-01T06:00:00Z"),
                says("2027-03-01T08:00:00Z"),
                retry_sentence(None, None, "", at("2027-03-01T08:00:00Z")),
            ]
            .join("\n"),
            @r"
        looked at again by the service within seconds; the pass is made at 2027-03-01 07:00 Europe/Berlin and not before
        tried again by the service within seconds; the pass will be valid from 2027-03-01 09:00 Europe/Berlin
        tried again by the service within seconds; the pass will be valid at once
        looked at again by the service within seconds; without a time zone there is no send time
        "
        );
    }
}
