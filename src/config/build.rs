//! Values → [`Settings`].
//!
//! Every value that is set is checked for itself, then what must fit together
//! ([`super::cross`]); only when nothing is wrong, the settings are put together. A tenant's value
//! is its own, else the global one, else the default of the definition.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;

use super::keys::{KEYS, Kind, Served, Value, is_override, key_of};
use super::source::{Sources, pattern_of};
use super::word::{self, Raw};
use super::{
    Auth, Cloud, Feed, FeedKind, Mail, Problem, SecretFile, Serve, Service, Settings, SettingsError, Smtp, Sql, State,
    Tenant, TenantRules, Tls, Via, credential, cross, text, webhook,
};
use crate::rules::calendar::Schedule;
use crate::rules::channel::{ChannelRules, Mismatch};
use crate::rules::guard::{ForeignPass, GuardRules, Leave, PassRules};

/// Whose value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The global tables.
    Global,
    /// `[[tenant]]` at this index, with its own tables.
    Tenant(usize),
    /// `[[feed]]` at this index.
    Feed(usize),
    /// `[[notify.webhook]]` at this index.
    Webhook(usize),
}

impl Scope {
    /// Concrete paths at which the key may stand, nearest first.
    fn paths(self, key: &str) -> Vec<String> {
        match (self, key.split_once('.')) {
            (Self::Tenant(index), Some(("tenant", rest))) => vec![format!("tenant.{index}.{rest}")],
            (Self::Feed(index), Some(("feed", rest))) => vec![format!("feed.{index}.{rest}")],
            (Self::Webhook(index), Some(("notify", rest))) if rest.starts_with("webhook.") => {
                vec![format!("notify.webhook.{index}.{}", rest.trim_start_matches("webhook."))]
            }
            (Self::Tenant(index), _) if is_override(key) => vec![format!("tenant.{index}.{key}"), key.to_owned()],
            (Self::Global | Self::Tenant(_) | Self::Feed(_) | Self::Webhook(_), _) => vec![key.to_owned()],
        }
    }
}

impl Sources {
    /// The path that sets the key here, or the path at which it would be set.
    pub(super) fn path(&self, scope: Scope, key: &str) -> String {
        let paths = scope.paths(key);
        let set = paths.iter().find(|path| self.given.contains_key(*path));
        set.or(paths.first()).cloned().unwrap_or_default()
    }

    pub(super) fn is_set(&self, scope: Scope, key: &str) -> bool {
        self.given.contains_key(&self.path(scope, key))
    }

    /// What is set, else the default.
    fn raw(&self, scope: Scope, key: &str) -> Option<Raw> {
        if let Some(given) = self.given.get(&self.path(scope, key)) {
            return Some(given.raw.clone());
        }
        match key_of(key)?.value {
            Value::Default(toml) => word::toml(toml).ok(),
            Value::Needed(_) | Value::Unset(_) | Value::Usual(_) => None,
        }
    }

    /// The value, if there is one and it can be read; what cannot be read was told by [`check`].
    pub(super) fn get<T>(&self, scope: Scope, key: &str, read: fn(&Raw) -> Result<T, String>) -> Option<T> {
        read(&self.raw(scope, key)?).ok()
    }

    /// Whether the tenant says anything of its own in this table.
    pub(super) fn has_own(&self, scope: Scope, table: &str) -> bool {
        match scope {
            Scope::Global => true,
            Scope::Tenant(index) => {
                let own = format!("tenant.{index}.{table}.");
                self.given.keys().any(|path| path.starts_with(&own))
            }
            Scope::Feed(_) | Scope::Webhook(_) => false,
        }
    }

    pub(super) fn words(&self, scope: Scope, key: &str) -> Option<String> {
        self.get(scope, key, word::plain)
    }

    pub(super) fn file(&self, scope: Scope, key: &str) -> Option<PathBuf> {
        self.words(scope, key).map(|path| self.folder.join(path))
    }

    pub(super) fn secret(&self, scope: Scope, key: &str) -> Option<SecretFile> {
        let written = self.get(scope, key, word::secret)?;
        let own = match scope {
            Scope::Tenant(index) => self.path(scope, key).starts_with(&format!("tenant.{index}.")),
            Scope::Global | Scope::Feed(_) | Scope::Webhook(_) => false,
        };
        let owner = self.get(scope, "tenant.name", word::name).filter(|_| own);
        let shown = match owner {
            Some(name) => format!("tenant.{name}.{}", key.strip_prefix("tenant.").unwrap_or(key)),
            None => key.to_owned(),
        };
        Some(SecretFile::new(&shown, &written, self.credentials.as_deref(), &self.folder))
    }
}

