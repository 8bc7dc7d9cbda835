//! `/metrics`: what the worker counted, and how everything stands, as Prometheus reads it.
//!
//! A scrape never delays a letter: it takes no lock that the worker holds for long, reads the state on a
//! connection that waits for no writer, at most once in some seconds for however many scrapes, and gives
//! up after two. Without the state the counts are shown all the same, and `firstpass_state_readable` is 0.
//!
//! What each metric means: `deploy/metrics.md`. Labels say nothing about a person (see [`crate::counts`]).

mod gauges;
mod seen;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::registry::Registry;
use tokio::sync::{Mutex, Semaphore};

use self::seen::Seen;
pub use self::text::Form;
use crate::work::Work;

/// One reading of the state serves every scrape of so long.
const FRESH: Duration = Duration::from_secs(5);
/// Prometheus gives up after ten seconds; a state that answers in this time is well.
const PATIENCE: Duration = Duration::from_secs(2);

/// What stays between scrapes.
#[derive(Debug)]
pub struct Metrics {
    began: DateTime<Utc>,
    kept: Mutex<Option<Kept>>,
    /// One reading of files at a time, also of those that nobody waits for any more.
    disk: Arc<Semaphore>,
}

/// The newest reading, by the wall and by real time: a clock in hand jumps.
#[derive(Debug)]
struct Kept {
    wall: DateTime<Utc>,
    real: Instant,
    seen: Arc<Seen>,
}

impl Kept {
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let fresh = TimeDelta::from_std(FRESH).unwrap_or(TimeDelta::MAX);
        self.real.elapsed() < FRESH && (now - self.wall).abs() < fresh
    }
}

impl Metrics {
    /// Of a process that begins now.
    pub fn beginning(now: DateTime<Utc>) -> Self {
        Self { began: now, kept: Mutex::default(), disk: Arc::new(Semaphore::new(1)) }
    }

    /// Everything about this worker, now. Ends within some seconds, whatever the state does.
    pub async fn text(&self, work: &Arc<Work>, form: Form) -> String {
        let now = work.clock.now();
        let seen = tokio::time::timeout(PATIENCE, self.seen(work, now)).await;
        let seen = seen.unwrap_or_else(|_| {
            tracing::debug!("the state did not answer in time for a scrape");
            Arc::new(Seen::default())
        });
        let mut registry = Registry::default();
        work.counts.register(&mut registry);
        gauges::register(&mut registry, work, &seen, now, self.began);
        text::written(&registry, form)
    }

    /// Those who come while the state is read wait for the same reading.
    async fn seen(&self, work: &Arc<Work>, now: DateTime<Utc>) -> Arc<Seen> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh(now)) {
            return Arc::clone(&kept.seen);
        }
        let real = Instant::now();
        let seen = Arc::new(seen::look(work, &self.disk, now).await);
        *kept = Some(Kept { wall: now, real, seen: Arc::clone(&seen) });
        seen
    }
}
