//! One file of a feed, from the drop folder into the state and to its resting place.
//!
//! Read → stage → judge → brake → apply → move. The state is written by one transaction and the file
//! is moved after it; what a crash leaves in `work/` is finished first and changes nothing twice.
//! The rules are in [`crate::rules::intake`], the statements in [`crate::store::intake`].

mod judging;
mod reading;
mod rest;
mod upkeep;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use self::reading::reading_name;
use self::rest::resting;
pub use self::upkeep::{expected, of_stray, upkeep};
use crate::config::{Feed, FeedKind, TenantRules};
use crate::feed::csv::{self, Rules};
use crate::feed::folder::{Eyes, Folder, FolderError, Place, Source};
use crate::feed::guarded::hex;
use crate::feed::report::FileReport;
use crate::feed::sql::SqlError;
use crate::rules::calendar::Zone;
use crate::rules::dates::DateFormat;
use crate::rules::intake::BrakeRules;
use crate::rules::record::FeedRules;
use crate::store::intake::KnownFile;
use crate::store::{Store, StoreError};

/// How often a file is judged anew because hires changed meanwhile.
const ROUNDS: usize = 5;
/// Who acts when nobody does.
const US: &str = "firstpass";
/// Changes with the way rows are read, so that the file taken last is read again.
const READER: &str = "2";

/// Why a feed could not be served.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The drop folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database of the feed.
    #[error(transparent)]
    Sql(#[from] SqlError),
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

/// Takes what lies in the drop folder, in the order of the files' times, or asks the database once.
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
    if let FeedKind::Sql(sql) = &feed.kind {
        let read = Desk::new(feed, rules, store, now).of_readings().read_database(sql).await?;
        store.query_answered(now, &feed.name).await?;
        return Ok(read);
    }
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
    let folder = if dry_run { None } else { Some(desk.folder()?) };
    let out = Out { folder: folder.as_ref(), from: None, name: &name, held: None, left_over: false, by: US, why: "" };
    if !dry_run && let Some(report) = desk.repeated(&source, &out).await? {
        return Ok(report);
    }
    desk.judge(&source, &out, false).await
}

/// What an operator says about a held file.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its name, or the start of its sha256.
    pub which: &'a str,
    /// For the record.
    pub reason: &'a str,
    /// Who says so.
    pub by: &'a str,
    /// Only look what would be.
    pub dry_run: bool,
}

