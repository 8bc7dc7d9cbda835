//! Files that hold one secret each (contract 3): where they are looked for, and who else may read them.
//!
//! A secret is read when it is needed and handed out as a type that cannot be printed; a message
//! names the key and the file, never what is in it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Larger files are no secrets: a private key with its certificates is a tenth of this.
const LARGEST: u64 = 64 * 1024;
/// Container platforms mount secrets here.
const MOUNTED: &str = "/run/secrets";

/// A file that holds one secret; nothing is read before [`SecretFile::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    key: String,
    /// In the order in which they are tried.
    places: Vec<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`.
    credentials: Option<PathBuf>,
}

/// One state of a file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of contents or attributes.
    changed: (i64, i64),
}

/// Why a secret is not to be had. Texts name the key and the file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such file.
    #[error("{key}: there is no file {}", join(.places))]
    Missing {
        /// The setting.
        key: String,
        /// Every place that was tried.
        places: Vec<PathBuf>,
    },
    /// Others than this process may read or change it.
    #[error("{key}: {} is {who} (mode {mode:04o}); run: chmod {remedy} {}", .file.display(), .file.display())]
    Open {
        /// The setting.
        key: String,
        /// The file.
        file: PathBuf,
        /// `readable by everybody`.
        who: &'static str,
        /// Permission bits.
        mode: u32,
        /// Argument of chmod.
        remedy: &'static str,
    },
    /// Empty, too large, no file, no text.
    #[error("{key}: {} {what}", .file.display())]
    Unfit {
        /// The setting.
        key: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The system refused.
    #[error("{key}: {} cannot be read", .file.display())]
    Unreadable {
        /// The setting.
        key: String,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn join(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", nor ")
}

impl SecretFile {
    /// A bare name is looked for in `$CREDENTIALS_DIRECTORY`, `/run/secrets` and the folder of the
    /// settings; other relative paths are meant from that folder. `key` is for messages.
    pub fn new(key: &str, written: &str, credentials: Option<&Path>, folder: &Path) -> Self {
        let mut places = Vec::new();
        if !written.contains('/') {
            places.extend(credentials.map(|credentials| credentials.join(written)));
            places.push(Path::new(MOUNTED).join(written));
        }
        // Collecting the parts takes out "./", which reads badly in messages.
        places.push(folder.join(written).components().collect());
        Self { key: key.to_owned(), places, credentials: credentials.map(Path::to_owned) }
    }

    /// What tells this file from one that was put in its place, or changed in place: `None` when
    /// there is none. The contents are not looked at.
    pub fn mark(&self) -> Option<Mark> {
        let metadata = std::fs::metadata(self.place()).ok()?;
        Some(Mark {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// The first place where there is something, else the last; for messages.
    pub fn place(&self) -> &Path {
        let there = self.places.iter().find(|place| place.exists());
        there.or(self.places.last()).map_or(Path::new(""), PathBuf::as_path)
    }

    /// The setting that names this file.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret, without the newline at its end.
    ///
    /// # Errors
    /// [`SecretError`]; the tenant or mail that needs it stops until it is mended.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let (path, file) = self.open()?;
        let unreadable = |source| SecretError::Unreadable { key: self.key.clone(), file: path.clone(), source };
        let unfit = |what| SecretError::Unfit { key: self.key.clone(), file: path.clone(), what };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(unfit("is no regular file"));
        }
        if !self.taken_as_mounted(&path, &file) {
            self.private(&path, metadata.mode() & 0o7777, metadata.gid())?;
        }
        // Room for the largest from the start: a growing buffer would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(LARGEST).unwrap_or_default() + 1));
        (&file).take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
            return Err(unfit("is larger than 64 KiB, so it is no secret"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| unfit("is no UTF-8 text"))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(unfit("is empty; put the secret into it")),
            secret => Ok(SecretString::from(secret)),
        }
    }

    /// The first place that exists. Never waits for a FIFO.
    fn open(&self) -> Result<(PathBuf, File), SecretError> {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
        for place in &self.places {
            let custom = i32::try_from(flags.bits()).unwrap_or_default();
            match File::options().read(true).custom_flags(custom).open(place) {
                Ok(file) => return Ok((place.clone(), file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(SecretError::Unreadable { key: self.key.clone(), file: place.clone(), source });
                }
            }
        }
        Err(SecretError::Missing { key: self.key.clone(), places: self.places.clone() })
    }

    /// Whoever mounted it decides who may read it: systemd, a container platform, a read-only
    /// mount, or a projected token (a link into `..data`).
    fn taken_as_mounted(&self, path: &Path, file: &File) -> bool {
        let projected = || {
            std::fs::read_link(path)
                .is_ok_and(|target| target.components().next().is_some_and(|first| first.as_os_str() == "..data"))
        };
        let read_only =
            || rustix::fs::fstatvfs(file).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
        let straight = !path.components().any(|part| part == Component::ParentDir);
        let below = |folder: &Path| straight && path.starts_with(folder);
        self.credentials.as_deref().is_some_and(below) || below(Path::new(MOUNTED)) || projected() || read_only()
    }

    fn private(&self, path: &Path, mode: u32, group: u32) -> Result<(), SecretError> {
        let (who, remedy) = if mode & 0o002 != 0 {
            ("writable by everybody", "o-rwx")
        } else if mode & 0o004 != 0 {
            ("readable by everybody", "o-rwx")
        } else if mode & 0o040 != 0 && !in_group(group) {
            ("readable by a group that this process is not in", "g-rwx")
        } else {
            return Ok(());
        };
        Err(SecretError::Open { key: self.key.clone(), file: path.to_owned(), who, mode, remedy })
    }
}

fn in_group(group: u32) -> bool {
    rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|ours| ours.as_raw() == group))
}
