//! The one definition of every key: path, kind, default, meaning (contract 3).
//!
//! The parser's known keys, its defaults, `config init`, `config show` and `config keys` are all
//! made from [`KEYS`]. A key whose function a later version brings stands here too, with
//! [`Served`] saying what happens to it now. Bounds are part of the kind.

use std::fmt;

/// A key and everything that is known about it.
#[derive(Debug)]
pub struct Key {
    /// `schedule.poll`; keys of one tenant or feed as `tenant.name`, `feed.folder`.
    pub path: &'static str,
    /// What a value must be.
    pub kind: Kind,
    /// What stands there when nothing is set.
    pub value: Value,
    /// For people, one line.
    pub meaning: &'static str,
    /// What this version makes of it.
    pub served: Served,
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// Letters, digits, `.`, `_`, `-`: it stands in keys, file names and metrics.
    Name,
    /// A whole number from–to.
    Whole(i64, i64),
    /// 0 to 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// A duration from–to, in seconds.
    Span(u64, u64),
    /// `07:00`.
    Time,
    /// An IANA zone.
    Zone,
    /// Cron text with seconds.
    Cron,
    /// A bare https origin.
    Origin,
    /// `IP:PORT`, or empty.
    Listen,
    /// An https URL, http on loopback.
    Url,
    /// `sqlite:PATH`.
    StateUrl,
    /// A UUID.
    Id,
    /// A path.
    File,
    /// A file that holds a secret.
    Secret,
    /// The text of a query; may have lines.
    Query,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any texts.
    Texts,
    /// Mail domains.
    Domains,
    /// Mail addresses.
    Addresses,
    /// `Name <address>`.
    Mailbox,
    /// A language: `de`, `en-GB`.
    Language,
    /// Feed field = header.
    Columns,
    /// Place = IANA zone.
    Zones,
    /// A label of the WHATWG Encoding Standard.
    Encoding,
    /// strftime text that names a whole day.
    DateFormat,
}

impl fmt::Display for Kind {
    /// For `config keys`: what a value must be, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Name => f.write_str("name"),
            Self::Whole(from, to) => write!(f, "whole number, {from} to {to}"),
            Self::Share => f.write_str("share, 0 to 1"),
            Self::Flag => f.write_str("true or false"),
            Self::Span(from, to) => write!(f, "duration, {} to {}", span(*from), span(*to)),
            Self::Time => f.write_str("wall time"),
            Self::Zone => f.write_str("IANA zone"),
            Self::Cron => f.write_str("cron with seconds"),
            Self::Origin => f.write_str("https origin"),
            Self::Listen => f.write_str("IP:PORT or empty"),
            Self::Url => f.write_str("https URL"),
            Self::StateUrl => f.write_str("sqlite:PATH"),
            Self::Id => f.write_str("UUID"),
            Self::File => f.write_str("path"),
            Self::Secret => f.write_str("file with a secret"),
            Self::Query => f.write_str("one SELECT"),
            Self::Word(words) => f.write_str(&words.join(" | ")),
            Self::Texts => f.write_str("list of texts"),
            Self::Domains => f.write_str("list of mail domains"),
            Self::Addresses => f.write_str("list of mail addresses"),
            Self::Mailbox => f.write_str("Name <address>"),
            Self::Language => f.write_str("language"),
            Self::Columns => f.write_str("table of field = header"),
            Self::Zones => f.write_str("table of place = zone"),
            Self::Encoding => f.write_str("encoding"),
            Self::DateFormat => f.write_str("strftime"),
        }
    }
}

