//! What most commands begin with: the settings, the state, the operator's name, the time.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::end::Trouble;
use crate::clock::Clock;
use crate::config::{Settings, environment};
use crate::store::{Open, Store};

/// The time, for commands.
pub fn now() -> DateTime<Utc> {
    Clock::System.now()
}

/// Reads the settings, warnings into the log; 78 with every problem when they are unusable.
pub fn settings(config: &Path) -> Result<Settings, Trouble> {
    let settings = settings_quietly(config)?;
    for warning in &settings.warnings {
        warn!(event = "settings-odd", "{warning}");
    }
    Ok(settings)
}

/// The same for a command that says the warnings itself.
pub fn settings_quietly(config: &Path) -> Result<Settings, Trouble> {
    Ok(Settings::load(config, environment())?)
}

/// Opens the state, and makes it when there is none. Its whole file is checked, as `run` wants it.
pub async fn state(settings: &Settings) -> Result<Store, Trouble> {
    open(settings, false).await
}

async fn open(settings: &Settings, skip_check: bool) -> Result<Store, Trouble> {
    Ok(Store::open(&settings.state.url, &Open { group: settings.state.group.clone(), skip_check }).await?)
}

/// Opens the state that there is: a command that reads makes none.
pub async fn existing_state(settings: &Settings) -> Result<Store, Trouble> {
    match state_file(settings) {
        Some(file) if !file.exists() => Err(Trouble::Failed(format!(
            "there is no state at {}: `firstpass run` or `firstpass import` makes it, or `state.url` names another place",
            file.display()
        ))),
        Some(_) | None => open(settings, true).await,
    }
}

/// The file of a SQLite state.
pub fn state_file(settings: &Settings) -> Option<PathBuf> {
    let path = settings.state.url.strip_prefix("sqlite:")?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// Who acts, for the record: `ada`, `root (sudo by ada)`, `uid 1234`.
pub fn operator() -> String {
    let uid = rustix::process::getuid();
    let name = account(uid.as_raw());
    let sudo = environment().find(|(key, _)| key == "SUDO_USER").map(|(_, user)| user);
    match sudo {
        Some(user) if uid.is_root() && user != name => format!("{name} (sudo by {user})"),
        Some(_) | None => name,
    }
}

/// The name of an account of this machine, or `uid 1234`.
pub fn account(uid: u32) -> String {
    std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|users| name_of(&users, uid))
        .unwrap_or_else(|| format!("uid {uid}"))
}

/// The name of a group of this machine, or `gid 1234`.
pub fn group(gid: u32) -> String {
    std::fs::read_to_string("/etc/group")
        .ok()
        .and_then(|groups| name_of(&groups, gid))
        .unwrap_or_else(|| format!("gid {gid}"))
}

/// Users and groups have name and number in the same places of their lines.
fn name_of(names: &str, id: u32) -> Option<String> {
    let id = id.to_string();
    names.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_have_names() {
        let users = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_of(users, 1000).as_deref(), Some("ada"));
        assert_eq!(name_of(users, 7), None);
        assert_eq!(name_of("root:x:0:\nshadow:x:42:ada,grace\n", 42).as_deref(), Some("shadow"));
    }
}
