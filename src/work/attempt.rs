//! One claimed hire while it is being worked on, and how an attempt ends.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, info, warn};

use super::beside::unbroken;
use super::{Served, Work, lock};
use crate::entra;
use crate::rules::calendar::{Morning, Zone};
use crate::rules::guard::Refusal;
use crate::rules::hire::{HireKey, Reason, State};
use crate::rules::letter;
use crate::rules::next::{Standstill, Wanted};
use crate::rules::permission;
use crate::rules::verdict::{Failure, Verdict, verdict};
use crate::rules::words;
use crate::store::{Claimed, HireRow, Rest, Seen, StoreError};

/// A claimed hire with the edges of its tenant.
pub(super) struct Attempt<'w> {
    pub(super) work: &'w Work,
    pub(super) served: &'w Served,
    pub(super) claimed: Claimed,
    /// Since when the lease runs, by the clock that no one can set.
    taken: Instant,
    /// What the directory said about the people, for the reviewers' columns.
    pub(super) seen: Option<Seen>,
}

/// Why an attempt goes no further.
pub(super) enum Stop {
    /// Leave the hire like this.
    Rest(Standstill),
    /// Our own database cannot be written or the lease is lost: touch nothing more.
    LetGo(Option<StoreError>),
    /// A code whose letter must wait lies with the worker now.
    InHand(Box<super::in_hand::Letter>),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::LetGo(Some(error))
    }
}

/// What a failure of Graph means here.
pub(super) enum Setback {
    /// The tenant waits; the hire stays as it is until then.
    Waits(DateTime<Utc>, Option<Reason>, String),
    /// It concerns this hire.
    ThisHire(String),
}

/// What Graph was asked for when it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// Facts, or the end of a pass.
    ToRead,
    /// A pass.
    ForAPass,
}

/// Contract 5: clocks may differ by so much.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(2);
/// What a hire says whose letter cannot go out now.
pub(super) const MAIL_WAITS: &str = "firstpass cannot send mail now; `firstpass check` says why. It goes on by itself";
/// How long a hire waits when the clocks disagree.
const CLOCK_PAUSE: TimeDelta = TimeDelta::minutes(1);

pub(super) fn key_of(hire: &HireRow) -> HireKey {
    HireKey { tenant: hire.tenant.clone(), employee_id: hire.employee_id.clone() }
}

/// What is done for one hire. A panic is this hire's trouble and nobody else's: as after a crash its claim
/// runs out, and the next one settles.
///
/// # Errors
/// Those of what is done.
pub(super) async fn apart(key: HireKey, what: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    unbroken(what).await.unwrap_or_else(|broke| {
        error!(event = "attempt-broke", hire = %key, "{key}: {broke}. It is tried again when its claim has run out; all others go on");
        Ok(())
    })
}

impl<'w> Attempt<'w> {
    pub(super) fn new(work: &'w Work, served: &'w Served, claimed: Claimed) -> Self {
        Self { work, served, claimed, taken: Instant::now(), seen: None }
    }

