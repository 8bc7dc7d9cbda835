//! The one file that reads the clock.
//!
//! `work` asks a [`Clock`] and hands `now` on as an argument; rules and edges never ask. Tests and
//! the sandbox hold a [`Clock::Hand`] that jumps from moment to moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// This machine's wall clock.
    System,
    /// A clock in hand: epoch milliseconds.
    Hand(Arc<AtomicI64>),
}

impl Clock {
    /// A clock in hand that stands at `at`.
    pub fn hand(at: DateTime<Utc>) -> Self {
        Self::Hand(Arc::new(AtomicI64::new(at.timestamp_millis())))
    }

    /// The time, to the millisecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => {
                let now = Utc::now();
                DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
            }
            Self::Hand(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// Moves a clock in hand; the system's clock is not ours to move.
    pub fn set(&self, at: DateTime<Utc>) {
        match self {
            Self::System => {}
            Self::Hand(millis) => millis.store(at.timestamp_millis(), Ordering::SeqCst),
        }
    }
}
