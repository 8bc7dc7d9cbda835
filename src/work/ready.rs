//! Can the service do its job now? Asked by `/readyz`; whether it is alive is [`super::pulse`]'s.
//!
//! The state takes our writes, every tenant answers and takes our sign-in, the mail is in reach,
//! nothing is due and late, the clock is right. What is not is said in a sentence each, without a name
//! or an address of a person. Tenants and mail are looked at in `looks`; the state counts every
//! five seconds at most.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::Work;
use super::attempt::CLOCK_TOLERANCE;
use crate::store::{Gate, StoreError};

/// A letter that should have gone so long ago is late: twenty ticks, and the first pauses after a refusal.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// The state answers a count at once, or is in trouble.
const COUNT: Duration = Duration::from_secs(2);
/// One count serves everybody who asks for so long, as for `/metrics`.
const COUNT_AGAIN: Duration = Duration::from_secs(5);

/// What the state said, and when.
#[derive(Debug)]
pub(super) struct StateSaid {
    at: Instant,
    why: Option<String>,
    gates: Vec<Gate>,
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
        let (late, gates) = self.state_says(now).await;
        why.extend(late);
        why.extend(self.outside(&gates, now).await);
        why.extend(self.clock_is_wrong(gates.iter().find(|gate| gate.name == "clock")));
        why
    }

    /// What is late, and what is stopped, as it was a moment ago or now: however many ask, it counts once.
    async fn state_says(&self, now: DateTime<Utc>) -> (Option<String>, Vec<Gate>) {
        let mut said = self.state_said.lock().await;
        let fresh = self.limits.look_again.min(COUNT_AGAIN);
        if let Some(known) = said.as_ref().filter(|known| known.at.elapsed() < fresh) {
            return (known.why.clone(), known.gates.clone());
        }
        let asked = async { Ok::<_, StoreError>((self.late(now).await?, self.store.gates().await?)) };
        let (why, gates) = match tokio::time::timeout(COUNT, asked).await {
            Ok(Ok((late, gates))) => (late, gates),
            Ok(Err(error)) => (Some(error.to_string()), Vec::new()),
            Err(_) => (Some(format!("the state did not answer within {} s", COUNT.as_secs())), Vec::new()),
        };
        *said = Some(StateSaid { at: Instant::now(), why: why.clone(), gates: gates.clone() });
        (why, gates)
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
