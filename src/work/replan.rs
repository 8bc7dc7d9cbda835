//! Instants made anew when zone data or the schedule change (contract 5).
//!
//! Kept are the civil date, the wall time and the zone; the instants are computed from them. A worker
//! looks at its start, and every minute after, whether what they were computed with is still in force.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::info;

use super::pulse::Loop;
use super::{Work, lock};
use crate::config::{TenantRules, tz_versions};
use crate::rules::calendar::{self, Zone};
use crate::rules::hire::Start;
use crate::store::{HireRow, Planned, StoreError};

/// Zone data are updated by the system's package manager, a few times a year, sometimes on the last day.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Hires read at once.
const PAGE: i64 = 500;

/// Replans every tenant whose hires were planned with other zone data or another schedule.
pub(super) async fn replan(work: &Work, now: DateTime<Utc>) -> Result<(), StoreError> {
    let last = lock(&work.replanned).clone();
    if last.as_ref().is_some_and(|(at, _)| now - *at < LOOK_EVERY && *at <= now) {
        return Ok(());
    }
    let zones = tz_versions().in_force();
    // An update that is under way may have written its version before its zones: planned twice.
    let settled = last.is_none_or(|(_, before)| before == zones);
    for (tenant, served) in &work.tenants {
        let schedule = &served.rules.schedule;
        let (send_at, late_until) = (schedule.send_at, schedule.late_until.as_secs());
        let planned_with = format!("zone data {zones}, send_at {send_at}, late_until {late_until} s");
        let key = format!("plan/{tenant}");
        let before = work.store.meta(&key).await?;
        if before.as_ref() == Some(&planned_with) {
            continue;
        }
        calendar::forget_zones();
        let n_moved = replan_tenant(work, tenant, &served.rules, &planned_with, now).await?;
        if let Some(before) = before {
            info!(event = "planned-anew", tenant = %tenant, "tenant {tenant}: {n_moved} hires moved, from {before} to {planned_with}");
        }
        if settled {
            work.store.set_meta(&key, &planned_with).await?;
        }
    }
    *lock(&work.replanned) = Some((now, zones));
    Ok(())
}

async fn replan_tenant(
    work: &Work,
    tenant: &str,
    rules: &TenantRules,
    why: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let (mut after, mut n_moved) = (0, 0);
    loop {
        let page = work.store.open_hires(tenant, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(n_moved) };
        after = last.id;
        work.pulse.beat(Loop::Upkeep);
        let moved: Vec<Planned> = page.iter().filter_map(|hire| replanned(hire, rules, why, now)).collect();
        n_moved += work.store.replan(now, &moved).await?;
    }
}

/// The hire's new instants, when they differ.
fn replanned(hire: &HireRow, rules: &TenantRules, why: &str, now: DateTime<Utc>) -> Option<Planned> {
    let schedule = &rules.schedule;
    let start = Start { date: hire.start_date, time: hire.start_time, zone: Zone::parse(&hire.zone).ok() };
    let morning = calendar::morning(&start, schedule.send_at).ok();
    let (start_at, send_at) = (morning.as_ref().map(|m| m.start), morning.as_ref().map(|m| m.send));
    let late_until = TimeDelta::from_std(schedule.late_until).unwrap_or(TimeDelta::MAX);
    let retried = hire.window_from != hire.send_at;
    let (window_from, window_until) = if retried {
        (hire.window_from, hire.window_until)
    } else {
        (send_at, start_at.and_then(|start| start.checked_add_signed(late_until)))
    };
    let same = (start_at, send_at, window_until) == (hire.start_at, hire.send_at, hire.window_until)
        && hire.send_time == schedule.send_at;
    (!same).then(|| Planned {
        hire_id: hire.id,
        tenant: hire.tenant.clone(),
        revision: hire.revision,
        start_at,
        send_at,
        send_time: schedule.send_at,
        window_from,
        window_until,
        day_from: morning.as_ref().map(|m| m.day_from),
        day_until: morning.as_ref().map(|m| m.day_until),
        look_at: Some(now),
        why: format!("planned with {why}"),
    })
}
