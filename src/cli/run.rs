//! `run`: the service until SIGTERM, and `run --once`: one pass over everything that is due.
//!
//! Both are the same worker and hold the same lock on the state; the second ends by itself and
//! reports. Read on in [`crate::work`].

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::end::{End, Trouble, chain};
use super::out::Out;
use super::rhythm::{self, FeedStanding, answer};
use super::words::utc_text;
use super::{import, open, progress, reload};
use crate::clock::Clock;
use crate::config::{Feed, FeedKind, Limits, Settings, Tenant, authorities};
use crate::entra::credential;
use crate::feed::FileReport;
use crate::feed::folder::left_alone;
use crate::heap::heap;
use crate::serve::Port;
use crate::serve::notify::Systemd;
use crate::store::{FileRow, Gate, StoreError, Tally};
use crate::work::Work;
use crate::work::feeds::{self, FeedsRead};
use crate::work::service::{self, Course};
use crate::work::tell::{Patience, Teller};
use crate::work::tick::{Feeds, tick};

/// How it runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do what is due now, report, and end: 1 when something needs a person.
    #[arg(long)]
    pub(super) once: bool,
}

/// Serves hires.
pub async fn run(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = Arc::new(open::settings(config)?);
    let unusable = unusable_tenants(&settings)?;
    let store = open::state(&settings).await?;
    let _lock = store.lock()?;
    let work = Work::new(Arc::clone(&settings), Limits::default(), store, Clock::System)
        .map_err(|error| Trouble::Settings(chain(&error)))?;
    let work = Arc::new(work);
    let stop = stop_on_signals()?;
    if args.once {
        return heap(|| once(&work, unusable, &stop, out)).await;
    }
    for tenant in &unusable {
        error!(event = "tenant-unusable", "{tenant}; the other tenants are served");
    }
    info!(event = "started", version = env!("CARGO_PKG_VERSION"), settings = %config.display(), "firstpass {} runs with {}", env!("CARGO_PKG_VERSION"), config.display());
    serve(work, config, &stop).await
}

/// The service with everything around it: the port, systemd, SIGHUP.
async fn serve(work: Arc<Work>, config: &Path, stop: &CancellationToken) -> Result<End, Trouble> {
    let port = open_port(&work.settings).await?;
    let (hangups, systemd) = (reload::hangups()?, Systemd::of_this_process());
    let (current, seen) = watch::channel(work);
    // One at a time: the next is made of the one in force.
    let (next, reloads) = mpsc::channel(1);
    let serving = CancellationToken::new();
    let served = port.map(|port| tokio::spawn(port.serve(seen.clone(), serving.clone())));
    let reloading =
        tokio::spawn(reload::keep_reloading(hangups, config.to_owned(), seen.clone(), next, systemd.clone()));
    let telling = tokio::spawn(systemd.clone().keep_telling(seen, stop.clone()));
    let ready = || systemd.ready();
    let course = Course { stop, reloads, current: &current, ready: &ready };
    let ended = service::run(course).await.map_err(|error| Trouble::Failed(chain(&error)));
    reloading.abort();
    telling.abort();
    serving.cancel();
    if let Some(served) = served {
        // It ends within a second.
        let _ = served.await;
    }
    ended.map(|()| End::Done)
}

/// The port of `serve.listen`, when one is wished.
async fn open_port(settings: &Settings) -> Result<Option<Port>, Trouble> {
    let Some(address) = settings.serve.listen else { return Ok(None) };
    Port::open(address).await.map(Some).map_err(|error| Trouble::Failed(chain(&error)))
}

/// A tenant whose credential cannot be read stops alone, and is told once; 78 only when there is no other.
pub(super) fn unusable_tenants(settings: &Settings) -> Result<Vec<String>, Trouble> {
    let enabled = || settings.tenants.iter().filter(|tenant| tenant.enabled);
    let now = Clock::System.now();
    let untrusted = |path: &Path| Some(format!("ca_file {} {}", path.display(), authorities(path).err()?));
    let unsigned = |tenant: &Tenant| Some(chain(&credential::look(tenant, now).err()?));
    let why = |tenant: &Tenant| tenant.ca_file.as_deref().and_then(untrusted).or_else(|| unsigned(tenant));
    let told = |tenant: &Tenant| Some(format!("tenant {:?} cannot be served: {}", tenant.name, why(tenant)?));
    let mut lines: Vec<String> = enabled().filter_map(told).collect();
    if lines.len() == enabled().count() {
        lines.push("no tenant is usable; mend the settings, `firstpass check` shows them all".to_owned());
        return Err(Trouble::Settings(lines.join("\n")));
    }
    Ok(lines)
}

