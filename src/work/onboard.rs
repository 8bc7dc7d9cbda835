//! One hire, from the claim to the accepted letter. **Read this first.**
//!
//! The order is the protocol of a secret that is shown once: `settle::settle` what is out there ·
//! `next::next` · `Slot` · `check` · `dial` the mail server · `intend`, a committed row ·
//! `issue`, one POST, and what came of it on disk · `letter_for` · `hand_over`, and that on disk.
//! Each step takes the value of the step before. `Err(Stop)` is the normal way to end early: the hire
//! rests with a state and a time, and the tick comes back. Nothing here sleeps or is repeated.
//!
//! What must never be: a POST without a durable intent, a second POST before the directory was
//! looked at, a letter about a pass that is not what was asked for or that nobody wants any more.

use chrono::TimeDelta;
use tracing::info;

use super::Work;
use super::attempt::{Attempt, Setback, Stop, apart, key_of};
use super::check::{check, or_refused};
use super::post::Dialled;
use super::send::{hand_over, letter_for};
use super::settle::{self, Settled, Torn};
use super::stays;
use super::void::tell_void;
use crate::heap::heap;
use crate::mail::MailFailure;
use crate::rules::attempt::{Cleared, Intended, IssuedPass};
use crate::rules::guard::Refusal;
use crate::rules::hire::{Reason, State};
use crate::rules::next::{self, Next, Standstill, Wanted};
use crate::rules::unsettled::Cause;
use crate::rules::verdict::Failure;
use crate::store::{Claimed, StoreError};

/// Stands in the hire until its intent is settled.
const UNCLEAR: &str = "no clear answer came from Graph; firstpass looks whether a pass was made before it asks again";
/// A hire whose time is over while Graph cannot say what time it is is looked at again.
const UNCONFIRMED: TimeDelta = TimeDelta::minutes(15);
/// Stands in such a hire, unless it has a reason.
const NOBODY_SAYS: &str = "its time is over by this machine's clock, and Microsoft cannot be asked whether that is right; firstpass looks again by itself";
/// A start this near is "now" (contract 5): what was cleared earlier is asked anew.
const TOO_NEAR: TimeDelta = TimeDelta::seconds(60);
/// Facts older than this are not issued upon (I7).
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// By then whoever came between is done.
const A_MOMENT: TimeDelta = TimeDelta::seconds(5);

/// Works on one claimed hire until it rests, is delivered, or its letter is in hand.
///
/// # Errors
/// Only of our own database; the claim is then left to run out, and the next one settles. So it is after
/// a panic.
pub(super) async fn onboard(work: &Work, claimed: Claimed) -> Result<(), StoreError> {
    apart(key_of(&claimed.hire), heap(|| serve(work, claimed))).await
}

async fn serve(work: &Work, claimed: Claimed) -> Result<(), StoreError> {
    let Some(served) = work.tenants.get(&claimed.hire.tenant) else {
        return settle::leave_to_its_tenant(work, claimed).await;
    };
    let mut attempt = Attempt::new(work, served, claimed);
    let settled = match settle::settle(&mut attempt).await {
        Ok(settled) => settled,
        Err(stop) => return end(attempt, stop, None).await,
    };
    let mut stop = match one_letter(&mut attempt, &settled).await {
        Ok(()) => return Ok(()),
        Err(stop) => stop,
    };
    stays::say(&settled, &mut stop);
    let watch = tell_void(&attempt, &settled, &mut stop).await?;
    end(attempt, stop, watch).await
}

/// The way of one letter. `Ok` means that the hire is delivered and the claim has ended.
async fn one_letter(attempt: &mut Attempt<'_>, settled: &Settled) -> Result<(), Stop> {
    let wanted = attempt.wanted(settled.standing);
    let schedule = &attempt.served.rules.schedule;
    match next::next(&wanted, schedule, attempt.now()) {
        Next::Rest(standstill) => {
            confirm_the_time(attempt, &wanted, &standstill).await?;
            return Err(Stop::Rest(standstill));
        }
        Next::Look | Next::Issue if settled.blocked.is_some() => {
            return Err(settle::wait_until_settled(attempt, settled));
        }
        Next::Look => {
            check(attempt, &wanted).await?;
            return Err(Stop::Rest(next::after_clear_look(&wanted, attempt.now())));
        }
        Next::Issue => {}
    }
    attempt.mail_is_open()?;
    let slot = Slot::take(attempt)?;
    let cleared = check(attempt, &wanted).await?;
    let dialled = dial(attempt, &wanted, &cleared).await?;
    let issued = match intend_and_issue(attempt, &wanted, cleared).await {
        Ok(issued) => issued,
        Err(stop) => {
            dialled.hang_up().await;
            return Err(stop);
        }
    };
    slot.used();
    let letter = letter_for(attempt, settled, issued).await?;
    hand_over(attempt, dialled, letter).await
}

