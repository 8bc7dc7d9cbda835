//! Looks outside, before anything is due: does every tenant answer, does the mail take our login?
//!
//! Asked for by `/readyz`, and by the service itself a few times an hour, so that a password that ended on
//! Friday is told on Friday. A look signs in; so one that went well counts for minutes, and one that was
//! refused waits longer each time: nobody's account is locked by our looking. What the service finds is a
//! gate with the sentence, which stops nothing and is opened when a look or a letter goes well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tracing::{error, info};

use super::beside::rounds;
use super::{Served, Work, lock};
use crate::mail::MailFailure;
use crate::rules::verdict::Failure;
use crate::rules::words;
use crate::store::{Gate, StoreError};

/// One look outside. Kubernetes and Prometheus wait for ten seconds at most.
const LOOK: Duration = Duration::from_secs(8);
/// A look that went well counts so many times as long as one at a network that is away.
const WELL: u32 = 10;
/// One that was refused so many times as long, by how often: 1, 2, 5, then every 15 minutes.
const REFUSED: [u32; 4] = [2, 4, 10, 30];
/// What was found counts for `firstpass_ready` no longer: the service itself looks more often.
const KNOWN: Duration = Duration::from_mins(30);
/// How often the service thinks of looking.
const ROUND: Duration = Duration::from_mins(1);
/// It looks so often …
const EVERY: Duration = Duration::from_mins(15);
/// … and as often as `/readyz` would when something is due so soon.
const SOON: TimeDelta = TimeDelta::minutes(15);
/// A network that is away once is no trouble yet.
const AWAY_TOLD: usize = 2;
/// Begins the sentence of a gate that a look has shut.
const FOUND: &str = "found before anything was due: ";

/// What one look found, and since when how often in a row.
#[derive(Debug)]
pub(super) struct Look {
    at: Instant,
    trouble: Option<Trouble>,
    in_a_row: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// No answer: a moment later there may be one.
    Away(String),
    /// A login, a credential, a permission: somebody must act.
    Refused(String),
}

impl Trouble {
    fn why(&self) -> &str {
        match self {
            Self::Away(why) | Self::Refused(why) => why,
        }
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Away(_), Self::Away(_)) | (Self::Refused(_), Self::Refused(_)))
    }
}

impl Look {
    /// For so long it is not asked again; `base` is for a network that is away.
    fn counts_for(&self, base: Duration) -> Duration {
        match &self.trouble {
            None => base.saturating_mul(WELL),
            Some(Trouble::Away(_)) => base,
            Some(Trouble::Refused(_)) => {
                let most = REFUSED.last().copied().unwrap_or(WELL);
                base.saturating_mul(REFUSED.get(self.in_a_row.saturating_sub(1)).copied().unwrap_or(most))
            }
        }
    }

    /// Behind the look before it.
    fn behind(before: Option<&Self>, trouble: Option<Trouble>) -> Self {
        let again = match (before.and_then(|before| before.trouble.as_ref()), &trouble) {
            (Some(old), Some(new)) => old.is_same_kind(new),
            (_, _) => false,
        };
        let in_a_row = before.filter(|_| again).map_or(1, |before| before.in_a_row.saturating_add(1));
        Self { at: Instant::now(), trouble, in_a_row }
    }
}

/// What is to be told of it.
enum Found {
    /// It was not looked at, or may pass in a minute.
    Nothing,
    Well,
    Trouble(String),
}

