//! `check`: every setting and file, and every database of a feed, one line each with the fix.
//!
//! Looks only: makes nothing. With `--offline` it opens no connection and no state. Permissions at
//! Entra and the mail server are not asked here.

mod database;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{Access, access};
use serde::Serialize;

use super::end::{End, Trouble, chain};
use super::open;
use super::out::Out;
use super::words::utc_text;
use crate::config::letters;
use crate::config::{
    Auth, Feed, FeedKind, Mail, SecretError, SecretFile, Settings, Smtp, Tenant, Tls, Via, tz_versions,
};
use crate::entra::EntraError;
use crate::entra::credential::{self, Standing as Credential};
use crate::feed::csv;
use crate::feed::tidy::read_at;
use crate::rules::calendar::Zone;
use crate::rules::staged::Verdict;

/// What is looked at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look at settings and files only; ask nobody.
    #[arg(long)]
    offline: bool,
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Ok,
    /// Works, but an admin should know.
    Note,
    Wrong,
}

#[derive(Debug, Serialize)]
struct Finding {
    standing: Standing,
    what: String,
    /// What is so, and the fix.
    text: String,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Ok, what: what.into(), text: text.into() });
    }

    fn note(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Note, what: what.into(), text: text.into() });
    }

    fn wrong(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { standing: Standing::Wrong, what: what.into(), text: text.into() });
    }
}

/// Looks.
pub async fn check(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings_quietly(config)?;
    let mut found = Findings::default();
    of_settings(&settings, config, &mut found);
    for tenant in &settings.tenants {
        of_tenant(tenant, &mut found);
    }
    of_mail(&settings, &mut found);
    of_state(&settings, &mut found);
    for feed in &settings.feeds {
        match &feed.kind {
            FeedKind::Csv => {
                of_folder(feed, &mut found);
                of_newest_file(feed, &settings, &mut found);
                of_rhythm(feed, open::now(), &mut found);
            }
            FeedKind::Sql(sql) => {
                if !sql.own_folder || feed.folder.exists() {
                    of_folder(feed, &mut found);
                }
                database::of_settings(feed, sql, &mut found);
                if !args.offline {
                    database::of_database(feed, sql, &mut found).await;
                }
            }
        }
    }
    of_zones(&settings, &mut found);
    if !args.offline {
        of_stopped_feeds(&settings, &mut found).await;
        found.note("tenants and mail", "permissions at Entra and the mail server are not asked by this version");
    }
    print(&found.0, out)?;
    let wrong = found.0.iter().any(|finding| finding.standing == Standing::Wrong);
    Ok(if wrong { End::NeedsAPerson } else { End::Done })
}

fn print(found: &[Finding], out: Out) -> Result<(), Trouble> {
    if out.is_json() {
        return Ok(out.document(&found)?);
    }
    let word = |standing| match standing {
        Standing::Ok => "ok   ",
        Standing::Note => "note ",
        Standing::Wrong => "WRONG",
    };
    Ok(out.lines(found.iter().map(|one| format!("{} {}: {}", word(one.standing), one.what, one.text)))?)
}

fn of_settings(settings: &Settings, config: &Path, found: &mut Findings) {
    let (tenants, feeds) = (settings.tenants.len(), settings.feeds.len());
    found.ok("settings", format!("{}: {tenants} tenant(s), {feeds} feed(s)", config.display()));
    for warning in &settings.warnings {
        found.note("settings", warning);
    }
    for key in &settings.without_effect {
        found.note(key, "is set, and has no effect in this version");
    }
}

fn of_tenant(tenant: &Tenant, found: &mut Findings) {
    let what = format!("tenant {}", tenant.name);
    if !tenant.enabled {
        return found.note(what, "enabled = false: nothing is done for it");
    }
    of_credential(&what, tenant, found);
    of_certificates(&what, tenant.ca_file.as_deref(), found);
    found.note(what, "guard.group is empty: everybody whom the feed names may get a pass");
}

