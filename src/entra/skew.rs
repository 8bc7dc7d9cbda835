//! What Microsoft's clock says about ours.
//!
//! Each answer of Graph and of the sign-in carries a `Date`. The sign-in is heard too, since with a
//! certificate a clock that is wrong gets no token (AADSTS700024), and so no answer of Graph.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

/// The newest word of Microsoft's about the time.
#[derive(Debug, Default)]
pub(super) struct Skew {
    newest: Mutex<Option<TimeDelta>>,
    /// Answers that said what time it is.
    n_heard: AtomicU64,
}

impl Skew {
    pub(super) fn hear(&self, skew: TimeDelta) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        self.n_heard.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn newest(&self) -> Option<TimeDelta> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn n_heard(&self) -> u64 {
        self.n_heard.load(Ordering::SeqCst)
    }
}
