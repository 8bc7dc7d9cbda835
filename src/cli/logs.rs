//! Logs go to stderr: text on a terminal, JSON otherwise.
//!
//! Parts that would log wire contents or chatter are off whatever `-v` says; a filter in
//! `FIRSTPASS_LOG` replaces ours, but never lets the wire of HTTP or SMTP in.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::environment;

/// How much a command tells when nobody asked for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// What should never go wrong.
    Error,
    /// What went wrong.
    Warn,
    /// What happens.
    Info,
}

/// What others may say at most.
const OTHERS: &str = "sqlx=error,tokio_cron_scheduler=warn";
/// Never: these log requests, answers and letters, and so what must not be kept (contract 7, promise 4).
const NEVER: [&str; 9] =
    ["hyper", "hyper_util", "reqwest", "h2", "rustls", "lettre", "azure_core", "azure_identity", "odbc_api"];

/// From here on `tracing` is heard. `json` asks for JSON on a terminal too.
pub(super) fn start(level: Level, verbose: u8, json: bool) {
    let written = environment().find(|(name, _)| name == "FIRSTPASS_LOG").map(|(_, filter)| filter);
    let filter = filter(written.as_deref(), level, verbose);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start (tests in one process) keeps the first.
    let _ = if json || !io::stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init()
    } else {
        registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(io::stderr)).try_init()
    };
}

fn filter(written: Option<&str>, level: Level, verbose: u8) -> EnvFilter {
    let ours = match (level, verbose) {
        (Level::Error, 0) => LevelFilter::ERROR,
        (Level::Error, 1) | (Level::Warn, 0) => LevelFilter::WARN,
        (Level::Error, 2) | (Level::Warn, 1) | (Level::Info, 0) => LevelFilter::INFO,
        (Level::Error, 3) | (Level::Warn, 2) | (Level::Info, 1) => LevelFilter::DEBUG,
        (Level::Error | Level::Warn | Level::Info, _) => LevelFilter::TRACE,
    };
    let standard = format!("warn,firstpass={ours},{OTHERS}");
    let text = written.filter(|text| !text.trim().is_empty()).unwrap_or(&standard);
    let mut filter = EnvFilter::builder().parse_lossy(text);
    for name in NEVER {
        if let Ok(off) = format!("{name}=off").parse() {
            filter = filter.add_directive(off);
        }
    }
    filter
}