/// Which credential, and how long a certificate still lives; nobody is asked whether it is taken.
fn of_credential(what: &str, tenant: &Tenant, found: &mut Findings) {
    let (name, now) = (tenant.credential.name(), open::now());
    let key = tenant.credential.file().map(SecretFile::key).unwrap_or_default();
    match credential::look(tenant, now) {
        Ok(Credential::Readable) => {
            found.ok(what, format!("signs in by {name}: {key} can be read, and by nobody else"));
        }
        Ok(Credential::ManagedIdentity) => {
            found.note(what, format!("signs in by {name}; whether this machine has one shows at the first token"));
        }
        Ok(Credential::Certificate(look)) => {
            let (thumbprint, days) = (&look.thumbprint, look.days_left(now));
            let ends =
                format!("signs in by {name} {thumbprint}, which ends in {days} days, on {}", look.until.date_naive());
            if look.ends_soon(now) {
                found.note(what, format!("{ends}; make a new one, upload it to Entra, then replace {key}"));
            } else {
                found.ok(what, ends);
            }
        }
        Err(EntraError::Secret(error)) => unreadable(what, &error, found),
        Err(error) => found.wrong(what, chain(&error)),
    }
}

fn of_secret(what: &str, file: &SecretFile, found: &mut Findings) {
    match file.read() {
        Ok(_) => found.ok(what, format!("{} can be read, and by nobody else", file.key())),
        Err(error) => unreadable(what, &error, found),
    }
}

fn unreadable(what: &str, error: &SecretError, found: &mut Findings) {
    let text = chain(error);
    let text = text.strip_prefix(what).map_or(text.as_str(), |rest| rest.trim_start_matches(", "));
    let fix = match error {
        SecretError::Missing { .. } => "; put the secret into it, mode 0600, or name another file",
        SecretError::Open { .. } | SecretError::Unfit { .. } | SecretError::Unreadable { .. } => "",
    };
    found.wrong(what, format!("{text}{fix}"));
}

fn of_certificates(what: &str, file: Option<&Path>, found: &mut Findings) {
    let Some(file) = file else { return };
    match fs::read_to_string(file) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
            found.ok(what, format!("ca_file {} holds certificates", file.display()));
        }
        Ok(_) => found.wrong(what, format!("ca_file {} holds no PEM certificate; name one that does", file.display())),
        Err(error) => found.wrong(what, format!("ca_file {}: {error}; correct the path or its mode", file.display())),
    }
}

fn of_mail(settings: &Settings, found: &mut Findings) {
    of_way("mail", &settings.mail, found);
    for tenant in settings.tenants.iter().filter(|tenant| tenant.enabled && tenant.mail.via != settings.mail.via) {
        of_way(&format!("mail of tenant {}", tenant.name), &tenant.mail, found);
    }
    let mut seen = BTreeSet::new();
    let own = settings.tenants.iter().filter(|tenant| tenant.enabled).map(|tenant| &tenant.mail);
    for mail in std::iter::once(&settings.mail).chain(own) {
        if seen.insert((mail.templates.clone(), mail.language.clone())) {
            of_letters(mail, found);
        }
    }
}

/// The folder of an admin's own letters.
fn of_letters(mail: &Mail, found: &mut Findings) {
    let Some(folder) = &mail.templates else { return };
    match letters::letters(mail) {
        Ok(letters) if letters.warnings().is_empty() => {
            found.ok("letters", format!("those in {} can be written", folder.display()));
        }
        Ok(letters) => {
            letters.warnings().iter().for_each(|unwise| found.note("letters", letters::sentence(mail, unwise)));
        }
        Err(error) => error.problems.iter().for_each(|problem| found.wrong("letters", problem.to_string())),
    }
}

fn of_way(what: &str, mail: &Mail, found: &mut Findings) {
    match &mail.via {
        Via::Smtp(smtp) => of_smtp(what, smtp, found),
        Via::Graph { tenant } => found.ok(
            what,
            format!(
                "Microsoft Graph sends as {} with the credential of tenant {tenant}; give the app \"Application Mail.Send\" in Exchange Online for this mailbox alone, and no Mail.Send in Entra, which would be for every mailbox",
                mail.from.address.as_str()
            ),
        ),
    }
}