/// SIGTERM (systemd) and SIGINT (Ctrl-C) ask for an orderly end.
pub(super) fn stop_on_signals() -> Result<CancellationToken, Trouble> {
    let failed = |error| Trouble::Failed(format!("signals cannot be waited for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(stop)
}

/// What `run --once --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Read in this run.
    files: Vec<FileReport>,
    /// Files of earlier runs that still wait for an answer.
    held: Vec<FileRow>,
    delivered: i64,
    attention: i64,
    pending: i64,
    next_due_utc: Option<String>,
    /// Feeds that could not be read, and what stops a tenant, the mail or everything.
    stopped: Vec<String>,
    /// Feeds whose next file did not come in time (`expect_every`); no reason to end with 1.
    overdue: Vec<String>,
}

/// Ticks at most; each makes up to some hundred attempts.
const MOST_ROUNDS: usize = 500;
/// What is due within so long is waited for.
const SOON: TimeDelta = TimeDelta::seconds(2);
/// No busy loop while something is due.
const PAUSE: Duration = Duration::from_millis(200);
/// Between ticks while feeds are read.
const TICK: Duration = Duration::from_secs(1);
/// For all notices; one mailbox or webhook that is down costs less.
const TELL_WITHIN: Duration = Duration::from_mins(2);
/// Files in one report.
const MOST_FILES: i64 = 1000;

/// Where a run began: the instant, and the pass that was the newest then.
#[derive(Debug, Clone, Copy)]
struct Began {
    at: DateTime<Utc>,
    newest_pass: i64,
}

/// What the ticks did.
#[derive(Debug)]
struct Passed {
    files: Vec<FileReport>,
    stopped: Vec<String>,
}

async fn once(work: &Work, stopped: Vec<String>, stop: &CancellationToken, out: Out) -> Result<End, Trouble> {
    let began = Began { at: work.clock.now(), newest_pass: work.store.newest_pass().await? };
    let teller = Teller::of(&work.settings);
    if let Some(teller) = &teller {
        teller.begin(work).await?;
    }
    let mut passed = Passed { files: Vec::new(), stopped };
    let ended = tokio::select! {
        ended = progress::watched("doing what is due", out, rounds(work, &mut passed)) => ended,
        () = stop.cancelled() => Ok(()),
    };
    if stop.is_cancelled() {
        passed.stopped.push("a signal ended this run before everything was done".to_owned());
    }
    let n_unwritten = work.stop().await?;
    if n_unwritten > 0 {
        passed.stopped.push(format!("{n_unwritten} accepted letter(s) could not be written down; the next run deletes their passes, and new letters replace them"));
    }
    ended?;
    if let Some(teller) = teller.filter(|_| !stop.is_cancelled()) {
        tell(&teller, work).await;
    }
    let report = report(work, began, passed).await?;
    if out.is_json() {
        out.document(&report)?;
    } else {
        out.paragraphs(text(&report, out))?;
    }
    let calm = report.attention == 0
        && report.held.is_empty()
        && report.stopped.is_empty()
        && !report.files.iter().any(FileReport::needs_a_person);
    Ok(if calm { End::Done } else { End::NeedsAPerson })
}

/// Admins are told at the end; what nobody takes now waits for the next run.
async fn tell(teller: &Teller, work: &Work) {
    let rounds = async {
        loop {
            let told = teller.round(work, Patience::Now).await?;
            told.failed.iter().for_each(|why| warn!(event = "notice-failed", "a notice was not taken: {why}"));
            if !told.left {
                return Ok::<(), StoreError>(());
            }
            tokio::time::sleep(TICK).await;
        }
    };
    match tokio::time::timeout(TELL_WITHIN, rounds).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            warn!(event = "notices-unread", "what admins should be told cannot be read from the state: {error}");
        }
        Err(_) => warn!(
            event = "notice-failed",
            "not every notice was taken within {} s; the next run goes on",
            TELL_WITHIN.as_secs()
        ),
    }
}

