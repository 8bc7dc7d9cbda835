//! How each feed stands: its last file, when the next is expected, what is held. Read from the state;
//! `feed list`, `plan`, `run --once` and the daily digest say the same.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::feeds::gate_of;
use super::words::utc_text;
use crate::config::Settings;
use crate::rules::rhythm::{overdue_since, watched};
use crate::store::{Store, StoreError};
use crate::work::intake;

/// One feed of the settings.
#[derive(Debug, Serialize)]
pub struct FeedStanding {
    /// Its name in the settings.
    pub feed: String,
    /// Whose people it names.
    pub tenant: String,
    /// The file that was read last, whatever became of it.
    pub last_file: Option<String>,
    /// What became of it: `taken`, `held` …
    pub last_state: Option<String>,
    /// When it was read.
    pub last_read_utc: Option<String>,
    /// By when the next one is expected (`expect_every`); `null` before the service first looked.
    pub expected_utc: Option<String>,
    /// It did not come.
    pub overdue: bool,
    /// Why it cannot be read, since the last time that it could.
    pub stopped: Option<String>,
    /// Since when.
    pub stopped_since_utc: Option<String>,
    /// Files that wait for `feed accept` or `feed refuse`.
    pub held: Vec<Held>,
    /// Folders that lie in the drop folder; nothing in them is read.
    pub folders: Vec<String>,
    /// What is expected, in words.
    #[serde(skip)]
    pub waits_for: &'static str,
    /// What to look at when it does not come.
    #[serde(skip)]
    pub remedy: &'static str,
}

/// A file that waits for an answer.
#[derive(Debug, Serialize)]
pub struct Held {
    /// Name in the drop folder.
    pub file: String,
    /// Why it is held, with the figures.
    pub why: String,
}

/// Every feed of the settings, in their order.
///
/// # Errors
/// [`StoreError`].
pub async fn feeds(settings: &Settings, store: &Store, now: DateTime<Utc>) -> Result<Vec<FeedStanding>, StoreError> {
    let gates = store.gates().await?;
    let mut standings = Vec::with_capacity(settings.feeds.len());
    for feed in &settings.feeds {
        let newest = store.newest_file(&feed.name).await?;
        let kept = store.feed_watch(&feed.name).await?;
        let known = kept.is_some() || newest.is_some();
        let watch = watched(kept, store.last_read(&feed.name).await?, now);
        let expected =
            TimeDelta::from_std(feed.expect_every).ok().and_then(|every| watch.since.checked_add_signed(every));
        let mut held = Vec::new();
        for file in store.held_files(&feed.name).await? {
            held.push(Held { why: store.held_why(file.id).await?, file: file.file });
        }
        let (last_file, last_state, last_read_utc) = match newest {
            Some(newest) => (Some(newest.file), Some(newest.state), Some(utc_text(newest.read.read_at))),
            None => (None, None, None),
        };
        let gate = gates.iter().find(|gate| gate.name == gate_of(feed) && gate.stopped.is_some());
        let (waits_for, remedy) = intake::expected(feed);
        standings.push(FeedStanding {
            waits_for,
            remedy,
            stopped: gate.and_then(|gate| gate.stopped.clone()),
            stopped_since_utc: gate.map(|gate| utc_text(gate.since)),
            feed: feed.name.clone(),
            tenant: feed.tenant.clone(),
            last_file,
            last_state,
            last_read_utc,
            expected_utc: expected.filter(|_| known).map(utc_text),
            overdue: known && overdue_since(&watch, feed.expect_every, now).is_some(),
            held,
            folders: store.strays(&feed.name).await?,
        });
    }
    Ok(standings)
}

impl FeedStanding {
    /// What a person should look at, one line each, with what to do.
    pub fn troubles(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .held
            .iter()
            .map(|held| format!("feed {}: {} is held: {}. {}", self.feed, held.file, held.why, answer(&held.file)))
            .collect();
        if let (Some(why), Some(since)) = (&self.stopped, &self.stopped_since_utc) {
            lines.push(format!("feed {} is not read since {since}: {why}", self.feed));
        }
        if self.overdue {
            lines.push(self.overdue_text());
        }
        lines.extend(self.folders.iter().map(|name| intake::of_stray(&self.feed, name)));
        lines
    }

    /// What was expected by when, and what came last.
    pub fn overdue_text(&self) -> String {
        let expected = self.expected_utc.as_deref().unwrap_or_default();
        let last = match (&self.last_file, &self.last_read_utc) {
            (Some(file), Some(read)) => format!("the last was {file}, read {read}"),
            (_, _) => "none was read yet".to_owned(),
        };
        format!(
            "feed {} is overdue: {} was expected by {expected}; {last}. See {}, or raise expect_every",
            self.feed, self.waits_for, self.remedy
        )
    }
}

/// How a held file is answered.
pub fn answer(file: &str) -> String {
    format!(
        "`firstpass feed accept {0} --reason TEXT` lets it in as it was judged, `firstpass feed refuse {0} --reason TEXT` does not; a newer file takes its place",
        quoted(file)
    )
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
