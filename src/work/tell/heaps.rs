//! Things of one cause, gathered long enough, become one notice; what is over by then is not told.
//!
//! The words come from the state as it is now: hires that went on by themselves, a tenant that was
//! stopped for seconds and a feed whose file came are left out.

use chrono::{DateTime, Utc};

use super::{Audience, Patience, Teller, Work};
use crate::config::Settings;
use crate::rules::hire::{Reason, State};
use crate::rules::notice::{Cause, Line, MOST_LINES, Notice, Section, due_at, frame, urgency};
use crate::rules::unsettled::PASS_STAYS;
use crate::rules::words::masked;
use crate::store::{Gate, Gathered, Heap, HireRow, StoreError};
use crate::work::standing;
use crate::work::words::{next_sentence, start_local, utc_text};

/// Files told of at once, at most; far more than [`MOST_LINES`], so that "and N more" is right.
const MOST_OTHERS: i64 = 10_000;

impl Teller {
    /// Makes the notices that are due.
    pub(super) async fn tell_heaps(&self, work: &Work, patience: Patience) -> Result<usize, StoreError> {
        let (store, now) = (&work.store, work.clock.now());
        let mut made = 0;
        for heap in store.heaps().await? {
            let audience = self.audiences.iter().find(|audience| audience.name == heap.audience);
            let (Some(audience), Ok(cause)) = (audience, heap.cause.parse::<Cause>()) else {
                store.tell_heap(now, &heap, &[]).await?;
                continue;
            };
            let waits = match patience {
                // A clock that was ahead must not keep it waiting until then.
                Patience::Gather if heap.first <= now => heap.first,
                Patience::Gather | Patience::Now => DateTime::UNIX_EPOCH,
            };
            if due_at(waits, heap.told.filter(|told| *told <= now)) > now {
                continue;
            }
            let lines = lines(work, audience, cause, &heap, now).await?;
            let rows = lines.map(|lines| audience.rows(&notice(cause, lines, now))).unwrap_or_default();
            if store.tell_heap(now, &heap, &rows).await? {
                made += rows.len();
            }
        }
        Ok(made)
    }
}

fn notice(cause: Cause, lines: Vec<Line>, now: DateTime<Utc>) -> Notice {
    let (subject, lead, remedy) = frame(cause, lines.len());
    Notice { cause, at: now, subject, lead, sections: vec![Section::new("", lines, MOST_LINES)], remedy }
}

