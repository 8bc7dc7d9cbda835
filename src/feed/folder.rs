//! The drop folder: `drop/` → `work/` → `done/` or `rejected/`, and `held/`.
//!
//! Whoever may write here is not trusted (T09, T10). Files are opened below a descriptor of the
//! folder, without following links and without blocking, judged by `fstat` and read by descriptor
//! only. Names with controls or not in UTF-8 are replaced by a digest. Every move is a rename that
//! replaces nothing, and both folders are synced after it.

use std::collections::HashMap;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, fstat, fsync, mkdirat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::guarded::hex;

/// 1 million rows of 500 bytes; more is something else (F37).
pub const FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Files taken in one poll; the next poll takes the next ones (F39).
const FILES: usize = 100;
/// Names looked at in one poll.
const NAMES: usize = 100_000;
/// Bytes of a name that we keep: room for time, hash and endings below the 255 of most file systems.
const NAME_BYTES: usize = 180;

const NO_FILE: &str = "it is no ordinary file but a pipe, a socket or a device; drop a file";

/// Why the folder cannot be served now.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Missing, unreadable, unmounted.
    #[error("the drop folder {} cannot be used: {source}; create it, or correct its owner and mode", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else has the name of one of our folders in it.
    #[error("{} lies where firstpass keeps files of its own, and is no folder; move it away", .0.display())]
    InTheWay(PathBuf),
    /// Everybody may write into it (T06).
    #[error("everybody may write to the drop folder {}; run `chmod o-w` on it, since its rows say who is hired", .0.display())]
    Open(PathBuf),
    /// A file in it could not be moved or written.
    #[error("{what} in the drop folder failed: {source}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(Errno) -> FolderError {
    let what = what.into();
    move |source| FolderError::Failed { what, source: source.into() }
}

/// A part of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// HR writes here.
    Drop,
    /// Being read.
    Work,
    /// Was read.
    Done,
    /// Could not be read, refused or superseded; and the rejected rows.
    Rejected,
    /// Would change too much.
    Held,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Drop => ".",
            Self::Work => "work",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Held => "held",
        }
    }

    /// The name of one of our folders.
    pub(super) fn is_part(name: &str) -> bool {
        [Self::Work, Self::Done, Self::Rejected, Self::Held].iter().any(|part| part.name() == name)
    }

    /// A path below the drop folder, for reports.
    pub fn path(self, name: &str) -> String {
        match self {
            Self::Drop => name.to_owned(),
            Self::Work | Self::Done | Self::Rejected | Self::Held => format!("{}/{name}", self.name()),
        }
    }
}

/// The folder and its parts, open.
#[derive(Debug)]
pub struct Folder {
    drop: OwnedFd,
    work: OwnedFd,
    done: OwnedFd,
    rejected: OwnedFd,
    held: OwnedFd,
}

/// What was seen of the files that are not settled yet. Kept between polls, by feed.
#[derive(Debug, Default)]
pub struct Eyes {
    seen: HashMap<String, HashMap<OsString, (Look, Instant)>>,
}

impl Eyes {
    /// A file lies there that does not stand still yet.
    pub fn sees_one(&self, feed: &str) -> bool {
        self.seen.get(feed).is_some_and(|waiting| !waiting.is_empty())
    }

    /// How long until the next file has stood still for `settle`; `None`: no file waits.
    pub fn next_settled(&self, feed: &str, settle: Duration) -> Option<Duration> {
        self.seen.get(feed)?.values().map(|(_, since)| settle.saturating_sub(since.elapsed())).min()
    }
}

/// What must stand still. The modification time is `(seconds, nanoseconds)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    modified: (i64, i64),
    size: i64,
    inode: u64,
}

fn look(stat: &Stat) -> Look {
    Look {
        modified: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        size: stat.st_size,
        inode: stat.st_ino,
    }
}

fn changed(stat: &Stat) -> (i64, i64) {
    (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0))
}

