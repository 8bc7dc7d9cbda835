//! Events → notices to admins. Beside the ticks, and never called by the heart: letters wait for nothing here.
//!
//! A [`round`](Teller::round) reads the events behind a cursor and the starts that went by (`gather`),
//! makes notices of what was gathered long enough (`heaps`), makes the digest when its time is there
//! (`digest`), and hands on what is due (`send`). Everything is in the state: a restart neither
//! forgets nor repeats. What is told, and how often, is decided in [`crate::rules::notice`].

pub mod digest;
mod gather;
mod heaps;
pub mod send;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use tracing::{error, warn};
use uuid::Uuid;

use super::Work;
use super::beside::rounds;
use crate::config::{Settings, Webhook};
use crate::rules::calendar::{Zone, local_text};
use crate::rules::hire::MailAddress;
use crate::rules::notice::{Digest, Notice};
use crate::store::StoreError;

/// Between two rounds of the service.
const EVERY: Duration = Duration::from_secs(10);
/// What is said of the state when they cannot be read from it.
const NOTICES: &str = "notices";

/// Those who are told of the same things in the same notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// `''`, or the tenant that has an audience of its own.
    pub name: String,
    /// Names of the tenants it is told of.
    pub tenants: Vec<String>,
    /// Mailboxes.
    pub to: Vec<MailAddress>,
    /// Webhooks.
    pub hooks: Vec<Webhook>,
    digest_at: NaiveTime,
    zone: Option<Zone>,
}

impl Audience {
    /// Is it told of this tenant? What concerns no tenant concerns everybody.
    pub(crate) fn hears_of(&self, tenant: &str) -> bool {
        tenant.is_empty() || self.tenants.iter().any(|name| name == tenant)
    }

    /// The digest's times around `now`.
    pub fn digest(&self, now: DateTime<Utc>) -> Option<Digest> {
        Digest::around(now, self.digest_at, self.zone.as_ref())
    }

    /// An instant where its admins are.
    pub(crate) fn local(&self, at: DateTime<Utc>) -> String {
        self.zone.as_ref().map_or_else(|| at.format("%Y-%m-%d %H:%M UTC").to_string(), |zone| local_text(at, zone))
    }

    /// Where its notices go, as the state names them.
    fn targets(&self) -> impl Iterator<Item = String> {
        let mailboxes = self.to.iter().map(|to| format!("mail/{}", to.as_str()));
        mailboxes.chain(self.hooks.iter().map(|hook| format!("webhook/{}", hook.name)))
    }

    /// One row for each target: id, target, body.
    fn rows(&self, notice: &Notice) -> Vec<(String, String, String)> {
        let Ok(body) = serde_json::to_string(notice) else { return Vec::new() };
        self.targets().map(|target| (Uuid::new_v4().simple().to_string(), target, body.clone())).collect()
    }
}

/// Who is told: a tenant with a `[tenant.notify]` or a webhook of its own is told of apart, the others
/// together. Empty: nobody.
pub fn audiences(settings: &Settings) -> Vec<Audience> {
    let own_hook = |name: &str| settings.webhooks.iter().any(|hook| hook.tenant.as_deref() == Some(name));
    let hooks = |name: &str| -> Vec<Webhook> {
        let its = |hook: &&Webhook| hook.tenant.as_deref().is_none_or(|tenant| tenant == name);
        settings.webhooks.iter().filter(its).cloned().collect()
    };
    let enabled = || settings.tenants.iter().filter(|tenant| tenant.enabled);
    let (own, common): (Vec<_>, Vec<_>) =
        enabled().partition(|tenant| tenant.notify != settings.notify || own_hook(&tenant.name));
    let all = (!common.is_empty()).then(|| Audience {
        name: String::new(),
        tenants: common.iter().map(|tenant| tenant.name.clone()).collect(),
        to: settings.notify.to.clone(),
        hooks: hooks(""),
        digest_at: settings.notify.digest_at,
        zone: settings.notify.zone.clone(),
    });
    let own = own.into_iter().map(|tenant| Audience {
        name: tenant.name.clone(),
        tenants: vec![tenant.name.clone()],
        to: tenant.notify.to.clone(),
        hooks: hooks(&tenant.name),
        digest_at: tenant.notify.digest_at,
        zone: tenant.notify.zone.clone(),
    });
    all.into_iter().chain(own).filter(|audience| !(audience.to.is_empty() && audience.hooks.is_empty())).collect()
}

/// How long things are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A minute, and an hour after the last notice of that cause.
    Gather,
    /// Only that hour: `run --once` ends, and nobody goes on gathering.
    Now,
}

/// What one round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Notices made, one for each target.
    pub made: usize,
    /// Notices that were taken.
    pub taken: usize,
    /// Why others were not, one sentence for each.
    pub failed: Vec<String>,
    /// More is due than went: a full round, or the pace of mail.
    pub left: bool,
}

/// Tells admins; lives as long as the worker.
pub struct Teller {
    audiences: Vec<Audience>,
    /// Mails of the last minute: notices have a pace of their own.
    mailed: Mutex<Vec<DateTime<Utc>>>,
}

impl Teller {
    /// `None` when nobody is to be told: then nothing is read, and nothing written.
    pub fn of(settings: &Settings) -> Option<Self> {
        let audiences = audiences(settings);
        (!audiences.is_empty()).then(|| Self { audiences, mailed: Mutex::default() })
    }

    /// From here on things are told, if nothing was before; what happened so far is not.
    ///
    /// # Errors
    /// Only of our own database.
    pub async fn begin(&self, work: &Work) -> Result<(), StoreError> {
        let (store, now) = (&work.store, work.clock.now());
        if store.notice_cursor().await?.is_none() {
            store.begin_notices(now).await?;
        }
        Ok(())
    }

    /// Gathers, makes, sends what is due.
    ///
    /// # Errors
    /// Only of our own database; the next round goes on where this one ended.
    pub async fn round(&self, work: &Work, patience: Patience) -> Result<Told, StoreError> {
        let mut told = Told::default();
        self.gather(work).await?;
        told.made += self.tell_heaps(work, patience).await?;
        told.made += self.tell_digests(work).await?;
        self.send(work, &mut told).await?;
        Ok(told)
    }

    /// Rounds until it is cut short, which is as after a crash.
    pub(super) async fn serve(&self, work: &Arc<Work>) {
        let broke = |why| {
            error!(event = "notices-broke", "telling admins goes on in {} s: {why}", EVERY.as_secs());
        };
        rounds(EVERY, broke, async || match self.round(work, Patience::Gather).await {
            Ok(_) => {
                work.complaints.settle(NOTICES);
            }
            Err(error) => {
                if let Some(more) = work.complaints.raise(NOTICES, &error.to_string()) {
                    warn!(
                        event = "notices-unread",
                        "what admins should be told cannot be read from the state: {error}{more}"
                    );
                }
            }
        })
        .await;
    }
}
