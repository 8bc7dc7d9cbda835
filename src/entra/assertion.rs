//! What we say to Entra instead of a secret: a short-lived statement signed with the certificate's key,
//! or a token of another issuer that Entra trusts.
//!
//! Both are made or read anew for each token request, and never kept. The format is Microsoft's
//! (certificate credentials: PS256, `x5t#S256`, `aud` = the token endpoint, a `jti` of its own).

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use uuid::Uuid;

use super::certificate::{self, Certificate};
use super::{EntraError, wire};
use crate::clock::Clock;
use crate::config::SecretFile;

/// Life of an assertion: it is used at once. Microsoft advises five to ten minutes.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// Signs with the certificate that lies in the file at that moment.
pub(super) struct Signed {
    pub(super) file: SecretFile,
    pub(super) client_id: Uuid,
    /// The token endpoint's address.
    pub(super) audience: String,
    pub(super) clock: Clock,
}

/// Hands on the token that lies in the file at that moment.
pub(super) struct Federated {
    pub(super) file: SecretFile,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: i64,
    iat: i64,
    iss: String,
    jti: String,
    nbf: i64,
    sub: String,
}

impl Signed {
    fn sign(&self, now: DateTime<Utc>) -> Result<String, EntraError> {
        let certificate = certificate::read(&self.file, now)?;
        signed(&certificate, self.client_id, &self.audience, now).map_err(|what| EntraError::Certificate {
            key: self.file.key().to_owned(),
            file: self.file.place().to_owned(),
            what,
        })
    }
}

/// The assertion; or why this key cannot sign.
pub(super) fn signed(
    certificate: &Certificate,
    client_id: Uuid,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<String, String> {
    let header = Header { x5t_s256: Some(certificate.x5t_s256.clone()), ..Header::new(Algorithm::PS256) };
    let claims = Claims {
        aud: audience,
        exp: (now + LIFE).timestamp(),
        iat: now.timestamp(),
        iss: client_id.to_string(),
        jti: Uuid::new_v4().to_string(),
        nbf: now.timestamp(),
        sub: client_id.to_string(),
    };
    jsonwebtoken::encode(&header, &claims, &certificate.key)
        .map_err(|_| "holds an RSA key that cannot sign; make a new pair".to_owned())
}

#[async_trait]
impl ClientAssertion for Signed {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign(self.clock.now()).map_err(|why| wire::hidden(why.failure(self.file.key())))
    }
}

#[async_trait]
impl ClientAssertion for Federated {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = self.file.read().map_err(|why| wire::hidden(EntraError::from(why).failure(self.file.key())))?;
        Ok(token.expose_secret().trim().to_owned())
    }
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("file", &self.file).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Federated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Federated").field("file", &self.file).finish_non_exhaustive()
    }
}
