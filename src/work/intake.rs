//! One file of a feed, from the drop folder into the state and to its resting place.
//!
//! Read → stage → judge → brake → apply → move. The state is written by one transaction and the file
//! is moved after it; what a crash leaves in `work/` is finished first and changes nothing twice.
//! The rules are in [`crate::rules::intake`], the statements in [`crate::store::intake`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::config::{Feed, TenantRules};
use crate::feed::csv::{self, Reading, Rules, Unreadable};
use crate::feed::folder::{Draft, Eyes, Folder, FolderError, Place, Source, stamped, stem};
use crate::feed::report::{CHANGES, FileReport, REJECTS};
use crate::rules::intake::{BrakeRules, brake};
use crate::rules::record::FeedRules;
use crate::rules::staged::Batch;
use crate::store::intake::{Applied, Counts, KnownFile, Staging, Taken};
use crate::store::{Store, StoreError};

/// How often a file is judged anew because hires changed meanwhile.
const ROUNDS: usize = 5;
/// Who acts when nobody does.
const US: &str = "firstpass";
/// Changes with the way rows are read, so that the file taken last is read again.
const READER: &str = "1";

/// Why a feed could not be served.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The drop folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The state; nothing was taken.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of `import`.
    #[error("{file}: {why}")]
    File {
        /// As it was given.
        file: String,
        /// A sentence.
        why: String,
    },
    /// `accept` or `refuse` of what is not held, or of more than one.
    #[error("{0}")]
    Which(String),
    /// Hires changed all the while.
    #[error("{0}: the hires of this feed changed while the file was judged, {ROUNDS} times; it is tried again")]
    Restless(String),
}

/// One feed and what it works with.
struct Desk<'a> {
    feed: &'a Feed,
    rules: Arc<Rules>,
    brake: BrakeRules,
    mapping: String,
    store: &'a Store,
    now: DateTime<Utc>,
}

/// Takes what lies in the drop folder, in the order of the files' times.
///
/// # Errors
/// [`IntakeError`]: the rest is taken at the next poll.
pub async fn poll(
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    eyes: &mut Eyes,
    now: DateTime<Utc>,
) -> Result<Vec<FileReport>, IntakeError> {
    let desk = Desk::new(feed, rules, store, now);
    let folder = Folder::open(&feed.folder)?;
    let mut reports = Vec::new();
    for name in folder.in_work()? {
        reports.extend(desk.take(&folder, &name, true).await?);
    }
    for name in folder.settled(eyes, &feed.name, feed.settle)? {
        if let Some(name) = folder.take(&name)? {
            reports.extend(desk.take(&folder, &name, false).await?);
        }
    }
    Ok(reports)
}