/// An open file that is safe to read.
#[derive(Debug)]
pub struct Source {
    /// The descriptor.
    pub file: File,
    look: Look,
    /// `(seconds, nanoseconds)` of the last change: unlike the modification time, nobody can set it.
    changed: (i64, i64),
}

impl Source {
    /// An open regular file of bounded size.
    ///
    /// # Errors
    /// A sentence for the admin.
    pub fn of(file: File, one_name: bool) -> Result<Self, String> {
        let stat = fstat(&file).map_err(|error| format!("it cannot be read: {error}"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => "it is a folder; name a file".to_owned(),
                _ => NO_FILE.to_owned(),
            });
        }
        if one_name && stat.st_nlink != 1 {
            return Err("it has a second name (hard link); drop a copy of its own".to_owned());
        }
        if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > FILE_BYTES {
            return Err(format!(
                "it has more than {} MiB; leave columns out that no field stands in, or divide it",
                FILE_BYTES / 1024 / 1024
            ));
        }
        Ok(Self { file, look: look(&stat), changed: changed(&stat) })
    }

    /// Another descriptor of the same file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn again(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        u64::try_from(self.look.size).unwrap_or(0)
    }

    /// How far it was read: all descriptors of [`Source::again`] share one position.
    pub fn position(&self) -> u64 {
        rustix::fs::tell(&self.file).unwrap_or(0)
    }

    /// Nobody wrote to it since it was opened, also nobody who set its time back.
    pub fn stood_still(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| look(&stat) == self.look && changed(&stat) == self.changed)
    }
}

