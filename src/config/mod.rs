//! Settings: one TOML file, overridden by `FIRSTPASS_SECTION__KEY` (contract 3).
//!
//! [`keys::KEYS`] is the one definition: the parser's known keys, their types and defaults,
//! `config init` and `config show` are made from it, so they cannot drift. [`Settings::load`] reads
//! everything, reports every problem at once with its line or variable, and hands out parsed values
//! only. Secrets are never in the file; [`SecretFile`] names them. This room alone reads the
//! process's environment.
//!
//! Reading order: [`keys`], `source` (file and environment, each value with its place), `word` (text
//! → value), `build` (values → [`Settings`]), `cross` (what must fit together), [`secret`], [`text`].

mod authorities;
mod build;
mod credential;
mod cross;
mod encodings;
pub mod keys;
pub mod letters;
mod limits;
pub mod secret;
mod source;
pub mod text;
mod webhook;
mod word;
mod zones;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use url::Url;
use uuid::Uuid;

use crate::rules::calendar::{Schedule, Zone};
use crate::rules::channel::ChannelRules;
use crate::rules::dates::DateFormat;
use crate::rules::guard::{GuardRules, PassRules};
use crate::rules::hire::MailAddress;
use crate::rules::notice::Format;

pub use authorities::authorities;
pub use credential::Credential;
pub use limits::Limits;
pub use secret::{Mark, SecretError, SecretFile};
pub use source::LISTS;
pub use webhook::{BadUrl, web_url};
pub use zones::{TzVersions, tz_versions};

/// Where the settings lie when neither `--config` nor `FIRSTPASS_CONFIG` says so.
pub const DEFAULT_PATH: &str = "/etc/firstpass/firstpass.toml";

/// Everything that is set, parsed and checked against itself. Nothing outside was looked at.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[state]`.
    pub state: State,
    /// The part of `[schedule]` that is for the whole service.
    pub schedule: Service,
    /// `[[tenant]]`, in the order of the file, each with its own tables merged into the global ones.
    pub tenants: Vec<Tenant>,
    /// `[[feed]]`, in the order of the file.
    pub feeds: Vec<Feed>,
    /// `[mail]`, as it is without a tenant's own table.
    pub mail: Mail,
    /// `[notify]`.
    pub notify: Notify,
    /// `[[notify.webhook]]`, in the order of the file.
    pub webhooks: Vec<Webhook>,
    /// `[serve]`.
    pub serve: Serve,
    /// Sentences about variables that were ignored and settings that are odd.
    pub warnings: Vec<String>,
    /// Keys that are set and have no effect in this version.
    pub without_effect: Vec<String>,
    /// Every setting in force, for `config show`.
    pub shown: Vec<text::Shown>,
}

impl Settings {
    /// Reads the file at `path` and the variables in `env` (names with values; see [`environment`]).
    ///
    /// Relative paths in the file are meant from the file's folder.
    ///
    /// # Errors
    /// [`SettingsError`] with every problem that was found, each with its place and remedy.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let mut sources = source::Sources::read(path, env)?;
        build::settings(&mut sources)
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == name)
    }
}

/// This process's variables; such as are not UTF-8 are left out.
#[expect(clippy::disallowed_methods, reason = "settings come through this room alone")]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `firstpass.toml:12`, `FIRSTPASS_SCHEDULE__POLL`, or the file alone.
    pub place: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Why the settings are unusable (exit status 78): all problems, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError {
    /// In the order of their places; never empty.
    pub problems: Vec<Problem>,
}

/// `[state]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `sqlite:` and an absolute path.
    pub url: String,
    /// The group that may read the file.
    pub group: Option<String>,
    /// Days that personal data stays after a hire is finished.
    pub retain_days: i64,
}

/// The part of `[schedule]` that is for the whole service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Cron text with seconds, UTC: when the feeds are read.
    pub poll: String,
    /// Time to finish on SIGTERM.
    pub stop_within: Duration,
    /// For rows that name no zone, site, city or country (a tenant may have its own).
    pub zone: Option<Zone>,
}

/// One `[[tenant]]`.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Our name for it.
    pub name: String,
    /// Entra's id of it.
    pub tenant_id: Uuid,
    /// How we sign in.
    pub credential: Credential,
    /// Which of Microsoft's clouds.
    pub cloud: Cloud,
    /// Origin of the token endpoint, https.
    pub login_url: Url,
    /// Origin of Microsoft Graph, https.
    pub graph_url: Url,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// `false`: nothing is done for this tenant.
    pub enabled: bool,
    /// Global rules with this tenant's own on top.
    pub rules: TenantRules,
    /// `[mail]` with this tenant's own on top.
    pub mail: Mail,
    /// `[notify]` with this tenant's own on top.
    pub notify: Notify,
}

/// What decides about the hires of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRules {
    /// `[schedule]`.
    pub schedule: Schedule,
    /// For rows that name no zone, site, city or country.
    pub zone: Option<Zone>,
    /// `[pass]`.
    pub pass: PassRules,
    /// `[guard]`.
    pub guard: GuardRules,
    /// `[channel]`.
    pub channel: ChannelRules,
}

/// Microsoft's clouds that have Temporary Access Passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Worldwide, and US Government L2.
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
}

