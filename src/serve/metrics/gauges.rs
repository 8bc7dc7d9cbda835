//! How everything stands at a scrape, as gauges with their names and meanings.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::seen::{Seen, State};
use crate::counts::{OfFeed, OfTenant};
use crate::store::{Gate, HiresAt};
use crate::work::Work;
use crate::work::counted::TenantSeen;

/// A tenant that is in the state and no longer in the settings.
const FORMER: &str = "former";
/// So late a letter keeps the service from being ready, as for `/readyz`.
const LATE: i64 = 600;
/// Every state of a pass that is neither in a delivered letter nor gone.
const UNSETTLED: [&str; 4] = ["intended", "issued", "mailing", "condemned"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Hires {
    tenant: String,
    state: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Near {
    tenant: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWay {
    way: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Zones {
    version: String,
    source: &'static str,
}

/// Where everything is registered, and what is asked for each of them.
struct Sheet<'a> {
    to: &'a mut Registry,
    work: &'a Work,
    now: DateTime<Utc>,
}

pub(super) fn register(to: &mut Registry, work: &Work, seen: &Seen, now: DateTime<Utc>, began: DateTime<Utc>) {
    let mut sheet = Sheet { to, work, now };
    sheet.of_the_process(seen, began);
    sheet.of_the_tenants(seen);
    sheet.one(
        "firstpass_ready",
        "1 when nothing that is known keeps firstpass from its job: state, tenants and mail by their newest look, clock, late letters; /readyz says what does",
        i64::from(sheet.is_ready(seen)),
    );
    sheet.one("firstpass_state_readable", "1 when the state answered this scrape", i64::from(seen.state.is_some()));
    if let Some(state) = &seen.state {
        sheet.of_the_hires(state);
        sheet.of_the_gates(state, seen);
        sheet.of_the_feeds(state);
    }
}

impl Sheet<'_> {
    fn one(&mut self, name: &str, help: &str, value: i64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        self.to.register(name, help, gauge);
    }

    fn each<L>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (L, i64)>)
    where
        L: EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
    {
        let family = Family::<L, Gauge>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.to.register(name, help, family);
    }

    /// Only names out of the settings are labels.
    fn tenant(&self, name: &str) -> String {
        self.work.settings.tenant(name).map_or(FORMER, |tenant| tenant.name.as_str()).to_owned()
    }

    fn is_ready(&self, seen: &Seen) -> bool {
        let Some(state) = &seen.state else { return false };
        let served = |gate: &Gate| {
            let of = |seen: &TenantSeen| seen.mail_gate == gate.name || gate.name == format!("tenant/{}", seen.name);
            gate.name == "clock" || seen.tenants.iter().any(of)
        };
        let stops = |gate: &Gate| gate.stopped.is_some() && served(gate);
        let late = |since: DateTime<Utc>| self.seconds_since(since) >= LATE;
        self.work.counts.state_ok()
            && self.work.pulse.ailments().is_empty()
            && self.work.looks_well()
            && !state.gates.iter().any(stops)
            && !self.of_those_served(state).filter_map(|hires| hires.due_since).any(late)
    }

    /// Hires of a tenant that is disabled or gone wait for nobody.
    fn of_those_served<'a>(&self, state: &'a State) -> impl Iterator<Item = &'a HiresAt> {
        state.standing.hires.iter().filter(|hires| self.work.serves(&hires.tenant))
    }

    fn seconds_since(&self, at: DateTime<Utc>) -> i64 {
        (self.now - at).num_seconds().max(0)
    }

    fn of_the_process(&mut self, seen: &Seen, began: DateTime<Utc>) {
        let build = Build { version: env!("CARGO_PKG_VERSION") };
        self.each("firstpass_build_info", "The version that runs; always 1", [(build, 1)]);
        if let Some((version, source)) = seen.files.as_ref().map(|files| &files.zones) {
            let zones = Zones { version: version.clone(), source };
            self.each("firstpass_tzdata_info", "The time-zone data in force; always 1", [(zones, 1)]);
        }
        self.one("process_start_time_seconds", "When the service began", began.timestamp());
    }

    fn of_the_tenants(&mut self, seen: &Seen) {
        let certificates = seen.files.iter().flat_map(|files| &files.certificates);
        let certificates =
            certificates.map(|(tenant, look)| (OfTenant { tenant: tenant.clone() }, look.until.timestamp()));
        self.each(
            "firstpass_certificate_expiry_timestamp_seconds",
            "When the certificate ends that a tenant is signed in to with; absent for other credentials, and for a file that is not right",
            certificates.collect::<Vec<_>>(),
        );
        let skews = seen
            .tenants
            .iter()
            .filter_map(|tenant| Some((OfTenant { tenant: tenant.name.clone() }, tenant.skew?.num_seconds())));
        self.each(
            "firstpass_clock_skew_seconds",
            "Microsoft's clock minus this machine's, by the newest answer; beyond 120 either way nothing is issued",
            skews.collect::<Vec<_>>(),
        );
    }

    fn of_the_hires(&mut self, state: &State) {
        let standing = &state.standing;
        let hires = standing.hires.iter().map(|at| {
            let labels = Hires { tenant: self.tenant(&at.tenant), state: at.state.clone(), reason: at.reason.clone() };
            (labels, at.n)
        });
        self.each("firstpass_hires", "Hires by state and reason", hires.collect::<Vec<_>>());
        let near = standing
            .near
            .iter()
            .map(|near| (Near { tenant: self.tenant(&near.tenant), reason: near.reason.clone() }, near.n));
        self.each(
            "firstpass_hires_attention_near",
            "Hires in attention whose start is yesterday, today or tomorrow",
            near.collect::<Vec<_>>(),
        );
        let mut oldest: BTreeMap<String, i64> = BTreeMap::new();
        for tenant in self.work.settings.tenants.iter().filter(|tenant| tenant.enabled) {
            oldest.insert(tenant.name.clone(), 0);
        }
        for at in self.of_those_served(state) {
            let waits = at.due_since.map_or(0, |since| self.seconds_since(since));
            let most = oldest.entry(self.tenant(&at.tenant)).or_default();
            *most = waits.max(*most);
        }
        self.each(
            "firstpass_oldest_due_seconds",
            "How long the oldest letter is due that has not gone yet: since its send time, a retry, or the coming of its row; 0 when none is",
            oldest.into_iter().map(|(tenant, waits)| (OfTenant { tenant }, waits)),
        );
        let unsettled = UNSETTLED.map(|state| {
            let n = standing.unsettled.iter().find(|(known, _)| known == state).map_or(0, |(_, n)| *n);
            (OfState { state }, n)
        });
        self.each(
            "firstpass_passes_unsettled",
            "Passes on their way: intended (asked for, no clear answer yet), issued, mailing, condemned (must be deleted)",
            unsettled,
        );
        let (waiting, oldest) = standing.notices;
        self.one("firstpass_notices_waiting", "Notices to admins that no mail server or webhook took yet", waiting);
        let waits = oldest.map_or(0, |made| self.seconds_since(made));
        self.one("firstpass_oldest_notice_seconds", "How long the oldest of them waits; 0 when none does", waits);
    }

    fn of_the_gates(&mut self, state: &State, seen: &Seen) {
        let gate = |name: &str| state.gates.iter().find(|gate| gate.name == name);
        let stopped = |gate: Option<&Gate>| i64::from(gate.is_some_and(|gate| gate.stopped.is_some()));
        let waits = |gate: Option<&Gate>| {
            let until = gate.filter(|gate| gate.holds(self.now)).and_then(|gate| gate.not_before);
            until.map_or(0, |until| (until - self.now).num_seconds().max(0))
        };
        let tenants: Vec<_> = seen
            .tenants
            .iter()
            .map(|seen| (OfTenant { tenant: seen.name.clone() }, gate(&format!("tenant/{}", seen.name))))
            .collect();
        let ways: BTreeSet<&str> = seen.tenants.iter().map(|seen| seen.mail_gate.as_str()).collect();
        let ways: Vec<_> = ways.into_iter().map(|way| (OfWay { way: way.to_owned() }, gate(way))).collect();
        let tenant_waits: Vec<_> = tenants.iter().map(|(labels, gate)| (labels.clone(), waits(*gate))).collect();
        let way_waits: Vec<_> = ways.iter().map(|(labels, gate)| (labels.clone(), waits(*gate))).collect();
        self.each(
            "firstpass_tenant_stopped",
            "1 while nothing can be done for a tenant: credential, permission, reach",
            tenants.into_iter().map(|(labels, gate)| (labels, stopped(gate))),
        );
        self.each(
            "firstpass_tenant_wait_seconds",
            "How long Microsoft asked us to wait (Retry-After), from now",
            tenant_waits,
        );
        self.each(
            "firstpass_mail_stopped",
            "1 while a way for letters is out of reach or refuses us",
            ways.into_iter().map(|(labels, gate)| (labels, stopped(gate))),
        );
        self.each("firstpass_mail_wait_seconds", "How long until that way is tried again, from now", way_waits);
        let clock = stopped(gate("clock"));
        self.one("firstpass_clock_stopped", "1 while nothing is issued because this machine's clock is wrong", clock);
    }

    fn of_the_feeds(&mut self, state: &State) {
        let of = |feed: &str| OfFeed { feed: feed.to_owned() };
        let feeds = || state.feeds.iter();
        let newest = || feeds().filter_map(|(name, feed)| Some((name, feed.newest?)));
        let stopped = |name: &str| {
            let gate = format!("feed/{name}");
            i64::from(state.gates.iter().any(|known| known.name == gate && known.stopped.is_some()))
        };
        self.each(
            "firstpass_feed_last_file_timestamp_seconds",
            "When a feed's newest file was read, whatever became of it; absent before the first",
            newest().map(|(name, newest)| (of(name), newest.read_at.timestamp())),
        );
        self.each(
            "firstpass_feed_overdue",
            "1 when no new file came within expect_every",
            feeds().map(|(name, feed)| (of(name), i64::from(feed.overdue))),
        );
        self.each(
            "firstpass_feed_stopped",
            "1 while a feed cannot be read: folder, database, clock",
            feeds().map(|(name, _)| (of(name), stopped(name))),
        );
        self.each(
            "firstpass_feed_held_files",
            "Files that would change too much and wait for `firstpass feed accept` or `refuse`",
            feeds().map(|(name, feed)| (of(name), feed.newest.map_or(0, |newest| newest.held))),
        );
        self.each(
            "firstpass_feed_rejected_rows",
            "Rows of a feed's newest file that were rejected",
            feeds().map(|(name, feed)| (of(name), feed.newest.map_or(0, |newest| newest.rejected))),
        );
    }
}
