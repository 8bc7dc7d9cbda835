//! `config init`, `config show` and `config keys`, which come from the parser's own table of keys, and
//! `config test`: would a start or a reload take these settings?

use std::path::Path;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::end::{End, Trouble, chain};
use super::out::{COLUMNS, Fit, Out, wrapped};
use super::{open, run};
use crate::config::keys::{KEYS, Key, Served, TABLES, Value, is_override};
use crate::config::{LISTS, Limits};
use crate::work;

/// What of the settings.
#[derive(Debug, Subcommand)]
pub enum Show {
    /// A commented example of every setting, on standard output.
    #[command(after_help = "Example: firstpass config init > firstpass.toml")]
    Init,
    /// Every setting in force and where it comes from; secrets are named, never shown.
    #[command(after_help = "Example: firstpass config show --json")]
    Show,
    /// Would a start or a reload take these settings? Asks nobody, and does not look at the state.
    #[command(
        after_help = "Example: firstpass --config new.toml config test\n\nExit status: 0 they would be taken, 78 not, and why. `firstpass check --offline` looks at more."
    )]
    Test,
    /// Every key with its kind, its default and what it means.
    #[command(after_help = "Example: firstpass config keys | less")]
    Keys,
}

/// Does it.
pub fn show(what: &Show, config: &Path, out: Out) -> Result<End, Trouble> {
    match what {
        Show::Init => out.lines(crate::config::text::init().lines())?,
        Show::Show => in_force(config, out)?,
        Show::Test => test(config, out)?,
        Show::Keys => keys(out)?,
    }
    Ok(End::Done)
}

/// The questions that `run` asks of settings at its start and at SIGHUP, in their order; the unit's
/// `ExecReload` counts on it that they are the same.
fn test(config: &Path, out: Out) -> Result<(), Trouble> {
    let settings = open::settings(config)?;
    let not_served = run::unusable_tenants(&settings)?;
    work::could_serve(&settings, &Limits::default()).map_err(|error| Trouble::Settings(chain(&error)))?;
    if out.is_json() {
        return Ok(out.document(&json!({"usable": true, "not_served": not_served}))?);
    }
    let mut lines: Vec<String> =
        not_served.into_iter().map(|tenant| format!("{tenant}; the other tenants are served")).collect();
    lines.push(format!("{}: a start or a reload takes these settings", config.display()));
    Ok(out.paragraphs(lines)?)
}

fn in_force(config: &Path, out: Out) -> Result<(), Trouble> {
    let settings = open::settings(config)?;
    if out.is_json() {
        let all: Vec<_> = settings
            .shown
            .iter()
            .map(|shown| json!({"key": shown.key, "value": shown.value, "source": shown.source}))
            .collect();
        return Ok(out.document(&all)?);
    }
    let rows: Vec<_> =
        settings.shown.iter().map(|shown| [shown.key.clone(), shown.value.clone(), shown.source.clone()]).collect();
    let heads = [("KEY", Fit::Whole), ("VALUE", Fit::Cut(20)), ("FROM", Fit::Cut(12))];
    Ok(out.fitted(heads, &rows, "nothing is set")?)
}

/// One line of `config keys --json`.
#[derive(Debug, Serialize)]
struct KeyLine {
    key: &'static str,
    kind: String,
    /// As TOML; `null`: nothing stands there when it is not set.
    default: Option<&'static str>,
    /// As TOML, where there is no default.
    example: Option<&'static str>,
    needed: bool,
    meaning: &'static str,
    /// `[tenant.…]` tables may have their own.
    by_tenant: bool,
    /// `fully`, `partly: csv` (those words only), `not yet` (refused), `no effect`.
    served: String,
}

fn keys(out: Out) -> Result<(), Trouble> {
    let lines: Vec<KeyLine> = KEYS.iter().map(key_line).collect();
    if out.is_json() {
        return Ok(out.document(&lines)?);
    }
    let mut text = Vec::new();
    for (table, about) in TABLES {
        let header = if LISTS.contains(table) { format!("[[{table}]]") } else { format!("[{table}]") };
        text.push(format!("{header}  {}", about.replace("\n#", "")));
        let of_table = |line: &&KeyLine| line.key.rsplit_once('.').is_some_and(|(above, _)| above == *table);
        for line in lines.iter().filter(of_table) {
            text.extend(paragraph(line));
        }
        text.push(String::new());
    }
    text.pop();
    Ok(out.lines(text.iter().flat_map(|line| wrapped(line, COLUMNS)))?)
}

fn key_line(key: &'static Key) -> KeyLine {
    let (default, example) = match key.value {
        Value::Default(value) => (Some(value), None),
        Value::Needed(example) | Value::Usual(example) | Value::Unset(example) => (None, Some(example)),
    };
    KeyLine {
        key: key.path,
        kind: key.kind.to_string(),
        default,
        example,
        needed: matches!(key.value, Value::Needed(_)),
        meaning: key.meaning,
        by_tenant: is_override(key.path),
        served: match key.served {
            Served::Fully => "fully".to_owned(),
            Served::Only(words) => format!("partly: {}", words.join(", ")),
            Served::NotYet => "not yet".to_owned(),
            Served::NoEffect => "no effect".to_owned(),
        },
    }
}

fn paragraph(line: &KeyLine) -> [String; 3] {
    let stands = match (line.default, line.example, line.needed) {
        (Some(default), _, _) => default.to_owned(),
        (None, Some(example), true) => format!("needed: {example}"),
        (None, Some(example), false) => format!("not set; as {example}"),
        (None, None, _) => String::new(),
    };
    let served = match line.served.as_str() {
        "fully" => String::new(),
        "not yet" => "; refused by this version".to_owned(),
        "no effect" => "; no effect in this version".to_owned(),
        partly => format!("; this version: {}", partly.trim_start_matches("partly: ")),
    };
    let own = if line.by_tenant { "; a tenant may have its own" } else { "" };
    [
        format!("  {:<27} {stands}", line.key),
        format!("      {}", line.meaning),
        format!("      ({}{own}{served})", line.kind),
    ]
}