    /// The time; each step asks it, so the sender moves.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.work.pulse.step();
        self.work.clock.now()
    }

    pub(super) fn hire(&self) -> &HireRow {
        &self.claimed.hire
    }

    pub(super) fn key(&self) -> HireKey {
        key_of(self.hire())
    }

    pub(super) fn tenant(&self) -> &'w entra::Tenant {
        &self.served.client
    }

    /// Enough lease left for a POST, by the wall clock and by the monotonic one.
    pub(super) fn lease_suffices(&self, now: DateTime<Utc>) -> bool {
        let limits = &self.work.limits;
        let needed = TimeDelta::from_std(limits.lease_left).unwrap_or(TimeDelta::MAX);
        self.claimed.lease_until - now >= needed && self.taken.elapsed() + limits.lease_left <= limits.lease
    }

    /// The row's facts for the rules, standing in `state`.
    pub(super) fn wanted(&self, state: State) -> Wanted {
        let hire = self.hire();
        let morning = match (hire.send_at, hire.start_at) {
            (Some(send), Some(start)) if Zone::parse(&hire.zone).is_ok() => {
                Some(Morning { send, start, day_from: send, day_until: start })
            }
            (Some(_) | None, _) => None,
        };
        let opened = hire.window_from.or(hire.send_at).unwrap_or(DateTime::UNIX_EPOCH);
        Wanted {
            feed: hire.feed_status,
            operator: hire.operator_status,
            state,
            reason: if state == hire.state { hire.reason } else { None },
            what_to_do: hire.what_to_do.clone(),
            morning,
            window_from: opened.max(hire.first_seen),
            window_until: hire.window_until.unwrap_or(opened),
            attention_since: hire.attention_since,
            tries: hire.tries,
        }
    }

    /// The hire as it stands, looked at again at `look_at`. One that was on its way is `pending`.
    pub(super) fn keep(&self, state: State, look_at: DateTime<Utc>) -> Standstill {
        let hire = self.hire();
        let state = match state {
            State::Issuing | State::Sending => State::Pending,
            State::Pending | State::Delivered | State::Attention | State::Held | State::Cancelled => state,
        };
        Standstill { state, reason: hire.reason, what_to_do: hire.what_to_do.clone(), look_at: Some(look_at) }
    }

    /// Like [`Self::keep`], but a hire that is not in attention says what it waits for.
    pub(super) fn wait(&self, reason: Option<Reason>, why: &str, look_at: DateTime<Utc>) -> Standstill {
        let mut standstill = self.keep(self.hire().state, look_at);
        if standstill.state == State::Pending && reason.is_some() {
            standstill.reason = reason;
            why.clone_into(&mut standstill.what_to_do);
        }
        standstill
    }

    /// Writes how the hire is left, and ends the claim.
    pub(super) async fn rest(self, standstill: Standstill, watch: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        let now = self.now();
        let look_at = match (standstill.look_at, watch) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let key = self.key();
        if standstill.state == State::Attention && self.hire().reason != standstill.reason {
            let reason = standstill.reason.map_or("", Reason::as_str);
            warn!(event = "attention", hire = %key, reason, "{key} needs a person: {reason}: {}", words::masked(&standstill.what_to_do));
        }
        let rest = Rest {
            state: standstill.state,
            reason: standstill.reason,
            why: words::masked(&standstill.what_to_do),
            what_to_do: standstill.what_to_do,
            look_at,
            seen: self.seen,
        };
        if !self.work.store.rest(self.claimed, now, rest).await? {
            info!(event = "claim-lost", hire = %key, "{key} was taken over by another claim");
        }
        Ok(())
    }

    /// Sorts a failure of Graph; a tenant that must wait is written down, and told once.
    pub(super) async fn setback(&self, permission: &str, failure: &Failure) -> Result<Setback, StoreError> {
        self.setback_of(Asked::ToRead, permission, failure).await
    }

    /// As [`Self::setback`], of a POST: that reads are answered meanwhile is no success of it.
    pub(super) async fn setback_of_post(&self, permission: &str, failure: &Failure) -> Result<Setback, StoreError> {
        self.setback_of(Asked::ForAPass, permission, failure).await
    }

    async fn setback_of(&self, asked: Asked, permission: &str, failure: &Failure) -> Result<Setback, StoreError> {
        let now = self.now();
        let name = self.hire().tenant.clone();
        let forbidden = matches!(failure, Failure::Refused(said) if said.status == 403);
        let lacks = forbidden && self.token_lacks(permission).await;
        let others_too = forbidden && {
            let before = lock(&self.work.refused).insert((name.clone(), asked), self.hire().id);
            // Whoever asks next while it makes none: whose turn it is says nothing of that hire.
            let makes_none = asked == Asked::ForAPass && lock(&self.work.makes_none).contains(&name);
            makes_none || before.is_some_and(|id| id != self.hire().id)
        };
        let gate = format!("tenant/{name}");
        match verdict(failure, lacks.then_some(permission), others_too) {
            Verdict::SlowDown(wait) => {
                let until = later(now, wait);
                self.work.store.hold_gate(now, &gate, until, None).await?;
                warn!(event = "tenant-waits", tenant = %name, "tenant {name} waits {} s: {failure}", wait.as_secs());
                Ok(Setback::Waits(until, None, String::new()))
            }
            Verdict::StopTenant(wait, why) => {
                let until = later(now, wait);
                if forbidden && asked == Asked::ForAPass {
                    lock(&self.work.makes_none).insert(name.clone());
                }
                if self.work.store.hold_gate(now, &gate, until, Some(&why)).await? {
                    error!(event = "tenant-stopped", tenant = %name, "tenant {name} is stopped: {why}");
                }
                let sentence = format!("the tenant is stopped: {why}; firstpass goes on by itself when that is mended");
                Ok(Setback::Waits(until, Some(Reason::TenantStopped), sentence))
            }
            Verdict::ThisHire(why) => Ok(Setback::ThisHire(why)),
        }
    }

    async fn token_lacks(&self, needed: &str) -> bool {
        match self.tenant().permissions().await {
            Ok(held) => !permission::suffices(&held, needed),
            Err(_) => false,
        }
    }

    /// The tenant answered: a stop of it is over. One for passes that it refused is not while a pass is
    /// about to be asked for, or it would begin anew each time.
    pub(super) async fn reached(&self) -> Result<(), StoreError> {
        let name = &self.hire().tenant;
        lock(&self.work.refused).remove(&(name.clone(), Asked::ToRead));
        let asks_soon = self.hire().send_at.is_some_and(|at| at <= self.now());
        if asks_soon && lock(&self.work.makes_none).contains(name) {
            return Ok(());
        }
        let gate = format!("tenant/{name}");
        self.work.is_well(&gate);
        self.work.open_gate(&gate, self.now()).await
    }

    /// The tenant made a pass: a stop for passes that it refused is over.
    pub(super) async fn made_one(&self) -> Result<(), StoreError> {
        let name = &self.hire().tenant;
        lock(&self.work.refused).remove(&(name.clone(), Asked::ForAPass));
        if lock(&self.work.makes_none).remove(name) {
            let gate = format!("tenant/{name}");
            self.work.is_well(&gate);
            self.work.open_gate(&gate, self.now()).await?;
        }
        Ok(())
    }

    /// A mail server that does not take our letters is not asked before its time, and nothing is made.
    pub(super) fn mail_is_open(&self) -> Result<(), Stop> {
        let now = self.now();
        let gates = lock(&self.work.gates);
        let gate = gates.get(&self.served.mail_gate).filter(|gate| gate.holds(now));
        match gate.and_then(|gate| gate.not_before) {
            None => Ok(()),
            Some(until) => Err(Stop::Rest(self.wait(Some(Reason::MailStopped), MAIL_WAITS, until))),
        }
    }

    /// By an answer of now, our clock is right. What it says is over is not, while nobody answers.
    pub(super) async fn knows_the_time(&self) -> bool {
        self.tenant().ask_skew().await.is_some_and(|skew| skew.abs() <= CLOCK_TOLERANCE)
    }

    /// Contract 5: with a clock more than two minutes off Graph's `Date`, nothing is issued.
    pub(super) async fn clock_agrees(&self) -> Result<(), Stop> {
        let now = self.now();
        let Some(skew) = self.tenant().skew() else { return Ok(()) };
        if skew.abs() <= CLOCK_TOLERANCE {
            self.work.open_gate("clock", now).await?;
            return Ok(());
        }
        let why = format!(
            "this host's clock is {} s off Microsoft's; nothing is issued until it is right. Check time synchronisation (`timedatectl`)",
            skew.num_seconds().abs()
        );
        if self.work.store.hold_gate(now, "clock", now, Some(&why)).await? {
            error!(event = "clock-wrong", "{why}");
        }
        Err(Stop::Rest(self.wait(Some(Reason::Clock), &why, now + CLOCK_PAUSE)))
    }
}

