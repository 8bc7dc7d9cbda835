//! Where the state file lies: its folder, its file system, its owner and mode, and the lock of `run`.
//!
//! The file is made here, closed to others, before SQLite opens it: SQLite then gives `-wal` and
//! `-shm` the same mode. Nothing here opens an existing state file: closing it would drop the locks
//! that SQLite holds on it (POSIX locks belong to the process).

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::FsWord;

use super::{Store, StoreError};

/// File systems on which SQLite's locks or shared memory do not hold (statfs(2)); FUSE may be one.
const NETWORK: [(FsWord, &str); 13] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x5346_414F, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
];

/// The file, and to whom it is open.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    folder: PathBuf,
    group: Option<u32>,
}

impl Place {
    /// Looks at the folder, not at the file.
    pub(super) fn new(path: PathBuf, group: Option<&str>) -> Result<Self, StoreError> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(StoreError::Unusable(format!(
                "the folder {} of state.url does not exist; make it: mkdir -p -m 0700 {0}",
                folder.display()
            )));
        }
        let file_system = rustix::fs::statfs(&folder).map_err(|error| unusable(&folder, "looked at", &error.into()))?;
        refuse_network(file_system.f_type, &path)?;
        let group = group.map(group_id).transpose()?;
        Ok(Self { path, folder, group })
    }

    /// Held while the tables are made; let go when dropped.
    pub(super) async fn hold_folder(&self) -> Result<File, StoreError> {
        let folder = self.folder.clone();
        let held = tokio::task::spawn_blocking(move || {
            let held = File::open(&folder)?;
            held.lock()?;
            Ok(held)
        });
        let held = held.await.unwrap_or_else(|join| Err(io::Error::other(join)));
        held.map_err(|error| unusable(&self.folder, "opened", &error))
    }

    /// Makes the file if there is none; whether there was something in it.
    pub(super) fn create(&self) -> Result<bool, StoreError> {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(&self.path, "made", &error)),
        }
        let found = std::fs::metadata(&self.path).map_err(|error| unusable(&self.path, "read", &error))?;
        if !found.is_file() {
            return Err(StoreError::Unusable(format!(
                "{} is no file; let state.url name another one",
                self.path.display()
            )));
        }
        let existed = found.len() > 0;
        if !existed {
            self.close_one(&self.path)?;
        }
        Ok(existed)
    }

    /// 0600, or 0640 for the reviewers' group: the file and what SQLite keeps beside it.
    pub(super) fn close_to_others(&self) -> Result<(), StoreError> {
        for end in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            let path = PathBuf::from(path);
            if path.exists() {
                self.close_one(&path)?;
            }
        }
        Ok(())
    }

    fn close_one(&self, path: &Path) -> Result<(), StoreError> {
        let mode = if self.group.is_some() { 0o640 } else { 0o600 };
        let found = std::fs::metadata(path).map_err(|error| unusable(path, "read", &error))?;
        if let Some(group) = self.group.filter(|group| *group != found.gid()) {
            chown(path, None, Some(group))
                .map_err(|error| unusable(path, "given to the group of state.group", &error))?;
        }
        if found.mode() & 0o777 != mode {
            std::fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(|error| unusable(path, "closed to others", &error))?;
        }
        Ok(())
    }
}

/// Held by the one `run` that serves this state; let go when dropped or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: Option<File>,
}

impl Store {
    /// Taken by `run` alone; other commands write beside it. PostgreSQL serves several workers:
    /// there it is always granted.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that has it.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        match self {
            Self::Postgres(_) => Ok(Lock { _file: None }),
            Self::Sqlite { path, .. } => lock_beside(path),
        }
    }
}

impl Store {
    /// Whether a `run` serves this state now. PostgreSQL is shared by several: always.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the lock cannot be looked at.
    pub fn is_served(&self) -> Result<bool, StoreError> {
        let Self::Sqlite { path, .. } = self else { return Ok(true) };
        let beside = lock_of(path);
        let file = match File::open(&beside) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unusable(&beside, "opened", &error)),
        };
        // Shared, and let go at once: two who ask do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(unusable(&beside, "looked at", &error)),
        }
    }
}

/// The lock of a state, which need not be open.
pub(super) fn lock_beside(state: &Path) -> Result<Lock, StoreError> {
    take_lock(&lock_of(state), state)
}

fn lock_of(state: &Path) -> PathBuf {
    let mut beside = state.to_owned().into_os_string();
    beside.push(".lock");
    PathBuf::from(beside)
}

/// Who has the lock, as `process 4711`; nobody when there is none or it cannot be looked at.
pub(super) fn holder(state: &Path) -> Option<String> {
    let file = File::open(lock_of(state)).ok()?;
    // Let go at once: the file is closed here.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| named_in(file))
}

fn named_in(file: File) -> String {
    let mut holder = String::new();
    let named = file.take(20).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    if named { format!("process {}", holder.trim()) } else { "another process".to_owned() }
}

fn take_lock(beside: &Path, state: &Path) -> Result<Lock, StoreError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(beside);
    let mut file = opened.map_err(|error| unusable(beside, "opened", &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = named_in(file);
            return Err(StoreError::Locked(format!(
                "another `firstpass run` ({holder}) serves the state {}; stop it first, or give this one a state.url of its own",
                state.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(beside, "locked", &error)),
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| unusable(beside, "written", &error))?;
    Ok(Lock { _file: Some(file) })
}

fn refuse_network(kind: FsWord, path: &Path) -> Result<(), StoreError> {
    match NETWORK.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(StoreError::Unusable(format!(
            "{} lies on a network file system ({name}), where SQLite's locks do not hold; put the state on a local disk, or use PostgreSQL",
            path.display()
        ))),
    }
}

/// The number of a group, by number or by name.
fn group_id(name: &str) -> Result<u32, StoreError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups =
        std::fs::read_to_string("/etc/group").map_err(|error| unusable(Path::new("/etc/group"), "read", &error))?;
    let found = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let matches = fields.next() == Some(name);
        fields.nth(1).filter(|_| matches).and_then(|number| number.parse().ok())
    });
    found.ok_or_else(|| {
        StoreError::Unusable(format!(
            "the group {name:?} of state.group is not in /etc/group; make it (groupadd --system {name}), or give its number"
        ))
    })
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!("{} cannot be {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_by_name() {
        let refused = refuse_network(0x6969, Path::new("/mnt/share/state.db")).unwrap_err().to_string();
        assert_eq!(
            refused,
            "/mnt/share/state.db lies on a network file system (NFS), where SQLite's locks do not hold; \
             put the state on a local disk, or use PostgreSQL"
        );
        assert!(refuse_network(0xEF53, Path::new("/x")).is_ok(), "ext4");
        assert!(refuse_network(0x0102_1994, Path::new("/x")).is_ok(), "tmpfs");
    }

    #[test]
    fn groups_are_known_by_name_and_number() {
        assert_eq!(group_id("root").unwrap(), 0);
        assert_eq!(group_id("4711").unwrap(), 4711);
        assert!(group_id("no-such-group-here").unwrap_err().to_string().contains("groupadd"));
    }
}