/// Servers that take passwords no longer, or soon not.
fn ends_passwords(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.ends_with(".office365.com") || host.ends_with(".office365.us") || host.ends_with(".outlook.com")
}

fn of_smtp(what: &str, smtp: &Smtp, found: &mut Findings) {
    match &smtp.auth {
        Auth::None => {
            found.note(what, format!("no login at {}: the server must take our letters without one", smtp.host));
        }
        Auth::Password => {
            if let Some(file) = &smtp.password_file {
                of_secret(what, file, found);
            }
            if ends_passwords(&smtp.host) {
                found.note(what, format!("{} ends logins with a password (December 2026 for most tenants); write mail.smtp.auth = \"xoauth2\" or mail.via = \"graph\"", smtp.host));
            }
        }
        Auth::Xoauth2 { tenant } => found.ok(what, format!("signs in at {} as {} with a token of tenant {tenant}; the app needs SMTP.SendAsApp for this mailbox, and SMTP AUTH must be on for it", smtp.host, smtp.username)),
    }
    of_certificates(what, smtp.ca_file.as_deref(), found);
    match smtp.tls {
        Tls::Starttls | Tls::Implicit => {}
        Tls::None => {
            found.note(what, format!("letters go to {} in the clear, which is for tests on one machine", smtp.host));
        }
    }
}

fn of_state(settings: &Settings, found: &mut Findings) {
    let Some(file) = open::state_file(settings) else { return };
    let what = "state";
    let shown = file.display();
    let Ok(metadata) = fs::metadata(&file) else {
        let folder = file.parent().unwrap_or(Path::new("/"));
        return match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => found.ok(what, format!("{shown} is made at the first run")),
            Err(error) => found.wrong(
                what,
                format!(
                    "{} is no folder that we may write to ({error}); make it: install -d -m 0700 {0}",
                    folder.display()
                ),
            ),
        };
    };
    if !metadata.is_file() {
        return found.wrong(what, format!("{shown} is no file; name another in state.url"));
    }
    let mode = metadata.mode() & 0o777;
    let wanted = if settings.state.group.is_some() { 0o640 } else { 0o600 };
    if mode & !wanted != 0 {
        return found.wrong(what, format!("{shown} has mode {mode:04o}; run: chmod {wanted:04o} {shown}"));
    }
    match access(&file, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => found.ok(what, format!("{shown} is there and may be written")),
        Err(error) => found.wrong(
            what,
            format!(
                "{shown} may not be written by this user ({error}); run as the service's user, or correct its owner"
            ),
        ),
    }
}

/// What the service could not read the last time.
async fn of_stopped_feeds(settings: &Settings, found: &mut Findings) {
    let Ok(store) = open::existing_state(settings).await else { return };
    for gate in store.gates().await.unwrap_or_default() {
        let served = |name: &str| {
            let feed = settings.feeds.iter().find(|feed| feed.name == name);
            feed.and_then(|feed| settings.tenant(&feed.tenant)).is_some_and(|tenant| tenant.enabled)
        };
        if let (Some(name), Some(why)) = (gate.name.strip_prefix("feed/").filter(|name| served(name)), gate.stopped) {
            found.wrong(format!("feed {name}"), format!("not read since {}: {why}", utc_text(gate.since)));
        }
    }
    store.close().await;
}

fn of_folder(feed: &Feed, found: &mut Findings) {
    let what = format!("feed {}", feed.name);
    let folder = feed.folder.display();
    match fs::metadata(&feed.folder) {
        Err(error) => {
            found.wrong(what, format!("folder {folder}: {error}; make it, writable for this user and for HR"));
        }
        Ok(metadata) if !metadata.is_dir() => found.wrong(what, format!("{folder} is no folder; name another")),
        Ok(metadata) if metadata.mode() & 0o002 != 0 => {
            found.wrong(
                what,
                format!("everybody may write to {folder}, and its rows say who is hired; run: chmod o-w {folder}"),
            );
        }
        Ok(_) => match access(&feed.folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => found.ok(what, format!("{folder} may be read and written")),
            Err(error) => found
                .wrong(what, format!("{folder} may not be written by this user ({error}); correct its owner or mode")),
        },
    }
}

