//! A pass that must go and cannot be deleted: its code works until its end, so a person is told (F104).
//!
//! From the second DELETE that failed until the pass is gone or over, a sentence stands before whatever
//! the hire's says, in each of its states; admins are told of it once.

use chrono::{DateTime, Utc};
use tracing::{error, warn};

use super::attempt::{Attempt, Stop};
use super::settle::{self, Settled};
use super::words::at_hire;
use crate::rules::unsettled::PASS_STAYS;
use crate::rules::verdict::Failure;
use crate::rules::words;
use crate::store::{PassRow, StoreError};

/// One that fails may be a hiccup; so many are told.
const TOLD_AT: i64 = 2;
/// Ends the sentence, and divides it from what stands behind it.
const UNTIL_THEN: &str = "it is tried again until then";
const ALSO: &str = ". Also: ";

/// Writes down that a DELETE failed, and when the next one is due; the sentence, if it is time for one.
pub(super) async fn not_deleted(
    attempt: &Attempt<'_>,
    pass: &PassRow,
    failure: &Failure,
    again: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let (store, now, key) = (&attempt.work.store, attempt.now(), attempt.key());
    let failed = pass.looks + 1;
    let ends = settle::end_of(pass).unwrap_or(now);
    if failed < TOLD_AT {
        warn!(event = "pass-not-deleted", hire = %key, "{key}: a pass could not be deleted yet: {failure}");
        store.looked(&attempt.claimed, now, pass.id, failed, Some(again)).await?;
        return Ok(None);
    }
    let why = words::masked(&failure.to_string());
    if failed == TOLD_AT {
        error!(event = "pass-not-deleted", hire = %key, "{key}: a pass cannot be deleted, and lives until {ends}: {failure}");
        store.not_deleted(&attempt.claimed, now, pass.id, failed, again, &why).await?;
    } else {
        warn!(event = "pass-not-deleted", hire = %key, "{key}: a pass still cannot be deleted: {failure}");
        store.looked(&attempt.claimed, now, pass.id, failed, Some(again)).await?;
    }
    let ends = at_hire(attempt.hire(), ends);
    Ok(Some(format!(
        "{PASS_STAYS}{ends}, and Microsoft does not delete it ({why}): delete it in Entra (Users, the account, Authentication methods); {UNTIL_THEN}"
    )))
}

/// Puts the sentence before the hire's, or takes one away whose pass is gone.
pub(super) fn say(settled: &Settled, stop: &mut Stop) {
    let Stop::Rest(standstill) = stop else { return };
    let rest = without(&standstill.what_to_do);
    standstill.what_to_do = match &settled.stays {
        None => rest.to_owned(),
        Some(stays) if rest.is_empty() => stays.clone(),
        Some(stays) => format!("{stays}{ALSO}{rest}"),
    };
}

/// What the hire's sentence says besides.
fn without(what_to_do: &str) -> &str {
    let behind = what_to_do.strip_prefix(PASS_STAYS).and_then(|text| text.split_once(UNTIL_THEN));
    behind.map_or(what_to_do, |(_, rest)| rest.strip_prefix(ALSO).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::hire::State;
    use crate::rules::next::Standstill;

    fn said(what_to_do: &str, stays: Option<&str>) -> String {
        let stays = stays.map(str::to_owned);
        let settled = Settled { standing: State::Pending, watch: None, blocked: None, owed: Vec::new(), stays };
        let what_to_do = what_to_do.to_owned();
        let mut stop = Stop::Rest(Standstill { state: State::Pending, reason: None, what_to_do, look_at: None });
        say(&settled, &mut stop);
        let Stop::Rest(standstill) = stop else { unreachable!() };
        standstill.what_to_do
    }

    #[test]
    fn it_stands_first_once_and_goes_with_the_pass() {
        let stays = |why: &str| format!("{PASS_STAYS}noon ({why}); {UNTIL_THEN}");
        let one = said("", Some(&stays("403")));
        assert_eq!(one, stays("403"));
        assert_eq!(said(&one, Some(&stays("500"))), stays("500"), "once");
        let both = said("ask HR", Some(&stays("403")));
        assert_eq!(both, format!("{}. Also: ask HR", stays("403")));
        assert_eq!(said(&both, Some(&stays("403"))), both);
        assert_eq!((said(&both, None), said(&one, None)), ("ask HR".to_owned(), String::new()));
    }
}
