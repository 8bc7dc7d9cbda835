//! Who is told, in `check`: nobody is a note, and so is a webhook that signs nothing. Asks nobody.

use super::findings::{Findings, Key};
use crate::config::Settings;
use crate::mail::webhook;
use crate::rules::notice::Format;
use crate::work::tell::audiences;

/// One line each, for mail, each webhook, and tenants that nobody is told of.
pub(super) fn of_notices(settings: &Settings, found: &mut Findings) {
    let what = "notices";
    let told = audiences(settings);
    if told.is_empty() {
        return found.note(
            Key::Notices,
            what,
            "nobody is told when a person has to look: set notify.to, or a [[notify.webhook]]; until then look daily, or heed the exit status of `firstpass run --once`",
        );
    }
    for tenant in settings.tenants.iter().filter(|tenant| tenant.enabled) {
        if !told.iter().any(|audience| audience.tenants.contains(&tenant.name)) {
            found.note(
                Key::Notices,
                what,
                format!("nobody is told of tenant {}: its own [tenant.notify] names nobody", tenant.name),
            );
        }
    }
    for audience in &told {
        let of = if audience.name.is_empty() { String::new() } else { format!(" of tenant {}", audience.name) };
        if audience.to.is_empty() {
            found.note(Key::Notices, what, format!("no mailbox is told{of}, webhooks only: they get no names"));
        } else {
            found.ok(
                Key::Notices,
                what,
                format!("{} mailbox(es) are told{of}; `firstpass notify test` tries them", audience.to.len()),
            );
        }
    }
    for hook in &settings.webhooks {
        let what = format!("webhook {}", hook.name);
        match webhook::look(hook) {
            Err(failure) => found.wrong(Key::Webhook, what, failure.to_string()),
            Ok(()) if hook.secret_file.is_none() && hook.format == Format::Json => {
                found.note(
                    Key::Webhook,
                    what,
                    "its notices are not signed: set secret_file, so that the receiver can tell them from others'",
                );
            }
            Ok(()) => {
                found.ok(Key::Webhook, what, format!("is told as {}; `firstpass notify test` tries it", hook.format));
            }
        }
    }
}
