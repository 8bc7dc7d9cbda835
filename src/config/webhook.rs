//! `[notify]` and `[[notify.webhook]]`: who is told, and where webhooks lie.
//!
//! A URL of Teams or Slack is a secret itself (whoever has it may write there), so it is in a file and
//! never among the settings.

use std::collections::BTreeSet;

use url::Url;

use super::build::Scope;
use super::cross::is_loopback;
use super::source::Sources;
use super::word::{self, Raw};
use super::{Notify, Webhook, WebhookUrl};
use crate::rules::notice::Format;

/// Webhooks in one settings file: each notice goes to each.
const MOST: usize = 20;

/// Why a text is no URL that notices go to; never with the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no URL that notices may go to; write an https URL, as https://alarms.contoso.example/firstpass (http for loopback addresses only), without a user in it"
)]
pub struct BadUrl;

/// An https URL; http where it never leaves the machine.
///
/// # Errors
/// [`BadUrl`].
///
/// ```
/// use firstpass::config::web_url;
/// assert!(web_url("https://alarms.contoso.example/firstpass?x=1").is_ok());
/// assert!(web_url("http://127.0.0.1:8080/").is_ok());
/// for bad in ["http://alarms.contoso.example/", "https://a:b@alarms.contoso.example/", "ftp://a.example", "a"] {
///     assert!(web_url(bad).is_err(), "{bad}");
/// }
/// ```
pub fn web_url(text: &str) -> Result<Url, BadUrl> {
    let url = Url::parse(text.trim()).map_err(|_| BadUrl)?;
    let safe = match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    if safe && url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err(BadUrl) }
}

pub(super) fn url(raw: &Raw) -> Result<Url, String> {
    web_url(&word::plain(raw)?).map_err(|bad| bad.to_string())
}

/// `[notify]`, a tenant's own on top. A tenant without one is told of with the others, at their time.
pub(super) fn notify(sources: &Sources, scope: Scope) -> Option<Notify> {
    let scope = if sources.has_own(scope, "notify") { scope } else { Scope::Global };
    Some(Notify {
        to: sources.get(scope, "notify.to", word::addresses)?,
        digest_at: sources.get(scope, "notify.digest_at", word::time)?,
        zone: sources.get(scope, "schedule.zone", word::zone),
    })
}

/// Its name, or its place in the file.
pub(super) fn name(sources: &Sources, index: usize) -> String {
    let named = sources.get(Scope::Webhook(index), "notify.webhook.name", word::name);
    named.unwrap_or_else(|| (index + 1).to_string())
}

/// `None` only when a check overlooked something.
pub(super) fn webhooks(sources: &Sources) -> Option<Vec<Webhook>> {
    sources.indexes("notify.webhook").into_iter().map(|index| webhook(sources, index)).collect()
}

fn webhook(sources: &Sources, index: usize) -> Option<Webhook> {
    let scope = Scope::Webhook(index);
    let url = match sources.secret(scope, "notify.webhook.url_file") {
        Some(file) => WebhookUrl::File(file),
        None => WebhookUrl::Plain(sources.get(scope, "notify.webhook.url", url)?),
    };
    Some(Webhook {
        name: name(sources, index),
        url,
        secret_file: sources.secret(scope, "notify.webhook.secret_file"),
        format: format(sources, scope)?,
        tenant: sources.get(scope, "notify.webhook.tenant", word::name),
        ca_file: sources.file(scope, "notify.webhook.ca_file"),
    })
}

/// JSON, unless something else is asked for.
fn format(sources: &Sources, scope: Scope) -> Option<Format> {
    sources.words(scope, "notify.webhook.format").map_or(Some(Format::Json), |word| word.parse().ok())
}

/// What must fit together.
pub(super) fn check(sources: &mut Sources) {
    let indexes = sources.indexes("notify.webhook");
    if indexes.len() > MOST {
        sources.problem("notify.webhook", format!("there are {} webhooks; at most {MOST} are told", indexes.len()));
    }
    let tenants: BTreeSet<String> = sources
        .indexes("tenant")
        .into_iter()
        .filter_map(|at| sources.get(Scope::Tenant(at), "tenant.name", word::name))
        .collect();
    let mut names = BTreeSet::new();
    for index in indexes {
        let scope = Scope::Webhook(index);
        let set = |key: &str| sources.is_set(scope, key);
        let format = format(sources, scope).unwrap_or(Format::Json);
        let (url, file) = (set("notify.webhook.url"), set("notify.webhook.url_file"));
        let mut problems: Vec<(&str, String)> = Vec::new();
        match (url, file) {
            (true, true) => problems.push(("notify.webhook.url", "notify.webhook has url and url_file; leave one of them out".to_owned())),
            (false, false) => problems.push(("notify.webhook.url_file", "notify.webhook needs url_file, or url when it holds no secret".to_owned())),
            (true, false) if format != Format::Json => problems.push((
                "notify.webhook.url",
                format!("a webhook of format \"{format}\" has its secret in its URL; put the URL into a file and write url_file = \"…\""),
            )),
            (_, _) => {}
        }
        let tenant = sources.get(scope, "notify.webhook.tenant", word::name);
        if let Some(tenant) = tenant.filter(|tenant| !tenants.contains(tenant)) {
            problems.push((
                "notify.webhook.tenant",
                format!("notify.webhook.tenant {tenant:?} is the name of no [[tenant]]"),
            ));
        }
        let name = name(sources, index);
        if !names.insert(name.to_ascii_lowercase()) {
            problems.push((
                "notify.webhook.name",
                format!("notify.webhook.name {name:?} stands twice; each needs its own"),
            ));
        }
        for (key, text) in problems {
            let path = sources.path(scope, key);
            sources.problem(&path, text);
        }
    }
}