/// Nobody is given up by a clock that may be wrong: any answer of Graph says what time it is.
async fn confirm_the_time(attempt: &Attempt<'_>, wanted: &Wanted, standstill: &Standstill) -> Result<(), Stop> {
    let gives_up = standstill.state == State::Attention && attempt.now() >= wanted.window_until;
    let known = attempt.hire().reason.is_some_and(Reason::waits_for_retry);
    if !gives_up || known {
        return Ok(());
    }
    if attempt.tenant().ask_skew().await.is_some() {
        return attempt.clock_agrees().await;
    }
    let mut waits = attempt.keep(wanted.state, attempt.now() + UNCONFIRMED);
    if waits.reason.is_none() {
        NOBODY_SAYS.clone_into(&mut waits.what_to_do);
    }
    Err(Stop::Rest(waits))
}

/// Intent on disk, one POST, and what came of it on disk.
async fn intend_and_issue(
    attempt: &mut Attempt<'_>,
    wanted: &Wanted,
    cleared: Cleared,
) -> Result<(Cleared, IssuedPass), Stop> {
    let intended = intend(attempt, cleared).await?;
    issue(attempt, wanted, intended).await
}

/// The mail server takes this recipient, before anything is made.
async fn dial(attempt: &Attempt<'_>, wanted: &Wanted, cleared: &Cleared) -> Result<Dialled, Stop> {
    let work = attempt.work;
    match attempt.dial(&cleared.channel().address).await {
        Ok(dialled) => {
            work.open_gate(&attempt.served.mail_gate, attempt.now()).await?;
            Ok(dialled)
        }
        Err(MailFailure::RecipientRefused(why)) => or_refused(attempt, wanted, Err(mail_rejected(&why))),
        Err(failure) => Err(Stop::Rest(work.mail_setback(attempt, &failure).await?)),
    }
}

/// The intent becomes a committed row.
async fn intend(attempt: &Attempt<'_>, cleared: Cleared) -> Result<Intended, Stop> {
    let now = attempt.now();
    if now - cleared.at() > FRESH || !attempt.lease_suffices(now) {
        // Graph is slow, or we were asleep: not again at once, others are due as well.
        return Err(Stop::Rest(attempt.keep(attempt.hire().state, now + FRESH)));
    }
    if cleared.ask().start.is_some_and(|start| start - now < TOO_NEAR) {
        return Err(Stop::Rest(attempt.keep(attempt.hire().state, now)));
    }
    let intended = attempt.work.store.intend(&attempt.claimed, now, cleared).await?;
    // Something came between; never at once, or what a look does not see and the state refuses would spin.
    intended.ok_or_else(|| Stop::Rest(attempt.keep(State::Pending, now + A_MOMENT)))
}