impl Folder {
    /// Opens the folder and makes its parts.
    ///
    /// # Errors
    /// [`FolderError`] when it is missing, unreadable, or open to everybody.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |source: Errno| FolderError::Unusable { path: path.to_owned(), source: source.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let drop = openat(CWD, path, flags, Mode::empty()).map_err(unusable)?;
        if fstat(&drop).map_err(unusable)?.st_mode & 0o002 != 0 {
            return Err(FolderError::Open(path.to_owned()));
        }
        let part = |place: Place| {
            let path = path.join(place.name());
            let unusable = |source: Errno| FolderError::Unusable { path: path.clone(), source: source.into() };
            match mkdirat(&drop, place.name(), Mode::from_raw_mode(0o750)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(unusable(error)),
            }
            match openat(&drop, place.name(), flags | OFlags::NOFOLLOW, Mode::empty()) {
                Err(Errno::NOTDIR | Errno::LOOP) => Err(FolderError::InTheWay(path)),
                opened => opened.map_err(unusable),
            }
        };
        let (work, done, rejected, held) =
            (part(Place::Work)?, part(Place::Done)?, part(Place::Rejected)?, part(Place::Held)?);
        Ok(Self { drop, work, done, rejected, held })
    }

    /// Opens a folder that is ours alone, and makes it when it is missing (0700, its parent too).
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open_own(path: &Path) -> Result<Self, FolderError> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| FolderError::Unusable { path: path.to_owned(), source })?;
        Self::open(path)
    }

    /// Throws a file of ours away; one that is gone already is fine.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn remove(&self, place: Place, name: &str) -> Result<(), FolderError> {
        match unlinkat(self.at(place), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed(format!("removing {name}"))(error)),
        }
    }

    pub(super) fn at(&self, place: Place) -> &OwnedFd {
        match place {
            Place::Drop => &self.drop,
            Place::Work => &self.work,
            Place::Done => &self.done,
            Place::Rejected => &self.rejected,
            Place::Held => &self.held,
        }
    }

    /// Files that an earlier run left in `work/`, in the order of their times.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn in_work(&self) -> Result<Vec<String>, FolderError> {
        let mut found = self.names(Place::Work)?;
        found.sort();
        Ok(found.into_iter().filter_map(|(_, name)| name.into_string().ok()).collect())
    }

    /// No file waits, neither in the drop folder nor in `work/`.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn is_empty(&self) -> Result<bool, FolderError> {
        Ok(self.names(Place::Work)?.is_empty() && self.names(Place::Drop)?.is_empty())
    }

    /// Names in the drop folder that have stood still for `settle`, in the order of their times.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn settled(&self, eyes: &mut Eyes, feed: &str, settle: Duration) -> Result<Vec<OsString>, FolderError> {
        let now = Instant::now();
        let before = eyes.seen.remove(feed).unwrap_or_default();
        let mut waiting = HashMap::new();
        let mut ready = Vec::new();
        for (seen, name) in self.names(Place::Drop)? {
            let since = before.get(&name).filter(|(look, _)| *look == seen).map_or(now, |(_, since)| *since);
            if now.duration_since(since) >= settle {
                ready.push((seen, name));
            } else {
                waiting.insert(name, (seen, since));
            }
        }
        eyes.seen.insert(feed.to_owned(), waiting);
        ready.sort();
        ready.truncate(FILES);
        Ok(ready.into_iter().map(|(_, name)| name).collect())
    }

    /// Everything but folders and names that writers use for unfinished files.
    fn names(&self, place: Place) -> Result<Vec<(Look, OsString)>, FolderError> {
        let list = failed("listing");
        let mut names = Vec::new();
        let mut entries = Dir::read_from(self.at(place)).map_err(list)?;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(failed("listing"))?;
            let name = entry.file_name().to_bytes();
            if left_alone(name) || names.len() >= NAMES {
                continue;
            }
            let Ok(stat) = statat(self.at(place), entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                names.push((look(&stat), OsString::from_vec(name.to_vec())));
            }
        }
        Ok(names)
    }

    /// Moves a dropped file into `work/` under a name that is safe to print. `None`: it is gone.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn take(&self, name: &OsString) -> Result<Option<String>, FolderError> {
        let safe = safe_name(name);
        let raw = CString::new(name.as_bytes()).map_err(|_| failed("taking a file")(Errno::INVAL))?;
        match self.rename(Place::Drop, &raw, Place::Work, &safe) {
            Ok(safe) => Ok(Some(safe)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed(format!("taking {safe}"))(error)),
        }
    }

    /// Opens a file below the folder.
    ///
    /// # Errors
    /// A sentence for the admin: a link, a pipe, a second name, too large.
    pub fn read(&self, place: Place, name: &str) -> Result<Source, String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        match openat(self.at(place), name, flags, Mode::empty()) {
            Ok(fd) => Source::of(File::from(fd), true),
            Err(Errno::LOOP) => Err("it is a symbolic link; drop the file itself".to_owned()),
            Err(Errno::NXIO) => Err(NO_FILE.to_owned()),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }

    /// Moves a file and says under which name it lies now: the wanted one, or with a number.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn put(&self, from: Place, name: &str, to: Place, wanted: &str) -> Result<String, FolderError> {
        let raw = CString::new(name).map_err(|_| failed("moving a file")(Errno::INVAL))?;
        self.rename(from, &raw, to, wanted).map_err(failed(format!("moving {name}")))
    }

    fn rename(&self, from: Place, name: &CString, to: Place, wanted: &str) -> Result<String, Errno> {
        for n in 1..1000 {
            let target = if n == 1 { wanted.to_owned() } else { numbered(wanted, n) };
            match self.rename_new(from, name, to, &target) {
                Ok(()) => {
                    fsync(self.at(from))?;
                    fsync(self.at(to))?;
                    return Ok(target);
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::EXIST)
    }

    fn rename_new(&self, from: Place, name: &CString, to: Place, target: &str) -> Result<(), Errno> {
        match renameat_with(self.at(from), name, self.at(to), target, RenameFlags::NOREPLACE) {
            // Some network file systems cannot promise it; ours are the only moves in these folders.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                if statat(self.at(to), target, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    return Err(Errno::EXIST);
                }
                renameat(self.at(from), name, self.at(to), target)
            }
            other => other,
        }
    }

    /// A new file that no reader sees before [`Folder::publish`].
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn draft(&self, place: Place, name: &str) -> Result<Draft, FolderError> {
        let hidden = format!(".{name}.tmp");
        // Left over from a crash.
        let _ = unlinkat(self.at(place), hidden.as_str(), AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(self.at(place), hidden.as_str(), flags, Mode::from_raw_mode(0o640))
            .map_err(failed(format!("writing {name}")))?;
        Ok(Draft { place, hidden, file: File::from(fd) })
    }

    /// Gives a draft its name, or the one beside it where that is taken; says which.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn publish(&self, draft: Draft, wanted: &str, otherwise: &str) -> Result<String, FolderError> {
        let Draft { place, hidden, file } = draft;
        let what = format!("writing {wanted}");
        file.sync_all().map_err(|source| FolderError::Failed { what, source })?;
        let free = statat(self.at(place), wanted, AtFlags::SYMLINK_NOFOLLOW).is_err();
        self.put(place, &hidden, place, if free { wanted } else { otherwise })
    }

    /// Throws a draft away.
    pub fn discard(&self, draft: &Draft) {
        let _ = unlinkat(self.at(draft.place), draft.hidden.as_str(), AtFlags::empty());
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn write(&self, place: Place, name: &str, text: &str) -> Result<String, FolderError> {
        let mut draft = self.draft(place, name)?;
        let written = draft.file.write_all(text.as_bytes());
        written.map_err(|source| FolderError::Failed { what: format!("writing {name}"), source })?;
        self.publish(draft, name, name)
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct Draft {
    place: Place,
    hidden: String,
    /// Write here.
    pub file: File,
}

impl Draft {
    /// Its time is that of the reading: `keep_files` counts from it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn dated(&self, read_at: DateTime<Utc>) -> io::Result<()> {
        self.file.set_modified(read_at.into())
    }
}

/// Names that no feed reads: dotfiles and files that are still being written (contract 4).
///
/// ```
/// use firstpass::feed::folder::left_alone;
/// for name in [".hires.csv", "hires.csv.tmp", "HIRES.TMP", "hires.part", "hires.csv.filepart"] {
///     assert!(left_alone(name.as_bytes()), "{name}");
/// }
/// for name in ["hires.csv", "tmp.csv", "hires.tmp.csv", "hirestmp"] {
///     assert!(!left_alone(name.as_bytes()), "{name}");
/// }
/// ```
pub fn left_alone(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    name.starts_with(b".") || [b".tmp".as_slice(), b".part", b".filepart"].iter().any(|end| lower.ends_with(end))
}

/// The name itself, or a digest of it where it cannot be printed (F36).
pub(super) fn safe_name(name: &OsString) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    match name.to_str() {
        Some(text) if text.len() <= NAME_BYTES && !text.contains(odd) => text.to_owned(),
        _ => {
            let digest = hex(&Sha256::digest(name.as_bytes()));
            format!("name-{}.csv", digest.get(..16).unwrap_or_default())
        }
    }
}

fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

fn numbered(name: &str, n: u32) -> String {
    let (stem, end) = split(name);
    format!("{stem}-{n}{end}")
}

/// `hires.csv` → `hires`.
pub fn stem(name: &str) -> &str {
    split(name).0
}

/// `hires.csv` → `hires.20270301T070000Z-0a1b2c3d.csv`: how a file is called once it was read.
pub fn stamped(name: &str, read_at: DateTime<Utc>, sha256: &str) -> String {
    let (stem, end) = split(name);
    format!("{stem}.{}-{}{end}", read_at.format("%Y%m%dT%H%M%SZ"), sha256.get(..8).unwrap_or("unread"))
}
