//! How far the file that is being read has come, for a progress bar. Read by people, decided by nobody.

use std::sync::atomic::{AtomicU64, Ordering};

/// Files are read one after the other; one meter for the process shows the one in hand.
pub static METER: Meter = Meter { size: AtomicU64::new(0), position: AtomicU64::new(0) };

/// Bytes read, and bytes in all.
#[derive(Debug)]
pub struct Meter {
    size: AtomicU64,
    position: AtomicU64,
}

impl Meter {
    /// A file of so many bytes is read from here on.
    pub fn begin(&self, size: u64) {
        self.position.store(0, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
    }

    /// So far.
    pub fn at(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// All of it is read; what follows cannot be measured.
    pub fn end(&self) {
        self.size.store(0, Ordering::Relaxed);
    }

    /// `(position, size)` while a file is read.
    pub fn look(&self) -> Option<(u64, u64)> {
        let size = self.size.load(Ordering::Relaxed);
        (size > 0).then(|| (self.position.load(Ordering::Relaxed).min(size), size))
    }
}
