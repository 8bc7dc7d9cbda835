//! Room on the disk of the state: how much there is, and what SQLite says when there is none.
//!
//! A state that cannot grow by a page issues nothing. Whoever looks is told in the words of the disk, not
//! in SQLite's. Nothing here opens or changes a file.

use std::path::Path;

use super::StoreError;

/// Less is as good as none: the log of writes alone grows to some megabytes between two checkpoints, and
/// a report beside each file wants its place, too.
pub const SCARCE: u64 = 16 * MIB;
/// A roster of a hundred thousand people, with its report and its rejects, takes about so much.
pub const LITTLE: u64 = 256 * MIB;

const MIB: u64 = 1024 * 1024;

/// SQLite found no room for a page (`SQLITE_FULL`), or for what it shares between processes beside a
/// state (`SQLITE_IOERR_SHMSIZE`).
const NO_ROOM: [&str; 2] = ["13", "4874"];

/// Bytes that the disk of this file still takes from a user who is not root, whether the file is there
/// or not; `None` when nobody can say.
pub fn free(file: &Path) -> Option<u64> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whole mebibytes, for sentences.
///
/// ```
/// assert_eq!(firstpass::store::room::in_mib(5_000_000), "4 MiB");
/// ```
pub fn in_mib(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}

/// What so little room means.
pub fn too_little(free: u64) -> String {
    format!(
        "its disk is full ({} are free): nothing is issued when it cannot be written. Make room there; a service that runs goes on by itself, so do not restart it",
        in_mib(free)
    )
}

/// Whether this code of SQLite's says that there is no room.
pub(super) fn is_no_room(code: &str) -> bool {
    NO_ROOM.contains(&code)
}

impl StoreError {
    /// Says which disk is full.
    pub(super) fn at(self, state: &Path) -> Self {
        match self {
            Self::Full(_) => Self::Full(state.display().to_string()),
            Self::Unavailable(_)
            | Self::Unusable(_)
            | Self::Foreign(_)
            | Self::Newer(_)
            | Self::Corrupt(_)
            | Self::Locked(_) => self,
        }
    }
}
