//! The letter: written, handed over, written down.
//!
//! Once DATA has begun a lost connection may mean an accepted letter, so the same message with the
//! same Message-ID goes again while this process lives; a crash instead costs a second letter that
//! replaces the first. A pass whose letter was refused for good is deleted at once.

use std::time::Duration;

use chrono::TimeDelta;
use tracing::{error, info, warn};

use super::Work;
use super::attempt::{Attempt, MAIL_WAITS, Stop, later};
use super::in_hand::{Letter, Sent, wait_in_hand};
use super::onboard::mail_rejected;
use super::post::Dialled;
use super::settle::{self, Settled, Torn};
use super::wording;
use crate::mail::MailFailure;
use crate::rules::attempt::{Cleared, IssuedPass};
use crate::rules::calendar::Standing;
use crate::rules::hire::{Reason, State};
use crate::rules::next::{self, Standstill};
use crate::rules::unsettled::{self, Cause};
use crate::store::StoreError;

/// Between two tries to reach a mail server that is out of reach.
const MAIL_OUT_OF_REACH: TimeDelta = TimeDelta::minutes(1);
/// Before a letter whose answer was lost twice goes a third time.
const LOST_AGAIN: Duration = Duration::from_secs(30);
/// Between two tries of a login, certificate or sender that was refused.
const MAIL_STOPPED: TimeDelta = TimeDelta::minutes(5);

/// Writes the letter about the pass. The code is in the letter now and nowhere else.
pub(super) async fn letter_for(
    attempt: &Attempt<'_>,
    settled: &Settled,
    (cleared, issued): (Cleared, IssuedPass),
) -> Result<Letter, Stop> {
    let (pass_id, user, graph_id) = (issued.pass_id(), cleared.ask().user, issued.graph_id().to_owned());
    match wording::write(attempt, settled, &cleared, &issued) {
        Ok(words) => Ok(Letter {
            words,
            pass_id,
            user,
            graph_id,
            from: issued.from(),
            until: issued.until(),
            since: attempt.now(),
            not_before: attempt.now(),
            sent: Sent::NotYet,
            written: false,
        }),
        Err(why) => {
            let torn = Torn { pass_id, user, graph_id, owes: false, cause: Cause::Unexpected };
            settle::tear_up(attempt, torn).await?;
            let why = format!(
                "the letter could not be written ({why}); the pass was deleted. Correct the name in the feed or the letter's template, then `firstpass hire retry`"
            );
            Err(Stop::Rest(Standstill {
                state: State::Attention,
                reason: Some(Reason::GraphUnexpected),
                what_to_do: why,
                look_at: None,
            }))
        }
    }
}

/// `mailing` on disk, DATA, `mailed` on disk. `Ok` = delivered, the claim has ended.
pub(super) async fn hand_over(attempt: &Attempt<'_>, dialled: Dialled, mut letter: Letter) -> Result<(), Stop> {
    if !letter.written {
        let message_id = letter.words.message_id.clone();
        let marked = attempt.work.store.mailing(&attempt.claimed, attempt.now(), letter.pass_id, &message_id).await;
        match marked {
            Ok(true) => letter.written = true,
            Ok(false) => {
                dialled.hang_up().await;
                settle::tear_up(attempt, letter.torn(Cause::Changed)).await?;
                return Err(Stop::Rest(attempt.keep(State::Pending, attempt.now())));
            }
            Err(error) => {
                dialled.hang_up().await;
                settle::delete_unwritten(attempt, &letter.torn(Cause::Changed)).await;
                return Err(error.into());
            }
        }
    }
    let timed_out = || MailFailure::Lost { why: "no answer while stopping".to_owned(), wait: Duration::ZERO };
    let sent = attempt.work.in_time_to_stop(dialled.send(attempt.now(), &letter.words)).await;
    let sent = sent.ok_or_else(timed_out).flatten();
    attempt.work.count_letter(attempt.served, &sent);
    match sent {
        Ok(_receipt) => {
            letter.sent = Sent::Accepted;
            attempt.count_accepted(attempt.now());
            write_delivered(attempt, letter).await
        }
        Err(failure) => not_sent(attempt, letter, failure).await,
    }
}

