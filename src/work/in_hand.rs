//! Codes whose letter must wait.
//!
//! A letter that the mail server does not take now lies with the worker, not in a sleeping attempt.
//! Each tick renews its lease, tries again when due, and condemns what is older than ten minutes:
//! a code is never kept on disk, and never for long in memory.

use std::sync::atomic::Ordering;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};
use uuid::Uuid;

use super::attempt::{Attempt, Stop, apart, key_of, later};
use super::onboard::mail_rejected;
use super::post::{Dialled, Post};
use super::send::{hand_over, write_delivered};
use super::settle::{self, Torn};
use super::{Work, lock};
use crate::heap::heap;
use crate::mail::MailFailure;
use crate::rules::hire::{MailAddress, State};
use crate::rules::next::Standstill;
use crate::rules::unsettled::Cause;
use crate::store::{Claimed, StoreError};

/// A letter with its pass, in this process only.
pub(super) struct Letter {
    pub(super) words: crate::rules::letter::Letter,
    pub(super) pass_id: i64,
    pub(super) user: Uuid,
    pub(super) graph_id: String,
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
    /// Since when the code is in memory.
    pub(super) since: DateTime<Utc>,
    /// Not offered again before.
    pub(super) not_before: DateTime<Utc>,
    pub(super) sent: Sent,
    /// `mailing` is on disk.
    pub(super) written: bool,
}

/// How far the letter got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The server did not take it.
    NotYet,
    /// The connection was lost after the final dot.
    Maybe,
    /// Accepted; only our own commit is missing.
    Accepted,
}

/// A claim that the worker keeps.
pub(super) struct InHand {
    claimed: Claimed,
    letter: Letter,
    next_try: DateTime<Utc>,
}

impl InHand {
    /// Whose hire it is.
    pub(super) fn tenant(&self) -> &str {
        &self.claimed.hire.tenant
    }
}

/// Between two tries of one letter.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

impl Letter {
    /// This letter's pass, to be deleted.
    pub(super) fn torn(&self, cause: Cause) -> Torn {
        Torn {
            pass_id: self.pass_id,
            user: self.user,
            graph_id: self.graph_id.clone(),
            owes: self.sent != Sent::NotYet,
            cause,
        }
    }
}

impl Work {
    /// Takes over a claim whose letter must wait.
    pub(super) async fn keep_in_hand(&self, claimed: Claimed, letter: Letter) {
        let next_try = match letter.sent {
            Sent::NotYet => self.clock.now() + PAUSE,
            Sent::Maybe | Sent::Accepted => self.clock.now(),
        };
        let next_try = next_try.max(letter.not_before);
        let mut in_hand = self.in_hand.lock().await;
        in_hand.push(InHand { claimed, letter, next_try });
        self.counts.in_hand(in_hand.len());
    }

    /// How many codes wait in memory.
    pub async fn n_in_hand(&self) -> usize {
        self.in_hand.lock().await.len()
    }

    /// When the first of them is tried again.
    pub async fn next_in_hand(&self) -> Option<DateTime<Utc>> {
        self.in_hand.lock().await.iter().map(|held| held.next_try).min()
    }

