//! The life of a pass row up to the accepted letter: `intended → issued → mailing → mailed`.
//!
//! Each step first holds the hire under its claim, then moves the pass row, then the hire, then
//! writes the event; all in one transaction, so that a crash leaves the step before or the step
//! after. The code is never an argument here. How a pass ends stands in `endings`; who may act, in
//! `claims`.

use chrono::{DateTime, SecondsFormat, Utc};

use super::account::{ONE_AT_A_TIME, may_live};
use super::engine::{Sql, in_transaction, on_reader, sql};
use super::raw::{instant, maybe_ms, ms};
use super::step::{EVEN_LATE, held, tell};
use super::{Claimed, Store, StoreError};
use crate::rules::attempt::{Cleared, Intended, IssuedPass};

/// Not while another hire's pass of this account may live (I4), whoever checked what before.
const INTEND: Sql = sql!(concat!(
    "INSERT INTO pass (hire_id, state, claim_token, user_id, start_at, lifetime_min, one_time, recipient,
                       manager_id, made_at, hire_revision)
     SELECT $1, 'intended', $2, $3, $4, $5, $6, $7, $8, $9, $10
     WHERE NOT EXISTS (SELECT 1 FROM pass p WHERE p.user_id = $3 AND p.hire_id <> $1 AND ",
    may_live!("$9"),
    ")
     ON CONFLICT (hire_id) WHERE state IN ('intended', 'issued', 'mailing', 'condemned') DO NOTHING
     RETURNING id"
));
const HIRE_ISSUING: Sql = sql!(
    "UPDATE hire SET state = 'issuing', reason = NULL, what_to_do = '', tries = tries + 1, user_upn = $2,
       manager_upn = $3, channel = $4, changed = $5 WHERE id = $1"
);
const ISSUED: Sql = sql!(
    "UPDATE pass SET state = 'issued', graph_id = $3, valid_from = $4, valid_until = $5, one_time = $6,
       lifetime_min = $7 WHERE id = $1 AND hire_id = $2 AND state = 'intended'"
);
const MAILING: Sql =
    sql!("UPDATE pass SET state = 'mailing', message_id = $3 WHERE id = $1 AND hire_id = $2 AND state = 'issued'");
const HIRE_SENDING: Sql = sql!("UPDATE hire SET state = 'sending', changed = $2 WHERE id = $1");
const MAILED: Sql = sql!(
    "UPDATE pass SET state = 'mailed', mailed_at = $3, looks = 0, look_at = $4
     WHERE id = $1 AND hire_id = $2 AND state = 'mailing'"
);
const HIRE_DELIVERED: Sql = sql!(
    "UPDATE hire SET state = 'delivered', reason = NULL, what_to_do = '', claims = 0, changed = $2,
       attention_since = NULL,
       look_at = CASE WHEN revision = $3
                       AND NOT EXISTS (SELECT 1 FROM pass o WHERE o.hire_id = hire.id AND o.owes = 1)
                      THEN $4 ELSE $2 END,
       claim_token = NULL, claim_worker = NULL, lease_until = NULL
     WHERE id = $1"
);
/// A newer letter to the same address says that the earlier code is worth nothing.
const TOLD_BY_NEWER: Sql = sql!(
    "UPDATE pass SET owes = 0 WHERE hire_id = $2 AND owes = 1 AND id <> $1
       AND recipient = (SELECT n.recipient FROM pass n WHERE n.id = $1)"
);
/// The commit of [`Store::delivered`] went through although its answer was lost.
const MAILED_BEFORE: Sql =
    sql!("SELECT id FROM pass WHERE id = $1 AND hire_id = $2 AND claim_token = $3 AND state = 'mailed'");
/// A letter that was handed over and used was taken, although nobody heard so.
const RECEIVED: Sql = sql!(
    "UPDATE pass SET state = 'over', outcome = 'used', graph_id = $3, owes = 0, look_at = NULL,
       mailed_at = CASE WHEN message_id <> '' THEN coalesce(mailed_at, $4) ELSE mailed_at END
     WHERE id = $1 AND hire_id = $2 AND state IN ('intended', 'issued', 'mailing', 'mailed', 'condemned')"
);
const HIRE_RECEIVED: Sql =
    sql!("UPDATE hire SET state = 'delivered', reason = NULL, what_to_do = '', changed = $2 WHERE id = $1");
