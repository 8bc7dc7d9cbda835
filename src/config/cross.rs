//! What must fit together: names, folders, lives, login and TLS. Looks at nothing outside.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::build::{self, Scope};
use super::credential;
use super::source::Sources;
use super::webhook;
use super::word;

/// Folders inside a drop folder that are firstpass's own.
const OWN_FOLDERS: [&str; 4] = ["work", "done", "rejected", "held"];

/// Adds every contradiction to the problems.
pub(super) fn check(sources: &mut Sources) {
    let tenants: Vec<Scope> = sources.indexes("tenant").into_iter().map(Scope::Tenant).collect();
    let feeds: Vec<Scope> = sources.indexes("feed").into_iter().map(Scope::Feed).collect();
    unique(sources, &tenants, "tenant.name", |sources, scope| sources.get(scope, "tenant.name", word::name));
    unique(sources, &tenants, "tenant.tenant_id", |sources, scope| {
        sources.get(scope, "tenant.tenant_id", word::id).map(|id| id.to_string())
    });
    unique(sources, &feeds, "feed.name", |sources, scope| sources.get(scope, "feed.name", word::name));
    somebody(sources, &tenants);
    feeds_have_tenants(sources, &tenants, &feeds);
    folders(sources, &feeds);
    kinds(sources, &feeds);
    webhook::check(sources);
    for tenant in &tenants {
        credential::check(sources, *tenant);
    }
    for scope in std::iter::once(Scope::Global).chain(tenants) {
        if sources.has_own(scope, "pass") {
            lives(sources, scope);
        }
        if sources.has_own(scope, "mail") {
            way(sources, scope);
        }
    }
}

/// No two entries say the same under this key (any case: names stand in file names).
fn unique(sources: &mut Sources, scopes: &[Scope], key: &str, read: fn(&Sources, Scope) -> Option<String>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for scope in scopes {
        let Some(value) = read(sources, *scope) else { continue };
        let path = sources.path(*scope, key);
        let here = sources.place_of(&path);
        if let Some(first) = seen.insert(value.to_ascii_lowercase(), here) {
            sources.problem(&path, format!("{key} {value:?} stands at {first} already; each needs its own"));
        }
    }
}

fn somebody(sources: &mut Sources, tenants: &[Scope]) {
    let enabled = |scope: &Scope| sources.get(*scope, "tenant.enabled", word::flag) != Some(false);
    if tenants.is_empty() {
        sources
            .problem("", "there is no [[tenant]], so there is nobody to serve; see `firstpass config init`".to_owned());
    } else if !tenants.iter().any(enabled) {
        sources.problem(
            "tenant",
            "no tenant is enabled, so there is nobody to serve; set enabled = true for one".to_owned(),
        );
    }
}

fn feeds_have_tenants(sources: &mut Sources, tenants: &[Scope], feeds: &[Scope]) {
    let known: Vec<String> =
        tenants.iter().filter_map(|scope| sources.get(*scope, "tenant.name", word::name)).collect();
    for feed in feeds {
        let Some(named) = sources.get(*feed, "feed.tenant", word::name) else { continue };
        if known.contains(&named) {
            continue;
        }
        let likeness = |name: &&String| strsim::normalized_damerau_levenshtein(name, &named);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest:?}?"));
        let path = sources.path(*feed, "feed.tenant");
        sources.problem(&path, format!("feed.tenant {named:?} is the name of no [[tenant]]{hint}"));
    }
}

/// What each kind of feed needs, and what makes no sense with it.
fn kinds(sources: &mut Sources, feeds: &[Scope]) {
    for feed in feeds {
        let set = |key: &str| sources.is_set(*feed, key);
        let watermark = set("feed.watermark");
        let query = sources.get(*feed, "feed.query", word::query).unwrap_or_default();
        let complete = sources.get(*feed, "feed.complete", word::flag) == Some(true);
        let problem = match sources.get(*feed, "feed.kind", word::plain).as_deref() {
            Some("sql") => {
                let needed = ["feed.url_file", "feed.query"].into_iter().find(|key| !set(key));
                match needed {
                    Some(key) => Some(("feed.kind", format!("feed.kind = \"sql\" needs {key}"))),
                    None if watermark && complete => Some((
                        "feed.watermark",
                        "feed.watermark reads changes only, so feed.complete = true would make everybody else vanish; leave one of them out".to_owned(),
                    )),
                    None if watermark && !query.contains("$1") && !query.contains('?') => Some((
                        "feed.query",
                        "feed.watermark is bound to the query, which has no place for it; write updated_at >= CAST($1 AS timestamptz) on PostgreSQL, updated_at >= ? elsewhere".to_owned(),
                    )),
                    None => None,
                }
            }
            Some("csv") if !set("feed.folder") => {
                Some(("feed.folder", "feed.folder is needed, as folder = \"/var/lib/firstpass/drop\"".to_owned()))
            }
            Some("csv") => ["feed.url_file", "feed.query", "feed.watermark"]
                .into_iter()
                .find(|key| set(key))
                .map(|key| (key, format!("{key} is for kind = \"sql\"; this feed reads files"))),
            Some(_) | None => None,
        };
        if let Some((key, text)) = problem {
            let path = sources.path(*feed, key);
            sources.problem(&path, text);
        }
    }
}

