//! Passes that outlive a restart of `sandbox --serve`, as they outlive everything at Microsoft.
//!
//! Never a code: whoever restarts the model may look at its passes, but nobody signs in with one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sandbox::tenant::{ModelPass, ModelTenant};

/// Passes that are kept; a model's history needs no more.
const MOST: usize = 50_000;

/// One pass on disk.
#[derive(Serialize, Deserialize)]
struct KeptPass {
    user: Uuid,
    #[serde(flatten)]
    pass: ModelPass,
}

/// Every pass of the tenant, as JSON without codes.
///
/// # Errors
/// Those of the JSON writer.
pub fn text(tenant: &ModelTenant) -> serde_json::Result<String> {
    let mut passes = tenant.all_passes();
    passes.sort_by_key(|(_, pass)| pass.created);
    let newest = passes.len().saturating_sub(MOST);
    let kept: Vec<KeptPass> = passes.into_iter().skip(newest).map(|(user, pass)| KeptPass { user, pass }).collect();
    serde_json::to_string_pretty(&kept)
}

/// Puts the passes of an earlier run back; says how many.
///
/// # Errors
/// The text is none of ours.
pub fn remember(text: &str, tenant: &ModelTenant) -> serde_json::Result<usize> {
    let kept: Vec<KeptPass> = serde_json::from_str(text)?;
    let n = kept.len();
    for KeptPass { user, pass } in kept {
        tenant.remember(user, pass);
    }
    Ok(n)
}
