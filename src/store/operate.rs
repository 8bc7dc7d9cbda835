//! What admins do to a hire: each act with its reason and the operator.
//!
//! An act writes what is wanted and revision + 1, and makes the hire due now. Only when nobody has
//! it in hand and no pass is out does the state change at once; else the worker brings it about.
//! It never touches a pass row.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::{Sql, in_transaction, on_reader, sql};
use super::raw::{RawHire, hire_columns, maybe_ms, ms};
use super::{HireRow, Store, StoreError};
use crate::rules::hire::{FeedStatus, OperatorStatus, State};

/// Longer reasons are cut: an event is a line, not a page.
const REASON_MAX: usize = 500;

/// How an admin names a hire: `E1`, or `contoso/E1` where two tenants share the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText(pub String);

impl KeyText {
    /// The two ways to read it: an employee id that may hold a slash, or tenant and employee id.
    pub(super) fn readings(&self) -> (&str, &str, &str) {
        let (tenant, employee_id) = self.0.split_once('/').unwrap_or_default();
        (&self.0, tenant, employee_id)
    }
}

/// An act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operate {
    /// Nothing is sent until released.
    Hold,
    /// Ends a hold, or takes an admin's cancel back.
    Release,
    /// No pass; a live one is deleted and the manager told.
    Cancel,
    /// A new window of `late_until` from now, valid at once, all checks again. Before the send
    /// instant: only a look now.
    Retry {
        /// `schedule.late_until` of the tenant.
        late_until: Duration,
    },
}

impl Operate {
    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Retry { .. } => "retry",
        }
    }
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
    /// A pass is out whose life is not over, or may be.
    pub pass_live: bool,
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

impl From<sqlx::Error> for OperateError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

const FIND: Sql = sql!(concat!(
    "SELECT ",
    hire_columns!(),
    " FROM hire WHERE current = 1 AND (employee_id = $1 OR (tenant = $2 AND employee_id = $3)) ORDER BY tenant, id LIMIT 20"
));
const FIND_LOCKED: Sql = sql!(
    sqlite: concat!("SELECT ", hire_columns!(), " FROM hire WHERE id = $1"),
    postgres: concat!("SELECT ", hire_columns!(), " FROM hire WHERE id = $1 FOR UPDATE")
);
/// How many hold the state back: a worker whose lease runs, or a pass that is out. Then how many of the passes live.
const IN_HAND: Sql = sql!(
    "SELECT (SELECT count(*) FROM hire WHERE id = $1 AND claim_token IS NOT NULL AND lease_until > $2)
          + (SELECT count(*) FROM pass WHERE hire_id = $1 AND state NOT IN ('gone', 'over')),
            (SELECT count(*) FROM pass WHERE hire_id = $1 AND state NOT IN ('gone', 'over')
               AND (valid_until IS NULL OR valid_until > $2))"
);
const OPERATE: Sql = sql!(
    "UPDATE hire SET operator_status = $2, state = $3, revision = revision + 1, look_at = $4, changed = $4,
       reason = NULL, what_to_do = '', claims = 0, window_from = $5, window_until = $6, tries = $7
     WHERE id = $1 AND revision = $8"
);
const OPERATE_EVENT: Sql =
    sql!("INSERT INTO event (at, tenant, hire_id, what, why, by_whom) VALUES ($1, $2, $3, $4, $5, $6)");

impl Store {
    /// Does one act on the newest engagement of a hire. `dry_run` says what it would do and writes
    /// nothing.
    pub async fn operate(
        &self,
        now: DateTime<Utc>,
        key: &KeyText,
        act: Operate,
        reason: &str,
        by: &str,
        dry_run: bool,
    ) -> Result<Operated, OperateError> {
        let id = self.find_hire(key).await?.id;
        let operated = in_transaction!(self, |tx, text| {
            let hire: RawHire = sqlx::query_as(text(FIND_LOCKED)).bind(id).fetch_one(&mut *tx).await?;
            let hire: HireRow = hire.try_into()?;
            let (in_hand, live): (i64, i64) =
                sqlx::query_as(text(IN_HAND)).bind(id).bind(ms(now)).fetch_one(&mut *tx).await?;
            let pass_live = live > 0;
            let wanted = wanted(&hire, act, in_hand, now)?;
            let changed = wanted != unchanged(&hire) || matches!(act, Operate::Retry { .. });
            let state = if in_hand == 0 && changed { wanted.state } else { hire.state };
            if dry_run || !changed {
                return Ok(Operated { before: hire, state, changed, pass_live });
            }
            sqlx::query(text(OPERATE))
                .bind(id)
                .bind(wanted.operator_status.as_str())
                .bind(state.as_str())
                .bind(ms(now))
                .bind(maybe_ms(wanted.window_from))
                .bind(maybe_ms(wanted.window_until))
                .bind(wanted.tries)
                .bind(hire.revision)
                .execute(&mut *tx)
                .await?;
            sqlx::query(text(OPERATE_EVENT))
                .bind(ms(now))
                .bind(&hire.tenant)
                .bind(id)
                .bind(act.as_str())
                .bind(one_line(reason))
                .bind(one_line(by))
                .execute(&mut *tx)
                .await?;
            Operated { before: hire, state, changed, pass_live }
        });
        Ok(operated)
    }