/// What is looked at, by the name of its gate.
#[derive(Clone, Copy)]
enum Target<'a> {
    Tenant(&'a Served),
    Mail(&'a Served),
}

impl Work {
    /// Why tenants and mail cannot be worked with, a sentence each, as it was found a moment ago or now.
    pub(super) async fn outside(&self, gates: &[Gate], now: DateTime<Utc>) -> Vec<String> {
        self.look(gates, now, self.limits.look_again.saturating_mul(WELL)).await;
        let looks = lock(&self.looks);
        let said = self.targets().into_iter().filter_map(|(name, target)| {
            if let Some(gate) = held(gates, &name, now) {
                return gate
                    .stopped
                    .as_ref()
                    .map(|why| format!("{} is stopped: {}", spoken(&name), words::masked(why)));
            }
            let trouble = looks.get(&name)?.trouble.as_ref()?.why();
            Some(match target {
                Target::Tenant(_) => format!("{} cannot be worked with: {trouble}", spoken(&name)),
                Target::Mail(_) => format!("{} cannot be sent: {trouble}", spoken(&name)),
            })
        });
        said.collect()
    }

    /// Nothing that was found lately keeps us from our job. Asks nobody.
    pub fn looks_well(&self) -> bool {
        !lock(&self.looks).values().any(|look| look.trouble.is_some() && look.at.elapsed() < KNOWN)
    }

    /// Something was done there that worked: what was found before is over.
    pub(super) fn is_well(&self, gate: &str) {
        let mut looks = lock(&self.looks);
        if looks.get(gate).is_some_and(|look| look.trouble.is_some()) {
            looks.remove(gate);
        }
    }

    /// Looks by itself until it is cut short.
    pub(super) async fn keep_looking(&self) {
        tokio::time::sleep(ROUND).await;
        let broke = |why| error!(event = "loop-died", "a look at tenants and mail broke off: {why}");
        rounds(ROUND, broke, async || match self.look_ahead().await {
            Ok(()) => self.state_took_it("looks"),
            Err(error) => self.state_refused("looks", &error),
        })
        .await;
    }

    /// One round of it: looks where it is time, and writes down what was found and what is over.
    ///
    /// # Errors
    /// Only of our own database.
    pub async fn look_ahead(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let gates = self.store.gates().await?;
        let soon = self.store.next_look(now).await?.is_some_and(|at| at <= now + SOON);
        let usual = self.limits.look_again.saturating_mul(WELL);
        let well = if soon { usual } else { usual.max(EVERY.min(self.limits.look_again.saturating_mul(30))) };
        self.look(&gates, now, well).await;
        for (name, target) in self.targets() {
            let shut = gates.iter().find(|gate| gate.name == name).and_then(|gate| gate.stopped.as_deref());
            let ours = shut.is_some_and(|why| why.starts_with(FOUND));
            match (self.found_at(&name), shut) {
                (Found::Trouble(why), None) => {
                    let sentence = format!("{FOUND}{why}");
                    if self.store.hold_gate(now, &name, now, Some(&sentence)).await? {
                        told(&name, target, &sentence);
                    }
                }
                (Found::Well, Some(_)) if ours => {
                    if self.store.open_gate(now, &name).await? {
                        lock(&self.gates).remove(&name);
                        info!(event = "works-again", gate = name, "{name} works again");
                    }
                }
                (Found::Nothing | Found::Well | Found::Trouble(_), _) => {}
            }
        }
        Ok(())
    }

    fn found_at(&self, name: &str) -> Found {
        let looks = lock(&self.looks);
        let Some(look) = looks.get(name) else { return Found::Nothing };
        match &look.trouble {
            None => Found::Well,
            Some(Trouble::Away(_)) if look.in_a_row < AWAY_TOLD => Found::Nothing,
            Some(trouble) => Found::Trouble(trouble.why().to_owned()),
        }
    }

    /// Looks at those that are not held and were not looked at lately, side by side. Those who come
    /// meanwhile wait for the same look.
    async fn look(&self, gates: &[Gate], now: DateTime<Utc>, well: Duration) {
        let _one_at_a_time = self.looking.lock().await;
        let due: Vec<(String, Target<'_>)> = {
            let looks = lock(&self.looks);
            let fresh = |name: &String| {
                looks.get(name).is_some_and(|look| {
                    let counts = if look.trouble.is_none() { well } else { look.counts_for(self.limits.look_again) };
                    look.at.elapsed() < counts
                })
            };
            self.targets().into_iter().filter(|(name, _)| held(gates, name, now).is_none() && !fresh(name)).collect()
        };
        let found = join_all(due.into_iter().map(async |(name, target)| (name, look_at(target).await))).await;
        let mut looks = lock(&self.looks);
        for (name, trouble) in found {
            let look = Look::behind(looks.get(&name), trouble);
            looks.insert(name, look);
        }
    }

    /// Tenants first, then ways for letters, once each.
    fn targets(&self) -> Vec<(String, Target<'_>)> {
        let tenants = self.tenants.iter().map(|(name, served)| (format!("tenant/{name}"), Target::Tenant(served)));
        let mut ways: BTreeMap<&String, &Served> = BTreeMap::new();
        for served in self.tenants.values() {
            ways.entry(&served.mail_gate).or_insert(served);
        }
        tenants.chain(ways.into_iter().map(|(name, served)| (name.clone(), Target::Mail(served)))).collect()
    }
}

/// One that is stopped, or asked us to wait, is not asked again.
fn held<'g>(gates: &'g [Gate], name: &str, now: DateTime<Utc>) -> Option<&'g Gate> {
    gates.iter().find(|gate| gate.name == name && gate.holds(now))
}

