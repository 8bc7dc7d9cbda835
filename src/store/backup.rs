//! A copy of the state while it is served: whole, closed to others, on the disk, and looked at.
//!
//! SQLite's `VACUUM INTO` copies one moment of the state and keeps nobody waiting. It makes a file that
//! everybody may read and promises no fsync, so the file is made here first, and the copy gets its name
//! only when it is on the disk and was found whole (F14). Nothing in the state is changed or migrated.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::condition::{faults, plainly};
use super::open::{file_of, probe, reading};
use super::{Store, StoreError};

/// What becomes of a file that bears the copy's name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// It stays, and no copy is made.
    Keep,
    /// An older copy gives its name to the new one, once that was looked through; anything else stays.
    Replace,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// Hires in it, all engagements.
    pub hires: i64,
    /// Events in it.
    pub events: i64,
    /// Version of its tables.
    pub version: i64,
}

impl Store {
    /// Copies the state that `url` names to `to`. Runs beside the service.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]: a copy cannot be made there, or was found damaged; what stood under that
    /// name before stands there still. Else as [`Store::open`].
    pub async fn backup(url: &str, to: &Path, older: Older) -> Result<Copied, StoreError> {
        let state = file_of(url)?;
        let (folder, name) = place_of(&state, to, older).await?;
        let mut from = plainly(&state).connect().await?;
        probe(&state, plainly(&state)).await?;
        let part = folder.join(format!(".{}.part", name.to_string_lossy()));
        let file = make(&part, to)?;
        let copied = copy(&mut from, &part, &file, to).await;
        from.close().await?;
        let copied = match copied {
            Ok(copied) => match place_of(&state, to, older).await {
                Ok(_) => publish(&part, to, &folder).map(|()| copied),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if copied.is_err() {
            // What went wrong is told; a rest of it may stay and is taken away by the next backup.
            let _ = std::fs::remove_file(&part);
        }
        copied
    }

    /// Whether a copy could stand there, for a dry run.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]: something is there that is not replaced, or there is no folder to write to.
    pub async fn room_for_backup(url: &str, to: &Path, older: Older) -> Result<(), StoreError> {
        let (folder, _) = place_of(&file_of(url)?, to, older).await?;
        let may = rustix::fs::access(&folder, Access::WRITE_OK | Access::EXEC_OK);
        may.map_err(|error| unusable(to, &error.into()))
    }
}

/// The folder and the name of a copy that is not there yet, or may be replaced.
async fn place_of<'t>(state: &Path, to: &'t Path, older: Older) -> Result<(PathBuf, &'t std::ffi::OsStr), StoreError> {
    let Some(name) = to.file_name() else {
        return Err(StoreError::Unusable(format!("{} names no file; give the backup a name", to.display())));
    };
    if let Ok(found) = to.symlink_metadata() {
        let kept = |why: &str| StoreError::Unusable(format!("{} {why}; name another file", to.display()));
        match older {
            Older::Keep => {
                return Err(kept("is there already, and a backup replaces nothing without --replace"));
            }
            Older::Replace if is_the_state(state, &found) => return Err(kept("is the state itself")),
            // A log of writes beside it would be taken for the new copy's.
            Older::Replace if beside(to).iter().any(|path| path.exists()) => {
                return Err(kept("is open, or was when a program ended: there are files of SQLite's beside it"));
            }
            Older::Replace if !found.is_file() || probe(to, reading(to)).await.is_err() => {
                return Err(kept("is no older copy of a state, and nothing else is replaced"));
            }
            Older::Replace => {}
        }
    }
    let folder = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    Ok((folder, name))
}

/// By another name, too.
fn is_the_state(state: &Path, found: &Metadata) -> bool {
    state.metadata().is_ok_and(|state| (state.dev(), state.ino()) == (found.dev(), found.ino()))
}

/// What SQLite keeps beside a database that is open.
fn beside(to: &Path) -> [PathBuf; 2] {
    ["-wal", "-journal"].map(|end| {
        let mut path = to.to_owned().into_os_string();
        path.push(end);
        PathBuf::from(path)
    })
}

/// An empty file that only we may read, locked as long as it is written.
fn make(part: &Path, to: &Path) -> Result<File, StoreError> {
    // What another backup left that was cut off; one that is under way holds its lock.
    if let Ok(left) = File::open(part) {
        match left.try_lock() {
            Ok(()) => std::fs::remove_file(part).map_err(|error| unusable(part, &error))?,
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Unusable(format!("another backup to {} is under way", to.display())));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(part, &error)),
        }
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part);
    let file = made.map_err(|error| unusable(to, &error))?;
    file.lock().map_err(|error| unusable(part, &error))?;
    Ok(file)
}

/// Copies, waits for the disk, and looks at what lies there now.
async fn copy(from: &mut SqliteConnection, part: &Path, file: &File, to: &Path) -> Result<Copied, StoreError> {
    let Some(path) = part.to_str() else {
        return Err(StoreError::Unusable(format!("{} is no UTF-8; name another file", to.display())));
    };
    let made = sqlx::query("VACUUM INTO $1").bind(path).execute(from).await;
    made.map_err(|error| match StoreError::from(error) {
        StoreError::Unavailable(source) => {
            StoreError::Unusable(format!("the copy {} cannot be written: {source}", to.display()))
        }
        StoreError::Full(_) => StoreError::Full(format!("the copy {}", to.display())),
        other => other,
    })?;
    file.sync_all().map_err(|error| unusable(to, &error))?;

    // Not read-only: SQLite then leaves the CHECK constraints unread, and would not look at them.
    let mut copy = plainly(part).connect().await?;
    let wrong = faults(&mut copy).await?;
    if let Some(first) = wrong.first() {
        return Err(StoreError::Unusable(format!(
            "the copy was found damaged and is not kept: {first}; `firstpass state check` looks at the state itself"
        )));
    }
    let copied = Copied {
        bytes: file.metadata().map_err(|error| unusable(to, &error))?.len(),
        hires: sqlx::query_scalar("SELECT count(*) FROM hire").fetch_one(&mut copy).await?,
        events: sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut copy).await?,
        version: sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut copy).await?,
    };
    copy.close().await?;
    Ok(copied)
}

/// Gives the copy its name, on the disk too.
fn publish(part: &Path, to: &Path, folder: &Path) -> Result<(), StoreError> {
    let named = std::fs::rename(part, to).and_then(|()| File::open(folder)?.sync_all());
    named.map_err(|error| unusable(to, &error))
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).display();
    let fix = match error.kind() {
        ErrorKind::NotFound => format!("; make its folder: install -d -m 0700 {folder}"),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("; {folder} must be writable for this user, or name another folder")
        }
        _ => String::new(),
    };
    StoreError::Unusable(format!("the copy {} cannot be written: {error}{fix}", path.display()))
}