/// Feeds are read beside the ticks, so that a slow source delays no letter; then until nothing is due.
async fn rounds(work: &Work, passed: &mut Passed) -> Result<(), StoreError> {
    let read_all = CancellationToken::new();
    let reading = async {
        let read = read_feeds(work).await;
        read_all.cancel();
        read
    };
    let ticking = async {
        // Not in time: due hires do not wait for it.
        let _ = tokio::time::timeout(feeds::HEAD_START, read_all.cancelled()).await;
        while !read_all.is_cancelled() {
            tick(work, Feeds::Leave).await?;
            let _ = tokio::time::timeout(TICK, read_all.cancelled()).await;
        }
        Ok::<(), StoreError>(())
    };
    let (mut read, ticked) = tokio::join!(reading, ticking);
    passed.files.append(&mut read.files);
    passed.stopped.append(&mut read.errors);
    ticked?;
    for _ in 0..MOST_ROUNDS {
        let report = tick(work, Feeds::Leave).await?;
        if report.next_due.is_none_or(|at| at > work.clock.now() + SOON) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Files that do not stand still yet are waited for once.
async fn read_feeds(work: &Work) -> FeedsRead {
    let mut read = feeds::read_all(work).await;
    if let Some(settle) = waiting_files(&work.settings) {
        tokio::time::sleep(settle + PAUSE).await;
        let mut again = feeds::read_all(work).await;
        read.files.append(&mut again.files);
        read.errors = again.errors;
    }
    read
}

/// The longest `settle` of the feeds in whose folder a file still lies.
fn waiting_files(settings: &Settings) -> Option<Duration> {
    let waits = |feed: &&Feed| {
        let files = std::fs::read_dir(&feed.folder).into_iter().flatten().flatten();
        let mut files = files.filter(|file| file.file_type().is_ok_and(|kind| kind.is_file()));
        files.any(|file| !left_alone(file.file_name().as_bytes()))
    };
    settings
        .feeds
        .iter()
        .filter(|feed| feed.kind == FeedKind::Csv && !feed.settle.is_zero())
        .filter(waits)
        .map(|feed| feed.settle)
        .max()
}

/// `state` of a file that waits for `feed accept` or `feed refuse`.
const HELD: &str = "held";

async fn report(work: &Work, began: Began, passed: Passed) -> Result<Report, Trouble> {
    let Passed { files, mut stopped } = passed;
    let mut held = work.store.files(None, MOST_FILES).await?;
    held.retain(|old| old.state == HELD && !files.iter().any(|file| file.sha256 == old.sha256));
    let gates = work.store.gates().await?;
    // A stop whose time was over before this run, and that nothing ran into since, stops nobody.
    let stands = |gate: &&Gate| gate.not_before.is_none_or(|at| at >= began.at);
    let told =
        gates.iter().filter(stands).filter_map(|gate| Some(format!("{}: {}", gate.name, gate.stopped.as_ref()?)));
    let told: Vec<String> = told.filter(|line| !stopped.contains(line)).collect();
    stopped.extend(told);
    let Tally { delivered, attention, pending } = work.store.tally(began.newest_pass).await?;
    let now = work.clock.now();
    let next_due_utc = work.store.next_look(now).await?.map(utc_text);
    let feeds = rhythm::feeds(&work.settings, &work.store, now).await?;
    let overdue = feeds.iter().filter(|feed| feed.overdue).map(FeedStanding::overdue_text).collect();
    Ok(Report { files, held, delivered, attention, pending, next_due_utc, stopped, overdue })
}

fn text(report: &Report, out: Out) -> Vec<String> {
    let mut lines: Vec<String> = report.files.iter().flat_map(|file| import::lines(file, false, out)).collect();
    lines.extend(report.held.iter().map(|file| format!("{} is still held; {}", file.file, answer(&file.file))));
    lines.extend(report.overdue.iter().cloned());
    lines.extend(report.stopped.iter().map(|what| format!("stopped: {what}")));
    lines
        .push(format!("{} delivered, {} in attention, {} pending", report.delivered, report.attention, report.pending));
    if report.attention > 0 {
        lines.push("`firstpass hire list --state attention` says who, why, and what to do".to_owned());
    }
    lines.push(match &report.next_due_utc {
        Some(at) => format!("next due {at}"),
        None => "nothing is due later".to_owned(),
    });
    lines
}
