//! What a row's status says: is this person (still) going to start?
//!
//! The words of the HR systems in English and German. One that nobody knows rejects the row: to take
//! "offer rescinded" for a hire would send a pass. Read on in [`super::record`].

use super::headers::cut;

/// Going to start, or started.
#[rustfmt::skip]
const ACTIVE: &[&str] = &[
    "active", "a", "aktiv", "hired", "hire", "new", "newhire", "prehire", "preboarding", "onboarding", "pending",
    "pendinghire", "futurehire", "confirmed", "accepted", "offeraccepted", "probation", "inprobation", "onleave",
    "leave", "leaveofabsence", "loa", "paidleave", "unpaidleave", "fulltime", "parttime", "employed", "yes", "y",
    "true", "1", "enabled", "eingestellt", "rehire", "rehired", "reactivated", "future", "futuredated",
    "futuredatedhire", "prestart", "notstarted", "starter", "joiner", "regular", "permanent", "temporary", "temp",
    "seasonal", "contractor", "contingent", "contingentworker", "intern", "apprentice", "trainee", "student",
    "fixedterm", "casual", "furloughed", "suspended", "probationary", "auszeit", "abwesend", "neu",
    "neueinstellung", "vollzeit", "teilzeit", "befristet", "unbefristet", "werkstudent", "praktikant",
    "auszubildender", "beurlaubt", "elternzeit", "angestellt", "beschäftigt", "ja", "wahr",
];
/// Will not start, or has left.
#[rustfmt::skip]
const WITHDRAWN: &[&str] = &[
    "withdrawn", "inactive", "i", "inaktiv", "cancelled", "canceled", "cancel", "noshow", "reportednoshow",
    "rescinded", "declined", "offerdeclined", "offerrescinded", "terminated", "term", "t", "left", "leaver",
    "resigned", "retired", "deceased", "dismissed", "discarded", "deleted", "disabled", "void", "no", "n", "false",
    "0", "ausgetreten", "formeremployee", "former", "ended", "expired", "removed", "archived", "notstarting",
    "didnotstart", "rejected", "storniert", "zurückgezogen", "abgesagt", "gekündigt", "nichtangetreten",
    "nichterschienen", "ausgeschieden", "nein", "falsch",
];

/// Whether the status withdraws the hire; an empty one is active.
///
/// # Errors
/// A sentence: a word that is not known.
///
/// ```
/// use firstpass::rules::status::withdrawn;
/// assert_eq!((withdrawn("Pre-hire"), withdrawn("No-show")), (Ok(false), Ok(true)));
/// assert!(withdrawn("maybe").is_err());
/// ```
pub fn withdrawn(text: &str) -> Result<bool, String> {
    if text.is_empty() {
        return Ok(false);
    }
    let is_one_of = |words: &[&str]| {
        let letters = || text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        words.iter().any(|word| word.eq_ignore_ascii_case(text) || word.chars().eq(letters()))
    };
    if is_one_of(ACTIVE) {
        Ok(false)
    } else if is_one_of(WITHDRAWN) {
        Ok(true)
    } else {
        Err(format!("\"{}\" is no status that is known; write active or withdrawn", cut(text, 40)))
    }
}
