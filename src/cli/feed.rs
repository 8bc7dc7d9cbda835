//! `feed list`, `accept`, `refuse`: files and readings with their states, and the brake's question.

use std::path::Path;

use clap::Subcommand;
use serde::Serialize;

use super::end::{End, Trouble};
use super::hire::reason;
use super::import::{feed_named, lines};
use super::out::{Fit, Out};
use super::rhythm::{self, FeedStanding};
use super::{open, progress};
use crate::config::Settings;
use crate::store::{FileRow, Store};
use crate::work::intake;

/// What of feeds.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// How each feed stands, then its files, newest first, with what became of them.
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
        Act::List { feed } => return list(&settings, &store, feed.as_deref(), out).await,
        Act::Accept(Answer { file, reason, dry_run }) => {
            let feed = feed_of(&store, file).await?;
            let (feed, rules) = feed_named(&settings, &feed)?;
            let said = intake::Answer { which: file, reason, by: &open::operator(), dry_run: *dry_run };
            let work = intake::accept(&said, feed, rules, &store, now);
            progress::watched("reading", out, work).await?
        }
        Act::Refuse(Answer { file, reason, dry_run }) => {
            let feed = feed_of(&store, file).await?;
            let (feed, rules) = feed_named(&settings, &feed)?;
            let said = intake::Answer { which: file, reason, by: &open::operator(), dry_run: *dry_run };
            intake::refuse(&said, feed, rules, &store, now).await?
        }
    };
    if out.is_json() {
        out.document(&report)?;
    } else {
        let dry_run = matches!(&act, Act::Accept(answer) | Act::Refuse(answer) if answer.dry_run);
        out.paragraphs(lines(&report, dry_run, out))?;
    }
    Ok(End::Done)
}

/// What `feed list --json` prints.
#[derive(Debug, Serialize)]
struct Listed {
    /// Each feed of the settings: its last file, when the next is expected, what is held.
    feeds: Vec<FeedStanding>,
    /// Rows of `review_file`, newest first.
    files: Vec<FileRow>,
}

/// Files that a terminal shows; the newest matter.
const SHOWN_FILES: usize = 40;

async fn list(settings: &Settings, store: &Store, feed: Option<&str>, out: Out) -> Result<End, Trouble> {
    let mut feeds = rhythm::feeds(settings, store, open::now()).await?;
    feeds.retain(|standing| feed.is_none_or(|name| name == standing.feed));
    let mut files = store.files(feed, MOST_FILES).await?;
    if out.is_json() {
        out.document(&Listed { feeds, files })?;
        return Ok(End::Done);
    }
    let heads = [
        ("FEED", Fit::Cut(8)),
        ("LAST FILE", Fit::Cut(12)),
        ("STATE", Fit::Whole),
        ("READ", Fit::Whole),
        ("NEXT EXPECTED BY", Fit::Whole),
    ];
    let rows: Vec<_> = feeds.iter().map(standing_cells).collect();
    out.fitted(heads, &rows, "the settings name no feed")?;
    out.lines([""])?;
    let in_all = files.len();
    if out.is_terminal() {
        files.truncate(SHOWN_FILES);
    }
    let rows: Vec<_> = files.iter().map(cells).collect();
    out.fitted(FILE_HEADS, &rows, "no file was read yet")?;
    if in_all > files.len() {
        out.lines([format!("and {} older; --json has all", in_all - files.len())])?;
    }
    let troubles: Vec<String> = feeds.iter().flat_map(FeedStanding::troubles).collect();
    if !troubles.is_empty() {
        out.lines(["", "Needs a person:"])?;
        out.paragraphs(troubles.iter().map(|line| format!("  {line}")))?;
    }
    Ok(End::Done)
}

fn standing_cells(standing: &FeedStanding) -> [String; 5] {
    let expected = standing.expected_utc.as_deref().map(short_utc).unwrap_or_default();
    let overdue = if standing.overdue { " (overdue)" } else { "" };
    [
        standing.feed.clone(),
        standing.last_file.clone().unwrap_or_default(),
        standing.last_state.clone().unwrap_or_default(),
        standing.last_read_utc.as_deref().map(short_utc).unwrap_or_default(),
        format!("{expected}{overdue}"),
    ]
}

/// `2027-03-01T07:00:00Z` → `2027-03-01 07:00Z`: seconds are in --json.
fn short_utc(instant: &str) -> String {
    match (instant.get(..10), instant.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time}Z"),
        (_, _) => instant.to_owned(),
    }
}

const FILE_HEADS: [(&str, Fit); 12] = [
    ("FEED", Fit::Cut(6)),
    ("FILE", Fit::Cut(12)),
    ("READ", Fit::Whole),
    ("STATE", Fit::Whole),
    ("ROWS", Fit::Whole),
    ("NEW", Fit::Whole),
    ("CHANGED", Fit::Whole),
    ("GONE", Fit::Whole),
    ("BAD", Fit::Whole),
    ("SAME", Fit::Last(1)),
    ("PAST", Fit::Last(2)),
    ("SHA256", Fit::Last(3)),
];

fn cells(file: &FileRow) -> [String; 12] {
    let counts = [file.rows, file.added, file.changed, file.withdrawn, file.rejected, file.unchanged, file.past];
    let [rows, added, changed, withdrawn, rejected, unchanged, past] = counts.map(|count| count.to_string());
    let short = file.sha256.get(..12).unwrap_or(&file.sha256).to_owned();
    let (feed, name, state) = (file.feed.clone(), file.file.clone(), file.state.clone());
    let read = short_utc(&file.read_utc);
    [feed, name, read, state, rows, added, changed, withdrawn, rejected, unchanged, past, short]
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
