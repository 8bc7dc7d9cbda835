//! The daily digest: who needs a person, what is stopped, who starts and what will happen, what was
//! sent, how old the feeds are, how long credentials last.
//!
//! It is sent also when there is nothing to say: a digest that does not come is a sign, too.

use chrono::{DateTime, TimeDelta, Utc};

use super::heaps::{gate_lines, hire_line};
use super::{Audience, Teller, Work};
use crate::config::Settings;
use crate::entra::credential::{self, Standing};
use crate::rules::hire::State;
use crate::rules::notice::{Cause, Digest, Line, MOST_DIGEST_LINES, Notice, Section, urgency};
use crate::rules::words::masked;
use crate::store::{HireRow, Store, StoreError};
use crate::work::standing::{self, FeedStanding};

/// Send times lie within a day before the start; zones and `late_until` take the rest.
const AROUND: TimeDelta = TimeDelta::hours(38);

impl Teller {
    /// Makes the digests whose time is there. The first one of an audience is the next one from now.
    pub(super) async fn tell_digests(&self, work: &Work) -> Result<usize, StoreError> {
        let (store, now) = (&work.store, work.clock.now());
        let mut made = 0;
        for audience in &self.audiences {
            let Some(digest) = audience.digest(now) else { continue };
            let Some(before) = store.told_at(&audience.name, Cause::Digest.as_str()).await? else {
                store.begin_digest(now, &audience.name).await?;
                continue;
            };
            // A clock that was ahead made one of the future.
            if digest.last <= before && before <= digest.next {
                continue;
            }
            let notice = notice(&work.settings, store, audience, &digest, before.min(now), now).await?;
            let rows = audience.rows(&notice);
            if store.tell_digest(now, &audience.name, before, digest.last, &rows).await? {
                made += rows.len();
            }
        }
        Ok(made)
    }
}

/// The digest of one audience. `since`: what was sent after that.
///
/// # Errors
/// [`StoreError`].
pub async fn notice(
    settings: &Settings,
    store: &Store,
    audience: &Audience,
    digest: &Digest,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Notice, StoreError> {
    let hears = |hire: &HireRow| audience.hears_of(&hire.tenant);
    let line = |hire: &HireRow| hire_line(hire, now);
    let mut attention = store.hires_in_attention().await?;
    attention.sort_by_key(|hire| urgency(hire.start_at, digest.day, digest.after));
    let attention: Vec<Line> = attention.iter().filter(|hire| hears(hire)).map(line).collect();
    let around = store.hires_between(digest.day - AROUND, digest.after).await?;
    let starts: Vec<Line> = around
        .iter()
        .filter(|hire| hears(hire) && hire.start_at.is_some_and(|at| digest.day <= at && at < digest.after))
        .filter(|hire| hire.state != State::Attention && hire.state != State::Cancelled)
        .map(line)
        .collect();
    let sent = store.sent_since(since).await?;
    let sent: Vec<Line> = sent.iter().filter(|hire| hears(hire)).map(line).collect();
    let feeds = standing::feeds(settings, store, now).await?;
    let feeds: Vec<&FeedStanding> = feeds.iter().filter(|feed| audience.hears_of(&feed.tenant)).collect();
    let gates = store.gates().await?;
    let mut stopped: Vec<Line> = [Cause::TenantStopped, Cause::MailStopped, Cause::ClockWrong]
        .into_iter()
        .flat_map(|cause| gate_lines(settings, audience, cause, &gates))
        .collect();
    stopped.extend(feeds.iter().flat_map(|feed| feed.troubles().into_iter().map(|text| words(&feed.tenant, &text))));
    let subject = format!("firstpass: daily digest, {} in attention, starts: {}", attention.len(), starts.len());
    let lead = format!(
        "In attention: {}. Starts from today until {}: {}. Letters with a pass sent since {}: {}.",
        attention.len(),
        audience.local(digest.after),
        starts.len(),
        audience.local(since),
        sent.len()
    );
    let files: Vec<Line> = feeds.iter().map(|feed| words(&feed.tenant, &age(feed))).collect();
    let sections = [
        ("Needs a person", attention),
        ("Look at this", stopped),
        ("Starts", starts),
        ("Sent", sent),
        ("Feeds", files),
        ("Credentials", credentials(settings, audience, now)),
    ];
    let sections = sections.into_iter().filter(|(_, lines)| !lines.is_empty());
    Ok(Notice {
        cause: Cause::Digest,
        at: now,
        subject,
        lead,
        sections: sections.map(|(title, lines)| Section::new(title, lines, MOST_DIGEST_LINES)).collect(),
        remedy: "`firstpass plan` and `firstpass hire show KEY` tell more.".to_owned(),
    })
}

fn words(tenant: &str, text: &str) -> Line {
    Line { tenant: tenant.to_owned(), text: masked(text), ..Line::default() }
}

fn age(feed: &FeedStanding) -> String {
    match (&feed.last_file, &feed.last_read_utc, &feed.last_state) {
        (Some(file), Some(read), Some(state)) => format!("feed {}: {file} was read {read} and is {state}", feed.feed),
        (_, _, _) => format!("feed {}: nothing was read yet", feed.feed),
    }
}

/// How long each tenant's certificate lasts; of a secret only Entra knows.
fn credentials(settings: &Settings, audience: &Audience, now: DateTime<Utc>) -> Vec<Line> {
    let its = settings.tenants.iter().filter(|tenant| tenant.enabled && audience.hears_of(&tenant.name));
    its.map(|tenant| {
        let name = &tenant.name;
        let text = match credential::look(tenant, now) {
            Ok(Standing::Certificate(look)) => {
                format!(
                    "tenant {name}: the certificate lasts {} days, until {}",
                    look.days_left(now),
                    look.until.date_naive()
                )
            }
            Ok(Standing::ManagedIdentity) => format!("tenant {name}: a managed identity, which has no end"),
            Ok(Standing::Readable) => format!(
                "tenant {name}: {}, whose end only Entra knows (App registrations, Certificates & secrets)",
                tenant.credential.name()
            ),
            Err(error) => format!("tenant {name}: {error}"),
        };
        words(name, &text)
    })
    .collect()
}