/// Reads the newest file as the feed would, and throws it away.
fn of_newest_file(feed: &Feed, settings: &Settings, found: &mut Findings) {
    let newest = ["", "done"].iter().find_map(|part| newest_in(&feed.folder.join(part)));
    let (Some(path), Some(tenant)) = (newest, settings.tenant(&feed.tenant)) else { return };
    let what = format!("feed {}", feed.name);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return found.wrong(what, format!("newest file {name}: {error}")),
    };
    let mut bad: u64 = 0;
    let read = csv::read(file, &csv::Rules::of(feed, &tenant.rules), open::now(), |batch| {
        for row in &batch.rows {
            bad += u64::from(row.verdict == Verdict::Bad);
        }
        true
    });
    match read {
        Ok(reading) if bad == 0 => {
            found.ok(what, format!("newest file {name}: none of {} row(s) rejected", reading.rows));
        }
        Ok(reading) => found.note(
            what,
            format!("newest file {name}: {} rows, {bad} rejected; `firstpass import --dry-run` says why", reading.rows),
        ),
        Err(error) => found.wrong(what, format!("newest file {name}: {error}")),
    }
}

/// When the last file was read, by the names in the folder: the state is not opened here.
fn of_rhythm(feed: &Feed, now: DateTime<Utc>, found: &mut Findings) {
    let names = ["done", "rejected", "held"].into_iter().flat_map(|part| fs::read_dir(feed.folder.join(part)));
    let read = names.flatten().flatten().filter_map(|file| read_at(file.file_name().to_str()?)).max();
    let Some(read) = read else { return };
    if (now - read).to_std().is_ok_and(|age| age > feed.expect_every) {
        let every = humantime::format_duration(feed.expect_every);
        found.note(
            format!("feed {}", feed.name),
            format!(
                "overdue: the last file was read {}, and expect_every is {every}; see whether HR's export still runs, or raise it",
                super::words::utc_text(read)
            ),
        );
    }
}

fn newest_in(folder: &Path) -> Option<std::path::PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().filter(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        let ours = name.ends_with(".report.json");
        let waits = [".tmp", ".part", ".filepart"].iter().any(|end| name.ends_with(end));
        !name.starts_with('.') && !ours && !waits && file.file_type().is_ok_and(|kind| kind.is_file())
    });
    files.max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).ok()).map(|file| file.path())
}

fn of_zones(settings: &Settings, found: &mut Findings) {
    let what = "time zones";
    let versions = tz_versions();
    let bundled = versions.bundled;
    let folder = versions.folder.unwrap_or_default();
    let folder = folder.display();
    match versions.system.as_deref() {
        None => found.note(
            what,
            format!(
                "the system has no zone data; the bundled {bundled} are used. Install tzdata to get new laws by updates"
            ),
        ),
        Some(system) if system.starts_with("20") && system < bundled => {
            found.note(
                what,
                format!(
                    "the system's data {system} in {folder} are older than the bundled {bundled}, and are used; update tzdata"
                ),
            );
        }
        Some(system) => found.ok(what, format!("the system's data {system} in {folder} are used (bundled: {bundled})")),
    }
    let mut used: BTreeSet<&str> =
        settings.feeds.iter().flat_map(|feed| feed.zones.values()).map(Zone::as_str).collect();
    used.extend(settings.tenants.iter().filter_map(|tenant| tenant.rules.zone.as_ref()).map(Zone::as_str));
    if !used.is_empty() {
        found.ok(what, format!("the settings name {}", used.into_iter().collect::<Vec<_>>().join(", ")));
    }
}
