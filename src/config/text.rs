//! `config init` and `config show`, made from [`super::keys::KEYS`].
//!
//! The example parses to the defaults; what must be edited stands uncommented with an invented
//! value, what has no default is commented out.

use super::build::Scope;
use super::keys::{KEYS, Key, Served, TABLES, Value, is_override, key_of};
use super::source::{Sources, pattern_of};
use super::word::{self, Raw};

/// Meanings begin here where the value is short enough.
const COLUMN: usize = 30;
/// Longer lines are broken: the meaning stands above.
const WIDTH: usize = 120;

/// A feed of the other kind, below the first.
const QUERY: &str = r#"
# A query on a database instead (deploy/feeds/databases.md has more):
#   [[feed]]
#   name = "hr-database"
#   tenant = "contoso"
#   kind = "sql"
#   url_file = "hr-database-url"
#   query = "SELECT employee_id, full_name, hire_date, country FROM starters"
#   poll = "0 */15 * * * *"
"#;

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `tenant.contoso.client_id`.
    pub key: String,
    /// As TOML; secrets are never in the settings, only the names of their files.
    pub value: String,
    /// `firstpass.toml:12`, the variable's name, or `default`.
    pub source: String,
}

/// The text of `config init`.
pub fn init() -> String {
    let mut text = String::from(
        "# firstpass settings. `firstpass check` says whether they are right, and where not.\n\
         # FIRSTPASS_SECTION__KEY in the environment overrides: FIRSTPASS_SCHEDULE__SEND_AT=06:30,\n\
         # FIRSTPASS_TENANT__CONTOSO__CLIENT_ID=…\n\
         # Edit [[tenant]], [[feed]] and [mail]; all other values here are the defaults. Lines such as\n\
         # `# key = …` show what can be set besides. Secrets are never in this file.\n",
    );
    for (table, about) in TABLES {
        let header = match *table {
            "notify.webhook" => "# [[notify.webhook]]".to_owned(), // none by default
            list if super::source::LISTS.contains(&list) => format!("[[{list}]]"),
            table => format!("[{table}]"),
        };
        text.extend(["\n# ", about, "\n", &header, "\n"]);
        let of_table = |key: &&Key| key.path.rsplit_once('.').is_some_and(|(above, _)| above == *table);
        for key in KEYS.iter().filter(of_table) {
            text.push_str(&line(key));
        }
        if *table == "feed" {
            text.push_str(QUERY);
        }
    }
    text
}

fn line(key: &Key) -> String {
    let leaf = key.path.rsplit('.').next().unwrap_or(key.path);
    let (mark, value) = match (key.value, key.served) {
        (Value::Unset(value), _) | (Value::Default(value), Served::NotYet) => ("# ", value),
        (Value::Needed(value) | Value::Usual(value) | Value::Default(value), _) => ("", value),
    };
    let meaning = match key.served {
        Served::NotYet => format!("{} (not served by this version)", key.meaning),
        Served::NoEffect => format!("{} (no effect in this version)", key.meaning),
        Served::Fully | Served::Only(_) => key.meaning.to_owned(),
    };
    let setting = format!("{mark}{leaf} = {value}");
    let beside = format!("{setting:<COLUMN$} # {meaning}\n");
    if beside.chars().count() <= WIDTH { beside } else { format!("# {meaning}:\n{setting}\n") }
}

/// Every setting in force, in the order of the definition: global ones, then each tenant with its
/// own tables where they say something, then each feed.
pub(super) fn shown(sources: &Sources) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (table, _) in TABLES {
        let keys = || KEYS.iter().filter(|key| key.path.rsplit_once('.').is_some_and(|(above, _)| above == *table));
        match *table {
            "tenant" => {
                for index in sources.indexes("tenant") {
                    let scope = Scope::Tenant(index);
                    shown.extend(keys().filter_map(|key| one(sources, scope, key)));
                    let own = KEYS.iter().filter(|key| {
                        is_override(key.path) && sources.given.contains_key(&format!("tenant.{index}.{}", key.path))
                    });
                    shown.extend(own.filter_map(|key| one(sources, scope, key)));
                }
            }
            "feed" => {
                for index in sources.indexes("feed") {
                    shown.extend(keys().filter_map(|key| one(sources, Scope::Feed(index), key)));
                }
            }
            "notify.webhook" => {
                for index in sources.indexes("notify.webhook") {
                    shown.extend(keys().filter_map(|key| one(sources, Scope::Webhook(index), key)));
                }
            }
            _global => shown.extend(keys().filter_map(|key| one(sources, Scope::Global, key))),
        }
    }
    shown
}

fn one(sources: &Sources, scope: Scope, key: &Key) -> Option<Shown> {
    let named = |name: Option<String>, rest: &str, list: &str| format!("{list}.{}.{rest}", name.unwrap_or_default());
    let shown = match scope {
        Scope::Global => key.path.to_owned(),
        Scope::Tenant(_) => {
            let rest = key.path.strip_prefix("tenant.").unwrap_or(key.path);
            named(sources.get(scope, "tenant.name", word::name), rest, "tenant")
        }
        Scope::Feed(_) => {
            let rest = key.path.strip_prefix("feed.").unwrap_or(key.path);
            named(sources.get(scope, "feed.name", word::name), rest, "feed")
        }
        Scope::Webhook(index) => {
            let rest = key.path.strip_prefix("notify.webhook.").unwrap_or(key.path);
            named(Some(super::webhook::name(sources, index)), rest, "notify.webhook")
        }
    };
    match (sources.given.get(&sources.path(scope, key.path)), key.value) {
        (Some(given), _) => Some(Shown { key: shown, value: toml_text(&given.raw), source: given.place.clone() }),
        (None, Value::Default(value)) => {
            Some(Shown { key: shown, value: value.to_owned(), source: "default".to_owned() })
        }
        (None, Value::Needed(_) | Value::Unset(_) | Value::Usual(_)) => None,
    }
}

/// Keys that are set and do nothing yet, once each.
pub(super) fn without_effect(sources: &Sources) -> Vec<String> {
    let mut keys: Vec<String> = sources
        .given
        .keys()
        .map(|path| pattern_of(path))
        .filter(|pattern| key_of(pattern).is_some_and(|key| key.served == Served::NoEffect))
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn toml_text(raw: &Raw) -> String {
    value(raw).to_string()
}

fn value(raw: &Raw) -> toml::Value {
    match raw {
        Raw::Text(text) | Raw::Variable(text) => toml::Value::String(text.clone()),
        Raw::Whole(number) => toml::Value::Integer(*number),
        Raw::Fraction(number) => toml::Value::Float(*number),
        Raw::Flag(flag) => toml::Value::Boolean(*flag),
        Raw::List(items) => toml::Value::Array(items.iter().map(value).collect()),
        Raw::Table(table) => toml::Value::Table(table.iter().map(|(name, raw)| (name.clone(), value(raw))).collect()),
    }
}
