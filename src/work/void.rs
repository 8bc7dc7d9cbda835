//! The letter that says a code is void: owed to whoever may hold a letter about a pass that is gone.
//!
//! One that is not taken goes again with growing pauses, which stand in the pass row and survive a
//! restart, until a day after the pass would have ended. What is refused for good, or never taken,
//! ends with an event and a sentence that asks a person to call. Nothing else waits for this letter.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, info, warn};

use super::attempt::{Attempt, Stop};
use super::settle::{self, Settled};
use crate::mail::{MailFailure, Receipt};
use crate::rules::hire::{MailAddress, State};
use crate::rules::letter::{Letter, Moment, VoidLetter, VoidWhy};
use crate::rules::unsettled::{Cause, void_again};
use crate::rules::words;
use crate::store::{PassRow, StoreError};

/// When no letter may go now and nobody knows when.
const NO_SLOT: TimeDelta = TimeDelta::minutes(1);
/// The last try is over by our clock, and nobody says whether that is right.
const UNCONFIRMED: TimeDelta = TimeDelta::minutes(15);

/// What came of one letter.
enum Told {
    /// It was taken, or nothing is owed any more.
    Yes,
    /// Not before then.
    Later(DateTime<Utc>),
    /// Never: a person must call. The sentence says whom.
    Never(String),
}

/// Whoever may hold a letter about a pass that is gone is told that its code is void, unless a
/// letter that replaces it is due. Returns when to look again; what a person must do stands in `stop`.
pub(super) async fn tell_void(
    attempt: &Attempt<'_>,
    settled: &Settled,
    stop: &mut Stop,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut watch = settled.watch;
    let Stop::Rest(standstill) = stop else { return Ok(watch) };
    let replaced_soon = match standstill.state {
        State::Pending | State::Issuing | State::Sending => {
            attempt.hire().send_at.is_some_and(|at| at <= attempt.now())
        }
        State::Delivered | State::Attention | State::Held | State::Cancelled => false,
    };
    if replaced_soon {
        return Ok(watch);
    }
    for pass in &settled.owed {
        match tell_one(attempt, pass).await? {
            Told::Yes => {}
            Told::Later(again) => watch = Some(watch.map_or(again, |watch| watch.min(again))),
            Told::Never(call) if standstill.what_to_do.is_empty() => standstill.what_to_do = call,
            Told::Never(call) => standstill.what_to_do = format!("{}. Also: {call}", standstill.what_to_do),
        }
    }
    Ok(watch)
}

async fn tell_one(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Told, StoreError> {
    let (work, now, key) = (attempt.work, attempt.now(), attempt.key());
    if let Some(at) = pass.look_at.filter(|at| *at > now) {
        return Ok(Told::Later(at));
    }
    let Ok(to) = MailAddress::parse(&pass.recipient) else {
        return never(attempt, pass, "its address cannot be read").await;
    };
    if let Err(next) = work.take_slot() {
        return Ok(Told::Later(next.unwrap_or(now + NO_SLOT)));
    }
    let facts = VoidLetter {
        to: to.clone(),
        manager_name: String::new(),
        hire_name: attempt.name_for_letters(&attempt.hire().user_upn),
        why: void_why(attempt, &pass.cause),
        help: attempt.served.mail.help.clone(),
        language: attempt.hire().language.clone(),
        message_id: attempt.message_id("void", pass.id, pass.graph_id.as_deref().unwrap_or_default()),
    };
    let failure = match attempt.served.letters.void(&facts) {
        Err(error) => {
            work.give_slot_back();
            error!(event = "void-not-written", hire = %key, "{key}: the letter about a void code could not be written: {error}");
            return never(attempt, pass, &format!("the letter could not be written ({error})")).await;
        }
        Ok(letter) => match offer(attempt, &to, &letter).await {
            Err(failure) => failure,
            Ok(_receipt) => {
                info!(event = "void-told", hire = %key, to = to.masked(), "{key}: told {} that an earlier code is void", to.masked());
                work.store.told_void(&attempt.claimed, now, pass.id).await?;
                return Ok(Told::Yes);
            }
        },
    };
    work.give_slot_back();
    not_told(attempt, pass, &failure).await
}

async fn offer(attempt: &Attempt<'_>, to: &MailAddress, letter: &Letter) -> Result<Receipt, MailFailure> {
    let sent = attempt.dial(to).await?.send(attempt.now(), letter).await;
    attempt.work.count_letter(attempt.served, &sent);
    sent
}

/// The letter was not taken: again later, or never.
async fn not_told(attempt: &Attempt<'_>, pass: &PassRow, failure: &MailFailure) -> Result<Told, StoreError> {
    let (work, now) = (attempt.work, attempt.now());
    let server_says = match failure {
        MailFailure::RecipientRefused(why) | MailFailure::LetterRefused(why) => return never(attempt, pass, why).await,
        // It stops other letters as well.
        MailFailure::Stopped(_)
        | MailFailure::TokenRefused(_)
        | MailFailure::Unreachable(_)
        | MailFailure::Busy { .. } => work.mail_setback(attempt, failure).await?.look_at,
        MailFailure::RecipientLater(_) | MailFailure::LetterLater(_) | MailFailure::Lost { .. } => None,
    };
    let (failed, ends) = (pass.looks + 1, settle::end_of(pass).unwrap_or(pass.made_at));
    let Some(again) = void_again(ends, failed, now) else {
        if !attempt.knows_the_time().await {
            return Ok(Told::Later(now + UNCONFIRMED));
        }
        return never(attempt, pass, &format!("{failure}; {failed} tries, the last a day after the pass ended")).await;
    };
    let again = server_says.map_or(again, |at| again.max(at));
    work.store.looked(&attempt.claimed, now, pass.id, failed, Some(again)).await?;
    let key = attempt.key();
    warn!(event = "void-not-told-yet", hire = %key, "{key}: a manager could not be told yet that a code is void: {failure}");
    Ok(Told::Later(again))
}

/// Nobody is told by mail. A person may call.
async fn never(attempt: &Attempt<'_>, pass: &PassRow, why: &str) -> Result<Told, StoreError> {
    let (key, why) = (attempt.key(), words::masked(why));
    let call = |whom: &str| {
        format!(
            "{whom} could not be told that the code of an earlier letter is void ({why}). The code opens nothing, but \
             they may rely on it: call them"
        )
    };
    let told = call(&format!("the recipient of pass row {}, manager {},", pass.id, pass.manager_id));
    attempt.work.store.not_told(&attempt.claimed, attempt.now(), pass.id, &told).await?;
    error!(event = "void-not-told", hire = %key, "{key}: {told}");
    Ok(Told::Never(call(&pass.recipient)))
}

fn void_why(attempt: &Attempt<'_>, cause: &str) -> VoidWhy {
    let hire = attempt.hire();
    let moved = || VoidWhy::Moved { start: Moment::civil(hire.start_date, hire.start_time, &hire.zone) };
    match cause.parse::<Cause>() {
        Ok(Cause::Cancelled) => VoidWhy::Cancelled,
        Ok(Cause::Moved) => moved(),
        Ok(Cause::NewManager) => VoidWhy::NewManager,
        Ok(
            Cause::LostAnswer
            | Cause::LostCode
            | Cause::NewAccount
            | Cause::Changed
            | Cause::Unexpected
            | Cause::MailRefused
            | Cause::MailLate
            | Cause::Stopped,
        )
        | Err(_) => VoidWhy::Other,
    }
}
