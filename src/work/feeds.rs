//! The feeds of one worker: each is read on its own, and what keeps one from being read is a gate.
//!
//! A feed that cannot be read changes nothing: the log says so once for each reason, `feed/NAME`
//! stands among the gates until it can be read again, and the next poll tries again. The service
//! reads feeds beside its ticks: a slow database never delays a letter. Read on in [`super::intake`].

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::attempt::CLOCK_TOLERANCE;
use super::beside::{Beside, unbroken};
use super::{Served, Work, intake, lock};
use crate::config::{Feed, FeedKind, Settings};
use crate::feed::FileReport;
use crate::feed::folder::Folder;
use crate::heap::heap;

/// So long a due hire waits for what the feeds say about it when they are read at that moment: a
/// file in the drop folder takes less. A source that took longer is not waited for the next time.
pub const HEAD_START: Duration = Duration::from_secs(2);

/// A clock that was right is asked about again after so long, or when it jumped.
const CLOCK_KNOWN: Duration = Duration::from_mins(10);

/// A reading that takes longer hangs, most likely: a million rows take some minutes.
const HANGS: Duration = Duration::from_mins(15);

/// What a reading of feeds brought.
#[derive(Debug, Default)]
pub struct FeedsRead {
    /// Files and readings that were taken, held or rejected.
    pub files: Vec<FileReport>,
    /// Feeds that could not be read, with the reason.
    pub errors: Vec<String>,
}

/// The gate of a feed.
pub fn gate_of(feed: &Feed) -> String {
    format!("feed/{}", feed.name)
}

/// Reads every feed, one after the other.
pub async fn read_all(work: &Work) -> FeedsRead {
    let mut read = FeedsRead::default();
    for feed in &work.settings.feeds {
        read_one(work, feed, &mut read).await;
    }
    read
}

/// One feed; a failure changes nothing for the others.
pub async fn read_one(work: &Work, feed: &Feed, read: &mut FeedsRead) {
    let Some(served) = work.tenants.get(&feed.tenant) else { return };
    let mut eyes = work.eyes.lock().await.remove(&feed.name).unwrap_or_default();
    // Also after a poll that fails: then no file comes, either. With a wrong clock nothing is deleted.
    let mut looked_after = false;
    let polled = or_why(heap(|| async {
        if let Some(why) = wrong_clock(work, feed, served).await {
            return Err(why);
        }
        looked_after = true;
        let polled = intake::poll(feed, &served.rules, &work.store, &mut eyes, work.clock.now()).await;
        polled.map_err(|failed| failed.to_string())
    }))
    .await;
    let now = work.clock.now();
    if looked_after
        && let Err(why) = or_why(heap(|| intake::upkeep(feed, &work.store, &eyes, now))).await
        && let Some(more) = work.complaints.raise(&format!("upkeep/{}", feed.name), &why)
    {
        warn!(event = "feed-upkeep-failed", feed = %feed.name, "upkeep of feed {}: {why}{more}", feed.name);
    }
    work.eyes.lock().await.insert(feed.name.clone(), eyes);
    match polled {
        Ok(files) => {
            work.count_files(&feed.name, &files);
            read.files.extend(files);
            match work.store.open_gate(now, &gate_of(feed)).await {
                Ok(true) => info!(event = "feed-resumed", feed = %feed.name, "feed {} can be read again", feed.name),
                Ok(false) => {}
                Err(error) => work.state_refused(&gate_of(feed), &error),
            }
            work.complaints.settle(&gate_of(feed));
            work.state_took_it(&gate_of(feed));
        }
        Err(why) => {
            work.counts.feed_failed(&feed.name);
            let before = told_before(work, feed, &why).await;
            // A state that is full keeps no gate, either.
            if let Some(more) = work.complaints.raise(&gate_of(feed), &why).filter(|_| !before) {
                error!(event = "feed-stopped", feed = %feed.name, "feed {} could not be read: {why}{more}", feed.name);
            } else {
                tracing::debug!(feed = %feed.name, "feed {} still cannot be read: {why}", feed.name);
            }
            if let Err(error) = work.store.hold_gate(now, &gate_of(feed), now, Some(&why)).await {
                work.state_refused(&gate_of(feed), &error);
            }
            read.errors.push(format!("{}: {why}", gate_of(feed)));
        }
    }
}

/// Why it failed. A bug that panics is this feed's trouble: its next poll comes, and the others go on.
async fn or_why<T>(what: impl Future<Output = Result<T, impl std::fmt::Display>>) -> Result<T, String> {
    match unbroken(what).await {
        Ok(done) => done.map_err(|failed| failed.to_string()),
        Err(broke) => Err(format!("{broke}; the other feeds and all letters go on, and the next poll tries again")),
    }
}