/// An accepted letter is written down; while that fails it stays in hand, and nothing is deleted.
pub(super) async fn write_delivered(attempt: &Attempt<'_>, letter: Letter) -> Result<(), Stop> {
    let now = attempt.now();
    let key = attempt.key();
    let look_at = unsettled::next_watch(now, letter.from, letter.until, now);
    match attempt.work.store.delivered(&attempt.claimed, now, letter.pass_id, Some(look_at)).await {
        Ok(true) => {
            attempt.work.complaints.settle(&format!("hire/{key}"));
            info!(event = "letter-accepted", hire = %key, to = letter.words.to.masked(), "{key}: letter accepted for {}", letter.words.to.masked());
            Ok(())
        }
        Ok(false) => {
            attempt.work.complaints.settle(&format!("hire/{key}"));
            error!(event = "claim-lost", hire = %key, "{key}: the letter was accepted, but another claim took the hire over");
            Err(Stop::LetGo(None))
        }
        Err(error) => {
            let about = format!("hire/{key}");
            if let Some(more) = attempt.work.complaints.raise(&about, &error.to_string()) {
                error!(event = "state-not-written", hire = %key, "{key}: the letter was accepted, but the state cannot be written ({error}); trying again{more}");
            }
            Err(Stop::InHand(Box::new(letter)))
        }
    }
}

async fn not_sent(attempt: &Attempt<'_>, mut letter: Letter, failure: MailFailure) -> Result<(), Stop> {
    match &failure {
        MailFailure::LetterRefused(why) | MailFailure::RecipientRefused(why) => {
            let refusal = mail_rejected(why);
            settle::tear_up(attempt, letter.torn(Cause::MailRefused)).await?;
            let wanted = attempt.wanted(State::Pending);
            let standstill = next::after_refusal(&wanted, refusal.reason, refusal.what_to_do, attempt.now());
            Err(Stop::Rest(standstill))
        }
        MailFailure::Lost { why, wait } => {
            // Lost again: not at every tick.
            let wait = if letter.sent == Sent::Maybe { LOST_AGAIN.max(*wait) } else { *wait };
            letter.sent = Sent::Maybe;
            letter.not_before = later(attempt.now(), wait);
            warn!(event = "letter-unclear", hire = %attempt.key(), "the connection was lost after the letter ({why}); the same message goes again");
            Err(Stop::InHand(Box::new(letter)))
        }
        MailFailure::Stopped(_)
        | MailFailure::TokenRefused(_)
        | MailFailure::Unreachable(_)
        | MailFailure::Busy { .. }
        | MailFailure::RecipientLater(_)
        | MailFailure::LetterLater(_) => Err(wait_in_hand(attempt, letter, &failure).await?),
    }
}

impl Work {
    /// What a mail server that does not take letters now means; told once.
    pub(super) async fn mail_setback(
        &self,
        attempt: &Attempt<'_>,
        failure: &MailFailure,
    ) -> Result<Standstill, StoreError> {
        let (now, gate) = (attempt.now(), &attempt.served.mail_gate);
        let (until, why) = match failure {
            MailFailure::Busy { why, wait } => {
                let until = later(now, *wait);
                self.store.hold_gate(now, gate, until, None).await?;
                warn!(event = "mail-waits", gate, "{gate} waits {} s: {why}", wait.as_secs());
                return Ok(attempt.wait(Some(Reason::MailStopped), MAIL_WAITS, until));
            }
            MailFailure::Stopped(why) | MailFailure::TokenRefused(why) => (now + MAIL_STOPPED, why),
            MailFailure::Unreachable(why) => (now + MAIL_OUT_OF_REACH, why),
            MailFailure::RecipientRefused(why)
            | MailFailure::RecipientLater(why)
            | MailFailure::LetterRefused(why)
            | MailFailure::LetterLater(why)
            | MailFailure::Lost { why, .. } => {
                let wanted = attempt.wanted(State::Pending);
                let at = next::look_again(&wanted, Standing::Pending, now);
                let why =
                    format!("the mail server does not take this letter yet ({why}); firstpass tries again by itself");
                return Ok(attempt.wait(Some(Reason::MailStopped), &why, at.unwrap_or(now + MAIL_OUT_OF_REACH)));
            }
        };
        if self.store.hold_gate(now, gate, until, Some(why)).await? {
            error!(event = "mail-stopped", gate, "{gate} is stopped: {why}");
        }
        let sentence = format!(
            "the mail server is out of reach or refuses us ({why}); firstpass goes on by itself when that is mended"
        );
        Ok(attempt.wait(Some(Reason::MailStopped), &sentence, until))
    }
}
