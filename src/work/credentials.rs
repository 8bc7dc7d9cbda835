//! Certificates that come to their end are told once a day, long before they stop a tenant.
//!
//! Only looks at files: whether Microsoft takes a credential shows at the next token.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::{Work, lock};

/// How often it is told.
const AGAIN: TimeDelta = TimeDelta::days(1);

/// The sentences told now: none when it was told less than a day ago.
pub(super) fn told(work: &Work, now: DateTime<Utc>) -> Vec<String> {
    {
        let mut looked = lock(&work.certificates_seen);
        if looked.is_some_and(|before| before <= now && now - before < AGAIN) {
            return Vec::new();
        }
        *looked = Some(now);
    }
    let mut sentences = Vec::new();
    for (name, served) in &work.tenants {
        let Some(seen) = served.client.certificate().filter(|seen| seen.ends_soon(now)) else { continue };
        let (days, end) = (seen.days_left(now), seen.until.date_naive());
        let sentence = format!(
            "the certificate of tenant {name} ends in {days} days, on {end}; make a new one, upload it to Entra, then \
             replace the file: it is used without a restart (in systemd's credential store: after `systemctl \
             restart firstpass`)"
        );
        warn!(event = "certificate-ends", tenant = %name, days, "{sentence}");
        sentences.push(sentence);
    }
    sentences
}
