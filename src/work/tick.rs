//! One tick: read the feeds, move what is in hand, then every due hire. Idempotent.
//!
//! The state database says what is due; a restart, a retry and a good day take the same path.

use std::sync::atomic::Ordering;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::pulse::Loop;
use super::{MAIL, Slots, Work, credentials, feeds, lock, onboard, replan};
use crate::feed::FileReport;
use crate::heap::heap;
use crate::rules::hire::Reason;
use crate::rules::pace;
use crate::store::StoreError;

/// Are the feeds read in this tick?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feeds {
    /// Yes.
    Read,
    /// Not now: the service reads them beside its ticks.
    Leave,
}

/// What one tick did.
#[derive(Debug, Default)]
pub struct TickReport {
    /// Files that were taken, held or rejected.
    pub files: Vec<FileReport>,
    /// Feeds that could not be read, with the reason.
    pub feed_errors: Vec<String>,
    /// Attempts made.
    pub n_attempts: usize,
    /// Sentences about certificates near their end, told in this tick.
    pub certificates: Vec<String>,
    /// When the next hire is due, if any is.
    pub next_due: Option<DateTime<Utc>>,
}

/// A tick ends after so many attempts; the next one goes on.
const MOST_ATTEMPTS: usize = 500;
/// A smaller step changes nothing that matters (contract 5).
pub(super) const CLOCK_WENT_BACK: TimeDelta = TimeDelta::minutes(2);
/// Letters of so long ago count for `mail.per_minute`.
const MINUTE: TimeDelta = TimeDelta::seconds(60);

/// Moves everything on that is due.
///
/// # Errors
/// Only of our own database: nothing is issued then.
pub async fn tick(work: &Work, read: Feeds) -> Result<TickReport, StoreError> {
    let began = Instant::now();
    let ticked = round(work, read).await;
    work.counts.in_hand(work.n_in_hand().await);
    work.count_tick(ticked.is_ok(), began.elapsed());
    work.pulse.state_answered(ticked.is_ok());
    ticked
}

async fn round(work: &Work, read: Feeds) -> Result<TickReport, StoreError> {
    let now = work.clock.now();
    // A service whose feeds nobody calls must not look alive to who can only see the state.
    let before = if work.pulse.moves(Loop::Intake) {
        work.store.heartbeat(now).await?
    } else {
        work.store.last_heartbeat().await?
    };
    if let Some(ahead) = before.filter(|before| *before - now > CLOCK_WENT_BACK) {
        warn!(
            event = "clock-went-back",
            "the clock went back, from {ahead} to {now}; what it planned while it was ahead is looked at now"
        );
        work.store.look_anew(now, ahead + TimeDelta::days(1)).await?;
        work.store.gates_anew(now).await?;
    }
    replan::replan(work, now).await?;
    work.pulse.beat(Loop::Upkeep);
    let mut report = TickReport { certificates: credentials::told(work, now), ..TickReport::default() };
    match read {
        Feeds::Read => {
            let read = heap(|| feeds::read_all(work)).await;
            (report.files, report.feed_errors) = (read.files, read.errors);
        }
        Feeds::Leave => {}
    }
    let may_send = open_the_minute(work).await?;
    work.round_in_hand().await?;
    report.n_attempts = serve_due(work, may_send).await?;
    report.next_due = match (work.store.next_look(work.clock.now()).await?, work.next_in_hand().await) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Ok(report)
}

/// Gates and slots as they are now; says whether letters of any tenant may go out.
async fn open_the_minute(work: &Work) -> Result<bool, StoreError> {
    let now = work.clock.now();
    let gates = work.store.gates().await?;
    let held = |name: &str| gates.iter().find(|gate| gate.name == name && gate.holds(now));
    let mut may_send = false;
    for (name, served) in &work.tenants {
        if held(&served.mail_gate).is_some() {
            work.store.mark_waiting(now, &format!("{MAIL}/{name}"), Reason::MailStopped).await?;
        } else {
            may_send = true;
        }
        let gate = format!("tenant/{name}");
        if held(&gate).is_some_and(|gate| gate.stopped.is_some()) {
            work.store.mark_waiting(now, &gate, Reason::TenantStopped).await?;
        }
    }
    *lock(&work.gates) = gates.into_iter().map(|gate| (gate.name.clone(), gate)).collect();

    let letters = work.store.letters_since(now - MINUTE).await?;
    let n_in_hand = work.n_in_hand().await;
    let per_minute = work.settings.mail.per_minute;
    *lock(&work.slots) = Slots {
        left: pace::slots(&letters, n_in_hand, per_minute, now),
        next: Some(pace::next_slot(&letters, n_in_hand, per_minute, now)),
    };
    Ok(may_send)
}

/// Claims and serves until nothing is due, a few at a time.
async fn serve_due(work: &Work, may_send: bool) -> Result<usize, StoreError> {
    let lanes = (0..work.limits.at_once.max(1)).map(|_| serve_lane(work, may_send));
    let mut n_attempts = 0;
    for lane in futures_util::future::join_all(lanes).await {
        n_attempts += lane?;
    }
    if n_attempts >= MOST_ATTEMPTS {
        warn!(event = "many-due", "{n_attempts} hires were due at once; the next tick goes on");
    }
    Ok(n_attempts)
}

async fn serve_lane(work: &Work, may_send: bool) -> Result<usize, StoreError> {
    let most = MOST_ATTEMPTS / work.limits.at_once.max(1);
    let mut n_attempts = 0;
    let began = Instant::now();
    while n_attempts < most && began.elapsed() < work.limits.tick && !work.stopping.load(Ordering::SeqCst) {
        let now = work.clock.now();
        let claimed = work.store.claim(now, work.worker, work.limits.lease, may_send && work.has_slots()).await?;
        let Some(claimed) = claimed else { break };
        n_attempts += 1;
        work.pulse.step();
        onboard::onboard(work, claimed).await?;
    }
    Ok(n_attempts)
}
