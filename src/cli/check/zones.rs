//! `check`, of time-zone data: which version is in force, and which zones the settings name.

use std::collections::BTreeSet;

use super::findings::{Findings, Key};
use crate::config::{Settings, tz_versions};
use crate::rules::calendar::Zone;

pub(super) fn of_zones(settings: &Settings, found: &mut Findings) {
    let what = "time zones";
    let versions = tz_versions();
    let bundled = versions.bundled;
    let folder = versions.folder.unwrap_or_default();
    let folder = folder.display();
    match versions.system.as_deref() {
        None => found.note(
            Key::Zones,
            what,
            format!(
                "the system has no zone data; the bundled {bundled} are used. Install tzdata to get new laws by updates"
            ),
        ),
        Some(system) if system.starts_with("20") && system < bundled => {
            found.note(Key::Zones,
                what,
                format!(
                    "the system's data {system} in {folder} are older than the bundled {bundled}, and are used; update tzdata"
                ),
            );
        }
        Some(system) => {
            found.ok(Key::Zones, what, format!("the system's data {system} in {folder} are used (bundled: {bundled})"));
        }
    }
    let mut used: BTreeSet<&str> =
        settings.feeds.iter().flat_map(|feed| feed.zones.values()).map(Zone::as_str).collect();
    used.extend(settings.tenants.iter().filter_map(|tenant| tenant.rules.zone.as_ref()).map(Zone::as_str));
    if !used.is_empty() {
        found.ok(Key::Zones, what, format!("the settings name {}", used.into_iter().collect::<Vec<_>>().join(", ")));
    }
}
