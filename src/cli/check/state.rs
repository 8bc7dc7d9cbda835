//! `check`, of the state: its place and mode, whether it is ours, of our time and whole, and the room on
//! its disk. One line, but for the room.
//!
//! Looks only: the file is opened so that nothing can be written, also beside it, and none is made.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::time::timeout;

use super::findings::{Findings, Key};
use crate::cli::end::chain;
use crate::cli::open;
use crate::config::Settings;
use crate::store::{Store, StoreError, Versions, room};

const WHAT: &str = "state";

/// Says whether it is there and can be read as it is.
pub(super) async fn of_state(settings: &Settings, patience: Duration, found: &mut Findings) -> bool {
    let Some(file) = open::state_file(settings) else { return true };
    let readable = of_file(settings, &file, patience, found).await;
    of_room(&file, found);
    readable
}

async fn of_file(settings: &Settings, file: &Path, patience: Duration, found: &mut Findings) -> bool {
    match of_place(settings, file) {
        Place::NotYet(Ok(text)) => {
            found.ok(Key::State, WHAT, text);
            return false;
        }
        Place::NotYet(Err(text)) | Place::Wrong(text) => {
            found.wrong(Key::State, WHAT, text);
            return false;
        }
        Place::There => {}
    }
    let shown = file.display();
    match timeout(patience, Store::soundness(&settings.state.url)).await {
        Ok(Ok(Versions { found: version, newest })) if version < newest => {
            found.note(Key::State, WHAT, format!("{shown} is whole, with tables of version {version}; the next `firstpass run` brings them to {newest}. Make a backup first: `firstpass state backup FILE`"));
            false
        }
        Ok(Ok(_)) => {
            found.ok(Key::State, WHAT, format!("{shown} is whole and may be written"));
            true
        }
        Ok(Err(error)) => {
            found.wrong(Key::State, WHAT, format!("{}{}", chain(&error), fix(&error)));
            false
        }
        Err(_) => {
            found.wrong(Key::State, WHAT, super::hangs(patience));
            false
        }
    }
}

/// What lies where the state is to be.
enum Place {
    /// A file with the right mode that this user may write.
    There,
    /// Nothing; whether it can be made.
    NotYet(Result<String, String>),
    Wrong(String),
}

fn of_place(settings: &Settings, file: &Path) -> Place {
    let shown = file.display();
    let Ok(metadata) = fs::metadata(file) else {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let may = access(folder, Access::WRITE_OK | Access::EXEC_OK);
        return Place::NotYet(may.map(|()| format!("{shown} is made at the first run")).map_err(|error| {
            let folder = folder.display();
            format!("{folder} is no folder that we may write to ({error}); make it: install -d -m 0700 {folder}")
        }));
    };
    if !metadata.is_file() {
        return Place::Wrong(format!("{shown} is no file; name another in state.url"));
    }
    let mode = metadata.mode() & 0o777;
    let wanted = if settings.state.group.is_some() { 0o640 } else { 0o600 };
    if mode & !wanted != 0 {
        return Place::Wrong(format!("{shown} has mode {mode:04o}; run: chmod {wanted:04o} {shown}"));
    }
    match access(file, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Place::There,
        Err(error) => Place::Wrong(format!(
            "{shown} may not be written by this user ({error}); run as the service's user, or correct its owner"
        )),
    }
}

/// What the error's own sentence does not say.
fn fix(error: &StoreError) -> &'static str {
    match error {
        StoreError::Corrupt(_) => " (deploy/operations.md, Restore)",
        StoreError::Unavailable(_) => "; see its disk, and who else has it open",
        StoreError::Full(_)
        | StoreError::Unusable(_)
        | StoreError::Foreign(_)
        | StoreError::Newer(_)
        | StoreError::Locked(_) => "",
    }
}

/// A disk that is full today stops tomorrow's letters.
fn of_room(file: &Path, found: &mut Findings) {
    let Some(free) = room::free(file) else { return };
    if free < room::SCARCE {
        found.wrong(Key::State, WHAT, room::too_little(free));
    } else if free < room::LITTLE {
        let text = format!("its disk has room for {} only; make more, before a morning needs it", room::in_mib(free));
        found.note(Key::State, WHAT, text);
    }
}
