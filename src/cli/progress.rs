//! A progress bar for people at a terminal, on anything longer than a second.
//!
//! On stderr, only when that is a terminal and nobody asked for JSON, and wiped at the end: scripts and
//! logs never see it. While a file is read it shows how far; otherwise that something goes on.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, interval_at};

use super::out::Out;
use crate::feed::meter::METER;

/// Nobody wonders before this.
const SECOND: Duration = Duration::from_secs(1);
/// How often it moves.
const BEAT: Duration = Duration::from_millis(200);

const MEASURED: &str = "{msg} [{bar:30}] {percent}% of {total_bytes}, {elapsed}";
const UNMEASURED: &str = "{spinner} {msg}, {elapsed}";

/// Does the work; shows how long it takes.
pub(super) async fn watched<T>(what: &'static str, out: Out, work: impl Future<Output = T>) -> T {
    if out.is_json() || !io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = Box::pin(work);
    let mut beat = interval_at(Instant::now() + SECOND, BEAT);
    let mut bar: Option<ProgressBar> = None;
    loop {
        tokio::select! {
            done = &mut work => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                return done;
            }
            _ = beat.tick() => show(bar.get_or_insert_with(|| begin(what))),
        }
    }
}

fn begin(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(what).with_elapsed(SECOND);
    bar.set_style(style(UNMEASURED));
    bar
}

fn show(bar: &ProgressBar) {
    if let Some((position, size)) = METER.look() {
        if bar.length() != Some(size) {
            bar.set_length(size);
            bar.set_style(style(MEASURED));
        }
        bar.set_position(position);
    } else {
        if bar.length().is_some() {
            bar.unset_length();
            bar.set_style(style(UNMEASURED));
        }
        bar.tick();
    }
}

fn style(template: &str) -> ProgressStyle {
    let plain = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    // Letters that every terminal has, and no colours.
    plain.progress_chars("##.").tick_chars("|/-\\ ")
}