/// Why nothing is read now: by a clock that is ahead, starts that lie ahead would count as past.
///
/// Asks Graph, when something waits and nobody asked a moment ago. A tenant that is stopped is left
/// alone, unless the clock was not right by its last answer. Where none ever answered files are read: a
/// tenant that is out of reach, or not yet set up, does not keep them waiting.
async fn wrong_clock(work: &Work, feed: &Feed, served: &Served) -> Option<String> {
    let (now, instant) = (work.clock.now(), Instant::now());
    let gates = work.store.gates().await.unwrap_or_default();
    let tenant = format!("tenant/{}", feed.tenant);
    let may_ask = !gates.iter().any(|gate| gate.name == tenant && gate.holds(now));
    let steady = lock(&work.clock_right).is_some_and(|(wall, real)| {
        let passed = instant.duration_since(real);
        let drift = (now - wall) - TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        passed < CLOCK_KNOWN && drift.abs() < CLOCK_TOLERANCE / 2
    });
    let off = |skew: &TimeDelta| skew.abs() > CLOCK_TOLERANCE;
    let was_off = served.client.skew().filter(off);
    if steady || !(may_ask || was_off.is_some()) || nothing_waits(feed) {
        return None;
    }
    let skew = served.client.ask_skew().await.or(was_off)?;
    if !off(&skew) {
        *lock(&work.clock_right) = Some((now, instant));
        return None;
    }
    Some(format!(
        "this host's clock is {} min off Microsoft's; nothing is read until it is right, since starts would count as \
         over. Check time synchronisation (`timedatectl`)",
        skew.num_minutes().abs()
    ))
}

/// An error is left to the poll, which says it.
fn nothing_waits(feed: &Feed) -> bool {
    match &feed.kind {
        FeedKind::Csv => Folder::open(&feed.folder).is_ok_and(|folder| folder.is_empty().unwrap_or(false)),
        FeedKind::Sql(_) => false,
    }
}

/// The same reason stood there at the last poll.
async fn told_before(work: &Work, feed: &Feed, why: &str) -> bool {
    let name = gate_of(feed);
    let gates = work.store.gates().await.unwrap_or_default();
    gates.iter().any(|gate| gate.name == name && gate.stopped.as_deref() == Some(why))
}

/// Tells of a feed that hangs, by its place in the settings: in the log, and wherever gates are shown.
pub(super) async fn told_to_hang(work: &Work, place: usize) {
    let Some(feed) = work.settings.feeds.get(place) else { return };
    let now = work.clock.now();
    let why = "reading it takes more than 15 min: its folder or database hangs; the other feeds and all letters go on. \
               Look after the share or the server";
    error!(event = "feed-hangs", feed = %feed.name, "feed {}: {why}", feed.name);
    if let Err(error) = work.store.hold_gate(now, &gate_of(feed), now, Some(why)).await {
        work.state_refused(&gate_of(feed), &error);
    }
}

/// Who answered a roll call.
pub(super) struct RollCall {
    /// Every loop is there: it answered, or is reading.
    pub(super) all_there: bool,
    /// Places of feeds that take too long, told now.
    pub(super) hanging: Vec<usize>,
}

/// One bell for each feed, in the order of the settings, rung by the scheduler.
pub(super) struct Bells {
    each: Vec<Bell>,
    /// Feeds were called since the last tick.
    rung: AtomicBool,
    /// A feed was read to its end.
    done: Notify,
    /// Ends the sleep between ticks.
    pub(super) wake: Notify,
}

struct Bell {
    poll: String,
    rung: Notify,
    /// Called since its loop last looked.
    called: AtomicBool,
    /// Called and not read to its end.
    wanted: AtomicBool,
    /// Its loop answered since the last roll call.
    heard: AtomicBool,
    /// Since when it is being read.
    reading: Mutex<Option<Instant>>,
    /// This reading was told to take long.
    told: AtomicBool,
    /// Took longer than the head start the last time.
    slow: AtomicBool,
}

/// While a feed is read; its end is seen also when the loop is torn off.
struct Reading<'a>(&'a Bell);

impl<'a> Reading<'a> {
    fn begin(bell: &'a Bell, now: Instant) -> Self {
        *lock(&bell.reading) = Some(now);
        Self(bell)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        *lock(&self.0.reading) = None;
        self.0.told.store(false, Ordering::SeqCst);
    }
}

impl Bells {
    /// For the feeds of the settings.
    pub(super) fn new(settings: &Settings) -> Self {
        let poll = |feed: &Feed| feed.poll.clone().unwrap_or_else(|| settings.schedule.poll.clone());
        Self::called_at(settings.feeds.iter().map(poll))
    }

    fn called_at(polls: impl Iterator<Item = String>) -> Self {
        let bell = |poll| Bell {
            poll,
            rung: Notify::new(),
            called: AtomicBool::new(false),
            heard: AtomicBool::new(true),
            reading: Mutex::default(),
            told: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            slow: AtomicBool::new(false),
        };
        Self { each: polls.map(bell).collect(), rung: AtomicBool::new(false), done: Notify::new(), wake: Notify::new() }
    }

