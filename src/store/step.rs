//! What every step of a pass row has in common: hold the hire under its claim, move the row, write
//! the event; in one transaction, so that a crash leaves the step before or the step after.
//!
//! Macros, because each engine has types of its own. The life of a row stands in `passes`, its ends in
//! `endings`.

use super::engine::{Sql, sql};

/// Holds the hire for the length of a transaction: no row = the claim is not ours any more.
/// $3 is an instant that the lease must outlive, or [`EVEN_LATE`].
pub(super) const OURS: Sql = sql!(
    sqlite: "SELECT revision FROM hire WHERE id = $1 AND claim_token = $2 AND lease_until > $3",
    postgres: "SELECT revision FROM hire WHERE id = $1 AND claim_token = $2 AND lease_until > $3 FOR UPDATE"
);
/// For what has happened already: it is recorded as long as nobody else took the hire over.
pub(super) const EVEN_LATE: i64 = i64::MIN;
/// What a reviewer sees of the hire's pass is another: `changed_utc` moves with it.
pub(super) const CHANGED: Sql = sql!("UPDATE hire SET changed = $2 WHERE id = $1");

/// The hire's revision, held until the transaction ends; `None`: the claim is not ours any more.
macro_rules! held {
    (|$tx:ident, $text:ident| $claimed:expr, lease: $outlives:expr) => {{
        let revision: Option<i64> = sqlx::query_scalar($text($crate::store::step::OURS))
            .bind($claimed.hire.id)
            .bind($claimed.token.to_string())
            .bind($outlives)
            .fetch_optional(&mut *$tx)
            .await?;
        revision
    }};
}

/// Writes the event of a step.
macro_rules! tell {
    (|$tx:ident, $text:ident| $claimed:expr, $now:expr, what: $what:expr, why: $why:expr) => {
        sqlx::query($text($crate::store::claims::EVENT))
            .bind($crate::store::raw::ms($now))
            .bind(&$claimed.hire.tenant)
            .bind($claimed.hire.id)
            .bind($what)
            .bind($why)
            .execute(&mut *$tx)
            .await?
    };
}

/// One counted step of one pass row, with its event and the hire's time of change (neither when `what`
/// is empty), and what it means for the hire.
macro_rules! step {
    ($store:expr, $claimed:expr, $now:expr, lease: $outlives:expr, |$tx:ident, $text:ident| $update:expr,
     $(hire: $hire:expr,)? what: $what:expr, why: $why:expr) => {
        in_transaction!($store, |$tx, $text| {
            let revision = $crate::store::step::held!(|$tx, $text| $claimed, lease: $outlives);
            if revision.is_none() || $update.execute(&mut *$tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            $(if let Some(hire) = $hire {
                sqlx::query($text(hire)).bind($claimed.hire.id).execute(&mut *$tx).await?;
            })?
            if !$what.is_empty() {
                sqlx::query($text($crate::store::step::CHANGED))
                    .bind($claimed.hire.id)
                    .bind($crate::store::raw::ms($now))
                    .execute(&mut *$tx)
                    .await?;
                $crate::store::step::tell!(|$tx, $text| $claimed, $now, what: $what, why: $why);
            }
            true
        })
    };
}

pub(super) use {held, step, tell};
