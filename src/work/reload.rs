//! New settings for a running worker (SIGHUP): what it holds in memory goes to its successor.
//!
//! The state and its lock, the leases and this process's name in them stay. Codes in hand go along,
//! but for those of a tenant that is served no more, or whose name means another directory now: their
//! passes are deleted, as at a stop. Clients, letters and rules are made anew, and every feed is called
//! again.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::{Work, WorkError, lock};
use crate::config::Settings;
use crate::store::StoreError;

impl Work {
    /// A worker with these settings in the place of this one; opens no connection and takes nothing
    /// yet. The state stays where it is, whatever they say, and so does the port: told.
    ///
    /// # Errors
    /// As [`Work::new`]; this worker then goes on.
    pub fn successor(&self, mut settings: Settings) -> Result<Self, WorkError> {
        let (old, new) = (&self.settings, &mut settings);
        if (&new.state.url, &new.state.group) != (&old.state.url, &old.state.group) {
            warn!(
                event = "settings-odd",
                "state.url and state.group are read at the start only; the state stays where it is until a restart"
            );
            new.state.url.clone_from(&old.state.url);
            new.state.group.clone_from(&old.state.group);
        }
        if new.serve.listen != old.serve.listen {
            warn!(
                event = "settings-odd",
                "serve.listen is read at the start only; the port stays as it is until a restart"
            );
            new.serve.listen = old.serve.listen;
        }
        let (limits, store, clock) = (self.limits.clone(), self.store.clone(), self.clock.clone());
        let next = Self::counting(Arc::new(settings), limits, store, clock, self.counts.clone())?;
        Ok(Self { worker: self.worker, pulse: Arc::clone(&self.pulse), ..next })
    }

    /// A tenant of this name is served by both, and is the same one: its passes can be found and deleted.
    fn same_directory(&self, next: &Self, tenant: &str) -> bool {
        let place = |work: &Self| {
            let tenant = work.settings.tenant(tenant).filter(|tenant| work.serves(&tenant.name))?;
            Some((tenant.tenant_id, tenant.cloud, tenant.graph_url.clone()))
        };
        place(self).is_some_and(|old| place(next) == Some(old))
    }

    /// Gives what is in memory to the successor; this worker does nothing any more.
    ///
    /// # Errors
    /// Of our own database, while passes of a tenant that is gone were deleted.
    pub async fn hand_over_to(&self, next: &Self) -> Result<(), StoreError> {
        let held = std::mem::take(&mut *self.in_hand.lock().await);
        let (kept, left): (Vec<_>, Vec<_>) = held.into_iter().partition(|one| self.same_directory(next, one.tenant()));
        if !kept.is_empty() {
            info!(
                event = "letters-handed-over",
                letters = kept.len(),
                "{} letters that wait go on with the new settings",
                kept.len()
            );
        }
        next.in_hand.lock().await.extend(kept);
        *next.eyes.lock().await = std::mem::take(&mut *self.eyes.lock().await);
        *lock(&next.refused) = std::mem::take(&mut *lock(&self.refused));
        *lock(&next.makes_none) = std::mem::take(&mut *lock(&self.makes_none));
        *self.in_hand.lock().await = left;
        let patience = self.settings.schedule.stop_within / 2;
        let stopped = tokio::time::timeout(patience, self.stop()).await.unwrap_or_else(|_| {
            error!(
                event = "pass-not-deleted",
                "not every pass of a tenant that is gone could be deleted in time; it is settled later"
            );
            Ok(0)
        });
        // A letter of such a tenant that could not be written down is settled when the tenant is back.
        stopped.map(drop)
    }
}
