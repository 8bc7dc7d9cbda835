//! Can the service do its job now? Asked by `/readyz`; whether it is alive is [`super::pulse`]'s.
//!
//! The state takes our writes, every tenant answers and takes our sign-in, the mail is in reach,
//! nothing is due and late, the clock is right. What is not is said in a sentence each, without a name
//! or an address of a person. Tenants and mail are looked at only when somebody asks, a few times a
//! minute at most, and one that asked for patience is left alone; the state counts every five seconds at most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::attempt::CLOCK_TOLERANCE;
use super::{Served, Work};
use crate::mail::MailFailure;
use crate::rules::verdict::Failure;
use crate::rules::words;
use crate::store::{Gate, StoreError};

/// A letter that should have gone so long ago is late: twenty ticks, and the first pauses after a refusal.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// One look outside. Kubernetes and Prometheus wait for ten seconds at most.
const LOOK: Duration = Duration::from_secs(8);
/// The state answers a count at once, or is in trouble.
const COUNT: Duration = Duration::from_secs(2);
/// One count serves everybody who asks for so long, as for `/metrics`.
const COUNT_AGAIN: Duration = Duration::from_secs(5);

/// What was found outside, and when.
#[derive(Debug)]
pub(super) struct Looked {
    at: Instant,
    why: Vec<String>,
}

impl Work {
    /// What keeps the service from its job, a sentence each; empty when it is ready. Ends within some
    /// seconds, whatever hangs.
    pub async fn not_ready(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut why = self.pulse.ailments();
        if self.is_stopping() {
            why.push("the service is stopping".to_owned());
        }
        if self.pulse.state_refuses() {
            why.push("the state refuses to be written: nothing is issued until it can be; see its disk, and who else has it open".to_owned());
        }
        why.extend(self.state_says(now).await);
        why.extend(self.outside(now).await);
        why
    }

    /// What the state says, as it was a moment ago or now: however many ask, it counts once.
    async fn state_says(&self, now: DateTime<Utc>) -> Option<String> {
        let mut said = self.state_said.lock().await;
        let fresh = self.limits.look_again.min(COUNT_AGAIN);
        if let Some(known) = said.as_ref().filter(|known| known.at.elapsed() < fresh) {
            return known.why.first().cloned();
        }
        let why = match tokio::time::timeout(COUNT, self.late(now)).await {
            Ok(Ok(late)) => late,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the state did not answer within {} s", COUNT.as_secs())),
        };
        *said = Some(Looked { at: Instant::now(), why: why.iter().cloned().collect() });
        why
    }

    /// What is due and late, of tenants that are served.
    async fn late(&self, now: DateTime<Utc>) -> Result<Option<String>, StoreError> {
        let standing = self.store.standing(now).await?;
        let served = standing.hires.iter().filter(|hires| self.serves(&hires.tenant));
        let oldest = served.filter_map(|hires| hires.due_since).min();
        Ok(oldest.filter(|since| *since <= now - LATE).map(|since| {
            format!(
                "letters are due and late, the first since {}; `firstpass hire list --state pending` says why",
                since.format("%Y-%m-%dT%H:%MZ")
            )
        }))
    }

    /// Tenants, mail and clock, as they were found a moment ago or now.
    async fn outside(&self, now: DateTime<Utc>) -> Vec<String> {
        // Those who come meanwhile wait for the same look.
        let mut looked = self.looked.lock().await;
        if let Some(known) = looked.as_ref().filter(|known| known.at.elapsed() < self.limits.look_again) {
            return known.why.clone();
        }
        let gates = tokio::time::timeout(COUNT, self.store.gates()).await;
        let gates = gates.ok().and_then(Result::ok).unwrap_or_default();
        let gates: BTreeMap<String, Gate> = gates.into_iter().map(|gate| (gate.name.clone(), gate)).collect();
        let tenants =
            self.tenants.iter().map(|(name, served)| tenant(name, served, gates.get(&format!("tenant/{name}")), now));
        let mut ways: BTreeMap<&str, &Served> = BTreeMap::new();
        for served in self.tenants.values() {
            ways.entry(&served.mail_gate).or_insert(served);
        }
        let ways = ways.into_iter().map(|(name, served)| mail(served, gates.get(name), now));
        let (tenants, ways) = tokio::join!(join_all(tenants), join_all(ways));
        let mut why: Vec<String> = tenants.into_iter().chain(ways).flatten().collect();
        why.extend(self.clock_is_wrong(gates.get("clock")));
        *looked = Some(Looked { at: Instant::now(), why: why.clone() });
        why
    }

    /// By the newest answers; where nobody answers, by what stopped us.
    fn clock_is_wrong(&self, gate: Option<&Gate>) -> Option<String> {
        let skews: Vec<TimeDelta> = self.tenants.values().filter_map(|served| served.client.skew()).collect();
        if let Some(skew) = skews.iter().find(|skew| skew.abs() > CLOCK_TOLERANCE) {
            return Some(format!(
                "this host's clock is {} s off Microsoft's; nothing is issued until it is right. Check time synchronisation (`timedatectl`)",
                skew.num_seconds().abs()
            ));
        }
        gate.filter(|_| skews.is_empty()).and_then(|gate| gate.stopped.clone())
    }
}

/// Why a tenant cannot be worked with. One that is stopped, or asked us to wait, is not asked again.
async fn tenant(name: &str, served: &Served, gate: Option<&Gate>, now: DateTime<Utc>) -> Option<String> {
    if let Some(gate) = gate.filter(|gate| gate.not_before.is_some_and(|at| at > now)) {
        return gate.stopped.as_ref().map(|why| format!("tenant {name} is stopped: {}", words::masked(why)));
    }
    let silent = || Failure::NotSent(format!("no answer within {} s", LOOK.as_secs()));
    match tokio::time::timeout(LOOK, served.client.policy()).await.unwrap_or_else(|_| Err(silent())) {
        Ok(_) | Err(Failure::Throttled { .. }) => None,
        Err(failure) => Some(format!("tenant {name} cannot be worked with: {}", words::masked(&failure.to_string()))),
    }
}

/// Why letters cannot go this way.
async fn mail(served: &Served, gate: Option<&Gate>, now: DateTime<Utc>) -> Option<String> {
    let what = &served.mail_gate;
    if let Some(gate) = gate.filter(|gate| gate.not_before.is_some_and(|at| at > now)) {
        return gate.stopped.as_ref().map(|why| format!("{what} is stopped: {}", words::masked(why)));
    }
    let silent = || MailFailure::Unreachable(format!("no answer within {} s", LOOK.as_secs()));
    match tokio::time::timeout(LOOK, served.post.look(&mut Vec::new())).await.unwrap_or_else(|_| Err(silent())) {
        Ok(()) | Err(MailFailure::Busy { .. }) => None,
        Err(failure) => Some(format!("{what} cannot be sent: {}", words::masked(&failure.to_string()))),
    }
}