/// `tenant contoso`, `mail`, `mail/contoso`.
fn spoken(gate: &str) -> String {
    gate.strip_prefix("tenant/").map_or_else(|| gate.to_owned(), |name| format!("tenant {name}"))
}

fn told(name: &str, target: Target<'_>, why: &str) {
    match target {
        Target::Tenant(_) => error!(event = "tenant-stopped", gate = name, "{} is stopped: {why}", spoken(name)),
        Target::Mail(_) => error!(event = "mail-stopped", gate = name, "{name} is stopped: {why}"),
    }
}

async fn look_at(target: Target<'_>) -> Option<Trouble> {
    match target {
        Target::Tenant(served) => tenant(&served.client).await,
        Target::Mail(served) => mail(served).await,
    }
}

/// Patience that is asked for is no trouble.
async fn tenant(client: &Arc<crate::entra::Tenant>) -> Option<Trouble> {
    let silent = || Failure::NotSent(format!("no answer within {} s", LOOK.as_secs()));
    let failure = tokio::time::timeout(LOOK, client.policy()).await.unwrap_or_else(|_| Err(silent())).err()?;
    let why = words::masked(&failure.to_string());
    match failure {
        Failure::Throttled { .. } => None,
        Failure::NotSent(_) | Failure::Unknown { .. } => Some(Trouble::Away(why)),
        Failure::Refused(_) | Failure::Unauthorized(_) => Some(Trouble::Refused(why)),
    }
}

/// As [`tenant`].
async fn mail(served: &Served) -> Option<Trouble> {
    let silent = || MailFailure::Unreachable(format!("no answer within {} s", LOOK.as_secs()));
    let looked = tokio::time::timeout(LOOK, served.post.look(&mut Vec::new())).await;
    let failure = looked.unwrap_or_else(|_| Err(silent())).err()?;
    let why = words::masked(&failure.to_string());
    match failure {
        MailFailure::Busy { .. } => None,
        MailFailure::Stopped(_)
        | MailFailure::TokenRefused(_)
        | MailFailure::RecipientRefused(_)
        | MailFailure::LetterRefused(_) => Some(Trouble::Refused(why)),
        MailFailure::Unreachable(_)
        | MailFailure::RecipientLater(_)
        | MailFailure::LetterLater(_)
        | MailFailure::Lost { .. } => Some(Trouble::Away(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_refused_is_tried_less_and_less() {
        let base = Duration::from_secs(30);
        let refused = || Some(Trouble::Refused("535 no".to_owned()));
        let mut look = Look::behind(None, refused());
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(look.counts_for(base).as_secs() / 60);
            look = Look::behind(Some(&look), refused());
        }
        assert_eq!(pauses, [1, 2, 5, 15, 15, 15]);
        let away = Look::behind(Some(&look), Some(Trouble::Away("no route".to_owned())));
        assert_eq!((away.in_a_row, away.counts_for(base)), (1, base));
        let well = Look::behind(Some(&away), None);
        assert_eq!(well.counts_for(base), Duration::from_mins(5));
        assert_eq!(Look::behind(Some(&well), refused()).in_a_row, 1);
    }
}