    /// The newest engagement that the key names.
    pub async fn find_hire(&self, key: &KeyText) -> Result<HireRow, OperateError> {
        let (whole, tenant, employee_id) = key.readings();
        let found: Vec<RawHire> = on_reader!(self, |db, text| sqlx::query_as(text(FIND))
            .bind(whole)
            .bind(tenant)
            .bind(employee_id)
            .fetch_all(db)
            .await)?;
        let mut found = found.into_iter().map(HireRow::try_from).collect::<Result<Vec<_>, _>>()?;
        // Tenant and employee id name one hire, whatever other employee ids look like.
        if let Some(exact) = found.iter().position(|hire| hire.tenant == tenant && hire.employee_id == employee_id) {
            return Ok(found.swap_remove(exact));
        }
        match found.pop() {
            None => Err(OperateError::Unknown(key.0.clone())),
            Some(hire) if found.is_empty() => Ok(hire),
            Some(last) => {
                let mut keys: Vec<String> =
                    found.iter().map(|hire| format!("{}/{}", hire.tenant, hire.employee_id)).collect();
                keys.push(format!("{}/{}", last.tenant, last.employee_id));
                Err(OperateError::Ambiguous { key: key.0.clone(), keys })
            }
        }
    }
}

/// The columns that an act may change.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    operator_status: OperatorStatus,
    state: State,
    window_from: Option<DateTime<Utc>>,
    window_until: Option<DateTime<Utc>>,
    tries: i64,
}

fn unchanged(hire: &HireRow) -> Wanted {
    Wanted {
        operator_status: hire.operator_status,
        state: hire.state,
        window_from: hire.window_from,
        window_until: hire.window_until,
        tries: hire.tries,
    }
}

/// What the act wants of this hire, or why it cannot be done.
fn wanted(hire: &HireRow, act: Operate, in_hand: i64, now: DateTime<Utc>) -> Result<Wanted, OperateError> {
    let as_is = unchanged(hire);
    let key = format!("{}/{}", hire.tenant, hire.employee_id);
    let not_now = |why: &str| Err(OperateError::NotNow(format!("{key} {why}")));
    match act {
        Operate::Hold => match (hire.operator_status, hire.state) {
            (OperatorStatus::Held, _) => Ok(as_is),
            (OperatorStatus::Cancelled, _) => not_now("is cancelled; `firstpass hire release` brings it back"),
            (OperatorStatus::None, State::Cancelled) => {
                not_now("is withdrawn by the feed; an active row brings it back")
            }
            (OperatorStatus::None, State::Delivered) => {
                not_now("has its letter already; `firstpass hire cancel` deletes the pass")
            }
            (OperatorStatus::None, _) => {
                Ok(Wanted { operator_status: OperatorStatus::Held, state: State::Held, ..as_is })
            }
        },
        Operate::Release => match hire.operator_status {
            OperatorStatus::None => Ok(as_is),
            OperatorStatus::Held | OperatorStatus::Cancelled => {
                let state = match hire.feed_status {
                    FeedStatus::Active | FeedStatus::Vanished => State::Pending,
                    FeedStatus::Withdrawn => State::Cancelled,
                };
                Ok(Wanted { operator_status: OperatorStatus::None, state, ..as_is })
            }
        },
        Operate::Cancel if hire.state == State::Delivered && in_hand == 0 => {
            not_now("has its letter, and the pass is over; there is nothing to cancel")
        }
        Operate::Cancel => match hire.operator_status {
            OperatorStatus::Cancelled => Ok(as_is),
            OperatorStatus::None | OperatorStatus::Held => {
                Ok(Wanted { operator_status: OperatorStatus::Cancelled, state: State::Cancelled, ..as_is })
            }
        },
        Operate::Retry { late_until } => match (hire.operator_status, hire.state) {
            (OperatorStatus::Held, _) => not_now("is held; `firstpass hire release` first"),
            (OperatorStatus::Cancelled, _) => not_now("is cancelled; `firstpass hire release` brings it back"),
            (OperatorStatus::None, State::Cancelled) => {
                not_now("is withdrawn by the feed; an active row brings it back")
            }
            (OperatorStatus::None, State::Delivered) => not_now("has its letter already"),
            (OperatorStatus::None, _) => Ok(retried(hire, late_until, now)),
        },
    }
}

/// Never before the send instant: until then a retry is only a look.
fn retried(hire: &HireRow, late_until: Duration, now: DateTime<Utc>) -> Wanted {
    let again = Wanted { state: State::Pending, tries: 0, ..unchanged(hire) };
    if hire.send_at.is_none_or(|send_at| send_at > now) {
        return again;
    }
    let until = TimeDelta::from_std(late_until).ok().and_then(|late_until| now.checked_add_signed(late_until));
    Wanted { window_from: Some(now), window_until: until, ..again }
}

/// An operator's words on one line: no control characters, bounded.
fn one_line(text: &str) -> String {
    text.chars().take(REASON_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