/// What is still to be told; `None`: nothing is.
async fn lines(
    work: &Work,
    audience: &Audience,
    cause: Cause,
    heap: &Heap,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Line>>, StoreError> {
    let (mut hires, others) = work.store.heap(heap, MOST_OTHERS).await?;
    let (from, until) = audience.digest(now).map_or((now, now), |digest| (digest.day, digest.after));
    hires.sort_by_key(|hire| urgency(hire.start_at, from, until));
    let of_hires = |keep: fn(&HireRow) -> bool| hires.iter().filter(|hire| keep(hire)).collect::<Vec<_>>();
    let lines: Vec<Line> = match cause {
        Cause::Attention => {
            of_hires(|hire| hire.state == State::Attention).into_iter().map(|hire| hire_line(hire, now)).collect()
        }
        Cause::StartPassed => of_hires(without_letter).into_iter().map(|hire| hire_line(hire, now)).collect(),
        Cause::PassNotDeleted => of_hires(|hire| hire.what_to_do.starts_with(PASS_STAYS))
            .into_iter()
            .map(|hire| Line { reason: cause.to_string(), ..hire_line(hire, now) })
            .collect(),
        Cause::PassUnused | Cause::PassReplaced | Cause::PassDeleted | Cause::VoidNotTold => hires
            .iter()
            .map(|hire| Line { reason: cause.to_string(), text: String::new(), ..hire_line(hire, now) })
            .collect(),
        Cause::TenantStopped | Cause::MailStopped | Cause::ClockWrong | Cause::FeedStopped => {
            gate_lines(&work.settings, audience, cause, &work.store.gates().await?)
        }
        Cause::TenantResumed | Cause::MailResumed | Cause::ClockRight | Cause::FeedResumed => {
            return resumed(work, audience, cause, &others).await;
        }
        Cause::FeedOverdue => overdue(work, audience, now).await?,
        Cause::FileHeld | Cause::FileRejected | Cause::RowsRejected => {
            others.iter().map(|other| line_of(&other.tenant, &format!("{}: {}", other.about, other.why))).collect()
        }
        Cause::Digest | Cause::Test => Vec::new(),
    };
    Ok((!lines.is_empty()).then_some(lines))
}

fn line_of(tenant: &str, text: &str) -> Line {
    Line { tenant: tenant.to_owned(), text: masked(text), ..Line::default() }
}

fn without_letter(hire: &HireRow) -> bool {
    match hire.state {
        State::Pending | State::Issuing | State::Sending | State::Attention | State::Held => true,
        State::Delivered | State::Cancelled => false,
    }
}

/// A hire as it stands.
pub(super) fn hire_line(hire: &HireRow, now: DateTime<Utc>) -> Line {
    Line {
        tenant: hire.tenant.clone(),
        employee_id: hire.employee_id.clone(),
        name: hire.display_name.clone(),
        start: start_local(hire),
        reason: hire.reason.map_or_else(|| hire.state.to_string(), |reason: Reason| reason.to_string()),
        text: masked(&next_sentence(hire, now)),
    }
}

/// What is stopped now, of that kind.
pub(super) fn gate_lines(settings: &Settings, audience: &Audience, cause: Cause, gates: &[Gate]) -> Vec<Line> {
    let kind = match cause {
        Cause::TenantStopped => "tenant",
        Cause::MailStopped => "mail",
        Cause::ClockWrong => "clock",
        Cause::FeedStopped => "feed",
        Cause::Attention
        | Cause::StartPassed
        | Cause::PassUnused
        | Cause::PassReplaced
        | Cause::PassDeleted
        | Cause::PassNotDeleted
        | Cause::VoidNotTold
        | Cause::TenantResumed
        | Cause::MailResumed
        | Cause::ClockRight
        | Cause::FeedResumed
        | Cause::FeedOverdue
        | Cause::FileHeld
        | Cause::FileRejected
        | Cause::RowsRejected
        | Cause::Digest
        | Cause::Test => return Vec::new(),
    };
    let told = |gate: &Gate| {
        let (of, name) = gate.name.split_once('/').unwrap_or((&gate.name, ""));
        let feed = settings.feeds.iter().find(|feed| of == "feed" && feed.name == name);
        let tenant = feed.map_or(name, |feed| feed.tenant.as_str());
        let known = of != "feed" || feed.is_some();
        let why = gate.stopped.as_ref().filter(|_| of == kind && known && audience.hears_of(tenant))?;
        let what = if name.is_empty() { of.to_owned() } else { format!("{of} {name}") };
        Some(line_of(tenant, &format!("{what}, since {}: {why}", utc_text(gate.since))))
    };
    gates.iter().filter_map(told).collect()
}

/// The end of a trouble, gate by gate, for those who heard of it; not of one that stands again.
async fn resumed(
    work: &Work,
    audience: &Audience,
    cause: Cause,
    others: &[Gathered],
) -> Result<Option<Vec<Line>>, StoreError> {
    let Some(trouble) = cause.ends() else { return Ok(None) };
    let Some(told) = work.store.told_at(&audience.name, trouble.as_str()).await? else { return Ok(None) };
    let gates = work.store.gates().await?;
    let line = |other: &Gathered| {
        let name = other.why.split(' ').next().unwrap_or_default();
        let at = DateTime::from_timestamp_millis(other.at)?;
        let since = other.why.rsplit_once("since ").and_then(|(_, since)| since.parse::<DateTime<Utc>>().ok());
        let heard = since.is_none_or(|since| since <= told) && told <= at;
        if !heard || gates.iter().any(|gate| gate.name == name && gate.stopped.is_some()) {
            return None;
        }
        let (of, named) = name.split_once('/').unwrap_or((name, ""));
        let feed = work.settings.feeds.iter().find(|feed| of == "feed" && feed.name == named);
        let tenant = feed.map_or(other.tenant.as_str(), |feed| feed.tenant.as_str());
        let what = if named.is_empty() { String::new() } else { format!("{of} {named}, ") };
        audience.hears_of(tenant).then(|| line_of(tenant, &format!("{what}since {}", utc_text(at))))
    };
    let lines: Vec<Line> = others.iter().filter_map(line).collect();
    Ok((!lines.is_empty()).then_some(lines))
}

async fn overdue(work: &Work, audience: &Audience, now: DateTime<Utc>) -> Result<Vec<Line>, StoreError> {
    let feeds = standing::feeds(&work.settings, &work.store, now).await?;
    let late = feeds.iter().filter(|feed| feed.overdue && audience.hears_of(&feed.tenant));
    Ok(late.map(|feed| line_of(&feed.tenant, &feed.overdue_text())).collect())
}