/// As the settings write it: 30s, 10m, 8h, 30d.
fn span(seconds: u64) -> String {
    let unit = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

/// What stands there when nothing is set.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// Must be set; the example is TOML.
    Needed(&'static str),
    /// The default as TOML; in a tenant's own table the default is the global value.
    Default(&'static str),
    /// Nothing; the example is TOML.
    Unset(&'static str),
    /// Nothing, but with the other defaults it is needed; the example is TOML.
    Usual(&'static str),
}

/// What this version makes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// All of it.
    Fully,
    /// These words of it; others are refused by name.
    Only(&'static [&'static str]),
    /// Anything but the default is refused: ignoring it would be less safe.
    NotYet,
    /// Accepted, and `check` says that it does nothing.
    NoEffect,
}

/// Tables that a tenant may have of its own.
pub const OVERRIDES: [&str; 6] = ["schedule", "pass", "guard", "channel", "mail", "notify"];
/// Keys in those tables that are for the whole service.
pub const SERVICE_ONLY: [&str; 4] = ["schedule.poll", "schedule.stop_within", "mail.per_minute", "notify.webhook"];
/// Fields of a feed (contract 4).
pub const FIELDS: [&str; 14] = [
    "employee_id",
    "user",
    "display_name",
    "given_name",
    "family_name",
    "start_date",
    "start_time",
    "zone",
    "site",
    "city",
    "country",
    "manager",
    "language",
    "status",
];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const fn key(path: &'static str, kind: Kind, value: Value, meaning: &'static str) -> Key {
    Key { path, kind, value, meaning, served: Served::Fully }
}

impl Key {
    const fn but(mut self, served: Served) -> Self {
        self.served = served;
        self
    }
}

use Kind::{
    Addresses, Columns, Cron, DateFormat, Domains, Encoding, File, Flag, Id, Language, Listen, Mailbox, Name, Origin,
    Query, Secret, Share, Span, StateUrl, Text, Texts, Time, Url, Whole, Word, Zone, Zones,
};
use Served::{NoEffect, NotYet, Only};
use Value::{Default, Needed, Unset, Usual};

/// Tables in the order of `config init`, with the line above each.
pub const TABLES: &[(&str, &str)] = &[
    ("state", "The state database. Relative paths in this file are meant from its folder."),
    ("schedule", "When. Durations are written 30m, 8h, 1h 30m; wall times are those where the hire starts."),
    ("pass", "The Temporary Access Pass."),
    (
        "tenant",
        "One for each Entra tenant. Its own [tenant.schedule], [tenant.pass], [tenant.guard],\n# [tenant.channel], [tenant.mail] and [tenant.notify] tables override the global ones.",
    ),
    ("feed", "One for each source of hires. Keys that hold tables ({ … }) are written on one line."),
    ("guard", "Who gets a pass."),
    ("channel", "Who is told. The address always comes from the directory, never out of a feed."),
    ("mail", "The letter."),
    ("mail.smtp", "The mail server."),
    (
        "notify",
        "What admins are told: at once what cannot wait, and once a day how everything stands (deploy/notices.md).",
    ),
    ("notify.webhook", "One for each webhook that is told, too; never a name, never a code."),
    ("serve", "Health and metrics."),
];

/// Every key, in the order of [`TABLES`].
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("state.url", StateUrl, Default(r#""sqlite:/var/lib/firstpass/state.db""#), "a local file; never on a network file system"),
    key("state.group", Text, Unset(r#""firstpass-review""#), "reviewers: the file becomes 0640 for this group (else 0600)"),
    key("state.retain_days", Whole(1, 3650), Default("90"), "personal data goes this long after a hire is finished").but(NoEffect),

    key("schedule.poll", Cron, Default(r#""0 * * * * *""#), "cron with seconds, UTC: when the feeds are read"),
    key("schedule.send_at", Time, Default(r#""07:00""#), "local wall time, on the start date"),
    key("schedule.start_at", Time, Default(r#""09:00""#), "local start when the feed gives none"),
    key("schedule.zone", Zone, Unset(r#""Europe/Berlin""#), "no built-in value; only for rows that name no zone, site, city or country"),
    key("schedule.late_until", Span(0, 30 * DAY), Default(r#""8h""#), "so long after the start a missed pass is still sent at once"),
    key("schedule.ready_check", Span(0, 90 * DAY), Default(r#""96h""#), "first look before the send time, without issuing; again daily"),
    key("schedule.tries", Whole(1, 1000), Default("20"), "passes asked of Graph per hire, then attention; looks do not count"),
    key("schedule.stop_within", Span(1, HOUR), Default(r#""25s""#), "time to finish on SIGTERM"),

    key("pass.lifetime", Span(10 * MINUTE, 30 * DAY), Default(r#""8h""#), "10m to 30d, whole minutes; only ever shortened to what the tenant's policy allows"),
    key("pass.shortest", Span(MINUTE, 30 * DAY), Default(r#""30m""#), "a policy that allows no more than this, or less: policy-lifetime"),
    key("pass.one_time", Flag, Default("true"), "a policy that demands one-time overrides false; reported"),

    key("tenant.name", Name, Needed(r#""contoso""#), "our name for it: letters, digits, . _ -"),
    key("tenant.tenant_id", Id, Needed(r#""11111111-2222-3333-4444-555555555555""#), "Entra: Overview, Tenant ID"),
    key("tenant.client_id", Id, Usual(r#""66666666-7777-8888-9999-000000000000""#), "Entra: App registrations, Application (client) ID"),
    key("tenant.certificate_file", Secret, Usual(r#""graph-key.pem""#), "one PEM: PKCS#8 key and certificate; a file not readable by others"),
    key("tenant.client_secret_file", Secret, Unset(r#""graph-secret""#), "instead: the app's secret; a bare name is looked for in $CREDENTIALS_DIRECTORY first"),
    key("tenant.federated_token_file", Secret, Unset(r#""/var/run/secrets/azure/tokens/azure-identity-token""#), "instead: workload identity; the file is read at each sign-in"),
    key("tenant.managed_identity", Flag, Default("false"), "instead: true, the machine's own identity in Azure; client_id only for a user-assigned one"),
    key("tenant.cloud", Word(&["global", "usgov", "usgov-dod", "china"]), Default(r#""global""#), "global | usgov | usgov-dod (Graph in China has no passes)").but(Only(&["global", "usgov", "usgov-dod"])),
    key("tenant.enabled", Flag, Default("true"), "false: nothing is done for this tenant"),
    key("tenant.login_url", Origin, Unset(r#""https://localhost:8443""#), "for a model tenant or a test: a bare https origin; else made from cloud"),
    key("tenant.graph_url", Origin, Unset(r#""https://localhost:8443""#), "for a model tenant or a test: a bare https origin; else made from cloud"),
    key("tenant.ca_file", File, Unset(r#""model-ca.pem""#), "PEM certificates to trust besides the system's"),

    key("feed.name", Name, Needed(r#""hr""#), "our name for it: letters, digits, . _ -"),
    key("feed.tenant", Name, Needed(r#""contoso""#), "the tenant's name above"),
    key("feed.kind", Word(&["csv", "sql"]), Default(r#""csv""#), "csv: a drop folder | sql: a query on a database"),
    key("feed.folder", File, Usual(r#""/var/lib/firstpass/drop""#), "the drop folder: HR writes files here; needed for files"),
    key("feed.poll", Cron, Unset(r#""0 */15 * * * *""#), "cron with seconds, UTC: when this feed is read; else schedule.poll"),
    key("feed.settle", Span(0, DAY), Default(r#""10s""#), "a file is taken once size and time stand still this long"),
    key("feed.complete", Flag, Default("false"), "true: each file is the whole list, so a missing row is a question"),
    key("feed.max_new", Whole(0, 10_000_000), Default("1000"), "a file with more new hires is held, or"),
    key("feed.max_changes", Whole(0, 10_000_000), Default("200"), "with more moved, withdrawn or vanished ones, or"),
    key("feed.max_changes_share", Share, Default("0.2"), "a larger share of the pending hires so changed (and at least 20 of them)"),
    key("feed.expect_every", Span(MINUTE, 366 * DAY), Default(r#""26h""#), "no new file for so long: told, once each time"),
    key("feed.recent", Span(0, 366 * DAY), Default(r#""7d""#), "a person first named with a start over by less: attention missed"),
    key("feed.keep_files", Span(HOUR, 3660 * DAY), Default(r#""30d""#), "done, rejected and refused files go so long after they were read"),
    key("feed.columns", Columns, Default("{}"), r#"field = header, as { employee_id = "WorkerID" }; well-known headers need no entry"#),
    key("feed.zones", Zones, Default("{}"), r#"by site, then city, then country, as { "Chicago" = "America/Chicago" }"#),
    key("feed.encoding", Encoding, Unset(r#""windows-1252""#), "for files that are neither UTF-8 nor have a BOM; without it they are rejected"),
    key("feed.date_format", DateFormat, Unset(r#""%d/%m/%Y""#), "strftime, when the dates are not ISO 8601; four-digit years, English month names"),
    key("feed.url_file", Secret, Unset(r#""hr-database-url""#), "for a query: a file with the postgres://, mysql://, sqlite: or odbc: URL"),
    key("feed.query", Query, Unset(r#""SELECT employee_id, hire_date, country FROM starters""#), "for a query: one SELECT; columns are found as in a file"),
    key("feed.timeout", Span(1, HOUR), Default(r#""2m""#), "for a query: for a whole reading; a slower one changes nothing"),
    key("feed.max_rows", Whole(1, 1_000_000), Default("1000000"), "for a query: a reading with more rows changes nothing"),
    key("feed.watermark", Text, Unset(r#""updated_at""#), "for a query: read changes only: the query gets this column's last value as $1 (PostgreSQL) or ?"),
    key("feed.watermark_from", Text, Unset(r#""1970-01-01 00:00:00""#), "for a query: the value for the first reading, by default 1970-01-01 00:00:00; \"0\" for a number"),

    key("guard.registered_methods", Word(&["refuse", "allow"]), Default(r#""refuse""#), "refuse | allow: accounts that already have an authentication method"),
    key("guard.ignore_methods", Texts, Default("[]"), r#"such as ["phone"]: methods that do not count (password, email and passes never do)"#),
    key("guard.group", Text, Default(r#""""#), "object id; only its transitive members get a pass; empty = everybody").but(NotYet),
    key("guard.recovery", Flag, Default("false"), "may hire reissue --recovery serve people with registered methods").but(NotYet),
    key("guard.foreign_pass", Word(&["refuse", "replace"]), Default(r#""refuse""#), "refuse | replace: a live pass that somebody else made"),
    key("guard.privileged", Word(&["refuse"]), Default(r#""refuse""#), "refuse only; the key exists to say so"),

    key("channel.require", Word(&["directory", "confirmed"]), Default(r#""directory""#), "directory | confirmed").but(Only(&["directory"])),
    key("channel.domains", Domains, Default("[]"), "allowed mail domains; empty = the tenant's verified domains"),
    key("channel.manager_mismatch", Word(&["refuse", "report"]), Default(r#""refuse""#), "refuse | report, when the feed names another manager than the directory"),
    key("channel.cooling_off", Span(0, 366 * DAY), Default(r#""0h""#), "a channel or manager changed more recently than this holds the hire").but(NotYet),
    key("channel.fallback", Addresses, Default("[]"), "addresses that get a notice without the code when no manager can be told").but(NotYet),

    key("mail.from", Mailbox, Needed(r#""Onboarding <onboarding@contoso.example>""#), "the sender that managers see"),
    key("mail.via", Word(&["smtp", "graph"]), Default(r#""smtp""#), "smtp | graph (sendMail of Microsoft Graph, as the mailbox of mail.from)"),
    key("mail.tenant", Name, Unset(r#""contoso""#), "whose credential Graph mail and XOAUTH2 use; the only tenant by default"),
    key("mail.per_minute", Whole(1, 6000), Default("30"), "letters per minute that the mail server takes"),
    key("mail.reply_to", Mailbox, Unset(r#""Service desk <help@contoso.example>""#), "where answers go"),
    key("mail.help", Text, Unset(r#""Service desk, +49 30 1234""#), "whom a manager can ask; stands in the letter"),
    key("mail.language", Language, Default(r#""en""#), "de | en are built in: for hires whose row names no language that there is a letter in"),
    key("mail.templates", File, Unset(r#""/etc/firstpass/letters""#), "a folder with letters of your own: deploy/letters.md"),
    key("mail.announce", Span(MINUTE, 90 * DAY), Unset(r#""24h""#), "a letter without a code to the manager so long before; off by default").but(NotYet),

    key("mail.smtp.host", Text, Usual(r#""smtp.contoso.example""#), "needed with via = \"smtp\": name or address of the mail server"),
    key("mail.smtp.port", Whole(1, 65535), Default("587"), "587 for starttls, 465 for implicit"),
    key("mail.smtp.tls", Word(&["starttls", "implicit", "none"]), Default(r#""starttls""#), "starttls | implicit | none (loopback addresses only)"),
    key("mail.smtp.auth", Word(&["none", "password", "xoauth2"]), Default(r#""password""#), "none | password | xoauth2; Exchange Online ends passwords"),
    key("mail.smtp.username", Text, Usual(r#""onboarding@contoso.example""#), "needed with auth = \"password\"; with xoauth2 the mailbox"),
    key("mail.smtp.password_file", Secret, Usual(r#""smtp-password""#), "needed with auth = \"password\"; a file not readable by others"),
    key("mail.smtp.ca_file", File, Unset(r#""mail-ca.pem""#), "PEM certificates to trust besides the system's"),

    key("notify.to", Addresses, Default("[]"), r#"admins, as ["identity-team@contoso.example"]: one message each"#),
    key("notify.digest_at", Time, Default(r#""16:00""#), "the daily digest, in schedule.zone, else UTC; covers the starts until the digest after the next"),

    key("notify.webhook.name", Name, Unset(r#""alarms""#), "our name for it, by default its place in this file: 1, 2 …"),
    key("notify.webhook.url", Url, Unset(r#""https://alarms.contoso.example/firstpass""#), "https; one that holds a secret (Teams, Slack) goes into url_file"),
    key("notify.webhook.url_file", Secret, Unset(r#""teams-webhook-url""#), "a file with the URL; read at every notice"),
    key("notify.webhook.secret_file", Secret, Unset(r#""webhook-secret""#), "a file with whsec_…: notices are signed as Standard Webhooks"),
    key("notify.webhook.format", Word(&["json", "teams", "slack"]), Unset(r#""json""#), "json, by default | teams (an Adaptive Card, for Workflows) | slack"),
    key("notify.webhook.tenant", Name, Unset(r#""contoso""#), "only what concerns this tenant; else everything"),
    key("notify.webhook.ca_file", File, Unset(r#""webhook-ca.pem""#), "PEM certificates to trust besides the system's"),

    key("serve.listen", Listen, Default(r#""127.0.0.1:9464""#), "/healthz /readyz /metrics; empty = no port"),
];

/// The key behind a path without indexes, `tenant.schedule.send_at` included.
///
/// ```
/// use firstpass::config::keys::key_of;
/// assert_eq!(key_of("tenant.schedule.send_at").map(|key| key.path), Some("schedule.send_at"));
/// assert!(key_of("tenant.schedule.poll").is_none(), "for the whole service");
/// assert!(key_of("schedule.pol").is_none());
/// ```
pub fn key_of(path: &str) -> Option<&'static Key> {
    let own = path.strip_prefix("tenant.").filter(|rest| is_override(rest));
    KEYS.iter().find(|key| key.path == own.unwrap_or(path))
}

/// Whether a tenant may have this global key in a table of its own.
pub fn is_override(path: &str) -> bool {
    let table = path.split('.').next().unwrap_or_default();
    let service = |only: &&str| path.strip_prefix(*only).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    path.contains('.') && OVERRIDES.contains(&table) && !SERVICE_ONLY.iter().any(service)
}

/// Whether keys stand below this path.
pub fn is_table(path: &str) -> bool {
    let below =
        |path: &str| KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')));
    below(path)
        || path
            .strip_prefix("tenant.")
            .is_some_and(|rest| OVERRIDES.contains(&rest) || is_override(rest) && below(rest))
}

/// The known path that was most likely meant: in the same table, then the same word elsewhere, then
/// whatever looks most alike.
pub fn nearest(path: &str) -> String {
    let (table, leaf) = path.rsplit_once('.').unwrap_or(("", path));
    let known = known_paths();
    let leaf_of = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = |a: &str, b: &str| strsim::normalized_damerau_levenshtein(a, b);
    let best = |paths: Vec<&String>, by: &dyn Fn(&str) -> f64, least: f64| {
        paths
            .into_iter()
            .map(|path| (by(path), path))
            .filter(|(score, _)| *score >= least)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, path)| path.clone())
    };
    let beside = known.iter().filter(|known| known.rsplit_once('.').map_or("", |(table, _)| table) == table).collect();
    let same_word = known.iter().filter(|known| leaf_of(known) == leaf).collect();
    best(beside, &|known| alike(&leaf_of(known), leaf), 0.5)
        .or_else(|| best(same_word, &|known| alike(known, path), 0.0))
        .or_else(|| best(known.iter().collect(), &|known| alike(known, path), 0.0))
        .unwrap_or_default()
}

/// Every path that may be written: keys, tables, and a tenant's own tables.
fn known_paths() -> Vec<String> {
    let mut paths: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    paths.extend(TABLES.iter().map(|(table, _)| (*table).to_owned()));
    let own = paths.iter().filter(|path| is_override(path) || OVERRIDES.contains(&path.as_str()));
    let own: Vec<String> = own.map(|path| format!("tenant.{path}")).collect();
    paths.extend(own);
    paths
}
