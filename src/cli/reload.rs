//! SIGHUP: the settings and letters are read anew. Bad ones are told as `config test` would tell them, and
//! the old ones stay; good ones go to the service, which takes them between two ticks.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::end::{Trouble, chain};
use super::{open, run};
use crate::serve::notify::Systemd;
use crate::work::Work;

/// From here on SIGHUP does not end this process.
pub(super) fn hangups() -> Result<Signal, Trouble> {
    signal(SignalKind::hangup()).map_err(|error| Trouble::Failed(format!("signals cannot be waited for: {error}")))
}

/// Reads the settings at each SIGHUP; never ends by itself.
pub(super) async fn keep_reloading(
    mut hangups: Signal,
    config: PathBuf,
    current: watch::Receiver<Arc<Work>>,
    reloads: mpsc::Sender<Arc<Work>>,
    systemd: Systemd,
) {
    while hangups.recv().await.is_some() {
        info!(event = "reloading", settings = %config.display(), "SIGHUP: reading {} anew", config.display());
        systemd.reloading();
        let work = Arc::clone(&current.borrow());
        match successor(&config, &work) {
            Ok(next) => {
                work.counts.settings_reloaded(false);
                if reloads.send(Arc::new(next)).await.is_err() {
                    return; // it is stopping
                }
            }
            Err(trouble) => {
                for line in trouble.to_string().lines() {
                    error!(event = "settings-bad", "{line}");
                }
                error!(event = "settings-bad", "the new settings cannot be used; the old ones stay in force");
                work.counts.settings_reloaded(true);
                systemd.kept();
            }
        }
    }
}

fn successor(config: &std::path::Path, work: &Work) -> Result<Work, Trouble> {
    let settings = open::settings(config)?;
    for tenant in run::unusable_tenants(&settings)? {
        error!(event = "tenant-unusable", "{tenant}; the other tenants are served");
    }
    work.successor(settings).map_err(|error| Trouble::Settings(chain(&error)))
}
