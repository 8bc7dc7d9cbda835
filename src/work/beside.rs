//! What runs beside the ticks on a thread of its own: a folder on a share that hangs, hangs there.
//!
//! Folders are read by calls that block. On a thread of the runtime one of them would hold up
//! letters; here it holds up its own feed, and the end of the service only for a bounded time. A bug
//! that panics ends one round of its loop: the next one comes ([`unbroken`], [`rounds`]).

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::heap::heap;

/// A panic. Where it happened stands on stderr, in the runtime's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it broke off in the middle, which is a bug; please report it with the lines around \"panicked at\" in the log"
)]
pub(super) struct Broke;

/// Does something that may have a bug: a panic ends it, and not the loop around it.
pub(super) async fn unbroken<T>(what: impl Future<Output = T>) -> Result<T, Broke> {
    AssertUnwindSafe(what).catch_unwind().await.map_err(|_| Broke)
}

/// Rounds with a pause between them, until they are cut short. One that panics is told, and the next
/// one comes.
pub(super) async fn rounds(every: Duration, broke: impl Fn(Broke), mut round: impl AsyncFnMut()) {
    loop {
        if let Err(why) = unbroken(round()).await {
            broke(why);
        }
        tokio::time::sleep(every).await;
    }
}

/// Threads that run until they are ended.
#[derive(Default)]
pub(super) struct Beside {
    end: CancellationToken,
    threads: JoinSet<()>,
}

impl Beside {
    /// Runs what `make` makes, on a thread of its own, until [`Self::end`]; cut short where it waits.
    pub(super) fn run<F: Future<Output = ()>>(&mut self, make: impl FnOnce() -> F + Send + 'static) {
        let (runtime, end) = (Handle::current(), self.end.clone());
        self.threads.spawn(async move {
            if let Err(error) = spawn_blocking(move || runtime.block_on(end.run_until_cancelled(heap(make)))).await {
                error!(event = "loop-died", %error, "a loop beside the ticks died, which is a bug; restart the service");
            }
        });
    }

    /// Ends all; says whether nothing runs any more. What hangs in a call ends with the process.
    pub(super) async fn end(mut self, within: Duration) -> bool {
        self.end.cancel();
        let ended = async { while self.threads.join_next().await.is_some() {} };
        tokio::time::timeout(within, ended).await.is_ok()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Waits on this thread: no thread of the runtime is needed for it.
    fn heard(hears: &Receiver<()>, what: &str) {
        hears.recv_timeout(Duration::from_mins(1)).expect(what);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_hangs_stops_neither_the_others_nor_the_end() {
        let mut beside = Beside::default();
        let (free, hung) = channel::<()>();
        let (begun, begins) = channel();
        beside.run(move || async move {
            begun.send(()).unwrap();
            let _ = hung.recv(); // as a call into a share that is gone
        });
        heard(&begins, "the one that hangs begins");
        let (told, hears) = channel();
        beside.run(move || async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            told.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        heard(&hears, "the other one, and the runtime's clock");
        let ended = tokio::time::timeout(Duration::from_mins(1), beside.end(Duration::from_millis(50))).await;
        assert_eq!(ended, Ok(false), "it hangs");
        drop(free);
    }

    #[tokio::test]
    async fn a_round_that_panics_is_told_and_the_next_one_comes() {
        let (broken, n_rounds) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let (done, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let all = rounds(
            Duration::from_millis(1),
            |_| broken.set(broken.get() + 1),
            async || {
                n_rounds.set(n_rounds.get() + 1);
                assert_ne!(n_rounds.get(), 1, "the bug of this test");
                tokio::task::yield_now().await;
                assert_ne!(n_rounds.get(), 2, "the bug of this test, after a pause");
                done.send(()).unwrap();
            },
        );
        tokio::select! {
            () = all => unreachable!("rounds never end"),
            ended = ends.recv() => ended.unwrap(),
        }
        assert_eq!((broken.get(), n_rounds.get()), (2, 3));
    }

    #[tokio::test]
    async fn what_waits_is_ended() {
        let mut beside = Beside::default();
        beside.run(std::future::pending);
        assert!(beside.end(Duration::from_mins(1)).await);
    }
}