const LETTERS: Sql = sql!(
    "SELECT mailed_at AS at FROM pass WHERE mailed_at > $1
     UNION ALL SELECT told_at FROM pass WHERE told_at > $1 ORDER BY 1"
);

impl Store {
    /// Writes the intent, before the POST: pass row `intended`, hire `issuing`, tries + 1.
    ///
    /// `None`: the claim is no longer ours, the revision moved, an older pass is unsettled, or another
    /// hire's pass of the same account is unsettled or live.
    /// Nothing was written then, and no POST may follow.
    pub async fn intend(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        cleared: Cleared,
    ) -> Result<Option<Intended>, StoreError> {
        let (ask, channel, token) = (cleared.ask(), cleared.channel(), claimed.token.to_string());
        let pass_id: i64 = in_transaction!(self, |tx, text| {
            let revision = held!(|tx, text| claimed, lease: ms(now));
            if revision != Some(claimed.hire.revision) {
                return Ok(None);
            }
            sqlx::query(text(ONE_AT_A_TIME)).bind(ask.user.to_string()).execute(&mut *tx).await?;
            let pass_id: Option<i64> = sqlx::query_scalar(text(INTEND))
                .bind(claimed.hire.id)
                .bind(&token)
                .bind(ask.user.to_string())
                .bind(maybe_ms(ask.start))
                .bind(ask.lifetime_min)
                .bind(i64::from(ask.one_time))
                .bind(channel.address.as_str())
                .bind(channel.manager_id.to_string())
                .bind(ms(now))
                .bind(claimed.hire.revision)
                .fetch_optional(&mut *tx)
                .await?;
            let Some(pass_id) = pass_id else { return Ok(None) };
            sqlx::query(text(HIRE_ISSUING))
                .bind(claimed.hire.id)
                .bind(&cleared.account().upn)
                .bind(&channel.manager_upn)
                .bind(channel.address.as_str())
                .bind(ms(now))
                .execute(&mut *tx)
                .await?;
            tell!(|tx, text| claimed, now, what: "intended", why: intent_sentence(pass_id, &cleared));
            pass_id
        });
        Ok(Some(Intended::new(pass_id, cleared, now)))
    }

    /// `intended → issued`, with what Graph answered. The hire's revision at this commit: if it
    /// moved, or nothing counted (`None`), the pass is never mailed.
    pub async fn issued(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass: &IssuedPass,
        lifetime_min: i64,
    ) -> Result<Option<i64>, StoreError> {
        let revision = in_transaction!(self, |tx, text| {
            let revision = held!(|tx, text| claimed, lease: ms(now));
            let Some(revision) = revision else { return Ok(None) };
            let moved = sqlx::query(text(ISSUED))
                .bind(pass.pass_id())
                .bind(claimed.hire.id)
                .bind(pass.graph_id())
                .bind(ms(pass.from()))
                .bind(ms(pass.until()))
                .bind(i64::from(pass.one_time()))
                .bind(lifetime_min)
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() != 1 {
                return Ok(None);
            }
            tell!(|tx, text| claimed, now, what: "issued", why: issued_sentence(pass));
            revision
        });
        Ok(Some(revision))
    }

    /// `issued → mailing`, hire `sending`, right before DATA. `false` also when the revision moved
    /// since the claim: then the letter must not go.
    pub async fn mailing(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        message_id: &str,
    ) -> Result<bool, StoreError> {
        let counted = in_transaction!(self, |tx, text| {
            let revision = held!(|tx, text| claimed, lease: ms(now));
            if revision != Some(claimed.hire.revision) {
                return Ok(false);
            }
            let moved = sqlx::query(text(MAILING))
                .bind(pass_id)
                .bind(claimed.hire.id)
                .bind(message_id)
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() != 1 {
                return Ok(false);
            }
            sqlx::query(text(HIRE_SENDING)).bind(claimed.hire.id).bind(ms(now)).execute(&mut *tx).await?;
            tell!(|tx, text| claimed, now, what: "mailing", why: format!("the letter about pass row {pass_id} is handed over as {message_id}"));
            true
        });
        Ok(counted)
    }