/// All of it, or all problems.
pub(super) fn settings(sources: &mut Sources) -> Result<Settings, SettingsError> {
    check(sources);
    cross::check(sources);
    let built = if sources.problems.is_empty() { build(sources) } else { None };
    built.ok_or_else(|| {
        sources.problems.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.place.cmp(&right.place)));
        let mut problems: Vec<Problem> = sources.problems.drain(..).map(|(_, problem)| problem).collect();
        if problems.is_empty() {
            problems
                .push(Problem { place: sources.place_of(""), text: "the settings cannot be put together".to_owned() });
        }
        SettingsError { problems }
    })
}

/// Each value for itself, and whether everything needed is there.
fn check(sources: &mut Sources) {
    let set: Vec<(String, Raw)> = sources.given.iter().map(|(path, given)| (path.clone(), given.raw.clone())).collect();
    for (path, raw) in &set {
        let Some(key) = key_of(&pattern_of(path)) else { continue };
        let checked =
            word::check(key, raw).map_err(|text| format!("{}: {text}", key.path)).and_then(|()| served(key.path, raw));
        if let Err(text) = checked {
            sources.problem(path, text);
        }
    }
    for key in KEYS.iter().filter(|key| matches!(key.value, Value::Needed(_))) {
        let Value::Needed(example) = key.value else { continue };
        for scope in scopes_of(sources, key.path) {
            if !sources.is_set(scope, key.path) {
                let path = sources.path(scope, key.path);
                sources.problem(&path, format!("{} is needed, as {} = {example}", key.path, leaf(key.path)));
            }
        }
    }
}