/// Each drop folder has one feed, and none lies in another's.
fn folders(sources: &mut Sources, feeds: &[Scope]) {
    let mut seen: Vec<(PathBuf, String)> = Vec::new();
    for feed in feeds {
        let Some(written) = sources.get(*feed, "feed.folder", word::plain) else { continue };
        let path = sources.path(*feed, "feed.folder");
        if written.is_empty() {
            sources.problem(&path, "feed.folder is empty; write the path of the drop folder".to_owned());
            continue;
        }
        // Collecting the parts again takes out "//", "/./" and a slash at the end.
        let folder: PathBuf = sources.folder.join(written).components().collect();
        let inside =
            |inner: &PathBuf, outer: &PathBuf| OWN_FOLDERS.iter().any(|own| inner.starts_with(outer.join(own)));
        for (other, place) in &seen {
            let text = if folder == *other {
                format!("feed.folder is the folder of the feed at {place} already; each feed needs its own")
            } else if inside(&folder, other) || inside(other, &folder) {
                format!(
                    "feed.folder lies in firstpass's own folders of the feed at {place}, or the other way round; choose another"
                )
            } else {
                continue;
            };
            sources.problem(&path, text);
        }
        let place = sources.place_of(&path);
        seen.push((folder, place));
    }
}

/// Graph takes 10 to 43200 whole minutes (the bounds are the key's kind).
fn lives(sources: &mut Sources, scope: Scope) {
    let lifetime = sources.get(scope, "pass.lifetime", word::span);
    let shortest = sources.get(scope, "pass.shortest", word::span);
    for (key, value) in [("pass.lifetime", lifetime), ("pass.shortest", shortest)] {
        if value.is_some_and(|value| value.subsec_nanos() != 0 || value.as_secs() % 60 != 0) {
            let path = sources.path(scope, key);
            sources.problem(&path, format!("{key} must be whole minutes: Graph knows nothing shorter"));
        }
    }
    let shown = |value: Duration| humantime::format_duration(value).to_string();
    if let (Some(lifetime), Some(shortest)) = (lifetime, shortest)
        && shortest > lifetime
    {
        let key = if sources.is_set(scope, "pass.shortest") { "pass.shortest" } else { "pass.lifetime" };
        let path = sources.path(scope, key);
        let text = format!(
            "pass.shortest ({}) is longer than pass.lifetime ({}); shorten it",
            shown(shortest),
            shown(lifetime)
        );
        sources.problem(&path, text);
    }
}

/// What the way of the letters needs.
fn way(sources: &mut Sources, scope: Scope) {
    if sources.get(scope, "mail.via", word::plain).as_deref() == Some("graph") {
        return credential(sources, scope, "mail.via", "via = \"graph\"");
    }
    if sources.get(scope, "mail.smtp.host", word::plain).is_none_or(|host| host.is_empty()) {
        let path = sources.path(scope, "mail.smtp.host");
        sources.problem(&path, "mail.smtp.host is needed, as host = \"smtp.contoso.example\"".to_owned());
    }
    login(sources, scope);
    tls(sources, scope);
}

fn login(sources: &mut Sources, scope: Scope) {
    let auth = sources.get(scope, "mail.smtp.auth", word::plain).unwrap_or_default();
    let needed: &[&str] = match auth.as_str() {
        "password" => &["mail.smtp.username", "mail.smtp.password_file"],
        "xoauth2" => &["mail.smtp.username"],
        _ => return,
    };
    let path = sources.path(scope, "mail.smtp.auth");
    for key in needed {
        if sources.get(scope, key, word::plain).is_none_or(|text| text.is_empty()) {
            let or = if auth == "password" { "; or write auth = \"none\"" } else { ", the mailbox" };
            sources.problem(&path, format!("mail.smtp.auth = {auth:?} needs {key}{or}"));
        }
    }
    if auth == "xoauth2" {
        if sources.get(scope, "mail.smtp.tls", word::plain).as_deref() == Some("none") {
            sources.problem(
                &path,
                "mail.smtp.auth = \"xoauth2\" sends a token, so it needs TLS; write tls = \"starttls\" or \"implicit\""
                    .to_owned(),
            );
        }
        credential(sources, scope, "mail.smtp.auth", "auth = \"xoauth2\"");
    }
}

/// Graph mail and XOAUTH2 need the credential of a tenant that is served.
fn credential(sources: &mut Sources, scope: Scope, key: &str, what: &str) {
    let (named, served) = (build::credential(sources, scope), build::served_tenants(sources));
    let (key, text) = match named {
        Some(name) if served.contains(&name) => return,
        Some(name) => (
            "mail.tenant",
            format!("mail.tenant {name:?} is the name of no [[tenant]] that is enabled; {what} uses its credential"),
        ),
        None => (
            key,
            format!(
                "{what} needs mail.tenant: there are {} tenants, and one of them has to lend its credential",
                served.len()
            ),
        ),
    };
    let path = sources.path(scope, key);
    sources.problem(&path, text);
}

/// Plain text never leaves the machine.
fn tls(sources: &mut Sources, scope: Scope) {
    let host = sources.get(scope, "mail.smtp.host", word::plain);
    let tls = sources.get(scope, "mail.smtp.tls", word::plain);
    if let (Some(host), Some("none")) = (host, tls.as_deref())
        && !is_loopback(&host)
    {
        let path = sources.path(scope, "mail.smtp.tls");
        let text = format!(
            "mail.smtp.tls = \"none\" is for loopback addresses only, and {host:?} is none; write starttls or implicit"
        );
        sources.problem(&path, text);
    }
    let port = sources.get(scope, "mail.smtp.port", word::whole);
    let odd = match tls.as_deref() {
        Some("starttls") => port == Some(465),
        Some("implicit") => port == Some(587) || port == Some(25),
        Some(_) | None => false,
    };
    if odd {
        let port = port.unwrap_or_default();
        let place = sources.place_of(&sources.path(scope, "mail.smtp.tls"));
        let text =
            format!("{place}: port {port} seldom goes with this mail.smtp.tls; 587 is for starttls, 465 for implicit");
        if !sources.warnings.contains(&text) {
            sources.warnings.push(text);
        }
    }
}

/// `localhost` by name, or an address that never leaves the machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
