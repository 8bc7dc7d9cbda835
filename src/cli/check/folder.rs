//! `check`, of a drop folder: its mode, its newest file, and when one was read last.
//!
//! A file is read where it lies, as the feed would, and left there; nothing is moved or written.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{Access, Mode, OFlags, access, open as fs_open};

use super::findings::{Findings, Key};
use super::people::Sample;
use crate::cli::open;
use crate::cli::rhythm::answer;
use crate::cli::words::utc_text;
use crate::config::{Feed, Settings};
use crate::feed::csv;
use crate::feed::folder::left_alone;
use crate::feed::tidy::{is_report, read_at};
use crate::rules::staged::Verdict;
use crate::store::Store;

/// Everything about it; what came of the newest file.
pub(super) fn of_drop(feed: &Feed, settings: &Settings, found: &mut Findings) -> Sample {
    of_folder(feed, found);
    let sample = of_newest_file(feed, settings, found);
    of_rhythm(feed, open::now(), found);
    sample
}

pub(super) fn of_folder(feed: &Feed, found: &mut Findings) {
    let what = format!("feed {}", feed.name);
    let folder = feed.folder.display();
    match fs::metadata(&feed.folder) {
        Err(error) => {
            found.wrong(
                Key::Folder,
                what,
                format!("folder {folder}: {error}; make it, writable for this user and for HR"),
            );
        }
        Ok(metadata) if !metadata.is_dir() => {
            found.wrong(Key::Folder, what, format!("{folder} is no folder; name another"));
        }
        Ok(metadata) if metadata.mode() & 0o002 != 0 => {
            found.wrong(
                Key::Folder,
                what,
                format!("everybody may write to {folder}, and its rows say who is hired; run: chmod o-w {folder}"),
            );
        }
        Ok(_) => match access(&feed.folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => match closed_part(&feed.folder) {
                None => found.ok(Key::Folder, what, format!("{folder} may be read and written")),
                Some(why) => found.wrong(Key::Folder, what, why),
            },
            Err(error) => found.wrong(
                Key::Folder,
                what,
                format!("{folder} may not be written by this user ({error}); correct its owner or mode"),
            ),
        },
    }
}

/// A part of the drop folder into which files could not be moved, and what to do. One that is missing is
/// made when the folder is first read.
fn closed_part(folder: &Path) -> Option<String> {
    ["work", "done", "rejected", "held"].iter().find_map(|part| {
        let part = folder.join(part);
        let shown = part.display();
        match fs::symlink_metadata(&part) {
            Err(_) => None,
            Ok(metadata) if !metadata.is_dir() => Some(format!("{shown} is no folder; move it away")),
            Ok(_) => access(&part, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
                .err()
                .map(|error| format!("{shown} may not be written by this user ({error}); correct its owner or mode")),
        }
    })
}

/// Reads the newest file as the feed would, and throws it away.
fn of_newest_file(feed: &Feed, settings: &Settings, found: &mut Findings) -> Sample {
    let newest = ["", "done"].iter().find_map(|part| newest_in(&feed.folder.join(part)));
    let (Some(path), Some(tenant)) = (newest, settings.tenant(&feed.tenant)) else { return Sample::of_nothing() };
    let what = format!("feed {}", feed.name);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // HR may write here: what was a file a moment ago may be a link or a pipe now.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match fs_open(&path, flags, Mode::empty()).map(File::from) {
        Ok(file) => file,
        Err(error) => {
            found.wrong(Key::File, what, format!("newest file {name}: {error}"));
            return Sample::of_nothing();
        }
    };
    let mut sample = Sample::of(format!("the newest file {name}"));
    let mut bad: u64 = 0;
    let read = csv::read(file, &csv::Rules::of(feed, &tenant.rules), open::now(), |batch| {
        for row in &batch.rows {
            bad += u64::from(matches!(row.verdict, Verdict::Bad | Verdict::BadPast));
        }
        sample.take(batch);
        true
    });
    match read {
        Ok(reading) if bad == 0 => {
            found.ok(Key::File, what, format!("newest file {name}: none of {} row(s) rejected", reading.rows));
        }
        Ok(reading) => found.note(
            Key::File,
            what,
            format!("newest file {name}: {} rows, {bad} rejected; `firstpass import --dry-run` says why", reading.rows),
        ),
        Err(error) => {
            found.wrong(Key::File, what, format!("newest file {name}: {error}"));
            return Sample::of_nothing();
        }
    }
    sample
}

/// When the last file was read, by the names in the folder: the state is not opened here.
fn of_rhythm(feed: &Feed, now: DateTime<Utc>, found: &mut Findings) {
    let names = ["done", "rejected", "held"].into_iter().flat_map(|part| fs::read_dir(feed.folder.join(part)));
    let read = names.flatten().flatten().filter_map(|file| read_at(file.file_name().to_str()?)).max();
    let Some(read) = read else { return };
    if (now - read).to_std().is_ok_and(|age| age > feed.expect_every) {
        let every = humantime::format_duration(feed.expect_every);
        found.note(Key::Rhythm,
            format!("feed {}", feed.name),
            format!(
                "overdue: the last file was read {}, and expect_every is {every}; see whether HR's export still runs, or raise it",
                utc_text(read)
            ),
        );
    }
}

fn newest_in(folder: &Path) -> Option<std::path::PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().filter(|file| {
        let name = file.file_name();
        let unread = left_alone(name.as_bytes()) || name.to_str().is_some_and(is_report);
        !unread && file.file_type().is_ok_and(|kind| kind.is_file())
    });
    files.max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).ok()).map(|file| file.path())
}

/// What the service could not read the last time, and what waits for an answer.
pub(super) async fn of_stopped_feeds(settings: &Settings, store: &Store, found: &mut Findings) {
    for gate in store.gates().await.unwrap_or_default() {
        let served = |name: &str| {
            let feed = settings.feeds.iter().find(|feed| feed.name == name);
            feed.and_then(|feed| settings.tenant(&feed.tenant)).is_some_and(|tenant| tenant.enabled)
        };
        if let (Some(name), Some(why)) = (gate.name.strip_prefix("feed/").filter(|name| served(name)), gate.stopped) {
            let text = format!("not read since {}: {why}", utc_text(gate.since));
            found.wrong(Key::Rhythm, format!("feed {name}"), text);
        }
    }
    for feed in &settings.feeds {
        for file in store.held_files(&feed.name).await.unwrap_or_default() {
            let why = store.held_why(file.id).await.unwrap_or_default();
            let text = format!("{} is held: {why}. {}", file.file, answer(&file.file));
            found.note(Key::File, format!("feed {}", feed.name), text);
        }
    }
}
