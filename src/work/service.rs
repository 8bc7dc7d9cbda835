//! The service: nudges by cron, a sleep between ticks, and an end on SIGTERM.
//!
//! The scheduler only nudges; whether something is due is decided from the database and the time
//! (its cron can fire twice, late, or not at all: `deps` of the design say how). The sleep is at
//! most `LONGEST_SLEEP` and the wall time is compared anew after it, so that suspend, clock steps
//! and a dead scheduler cost seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Work;
use super::feeds::Bells;
use super::tick::{CLOCK_WENT_BACK, Feeds, TickReport, tick};
use crate::store::StoreError;

/// Wall time is compared at least so often (design 7).
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// A hire may become due in the moment after a tick: no busy loop.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// What is due could not be served (mail held, no letter left in this minute).
const NOTHING_DONE: Duration = Duration::from_secs(1);
/// After a tick that our own database refused.
const STATE_TROUBLE: Duration = Duration::from_secs(5);

/// Feeds that are cut short end at once, but for one whose folder hangs: passes in hand go first.
const FEEDS_END: Duration = Duration::from_millis(500);

/// What ends the service before SIGTERM does.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// `schedule.poll` or the scheduler.
    #[error("the scheduler does not take schedule.poll")]
    Schedule(#[from] JobSchedulerError),
    /// The last writes on the way out.
    #[error("the state could not be written at the end; what was in hand is settled at the next start")]
    State(#[from] StoreError),
}

/// Runs until `stop` is cancelled; then finishes what is in hand within `schedule.stop_within`.
///
/// # Errors
/// [`ServiceError`]; trouble of feeds, Graph, mail or the state never ends the service.
pub async fn run(work: &Arc<Work>, stop: &CancellationToken) -> Result<(), ServiceError> {
    let bells = Arc::new(Bells::new(&work.settings));
    let mut scheduler = schedule(&bells).await?;
    bells.ring(None);
    info!("ready");
    let feeds = bells.serve(work);
    let ended = ticks(work, &bells, stop, &mut scheduler).await;
    if !feeds.end(FEEDS_END).await {
        error!("a feed hangs in its folder or database; it is cut off");
    }
    ended?;
    let _ = scheduler.shutdown().await;
    info!("stopping: one last try for what is in hand");
    // The attempts under way had the other half.
    let ended = tokio::time::timeout(work.settings.schedule.stop_within / 2, work.stop()).await;
    if let Ok(stopped) = ended {
        stopped?;
    } else {
        error!("not everything could be finished in time; it is settled at the next start");
    }
    info!("stopped");
    Ok(())
}

/// Ticks until `stop`. Feeds are read beside them, with a head start of a moment.
async fn ticks(
    work: &Work,
    bells: &Arc<Bells>,
    stop: &CancellationToken,
    scheduler: &mut JobScheduler,
) -> Result<(), JobSchedulerError> {
    let mut before = work.clock.now();
    while !stop.is_cancelled() {
        let now = work.clock.now();
        if before - now > CLOCK_WENT_BACK {
            // It would wait for the moment that it had planned by the clock that was ahead.
            let _ = scheduler.shutdown().await;
            *scheduler = schedule(bells).await?;
            bells.ring(None);
        }
        before = now;
        bells.head_start().await;
        let sleep = tokio::select! {
            ticked = tick(work, Feeds::Leave) => pause_after(work, ticked),
            () = overdue(work, stop) => break,
        };
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = bells.wake.notified() => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

/// One job for each cron text of the feeds.
async fn schedule(bells: &Arc<Bells>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for poll in bells.schedules() {
        let bells = Arc::clone(bells);
        let job = Job::new_async(poll.clone().as_str(), move |_, _| {
            let (bells, poll) = (Arc::clone(&bells), poll.clone());
            Box::pin(async move { bells.ring(Some(&poll)) })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// SIGTERM during a tick: its attempts may finish, for half of the time there is.
async fn overdue(work: &Work, stop: &CancellationToken) {
    stop.cancelled().await;
    work.claim_no_more();
    tokio::time::sleep(work.settings.schedule.stop_within / 2).await;
}

fn pause_after(work: &Work, ticked: Result<TickReport, StoreError>) -> Duration {
    match ticked {
        Ok(report) => match report.next_due {
            Some(at) => {
                let shortest = if report.n_attempts == 0 { NOTHING_DONE } else { SHORTEST_SLEEP };
                (at - work.clock.now()).to_std().unwrap_or_default().clamp(shortest, LONGEST_SLEEP)
            }
            None => LONGEST_SLEEP,
        },
        Err(error) => {
            error!("the state database cannot be written: {error}; nothing is issued until it can");
            STATE_TROUBLE
        }
    }
}
