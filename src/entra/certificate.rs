//! The file of a certificate sign-in: one PEM with the private key and the certificate that the app has.
//!
//! Read anew whenever an assertion is signed, so that a renewed file is used without a restart. What is
//! wrong with a file is said in words that an admin can act on. The key is wiped after use: our copies
//! are [`Zeroizing`], `EncodingKey` wipes itself. Microsoft takes RSA only (the assertion is PS256).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret as _;
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

use super::EntraError;
use crate::config::SecretFile;

/// Microsoft takes no shorter key.
const LEAST_BITS: usize = 2048;
/// rsaEncryption (RFC 8017 A.1), DER.
const RSA: &str = "1.2.840.113549.1.1.1";
/// id-ecPublicKey (RFC 5480 2.1.1).
const EC: &str = "1.2.840.10045.2.1";
/// How to make a right file; ends many of the sentences below.
const MAKE: &str = "make one with: openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 365 -subj /CN=firstpass \
                    -keyout graph-key.pem -out graph-key.pem";

/// A key with its certificate, both valid now. Not printable.
pub(super) struct Certificate {
    pub(super) key: EncodingKey,
    /// For the header of assertions (RFC 7515 4.1.8).
    pub(super) x5t_s256: String,
    pub(super) look: Look,
}

/// What may be shown of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// SHA-1 in hexadecimal capitals, as Entra's pages show it.
    pub thumbprint: String,
    /// Its last instant.
    pub until: DateTime<Utc>,
}

impl Look {
    /// Whole days until the certificate ends.
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.until - now).num_days()
    }

    /// Less than thirty days are left: time to renew it.
    pub fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.until - now < TimeDelta::days(30)
    }
}

/// Reads the file and checks all that can be known without asking Microsoft.
///
/// # Errors
/// The file cannot be read, or what is in it cannot sign; with the remedy.
pub(super) fn read(file: &SecretFile, now: DateTime<Utc>) -> Result<Certificate, EntraError> {
    let text = file.read()?;
    parse(text.expose_secret(), now).map_err(|what| EntraError::Certificate {
        key: file.key().to_owned(),
        file: file.place().to_owned(),
        what,
    })
}

fn parse(text: &str, now: DateTime<Utc>) -> Result<Certificate, String> {
    let sections = sections(text)?;
    let of = |wanted: fn(&str) -> bool| sections.iter().filter(move |section| wanted(&section.label));
    let mut certificates = of(|label| label == "CERTIFICATE");
    let mut keys = of(|label| label.ends_with("PRIVATE KEY"));
    let (certificate, key) = match (certificates.next(), keys.next()) {
        (None, None) => return Err(format!("holds neither a private key nor a certificate in PEM; {MAKE}")),
        (Some(_), None) => {
            return Err("holds a certificate, but no private key; put the key that it was made with into the same \
                        file: cat KEY CERTIFICATE > FILE"
                .to_owned());
        }
        (None, Some(_)) => {
            return Err("holds a private key, but no certificate; put the certificate that Entra has into the same \
                        file: cat KEY CERTIFICATE > FILE"
                .to_owned());
        }
        (Some(certificate), Some(key)) => (certificate, key),
    };
    match (certificates.count(), keys.count()) {
        (0, 0) => {}
        (0, more) => return Err(format!("holds {} private keys; leave the one that the certificate has", more + 1)),
        (more, _) => {
            return Err(format!(
                "holds {} certificates; leave only the one that was uploaded to Entra (its chain is not needed)",
                more + 1
            ));
        }
    }
    pair(key, certificate, now)
}

/// The key belongs to the certificate, which is valid now.
fn pair(key: &Section, certificate: &Section, now: DateTime<Utc>) -> Result<Certificate, String> {
    let rsa = rsa_key(key)?;
    let unreadable = || "holds a certificate that cannot be read; put it there in PEM as it was made".to_owned();
    let (_, parsed) = X509Certificate::from_der(&certificate.der).map_err(|_| unreadable())?;
    let instant = |seconds: i64| DateTime::from_timestamp(seconds, 0).ok_or_else(unreadable);
    let from = instant(parsed.validity().not_before.timestamp())?;
    let until = instant(parsed.validity().not_after.timestamp())?;
    let Ok(PublicKey::RSA(public)) = parsed.public_key().parsed() else {
        return Err(format!("holds a certificate of another key than RSA, which Entra does not take for apps; {MAKE}"));
    };
    let theirs = (significant(public.modulus), significant(public.exponent));
    if rsa_public(&rsa) != Some(theirs) {
        return Err("holds a private key that does not belong to the certificate; put key and certificate of one \
                    pair into it (openssl x509 -noout -modulus, openssl rsa -noout -modulus must say the same)"
            .to_owned());
    }
    let bits = theirs.0.len() * 8;
    if bits < LEAST_BITS {
        return Err(format!("holds an RSA key of {bits} bits, and Microsoft takes {LEAST_BITS} or more; {MAKE}"));
    }
    if now < from {
        return Err(format!("holds a certificate that is valid only from {from} on; is this machine's clock right?"));
    }
    if now > until {
        return Err(format!(
            "holds a certificate that ended on {until}; upload a new one to Entra, then put it here; {MAKE}"
        ));
    }
    Ok(Certificate {
        key: EncodingKey::from_rsa_der(&rsa),
        x5t_s256: URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate.der)),
        look: Look { thumbprint: hex(&Sha1::digest(&certificate.der)), until },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
}

