//! The words of the letter with the code: tried before there is a pass, written when there is one.
//!
//! A letter that cannot be written costs a pass, so the same template renders the same names with an
//! invented code in every check, long before the send time and again right before issuing. What can
//! still go wrong afterwards is a code that no letter may hold.

use chrono::TimeDelta;

use super::attempt::Attempt;
use super::settle::Settled;
use crate::rules::attempt::{Cleared, IssuedPass};
use crate::rules::calendar::Zone;
use crate::rules::guard::Refusal;
use crate::rules::hire::Reason;
use crate::rules::letter::{Letter, PassLetter};

/// Writes this hire's letter with an invented code, and forgets it.
pub(super) fn rehearse(attempt: &Attempt<'_>, cleared: &Cleared) -> Result<(), Refusal> {
    let ask = cleared.ask();
    let Ok(zone) = Zone::parse(&attempt.hire().zone) else { return Ok(()) };
    let valid_from = ask.start.unwrap_or(cleared.at());
    let valid_until = valid_from.checked_add_signed(TimeDelta::minutes(ask.lifetime_min)).unwrap_or(valid_from);
    // Graph may make it one-time, and an earlier letter may come to light.
    for (earlier, one_time) in [(false, ask.one_time), (false, true), (true, ask.one_time), (true, true)] {
        let facts = PassLetter {
            valid_from,
            valid_until,
            one_time,
            earlier,
            message_id: attempt.message_id("pass", 0, ""),
            ..facts(attempt, cleared, zone.clone())
        };
        attempt.served.letters.rehearse(&facts).map_err(|error| Refusal {
            reason: Reason::Unanswered,
            what_to_do: format!(
                "the letter for this hire cannot be written: {error}. Mend it (`firstpass mail preview` shows it); it is read anew at SIGHUP (`systemctl reload firstpass`) and at a start. No pass was made"
            ),
        })?;
    }
    Ok(())
}

/// The letter, the code in it.
pub(super) fn write(
    attempt: &Attempt<'_>,
    settled: &Settled,
    cleared: &Cleared,
    issued: &IssuedPass,
) -> Result<Letter, String> {
    let zone = Zone::parse(&attempt.hire().zone).map_err(|error| error.to_string())?;
    let facts = PassLetter {
        start: attempt.hire().start_at.unwrap_or(issued.from()),
        valid_from: issued.from(),
        valid_until: issued.until(),
        one_time: issued.one_time(),
        earlier: settled.owed.iter().any(|pass| pass.recipient == cleared.channel().address.as_str()),
        message_id: attempt.message_id("pass", issued.pass_id(), issued.graph_id()),
        ..facts(attempt, cleared, zone)
    };
    attempt.served.letters.pass(&facts, issued.code()).map_err(|error| error.to_string())
}

/// What is known before there is a pass.
fn facts(attempt: &Attempt<'_>, cleared: &Cleared, zone: Zone) -> PassLetter {
    let (hire, channel) = (attempt.hire(), cleared.channel());
    PassLetter {
        to: channel.address.clone(),
        manager_name: channel.manager_name.clone(),
        hire_name: attempt.name_for_letters(&cleared.account().display_name),
        user: cleared.account().upn.clone(),
        start: hire.start_at.unwrap_or(cleared.at()),
        zone,
        valid_from: cleared.at(),
        valid_until: cleared.at(),
        usable_at_once: cleared.ask().start.is_none(),
        one_time: cleared.ask().one_time,
        earlier: false,
        help: attempt.served.mail.help.clone(),
        language: hire.language.clone(),
        message_id: String::new(),
    }
}
