//! What systemd is told (`sd_notify`): ready, how it stands, that it lives, reloading, stopping.
//!
//! Without systemd (no `NOTIFY_SOCKET`) nothing is done. `WATCHDOG=1` goes out only while intake, sender
//! and upkeep each advanced lately. A state that refuses us stands in the status and in `/healthz`, and
//! kills nobody: a restart would meet the same disk. The status is a sentence without a name. A thread of its own speaks: a socket that nobody reads holds up no letter.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use super::Current;
use crate::config::environment;
use crate::store::StoreError;
use crate::work::Work;

/// How often the pulse is felt, when the watchdog does not ask for more.
const FEEL: Duration = Duration::from_secs(15);
/// The watchdog is fed three times in its patience, so that one time may be missed.
const SAFELY: u32 = 3;
/// The status may be as old as this many feelings.
const STATUS_EVERY: u32 = 4;
/// The state answers a count at once, or is in trouble.
const COUNT: Duration = Duration::from_secs(2);
/// Messages that wait for a systemd that does not read; more are left out.
const WAITING: usize = 16;

/// The service manager, if there is one. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Systemd(Option<SyncSender<String>>);

impl Systemd {
    /// The one of this process's environment.
    pub fn of_this_process() -> Self {
        if !environment().any(|(name, _)| name == "NOTIFY_SOCKET") {
            return Self(None);
        }
        let (say, said) = sync_channel(WAITING);
        let speaks = std::thread::Builder::new().name("systemd".to_owned()).spawn(move || speak(&said));
        Self(speaks.ok().map(|_| say))
    }

    /// Whoever hears at the other end.
    pub fn heard_by(hears: SyncSender<String>) -> Self {
        Self(Some(hears))
    }

    /// The state is open, the settings are good, the loops run.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// New settings are being read; [`Self::ready`] or [`Self::kept`] follows.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(since) => {
                self.tell(&[NotifyState::Reloading, since, NotifyState::Status("reading the settings anew")]);
            }
            Err(error) => debug!(%error, "no monotonic clock: systemd is not told of the reload"),
        }
    }

    /// The new settings are bad, the old ones stay.
    pub fn kept(&self) {
        let status = "serving with the old settings: the new ones cannot be used, see the log";
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        let Some(say) = &self.0 else { return };
        let lines: Vec<String> = what.iter().map(ToString::to_string).collect();
        if say.try_send(lines.join("\n")).is_err() {
            debug!("systemd does not read what it is told");
        }
    }

    /// Feeds the watchdog and says how it stands, until `stop`; then says that it stops.
    pub async fn keep_telling(self, current: Current, stop: CancellationToken) {
        self.keep_feeding(sd_notify::watchdog_enabled(), current, stop).await;
    }

    /// [`Self::keep_telling`] with the patience of the watchdog, if there is one.
    pub async fn keep_feeding(self, watchdog: Option<Duration>, current: Current, stop: CancellationToken) {
        let every = watchdog.map_or(FEEL, |patience| (patience / SAFELY).min(FEEL)).max(Duration::from_millis(1));
        let mut beats = interval_at(Instant::now() + every, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut n, mut hung) = (0_u32, false);
        while stop.run_until_cancelled(beats.tick()).await.is_some() {
            let work = Arc::clone(&current.borrow());
            let standstills = work.pulse.standstills();
            if standstills.is_empty() {
                hung = false;
                if watchdog.is_some() {
                    self.tell(&[NotifyState::Watchdog]);
                }
                if self.0.is_some() && n.is_multiple_of(STATUS_EVERY) {
                    let status = stop.run_until_cancelled(status(&work)).await.unwrap_or_default();
                    self.tell(&[NotifyState::Status(&status)]);
                }
            } else if !std::mem::replace(&mut hung, true) {
                let why = standstills.join("; ");
                error!(event = "not-alive", "not alive: {why}");
                self.tell(&[NotifyState::Status(&format!("not alive: {why}"))]);
            }
            n = n.wrapping_add(1);
        }
        self.tell(&[NotifyState::Stopping, NotifyState::Status("one last try for what is in hand")]);
    }
}

fn speak(said: &Receiver<String>) {
    for message in said {
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&message)]) {
            debug!(%error, "systemd cannot be told");
        }
    }
}

/// When something is due next, and how many need a person.
async fn status(work: &Work) -> String {
    let ailments = work.pulse.ailments();
    if !ailments.is_empty() {
        return format!("not alive: {}", ailments.join("; "));
    }
    let now = work.clock.now();
    let read = async {
        let next = work.store.next_look(now).await?;
        Ok::<_, StoreError>((next, work.store.tally(i64::MAX).await?.attention))
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
