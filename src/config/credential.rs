//! How a tenant is signed in to: exactly one of four ways (contract 3).

use uuid::Uuid;

use super::SecretFile;
use super::build::Scope;
use super::source::Sources;
use super::word;

/// Keys that each name a credential, in the order in which we recommend them.
const KEYS: [&str; 4] =
    ["tenant.managed_identity", "tenant.federated_token_file", "tenant.certificate_file", "tenant.client_secret_file"];

/// A tenant's credential. Its files are read when a token is needed, never here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// One PEM: the private key and the certificate that the app has.
    Certificate {
        /// The app.
        client_id: Uuid,
        /// `certificate_file`.
        file: SecretFile,
    },
    /// The app's client secret.
    Secret {
        /// The app.
        client_id: Uuid,
        /// `client_secret_file`.
        file: SecretFile,
    },
    /// A token of another issuer that the app trusts (workload identity).
    FederatedToken {
        /// The app.
        client_id: Uuid,
        /// `federated_token_file`.
        file: SecretFile,
    },
    /// The machine's own identity in Azure.
    ManagedIdentity {
        /// A user-assigned identity; `None` for the system-assigned one.
        client_id: Option<Uuid>,
    },
}

impl Credential {
    /// What it is, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate",
            Self::Secret { .. } => "client secret",
            Self::FederatedToken { .. } => "federated token",
            Self::ManagedIdentity { client_id: None } => "managed identity (system-assigned)",
            Self::ManagedIdentity { client_id: Some(_) } => "managed identity (user-assigned)",
        }
    }

    /// The file that holds it; a managed identity has none.
    pub fn file(&self) -> Option<&SecretFile> {
        match self {
            Self::Certificate { file, .. } | Self::Secret { file, .. } | Self::FederatedToken { file, .. } => {
                Some(file)
            }
            Self::ManagedIdentity { .. } => None,
        }
    }
}

fn is_set(sources: &Sources, scope: Scope, key: &str) -> bool {
    match key {
        "tenant.managed_identity" => sources.get(scope, key, word::flag) == Some(true),
        _file => sources.is_set(scope, key),
    }
}

/// Exactly one credential, and the app's id where it needs one.
pub(super) fn check(sources: &mut Sources, scope: Scope) {
    let set: Vec<&str> = KEYS.into_iter().filter(|key| is_set(sources, scope, key)).collect();
    match set.as_slice() {
        [] => {
            let path = sources.path(scope, "tenant.certificate_file");
            let text = "this tenant has no credential; set certificate_file (better) or client_secret_file, or \
                        federated_token_file, or managed_identity = true";
            sources.problem(&path, text.to_owned());
        }
        ["tenant.managed_identity"] => {}
        [_] => {
            if !sources.is_set(scope, "tenant.client_id") {
                let path = sources.path(scope, "tenant.client_id");
                let text = "tenant.client_id is needed, as client_id = \"66666666-7777-8888-9999-000000000000\"";
                sources.problem(&path, text.to_owned());
            }
        }
        [.., last] => {
            let path = sources.path(scope, last);
            let text = format!("this tenant has more than one credential: {}; leave one of them", set.join(" and "));
            sources.problem(&path, text);
        }
    }
}

/// `None` only when [`check`] found something wrong.
pub(super) fn build(sources: &Sources, scope: Scope) -> Option<Credential> {
    let client_id = sources.get(scope, "tenant.client_id", word::id);
    if is_set(sources, scope, "tenant.managed_identity") {
        return Some(Credential::ManagedIdentity { client_id });
    }
    let client_id = client_id?;
    if let Some(file) = sources.secret(scope, "tenant.certificate_file") {
        return Some(Credential::Certificate { client_id, file });
    }
    if let Some(file) = sources.secret(scope, "tenant.federated_token_file") {
        return Some(Credential::FederatedToken { client_id, file });
    }
    Some(Credential::Secret { client_id, file: sources.secret(scope, "tenant.client_secret_file")? })
}
