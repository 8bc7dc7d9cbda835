//! How a command ends: the exit statuses of contract 2, and the one place that prints errors.

use std::io::{self, Write};
use std::process::ExitCode;

use super::out::escape;
use crate::config::SettingsError;
pub use crate::rules::words::chain;
use crate::store::{OperateError, StoreError};

/// A command that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// 0.
    Done,
    /// 1: something needs a person, and the output said what.
    NeedsAPerson,
    /// 78: the settings cannot be used, and the output said why.
    Unusable,
}

/// A command that could not do its work. Texts say what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// 1.
    #[error("{0}")]
    Failed(String),
    /// 2: wrong usage that the argument parser cannot see.
    #[error("{0}")]
    Usage(String),
    /// 78: settings unusable.
    #[error("{0}")]
    Settings(String),
    /// The reader of our output went away: no more to say, and nothing to complain about.
    #[error("the reader of the output went away")]
    NobodyReads,
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// `EX_CONFIG` of sysexits.h; systemd's `RestartPreventExitStatus=78` counts on it.
const SETTINGS: u8 = 78;

/// Prints what went wrong, and the status for it.
pub(super) fn exit(ended: Result<End, Trouble>) -> ExitCode {
    let trouble = match ended {
        Ok(End::Done) => return ExitCode::SUCCESS,
        Ok(End::NeedsAPerson) => return ExitCode::from(FAILED),
        Ok(End::Unusable) => return ExitCode::from(SETTINGS),
        Err(trouble) => trouble,
    };
    let (text, status) = match &trouble {
        Trouble::Failed(text) => (text, FAILED),
        Trouble::Usage(text) => (text, USAGE),
        Trouble::Settings(text) => (text, SETTINGS),
        Trouble::NobodyReads => return ExitCode::SUCCESS,
    };
    let mut stderr = io::stderr().lock();
    for line in text.lines() {
        // Nobody is left to be told of a stderr that is closed.
        let _ = writeln!(stderr, "firstpass: {}", escape(line));
    }
    ExitCode::from(status)
}

impl From<io::Error> for Trouble {
    /// Of our own output; other files are named where they are opened.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Failed(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<SettingsError> for Trouble {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error.to_string())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<OperateError> for Trouble {
    fn from(error: OperateError) -> Self {
        Self::Failed(chain(&error))
    }
}
