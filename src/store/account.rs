//! Whose passes an account has. Two rows of a feed may name one account (F69), in unlike words; two
//! live passes for it must never be (I4), and Graph would let the second end the first without a word.
//!
//! So an intent is written only while no other hire's pass of the account can be alive. On SQLite one
//! connection writes; on PostgreSQL intents for one account wait for each other.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::engine::{Sql, on_reader, sql};
use super::raw::{instant, ms};
use super::{Store, StoreError};
use crate::rules::guard::{OtherPass, OurPasses};
use crate::rules::hire::{HireKey, PassState};

/// Pass row `p` is unsettled, or was mailed, and its life is not over at `$now`. Ten minutes more where
/// its end is not known: by then a lost answer is settled (design 4).
macro_rules! may_live {
    ($now:literal) => {
        concat!(
            "p.state IN ('intended', 'issued', 'mailing', 'mailed', 'condemned')
               AND coalesce(p.valid_until, coalesce(p.start_at, p.made_at) + p.lifetime_min * 60000 + 600000) > ",
            $now
        )
    };
}
pub(super) use may_live;

/// Held until the transaction ends. The first number is ours (`application_id`), the second the account's;
/// two accounts with one number only wait for each other.
pub(super) const ONE_AT_A_TIME: Sql = sql!(
    sqlite: "SELECT $1",
    postgres: "SELECT pg_advisory_xact_lock(1718641011, hashtext($1))"
);
const OUR_GRAPH_IDS: Sql = sql!("SELECT graph_id FROM pass WHERE user_id = $1 AND graph_id IS NOT NULL ORDER BY id");
const OF_ANOTHER: Sql = sql!(concat!(
    "SELECT h.tenant, h.employee_id, p.state, p.graph_id, p.valid_until
     FROM pass p JOIN hire h ON h.id = p.hire_id
     WHERE p.user_id = $1 AND p.hire_id <> $2 AND ",
    may_live!("$3"),
    " ORDER BY p.id DESC LIMIT 1"
));

#[derive(sqlx::FromRow)]
struct RawOther {
    tenant: String,
    employee_id: String,
    state: String,
    graph_id: Option<String>,
    valid_until: Option<i64>,
}

impl Store {
    /// Graph ids of every pass of ours, ever, for this account.
    pub async fn our_graph_ids(&self, user: Uuid) -> Result<Vec<String>, StoreError> {
        Ok(on_reader!(self, |db, text| sqlx::query_scalar(text(OUR_GRAPH_IDS))
            .bind(user.to_string())
            .fetch_all(db)
            .await)?)
    }

    /// Our passes of this account, seen from the hire `hire_id`.
    pub async fn our_passes(&self, now: DateTime<Utc>, user: Uuid, hire_id: i64) -> Result<OurPasses, StoreError> {
        // In this order: a pass whose id is not on record yet still has a row that is unsettled.
        let other = self.pass_of_another(now, user, hire_id).await?;
        Ok(OurPasses { ids: self.our_graph_ids(user).await?, other })
    }

    /// The newest pass of this account that another hire than `hire_id` has, when it is unsettled or live.
    pub async fn pass_of_another(
        &self,
        now: DateTime<Utc>,
        user: Uuid,
        hire_id: i64,
    ) -> Result<Option<OtherPass>, StoreError> {
        let found: Option<RawOther> = on_reader!(self, |db, text| sqlx::query_as(text(OF_ANOTHER))
            .bind(user.to_string())
            .bind(hire_id)
            .bind(ms(now))
            .fetch_optional(db)
            .await)?;
        let Some(other) = found else { return Ok(None) };
        let state: PassState = other.state.parse().map_err(|_| {
            StoreError::Corrupt(format!("a pass row has the state {:?}; restore a backup", other.state))
        })?;
        Ok(Some(OtherPass {
            hire: HireKey { tenant: other.tenant, employee_id: other.employee_id },
            state,
            graph_id: other.graph_id,
            until: other.valid_until.map(|until| instant("pass", "valid_until", until)).transpose()?,
        }))
    }
}
