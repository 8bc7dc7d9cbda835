//! The small file of `sandbox --serve`: who is in the model tenant, its policy, and what goes wrong.
//!
//! TOML. Whatever is wrong with it is one sentence with line and column; an unknown key names the
//! nearest known one. What it means for the models stands in [`super::stage`].

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;
use uuid::Uuid;

use super::faults::{GraphFault, MailFault};
use crate::sandbox::tenant::directory::{PERMISSIONS, ROLES};

/// A small file is small; this bounds a wrong path.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantFile {
    /// The tenant itself.
    pub tenant: Tenant,
    /// The policy of Temporary Access Passes.
    pub policy: Policy,
    /// How Graph behaves.
    pub graph: Graph,
    /// How the mail server behaves.
    pub mail: Mail,
    /// Accounts.
    #[serde(rename = "user")]
    pub users: Vec<User>,
    /// Contacts: people without an account, who may be managers.
    #[serde(rename = "contact")]
    pub contacts: Vec<Contact>,
    /// Groups with roles or in other groups; a plain group needs no entry.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
}

/// `[tenant]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Its name.
    pub organization: String,
    /// Verified domains; without an entry, those of the accounts.
    pub domains: Option<Vec<String>>,
    /// What the app may do.
    pub permissions: Vec<String>,
    /// The app's secret is over.
    pub secret_expired: bool,
}

/// `[policy]`; lives as `1h`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Passes may be made and used.
    pub enabled: bool,
    /// Shortest life.
    pub shortest: Span,
    /// Longest life.
    pub longest: Span,
    /// Life of a pass that is asked for without one.
    pub usual: Span,
    /// Characters of a code.
    pub length: usize,
    /// All passes are one-time.
    pub one_time: bool,
    /// `everyone`, names of groups, UPNs.
    pub include: Vec<String>,
    /// The same, and wins.
    pub exclude: Vec<String>,
}

/// `[graph]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Graph {
    /// What goes wrong.
    pub faults: Vec<GraphFault>,
    /// So late a list shows a pass that was made or deleted.
    pub list_lag: Span,
    /// So far ahead of ours runs its clock.
    pub clock_ahead: Span,
}

/// `[mail]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// What goes wrong.
    pub faults: Vec<MailFault>,
    /// Addresses that nobody has: 550.
    pub refuse: Vec<String>,
    /// Mailboxes, besides the usual one, that the app may send as without `Mail.Send`.
    pub send_as: Vec<String>,
}

/// `[[user]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User principal name.
    pub upn: Spanned<String>,
    /// Object id; follows from the UPN without an entry.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// As HR writes it.
    #[serde(default)]
    pub employee_id: Option<String>,
    /// As people call them; the part before `@` without an entry.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The UPN without an entry; `""` is none.
    #[serde(default)]
    pub mail: Option<String>,
    /// May sign in.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// An invited guest of another tenant.
    #[serde(default)]
    pub guest: bool,
    /// `de-DE`.
    #[serde(default)]
    pub language: Option<String>,
    /// UPN of a user, or mail of a contact.
    #[serde(default)]
    pub manager: Option<Spanned<String>>,
    /// Registered methods.
    #[serde(default)]
    pub methods: Vec<Method>,
    /// Directory roles.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Names of groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// `[[contact]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Its mail, by which users name it.
    pub mail: Spanned<String>,
    /// As people call them.
    #[serde(default)]
    pub display_name: String,
}

/// `[[group]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// By which users and the policy name it.
    pub name: Spanned<String>,
    /// Directory roles of its members.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Groups that it is in.
    #[serde(default)]
    pub groups: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            organization: "Contoso (a model)".to_owned(),
            domains: None,
            permissions: PERMISSIONS.iter().map(|name| (*name).to_owned()).collect(),
            secret_expired: false,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: true,
            shortest: Span(Duration::from_hours(1)),
            longest: Span(Duration::from_hours(8)),
            usual: Span(Duration::from_hours(1)),
            length: 8,
            one_time: false,
            include: vec!["everyone".to_owned()],
            exclude: Vec::new(),
        }
    }
}

/// Reads a text, and says what is wrong where the text stands; errors that are made later would stand
/// where the list begins.
pub(super) fn worded<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Words<F>(F);
    impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for Words<F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }
    from.deserialize_str(Words(read))
}

/// A length of time, written as `90s` or `8h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        worded(from, |text| {
            let wrong = |_| format!("{text:?} is no length of time; write it as \"90s\" or \"8h\"");
            humantime::parse_duration(text).map(Self).map_err(wrong)
        })
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(self.0))
    }
}

/// Methods by the words of this file, with Graph's types.
const METHODS: [(&str, &str); 7] = [
    ("phone", "phoneAuthenticationMethod"),
    ("authenticator", "microsoftAuthenticatorAuthenticationMethod"),
    ("fido2", "fido2AuthenticationMethod"),
    ("hello", "windowsHelloForBusinessAuthenticationMethod"),
    ("software-oath", "softwareOathAuthenticationMethod"),
    ("platform-credential", "platformCredentialAuthenticationMethod"),
    ("email", "emailAuthenticationMethod"),
];

