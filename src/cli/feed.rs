//! `feed list`, `accept`, `refuse`: files and readings with their states, and the brake's question.

use std::path::Path;

use clap::Subcommand;

use super::end::{End, Trouble};
use super::hire::reason;
use super::import::{feed_named, lines};
use super::out::Out;
use super::words::utc_text;
use super::{open, patience};
use crate::config::{Feed, Settings};
use crate::store::{FileRow, Store};
use crate::work::feeds::gate_of;
use crate::work::intake;

/// What of feeds.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Files and readings, newest first, with what became of them.
    #[command(after_help = "Example: firstpass feed list --feed hr")]
    List {
        /// Only this feed, by its name in the settings.
        #[arg(long, value_name = "NAME")]
        feed: Option<String>,
    },
    /// Lets a held file in, as it was judged.
    #[command(after_help = "Example: firstpass feed accept hires.csv --reason 'a class of trainees'")]
    Accept(Answer),
    /// Does not let a held file in; it goes to rejected/.
    #[command(after_help = "Example: firstpass feed refuse hires.csv --reason 'last year again'")]
    Refuse(Answer),
}

/// The answer to a held file.
#[derive(Debug, clap::Args)]
pub struct Answer {
    /// Name of the file, or the start of its sha256.
    file: String,
    /// Why; kept with the answer and your name.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Files that are listed, and looked through for a held one.
const MOST_FILES: i64 = 1000;

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    if let Act::List { feed: Some(name) } = &act {
        feed_named(&settings, name)?;
    }
    let store = open::existing_state(&settings).await?;
    let now = open::now();
    let report = match &act {
        Act::List { feed } => return list(&store, &settings, feed.as_deref(), out).await,
        Act::Accept(Answer { file, reason, dry_run }) => {
            let feed = feed_of(&store, file).await?;
            let (feed, rules) = feed_named(&settings, &feed)?;
            let by = open::operator();
            let work = intake::accept(file, feed, rules, &store, now, reason, &by, *dry_run);
            patience::watched("reading", work).await?
        }
        Act::Refuse(Answer { file, reason, dry_run }) => {
            let feed = feed_of(&store, file).await?;
            let (feed, rules) = feed_named(&settings, &feed)?;
            intake::refuse(file, feed, rules, &store, now, reason, &open::operator(), *dry_run).await?
        }
    };
    if out.is_json() {
        out.document(&report)?;
    } else {
        let dry_run = matches!(&act, Act::Accept(answer) | Act::Refuse(answer) if answer.dry_run);
        out.lines(lines(&report, dry_run))?;
    }
    Ok(End::Done)
}

async fn list(store: &Store, settings: &Settings, feed: Option<&str>, out: Out) -> Result<End, Trouble> {
    let files = store.files(feed, MOST_FILES).await?;
    let stopped = stopped(store, settings, feed).await?;
    if out.is_json() {
        out.document(&files)?;
        // The document keeps its shape.
        stopped.iter().for_each(|line| tracing::warn!("{line}"));
    } else {
        let heads =
            ["FEED", "FILE", "SHA256", "READ", "STATE", "ROWS", "NEW", "CHANGED", "GONE", "SAME", "PAST", "BAD"];
        let rows: Vec<_> = files.iter().map(cells).collect();
        out.table(heads, &rows, "no file was read yet")?;
        out.lines(&stopped)?;
    }
    Ok(End::Done)
}

/// A line for each feed that could not be read the last time.
async fn stopped(store: &Store, settings: &Settings, feed: Option<&str>) -> Result<Vec<String>, Trouble> {
    let gates = store.gates().await?;
    let feeds = settings.feeds.iter().filter(|known| feed.is_none_or(|name| name == known.name));
    let line = |feed: &Feed| {
        let gate = gates.iter().find(|gate| gate.name == gate_of(feed))?;
        Some(format!("feed {} is not read since {}: {}", feed.name, utc_text(gate.since), gate.stopped.as_ref()?))
    };
    Ok(feeds.filter_map(line).collect())
}

fn cells(file: &FileRow) -> [String; 12] {
    let counts = [file.rows, file.added, file.changed, file.withdrawn, file.unchanged, file.past, file.rejected];
    let [rows, added, changed, withdrawn, unchanged, past, rejected] = counts.map(|count| count.to_string());
    let short = file.sha256.get(..12).unwrap_or(&file.sha256).to_owned();
    let (feed, name, read, state) = (file.feed.clone(), file.file.clone(), file.read_utc.clone(), file.state.clone());
    [feed, name, short, read, state, rows, added, changed, withdrawn, unchanged, past, rejected]
}

/// The feed whose held file this is.
async fn feed_of(store: &Store, which: &str) -> Result<String, Trouble> {
    let files = store.files(None, MOST_FILES).await?;
    let named = |file: &&FileRow| file.file == which || (which.len() >= 4 && file.sha256.starts_with(which));
    let held: Vec<_> = files.iter().filter(|file| file.state == "held").filter(named).collect();
    match held.as_slice() {
        [one] => Ok(one.feed.clone()),
        [] => Err(Trouble::Failed(format!(
            "no held file has the name or sha256 {which:?}; `firstpass feed list` shows them"
        ))),
        [first, ..] if held.iter().all(|file| file.feed == first.feed) => Ok(first.feed.clone()),
        [..] => {
            Err(Trouble::Failed(format!("more than one feed holds a file {which:?}; name the start of its sha256")))
        }
    }
}
