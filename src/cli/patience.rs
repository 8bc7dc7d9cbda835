//! A sign of life for people at a terminal, on anything longer than a second.
//!
//! On stderr, only when that is a terminal, and wiped at the end: scripts and logs never see it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// Nobody wonders before this, and the sign moves so often.
const SECOND: Duration = Duration::from_secs(1);
/// The sign is `reading ####`, and begins anew behind so many.
const WIDTH: u64 = 40;

/// Does the work; shows how long it takes.
pub(super) async fn watched<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    let mut beat = interval_at(Instant::now() + SECOND, SECOND);
    let mut seconds: u64 = 0;
    loop {
        tokio::select! {
            done = &mut work => {
                if seconds > 0 {
                    show("");
                }
                return done;
            }
            _ = beat.tick() => {
                seconds += 1;
                let bar = "#".repeat(usize::try_from((seconds - 1) % WIDTH + 1).unwrap_or(1));
                show(&format!("{what} {bar} {seconds} s"));
            }
        }
    }
}

/// Back to the first column, the line emptied (ECMA-48), the text.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    // A terminal that is gone needs no sign of life.
    let _ = write!(stderr, "\r\u{1b}[K{text}");
    let _ = stderr.flush();
}
