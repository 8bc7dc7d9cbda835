//! The service: nudges by cron, a sleep between ticks, new settings on request, and an end on SIGTERM.
//!
//! The scheduler only nudges; whether something is due is decided from the database and the time
//! (its cron can fire twice, late, or not at all: `deps` of the design say how). The sleep is at
//! most `LONGEST_SLEEP` and the wall time is compared anew after it, so that suspend, clock steps
//! and a dead scheduler cost seconds. New settings take their place between two ticks, see
//! `reload`; that all this moves is told by [`super::pulse`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Work;
use super::feeds::{self, Bells};
use super::pulse::Loop;
use super::tell::Teller;
use super::tick::{CLOCK_WENT_BACK, Feeds, TickReport, tick};
use crate::heap::heap;
use crate::store::StoreError;

/// Wall time is compared at least so often (design 7).
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// A hire may become due in the moment after a tick: no busy loop.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// What is due could not be served (mail held, no letter left in this minute).
const NOTHING_DONE: Duration = Duration::from_secs(1);
/// After a tick that our own database refused.
const STATE_TROUBLE: Duration = Duration::from_secs(5);
/// When the feeds' loops are asked for a sign: four times a minute.
const ROLL_CALL: &str = "*/15 * * * * *";

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

/// What is asked of the service while it runs, and whom it tells.
pub struct Course<'a> {
    /// SIGTERM.
    pub stop: &'a CancellationToken,
    /// Workers with new settings ([`Work::successor`] of the one in force).
    pub reloads: mpsc::Receiver<Arc<Work>>,
    /// The worker in force.
    pub current: &'a watch::Sender<Arc<Work>>,
    /// Called when the loops run: at the start, and after each reload.
    pub ready: &'a (dyn Fn() + Sync),
}

/// Why the ticks ended.
enum Ended {
    Stop,
    Reload(Arc<Work>),
}

/// Runs until `stop` is cancelled; then finishes what is in hand within `schedule.stop_within`.
///
/// # Errors
/// [`ServiceError`]; trouble of feeds, Graph, mail or the state never ends the service.
pub async fn run(mut course: Course<'_>) -> Result<(), ServiceError> {
    let mut work = Arc::clone(&course.current.borrow());
    work.pulse.begin();
    let mut words = "ready";
    loop {
        let bells = Arc::new(Bells::new(&work.settings));
        let mut scheduler = schedule(&bells, &work).await?;
        bells.ring(None);
        let mut feeds = bells.serve(&work);
        if let Some(teller) = Teller::of(&work.settings) {
            let work = Arc::clone(&work);
            feeds.run(move || async move { teller.serve(&work).await });
        }
        let looking = Arc::clone(&work);
        feeds.run(move || async move { looking.keep_looking().await });
        info!(event = "ready", "{words}");
        (course.ready)();
        let ended = ticks(&work, &bells, &mut course, &mut scheduler).await;
        if !feeds.end(FEEDS_END).await {
            error!(event = "feed-hangs", "a feed hangs in its folder or database; it is cut off");
        }
        let ended = ended?;
        let _ = scheduler.shutdown().await;
        let next = match ended {
            Ended::Stop => break,
            Ended::Reload(next) => next,
        };
        if let Err(error) = heap(|| work.hand_over_to(&next)).await {
            error!(event = "pass-not-deleted", %error, "passes of a tenant that is gone could not be deleted; they are settled later");
        }
        course.current.send_replace(Arc::clone(&next));
        (work, words) = (next, "the new settings are in force");
    }
    info!(event = "stopping", "stopping: one last try for what is in hand");
    // The attempts under way had the other half.
    let ended = tokio::time::timeout(work.settings.schedule.stop_within / 2, heap(|| work.stop())).await;
    match ended {
        Ok(Ok(0)) => info!(event = "stopped", "stopped"),
        Ok(Ok(n_unwritten)) => error!(
            event = "unfinished",
            "ended with {n_unwritten} accepted letter(s) that the state did not take; the next start deletes their passes, and new letters replace them"
        ),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => {
            error!(event = "unfinished", "not everything could be finished in time; it is settled at the next start");
        }
    }
    Ok(())
}

/// Ticks until `stop` or new settings. Feeds are read beside them, with a head start of a moment.
async fn ticks(
    work: &Arc<Work>,
    bells: &Arc<Bells>,
    course: &mut Course<'_>,
    scheduler: &mut JobScheduler,
) -> Result<Ended, JobSchedulerError> {
    let mut before = work.clock.now();
    while !course.stop.is_cancelled() {
        let now = work.clock.now();
        if before - now > CLOCK_WENT_BACK {
            // It would wait for the moment that it had planned by the clock that was ahead.
            let _ = scheduler.shutdown().await;
            *scheduler = schedule(bells, work).await?;
            bells.ring(None);
        }
        before = now;
        bells.head_start().await;
        let sleep = tokio::select! {
            ticked = heap(|| tick(work, Feeds::Leave)) => pause_after(work, ticked),
            () = overdue(work, course.stop) => break,
        };
        if now - work.clock.now() > CLOCK_WENT_BACK {
            // It did so during the tick: not after the sleep, or the feeds wait as long.
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = bells.wake.notified() => {}
            () = course.stop.cancelled() => {}
            Some(next) = course.reloads.recv() => return Ok(Ended::Reload(next)),
        }
    }
    Ok(Ended::Stop)
}

/// One job for each cron text of the feeds, and one that asks whether they answer.
async fn schedule(bells: &Arc<Bells>, work: &Arc<Work>) -> Result<JobScheduler, JobSchedulerError> {
    let polls = bells.schedules();
    // It keeps a dozen queues of that length: two calls of each job find room.
    let scheduler = JobScheduler::new_with_channel_size((polls.len() + 1).max(16) * 2).await?;
    for poll in polls {
        let bells = Arc::clone(bells);
        let job = Job::new_async(poll.clone().as_str(), move |_, _| {
            let (bells, poll) = (Arc::clone(&bells), poll.clone());
            Box::pin(async move { bells.ring(Some(&poll)) })
        })?;
        scheduler.add(job).await?;
    }
    let (bells, work) = (Arc::clone(bells), Arc::clone(work));
    let roll_call = Job::new_async(ROLL_CALL, move |_, _| {
        let (bells, work) = (Arc::clone(&bells), Arc::clone(&work));
        Box::pin(async move {
            let called = bells.roll_call();
            if called.all_there {
                work.pulse.beat(Loop::Intake);
            }
            for place in called.hanging {
                feeds::told_to_hang(&work, place).await;
            }
        })
    })?;
    scheduler.add(roll_call).await?;
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
        Ok(report) => {
            work.pulse.step();
            work.state_took_it("ticks");
            match report.next_due {
                Some(at) => {
                    let shortest = if report.n_attempts == 0 { NOTHING_DONE } else { SHORTEST_SLEEP };
                    (at - work.clock.now()).to_std().unwrap_or_default().clamp(shortest, LONGEST_SLEEP)
                }
                None => LONGEST_SLEEP,
            }
        }
        Err(error) => {
            // The state's own trouble: the loops move.
            work.pulse.step();
            work.state_refused("ticks", &error);
            STATE_TROUBLE
        }
    }
}
