//! Notices to mailboxes and webhooks, each by itself: one that is down keeps no other waiting.
//!
//! Mail goes the way of the letters, over a connection of its own and at a pace of its own
//! ([`MAILS_PER_MINUTE`]): a notice takes no letter's place. While mail is stopped it waits; webhooks
//! go on. The same try again has the same Message-ID or webhook-id.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{Teller, Told, Work};
use crate::config::{Mail, Webhook};
use crate::mail::webhook::{self, HookFailure};
use crate::mail::{MailFailure, Receipt};
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;
use crate::rules::notice::{self as words, Notice, OLDEST, pause};
use crate::rules::pace;
use crate::store::{OutboxRow, StoreError};
use crate::work::post::{Lenders, Post};
use crate::work::{MAIL, lock};

/// Beside `mail.per_minute`, which is the letters' alone.
pub const MAILS_PER_MINUTE: u32 = 5;
/// Notices tried in one round for one target: what waits for one keeps no other waiting.
const MOST: i64 = 20;
/// Longer than any try takes; after a crash in the middle it goes again then.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// How one try ended.
enum Ended {
    Taken,
    /// Again, not before so long.
    Again(String, Option<Duration>),
    /// Never.
    Refused(String),
}

impl Teller {
    /// Tries what is due.
    pub(super) async fn send(&self, work: &Work, told: &mut Told) -> Result<(), StoreError> {
        let now = work.clock.now();
        let mut by_target: BTreeMap<String, Vec<OutboxRow>> = BTreeMap::new();
        for row in work.store.due_notices(now, MOST).await? {
            by_target.entry(row.target.clone()).or_default().push(row);
        }
        let (mails, hooks): (Vec<_>, Vec<_>) =
            by_target.into_iter().partition(|(target, _)| target.starts_with("mail/"));
        let end = Instant::now() + work.limits.notices;
        let to_hooks = join_all(hooks.iter().map(|(target, rows)| self.to_hook(work, target, rows, end)));
        let (hooked, mailed) = tokio::join!(to_hooks, self.to_mailboxes(work, &mails, end));
        for one in hooked.into_iter().chain(std::iter::once(mailed)) {
            let one = one?;
            told.taken += one.taken;
            told.left |= one.left;
            told.failed.extend(one.failed);
        }
        Ok(())
    }

    async fn to_hook(&self, work: &Work, target: &str, rows: &[OutboxRow], end: Instant) -> Result<Told, StoreError> {
        let mut told = Told::default();
        let name = target.trim_start_matches("webhook/");
        let known = self.audiences.iter().flat_map(|audience| &audience.hooks).find(|hook| hook.name == name);
        for row in rows {
            if Instant::now() >= end {
                told.left = true;
                break;
            }
            let Some((hook, notice)) = known.zip(read(row)) else {
                no_more(work, row).await?;
                continue;
            };
            if !work.store.claim_notice(row, work.clock.now() + LEASE).await? {
                continue;
            }
            let ended = match to_webhook(hook, work.clock.now(), &row.uid, &notice).await {
                Ok(_) => Ended::Taken,
                Err(HookFailure::Gone) => Ended::Refused(HookFailure::Gone.to_string()),
                Err(HookFailure::NotNow { why, wait }) => Ended::Again(why, wait),
                Err(HookFailure::Unusable(why)) => Ended::Again(why, None),
            };
            if !note(work, row, ended, &mut told).await? {
                return Ok(told); // the others would meet the same
            }
        }
        told.left |= is_full(rows);
        Ok(told)
    }

    async fn to_mailboxes(
        &self,
        work: &Work,
        mails: &[(String, Vec<OutboxRow>)],
        end: Instant,
    ) -> Result<Told, StoreError> {
        let mut told = Told::default();
        if mails.is_empty() {
            return Ok(told);
        }
        if mail_is_stopped(work).await? {
            for row in mails.iter().flat_map(|(_, rows)| rows).filter(|row| is_too_old(row, work.clock.now())) {
                too_old(work, row).await?; // others are kept from filling the state while mail is down
            }
            return Ok(told);
        }
        let clients: Lenders =
            work.tenants.iter().map(|(name, served)| (name.clone(), std::sync::Arc::clone(&served.client))).collect();
        let post = match Post::new(&work.settings.mail, &work.limits, &clients) {
            Ok(post) => post,
            Err(error) => {
                warn!(event = "notice-failed", "no notice can be mailed: {error}");
                told.failed.push(error.to_string());
                return Ok(told);
            }
        };
        'all: for (target, rows) in mails {
            let address = target.trim_start_matches("mail/");
            let to = self.audiences.iter().flat_map(|audience| &audience.to).find(|to| to.as_str() == address);
            for row in rows {
                let Some((to, notice)) = to.zip(read(row)) else {
                    no_more(work, row).await?;
                    continue;
                };
                let now = work.clock.now();
                if Instant::now() >= end {
                    told.left = true;
                    break 'all;
                }
                if !self.take_slot(now) {
                    told.left = true;
                    break 'all;
                }
                if !work.store.claim_notice(row, now + LEASE).await? {
                    continue;
                }
                let sent = to_mailbox(&post, &work.settings.mail, to, now, &row.uid, &notice, &mut Vec::new()).await;
                let meets_all = sent.as_ref().is_err_and(meets_all);
                let ended = match sent {
                    Ok(_) => Ended::Taken,
                    Err(failure) => sorted(failure),
                };
                let taken = note(work, row, ended, &mut told).await?;
                if meets_all {
                    break 'all;
                }
                if !taken {
                    continue 'all;
                }
            }
            told.left |= is_full(rows);
        }
        post.close().await;
        Ok(told)
    }

    fn take_slot(&self, now: DateTime<Utc>) -> bool {
        let mut mailed = lock(&self.mailed);
        mailed.retain(|at| *at > now - TimeDelta::minutes(1));
        let free = pace::slots(&mailed, 0, MAILS_PER_MINUTE, now) > 0;
        if free {
            mailed.push(now);
        }
        free
    }
}

