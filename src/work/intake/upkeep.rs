//! What a feed needs besides its files: a word when none comes (`expect_every`), and room
//! (`keep_files`).
//!
//! Called after each poll. The word is an event `feed-overdue` and a line in the log, once for each
//! time that a file is overdue; a new file ends it, a restart does not repeat it.

use chrono::{DateTime, Utc};

use super::IntakeError;
use super::rest::utc;
use crate::config::{Feed, FeedKind};
use crate::feed::Eyes;
use crate::feed::folder::Folder;
use crate::rules::rhythm::{Tidy, overdue_since, tidy, watched};
use crate::store::Store;

/// Keeps the watch of one feed and lets old files go.
///
/// # Errors
/// [`IntakeError`]: it is looked again at the next poll.
pub async fn upkeep(feed: &Feed, store: &Store, eyes: &Eyes, now: DateTime<Utc>) -> Result<(), IntakeError> {
    let before = store.feed_watch(&feed.name).await?;
    let last_read = store.last_read(&feed.name).await?;
    let mut watch = watched(before, last_read, now);
    let overdue = overdue_since(&watch, feed.expect_every, now);
    if overdue.is_none() {
        watch.told = None;
    }
    let tidied = tidy(watch.tidied, feed.keep_files, now);
    if tidied != Tidy::NotYet {
        watch.tidied = now;
    }
    if before != Some(watch) {
        store.keep_feed_watch(&feed.name, &watch).await?;
    }
    if before.is_some_and(|before| before.told.is_some()) && watch.told.is_none() {
        tracing::info!(event = "feed-on-time", feed = feed.name, "feed {} is as expected again", feed.name);
    }
    // A machine that slept over the weekend wakes beside a file that does not stand still yet.
    if let Some(due) = overdue.filter(|_| watch.told.is_none() && !eyes.sees_one(&feed.name)) {
        let newest = store.newest_file(&feed.name).await?;
        let last = newest.map_or_else(
            || "none was read yet".to_owned(),
            |newest| format!("the last was {}, read {}", newest.file, utc(newest.read.read_at)),
        );
        let (wanted, remedy) = expected(feed);
        let why = format!("{wanted} was expected by {}; {last}", utc(due));
        if store.tell_feed_overdue(now, &feed.name, &feed.tenant, &why).await? {
            tracing::warn!(
                event = "feed-overdue",
                feed = feed.name,
                "feed {} is overdue: {why}; see {remedy}, or raise expect_every",
                feed.name
            );
        }
    }
    if feed.kind == FeedKind::Csv {
        tell_of_strays(feed, store).await?;
    }
    if let Tidy::Before(before) = tidied {
        let gone = Folder::open(&feed.folder)?.tidy(before)?;
        if gone > 0 {
            tracing::info!(
                event = "files-removed",
                feed = feed.name,
                gone,
                "{gone} files of feed {} were read before {} and are removed",
                feed.name,
                utc(before)
            );
        }
    }
    Ok(())
}

/// A folder that lies in the drop folder is told once; `feed list`, `plan` and the digest go on naming it.
async fn tell_of_strays(feed: &Feed, store: &Store) -> Result<(), IntakeError> {
    let (found, known) = (Folder::open(&feed.folder)?.strays()?, store.strays(&feed.name).await?);
    if found == known {
        return Ok(());
    }
    store.told_strays(&feed.name, &found).await?;
    for name in found.iter().filter(|name| !known.contains(name)) {
        tracing::warn!(event = "feed-folder-stray", feed = feed.name, folder = name, "{}", of_stray(&feed.name, name));
    }
    Ok(())
}

/// What a folder in the drop folder means, and what to do.
pub fn of_stray(feed: &str, name: &str) -> String {
    format!(
        "feed {feed}: {name} in the drop folder is a folder, and nothing in it is read; drop the files themselves, and move it away"
    )
}

/// What is waited for, and what to look at when it does not come.
pub fn expected(feed: &Feed) -> (&'static str, &'static str) {
    match feed.kind {
        FeedKind::Csv => ("a new file", "whether HR's export still runs"),
        FeedKind::Sql(_) => ("an answer of the database", "by `firstpass check` why it cannot be read"),
    }
}