    /// `mailing → mailed`, hire `delivered`, claim ended; older passes owe the same recipient nothing.
    ///
    /// The letter is out: this counts as long as nobody else took the hire over, even when the lease
    /// is over, and can be repeated when the commit fails (also when it went through unseen). When
    /// the revision moved, or somebody else holds a letter about an earlier pass and must be told,
    /// the hire is due again now.
    pub async fn delivered(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        look_at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let (hire_id, token) = (claimed.hire.id, claimed.token.to_string());
        let counted = in_transaction!(self, |tx, text| {
            let revision = held!(|tx, text| claimed, lease: EVEN_LATE);
            if revision.is_none() {
                let before: Option<i64> = sqlx::query_scalar(text(MAILED_BEFORE))
                    .bind(pass_id)
                    .bind(hire_id)
                    .bind(&token)
                    .fetch_optional(&mut *tx)
                    .await?;
                return Ok(before.is_some());
            }
            let moved = sqlx::query(text(MAILED))
                .bind(pass_id)
                .bind(hire_id)
                .bind(ms(now))
                .bind(maybe_ms(look_at))
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() != 1 {
                return Ok(false);
            }
            sqlx::query(text(TOLD_BY_NEWER)).bind(pass_id).bind(hire_id).execute(&mut *tx).await?;
            sqlx::query(text(HIRE_DELIVERED))
                .bind(hire_id)
                .bind(ms(now))
                .bind(claimed.hire.revision)
                .bind(maybe_ms(look_at))
                .execute(&mut *tx)
                .await?;
            tell!(|tx, text| claimed, now, what: "delivered", why: format!("the mail server took the letter about pass row {pass_id}"));
            true
        });
        Ok(counted)
    }

    /// One of ours was used, so it was received: pass `over` with outcome `used`, hire `delivered`.
    /// The claim goes on.
    pub async fn received(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        pass_id: i64,
        graph_id: &str,
    ) -> Result<bool, StoreError> {
        let hire_id = claimed.hire.id;
        let counted = in_transaction!(self, |tx, text| {
            let revision = held!(|tx, text| claimed, lease: EVEN_LATE);
            if revision.is_none() {
                return Ok(false);
            }
            let moved = sqlx::query(text(RECEIVED))
                .bind(pass_id)
                .bind(hire_id)
                .bind(graph_id)
                .bind(ms(now))
                .execute(&mut *tx)
                .await?;
            if moved.rows_affected() != 1 {
                return Ok(false);
            }
            sqlx::query(text(HIRE_RECEIVED)).bind(hire_id).bind(ms(now)).execute(&mut *tx).await?;
            tell!(|tx, text| claimed, now, what: "used", why: format!("pass {graph_id} (row {pass_id}) was used, so its letter was received"));
            true
        });
        Ok(counted)
    }

    /// When letters went out after `since` (passes, and "the code is void"), ascending.
    pub async fn letters_since(&self, since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let sent: Vec<i64> =
            on_reader!(self, |db, text| sqlx::query_scalar(text(LETTERS)).bind(ms(since)).fetch_all(db).await)?;
        sent.into_iter().map(|at| instant("pass", "mailed_at", at)).collect()
    }
}

/// What is asked of Graph, in ids.
fn intent_sentence(pass_id: i64, cleared: &Cleared) -> String {
    let ask = cleared.ask();
    let start =
        ask.start.map_or_else(|| "usable at once".to_owned(), |start| format!("usable from {}", seconds(start)));
    let uses = if ask.one_time { "once" } else { "several times" };
    let ask = format!("pass row {pass_id} for account {}: {start}, {} minutes, {uses}", ask.user, ask.lifetime_min);
    with_notes(ask, cleared.notes().iter().chain(&cleared.channel().notes))
}

/// What Graph answered.
fn issued_sentence(pass: &IssuedPass) -> String {
    let answered = format!(
        "pass {} (row {}) can be used from {} until {}",
        pass.graph_id(),
        pass.pass_id(),
        seconds(pass.from()),
        seconds(pass.until())
    );
    with_notes(answered, pass.notes())
}

fn with_notes<'a>(mut sentence: String, notes: impl IntoIterator<Item = &'a String>) -> String {
    for note in notes {
        sentence.push_str("; ");
        sentence.push_str(note);
    }
    sentence
}

fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
