//! What stands for a secret at the token endpoint: an assertion signed by a certificate of the app, or
//! a token of another issuer that the app trusts.
//!
//! Refusals have the numbers of Entra's documentation. Signatures of the app's certificates are
//! checked; those of other issuers are not (there is nobody to ask for their keys).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{DecodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Number, Value};
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::certificate::X509Certificate;

use super::directory::Directory;

/// By so much may the clocks of app and tenant differ.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// What tokens of other issuers are made for.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// The only kind.
pub(super) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// AADSTS number and words.
pub(super) type Refused = (u32, String);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: Option<Number>,
    nbf: Option<Number>,
}

/// Seconds since 1970, also with a fraction (RFC 7519 2; Microsoft's own clients send one).
fn instant(seconds: &Number) -> Option<DateTime<Utc>> {
    let since = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::from_std(since).ok()?)
}

/// Whether the assertion proves the app `client_id`, to this token endpoint and now.
pub(super) fn judge(
    now: DateTime<Utc>,
    directory: &Directory,
    endpoint: &str,
    client_id: &str,
    assertion: &str,
) -> Result<(), Refused> {
    let unreadable = || (50_027, "JWT token is invalid or malformed.".to_owned());
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| unreadable())?;
    let claims = assertion.split('.').nth(1).ok_or_else(unreadable)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| unreadable())?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| unreadable())?;
    if claims.iss == client_id {
        signed(now, directory, &header, assertion)?;
        if claims.sub != client_id {
            let words = "Client assertion application identifier doesn't match 'client_id' parameter.";
            return Err((700_021, words.to_owned()));
        }
        audience(&claims, endpoint)?;
    } else {
        trusted(directory, &claims)?;
    }
    in_time(now, &claims)
}

fn in_time(now: DateTime<Utc>, claims: &Claims) -> Result<(), Refused> {
    let until = claims.exp.as_ref().and_then(instant);
    let from = claims.nbf.as_ref().map_or(Some(now), instant);
    if until.is_some_and(|until| until > now - TOLERANCE) && from.is_some_and(|from| from < now + TOLERANCE) {
        return Ok(());
    }
    let words = format!(
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from:?}, expiry time of assertion {until:?}."
    );
    Err((700_024, words))
}

fn audience(claims: &Claims, wanted: &str) -> Result<(), Refused> {
    if claims.aud == wanted {
        return Ok(());
    }
    Err((700_023, "Client assertion audience claim does not match Realm issuer.".to_owned()))
}

/// By a certificate of the app that is valid now, named by its thumbprint.
fn signed(now: DateTime<Utc>, directory: &Directory, header: &Header, assertion: &str) -> Result<(), Refused> {
    let refused = |reason: &str| {
        let words = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}]"
        );
        (700_027, words)
    };
    // Microsoft's own clients send the thumbprint with its padding, others by SHA-1.
    let is = |x5t: &String, digest: &[u8]| x5t.trim_end_matches('=') == URL_SAFE_NO_PAD.encode(digest);
    let named = |der: &&Vec<u8>| match (&header.x5t_s256, &header.x5t) {
        (Some(x5t), _) => is(x5t, &Sha256::digest(der)),
        (None, Some(x5t)) => is(x5t, &Sha1::digest(der)),
        (None, None) => false,
    };
    let der = directory.certificates.iter().find(named).ok_or_else(|| refused("The key was not found."))?;
    let unreadable = || refused("The key cannot be read.");
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable())?;
    if now.timestamp() > certificate.validity().not_after.timestamp() {
        return Err(refused("The key used is expired."));
    }
    let key = DecodingKey::from_rsa_der(&certificate.public_key().subject_public_key.data);
    let mut only_the_signature = Validation::new(header.alg);
    only_the_signature.required_spec_claims.clear();
    only_the_signature.validate_exp = false;
    only_the_signature.validate_aud = false;
    jsonwebtoken::decode::<Value>(assertion, &key, &only_the_signature)
        .map(drop)
        .map_err(|_| (700_027, "Client assertion failed signature validation.".to_owned()))
}

/// A federated credential of the app names this issuer and subject.
fn trusted(directory: &Directory, claims: &Claims) -> Result<(), Refused> {
    let no_match = |number, what: &str, value: &str| {
        (number, format!("No matching federated identity record found for presented assertion {what} '{value}'."))
    };
    let Some((_, subject)) = directory.federated.iter().find(|(issuer, _)| *issuer == claims.iss) else {
        return Err(no_match(700_211, "issuer", &claims.iss));
    };
    if *subject != claims.sub {
        return Err(no_match(700_213, "subject", &claims.sub));
    }
    if claims.aud != EXCHANGE && claims.aud != serde_json::json!([EXCHANGE]) {
        return Err(no_match(700_212, "audience", &claims.aud.to_string()));
    }
    Ok(())
}
