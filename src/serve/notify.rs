//! What systemd is told (`sd_notify`): ready, how it stands, that it lives, reloading, stopping.
//!
//! Without systemd (no `NOTIFY_SOCKET`) nothing is done. `WATCHDOG=1` goes out only while intake, sender
//! and upkeep each advanced lately: the same question as `/healthz`. The status is a sentence
//! without a name.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::Current;
use crate::store::StoreError;
use crate::work::Work;

/// How often the pulse is felt, when the watchdog does not ask for more.
const FEEL: Duration = Duration::from_secs(15);
/// Two feelings fit into one patience of systemd's, so that one may be missed.
const SAFELY: u32 = 3;
/// The status may be as old as this many feelings.
const STATUS_EVERY: u32 = 4;
/// The state answers a count at once, or is in trouble.
const COUNT: Duration = Duration::from_secs(2);

/// The state is open, the settings are good, the loops run.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// New settings are being read; [`ready`] or [`kept`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since, NotifyState::Status("reading the settings anew")]),
        Err(error) => debug!(%error, "no monotonic clock: systemd is not told of the reload"),
    }
}

/// The new settings are bad, the old ones stay.
pub fn kept() {
    let status = "serving with the old settings: the new ones cannot be used, see the log";
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        debug!(%error, "systemd cannot be told");
    }
}

/// Feeds the watchdog and says how it stands, until `stop`; then says that it stops.
pub async fn keep_telling(current: Current, stop: CancellationToken) {
    let watchdog = sd_notify::watchdog_enabled();
    let every = watchdog.map_or(FEEL, |patience| (patience / SAFELY).min(FEEL));
    let mut beats = tokio::time::interval(every);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut n, mut hung) = (0_u32, false);
    while stop.run_until_cancelled(beats.tick()).await.is_some() {
        let work = Arc::clone(&current.borrow());
        let ailments = work.pulse.ailments();
        if ailments.is_empty() {
            hung = false;
            if watchdog.is_some() {
                tell(&[NotifyState::Watchdog]);
            }
            if n % STATUS_EVERY == 1 {
                let status = stop.run_until_cancelled(status(&work)).await.unwrap_or_default();
                tell(&[NotifyState::Status(&status)]);
            }
        } else if !std::mem::replace(&mut hung, true) {
            let why = ailments.join("; ");
            error!("not alive: {why}");
            tell(&[NotifyState::Status(&format!("not alive: {why}"))]);
        }
        n = n.wrapping_add(1);
    }
    tell(&[NotifyState::Stopping, NotifyState::Status("one last try for what is in hand")]);
}

/// When something is due next, and how many need a person.
async fn status(work: &Work) -> String {
    let now = work.clock.now();
    let read = async {
        let next = work.store.next_look(now).await?;
        Ok::<_, StoreError>((next, work.store.tally(now).await?.attention))
    };
    let Ok(Ok((next, attention))) = tokio::time::timeout(COUNT, read).await else {
        return "the state does not answer".to_owned();
    };
    let next = match next {
        Some(at) if at <= now => "something is due now".to_owned(),
        Some(at) => format!("next look {}", at.format("%Y-%m-%dT%H:%MZ")),
        None => "nothing is due".to_owned(),
    };
    match attention {
        0 => format!("{next}; nobody needs a person"),
        1 => format!("{next}; 1 hire needs a person: `firstpass hire list --state attention`"),
        n => format!("{next}; {n} hires need a person: `firstpass hire list --state attention`"),
    }
}
