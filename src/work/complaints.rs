//! A trouble that lasts is said once, then every few minutes with how often it came again.
//!
//! A state that is full is met by every tick, every poll and every round of notices; a log that says so
//! each time fills what is left of the disk. Kept in memory, since the state may be what does not work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::{error, info};

use super::{Work, lock};
use crate::store::StoreError;

/// Said again after so long.
const AGAIN: Duration = Duration::from_mins(5);
/// The state's own trouble, whoever met it.
const STATE: &str = "state";

/// Troubles that were said, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said: Mutex<BTreeMap<String, Said>>,
    /// Who was refused by the state the last time.
    refused: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Said {
    why: String,
    at: Instant,
    /// Not said since then.
    n_more: u64,
}

impl Complaints {
    /// What to add to the sentence when it is to be said now; `None`: it was said a moment ago.
    pub(super) fn raise(&self, about: &str, why: &str) -> Option<String> {
        self.raise_after(about, why, AGAIN)
    }

    fn raise_after(&self, about: &str, why: &str, again: Duration) -> Option<String> {
        let mut all = lock(&self.said);
        if let Some(said) = all.get_mut(about).filter(|said| said.why == why && said.at.elapsed() < again) {
            said.n_more = said.n_more.saturating_add(1);
            return None;
        }
        let before = all.insert(about.to_owned(), Said { why: why.to_owned(), at: Instant::now(), n_more: 0 });
        let n_more = before.map_or(0, |before| before.n_more);
        Some(if n_more == 0 { String::new() } else { format!(" ({n_more} times more since it was said last)") })
    }

    /// It is over; whether it had been said.
    pub(super) fn settle(&self, about: &str) -> bool {
        lock(&self.said).remove(about).is_some()
    }
}

impl Work {
    /// The state refused us; `by`: who met it, until the same one says [`Self::state_took_it`].
    pub(super) fn state_refused(&self, by: &str, error: &StoreError) {
        lock(&self.complaints.refused).insert(by.to_owned());
        if let Some(more) = self.complaints.raise(STATE, &error.to_string()) {
            error!(
                event = "state-not-written",
                "the state database cannot be written: {error}; nothing is issued until it can{more}"
            );
        }
    }

    /// Who was refused was not this time. Others may be, still: a small change finds room before a large one.
    pub(super) fn state_took_it(&self, by: &str) {
        let mut refused = lock(&self.complaints.refused);
        if refused.remove(by) && refused.is_empty() && self.complaints.settle(STATE) {
            info!(event = "state-written", "the state database can be written again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_that_lasts_is_said_once_and_then_with_how_often() {
        let all = Complaints::default();
        assert_eq!(all.raise("state", "full").as_deref(), Some(""));
        assert_eq!((all.raise("state", "full"), all.raise("state", "full")), (None, None));
        assert_eq!(all.raise("feed/hr", "full").as_deref(), Some(""), "another one");
        let more = all.raise_after("state", "full", Duration::ZERO);
        assert_eq!(more.as_deref(), Some(" (2 times more since it was said last)"));
        assert_eq!(all.raise("state", "locked").as_deref(), Some(""), "another reason");
        assert_eq!((all.settle("state"), all.settle("state")), (true, false));
        assert_eq!(all.raise("state", "full").as_deref(), Some(""), "and begins anew");
    }
}