/// Lets a held file in, as it was judged, without the brake.
///
/// # Errors
/// [`IntakeError::Which`] when no held file, or more than one, has this name or digest.
pub async fn accept(
    answer: &Answer<'_>,
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<FileReport, IntakeError> {
    let desk = Desk::new(feed, rules, store, now);
    let held = desk.find_held(answer.which).await?;
    let desk = if held.file == reading_name(&feed.name) { desk.of_readings() } else { desk };
    let folder = desk.folder()?;
    let name = resting(&held);
    let source =
        folder.read(Place::Held, &name).map_err(|why| IntakeError::File { file: Place::Held.path(&name), why })?;
    let out = Out {
        folder: (!answer.dry_run).then_some(&folder),
        from: Some((Place::Held, &name)),
        name: &held.file,
        held: Some(&held),
        left_over: false,
        by: answer.by,
        why: answer.reason,
    };
    out.is_what_was_held(&desk.digest(&source).await.unwrap_or_default())?;
    desk.judge(&source, &out, true).await
}

/// Does not let a held file in: it goes to `rejected/`.
///
/// # Errors
/// As [`accept`].
pub async fn refuse(
    answer: &Answer<'_>,
    feed: &Feed,
    rules: &TenantRules,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<FileReport, IntakeError> {
    let Answer { which, reason, by, dry_run } = *answer;
    let desk = Desk::new(feed, rules, store, now);
    let held = desk.find_held(which).await?;
    let mut report = desk.known_report(&held);
    "refused".clone_into(&mut report.state);
    reason.clone_into(&mut report.why);
    report.answered = true;
    if !dry_run && store.refuse_file(now, &feed.tenant, held.id, reason, by).await? {
        report.now_at = desk.to_rejected(&desk.folder()?, &held, "refused", reason)?;
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
    /// It lay in `work/` when the poll began: an earlier one may have judged it already.
    left_over: bool,
    by: &'a str,
    why: &'a str,
}

impl Out<'_> {
    /// A file that is let in is the one that was judged when it was held: asked of each reading, for
    /// whoever has it open may write to it between two.
    fn is_what_was_held(&self, sha256: &str) -> Result<(), IntakeError> {
        let Some(held) = self.held.filter(|held| held.sha256 != sha256) else { return Ok(()) };
        let file = self.from.map_or_else(|| held.file.clone(), |(place, name)| place.path(name));
        let why = "it is not what was judged when it was held; drop the file again".to_owned();
        Err(IntakeError::File { file, why })
    }
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

    /// For the rows of a query, which lie in files of ours.
    fn of_readings(mut self) -> Self {
        let rules = (*self.rules).clone();
        self.rules = Arc::new(Rules { reading: true, encoding: None, ..rules });
        self
    }

    /// The feed's folder; one of our own is made when it is missing.
    fn folder(&self) -> Result<Folder, FolderError> {
        match &self.feed.kind {
            FeedKind::Sql(sql) if sql.own_folder => Folder::open_own(&self.feed.folder),
            FeedKind::Csv | FeedKind::Sql(_) => Folder::open(&self.feed.folder),
        }
    }

    /// Of the whole file, hex; of a reading that of its rows. Not on this thread: files are large.
    async fn digest(&self, source: &Source) -> io::Result<String> {
        let (mut file, rules) = (source.again()?, Arc::clone(&self.rules));
        let digested = tokio::task::spawn_blocking(move || {
            if rules.reading {
                return csv::digest(file, &rules).map_err(io::Error::other);
            }
            digest(&mut file)
        });
        digested.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// One file that lies in `work/`. `None`: it is still being written, and lies in the drop folder again.
    async fn take(&self, folder: &Folder, name: &str, left_over: bool) -> Result<Option<FileReport>, IntakeError> {
        let from = Some((Place::Work, name));
        let out = Out { folder: Some(folder), from, name, held: None, left_over, by: US, why: "" };
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

    async fn find_held(&self, which: &str) -> Result<KnownFile, IntakeError> {
        let held = self.store.held_files(&self.feed.name).await?;
        let hex = which.len() >= 4 && which.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wanted = which.to_ascii_lowercase();
        let fits = |file: &KnownFile| {
            file.file == which || resting(file) == which || (hex && file.sha256.starts_with(&wanted))
        };
        let mut found: Vec<KnownFile> = held.into_iter().filter(fits).collect();
        match (found.pop(), found.is_empty()) {
            (Some(file), true) => Ok(file),
            (Some(_), false) => {
                Err(IntakeError::Which(format!("more than one held file is called {which}; name it by its sha256")))
            }
            (None, _) => Err(IntakeError::Which(format!(
                "no file of feed {} that is held is called {which}; see `firstpass feed list`",
                self.feed.name
            ))),
        }
    }
}

/// Of all bytes, hex.
fn digest(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
    }
}

/// What decides how a row is read: when it changes, the file taken last is read again.
fn mapping(feed: &Feed, rules: &FeedRules) -> String {
    let zones: BTreeMap<&str, &str> = rules.zones.iter().map(|(place, zone)| (place.as_str(), zone.as_str())).collect();
    let text = format!(
        "{READER} {} {:?} {zones:?} {:?} {} {} {:?} {:?}",
        feed.tenant,
        rules.columns,
        rules.zone.as_ref().map(Zone::as_str),
        rules.start_at,
        feed.complete,
        feed.encoding.map(encoding_rs::Encoding::name),
        rules.date_format.as_ref().map(DateFormat::as_str)
    );
    hex(Sha256::digest(text.as_bytes()).get(..8).unwrap_or_default())
}