/// As it was made; `None`: by a version that wrote otherwise.
fn read(row: &OutboxRow) -> Option<Notice> {
    serde_json::from_str(&row.body).ok()
}

/// The settings name this target no more.
async fn no_more(work: &Work, row: &OutboxRow) -> Result<(), StoreError> {
    let why = format!("a notice ({}) is dropped: whom it was for stands no more in the settings", row.cause);
    work.store.drop_notice(work.clock.now(), row.id, &why).await.map(drop)
}

/// Notices wait while letters cannot go out; no letter is asked for that.
async fn mail_is_stopped(work: &Work) -> Result<bool, StoreError> {
    let now = work.clock.now();
    let gates = work.store.gates().await?;
    Ok(gates.iter().any(|gate| gate.name == MAIL && gate.holds(now)))
}

/// There may be more for this target.
fn is_full(rows: &[OutboxRow]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|rows| rows >= MOST)
}

fn is_too_old(row: &OutboxRow, now: DateTime<Utc>) -> bool {
    row.made + OLDEST <= now
}

async fn too_old(work: &Work, row: &OutboxRow) -> Result<(), StoreError> {
    let why = format!(
        "a notice ({}) was taken by nobody within a day and is dropped; the digest says what still stands",
        row.cause
    );
    warn!(event = "notice-dropped", "{why}");
    work.store.drop_notice(work.clock.now(), row.id, &why).await.map(drop)
}

/// Another mailbox would meet the same, and wait for it as long.
fn meets_all(failure: &MailFailure) -> bool {
    match failure {
        MailFailure::Stopped(_)
        | MailFailure::TokenRefused(_)
        | MailFailure::Unreachable(_)
        | MailFailure::Busy { .. } => true,
        MailFailure::RecipientRefused(_)
        | MailFailure::LetterRefused(_)
        | MailFailure::Lost { .. }
        | MailFailure::RecipientLater(_)
        | MailFailure::LetterLater(_) => false,
    }
}

fn sorted(failure: MailFailure) -> Ended {
    match failure {
        MailFailure::RecipientRefused(why) | MailFailure::LetterRefused(why) => Ended::Refused(why),
        MailFailure::Busy { why, wait } | MailFailure::Lost { why, wait } => Ended::Again(why, Some(wait)),
        MailFailure::Stopped(why)
        | MailFailure::TokenRefused(why)
        | MailFailure::Unreachable(why)
        | MailFailure::RecipientLater(why)
        | MailFailure::LetterLater(why) => Ended::Again(why, None),
    }
}

/// Writes how a try ended; `false`: it was not taken.
async fn note(work: &Work, row: &OutboxRow, ended: Ended, told: &mut Told) -> Result<bool, StoreError> {
    let now = work.clock.now();
    let (cause, whom) = (row.cause.as_str(), masked(&row.target));
    match ended {
        Ended::Taken => {
            info!(event = "notice-taken", cause, "a notice ({cause}) was taken for {whom}");
            work.store.notice_taken(row.id).await?;
            told.taken += 1;
            return Ok(true);
        }
        Ended::Again(why, wait) => {
            let asked = wait.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
            let at = (now + pause(row.tries + 1).max(asked)).min(row.made + OLDEST);
            told.failed.push(format!("{whom}: {why}"));
            if is_too_old(row, now) {
                warn!(event = "notice-failed", cause, "a notice ({cause}) was not taken for {whom}: {why}");
                too_old(work, row).await?;
            } else {
                warn!(
                    event = "notice-failed",
                    cause, "a notice ({cause}) was not taken for {whom}: {why}; again at {at}"
                );
                work.store.notice_again(row.id, at).await?;
            }
        }
        Ended::Refused(why) => {
            warn!(event = "notice-dropped", cause, "a notice ({cause}) for {whom} is refused for good: {why}");
            let why = format!("a notice ({cause}) for {whom} was refused for good: {why}");
            work.store.drop_notice(now, row.id, &crate::rules::words::masked(&why)).await?;
            told.failed.push(why);
        }
    }
    Ok(false)
}

/// `mail/m…@contoso.example`
fn masked(target: &str) -> String {
    match target.strip_prefix("mail/").map(MailAddress::parse) {
        Some(Ok(address)) => address.masked(),
        Some(Err(_)) | None => target.to_owned(),
    }
}

/// One notice to one webhook; the receiver's answer.
///
/// # Errors
/// [`HookFailure`].
pub async fn to_webhook(hook: &Webhook, now: DateTime<Utc>, uid: &str, notice: &Notice) -> Result<String, HookFailure> {
    webhook::send(hook, now, &format!("msg_{uid}"), words::hook::body(hook.format, notice)).await
}

/// One notice to one mailbox; `steps` learns what was done.
///
/// # Errors
/// [`MailFailure`].
pub async fn to_mailbox(
    post: &Post,
    mail: &Mail,
    to: &MailAddress,
    now: DateTime<Utc>,
    uid: &str,
    notice: &Notice,
    steps: &mut Vec<String>,
) -> Result<Receipt, MailFailure> {
    let (text, html) = words::mail(notice);
    let letter = Letter {
        to: to.clone(),
        subject: notice.subject.clone(),
        text: Zeroizing::new(text),
        html: Zeroizing::new(html),
        message_id: format!("notice.{uid}@{}", mail.from.address.domain()),
    };
    post.dial_and_tell(to, steps).await?.send(now, &letter).await
}
