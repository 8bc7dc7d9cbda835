//! The folder of `sandbox --serve`: made once, and kept from start to start.
//!
//! Nothing in it is ever replaced that somebody may have edited. One process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::cli::end::Trouble;
use crate::sandbox::serve::file::LARGEST;

/// Says whose folder it is; locked while somebody serves it.
const MARK: &str = ".firstpass-sandbox-serve";
/// The mark of a folder where the days were played.
const PLAYED: &str = ".firstpass-sandbox";

/// A folder that is ours, as long as this lives.
pub struct Home {
    dir: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes `dir`, or takes it over when it is empty or was served before.
    pub fn prepare(dir: &Path) -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", dir.display()));
        let usage = |what: &str| {
            let name = dir.display();
            Trouble::Usage(format!("{name} {what}; name a new or empty folder: `firstpass sandbox --serve DIR`"))
        };
        if dir.metadata().is_ok_and(|found| !found.is_dir()) {
            return Err(usage("is no folder"));
        }
        if dir.join(PLAYED).exists() {
            return Err(usage("holds days that `firstpass sandbox` played"));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let is_empty = fs::read_dir(dir).map_err(failed)?.next().is_none();
        let mark = dir.join(MARK);
        if !is_empty && !mark.symlink_metadata().is_ok_and(|mark| mark.is_file()) {
            return Err(usage("is not empty, and was not made by this command"));
        }
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&mark).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let name = dir.display();
                return Err(Trouble::Failed(format!(
                    "another `firstpass sandbox --serve` uses {name}; stop it first, or name another folder"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for name in ["drop", "letters"] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir.join(name)).map_err(failed)?;
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// The folder, as it was named.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The text of a file, made by `make` when there is none. Only we can read it.
    pub fn keep(&self, name: &str, make: impl FnOnce() -> Result<String, Trouble>) -> Result<String, Trouble> {
        if let Some(text) = self.read(name)? {
            return Ok(text);
        }
        let text = make()?;
        self.replace(name, &text)?;
        Ok(text)
    }

    /// The text of a file; `None` when there is none.
    pub fn read(&self, name: &str) -> Result<Option<String>, Trouble> {
        let path = self.path(name);
        match read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::Failed(format!("{}: {error}", path.display()))),
        }
    }

    /// Writes a file anew; a reader never sees half of it.
    pub fn replace(&self, name: &str, text: &str) -> Result<(), Trouble> {
        let (path, temporary) = (self.path(name), self.path(&format!(".{name}.tmp")));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))
    }
}

/// A text of bounded size.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let n = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(n).unwrap_or(u64::MAX) > LARGEST {
        return Err(io::Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}
