//! Tokens, by Microsoft's own client, over our own HTTP.
//!
//! azure_identity caches and renews (5 minutes early). Three things are ours: its retries are off (a
//! wrong certificate kept it busy for 82 s), every call has an end, and a token that Graph refuses
//! can only be got rid of with its credential, so [`Token::forget`] drops that and the secret file is
//! read again. No token, no secret and no answer of the token endpoint is ever printed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::failure;
use super::http::{self, Bounds};
use crate::clock::Clock;
use crate::config;
use crate::rules::verdict::{Failure, Said};

/// A token answer has some kilobytes; many roles make it longer.
const TOKEN_BODY: usize = 64 * 1024;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Microsoft Graph.
    Graph,
    /// Exchange Online by SMTP, with XOAUTH2.
    Outlook,
}

/// The credential, made at first use and after each [`Token::forget`].
pub(super) struct Token {
    settings: config::Tenant,
    graph: String,
    outlook: String,
    within: Duration,
    clock: Clock,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    credential: Option<Arc<ClientSecretCredential>>,
    /// Counts the credentials made, so that two who met the same 401 drop one credential, not two.
    age: u64,
}

/// A token and the age of its credential. Not printable.
pub(super) struct Bearer {
    pub(super) secret: Secret,
    pub(super) age: u64,
}

impl Token {
    pub(super) fn new(settings: &config::Tenant, within: Duration, clock: Clock) -> Self {
        let graph = format!("{}/.default", settings.graph_url.origin().ascii_serialization());
        let outlook = format!("{}/.default", settings.cloud.outlook());
        Self { settings: settings.clone(), graph, outlook, within, clock, slot: Mutex::default() }
    }

    /// A token for this scope.
    ///
    /// # Errors
    /// `Unauthorized` when the secret cannot be read or the credential is refused, else `NotSent` or
    /// `Throttled`: without a token nothing was sent to Graph, so nothing is ever `Unknown` here.
    pub(super) async fn get(&self, client: &reqwest::Client, scope: Scope) -> Result<Bearer, Failure> {
        let (credential, age) = self.credential(client).await?;
        let scopes = [match scope {
            Scope::Graph => self.graph.as_str(),
            Scope::Outlook => self.outlook.as_str(),
        }];
        let outcome = match tokio::time::timeout(self.within, credential.get_token(&scopes, None)).await {
            // azure_identity takes `{}` for a token of no letters.
            Ok(Ok(token)) if token.token.secret().is_empty() => {
                Failure::NotSent("no token: the answer of the token endpoint holds none".to_owned())
            }
            Ok(Ok(token)) => return Ok(Bearer { secret: token.token, age }),
            Ok(Err(error)) => sorted(&error),
            Err(_) => Failure::NotSent(format!("no token within {:?}", self.within)),
        };
        // The next one reads the secret file again: an admin may have put a new secret there.
        self.forget(age).await;
        Err(outcome)
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

    async fn credential(&self, client: &reqwest::Client) -> Result<(Arc<ClientSecretCredential>, u64), Failure> {
        let mut slot = self.slot.lock().await;
        if let Some(credential) = &slot.credential {
            return Ok((Arc::clone(credential), slot.age));
        }
        let credential = self.make(client)?;
        slot.age += 1;
        slot.credential = Some(Arc::clone(&credential));
        Ok((credential, slot.age))
    }

    fn make(&self, client: &reqwest::Client) -> Result<Arc<ClientSecretCredential>, Failure> {
        let secret = self.settings.client_secret_file.read().map_err(|why| ours("client_secret_file", &why))?;
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.settings.login_url.origin().ascii_serialization();
        let wire = Wire {
            client: client.clone(),
            tenant: self.settings.name.clone(),
            within: self.within,
            clock: self.clock.clone(),
        };
        let options = ClientSecretCredentialOptions {
            client_options: ClientOptions {
                retry: RetryOptions::none(),
                transport: Some(Transport::new(Arc::new(wire))),
                cloud: Some(Arc::new(cloud.into())),
                ..ClientOptions::default()
            },
        };
        ClientSecretCredential::new(
            &self.settings.tenant_id.to_string(),
            self.settings.client_id.to_string(),
            Secret::new(secret.expose_secret().to_owned()),
            Some(options),
        )
        .map_err(|why| ours("tenant", &why))
    }
}

/// A credential that cannot even be tried: this tenant stops, told once (contract 3).
fn ours(key: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::Unauthorized(Said { code: key.to_owned(), message: failure::plain(&why.to_string()), ..Said::default() })
}

/// [`Wire`] hides our own sorting in azure_core's error; other errors are about an unreadable answer,
/// and their words are not ours to repeat.
fn sorted(error: &azure_core::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = inner.source();
    }
    Failure::NotSent("no token: the answer of the token endpoint could not be read".to_owned())
}

/// azure_core's way to the network: our client, with our bounds.
struct Wire {
    client: reqwest::Client,
    tenant: String,
    within: Duration,
    clock: Clock,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body().clone() else {
            return Err(hidden(Failure::NotSent("no token: the request is not in memory".to_owned())));
        };
        let mut ours = self.client.post(request.url().clone()).body(body);
        for (name, value) in request.headers().iter() {
            // Ours says who we are; theirs would name the machine and its toolchain.
            if name.as_str() != "user-agent" {
                ours = ours.header(name.as_str(), value.as_str());
            }
        }
        let bounds = Bounds { tenant: &self.tenant, what: "token", within: self.within, body: TOKEN_BODY };
        let answer =
            http::exchange(&self.client, ours, &self.clock, &bounds, |_| {}).await.map_err(|broken| match broken {
                http::Broken::NotSent(why) | http::Broken::Lost(why) => {
                    hidden(Failure::NotSent(format!("no token: {why}")))
                }
            })?;
        if answer.status != 200 {
            return Err(hidden(failure::of_token_answer(&answer)));
        }
        Ok(AsyncRawResponse::from_bytes(answer.status.into(), Headers::new(), answer.body.to_vec()))
    }
}

fn hidden(failure: Failure) -> azure_core::Error {
    azure_core::Error::with_error(ErrorKind::Other, failure, "no token")
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

    #[test]
    fn our_failure_comes_out_of_their_error() {
        let inner = hidden(Failure::NotSent("x".to_owned()));
        let outer = azure_core::Error::with_error(ErrorKind::Credential, inner, "outer");
        assert_eq!(sorted(&outer), Failure::NotSent("x".to_owned()));
    }
}
