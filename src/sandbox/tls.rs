//! Certificates for the model servers: a certificate authority of its own.
//!
//! Keys live in memory and end with the process; `sandbox --serve` alone keeps one, so that settings
//! that were pasted go on working. Whoever wants to talk to a model server trusts
//! [`Ca::pem`] by `ca_file`; the machine's own trust is never touched.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority that lives as long as this value.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "firstpass sandbox");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Ca {
    /// Makes a new authority with a new key.
    ///
    /// Errors when the system gives no randomness.
    pub fn new() -> io::Result<Self> {
        Self::made(KeyPair::generate().map_err(io::Error::other)?, authority())
    }

    /// An authority that lives on between runs: `key` is [`Ca::new_key`]'s. It may sign for this
    /// machine's own names only, so that nobody who trusts it trusts it for more.
    ///
    /// Errors when the text is no private key in PEM.
    pub fn kept(key: &str) -> io::Result<Self> {
        let loopback = CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]);
        let permitted = vec![GeneralSubtree::DnsName("localhost".to_owned()), GeneralSubtree::IpAddress(loopback)];
        let mut params = authority();
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
        Self::made(KeyPair::from_pem(key).map_err(io::Error::other)?, params)
    }

    /// A new private key, PEM, for [`Ca::kept`].
    pub fn new_key() -> io::Result<String> {
        Ok(KeyPair::generate().map_err(io::Error::other)?.serialize_pem())
    }

    fn made(key: KeyPair, params: CertificateParams) -> io::Result<Self> {
        let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// The authority's certificate, PEM, for `ca_file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's side of TLS 1.2 and 1.3 with a fresh certificate for `names` (host names or IP
    /// addresses as text).
    ///
    /// Errors when a name is neither.
    pub fn server_config(&self, names: &[&str]) -> io::Result<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "firstpass sandbox server");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // The provider is named: which one is the process's default is decided in main, not here.
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .map_err(io::Error::other)
    }
}
