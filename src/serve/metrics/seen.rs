//! What one scrape reads of the state and of the worker: a few counts by indexes, and certificate files.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::config::{Feed, tz_versions};
use crate::entra::Look;
use crate::rules::rhythm::{overdue_since, watched};
use crate::store::{FeedStanding, Gate, Standing, Store, StoreError};
use crate::work::Work;
use crate::work::counted::TenantSeen;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// `None`: the state did not answer.
    pub(super) state: Option<State>,
    /// The tenants that are served.
    pub(super) tenants: Vec<TenantSeen>,
    /// `None`: a disk did not answer.
    pub(super) files: Option<Files>,
}

/// What lies in files beside the state.
#[derive(Debug)]
pub(super) struct Files {
    /// By tenant.
    pub(super) certificates: Vec<(String, Look)>,
    /// The zone data in force, `2026f`, and where they come from.
    pub(super) zones: (String, &'static str),
}

/// Certificates and zone data lie on disks that may hang.
const FILES: Duration = Duration::from_secs(1);

/// What the state says.
#[derive(Debug)]
pub(super) struct State {
    pub(super) standing: Standing,
    pub(super) gates: Vec<Gate>,
    /// By name.
    pub(super) feeds: Vec<(String, FeedSeen)>,
}

/// One feed of the settings.
#[derive(Debug)]
pub(super) struct FeedSeen {
    pub(super) newest: Option<FeedStanding>,
    pub(super) overdue: bool,
}

/// Everything; `disk` keeps a second reading of files from a disk that hangs.
pub(super) async fn look(work: &Arc<Work>, disk: &Arc<Semaphore>, now: DateTime<Utc>) -> Seen {
    let (state, files) = tokio::join!(state_or_none(work, now), tokio::time::timeout(FILES, files(work, disk)));
    Seen { state, tenants: work.tenants_seen(), files: files.ok().flatten() }
}

async fn files(work: &Arc<Work>, disk: &Arc<Semaphore>) -> Option<Files> {
    let place = Arc::clone(disk).try_acquire_owned().ok()?;
    let work = Arc::clone(work);
    let read = tokio::task::spawn_blocking(move || {
        let _until_read = place;
        let versions = tz_versions();
        let from = if versions.system.is_some() { "system" } else { "bundled" };
        let version = versions.system.unwrap_or_else(|| versions.bundled.to_owned());
        Files { certificates: work.certificates(), zones: (version, from) }
    });
    read.await.ok()
}

async fn state_or_none(work: &Work, now: DateTime<Utc>) -> Option<State> {
    match state(work, now).await {
        Ok(state) => Some(state),
        Err(error) => {
            // The worker says so at each round, too.
            debug!("a scrape could not read the state: {error}");
            None
        }
    }
}

async fn state(work: &Work, now: DateTime<Utc>) -> Result<State, StoreError> {
    let store = &work.store;
    let standing = store.standing(now).await?;
    let gates = store.gates().await?;
    let mut feeds = Vec::with_capacity(work.settings.feeds.len());
    for feed in &work.settings.feeds {
        feeds.push((feed.name.clone(), feed_seen(store, feed, now).await?));
    }
    Ok(State { standing, gates, feeds })
}

/// Overdue by the rule of `feed list`.
async fn feed_seen(store: &Store, feed: &Feed, now: DateTime<Utc>) -> Result<FeedSeen, StoreError> {
    let newest = store.feed_standing(&feed.name).await?;
    let last = store.newest_file(&feed.name).await?.map(|newest| newest.read);
    let kept = store.feed_watch(&feed.name).await?;
    let known = kept.is_some() || last.is_some();
    let watch = watched(kept, last, now);
    Ok(FeedSeen { newest, overdue: known && overdue_since(&watch, feed.expect_every, now).is_some() })
}
