//! What the worker counts, and what it shows of itself to `/metrics`. Nothing here waits for anything.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::attempt::Attempt;
use super::post::Dialled;
use super::{Served, Work};
use crate::config::Settings;
use crate::counts::{Counts, Rows};
use crate::entra::Look;
use crate::feed::FileReport;
use crate::mail::{MailFailure, Receipt};
use crate::rules::attempt::{Made, PassAsk};
use crate::rules::hire::MailAddress;
use crate::rules::verdict::Failure;

/// One tenant as the worker sees it now.
#[derive(Debug, Clone)]
pub struct TenantSeen {
    /// Its name in the settings.
    pub name: String,
    /// Microsoft's clock minus ours by the newest answer; `None`: no answer yet.
    pub skew: Option<TimeDelta>,
    /// What stops its letters: `mail` or `mail/NAME`.
    pub mail_gate: String,
}

impl Work {
    /// The certificates that tenants are signed in to with, as they lie there now. Reads files: not for the
    /// runtime's own threads.
    pub fn certificates(&self) -> Vec<(String, Look)> {
        self.tenants.iter().filter_map(|(name, served)| Some((name.clone(), served.client.certificate()?))).collect()
    }

    /// The tenants that are served.
    pub fn tenants_seen(&self) -> Vec<TenantSeen> {
        let seen = |(name, served): (&String, &Served)| TenantSeen {
            name: name.clone(),
            skew: served.client.skew(),
            mail_gate: served.mail_gate.clone(),
        };
        self.tenants.iter().map(seen).collect()
    }

    /// What a way for letters said before a pass is made.
    pub(super) fn count_dial(&self, served: &Served, dialled: &Result<Dialled, MailFailure>) {
        self.counts.mail_answered(&served.mail_gate, "dial", word(dialled.as_ref().err()));
        if dialled.is_ok() {
            self.is_well(&served.mail_gate);
        }
    }

    /// What it said to the letter.
    pub(super) fn count_letter(&self, served: &Served, sent: &Result<Receipt, MailFailure>) {
        self.counts.mail_answered(&served.mail_gate, "letter", word(sent.as_ref().err()));
    }

    /// What became of the files of one poll.
    pub(super) fn count_files(&self, feed: &str, files: &[FileReport]) {
        for file in files {
            let rows = Rows {
                added: file.added,
                changed: file.changed,
                withdrawn: file.withdrawn,
                unchanged: file.unchanged,
                past: file.past,
                rejected: file.rejected,
            };
            // What is held or refused has changed nothing.
            let rows = if file.state == "taken" { rows } else { Rows { rejected: file.rejected, ..Rows::default() } };
            self.counts.file_read(feed, &file.state, rows);
        }
    }

    /// One tick.
    pub(super) fn count_tick(&self, done: bool, took: Duration) {
        self.counts.ticked(self.clock.now(), done, took);
    }
}

impl Attempt<'_> {
    /// A letter with a pass was accepted, so long after its planned time.
    pub(super) fn count_accepted(&self, now: DateTime<Utc>) {
        let hire = self.hire();
        let planned = hire.window_from.or(hire.send_at).unwrap_or(now);
        self.work.counts.letter_accepted(&hire.tenant, now - planned);
    }

    /// Asks everything that can be asked before the letter; counted.
    ///
    /// # Errors
    /// As [`super::post::Post::dial`].
    pub(super) async fn dial(&self, to: &MailAddress) -> Result<Dialled, MailFailure> {
        let dialled = self.served.post.dial(to).await;
        self.work.count_dial(self.served, &dialled);
        dialled
    }

    /// One POST; counted.
    ///
    /// # Errors
    /// As [`crate::entra::Tenant::create_pass`].
    pub(super) async fn create_pass(&self, ask: &PassAsk) -> Result<Made, Failure> {
        let made = self.tenant().create_pass(ask).await;
        let outcome = match &made {
            Ok(_) => "made",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Unknown { .. }) => "unclear",
            Err(Failure::NotSent(_)) => "not-sent",
            Err(Failure::Throttled { .. }) => "throttled",
            Err(Failure::Unauthorized(_)) => "unauthorized",
        };
        self.work.counts.tried(&self.hire().tenant, outcome);
        made
    }
}

/// The series of these settings stand at zero before they count.
pub(super) fn expect(counts: &Counts, settings: &Settings) {
    for tenant in settings.tenants.iter().filter(|tenant| tenant.enabled) {
        counts.expect_tenant(&tenant.name);
    }
    for feed in &settings.feeds {
        counts.expect_feed(&feed.name);
    }
}

fn word(failure: Option<&MailFailure>) -> &'static str {
    match failure {
        None => "accepted",
        Some(MailFailure::Stopped(_)) => "refuses-us",
        Some(MailFailure::TokenRefused(_)) => "token-refused",
        Some(MailFailure::Unreachable(_)) => "unreachable",
        Some(MailFailure::Busy { .. }) => "busy",
        Some(MailFailure::RecipientRefused(_)) => "recipient-refused",
        Some(MailFailure::RecipientLater(_)) => "recipient-later",
        Some(MailFailure::LetterRefused(_)) => "letter-refused",
        Some(MailFailure::LetterLater(_)) => "letter-later",
        Some(MailFailure::Lost { .. }) => "lost",
    }
}