/// Takes one file in and leaves it where it is; a dry run writes nothing at all.
///
/// # Errors
/// [`IntakeError`].
pub async fn import(
    file: &Path,
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<FileReport, IntakeError> {
    let desk = Desk::new(feed, rules, store, now);
    let given = file.display().to_string();
    let failed = |why: String| IntakeError::File { file: given.clone(), why };
    // Opening a pipe must not wait for its writer.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let open = std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(file);
    let source = open.map_err(|error| error.to_string()).and_then(|open| Source::of(open, false)).map_err(failed)?;
    let name = file.file_name().map_or_else(|| given.clone(), |name| name.to_string_lossy().into_owned());
    let folder = if dry_run { None } else { Some(Folder::open(&feed.folder)?) };
    let out = Out { folder: folder.as_ref(), from: None, name: &name, held: None, by: US, why: "" };
    desk.judge(&source, &out, true).await
}

/// Lets a held file in, as it was judged, without the brake.
///
/// # Errors
/// [`IntakeError::Which`] when no held file, or more than one, has this name or digest.
#[expect(clippy::too_many_arguments, reason = "the feed's four, and what the operator says")]
pub async fn accept(
    which: &str,
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    now: DateTime<Utc>,
    reason: &str,
    by: &str,
    dry_run: bool,
) -> Result<FileReport, IntakeError> {
    let desk = Desk::new(feed, rules, store, now);
    let held = desk.find_held(which).await?;
    let folder = Folder::open(&feed.folder)?;
    let name = resting(&held);
    let source = folder.read(Place::Held, &name).map_err(|why| IntakeError::File { file: Place::Held.path(&name), why })?;
    if digest(&source).ok().as_deref() != Some(held.sha256.as_str()) {
        let why = "it is not what was judged when it was held; drop the file again".to_owned();
        return Err(IntakeError::File { file: Place::Held.path(&name), why });
    }
    let out = Out {
        folder: (!dry_run).then_some(&folder),
        from: Some((Place::Held, &name)),
        name: &held.file,
        held: Some(&held),
        by,
        why: reason,
    };
    desk.judge(&source, &out, true).await
}

/// Does not let a held file in: it goes to `rejected/`.
///
/// # Errors
/// As [`accept`].
#[expect(clippy::too_many_arguments, reason = "the feed's four, and what the operator says")]
pub async fn refuse(
    which: &str,
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    now: DateTime<Utc>,
    reason: &str,
    by: &str,
    dry_run: bool,
) -> Result<FileReport, IntakeError> {
    let desk = Desk::new(feed, rules, store, now);
    let held = desk.find_held(which).await?;
    let mut report = desk.known_report(&held);
    report.state = "refused".to_owned();
    report.why = reason.to_owned();
    if !dry_run && store.refuse_file(now, &feed.tenant, held.id, reason, by).await? {
        report.now_at = desk.to_rejected(&Folder::open(&feed.folder)?, &held, "refused", reason)?;
    }
    Ok(report)
}

/// Where a file comes from, and what is written about it. No folder: a dry run.
struct Out<'a> {
    folder: Option<&'a Folder>,
    /// Where it lies below the folder; `None` leaves it where it is.
    from: Option<(Place, &'a str)>,
    name: &'a str,
    held: Option<&'a KnownFile>,
    by: &'a str,
    why: &'a str,
}

impl<'a> Desk<'a> {
    fn new(feed: &'a Feed, rules: &TenantRules, store: &'a Store, now: DateTime<Utc>) -> Self {
        let csv_rules = Rules::of(feed, rules);
        let limit = |n: i64| u64::try_from(n).unwrap_or(0);
        Self {
            feed,
            mapping: mapping(feed, &csv_rules.feed),
            rules: Arc::new(csv_rules),
            brake: BrakeRules {
                max_new: limit(feed.max_new),
                max_changes: limit(feed.max_changes),
                max_changes_share: feed.max_changes_share,
            },
            store,
            now,
        }
    }

    /// One file that lies in `work/`. `None`: it is still being written, and lies in the drop folder again.
    async fn take(&self, folder: &Folder, name: &str, left_over: bool) -> Result<Option<FileReport>, IntakeError> {
        let out = Out { folder: Some(folder), from: Some((Place::Work, name)), name, held: None, by: US, why: "" };
        let source = match folder.read(Place::Work, name) {
            Ok(source) => source,
            Err(why) => return self.unreadable(&out, "", why).await.map(Some),
        };
        if !left_over && let Some(report) = self.repeated(&source, &out).await? {
            return Ok(Some(report));
        }
        let report = self.judge(&source, &out, left_over).await;
        if matches!(&report, Err(IntakeError::File { .. })) && !source.stood_still() {
            folder.put(Place::Work, name, Place::Drop, name)?;
            return Ok(None);
        }
        report.map(Some)
    }

    /// The file that was taken last, read with the same settings: nothing to do (F31).
    async fn repeated(&self, source: &Source, out: &Out<'_>) -> Result<Option<FileReport>, IntakeError> {
        let Some(last) = self.store.last_taken(&self.feed.name).await? else { return Ok(None) };
        let same = last.mapping == self.mapping && digest(source).ok().as_deref() == Some(last.sha256.as_str());
        if !same || !source.stood_still() {
            return Ok(None);
        }
        let mut report = self.known_report(&last);
        report.file = out.name.to_owned();
        report.read_utc = utc(self.now);
        (report.added, report.changed, report.withdrawn) = (0, 0, 0);
        report.unchanged += count(last.added) + count(last.changed) + count(last.withdrawn);
        report.why = "the same bytes as were taken last: nothing changed".to_owned();
        let Some(folder) = out.folder else { return Ok(Some(report)) };
        let counts = counts_of(&report);
        let taken = self.taken(out, &last.sha256, report.rows, counts, &report.why);
        let superseded = self.store.note_file(self.now, &self.feed.name, &self.feed.tenant, &taken, "taken").await?;
        self.supersede(folder, &superseded);
        self.rest(folder, out, Place::Done, &mut report)?;
        Ok(Some(report))
    }

    /// Stages, judges, applies and moves one file.
    ///
    /// `again`: an operator's import, a held file let in, or one that a crash left behind, for which
    /// the short way of [`Desk::repeated`] is not taken: its rejects are written anew.
    async fn judge(&self, source: &Source, out: &Out<'_>, again: bool) -> Result<FileReport, IntakeError> {
        for _ in 0..ROUNDS {
            let (mut staging, reading) = match self.stage(source).await? {
                Ok(staged) => staged,
                Err(why) if source.stood_still() => return self.unreadable(out, &digest(source).unwrap_or_default(), why).await,
                Err(why) => return Err(IntakeError::File { file: out.name.to_owned(), why }),
            };
            let done = self.settle(&mut staging, &reading, source, out, again).await;
            staging.close().await;
            if let Some(report) = done? {
                return Ok(report);
            }
        }
        Err(IntakeError::Restless(out.name.to_owned()))
    }

    async fn settle(
        &self,
        staging: &mut Staging,
        reading: &Reading,
        source: &Source,
        out: &Out<'_>,
        again: bool,
    ) -> Result<Option<FileReport>, IntakeError> {
        let complete = self.feed.complete && !reading.correction;
        let counts = staging.judge(self.now, complete, reading.rows).await?;
        if counts.rejected > REJECTS {
            let why = format!("{} rows would be rejected; the file is not what the settings say. Nothing was taken", counts.rejected);
            return self.unreadable(out, &reading.sha256, why).await.map(Some);
        }
        let mut report = self.report(out, &reading.sha256, reading.rows, &counts);
        let stop = if out.held.is_some() { None } else { brake(&self.brake, &counts.weight) };
        let draft = match out.folder {
            Some(folder) if counts.rejected > 0 && stop.is_none() => Some(folder.draft(Place::Rejected, out.name)?),
            Some(_) | None => None,
        };
        let digests = self.read_rejects(staging, reading, source, draft.as_ref(), &mut report).await;
        let digests = match (digests, out.folder, &draft) {
            (Ok(digests), _, _) => digests,
            (Err(error), Some(folder), Some(draft)) => {
                folder.discard(draft);
                return Err(error);
            }
            (Err(error), _, _) => return Err(error),
        };
        if !source.stood_still() {
            return Err(IntakeError::File { file: out.name.to_owned(), why: "it changed while it was read".to_owned() });
        }
        let Some(folder) = out.folder else {
            report.changes = staging.changes(CHANGES).await?;
            report.state = if stop.is_some() { "held" } else { "taken" }.to_owned();
            report.why = stop.unwrap_or_default();
            return Ok(Some(report));
        };
        if let Some(why) = stop {
            return self.hold(folder, source, out, report, counts, why).await.map(Some);
        }
        staging.put_digests(&digests).await?;
        let applied = self.apply(staging, out, reading, counts, again).await?;
        let Some(applied) = applied else {
            if let Some(draft) = &draft {
                folder.discard(draft);
            }
            return Ok(None);
        };
        report.new_rejects = applied.new_rejects;
        self.supersede(folder, &applied.superseded);
        self.finish(folder, out, draft, &mut report)?;
        Ok(Some(report))
    }

    /// The transaction. A file that a crash left behind after its commit is not written twice (F12).
    async fn apply(
        &self,
        staging: &mut Staging,
        out: &Out<'_>,
        reading: &Reading,
        counts: Counts,
        again: bool,
    ) -> Result<Option<Applied>, IntakeError> {
        let nothing = counts.added + counts.changed + counts.withdrawn == 0;
        if again && nothing && out.held.is_none() {
            let last = self.store.last_taken(&self.feed.name).await?;
            if last.is_some_and(|last| last.sha256 == reading.sha256 && last.mapping == self.mapping) {
                return Ok(Some(Applied { superseded: Vec::new(), new_rejects: 0 }));
            }
        }
        let why = match out.why {
            "" => format!(
                "{} rows: {} added, {} changed, {} withdrawn, {} unchanged, {} past, {} rejected",
                reading.rows, counts.added, counts.changed, counts.withdrawn, counts.unchanged, counts.past, counts.rejected
            ),
            reason => reason.to_owned(),
        };
        let taken = self.taken(out, &reading.sha256, reading.rows, counts, &why);
        Ok(staging.apply(self.now, &taken).await?)
    }

    /// Reads the file on a thread of its own while the rows are staged here.
    async fn stage(&self, source: &Source) -> Result<Result<(Staging, Reading), String>, IntakeError> {
        let file = match source.again() {
            Ok(file) => file,
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        let mut staging = Staging::open(self.store, &self.feed.name, &self.feed.tenant).await?;
        let (send, mut receive) = tokio::sync::mpsc::channel::<Batch>(8);
        let (rules, now) = (Arc::clone(&self.rules), self.now);
        let reading = tokio::task::spawn_blocking(move || csv::read(file, &rules, now, |batch| send.blocking_send(batch).is_ok()));
        let mut broken = None;
        while let Some(batch) = receive.recv().await {
            if let Err(error) = staging.put(&batch).await {
                broken = Some(error);
                break;
            }
        }
        drop(receive);
        let read = reading.await.unwrap_or_else(|error| Err(Unreadable::Io(io::Error::other(error))));
        if let Some(error) = broken {
            return Err(error.into());
        }
        match read {
            Ok(reading) => Ok(Ok((staging, reading))),
            Err(unreadable) => {
                staging.close().await;
                Ok(Err(unreadable.to_string()))
            }
        }
    }

    /// The second reading: reasons for the report, rows for the draft.
    async fn read_rejects(
        &self,
        staging: &mut Staging,
        reading: &Reading,
        source: &Source,
        draft: Option<&Draft>,
        report: &mut FileReport,
    ) -> Result<Vec<String>, IntakeError> {
        let lines = staging.rejects(REJECTS).await?;
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |why: String| IntakeError::File { file: report.file.clone(), why };
        let file = source.again().map_err(|error| failed(error.to_string()))?;
        let out: Box<dyn io::Write + Send> = match draft {
            Some(draft) => Box::new(io::BufWriter::new(draft.file.try_clone().map_err(|error| failed(error.to_string()))?)),
            None => Box::new(io::sink()),
        };
        let (rules, sha256) = (Arc::clone(&self.rules), reading.sha256.clone());
        let read = tokio::task::spawn_blocking(move || csv::rejected(file, &rules, &sha256, &lines, out)).await;
        let read = read.unwrap_or_else(|error| Err(Unreadable::Io(io::Error::other(error)))).map_err(|error| failed(error.to_string()))?;
        let (rejects, digests) = read.into_iter().map(|row| (row.reject, row.digest)).unzip();
        report.rejects = rejects;
        Ok(digests)
    }

    /// A file that would change too much waits for a person.
    async fn hold(
        &self,
        folder: &Folder,
        source: &Source,
        out: &Out<'_>,
        mut report: FileReport,
        counts: Counts,
        why: String,
    ) -> Result<FileReport, IntakeError> {
        let taken = self.taken(out, &report.sha256, report.rows, counts, &why);
        let superseded = self.store.note_file(self.now, &self.feed.name, &self.feed.tenant, &taken, "held").await?;
        self.supersede(folder, &superseded);
        report.state = "held".to_owned();
        report.why = why;
        if out.from.is_some() {
            self.rest(folder, out, Place::Held, &mut report)?;
        } else {
            self.keep_copy(folder, source, &mut report)?;
        }
        Ok(report)
    }

    /// `import` leaves the file where it is; what was judged waits as a copy.
    fn keep_copy(&self, folder: &Folder, source: &Source, report: &mut FileReport) -> Result<(), IntakeError> {
        let name = stamped(&report.file, self.now, &report.sha256);
        let failed = |source| FolderError::Failed { what: format!("copying {}", report.file), source };
        let mut draft = folder.draft(Place::Held, &name)?;
        let mut file = source.again().map_err(failed)?;
        file.rewind().map_err(failed)?;
        io::copy(&mut file, &mut draft.file).map_err(failed)?;
        let name = folder.publish(draft, &name, &name)?;
        report.now_at = Place::Held.path(&name);
        self.write_report(folder, Place::Held, &name, report)
    }

    /// A file of which nothing was taken.
    async fn unreadable(&self, out: &Out<'_>, sha256: &str, why: String) -> Result<FileReport, IntakeError> {
        let mut report = self.report(out, sha256, 0, &Counts::default());
        report.state = "rejected".to_owned();
        report.why = why;
        let Some(folder) = out.folder else { return Ok(report) };
        let taken = self.taken(out, sha256, 0, Counts::default(), &report.why);
        self.store.note_file(self.now, &self.feed.name, &self.feed.tenant, &taken, "rejected").await?;
        self.rest(folder, out, Place::Rejected, &mut report)?;
        Ok(report)
    }

    fn finish(&self, folder: &Folder, out: &Out<'_>, draft: Option<Draft>, report: &mut FileReport) -> Result<(), IntakeError> {
        if let Some(draft) = draft {
            let plain = format!("{}.rejected.csv", stem(out.name));
            let other = format!("{}.rejected.csv", stem(&stamped(out.name, self.now, &report.sha256)));
            report.rejected_at = Place::Rejected.path(&folder.publish(draft, &plain, &other)?);
        }
        self.rest(folder, out, Place::Done, report)
    }

    /// Moves the file to where it stays, under its name with time and short hash, its report beside it.
    fn rest(&self, folder: &Folder, out: &Out<'_>, to: Place, report: &mut FileReport) -> Result<(), IntakeError> {
        let wanted = stamped(out.name, self.now, &report.sha256);
        let name = match out.from {
            Some((from, name)) => {
                let name = folder.put(from, name, to, &wanted)?;
                report.now_at = to.path(&name);
                name
            }
            None => wanted,
        };
        self.write_report(folder, to, &name, report)
    }

    fn write_report(&self, folder: &Folder, place: Place, name: &str, report: &FileReport) -> Result<(), IntakeError> {
        let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
        text.push('\n');
        folder.write(place, &format!("{}.report.json", stem(name)), &text)?;
        tracing::info!(
            feed = self.feed.name, file = report.file, state = report.state, rows = report.rows, added = report.added,
            changed = report.changed, withdrawn = report.withdrawn, rejected = report.rejected, why = report.why,
            "a file of the feed was read"
        );
        Ok(())
    }

    /// Held files whose place a newer one took. They may be gone: somebody may have tidied up.
    fn supersede(&self, folder: &Folder, files: &[KnownFile]) {
        for file in files {
            let why = "a newer file of the feed took its place";
            if let Err(error) = self.to_rejected(folder, file, "superseded", why) {
                tracing::warn!(feed = self.feed.name, file = file.file, %error, "a superseded file could not be moved");
            }
        }
    }

    fn to_rejected(&self, folder: &Folder, file: &KnownFile, state: &str, why: &str) -> Result<String, IntakeError> {
        let name = resting(file);
        let name = folder.put(Place::Held, &name, Place::Rejected, &name)?;
        let mut report = self.known_report(file);
        state.clone_into(&mut report.state);
        why.clone_into(&mut report.why);
        report.now_at = Place::Rejected.path(&name);
        self.write_report(folder, Place::Rejected, &name, &report)?;
        Ok(report.now_at)
    }

    async fn find_held(&self, which: &str) -> Result<KnownFile, IntakeError> {
        let held = self.store.held_files(&self.feed.name).await?;
        let hex = which.len() >= 4 && which.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wanted = which.to_ascii_lowercase();
        let fits = |file: &KnownFile| file.file == which || resting(file) == which || (hex && file.sha256.starts_with(&wanted));
        let mut found: Vec<KnownFile> = held.into_iter().filter(fits).collect();
        match (found.pop(), found.is_empty()) {
            (Some(file), true) => Ok(file),
            (Some(_), false) => Err(IntakeError::Which(format!("more than one held file is called {which}; name it by its sha256"))),
            (None, _) => Err(IntakeError::Which(format!("no file of feed {} that is held is called {which}; see `firstpass feed list`", self.feed.name))),
        }
    }

    fn taken<'t>(&self, out: &Out<'t>, sha256: &'t str, rows: u64, counts: Counts, why: &'t str) -> Taken<'t> {
        Taken {
            file: out.name,
            sha256,
            mapping: self.mapping.clone(),
            rows,
            counts,
            send_time: self.rules.schedule.send_at,
            held: out.held.map(|held| held.id),
            by: out.by,
            why,
        }
    }

    fn report(&self, out: &Out<'_>, sha256: &str, rows: u64, counts: &Counts) -> FileReport {
        FileReport {
            feed: self.feed.name.clone(),
            file: out.name.to_owned(),
            sha256: sha256.to_owned(),
            read_utc: utc(self.now),
            rows,
            added: counts.added,
            changed: counts.changed,
            withdrawn: counts.withdrawn,
            unchanged: counts.unchanged,
            past: counts.past,
            rejected: counts.rejected,
            state: "taken".to_owned(),
            why: out.why.to_owned(),
            ..FileReport::default()
        }
    }

    fn known_report(&self, file: &KnownFile) -> FileReport {
        FileReport {
            feed: self.feed.name.clone(),
            file: file.file.clone(),
            sha256: file.sha256.clone(),
            read_utc: DateTime::from_timestamp_millis(file.read_at).map(utc).unwrap_or_default(),
            rows: count(file.rows),
            added: count(file.added),
            changed: count(file.changed),
            withdrawn: count(file.withdrawn),
            unchanged: count(file.unchanged),
            past: count(file.past),
            rejected: count(file.rejected),
            state: file.state.clone(),
            ..FileReport::default()
        }
    }
}

fn counts_of(report: &FileReport) -> Counts {
    Counts { unchanged: report.unchanged, past: report.past, rejected: report.rejected, ..Counts::default() }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of a held file in `held/`.
fn resting(file: &KnownFile) -> String {
    let read_at = DateTime::from_timestamp_millis(file.read_at).unwrap_or_default();
    stamped(&file.file, read_at, &file.sha256)
}

/// Of the whole file, hex.
fn digest(source: &Source) -> io::Result<String> {
    let mut file: File = source.again()?;
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// What decides how a row is read: when it changes, the file taken last is read again.
fn mapping(feed: &Feed, rules: &FeedRules) -> String {
    let zones: BTreeMap<&str, &str> = rules.zones.iter().map(|(place, zone)| (place.as_str(), zone.as_str())).collect();
    let text = format!(
        "{READER} {} {:?} {zones:?} {:?} {} {}",
        feed.tenant, rules.columns, rules.zone.as_ref().map(|zone| zone.as_str()), rules.start_at, feed.complete
    );
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
