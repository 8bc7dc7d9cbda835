//! The directory's list for one pass row, and how its hire rests while the list is refused.
//!
//! A refusal of this one account (400, 403, a 404 that is not Graph's, 500) says nothing of the pass:
//! nothing is settled by it. The looks go on, with growing pauses; a hire on its way that is
//! refused for longer than a lost answer takes to settle needs a person, in Graph's words.

use chrono::TimeDelta;
use tracing::warn;

use super::attempt::{Attempt, Setback, Stop, unanswered};
use crate::entra;
use crate::rules::calendar::Standing;
use crate::rules::guard::ListedPass;
use crate::rules::hire::{Reason, State};
use crate::rules::next::{self, Standstill};
use crate::rules::unsettled::SETTLED_AFTER;
use crate::store::PassRow;

/// What is asked for here.
pub(super) const PERMISSION: &str = "UserAuthMethod-TAP.ReadWrite.All";
/// The first pause; each is as long as it has been refused then …
const FIRST: TimeDelta = TimeDelta::minutes(1);
/// … up to this.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// Between looks at a hire whose morning is over.
const AFTERWARDS: TimeDelta = TimeDelta::hours(1);

/// The passes of the row's user; a user who is gone has none.
pub(super) async fn list(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Vec<ListedPass>, Stop> {
    look(attempt, pass).await?.map_err(|why| refused(attempt, pass, &why))
}

/// As [`list`]; inside, why the list of this account is refused.
pub(super) async fn look(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Result<Vec<ListedPass>, String>, Stop> {
    let failure = match attempt.tenant().passes(pass.user_id).await {
        Ok(listed) => return Ok(Ok(listed)),
        Err(failure) if entra::is_not_found(&failure) => return Ok(Ok(Vec::new())),
        Err(failure) => failure,
    };
    match attempt.setback(PERMISSION, &failure).await? {
        Setback::Waits(until, reason, why) => Err(Stop::Rest(attempt.wait(reason, &why, until))),
        Setback::ThisHire(why) => Ok(Err(why)),
    }
}

/// How the hire rests when its list is refused.
pub(super) fn refused(attempt: &Attempt<'_>, pass: &PassRow, why: &str) -> Stop {
    let (hire, now, key) = (attempt.hire(), attempt.now(), attempt.key());
    warn!(event = "passes-not-seen", hire = %key, "{key}: its passes could not be looked at: {why}");
    let on_its_way = match hire.state {
        State::Pending | State::Issuing | State::Sending => true,
        State::Attention => hire.reason == Some(Reason::Unanswered),
        State::Delivered | State::Held | State::Cancelled => false,
    };
    if !on_its_way || now < pass.made_at + SETTLED_AFTER {
        let since = pass.look_at.unwrap_or(pass.made_at);
        let standstill = attempt.keep(hire.state, now + (now - since).clamp(FIRST, LONGEST));
        return Stop::Rest(Standstill { state: hire.state, ..standstill });
    }
    let refusal = unanswered("what became of the pass that was asked for", PERMISSION, why);
    let again = next::look_again(&attempt.wanted(hire.state), Standing::Attention, now);
    Stop::Rest(Standstill {
        state: State::Attention,
        reason: Some(refusal.reason),
        what_to_do: refusal.what_to_do,
        look_at: Some(again.unwrap_or(now + AFTERWARDS)),
    })
}
