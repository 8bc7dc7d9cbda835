//! `check`, of files: the settings, what tenants sign in with, certificates to trust.
//!
//! Opens no connection and makes nothing. A file's content is read only to see whether it fits, and
//! never shown.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::findings::{Findings, Key};
use crate::cli::end::chain;
use crate::cli::open;
use crate::config::{SecretError, SecretFile, Settings, Tenant, authorities};
use crate::entra::EntraError;
use crate::entra::credential::{self, Standing as Credential};

pub(super) fn of_settings(settings: &Settings, config: &Path, found: &mut Findings) {
    let (tenants, feeds) = (settings.tenants.len(), settings.feeds.len());
    found.ok(Key::Settings, "settings", format!("{}: {tenants} tenant(s), {feeds} feed(s)", config.display()));
    of_mode(config, found);
    for warning in &settings.warnings {
        found.note(Key::Settings, "settings", warning);
    }
    for key in &settings.without_effect {
        found.note(Key::Settings, key, "is set, and has no effect in this version");
    }
}

/// Whoever may write the settings says whose passes go where.
fn of_mode(config: &Path, found: &mut Findings) {
    let Ok(metadata) = fs::metadata(config) else { return };
    let shown = config.display();
    if metadata.mode() & 0o002 != 0 {
        let text =
            format!("everybody may write to {shown}, which says whom passes are made for; run: chmod o-w {shown}");
        found.wrong(Key::Settings, "settings", text);
    }
}

/// Root may do everything, so modes and owners that would stop the service look well.
pub(super) fn of_account(settings: &Settings, found: &mut Findings) {
    let Some(file) = open::state_file(settings).filter(|_| rustix::process::geteuid().is_root()) else { return };
    let folder = file.parent().unwrap_or(Path::new("/"));
    let Ok(owner) = fs::metadata(&file).or_else(|_| fs::metadata(folder)).map(|metadata| metadata.uid()) else {
        return;
    };
    if owner != 0 {
        let (shown, name) = (folder.display(), open::account(owner));
        let text = format!(
            "asked as root, who may do everything, while {shown} belongs to {name}: whether files and folders are open to the service shows when it is asked as that account (deploy/operations.md has the command)"
        );
        found.note(Key::State, "state", text);
    }
}

/// Says whether its credential can be tried.
pub(super) fn of_tenant(tenant: &Tenant, found: &mut Findings) -> bool {
    let what = format!("tenant {}", tenant.name);
    if !tenant.enabled {
        found.note(Key::Tenant, what, "enabled = false: nothing is done for it");
        return false;
    }
    let usable = of_credential(&what, tenant, found);
    of_certificates(&what, tenant.ca_file.as_deref(), found);
    found.ok(Key::Tenant, what, "everybody whom its feeds name may get a pass");
    usable
}

/// Which credential, and how long a certificate still lives; nobody is asked whether it is taken.
fn of_credential(what: &str, tenant: &Tenant, found: &mut Findings) -> bool {
    let (name, now) = (tenant.credential.name(), open::now());
    let key = tenant.credential.file().map(SecretFile::key).unwrap_or_default();
    let looked = credential::look(tenant, now);
    let usable = looked.is_ok();
    match looked {
        Ok(Credential::Readable) => {
            let readers = tenant.credential.file().map(readers).unwrap_or_default();
            found.ok(Key::Credential, what, format!("signs in by {name}: {key} {readers}"));
        }
        Ok(Credential::ManagedIdentity) => {
            found.note(
                Key::Credential,
                what,
                format!("signs in by {name}; whether this machine has one shows at the first token"),
            );
        }
        Ok(Credential::Certificate(look)) => {
            let (thumbprint, days) = (&look.thumbprint, look.days_left(now));
            let ends =
                format!("signs in by {name} {thumbprint}, which ends in {days} days, on {}", look.until.date_naive());
            if look.ends_soon(now) {
                found.note(
                    Key::Credential,
                    what,
                    format!("{ends}; make a new one, upload it to Entra, then replace {key}"),
                );
            } else {
                found.ok(Key::Credential, what, ends);
            }
        }
        Err(EntraError::Secret(error)) => unreadable(Key::Credential, what, &error, found),
        Err(error) => found.wrong(Key::Credential, what, chain(&error)),
    }
    usable
}

pub(super) fn of_secret(what: &str, file: &SecretFile, found: &mut Findings) {
    match file.read() {
        Ok(_) => found.ok(Key::Mail, what, format!("{} {}", file.key(), readers(file))),
        Err(error) => unreadable(Key::Mail, what, &error, found),
    }
}

/// By whom, as its mode says. Whoever mounted a secret may let everybody read it.
fn readers(file: &SecretFile) -> String {
    match fs::metadata(file.place()).map(|metadata| (metadata.mode(), metadata.gid())) {
        Ok((mode, _)) if mode & 0o004 != 0 => "can be read, and is mounted so that everybody here can".to_owned(),
        Ok((mode, gid)) if mode & 0o040 != 0 => {
            format!("can be read by this account and the group {}, and by nobody else", open::group(gid))
        }
        Ok(_) => "can be read, and by nobody else".to_owned(),
        Err(_) => "can be read".to_owned(),
    }
}

fn unreadable(key: Key, what: &str, error: &SecretError, found: &mut Findings) {
    let text = chain(error);
    let fix = match error {
        SecretError::Missing { .. } => "; put the secret into it, mode 0600, or name another file",
        SecretError::Open { .. } | SecretError::Unfit { .. } | SecretError::Unreadable { .. } => "",
    };
    found.wrong(key, what, format!("{text}{fix}"));
}

pub(super) fn of_certificates(what: &str, file: Option<&Path>, found: &mut Findings) {
    let Some(file) = file else { return };
    let shown = file.display();
    match authorities(file) {
        Ok(_) => found.ok(Key::CaFile, what, format!("ca_file {shown} holds certificates")),
        Err(why) => {
            found.wrong(Key::CaFile, what, format!("ca_file {shown} {why}; name a file of certificates in PEM"));
        }
    }
}
