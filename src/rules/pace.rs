//! How many letters may go out now (`mail.per_minute`).
//!
//! No pass is made without a slot for its letter: a code that must wait is a code at risk. Pure: the
//! caller knows when letters went out and how many codes wait in hand.

use chrono::{DateTime, TimeDelta, Utc};

/// The span that `per_minute` speaks of.
const SPAN: TimeDelta = TimeDelta::seconds(60);

/// Passes that may be made now: what `per_minute` allows, less the letters of the last minute, less
/// the codes whose letters still wait.
///
/// ```
/// use firstpass::rules::pace::slots;
/// let now = "2027-03-01T06:00:30Z".parse().unwrap();
/// let sent = ["2027-03-01T05:59:29Z".parse().unwrap(), "2027-03-01T06:00:10Z".parse().unwrap()];
/// assert_eq!(slots(&sent, 0, 30, now), 29);
/// assert_eq!(slots(&sent, 4, 30, now), 25);
/// assert_eq!(slots(&sent, 40, 30, now), 0);
/// ```
pub fn slots(letters_of_last_minute: &[DateTime<Utc>], in_hand: usize, per_minute: u32, now: DateTime<Utc>) -> usize {
    let allowed = usize::try_from(per_minute).unwrap_or(usize::MAX);
    allowed.saturating_sub(recent(letters_of_last_minute, now).len()).saturating_sub(in_hand)
}

/// When there is a slot again; `now` when there is one already.
///
/// As long as the codes in hand alone fill the minute, no passing of time helps: then it is a minute
/// ahead, and the caller looks again when a letter has gone out.
///
/// ```
/// use firstpass::rules::pace::next_slot;
/// let now = "2027-03-01T06:00:30Z".parse().unwrap();
/// let sent = ["2027-03-01T06:00:10Z".parse().unwrap(), "2027-03-01T06:00:20Z".parse().unwrap()];
/// assert_eq!(next_slot(&sent, 0, 3, now), now);
/// assert_eq!(next_slot(&sent, 0, 2, now).to_rfc3339(), "2027-03-01T06:01:10+00:00");
/// assert_eq!(next_slot(&sent, 1, 2, now).to_rfc3339(), "2027-03-01T06:01:20+00:00");
/// ```
pub fn next_slot(
    letters_of_last_minute: &[DateTime<Utc>],
    in_hand: usize,
    per_minute: u32,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    if slots(letters_of_last_minute, in_hand, per_minute, now) > 0 {
        return now;
    }
    let allowed = usize::try_from(per_minute).unwrap_or(usize::MAX);
    let recent = recent(letters_of_last_minute, now);
    // So many of the oldest must leave the minute before one more fits in.
    let must_leave = (recent.len() + in_hand).saturating_sub(allowed);
    recent.get(must_leave).map_or(now + SPAN, |oldest| *oldest + SPAN)
}

/// When letters that are due at these instants (in order) leave, at most `per_minute` in any minute.
///
/// For forecasts: the time that Graph and the mail server take is not in it.
///
/// ```
/// use firstpass::rules::pace::departures;
/// let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let due = [at("2027-03-01T06:00:00Z"); 5];
/// let minutes: Vec<i64> = departures(&due, 2).iter().map(|left| (*left - due[0]).num_minutes()).collect();
/// assert_eq!(minutes, [0, 0, 1, 1, 2]);
/// ```
pub fn departures(due: &[DateTime<Utc>], per_minute: u32) -> Vec<DateTime<Utc>> {
    let allowed = usize::try_from(per_minute).unwrap_or(usize::MAX).max(1);
    let mut left: Vec<DateTime<Utc>> = Vec::with_capacity(due.len());
    for at in due {
        // The letter so many places before must have left the minute.
        let room = left.len().checked_sub(allowed).and_then(|place| left.get(place)).map(|before| *before + SPAN);
        left.push(room.map_or(*at, |room| room.max(*at)));
    }
    left
}

/// Letters of the last minute, oldest first. A clock that was set back makes letters "ahead"; those
/// count for a minute too, and not for longer.
fn recent(letters: &[DateTime<Utc>], now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut recent: Vec<_> = letters.iter().copied().filter(|at| *at > now - SPAN && *at < now + SPAN).collect();
    recent.sort_unstable();
    recent
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whoever waits for the next slot and takes it never sends more than `per_minute` in any minute.
        #[test]
        fn no_minute_ever_holds_more_than_allowed(per_minute in 1_u32..8, pauses in prop::collection::vec(0_i64..40, 1..60)) {
            let mut now: DateTime<Utc> = "2027-03-01T06:00:00Z".parse().unwrap();
            let mut sent: Vec<DateTime<Utc>> = Vec::new();
            for pause in pauses {
                now = next_slot(&sent, 0, per_minute, now + TimeDelta::seconds(pause));
                prop_assert!(slots(&sent, 0, per_minute, now) > 0);
                sent.push(now);
                let in_minute = sent.iter().filter(|at| **at > now - SPAN).count();
                prop_assert!(in_minute <= usize::try_from(per_minute).unwrap());
            }
        }
    }
}
