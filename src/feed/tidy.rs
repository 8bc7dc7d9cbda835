//! Files that were read long ago go (`keep_files`).
//!
//! Only from `done/` and `rejected/`, and only what our own naming made: a file, its report and its
//! rejected rows. Age counts from the reading, which stands in the name; for `hires.rejected.csv`,
//! which bears no time, from when it was last written. Links are never followed, nor removed.

use std::io::{self, Read};

use chrono::{DateTime, NaiveDateTime, Utc};
use rustix::fs::{AtFlags, Dir, FileType, fsync, statat, unlinkat};

use super::folder::{Folder, FolderError, Place, failed, stem};
use crate::rules::headers::LINE_COLUMN;

/// Files that go in one look; the next look goes on.
const MOST: u64 = 10_000;
/// Names looked at in one folder and look.
const NAMES: usize = 1_000_000;

/// When a file of ours was read, out of its name: `hires.20270301T070000Z-0a1b2c3d.csv`, its report,
/// its rejected rows, each also with a number.
///
/// ```
/// use firstpass::feed::tidy::read_at;
/// let at = "2027-03-01T07:00:00Z".parse().ok();
/// assert_eq!(read_at("hires.20270301T070000Z-0a1b2c3d.csv"), at);
/// assert_eq!(read_at("hires.20270301T070000Z-0a1b2c3d-2.csv"), at);
/// assert_eq!(read_at("hires.20270301T070000Z-0a1b2c3d.report.json"), at);
/// assert_eq!(read_at("hires.20270301T070000Z-0a1b2c3d.rejected-2.csv"), at);
/// assert_eq!(read_at("noend.20270301T070000Z-unread"), at);
/// assert_eq!(read_at("a.20200101T000000Z-ffffffff.b.20270301T070000Z-0a1b2c3d.csv"), at, "the last one is ours");
/// for others in ["hires.csv", "hires.20270301T070000Z.csv", "hires.20270301T070000Z-0a1b2c3.csv",
///     "hires.20270301T070000Z-0A1B2C3D.csv", "hires.20271301T070000Z-0a1b2c3d.csv",
///     ".20270301T070000Z-0a1b2c3d.csv", "hires.20270301T070000Z-0a1b2c3d.csv.bak.old"] {
///     assert_eq!(read_at(others), None, "{others}");
/// }
/// ```
pub fn read_at(name: &str) -> Option<DateTime<Utc>> {
    let parts: Vec<&str> = name.split('.').collect();
    let (place, stamp) = parts.iter().enumerate().rev().find_map(|(place, part)| Some((place, stamp(part)?)))?;
    let behind = parts.get(place + 1..)?;
    let named = parts.first().is_some_and(|first| !first.is_empty()) && place > 0;
    let beside = |end: &str| matches!(unnumbered(end), "report" | "rejected");
    let ours = match behind {
        [] | [_] => true,
        [kind, _] => beside(kind),
        [..] => false,
    };
    (named && ours).then_some(stamp)
}

/// What we wrote about a file that was read, and no such file itself.
///
/// ```
/// use firstpass::feed::tidy::is_report;
/// assert!(is_report("hires.20270301T070000Z-0a1b2c3d.report.json"));
/// assert!(is_report("hires.20270301T070000Z-0a1b2c3d.report-2.json"));
/// assert!(is_report("hires.20270301T070000Z-0a1b2c3d.rejected.csv"));
/// assert!(!is_report("hires.20270301T070000Z-0a1b2c3d.csv"));
/// assert!(!is_report("hires.report.json"), "dropped by somebody else: a feed reads it");
/// ```
pub fn is_report(name: &str) -> bool {
    let kind = stem(stem(name)).len()..stem(name).len();
    let kind = name.get(kind).unwrap_or_default().trim_start_matches('.');
    read_at(name).is_some() && matches!(unnumbered(kind), "report" | "rejected")
}

