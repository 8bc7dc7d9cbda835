//! Folders inside of a drop folder: no feed reads what lies in them, and somebody must be told (F34).
//!
//! They are left where they are: a folder may be HR's own, and moving one needs rights on it that we
//! may not have. Called by the upkeep of [`crate::work::intake`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::folder::{Folder, FolderError, Place, failed, left_alone, safe_name};

/// Names looked at in one look.
const NAMES: usize = 100_000;
/// Folders that are named; who has more sees the rest when these are gone.
const NAMED: usize = 20;
/// Made by the file system itself, at the root of a volume.
const OF_THE_DISK: &str = "lost+found";

impl Folder {
    /// Names of folders in the drop folder that are neither ours nor left alone, in order.
    ///
    /// # Errors
    /// [`FolderError::Failed`].
    pub fn strays(&self) -> Result<Vec<String>, FolderError> {
        let mut entries = Dir::read_from(self.at(Place::Drop)).map_err(failed("listing"))?;
        let mut found = BTreeSet::new();
        for _ in 0..NAMES {
            let Some(entry) = entries.read() else { break };
            let entry = entry.map_err(failed("listing"))?;
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown => statat(self.at(Place::Drop), entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
                _ => false,
            };
            let name = safe_name(&OsString::from_vec(entry.file_name().to_bytes().to_vec()));
            if is_folder && !left_alone(name.as_bytes()) && !Place::is_part(&name) && name != OF_THE_DISK {
                found.insert(name);
            }
        }
        Ok(found.into_iter().take(NAMED).collect())
    }
}
