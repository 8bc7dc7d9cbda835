//! Opening the state.

use super::{Store, StoreError};

/// How the state is opened.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// Group of the reviewers: the file becomes 0640 for it, else it is 0600.
    pub group: Option<String>,
}

/// Held by the one `run` that serves this state; let go when dropped or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: Option<std::fs::File>,
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`; creates and migrates what is missing.
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn open(_url: &str, _open: &Open) -> Result<Self, StoreError> {
        Err(StoreError::Unusable("being written".to_owned()))
    }

    /// Taken by `run` alone.
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn lock(&self) -> Result<Lock, StoreError> {
        Err(StoreError::Unusable("being written".to_owned()))
    }
}
