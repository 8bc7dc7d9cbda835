//! The folder of a sandbox: made, or emptied of what an earlier sandbox left.
//!
//! Only what a sandbox writes is ever removed, and only beside the mark of a sandbox.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::end::Trouble;
use crate::sandbox::settings::{CA_FILE, CLIENT_SECRET_FILE, MAIL_PASSWORD_FILE};
use crate::sandbox::story::NEXT_FILE;
use crate::sandbox::table::{DATABASE, URL_FILE};

/// Says that a sandbox wrote what lies beside it.
const MARK: &str = ".firstpass-sandbox";
/// Held while somebody serves the state.
const STATE_LOCK: &str = "state.db.lock";
const FILES: [&str; 11] = [
    "firstpass.toml",
    "state.db",
    "state.db-wal",
    "state.db-shm",
    STATE_LOCK,
    CLIENT_SECRET_FILE,
    MAIL_PASSWORD_FILE,
    CA_FILE,
    NEXT_FILE.0,
    DATABASE,
    URL_FILE,
];
const FOLDERS: [&str; 2] = ["letters", "drop"];

/// A folder that is ours.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// Makes `dir`, or takes it over when it is empty or held a sandbox before.
    pub fn prepare(dir: &Path) -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", dir.display()));
        if dir.metadata().is_ok_and(|found| !found.is_dir()) {
            return Err(Trouble::Usage(format!(
                "{} is no folder; name a new or empty one: `firstpass sandbox DIR`",
                dir.display()
            )));
        }
        fs::create_dir_all(dir).map_err(failed)?;
        let is_empty = fs::read_dir(dir).map_err(failed)?.next().is_none();
        let ours = dir.join(MARK).symlink_metadata().is_ok_and(|mark| mark.is_file());
        if !is_empty && !ours {
            return Err(Trouble::Usage(format!(
                "{} is not empty, and no sandbox of firstpass; name a new or empty folder: `firstpass sandbox DIR`",
                dir.display()
            )));
        }
        let folder = Self { dir: dir.to_owned() };
        if ours {
            folder.is_left()?;
            folder.clear().map_err(failed)?;
        } else {
            folder.write(MARK, "A sandbox of firstpass. The next `firstpass sandbox` replaces what is here.\n")?;
        }
        for name in FOLDERS {
            fs::create_dir(folder.dir.join(name)).map_err(failed)?;
        }
        Ok(folder)
    }

    /// Nobody serves the state that an earlier sandbox left.
    fn is_left(&self) -> Result<(), Trouble> {
        let lock = File::open(self.dir.join(STATE_LOCK));
        match lock.map(|lock| lock.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => Err(Trouble::Failed(format!(
                "a `firstpass run` or another sandbox uses {}; stop it first, or name another folder",
                self.dir.display()
            ))),
            Ok(Ok(()) | Err(TryLockError::Error(_))) | Err(_) => Ok(()),
        }
    }

    fn clear(&self) -> io::Result<()> {
        let missing_is_fine = |done: io::Result<()>| match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
        for name in FILES {
            missing_is_fine(fs::remove_file(self.dir.join(name)))?;
        }
        // Follows no links.
        FOLDERS.iter().try_for_each(|name| missing_is_fine(fs::remove_dir_all(self.dir.join(name))))
    }

    /// Writes a new file that only we can read.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        let path = self.dir.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
    }

    /// Reads a file below the drop folder.
    pub fn read_below_drop(&self, name: &str) -> Result<String, Trouble> {
        let path = self.drop().join(name);
        fs::read_to_string(&path).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
    }

    /// The folder itself, as it was named.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings file.
    pub fn settings(&self) -> PathBuf {
        self.dir.join("firstpass.toml")
    }

    /// Where the model mail server puts letters.
    pub fn letters(&self) -> PathBuf {
        self.dir.join("letters")
    }

    /// The drop folder.
    pub fn drop(&self) -> PathBuf {
        self.dir.join("drop")
    }
}