fn leaf(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn scopes_of(sources: &Sources, key: &str) -> Vec<Scope> {
    match key.split('.').next() {
        Some("tenant") => sources.indexes("tenant").into_iter().map(Scope::Tenant).collect(),
        Some("feed") => sources.indexes("feed").into_iter().map(Scope::Feed).collect(),
        Some(_) | None => vec![Scope::Global],
    }
}

/// Refuses what would ask for a function that is not there.
fn served(path: &str, raw: &Raw) -> Result<(), String> {
    let Some(key) = key_of(path) else { return Ok(()) };
    match key.served {
        Served::Fully | Served::NoEffect => Ok(()),
        Served::Only(words) => match word::plain(raw) {
            Ok(word) if words.contains(&word.as_str()) => Ok(()),
            Ok(word) if path == "tenant.cloud" && word == "china" => {
                Err("tenant.cloud: Microsoft Graph in China has no Temporary Access Passes, so firstpass cannot serve a tenant there".to_owned())
            }
            Ok(word) => Err(format!("{path} = {word:?} is not served by this version; write {}", words.join(" or "))),
            Err(text) => Err(format!("{path}: {text}")),
        },
        Served::NotYet if is_default(key.kind, key.value, raw) => Ok(()),
        Served::NotYet => Err(format!("{path} is not served by this version; leave it out")),
    }
}

/// Whether a value says the same as the default: `"0s"` is `"0h"`, and an empty variable an empty list.
fn is_default(kind: Kind, value: Value, raw: &Raw) -> bool {
    let Value::Default(toml) = value else { return false };
    let Ok(default) = word::toml(toml) else { return false };
    match kind {
        Kind::Span(..) => word::span(raw) == word::span(&default),
        Kind::Flag => word::flag(raw) == word::flag(&default),
        Kind::Addresses | Kind::Texts | Kind::Domains => word::texts(raw) == word::texts(&default),
        _text => word::text(raw) == word::text(&default),
    }
}

/// `None` only when a check above overlooked something.
fn build(sources: &Sources) -> Option<Settings> {
    let global = Scope::Global;
    Some(Settings {
        state: State {
            url: format!(
                "sqlite:{}",
                sources.folder.join(sources.get(global, "state.url", word::state_path)?).to_str()?
            ),
            group: sources.words(global, "state.group").filter(|group| !group.is_empty()),
            retain_days: sources.get(global, "state.retain_days", word::whole)?,
        },
        schedule: Service {
            poll: sources.get(global, "schedule.poll", word::cron)?,
            stop_within: sources.get(global, "schedule.stop_within", word::span)?,
            zone: sources.get(global, "schedule.zone", word::zone),
        },
        tenants: sources
            .indexes("tenant")
            .into_iter()
            .map(|at| tenant(sources, Scope::Tenant(at)))
            .collect::<Option<_>>()?,
        feeds: sources.indexes("feed").into_iter().map(|at| feed(sources, Scope::Feed(at))).collect::<Option<_>>()?,
        mail: mail(sources, global)?,
        notify: webhook::notify(sources, global)?,
        webhooks: webhook::webhooks(sources)?,
        serve: Serve { listen: sources.get(global, "serve.listen", word::listen)? },
        warnings: sources.warnings.clone(),
        without_effect: text::without_effect(sources),
        shown: text::shown(sources),
    })
}

fn tenant(sources: &Sources, scope: Scope) -> Option<Tenant> {
    let cloud = cloud(sources, scope)?;
    let (login, graph) = cloud.origins();
    let origin = |key, default: &str| {
        if sources.is_set(scope, key) { sources.get(scope, key, word::origin) } else { url::Url::parse(default).ok() }
    };
    Some(Tenant {
        name: sources.get(scope, "tenant.name", word::name)?,
        tenant_id: sources.get(scope, "tenant.tenant_id", word::id)?,
        credential: credential::build(sources, scope)?,
        cloud,
        login_url: origin("tenant.login_url", login)?,
        graph_url: origin("tenant.graph_url", graph)?,
        ca_file: sources.file(scope, "tenant.ca_file"),
        enabled: sources.get(scope, "tenant.enabled", word::flag)?,
        rules: rules(sources, scope)?,
        mail: mail(sources, scope)?,
        notify: webhook::notify(sources, scope)?,
    })
}

fn cloud(sources: &Sources, scope: Scope) -> Option<Cloud> {
    match sources.words(scope, "tenant.cloud")?.as_str() {
        "global" => Some(Cloud::Global),
        "usgov" => Some(Cloud::UsGov),
        "usgov-dod" => Some(Cloud::UsGovDod),
        _ => None,
    }
}

fn rules(sources: &Sources, scope: Scope) -> Option<TenantRules> {
    let span = |key| sources.get::<Duration>(scope, key, word::span);
    let time = |key| sources.get::<NaiveTime>(scope, key, word::time);
    let is = |key, word: &str| sources.words(scope, key).map(|set| set == word);
    Some(TenantRules {
        schedule: Schedule {
            send_at: time("schedule.send_at")?,
            start_at: time("schedule.start_at")?,
            late_until: span("schedule.late_until")?,
            ready_check: span("schedule.ready_check")?,
            tries: sources.get(scope, "schedule.tries", word::whole)?,
        },
        zone: sources.get(scope, "schedule.zone", word::zone),
        pass: PassRules {
            lifetime: span("pass.lifetime")?,
            shortest: span("pass.shortest")?,
            one_time: sources.get(scope, "pass.one_time", word::flag)?,
        },
        guard: GuardRules {
            registered_methods: if is("guard.registered_methods", "allow")? { Leave::Allow } else { Leave::Refuse },
            ignore_methods: sources.get(scope, "guard.ignore_methods", word::texts)?,
            foreign_pass: if is("guard.foreign_pass", "replace")? { ForeignPass::Replace } else { ForeignPass::Refuse },
        },
        channel: ChannelRules {
            domains: sources.get(scope, "channel.domains", word::domains)?,
            manager_mismatch: if is("channel.manager_mismatch", "report")? {
                Mismatch::Report
            } else {
                Mismatch::Refuse
            },
        },
    })
}

fn feed(sources: &Sources, scope: Scope) -> Option<Feed> {
    let span = |key| sources.get::<Duration>(scope, key, word::span);
    let folder = sources.file(scope, "feed.folder");
    Some(Feed {
        name: sources.get(scope, "feed.name", word::name)?,
        tenant: sources.get(scope, "feed.tenant", word::name)?,
        kind: kind(sources, scope, folder.is_none())?,
        folder: folder.or_else(|| own_folder(sources, scope))?,
        poll: sources.get(scope, "feed.poll", word::cron),
        settle: span("feed.settle")?,
        complete: sources.get(scope, "feed.complete", word::flag)?,
        max_new: sources.get(scope, "feed.max_new", word::whole)?,
        max_changes: sources.get(scope, "feed.max_changes", word::whole)?,
        max_changes_share: sources.get(scope, "feed.max_changes_share", word::share)?,
        expect_every: span("feed.expect_every")?,
        recent: span("feed.recent")?,
        keep_files: span("feed.keep_files")?,
        columns: sources.get(scope, "feed.columns", word::columns)?,
        zones: sources.get(scope, "feed.zones", word::zones)?,
        encoding: sources.get(scope, "feed.encoding", word::encoding),
        date_format: sources.get(scope, "feed.date_format", word::date_format),
    })
}

/// Before any change of any row; a text that databases compare with dates and instants.
const EPOCH: &str = "1970-01-01 00:00:00";

fn kind(sources: &Sources, scope: Scope, own_folder: bool) -> Option<FeedKind> {
    if sources.words(scope, "feed.kind")? == "csv" {
        return Some(FeedKind::Csv);
    }
    Some(FeedKind::Sql(Sql {
        url_file: sources.secret(scope, "feed.url_file")?,
        query: sources.get(scope, "feed.query", word::query)?,
        timeout: sources.get(scope, "feed.timeout", word::span)?,
        max_rows: u64::try_from(sources.get(scope, "feed.max_rows", word::whole)?).ok()?,
        watermark: sources.words(scope, "feed.watermark").filter(|column| !column.is_empty()),
        watermark_from: sources.words(scope, "feed.watermark_from").unwrap_or_else(|| EPOCH.to_owned()),
        own_folder,
    }))
}

/// `feeds/NAME` beside the state file: reports, rejected rows and held readings of a query.
fn own_folder(sources: &Sources, scope: Scope) -> Option<PathBuf> {
    let state = sources.folder.join(sources.get(Scope::Global, "state.url", word::state_path)?);
    Some(state.parent()?.join("feeds").join(sources.get(scope, "feed.name", word::name)?))
}

fn mail(sources: &Sources, scope: Scope) -> Option<Mail> {
    let via = match sources.words(scope, "mail.via")?.as_str() {
        "graph" => Via::Graph { tenant: credential(sources, scope)? },
        _ => Via::Smtp(smtp(sources, scope)?),
    };
    Some(Mail {
        from: sources.get(scope, "mail.from", word::mailbox)?,
        per_minute: u32::try_from(sources.get(scope, "mail.per_minute", word::whole)?).ok()?,
        reply_to: sources.get(scope, "mail.reply_to", word::mailbox),
        help: sources.words(scope, "mail.help").filter(|help| !help.is_empty()),
        language: sources.get(scope, "mail.language", word::language)?,
        templates: sources
            .file(scope, "mail.templates")
            .filter(|_| sources.words(scope, "mail.templates").is_some_and(|path| !path.is_empty())),
        via,
    })
}

/// Whose credential Graph mail and XOAUTH2 use: `mail.tenant`; else the tenant itself, when it has a
/// sender of its own; else the only one that is served. `None` when that is nobody.
pub(super) fn credential(sources: &Sources, scope: Scope) -> Option<String> {
    if sources.is_set(scope, "mail.tenant") {
        return sources.get(scope, "mail.tenant", word::name);
    }
    let own_sender = match scope {
        Scope::Tenant(index) => sources.given.contains_key(&format!("tenant.{index}.mail.from")),
        Scope::Global | Scope::Feed(_) | Scope::Webhook(_) => false,
    };
    if own_sender {
        return sources.get(scope, "tenant.name", word::name);
    }
    let mut served = served_tenants(sources).into_iter();
    match (served.next(), served.next()) {
        (Some(only), None) => Some(only),
        (Some(_) | None, _) => None,
    }
}

/// Names of the tenants that are enabled.
pub(super) fn served_tenants(sources: &Sources) -> Vec<String> {
    let scopes = sources.indexes("tenant").into_iter().map(Scope::Tenant);
    let enabled = scopes.filter(|scope| sources.get(*scope, "tenant.enabled", word::flag) != Some(false));
    enabled.filter_map(|scope| sources.get(scope, "tenant.name", word::name)).collect()
}

fn smtp(sources: &Sources, scope: Scope) -> Option<Smtp> {
    let auth = match sources.words(scope, "mail.smtp.auth")?.as_str() {
        "none" => Auth::None,
        "xoauth2" => Auth::Xoauth2 { tenant: credential(sources, scope)? },
        _ => Auth::Password,
    };
    let password_file = match auth {
        Auth::Password => Some(sources.secret(scope, "mail.smtp.password_file")?),
        Auth::None | Auth::Xoauth2 { .. } => None,
    };
    let tls = match sources.words(scope, "mail.smtp.tls")?.as_str() {
        "none" => Tls::None,
        "implicit" => Tls::Implicit,
        _ => Tls::Starttls,
    };
    Some(Smtp {
        host: sources.words(scope, "mail.smtp.host")?,
        port: u16::try_from(sources.get(scope, "mail.smtp.port", word::whole)?).ok()?,
        tls,
        auth,
        username: sources.words(scope, "mail.smtp.username").unwrap_or_default(),
        password_file,
        ca_file: sources.file(scope, "mail.smtp.ca_file"),
    })
}
