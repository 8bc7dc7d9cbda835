//! What was seen, in people's words: file reports, events, letters.
//!
//! Pure. Never a code: letters are told by recipient and subject.

use super::narrator::Kind;
use crate::cli::words::at_hire;
use crate::feed::FileReport;
use crate::rules::record::Reject;
use crate::rules::unsettled::Cause;
use crate::sandbox::mailbox::ReceivedLetter;
use crate::sandbox::tenant::{ModelPass, Seen};
use crate::store::{EventRow, HireRow};

/// `row` or `rows`.
pub fn rows(n: usize) -> &'static str {
    if n == 1 { "row" } else { "rows" }
}

/// What became of a file.
pub fn file(report: &FileReport) -> String {
    let counts = [
        (report.added, "new"),
        (report.changed, "changed"),
        (report.withdrawn, "withdrawn"),
        (report.unchanged, "unchanged"),
        (report.past, "past"),
        (report.rejected, "rejected"),
    ];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let why = if report.why.is_empty() { String::new() } else { format!(" ({})", report.why) };
    format!("{} is {}: {}{why}", report.file, report.state, counts.join(", "))
}

/// A row that was not taken, and where it lies.
pub fn reject(reject: &Reject, rejected_at: &str) -> String {
    format!("{reject}; the row lies in drop/{rejected_at}")
}

/// A hire that is on record now.
pub fn new_hire(hire: &HireRow) -> String {
    let start = hire.start_at.map_or_else(|| format!("{} (no zone)", hire.start_date), |at| at_hire(hire, at));
    let send = hire.send_at.map(|at| format!(", pass at {}", time_of(&at_hire(hire, at)))).unwrap_or_default();
    format!("starts {start}{send}")
}

/// One event; `None` for those that only matter to the record.
pub fn event(event: &EventRow, hire: &HireRow, passes: &[ModelPass]) -> Option<(Kind, String)> {
    let told = match event.what.as_str() {
        // Before and after these another event says more.
        "intended" | "mailing" | "delivered" | "told-void" | "pending" | "issuing" => return None,
        "issued" => (Kind::Pass, issued(event, hire, passes)),
        "condemned" => (Kind::Gone, condemned(&event.why, hire)),
        "gone" => (Kind::Gone, "that pass is deleted in the directory".to_owned()),
        "not-made" => (Kind::Other, "no pass was made".to_owned()),
        "attention" => (Kind::Attention, attention(event, hire)),
        "used" => (Kind::Outcome, "firstpass sees in the directory that the pass was used".to_owned()),
        "ended" => (Kind::Outcome, "the pass has ended".to_owned()),
        "moved" => (Kind::Changed, event.why.clone()),
        what if event.why.is_empty() => (Kind::Other, what.to_owned()),
        what => (Kind::Other, format!("{what}: {}", event.why)),
    };
    Some(told)
}

/// The event names the pass by its id; the model tenant has it.
fn issued(event: &EventRow, hire: &HireRow, passes: &[ModelPass]) -> String {
    let id = event.why.split(' ').nth(1).unwrap_or_default();
    let Some(pass) = passes.iter().find(|pass| pass.id == id) else {
        return "a pass is made".to_owned();
    };
    let (from, until) = (at_hire(hire, pass.start), at_hire(hire, pass.until()));
    let uses = if pass.one_time { "once" } else { "several times" };
    format!("a pass is made; it works {uses}, from {} until {}", time_of(&from), time_of(&until))
}

/// A request for a pass without an answer; the model tenant knows what firstpass must find out.
pub fn lost_answer(seen: &Seen) -> String {
    let truth = if seen.applied == Some(201) { " (the tenant has made one)" } else { "" };
    format!("a pass is asked for and no answer comes{truth}; firstpass asks for no second one before it has looked")
}

fn condemned(why: &str, hire: &HireRow) -> String {
    let cause = why.rsplit(": ").next().unwrap_or_default();
    match cause.parse::<Cause>() {
        Ok(Cause::Moved) => {
            let start = hire.start_at.map(|at| at_hire(hire, at)).unwrap_or_default();
            format!("the mailed pass must go: the start is {start} now")
        }
        Ok(Cause::LostAnswer) => "the pass is found; nobody knows its code, so it must go".to_owned(),
        Ok(
            Cause::LostCode
            | Cause::Cancelled
            | Cause::NewManager
            | Cause::NewAccount
            | Cause::Changed
            | Cause::Unexpected
            | Cause::MailRefused
            | Cause::MailLate
            | Cause::Stopped,
        )
        | Err(_) => format!("the pass must go: {cause}"),
    }
}

fn attention(event: &EventRow, hire: &HireRow) -> String {
    let word = hire.reason.map_or_else(|| event.why.clone(), |reason| reason.to_string());
    format!("needs a person ({word}): {}", hire.what_to_do)
}

/// Recipient and subject.
pub fn letter(letter: &ReceivedLetter) -> String {
    let subject = letter.header("Subject").unwrap_or_default();
    let holds = if letter.code().is_some() { "with the code" } else { "without a code" };
    format!("a letter {holds} arrives at {}: \"{subject}\"", letter.to.join(", "))
}

/// `07:00` of `2027-03-01 07:00 Europe/Berlin`.
fn time_of(local: &str) -> &str {
    local.split(' ').nth(1).unwrap_or(local)
}
