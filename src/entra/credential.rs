//! Settings → a credential of azure_identity, over our own wire.
//!
//! Four kinds, one enum. azure_identity caches tokens for each scope and renews them 5 minutes early;
//! its retries are off (a wrong certificate kept it busy for 82 s). Assertions are made at each token
//! request; a client secret is read when the credential is made. Its own certificate feature is
//! OpenSSL, which is why certificates go through `assertion`.

use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use super::assertion::{self, Federated, Signed};
use super::certificate::{self, Look};
use super::skew::Skew;
use super::wire::{Peer, Wire};
use super::{EntraError, http};
use crate::clock::Clock;
use crate::config::{self, Credential, Limits};
use crate::counts::Counts;

/// What is known of a tenant's credential without asking Microsoft; for `check` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The file can be read, and there is no more to see in it.
    Readable,
    /// The certificate is right and can sign.
    Certificate(Look),
    /// Nothing lies on this machine.
    ManagedIdentity,
}

/// Reads the credential as a token request would, and signs once to try.
///
/// # Errors
/// The file cannot be read, or is no certificate with its key; with the remedy.
pub fn look(tenant: &config::Tenant, now: DateTime<Utc>) -> Result<Standing, EntraError> {
    match &tenant.credential {
        Credential::Certificate { client_id, file } => {
            let certificate = certificate::read(file, now)?;
            assertion::signed(&certificate, *client_id, &endpoint(tenant), now).map_err(|what| {
                EntraError::Certificate { key: file.key().to_owned(), file: file.place().to_owned(), what }
            })?;
            Ok(Standing::Certificate(certificate.look))
        }
        Credential::Secret { file, .. } | Credential::FederatedToken { file, .. } => {
            file.read()?;
            Ok(Standing::Readable)
        }
        Credential::ManagedIdentity { .. } => Ok(Standing::ManagedIdentity),
    }
}

/// The token endpoint: where assertions are sent, and their `aud`.
fn endpoint(tenant: &config::Tenant) -> String {
    format!("{}/{}/oauth2/v2.0/token", tenant.login_url.origin().ascii_serialization(), tenant.tenant_id)
}

/// What a credential is made of.
pub(super) struct Making<'a> {
    pub(super) tenant: &'a config::Tenant,
    pub(super) limits: &'a Limits,
    pub(super) clock: &'a Clock,
    /// To Microsoft.
    pub(super) client: &'a reqwest::Client,
    /// Hears the `Date` of token answers.
    pub(super) skew: &'a Arc<Skew>,
    pub(super) counts: &'a Counts,
}

impl Making<'_> {
    /// A credential without tokens.
    ///
    /// # Errors
    /// The secret cannot be read, or azure_identity refuses what it is given.
    pub(super) fn credential(&self) -> Result<Arc<dyn TokenCredential>, EntraError> {
        let tenant_id = self.tenant.tenant_id.to_string();
        match &self.tenant.credential {
            Credential::Secret { client_id, file } => {
                let secret = Secret::new(file.read()?.expose_secret().to_owned());
                let options = ClientSecretCredentialOptions { client_options: self.options(Peer::Microsoft)? };
                let made = ClientSecretCredential::new(&tenant_id, client_id.to_string(), secret, Some(options));
                Ok(made.map_err(|why| odd(&why))?)
            }
            Credential::Certificate { client_id, file } => {
                let signed = Signed {
                    file: file.clone(),
                    client_id: *client_id,
                    audience: endpoint(self.tenant),
                    clock: self.clock.clone(),
                };
                let options = ClientAssertionCredentialOptions { client_options: self.options(Peer::Microsoft)? };
                let made = ClientAssertionCredential::new(tenant_id, client_id.to_string(), signed, Some(options));
                Ok(made.map_err(|why| odd(&why))?)
            }
            Credential::FederatedToken { client_id, file } => {
                let federated = Federated { file: file.clone() };
                let options = ClientAssertionCredentialOptions { client_options: self.options(Peer::Microsoft)? };
                let made = ClientAssertionCredential::new(tenant_id, client_id.to_string(), federated, Some(options));
                Ok(made.map_err(|why| odd(&why))?)
            }
            Credential::ManagedIdentity { client_id } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_string())),
                    client_options: self.options(Peer::ThisMachine)?,
                };
                Ok(ManagedIdentityCredential::new(Some(options)).map_err(|why| odd(&why))?)
            }
        }
    }

    fn options(&self, peer: Peer) -> Result<ClientOptions, EntraError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.tenant.login_url.origin().ascii_serialization();
        let client = match peer {
            Peer::Microsoft => self.client.clone(),
            Peer::ThisMachine => http::to_this_machine(self.limits).map_err(EntraError::Credential)?,
        };
        let wire = Wire {
            client,
            tenant: self.tenant.name.clone(),
            within: self.limits.graph_request,
            clock: self.clock.clone(),
            peer,
            skew: Arc::clone(self.skew),
            counts: self.counts.clone(),
        };
        Ok(ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(wire))),
            cloud: Some(Arc::new(cloud.into())),
            ..ClientOptions::default()
        })
    }
}

fn odd(why: &azure_core::Error) -> EntraError {
    EntraError::Credential(why.to_string())
}