impl Cloud {
    /// Origins of the token endpoint and of Graph (graph/facts.md, national clouds).
    pub fn origins(self) -> (&'static str, &'static str) {
        match self {
            Self::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
            Self::UsGov => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
            Self::UsGovDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        }
    }

    /// What a token for Exchange Online (SMTP with XOAUTH2) is asked for.
    pub fn outlook(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office365.com",
            Self::UsGov => "https://outlook.office365.us",
            Self::UsGovDod => "https://outlook-dod.office365.us",
        }
    }
}

/// One `[[feed]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Our name for it.
    pub name: String,
    /// `name` of the tenant its people belong to.
    pub tenant: String,
    /// The drop folder, absolute; for a query where its reports, rejected rows and held readings lie.
    pub folder: PathBuf,
    /// Files or a query.
    pub kind: FeedKind,
    /// Cron text with seconds, UTC; `schedule.poll` when unset.
    pub poll: Option<String>,
    /// A file is taken once size and time stand still this long; zero takes it at once.
    pub settle: Duration,
    /// Each file is the whole list.
    pub complete: bool,
    /// More new hires than this: the file is held.
    pub max_new: i64,
    /// More moved, withdrawn or vanished ones than this: the file is held.
    pub max_changes: i64,
    /// A larger share (0..=1) of the pending hires so changed: the file is held.
    pub max_changes_share: f64,
    /// No new file for so long is told.
    pub expect_every: Duration,
    /// A person first named with a start over by less than this was missed.
    pub recent: Duration,
    /// Files that were read go after this.
    pub keep_files: Duration,
    /// Field → header as the admin writes it; an empty header leaves the field out.
    pub columns: BTreeMap<String, String>,
    /// Site, city or country as the feed writes it → zone.
    pub zones: BTreeMap<String, Zone>,
    /// Of files that are neither UTF-8 nor have a BOM.
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// How the feed writes its dates; ISO 8601 without it.
    pub date_format: Option<DateFormat>,
}

/// `csv | sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedKind {
    /// Files in a drop folder.
    Csv,
    /// A query on a database.
    Sql(Sql),
}

/// What a `[[feed]]` of kind `sql` has besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// Holds the database's URL.
    pub url_file: SecretFile,
    /// One SELECT, without a semicolon at its end.
    pub query: String,
    /// For a whole reading, from connecting to the last row.
    pub timeout: Duration,
    /// Of a reading with more rows nothing is taken.
    pub max_rows: u64,
    /// The column whose greatest value so far is bound to the query.
    pub watermark: Option<String>,
    /// What is bound at the first reading.
    pub watermark_from: String,
    /// The folder is firstpass's own, and made when it is missing.
    pub own_folder: bool,
}

/// `[mail]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// From.
    pub from: Mailbox,
    /// Letters per minute, at least one.
    pub per_minute: u32,
    /// Reply-To.
    pub reply_to: Option<Mailbox>,
    /// Whom a manager can ask; a line in the letter.
    pub help: Option<String>,
    /// The language of letters to hires whose row names none that there is a letter in.
    pub language: String,
    /// The folder with letters of the admin's own.
    pub templates: Option<PathBuf>,
    /// The way a letter takes.
    pub via: Via,
}

/// `via = smtp | graph`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A mail server.
    Smtp(Smtp),
    /// Microsoft Graph's sendMail, as the mailbox of [`Mail::from`].
    Graph {
        /// Name of the tenant whose credential is used.
        tenant: String,
    },
}

/// An address with a name that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// May be empty.
    pub name: String,
    /// The address.
    pub address: MailAddress,
}

/// `[mail.smtp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Name or address.
    pub host: String,
    /// 587 by default.
    pub port: u16,
    /// How the connection is secured.
    pub tls: Tls,
    /// How we sign in.
    pub auth: Auth,
    /// The mailbox, with `auth` xoauth2; empty when `auth` is none.
    pub username: String,
    /// There when `auth` is password.
    pub password_file: Option<SecretFile>,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// `starttls | implicit | none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The server must offer STARTTLS.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Plain text, to loopback addresses only.
    None,
}

/// `none | password | xoauth2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// No login.
    None,
    /// AUTH PLAIN or LOGIN.
    Password,
    /// AUTH XOAUTH2 with a token for Exchange Online.
    Xoauth2 {
        /// Name of the tenant whose credential is used.
        tenant: String,
    },
}

/// `[notify]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Admins.
    pub to: Vec<MailAddress>,
    /// Wall time of the digest.
    pub digest_at: NaiveTime,
    /// Where that wall time is meant; UTC when unset.
    pub zone: Option<Zone>,
}

/// One `[[notify.webhook]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its name, or its place in the file.
    pub name: String,
    /// Where notices go.
    pub url: WebhookUrl,
    /// The key of the signatures; without it nothing is signed.
    pub secret_file: Option<SecretFile>,
    /// How notices are written.
    pub format: Format,
    /// Only what concerns this tenant.
    pub tenant: Option<String>,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// `url` or `url_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookUrl {
    /// It holds no secret.
    Plain(Url),
    /// A file with it.
    File(SecretFile),
}

/// `[serve]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Where health and metrics are asked; `None` for no port.
    pub listen: Option<SocketAddr>,
}
