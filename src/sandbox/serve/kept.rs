//! Passes that outlive a restart of `sandbox --serve`, as they outlive everything at Microsoft.
//!
//! Never a code: whoever restarts the model may look at its passes, but nobody signs in with one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sandbox::tenant::{ModelPass, ModelTenant};

/// Passes that are kept; a model's history needs no more.
const MOST: usize = 50_000;

/// One pass on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptPass {
    user: Uuid,
    id: String,
    created: DateTime<Utc>,
    start: DateTime<Utc>,
    lifetime_min: i64,
    one_time: bool,
    used: bool,
    deleted_at: Option<DateTime<Utc>>,
    overridden_by: Option<String>,
    by_app: bool,
}

/// Every pass of the tenant, as JSON without codes.
///
/// # Errors
/// Those of the JSON writer.
pub fn text(tenant: &ModelTenant) -> serde_json::Result<String> {
    let mut passes = tenant.all_passes();
    passes.sort_by_key(|(_, pass)| pass.created);
    let newest = passes.len().saturating_sub(MOST);
    let kept: Vec<KeptPass> = passes
        .into_iter()
        .skip(newest)
        .map(|(user, pass)| KeptPass {
            user,
            id: pass.id,
            created: pass.created,
            start: pass.start,
            lifetime_min: pass.lifetime_min,
            one_time: pass.one_time,
            used: pass.used,
            deleted_at: pass.deleted_at,
            overridden_by: pass.overridden_by,
            by_app: pass.by_app,
        })
        .collect();
    serde_json::to_string_pretty(&kept)
}

/// Puts the passes of an earlier run back; says how many.
///
/// # Errors
/// The text is none of ours.
pub fn remember(text: &str, tenant: &ModelTenant) -> serde_json::Result<usize> {
    let kept: Vec<KeptPass> = serde_json::from_str(text)?;
    let n = kept.len();
    for pass in kept {
        let user = pass.user;
        tenant.remember(
            user,
            ModelPass {
                id: pass.id,
                code: String::new(),
                created: pass.created,
                start: pass.start,
                lifetime_min: pass.lifetime_min,
                one_time: pass.one_time,
                used: pass.used,
                deleted_at: pass.deleted_at,
                overridden_by: pass.overridden_by,
                by_app: pass.by_app,
            },
        );
    }
    Ok(n)
}