impl Work {
    /// Something that was stopped works again.
    pub(super) async fn open_gate(&self, name: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let was_stopped = lock(&self.gates).get(name).is_some_and(|gate| gate.stopped.is_some());
        if was_stopped && self.store.open_gate(now, name).await? {
            lock(&self.gates).remove(name);
            info!(event = "works-again", gate = name, "{name} works again");
        }
        Ok(())
    }
}

/// A refusal as the sentence of an unanswered check.
pub(super) fn unanswered(check: &str, permission: &str, why: &str) -> Refusal {
    Refusal {
        reason: Reason::Unanswered,
        what_to_do: format!(
            "could not check {check} (permission {permission}): {why}; firstpass looks again by itself"
        ),
    }
}

pub(super) fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Attempt<'_> {
    /// The feed's name, else the directory's.
    pub(super) fn name_for_letters(&self, directory: &str) -> String {
        let own = self.hire().display_name.trim();
        if own.is_empty() { directory.to_owned() } else { own.to_owned() }
    }

    /// The same for every try of one letter.
    pub(super) fn message_id(&self, kind: &str, pass_id: i64, graph_id: &str) -> String {
        let domain = self.served.mail.from.address.domain();
        format!("{kind}.{}", letter::message_id(self.hire().id, pass_id, graph_id, &domain))
    }
}