/// One POST. An unclear answer stays `intended` for settling; there is no second one here.
async fn issue(attempt: &mut Attempt<'_>, wanted: &Wanted, intended: Intended) -> Result<(Cleared, IssuedPass), Stop> {
    let (work, key) = (attempt.work, attempt.key());
    let made = match attempt.create_pass(intended.cleared().ask()).await {
        Ok(made) => made,
        Err(failure) => return Err(not_issued(attempt, wanted, &intended, &failure).await?),
    };
    let now = attempt.now();
    let user = intended.cleared().ask().user;
    let graph_id = made.listed.id.clone();
    let issued = match IssuedPass::from_answer(&intended, made, now) {
        Ok(issued) => issued,
        Err(refusal) => {
            let torn = Torn { pass_id: intended.pass_id(), user, graph_id, owes: false, cause: Cause::Unexpected };
            settle::tear_up(attempt, torn).await?;
            return or_refused(attempt, wanted, Err(refusal));
        }
    };
    let torn = Torn { pass_id: intended.pass_id(), user, graph_id, owes: false, cause: Cause::Changed };
    match work.store.issued(&attempt.claimed, now, &issued, issued.lifetime_min()).await {
        Ok(Some(revision)) if revision == attempt.hire().revision => {
            if let Err(error) = attempt.made_one().await {
                settle::delete_unwritten(attempt, &torn).await;
                return Err(error.into());
            }
            info!(event = "pass-made", hire = %key, pass = issued.graph_id(), "{key}: pass made, usable from {}", issued.from());
            Ok((intended.into_cleared(), issued))
        }
        Ok(Some(_) | None) => {
            settle::tear_up(attempt, torn).await?;
            Err(Stop::Rest(attempt.keep(State::Pending, now)))
        }
        Err(error) => {
            settle::delete_unwritten(attempt, &torn).await;
            Err(error.into())
        }
    }
}

/// No pass in our hands: certainly not made, or unknown.
async fn not_issued(
    attempt: &Attempt<'_>,
    wanted: &Wanted,
    intended: &Intended,
    failure: &Failure,
) -> Result<Stop, StoreError> {
    let (store, now) = (&attempt.work.store, attempt.now());
    let why = failure.to_string();
    let counts = match failure {
        Failure::Unknown { .. } => {
            let look_at = settle::first_look_at_unknown(now);
            store.looked(&attempt.claimed, now, intended.pass_id(), 0, Some(look_at)).await?;
            let standstill = Standstill {
                state: State::Issuing,
                reason: None,
                what_to_do: UNCLEAR.to_owned(),
                look_at: Some(look_at),
            };
            return Ok(Stop::Rest(standstill));
        }
        Failure::Refused(_) => true,
        Failure::NotSent(_) | Failure::Throttled { .. } | Failure::Unauthorized(_) => false,
    };
    let setback = attempt.setback_of_post("UserAuthMethod-TAP.ReadWrite.All", failure).await?;
    let stopped = matches!(setback, Setback::Waits(..));
    store.not_made(&attempt.claimed, now, intended.pass_id(), counts && !stopped, &why).await?;
    Ok(match setback {
        Setback::Waits(until, reason, why) => Stop::Rest(attempt.wait(reason, &why, until)),
        Setback::ThisHire(why) => Stop::Rest(next::after_refusal(
            wanted,
            Reason::GraphRefused,
            format!("Graph made no pass: {why}; firstpass tries again by itself"),
            now,
        )),
    })
}

/// The mail server refused this recipient or letter for good.
pub(super) fn mail_rejected(why: &str) -> Refusal {
    Refusal {
        reason: Reason::MailRejected,
        what_to_do: format!(
            "the mail server refuses this manager's letter for good ({why}); no pass is live. Mend the address or the server, then `firstpass hire retry`"
        ),
    }
}

/// Writes down how the attempt ended.
async fn end(attempt: Attempt<'_>, stop: Stop, watch: Option<chrono::DateTime<chrono::Utc>>) -> Result<(), StoreError> {
    match stop {
        Stop::Rest(standstill) => attempt.rest(standstill, watch).await,
        Stop::LetGo(None) => Ok(()),
        Stop::LetGo(Some(error)) => Err(error),
        Stop::InHand(letter) => {
            attempt.work.keep_in_hand(attempt.claimed, *letter).await;
            Ok(())
        }
    }
}

/// One place among this minute's letters; given back unless a pass was made.
struct Slot<'w>(Option<&'w Work>);

impl<'w> Slot<'w> {
    fn take(attempt: &Attempt<'w>) -> Result<Self, Stop> {
        let now = attempt.now();
        attempt.work.take_slot().map_err(|next| {
            Stop::Rest(attempt.keep(attempt.hire().state, next.unwrap_or(now).max(now + TimeDelta::seconds(1))))
        })?;
        Ok(Self(Some(attempt.work)))
    }

    fn used(mut self) {
        self.0 = None;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(work) = self.0 {
            work.give_slot_back();
        }
    }
}