    /// The cron texts of the feeds, once each.
    pub(super) fn schedules(&self) -> BTreeSet<String> {
        self.each.iter().map(|bell| bell.poll.clone()).collect()
    }

    /// Calls for the feeds of this cron text; `None` for all.
    pub(super) fn ring(&self, poll: Option<&str>) {
        for bell in self.each.iter().filter(|bell| poll.is_none_or(|poll| bell.poll == poll)) {
            bell.wanted.store(true, Ordering::SeqCst);
            bell.called.store(true, Ordering::SeqCst);
            bell.rung.notify_one();
        }
        self.rung.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Reads each feed whenever its bell rings, each beside the ticks and the others. What is cut short
    /// at the end is as after a crash: a file is finished, and a reading made anew, at the next start.
    pub(super) fn serve(self: &Arc<Self>, work: &Arc<Work>) -> Beside {
        let mut beside = Beside::default();
        for place in 0..self.each.len() {
            let (bells, work) = (Arc::clone(self), Arc::clone(work));
            beside.run(move || async move { bells.serve_one(&work, place).await });
        }
        beside
    }

    /// Never ends.
    async fn serve_one(&self, work: &Work, place: usize) {
        let (Some(feed), Some(bell)) = (work.settings.feeds.get(place), self.each.get(place)) else { return };
        loop {
            bell.rung.notified().await;
            bell.heard.store(true, Ordering::SeqCst);
            if !bell.called.swap(false, Ordering::SeqCst) {
                continue;
            }
            let began = Instant::now();
            let reading = Reading::begin(bell, began);
            read_one(work, feed, &mut FeedsRead::default()).await;
            drop(reading);
            bell.slow.store(began.elapsed() > HEAD_START, Ordering::SeqCst);
            bell.wanted.store(false, Ordering::SeqCst);
            self.done.notify_waiters();
            self.wake.notify_one();
        }
    }

    /// Asks every loop for a sign; says whether each gave one since the last time, or is reading, and
    /// which feeds hang, once for each reading. A feed that hangs is told and is no reason to end the
    /// service, which serves the others and all letters; a loop that is gone is one.
    pub(super) fn roll_call(&self) -> RollCall {
        let mut called = RollCall { all_there: true, hanging: Vec::new() };
        for (place, bell) in self.each.iter().enumerate() {
            let reading = *lock(&bell.reading);
            let heard = bell.heard.swap(false, Ordering::SeqCst);
            called.all_there &= heard || reading.is_some();
            bell.rung.notify_one();
            let long = reading.is_some_and(|since| since.elapsed() >= HANGS);
            if long && !bell.told.swap(true, Ordering::SeqCst) {
                called.hanging.push(place);
            }
        }
        called
    }

    /// Waits for feeds that were called since the last tick, for a moment: a row may withdraw whom
    /// the tick would send a pass for.
    pub(super) async fn head_start(&self) {
        if !self.rung.swap(false, Ordering::SeqCst) {
            return;
        }
        let all_read = async {
            loop {
                let done = self.done.notified();
                let awaited = |bell: &Bell| bell.wanted.load(Ordering::SeqCst) && !bell.slow.load(Ordering::SeqCst);
                if !self.each.iter().any(awaited) {
                    return;
                }
                done.await;
            }
        };
        // Not in time: the tick goes on without.
        let _ = tokio::time::timeout(HEAD_START, all_read).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_is_gone_is_missed_and_one_that_reads_is_not() {
        let bells = Bells::called_at(std::iter::once("* * * * * *".to_owned()));
        assert!(bells.roll_call().all_there, "it had no time to answer yet");
        assert!(!bells.roll_call().all_there, "nobody answered");
        let reading = Reading::begin(&bells.each[0], Instant::now());
        assert!(bells.roll_call().all_there, "it reads");
        drop(reading);
        assert!(!bells.roll_call().all_there, "a reading that was torn off is none");
        bells.each[0].heard.store(true, Ordering::SeqCst);
        assert!(bells.roll_call().all_there);
    }

    #[test]
    fn a_reading_that_hangs_is_told_once() {
        let bells = Bells::called_at(std::iter::once("* * * * * *".to_owned()));
        let Some(long_ago) = Instant::now().checked_sub(HANGS) else { return };
        let reading = Reading::begin(&bells.each[0], long_ago);
        assert_eq!(bells.roll_call().hanging, [0]);
        assert!(bells.roll_call().hanging.is_empty());
        drop(reading);
        let _again = Reading::begin(&bells.each[0], long_ago);
        assert_eq!(bells.roll_call().hanging, [0]);
    }
}
