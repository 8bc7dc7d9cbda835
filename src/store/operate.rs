//! What admins do to a hire: each act with its reason and the operator.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{HireRow, Store, StoreError};
use crate::rules::hire::State;

/// How an admin names a hire: `E1`, or `contoso/E1` where two tenants share the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText(pub String);

/// An act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operate {
    /// Nothing is sent until released.
    Hold,
    /// Ends a hold.
    Release,
    /// No pass; a live one is deleted and the manager told.
    Cancel,
    /// A new window of `late_until` from now, valid at once, all checks again.
    Retry {
        /// `schedule.late_until` of the tenant.
        late_until: Duration,
    },
}

/// What the act did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operated {
    /// The hire before.
    pub before: HireRow,
    /// Its state behind the act; the same while a worker has it in hand or a pass is out.
    pub state: State,
    /// `false`: the hire was so already, nothing was written.
    pub changed: bool,
}

/// Why an act cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// Nobody has this key.
    #[error("no hire has the key {0:?}; `firstpass hire list` shows them")]
    Unknown(String),
    /// More than one tenant has this employee id.
    #[error("more than one hire has the employee id {key:?}: name one of {}", .keys.join(", "))]
    Ambiguous {
        /// As asked.
        key: String,
        /// `tenant/employee-id` of each.
        keys: Vec<String>,
    },
    /// The hire is not in a state for this act.
    #[error("{0}")]
    NotNow(String),
    /// The state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[expect(clippy::unused_async, reason = "being written")]
impl Store {
    /// Does one act on the newest engagement of a hire. `dry_run` writes nothing.
    pub async fn operate(
        &self,
        _now: DateTime<Utc>,
        key: &KeyText,
        _act: Operate,
        _reason: &str,
        _by: &str,
        _dry_run: bool,
    ) -> Result<Operated, OperateError> {
        Err(OperateError::Unknown(key.0.clone()))
    }

    /// The newest engagement that the key names.
    pub async fn find_hire(&self, key: &KeyText) -> Result<HireRow, OperateError> {
        Err(OperateError::Unknown(key.0.clone()))
    }
}
