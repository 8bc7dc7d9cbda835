//! The small file while it is served: looked at every second, used when it is right.
//!
//! A version that is wrong is told once, with its place, and the one of before goes on.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::home::read;
use crate::sandbox::mailbox::ModelMailServer;
use crate::sandbox::serve::changes::changes;
use crate::sandbox::serve::faults::{GraphFault, MailFault};
use crate::sandbox::serve::stage::{set_faults, stage};
use crate::sandbox::serve::{BadFile, TenantFile};
use crate::sandbox::tenant::ModelTenant;

/// The file, and what is in use of it.
pub struct Watched {
    path: PathBuf,
    /// How the file looked when it was read last.
    look: Option<Look>,
    text: String,
    file: TenantFile,
}

type Look = (i64, i64, u64, u64);

fn look(path: &Path) -> Option<Look> {
    let found = path.metadata().ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error("{}:{bad}", path.display())]
    Bad {
        /// Which file.
        path: PathBuf,
        /// What, and where.
        bad: BadFile,
    },
}

impl Watched {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let look = look(path);
        let (text, file) = usable(path)?;
        Ok(Self { path: path.to_owned(), look, text, file })
    }

    /// What is in use.
    pub fn file(&self) -> &TenantFile {
        &self.file
    }

    /// Puts everything in place; `more` faults are of the command line.
    pub fn set(&self, tenant: &ModelTenant, mail: &ModelMailServer, more: &(Vec<GraphFault>, Vec<MailFault>)) {
        stage(&self.file, tenant, mail);
        let graph = [self.file.graph.faults.as_slice(), &more.0].concat();
        let letters = [self.file.mail.faults.as_slice(), &more.1].concat();
        set_faults(&graph, &letters, tenant, mail);
    }

    /// Looks at it again; a sentence when it changed.
    pub fn again(&mut self, tenant: &ModelTenant, mail: &ModelMailServer) -> Option<String> {
        let now = look(&self.path);
        if now == self.look {
            return None;
        }
        self.look = now;
        let (text, file) = match usable(&self.path) {
            Ok(read) => read,
            Err(unusable) => return Some(format!("{unusable}; what was said before goes on")),
        };
        let told = self.path.display().to_string();
        let (faults, n_faults) = (file.graph.faults.len() + file.mail.faults.len(), "all faults are set anew");
        let saved_as_it_was = text == self.text;
        let others = file.graph.faults != self.file.graph.faults || file.mail.faults != self.file.mail.faults;
        let mut parts = changes(&self.file, &file);
        (self.text, self.file) = (text, file);
        stage(&self.file, tenant, mail);
        if others || saved_as_it_was {
            set_faults(&self.file.graph.faults, &self.file.mail.faults, tenant, mail);
            parts.extend((faults > 0).then(|| format!("{n_faults} ({faults})")));
        }
        if parts.is_empty() {
            parts.push("says the same as before".to_owned());
        }
        Some(format!("{told} is read again: {}", parts.join("; ")))
    }
}

fn usable(path: &Path) -> Result<(String, TenantFile), Unusable> {
    let text = read(path).map_err(|source| Unusable::Io { path: path.to_owned(), source })?;
    match TenantFile::parse(&text) {
        Ok(file) => Ok((text, file)),
        Err(bad) => Err(Unusable::Bad { path: path.to_owned(), bad }),
    }
}