/// What report and rejected rows of a file that was read are called by.
///
/// ```
/// use firstpass::feed::tidy::beside;
/// assert_eq!(beside("hires.20270301T070000Z-0a1b2c3d.csv"), "hires.20270301T070000Z-0a1b2c3d");
/// assert_eq!(beside("noend.20270301T070000Z-0a1b2c3d"), "noend.20270301T070000Z-0a1b2c3d");
/// ```
pub fn beside(stamped: &str) -> &str {
    let stem = stem(stamped);
    if read_at(stem).is_none() && read_at(stamped).is_some() { stamped } else { stem }
}

/// `20270301T070000Z-0a1b2c3d`, `…-unread`, `…-0a1b2c3d-2`.
fn stamp(part: &str) -> Option<DateTime<Utc>> {
    let (time, rest) = part.split_once('-')?;
    let (hash, number) = rest.split_once('-').unwrap_or((rest, "2"));
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let known = hash == "unread" || (hash.len() == 8 && hash.bytes().all(hex));
    let counted = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let read = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").ok()?;
    (known && counted && time.len() == 16).then(|| read.and_utc())
}

/// `rejected-2` → `rejected`.
fn unnumbered(text: &str) -> &str {
    match text.rsplit_once('-') {
        Some((word, number)) if !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) => word,
        Some(_) | None => text,
    }
}

impl Folder {
    /// Removes our files that were read before `before`; says how many.
    ///
    /// # Errors
    /// [`FolderError::Failed`]; what is left goes at the next look.
    pub fn tidy(&self, before: DateTime<Utc>) -> Result<u64, FolderError> {
        let mut gone = 0;
        for place in [Place::Done, Place::Rejected] {
            gone += self.tidy_part(place, before, MOST - gone)?;
        }
        Ok(gone)
    }

    /// Removes the report of a file that lay in `held/` and lies elsewhere now, with a report there.
    pub fn forget_held(&self, name: &str) {
        // It may be gone: somebody may have tidied up.
        let _ = unlinkat(self.at(Place::Held), format!("{}.report.json", beside(name)), AtFlags::empty());
    }

    fn tidy_part(&self, place: Place, before: DateTime<Utc>, most: u64) -> Result<u64, FolderError> {
        let old = self.old_files(place, before, most)?;
        let mut gone = 0;
        for name in &old {
            match unlinkat(self.at(place), name.as_str(), AtFlags::empty()) {
                Ok(()) => gone += 1,
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(failed(format!("removing {}", place.path(name)))(error)),
            }
        }
        if gone > 0 {
            fsync(self.at(place)).map_err(failed("removing old files"))?;
        }
        Ok(gone)
    }

    fn old_files(&self, place: Place, before: DateTime<Utc>, most: u64) -> Result<Vec<String>, FolderError> {
        let mut entries = Dir::read_from(self.at(place)).map_err(failed("listing"))?;
        let mut old = Vec::new();
        for _ in 0..NAMES {
            let Some(entry) = entries.read() else { break };
            let entry = entry.map_err(failed("listing"))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if self.is_old(place, name, before) {
                old.push(name.to_owned());
                if u64::try_from(old.len()).unwrap_or(u64::MAX) >= most {
                    break;
                }
            }
        }
        Ok(old)
    }

    /// Ours, an ordinary file, and read before that.
    fn is_old(&self, place: Place, name: &str, before: DateTime<Utc>) -> bool {
        let Ok(stat) = statat(self.at(place), name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return false;
        }
        if let Some(read_at) = read_at(name) {
            return read_at < before;
        }
        let written = DateTime::from_timestamp(stat.st_mtime, 0);
        let rows = place == Place::Rejected && !name.starts_with('.') && name.ends_with(".rejected.csv");
        rows && written.is_some_and(|at| at < before) && self.holds_rejected_rows(place, name)
    }

    /// The first header of rejected rows is ours; anything else that bears such a name is not.
    fn holds_rejected_rows(&self, place: Place, name: &str) -> bool {
        let Ok(source) = self.read(place, name) else { return false };
        let mut start = Vec::new();
        let read: io::Result<usize> = source.file.take(64).read_to_end(&mut start);
        read.is_ok() && String::from_utf8_lossy(&start).trim_start_matches(['\u{feff}', '"']).starts_with(LINE_COLUMN)
    }
}
