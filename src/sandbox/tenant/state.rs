//! The model tenant's state behind one lock, and the time it lives in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, watch};

use super::super::mailbox::Mailroom;
use super::directory::Directory;
use super::faults::Faults;
use super::journal::Journal;
use super::passes::Passes;
use super::token::Tokens;
use crate::clock::Clock;

/// What requests read and change.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) directory: Directory,
    pub(super) passes: Passes,
    pub(super) tokens: Tokens,
    pub(super) journal: Journal,
    pub(super) faults: Faults,
    /// Where letters go.
    pub(super) mailroom: Option<Mailroom>,
    /// Sent Items of all mailboxes: whose, and the message.
    pub(super) sent_items: Vec<(String, Vec<u8>)>,
}

/// The tenant, shared by its connections.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    /// `https://localhost:PORT`, without a slash at the end.
    pub(super) origin: String,
    /// One permit for each hold that was reached and not yet heard of.
    pub(super) holds: Semaphore,
    /// Counts releases; a hold ends with the next one.
    pub(super) released: watch::Sender<u64>,
    /// Requests that wait in a hold now.
    pub(super) holding: AtomicUsize,
}

impl Shared {
    pub(super) fn new(clock: Clock, origin: String) -> Self {
        Self {
            inner: Mutex::default(),
            clock,
            origin,
            holds: Semaphore::new(0),
            released: watch::Sender::new(0),
            holding: AtomicUsize::new(0),
        }
    }

    /// The state. A test that failed with the lock in its hand must not hide its own failure.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant's time: the clock's, moved by the directory's skew.
    pub(super) fn now(&self, inner: &Inner) -> DateTime<Utc> {
        self.clock.now() + inner.directory.skew
    }

    /// Waits until the next release.
    pub(super) async fn hold(&self) {
        let mut released = self.released.subscribe();
        self.holding.fetch_add(1, Ordering::SeqCst);
        self.holds.add_permits(1);
        // The sender lives in self: an error cannot come.
        let _ = released.changed().await;
        self.holding.fetch_sub(1, Ordering::SeqCst);
    }
}