/// The key as PKCS#1 (RFC 8017 A.1.2), which is what signs.
fn rsa_key(key: &Section) -> Result<Zeroizing<Vec<u8>>, String> {
    if key.encrypted || key.label == "ENCRYPTED PRIVATE KEY" {
        return Err("holds an encrypted private key, and nobody is there to type its passphrase; decrypt it with: \
                    openssl pkey -in FILE -out KEY, and protect the file by its mode"
            .to_owned());
    }
    let other = |what: &str| format!("holds {what} key, and Entra takes RSA only for apps (PS256); {MAKE}");
    let unreadable = || "holds a private key that cannot be read; put it there in PEM as it was made".to_owned();
    match key.label.as_str() {
        "PRIVATE KEY" => {}
        "RSA PRIVATE KEY" => return Ok(key.der.clone()),
        "EC PRIVATE KEY" => return Err(other("an elliptic-curve")),
        label => return Err(other(&format!("a {label:?}"))),
    }
    let info = values(&key.der).ok_or_else(unreadable)?;
    let algorithm = info.get(1).and_then(|algorithm| inside(algorithm.data));
    let oid = algorithm.and_then(|parts| parts.first().and_then(|first| Oid::try_from(first.clone()).ok()));
    match oid.ok_or_else(unreadable)?.to_id_string().as_str() {
        RSA => {}
        EC => return Err(other("an elliptic-curve")),
        _ => return Err(other("another kind of")),
    }
    let inner = info.get(2).filter(|inner| inner.tag() == Tag::OctetString).ok_or_else(unreadable)?;
    Ok(Zeroizing::new(inner.data.to_vec()))
}

/// Modulus and exponent of a PKCS#1 private key.
fn rsa_public(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let parts = values(der)?;
    Some((significant(parts.get(1)?.data), significant(parts.get(2)?.data)))
}

/// A DER integer without the zeros in front that only say that it is positive.
fn significant(integer: &[u8]) -> &[u8] {
    let first = integer.iter().position(|byte| *byte != 0).unwrap_or(integer.len());
    integer.get(first..).unwrap_or_default()
}

/// The values of a DER sequence; they borrow, so that no copy of a key is left behind.
fn values(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (_, outer) = Any::from_der(der).ok()?;
    if outer.tag() == Tag::Sequence { inside(outer.data) } else { None }
}

fn inside(mut rest: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut values = Vec::new();
    while !rest.is_empty() {
        let (after, value) = Any::from_der(rest).ok()?;
        values.push(value);
        rest = after;
    }
    Some(values)
}

/// One part of a PEM file.
struct Section {
    label: String,
    /// PEM's own encryption of old (RFC 1421), under an unencrypted label.
    encrypted: bool,
    der: Zeroizing<Vec<u8>>,
}

/// RFC 7468. By hand, because the libraries leave what they read in memory.
fn sections(text: &str) -> Result<Vec<Section>, String> {
    let broken = |label: &str| format!("holds a {label} that is cut off or no PEM; copy the whole file again");
    let mut sections = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        // Room for all of it from the start: a growing buffer would leave copies behind.
        let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
        let mut encrypted = false;
        loop {
            match lines.next() {
                None => return Err(broken(label)),
                Some(line) if line == end => break,
                Some(line) if line.contains(':') => encrypted |= line.contains("ENCRYPTED"),
                Some(line) => base64.push_str(line),
            }
        }
        let mut der = Zeroizing::new(vec![0; base64.len()]);
        let read = if encrypted { Ok(0) } else { STANDARD.decode_slice(base64.as_bytes(), &mut der) };
        der.truncate(read.map_err(|_| broken(label))?);
        sections.push(Section { label: label.to_owned(), encrypted, der });
    }
    Ok(sections)
}