    /// One round over everything in hand. Letters are tried for [`Limits::tick`](crate::config::Limits)
    /// and, when the worker stops, until the last tries end; of the others only the lease is renewed,
    /// and they come first the next time.
    ///
    /// # Errors
    /// Of our own database; what could not be written stays in hand.
    pub(super) async fn round_in_hand(&self) -> Result<(), StoreError> {
        // One at a time: when the round is cut short, the others are still in hand.
        let mut waiting = self.in_hand.lock().await;
        // Accepted ones lack a write only, which waits for no mail server.
        waiting.sort_by_key(|held| held.letter.sent != Sent::Accepted);
        let n_held = waiting.len();
        drop(waiting);
        let began = Instant::now();
        let mut first_error = None;
        for n_done in 0..n_held {
            self.pulse.step();
            if began.elapsed() >= self.limits.tick && !self.is_stopping() {
                let renewed = self.renew_the_rest(n_held - n_done).await;
                first_error = first_error.or(renewed.err());
                break;
            }
            let mut waiting = self.in_hand.lock().await;
            let too_late = lock(&self.last_tries_until).is_some_and(|until| until <= Instant::now());
            if waiting.is_empty() || too_late {
                break;
            }
            let one = waiting.remove(0);
            drop(waiting);
            if let Err(error) = apart(key_of(&one.claimed.hire), heap(|| self.move_on(one))).await {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The first so many keep their leases until the next round; a lost one is found there.
    async fn renew_the_rest(&self, n_left: usize) -> Result<(), StoreError> {
        for held in self.in_hand.lock().await.iter_mut().take(n_left) {
            self.pulse.step();
            self.store.renew(&mut held.claimed, self.clock.now(), self.limits.lease).await?;
        }
        Ok(())
    }

    async fn move_on(&self, held: InHand) -> Result<(), StoreError> {
        let Some(served) = self.tenants.get(&held.claimed.hire.tenant) else { return Ok(()) };
        let mut attempt = Attempt::new(self, served, held.claimed);
        let now = attempt.now();
        if held.letter.sent == Sent::Accepted {
            // The letter is out: that counts without a lease, as long as nobody else took the hire over.
            let written = write_delivered(&attempt, held.letter).await;
            return self.left(attempt, written).await;
        }
        let key = attempt.key();
        let revision = match self.store.renew(&mut attempt.claimed, now, self.limits.lease).await {
            Ok(Some(revision)) => revision,
            Ok(None) => {
                warn!(event = "claim-lost", hire = %key, "{key}: the lease of a code in hand is lost; the next claim settles it");
                return Ok(());
            }
            Err(error) => {
                let (letter, next_try) = (held.letter, held.next_try);
                self.in_hand.lock().await.push(InHand { claimed: attempt.claimed, letter, next_try });
                return Err(error);
            }
        };
        let tried = self.try_once(&attempt, held.letter, held.next_try, revision).await;
        self.left(attempt, tried).await
    }

    /// Writes down what a try came to, or keeps the letter.
    async fn left(&self, attempt: Attempt<'_>, tried: Result<(), Stop>) -> Result<(), StoreError> {
        match tried {
            Ok(()) | Err(Stop::LetGo(None)) => Ok(()),
            Err(Stop::InHand(letter)) => {
                self.keep_in_hand(attempt.claimed, *letter).await;
                Ok(())
            }
            Err(Stop::Rest(standstill)) => attempt.rest(standstill, None).await,
            Err(Stop::LetGo(Some(error))) => Err(error),
        }
    }

    async fn try_once(
        &self,
        attempt: &Attempt<'_>,
        letter: Letter,
        next_try: DateTime<Utc>,
        revision: i64,
    ) -> Result<(), Stop> {
        let now = attempt.now();
        if revision != attempt.hire().revision {
            return give_up(attempt, &letter, Cause::Changed).await;
        }
        if now >= later(letter.since, self.limits.in_hand) {
            return give_up(attempt, &letter, Cause::MailLate).await;
        }
        if now < next_try && (letter.sent == Sent::NotYet || now < letter.not_before) {
            return Err(Stop::InHand(Box::new(letter)));
        }
        let dialled = self.dial_in_hand(&attempt.served.post, &letter.words.to).await;
        self.count_dial(attempt.served, &dialled);
        match dialled {
            Ok(dialled) => hand_over(attempt, dialled, letter).await,
            Err(MailFailure::RecipientRefused(why)) => {
                let refusal = mail_rejected(&why);
                settle::tear_up(attempt, letter.torn(Cause::MailRefused)).await?;
                Err(Stop::Rest(Standstill {
                    state: State::Attention,
                    reason: Some(refusal.reason),
                    what_to_do: refusal.what_to_do,
                    look_at: None,
                }))
            }
            Err(failure) => Err(wait_in_hand(attempt, letter, &failure).await?),
        }
    }

    /// On SIGTERM a server that hangs must leave time to delete the pass: nothing was sent yet.
    async fn dial_in_hand(&self, post: &Post, to: &MailAddress) -> Result<Dialled, MailFailure> {
        let timed_out = || MailFailure::Unreachable("no answer while stopping".to_owned());
        self.in_time_to_stop(post.dial(to)).await.ok_or_else(timed_out)?
    }

    /// `None`: the worker stops, and this took what there is for last tries. One moment ends all of
    /// them, since each pass that is left over must still be deleted.
    pub(super) async fn in_time_to_stop<T>(&self, trying: impl Future<Output = T>) -> Option<T> {
        if !self.stopping.load(Ordering::SeqCst) {
            return Some(trying.await);
        }
        let patience = self.settings.schedule.stop_within / 4;
        let until = *lock(&self.last_tries_until);
        let until = until.unwrap_or_else(|| Instant::now() + patience);
        tokio::time::timeout_at(until.into(), trying).await.ok()
    }

    /// SIGTERM: claim no more, one last try for what is in hand, then condemn and delete. How many letters
    /// are out that could not be written down: the next start deletes their passes and sends new ones.
    ///
    /// # Errors
    /// Of our own database.
    pub async fn stop(&self) -> Result<usize, StoreError> {
        self.claim_no_more();
        *lock(&self.last_tries_until) = Some(Instant::now() + self.settings.schedule.stop_within / 4);
        for held in self.in_hand.lock().await.iter_mut() {
            held.next_try = DateTime::UNIX_EPOCH;
            held.letter.not_before = DateTime::UNIX_EPOCH;
        }
        let mut ended = self.round_in_hand().await;
        let held = std::mem::take(&mut *self.in_hand.lock().await);
        let mut n_unwritten = 0;
        for one in held {
            let Some(served) = self.tenants.get(&one.claimed.hire.tenant) else { continue };
            let attempt = Attempt::new(self, served, one.claimed);
            if one.letter.sent == Sent::Accepted {
                n_unwritten += 1;
                continue;
            }
            // A state that cannot be written for one must not keep the passes of the others alive.
            let given_up = give_up(&attempt, &one.letter, Cause::Stopped).await;
            ended = ended.and(self.left(attempt, given_up).await);
        }
        ended.map(|()| n_unwritten)
    }
}

/// The pass goes, and the hire is planned anew.
async fn give_up(attempt: &Attempt<'_>, letter: &Letter, cause: Cause) -> Result<(), Stop> {
    let key = attempt.key();
    info!(event = "letter-given-up", hire = %key, cause = cause.as_str(), "{key}: a code in hand is given up ({cause})");
    settle::tear_up(attempt, letter.torn(cause)).await?;
    let now = attempt.now();
    let again = if cause == Cause::Changed { now } else { now + PAUSE };
    Err(Stop::Rest(attempt.keep(State::Pending, again)))
}

/// The letter stays in hand; a server that asks for patience gets it.
pub(super) async fn wait_in_hand(
    attempt: &Attempt<'_>,
    mut letter: Letter,
    failure: &MailFailure,
) -> Result<Stop, StoreError> {
    attempt.work.mail_setback(attempt, failure).await?;
    if let MailFailure::Busy { wait, .. } = failure {
        letter.not_before = later(attempt.now(), *wait);
    }
    Ok(Stop::InHand(Box::new(letter)))
}
