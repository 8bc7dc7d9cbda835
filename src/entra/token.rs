//! Tokens, by Microsoft's own client, over our own HTTP.
//!
//! azure_identity caches and renews. Ours are two things: every call has an end, and a token or a
//! secret that is refused can only be got rid of with its credential, so [`Token::forget`] drops that
//! and the file is read again. A file that was replaced makes a new credential at the next token. No
//! token, no secret and no answer of the token endpoint is ever printed.

use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::credential::{self, Making};
use super::skew::Skew;
use super::{EntraError, wire};
use crate::clock::Clock;
use crate::config::{self, Credential, Limits, Mark};
use crate::counts::Counts;
use crate::rules::verdict::Failure;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Microsoft Graph.
    Graph,
    /// Exchange Online by SMTP, with XOAUTH2.
    Outlook,
}

/// The credential, made at first use, after each [`Token::forget`], and when its file was replaced.
pub(super) struct Token {
    settings: config::Tenant,
    limits: Limits,
    graph: String,
    outlook: String,
    clock: Clock,
    skew: Arc<Skew>,
    counts: Counts,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    credential: Option<Arc<dyn TokenCredential>>,
    /// Counts the credentials made, so that two who met the same 401 drop one credential, not two.
    age: u64,
    /// The file that the credential was made of.
    mark: Option<Mark>,
}

/// A token and the age of its credential. Not printable.
pub(super) struct Bearer {
    pub(super) secret: Secret,
    pub(super) age: u64,
}

impl Token {
    pub(super) fn new(
        settings: &config::Tenant,
        limits: &Limits,
        clock: Clock,
        skew: Arc<Skew>,
        counts: Counts,
    ) -> Self {
        let graph = format!("{}/.default", settings.graph_url.origin().ascii_serialization());
        let outlook = format!("{}/.default", settings.cloud.outlook());
        let slot = Mutex::default();
        Self { settings: settings.clone(), limits: limits.clone(), graph, outlook, clock, skew, counts, slot }
    }

    /// A token for this scope.
    ///
    /// # Errors
    /// `Unauthorized` when the credential cannot be read or is refused, also after its file was read
    /// again, else `NotSent` or `Throttled`: without a token nothing was sent to Graph, so nothing is
    /// ever `Unknown` here.
    pub(super) async fn get(&self, client: &reqwest::Client, scope: Scope) -> Result<Bearer, Failure> {
        let refused = match self.once(client, scope).await {
            (Err(refused @ Failure::Unauthorized(_)), mark) if mark != self.mark() => refused,
            (outcome, _) => return outcome,
        };
        // Replaced while we asked: that credential is the one to judge.
        tracing::info!(
            event = "credential-replaced",
            tenant = self.settings.name,
            "the credential was refused ({refused}), and has just been replaced"
        );
        self.once(client, scope).await.0
    }

    async fn once(&self, client: &reqwest::Client, scope: Scope) -> (Result<Bearer, Failure>, Option<Mark>) {
        let (credential, age, mark) = match self.credential(client).await {
            Ok(made) => made,
            Err(why) => return (Err(why.failure(&self.key())), None),
        };
        let scopes = [match scope {
            Scope::Graph => self.graph.as_str(),
            Scope::Outlook => self.outlook.as_str(),
        }];
        let within = self.limits.graph_request;
        let outcome = match tokio::time::timeout(within, credential.get_token(&scopes, None)).await {
            // azure_identity takes `{}` for a token of no letters.
            Ok(Ok(token)) if token.token.secret().is_empty() => {
                Failure::NotSent("no token: the answer of the token endpoint holds none".to_owned())
            }
            Ok(Ok(token)) => return (Ok(Bearer { secret: token.token, age }), mark),
            Ok(Err(error)) => wire::sorted(&error),
            Err(_) => Failure::NotSent(format!("no token within {within:?}")),
        };
        // The next one reads the file again: an admin may have put a new secret there.
        self.forget(age).await;
        (Err(outcome), mark)
    }

    /// Drops the credential of this age, and its tokens with it.
    pub(super) async fn forget(&self, age: u64) {
        let mut slot = self.slot.lock().await;
        if slot.age == age {
            slot.credential = None;
        }
    }

    /// Drops the credential, whatever its age.
    pub(super) async fn forget_all(&self) {
        self.slot.lock().await.credential = None;
    }

    async fn credential(
        &self,
        client: &reqwest::Client,
    ) -> Result<(Arc<dyn TokenCredential>, u64, Option<Mark>), EntraError> {
        let mut slot = self.slot.lock().await;
        let mark = self.mark();
        if let Some(credential) = slot.credential.clone() {
            // A file that is gone, or is just being written, is no reason to let go what works.
            if mark.is_none() || mark == slot.mark {
                return Ok((credential, slot.age, slot.mark));
            }
            let (tenant, key) = (&self.settings.name, self.key());
            if let Err(why) = credential::look(&self.settings, self.clock.now()) {
                // Half written, or wrong: told once, and the old one serves as long as it can.
                tracing::warn!(
                    event = "credential-unusable",
                    tenant,
                    "{key} was replaced, and is not used yet: {}",
                    why.words()
                );
                slot.mark = mark;
                return Ok((credential, slot.age, mark));
            }
            tracing::info!(event = "credential-replaced", tenant, "{key} was replaced");
        }
        let making = Making {
            tenant: &self.settings,
            limits: &self.limits,
            clock: &self.clock,
            client,
            skew: &self.skew,
            counts: &self.counts,
        };
        let credential = making.credential()?;
        slot.age += 1;
        slot.credential = Some(Arc::clone(&credential));
        slot.mark = mark;
        Ok((credential, slot.age, mark))
    }

    /// The file as it is now. Federated tokens are replaced all the time, and read at each request:
    /// a new one is no reason to drop what the old one got.
    fn mark(&self) -> Option<Mark> {
        match &self.settings.credential {
            Credential::Certificate { file, .. } | Credential::Secret { file, .. } => file.mark(),
            Credential::FederatedToken { .. } | Credential::ManagedIdentity { .. } => None,
        }
    }

    fn key(&self) -> String {
        self.settings.credential.file().map_or_else(|| "managed_identity".to_owned(), |file| file.key().to_owned())
    }
}

/// The claims of a Graph token that we read. Nothing is decided by them: Graph checks the token.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: Vec<String>,
}

/// The application permissions in a token, sorted.
///
/// # Errors
/// The token is none of the form `header.claims.signature`.
pub(super) fn roles(token: &Secret) -> Result<Vec<String>, Failure> {
    let unreadable = || Failure::Unknown {
        why: "the token does not show its permissions (not a JSON web token)".to_owned(),
        retry_after: None,
    };
    let claims = token.secret().split('.').nth(1).ok_or_else(unreadable)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).map_err(|_| unreadable())?;
    let mut roles = serde_json::from_slice::<Claims>(&claims).map_err(|_| unreadable())?.roles;
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_from_the_claims() {
        let token = |claims: &str| Secret::new(format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims)));
        assert_eq!(roles(&token(r#"{"roles":["B","A","B"],"tid":"x"}"#)).unwrap(), ["A", "B"]);
        assert_eq!(roles(&token("{}")).unwrap(), Vec::<String>::new());
        for opaque in ["", "abc", "a.b", "a.!.c"] {
            assert!(roles(&Secret::new(opaque.to_owned())).is_err(), "{opaque}");
        }
    }
}