/// A registered method, as Graph types it: `phoneAuthenticationMethod`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Method(pub String);

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        worded(from, |text| {
            let known = METHODS.iter().find(|(word, _)| *word == text).map(|(_, kind)| *kind);
            let method = known.or_else(|| text.ends_with("AuthenticationMethod").then_some(text));
            method.map(|method| Self(method.to_owned())).ok_or_else(|| {
                let words = METHODS.iter().map(|(word, _)| *word);
                format!("there is no method {text:?}; did you mean {:?}?", nearest(text, words))
            })
        })
    }
}

/// A directory role, by its template's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Role(pub String);

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        worded(from, |text| {
            let known = ROLES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(id, _)| (*id).to_owned());
            let role = known.or_else(|| Uuid::parse_str(text).ok().map(|id| id.to_string()));
            role.map(Self).ok_or_else(|| {
                let near = nearest(text, ROLES.iter().map(|(_, name)| *name));
                format!(
                    "no role {text:?} is known here; did you mean {near:?}? Others are written as their template's id"
                )
            })
        })
    }
}

/// What is wrong with the file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFile {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// A sentence.
    pub text: String,
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

impl TenantFile {
    /// Reads the text.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    ///
    /// ```
    /// use firstpass::sandbox::serve::TenantFile;
    /// let file = TenantFile::parse("[[user]]\nupn = \"ada@contoso.example\"\nemployee_id = \"E1\"\n").unwrap();
    /// assert_eq!(file.users[0].upn.get_ref(), "ada@contoso.example");
    /// let bad = TenantFile::parse("[[user]]\nupn = \"ada@contoso.example\"\nemploye_id = \"E1\"\n").unwrap_err();
    /// assert_eq!(bad.to_string(), "3:1: there is no key `employe_id` here; did you mean `employee_id`?");
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadFile> {
        let file: Self = toml::from_str(text)
            .map_err(|error| BadFile::at(text, error.span().unwrap_or_default(), kindly(error.message().trim_end())))?;
        file.judge(text)?;
        Ok(file)
    }

    /// What the types cannot see: names that name nobody, and names twice.
    fn judge(&self, text: &str) -> Result<(), BadFile> {
        let mut upns: Vec<String> = Vec::with_capacity(self.users.len());
        for user in &self.users {
            let upn = user.upn.get_ref();
            if !is_address(upn) {
                return Err(BadFile::at(text, user.upn.span(), format!("{upn:?} is no user principal name")));
            }
            upns.push(upn.to_lowercase());
        }
        let mut sorted: Vec<(&String, &User)> = upns.iter().zip(&self.users).collect();
        sorted.sort_by_key(|(upn, _)| *upn);
        for pair in sorted.windows(2) {
            if let [(one, _), (other, user)] = pair
                && one == other
            {
                let told = format!("a second user {other}; a user principal name is one account's");
                return Err(BadFile::at(text, user.upn.span(), told));
            }
        }
        for contact in &self.contacts {
            if !is_address(contact.mail.get_ref()) {
                let told = format!("{:?} is no mail address", contact.mail.get_ref());
                return Err(BadFile::at(text, contact.mail.span(), told));
            }
        }
        let names = || upns.iter().map(String::as_str).chain(self.contacts.iter().map(|c| c.mail.get_ref().as_str()));
        let known: std::collections::BTreeSet<String> = names().map(str::to_lowercase).collect();
        for manager in self.users.iter().filter_map(|user| user.manager.as_ref()) {
            if !known.contains(&manager.get_ref().to_lowercase()) {
                let told = format!(
                    "neither a [[user]] nor a [[contact]] is {:?}; did you mean {:?}?",
                    manager.get_ref(),
                    nearest(manager.get_ref(), names())
                );
                return Err(BadFile::at(text, manager.span(), told));
            }
        }
        Ok(())
    }
}

impl BadFile {
    fn at(text: &str, span: Range<usize>, told: String) -> Self {
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, text: told }
    }
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The parser's words for an unknown key list every known one; the nearest is enough. Other words
/// are left as they are, with the remedy.
fn kindly(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [unknown, known @ ..] if message.starts_with("unknown field ") => {
            let near = nearest(unknown, known.iter().copied());
            format!("there is no key `{unknown}` here; did you mean `{near}`?")
        }
        [missing, ..] if message.starts_with("missing field ") => format!("the key `{missing}` is missing here"),
        _ if message.ends_with("expected a string") => format!("{message}; write it in quotes"),
        _ => message.replace('\n', " "),
    }
}

/// The most alike of some words.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &word.to_lowercase());
    known.max_by(|a, b| alike(a).total_cmp(&alike(b))).unwrap_or_default()
}
