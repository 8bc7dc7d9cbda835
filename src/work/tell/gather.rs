//! Events and starts since the last round, kept by cause until they are told.
//!
//! What happened before anybody was to be told, or more than a day ago, is left out: what still
//! stands of it is in the digest.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Audience, Teller, Work};
use crate::rules::hire::State;
use crate::rules::notice::{Cause, OLDEST, START_GRACE, comes_before};
use crate::store::{Happened, NoticeCursor, NoticeItem, StoreError};

/// Events read at once.
const PAGE: i64 = 1000;
/// Pages in one round: a roster with a hundred thousand changes takes some rounds.
const MOST_PAGES: usize = 20;
/// Hires that are under way are looked at again within so long.
const SOON: TimeDelta = TimeDelta::days(1);

impl Teller {
    /// Reads on behind the cursor.
    pub(super) async fn gather(&self, work: &Work) -> Result<(), StoreError> {
        let (store, now) = (&work.store, work.clock.now());
        let Some(mut cursor) = store.notice_cursor().await? else {
            return store.begin_notices(now).await;
        };
        if cursor.swept > now + OLDEST {
            // The clock was ahead: what it put off beyond a day would not be told before then.
            store.notices_anew(now, now + OLDEST).await?;
        }
        for _ in 0..MOST_PAGES {
            let events = store.events_behind(cursor.seq, PAGE).await?;
            let mut items: Vec<NoticeItem> = events.iter().flat_map(|event| self.items_of(event, now)).collect();
            let (swept, late) = self.swept(work, cursor.swept, now).await?;
            items.extend(late);
            let to = NoticeCursor { seq: events.last().map_or(cursor.seq, |last| last.seq), swept };
            if to == cursor || !store.gather(cursor, to, &items).await? {
                break; // nothing new, or another worker gathers
            }
            if events.iter().any(|event| event.what == Cause::MailResumed.as_str()) {
                store.wake_mail_notices(now).await?;
            }
            cursor = to;
            if i64::try_from(events.len()).unwrap_or(PAGE) < PAGE {
                break;
            }
        }
        Ok(())
    }

    /// What one event is told as, and to whom.
    fn items_of(&self, event: &Happened, now: DateTime<Utc>) -> Vec<NoticeItem> {
        let (Some(cause), Some(at)) = (Cause::of_event(&event.what), event.at()) else { return Vec::new() };
        if at + OLDEST <= now {
            return Vec::new();
        }
        let about = match (&event.feed, &event.file) {
            (Some(feed), Some(file)) => format!("feed {feed}, {file}"),
            (_, _) => String::new(),
        };
        let hears = |audience: &&Audience| {
            audience.hears_of(&event.tenant) && (cause != Cause::Attention || needed_soon(event, audience, now))
        };
        let item = |audience: &Audience| NoticeItem {
            audience: audience.name.clone(),
            cause: cause.as_str(),
            tenant: event.tenant.clone(),
            hire_id: event.hire_id,
            about: about.clone(),
            why: event.why.clone(),
            at: at.min(now),
        };
        self.audiences.iter().filter(hears).map(item).collect()
    }

    /// Starts between the last look and a moment ago that no letter went out for.
    async fn swept(
        &self,
        work: &Work,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, Vec<NoticeItem>), StoreError> {
        let until = now - START_GRACE;
        if until <= before {
            // After a clock that was ahead, look at what it skipped.
            return Ok((if before > now { until } else { before }, Vec::new()));
        }
        let found = work.store.starts_without_letter(before.max(until - OLDEST), until, now + SOON).await?;
        let items = found.iter().flat_map(|(tenant, hire)| {
            self.audiences.iter().filter(|audience| audience.hears_of(tenant)).map(|audience| NoticeItem {
                audience: audience.name.clone(),
                cause: Cause::StartPassed.as_str(),
                tenant: tenant.clone(),
                hire_id: Some(*hire),
                about: String::new(),
                why: String::new(),
                at: now,
            })
        });
        Ok((until, items.collect()))
    }
}

/// The hire needs a person now, and starts before the next digest could say so.
fn needed_soon(event: &Happened, audience: &Audience, now: DateTime<Utc>) -> bool {
    let Some((start, date)) = event.start() else { return false };
    event.state.as_deref() == Some(State::Attention.as_str())
        && audience.digest(now).is_none_or(|digest| comes_before(start, date, digest.next))
}
