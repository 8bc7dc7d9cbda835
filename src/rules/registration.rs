//! Is the registration of sign-in methods guarded in the tenant?
//!
//! A Conditional Access policy for the user action "Register security information" is that guard. It
//! is nothing that firstpass needs, so it is `check` alone that asks. Without it the hire's initial
//! password opens the same door as the pass.

/// The user action, as Graph writes it in `includeUserActions`.
const REGISTER: &str = "urn:user:registersecurityinfo";

/// One policy of Conditional Access, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPolicy {
    /// As the admins named it.
    pub name: String,
    /// Whether it is in force.
    pub force: Force,
    /// `includeUserActions`.
    pub actions: Vec<String>,
    /// `includeUsers` holds `All`, and nobody is left out.
    pub everybody: bool,
    /// What it asks for: `mfa`, `block`, the name of an authentication strength …; none = nothing.
    pub asks: Vec<String>,
}

/// `state` of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// `enabled`.
    On,
    /// `enabledForReportingButNotEnforced`.
    Reports,
    /// `disabled`, or a word that we do not know.
    Off,
}

/// What the policies do for the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration<'a> {
    /// These guard it; those for everybody first.
    Guarded(Vec<&'a AccessPolicy>),
    /// These would, but only report.
    Reported(Vec<&'a AccessPolicy>),
    /// None.
    Open,
}

/// Sorts them.
///
/// ```
/// use firstpass::rules::registration::{AccessPolicy, Force, Registration, judge};
/// let policy = AccessPolicy {
///     name: "Registration".into(),
///     force: Force::On,
///     actions: vec!["urn:user:registersecurityinfo".into()],
///     everybody: true,
///     asks: vec!["mfa".into()],
/// };
/// assert!(matches!(judge(&[policy.clone()]), Registration::Guarded(_)));
/// assert_eq!(judge(&[AccessPolicy { asks: vec![], ..policy }]), Registration::Open);
/// ```
pub fn judge(policies: &[AccessPolicy]) -> Registration<'_> {
    let of = |force: Force| -> Vec<&AccessPolicy> {
        let mut found: Vec<_> = policies
            .iter()
            .filter(|policy| policy.force == force && !policy.asks.is_empty())
            .filter(|policy| policy.actions.iter().any(|action| action.eq_ignore_ascii_case(REGISTER)))
            .collect();
        found.sort_by_key(|policy| !policy.everybody);
        found
    };
    match (of(Force::On), of(Force::Reports)) {
        (on, _) if !on.is_empty() => Registration::Guarded(on),
        (_, reports) if !reports.is_empty() => Registration::Reported(reports),
        (_, _) => Registration::Open,
    }
}
