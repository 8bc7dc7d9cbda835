//! `config init` and `config show`, made from [`super::keys::KEYS`].

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `tenant.contoso.client_id`.
    pub key: String,
    /// As TOML.
    pub value: String,
    /// `firstpass.toml:12`, the variable's name, or `default`.
    pub source: String,
}
