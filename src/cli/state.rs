//! `state check`, `state backup FILE`, `state migrate`: the state database.
//!
//! None of them changes what stands in it; only `migrate` brings its tables up to date, as `run` would.
//! What a backup is worth and how one is brought back stands in `deploy/operations.md`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::end::{End, Trouble};
use super::out::Out;
use super::words::utc_text;
use super::{open, progress};
use crate::config::Settings;
use crate::store::{Condition, Copied, Older, Store, room};

/// What of the state.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Looks through the whole state: pages, values, versions, room, who serves it. Changes nothing.
    #[command(
        after_help = "Example: firstpass state check\n\nExit status: 0 the state is whole, 1 it is damaged, open to others or cannot be read, or its disk is full."
    )]
    Check,
    /// Copies the state while it is served, looks at the copy, and then gives it its name.
    #[command(after_help = "Example: firstpass state backup /var/backups/firstpass/state.db")]
    Backup {
        /// The copy; it must not be there yet, but for --replace.
        file: PathBuf,
        /// Put it in the place of an older copy, once the new one was looked through.
        #[arg(long)]
        replace: bool,
        /// Say what would be copied, and copy nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Brings the tables up to date, as the next `run` would; the service must be stopped.
    #[command(after_help = "Example: firstpass state migrate --dry-run")]
    Migrate {
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    match act {
        Act::Check => check(&settings, out).await,
        Act::Backup { file, replace, dry_run } => {
            let older = if replace { Older::Replace } else { Older::Keep };
            backup(&settings, (&file, older), dry_run, out).await
        }
        Act::Migrate { dry_run } => migrate(&settings, dry_run, out).await,
    }
}

/// What `state check --json` prints.
#[derive(Debug, Serialize)]
struct Checked {
    path: String,
    bytes: u64,
    /// What the disk still takes; null when nobody can say.
    free_bytes: Option<u64>,
    /// As `chmod` writes it.
    mode: String,
    /// Version of the tables, and the one this firstpass works with.
    version: i64,
    newest: i64,
    /// Empty when the state is whole.
    faults: Vec<String>,
    /// How many hires in each state.
    hires: serde_json::Map<String, serde_json::Value>,
    /// Passes whose end is not known yet.
    unsettled: i64,
    events: i64,
    heartbeat_utc: Option<String>,
    /// The process that serves it, or null.
    served_by: Option<String>,
}

async fn check(settings: &Settings, out: Out) -> Result<End, Trouble> {
    let looked = progress::watched("looking through the state", out, Store::condition(&settings.state.url)).await?;
    let closed = if settings.state.group.is_some() { 0o640 } else { 0o600 };
    let open = looked.mode & !closed != 0;
    let has_room = looked.free.is_none_or(|free| free >= room::SCARCE);
    let whole = looked.faults.is_empty() && !open && has_room;
    if out.is_json() {
        let hires = looked.hires.iter().map(|(state, n)| (state.clone(), (*n).into())).collect();
        out.document(&Checked {
            path: looked.path.display().to_string(),
            bytes: looked.bytes,
            free_bytes: looked.free,
            mode: format!("{:04o}", looked.mode),
            version: looked.version,
            newest: looked.newest,
            faults: looked.faults,
            hires,
            unsettled: looked.unsettled,
            events: looked.events,
            heartbeat_utc: looked.heartbeat.map(utc_text),
            served_by: looked.served_by,
        })?;
    } else {
        out.paragraphs(lines(&looked, open.then_some(closed)))?;
    }
    Ok(if whole { End::Done } else { End::NeedsAPerson })
}

/// One line each, the fix with it.
fn lines(looked: &Condition, close_to: Option<u32>) -> Vec<String> {
    let path = looked.path.display();
    let mut lines = vec![format!("{path}: {} KiB, mode {:04o}", looked.bytes.div_ceil(1024), looked.mode)];
    if let Some(mode) = close_to {
        lines.push(format!("wrong: others may read it; run: chmod {mode:04o} {path}"));
    }
    match looked.free {
        Some(free) if free < room::SCARCE => lines.push(format!("wrong: {}", room::too_little(free))),
        Some(free) => lines.push(format!("its disk has room for {}", room::in_mib(free))),
        None => {}
    }
    for fault in &looked.faults {
        lines.push(format!("wrong: {fault}"));
    }
    lines.push(match looked.faults.len() {
        0 => "every page, value and reference was looked at: whole".to_owned(),
        _ => "it is damaged: stop the service, keep this file, and restore a backup (deploy/operations.md)".to_owned(),
    });
    lines.push(if looked.version < looked.newest {
        format!("tables of version {}, this firstpass works with {}: `firstpass state migrate`, or the next `run`, brings them up to date", looked.version, looked.newest)
    } else {
        format!("tables of version {}, as this firstpass works with", looked.version)
    });
    let hires: Vec<String> = looked.hires.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let hires = if hires.is_empty() { "none".to_owned() } else { hires.join(", ") };
    lines.push(format!("hires: {hires}; {} events; {} passes are not settled", looked.events, looked.unsettled));
    let heartbeat =
        looked.heartbeat.map_or_else(|| "it was never served".to_owned(), |at| format!("last served {}", utc_text(at)));
    lines.push(match &looked.served_by {
        Some(process) => format!("served right now by {process}; {heartbeat}"),
        None => format!("not served right now; {heartbeat}"),
    });
    lines
}

/// What `state backup --json` prints.
#[derive(Debug, Serialize)]
struct Backed {
    from: String,
    to: String,
    /// `null` for a dry run.
    bytes: Option<u64>,
    hires: Option<i64>,
    events: Option<i64>,
    version: Option<i64>,
    dry_run: bool,
}

async fn backup(settings: &Settings, (to, older): (&Path, Older), dry_run: bool, out: Out) -> Result<End, Trouble> {
    let url = &settings.state.url;
    let from = open::state_file(settings).unwrap_or_default().display().to_string();
    let copied: Option<Copied> = if dry_run {
        Store::versions(url).await?;
        Store::room_for_backup(url, to, older).await?;
        None
    } else {
        Some(progress::watched("copying the state", out, Store::backup(url, to, older)).await?)
    };
    if out.is_json() {
        out.document(&Backed {
            from,
            to: to.display().to_string(),
            bytes: copied.as_ref().map(|copied| copied.bytes),
            hires: copied.as_ref().map(|copied| copied.hires),
            events: copied.as_ref().map(|copied| copied.events),
            version: copied.as_ref().map(|copied| copied.version),
            dry_run,
        })?;
    } else {
        out.paragraphs([match copied {
            None => format!("{from} would be copied to {}", to.display()),
            Some(copied) => format!(
                "{from} was copied to {} and the copy looked through: {} KiB, {} hires, {} events, tables of version {}",
                to.display(),
                copied.bytes.div_ceil(1024),
                copied.hires,
                copied.events,
                copied.version
            ),
        }])?;
    }
    Ok(End::Done)
}

/// What `state migrate --json` prints.
#[derive(Debug, Serialize)]
struct Migrated {
    from: i64,
    to: i64,
    dry_run: bool,
}

async fn migrate(settings: &Settings, dry_run: bool, out: Out) -> Result<End, Trouble> {
    let url = &settings.state.url;
    let versions = Store::versions(url).await?;
    let older = versions.found < versions.newest;
    if older && !dry_run {
        // An older service that still runs must not find other tables below its feet.
        let _lock = Store::lock_before_opening(url)?;
        let store = progress::watched("bringing the tables up to date", out, open::state(settings)).await?;
        store.close().await;
    }
    if out.is_json() {
        out.document(&Migrated { from: versions.found, to: versions.newest, dry_run })?;
    } else {
        out.paragraphs([match (older, dry_run) {
            (false, _) => format!("the tables are of version {} already; nothing to do", versions.found),
            (true, true) => format!(
                "the tables would go from version {} to {}; make a backup first: `firstpass state backup FILE`",
                versions.found, versions.newest
            ),
            (true, false) => format!("the tables went from version {} to {}", versions.found, versions.newest),
        }])?;
    }
    Ok(End::Done)
}
