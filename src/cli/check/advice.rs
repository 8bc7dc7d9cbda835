//! What `check` adds to a failure of Microsoft's that has no remedy in its own words: one for each kind.

use crate::rules::verdict::{Failure, Said};

/// Passes by itself.
const LATER: &str =
    "; that passes by itself: run `firstpass check` again in some minutes. The service waits for it and needs nobody";

/// Behind the failure of a question for which the app needs this permission; empty: for none.
pub(super) fn advice(failure: &Failure, permission: &str) -> String {
    match failure {
        Failure::NotSent(_) => {
            "; see that this host reaches Microsoft, then run `firstpass check` again".to_owned()
        }
        Failure::Throttled { .. } | Failure::Unknown { .. } => LATER.to_owned(),
        Failure::Refused(Said { status: 403, .. }) if !permission.is_empty() => format!(
            "; see in Entra that the app has {permission} as an application permission of Microsoft Graph, with admin consent"
        ),
        Failure::Refused(_) => {
            "; nothing here explains that: look for the code in Microsoft's documentation of Graph, and give their support the request-id".to_owned()
        }
        // The sentences of the sign-in have remedies of their own.
        Failure::Unauthorized(_) => String::new(),
    }
}
