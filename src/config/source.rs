//! File and environment, merged by figment, each value with its place.
//!
//! figment's own environment provider reads `0123` and `true` as other types than text; ours hands
//! every variable on as written. The file is parsed by `toml` with spans, so that each message has
//! its line. `[[tenant]]` and `[[feed]]` become tables keyed by index, so that one variable can set
//! one key of one tenant: `FIRSTPASS_TENANT__0__CLIENT_ID`, or with the tenant's name for the index.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::keys::{SERVICE_ONLY, is_table, key_of, nearest};
use super::word::Raw;
use super::{Problem, SettingsError};

/// A settings file is a few kilobytes; this bounds a wrong path.
const LARGEST: u64 = 1024 * 1024;
const PREFIX: &str = "FIRSTPASS_";
/// Variables with our prefix that are no settings.
const OURS: [&str; 2] = ["FIRSTPASS_CONFIG", "FIRSTPASS_LOG"];
/// Tables that are written `[[…]]`.
pub const LISTS: [&str; 3] = ["tenant", "feed", "notify.webhook"];

/// A value that is set, and where.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) raw: Raw,
    pub(super) place: String,
}

/// Everything that is set.
pub(super) struct Sources {
    file: String,
    /// Relative paths are meant from here.
    pub(super) folder: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) credentials: Option<PathBuf>,
    /// By concrete path, `tenant.0.name`.
    pub(super) given: BTreeMap<String, Given>,
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
    pub(super) problems: Vec<(usize, Problem)>,
    pub(super) warnings: Vec<String>,
}

impl Sources {
    /// Reads and merges; unknown keys are among `problems`.
    pub(super) fn read(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let file = path.display().to_string();
        let text = text_of(path)?;
        let parsed = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            // The error's own words only: a whole line of the file might hold a secret.
            alone(&format!("{file}:{line}"), error.message().to_owned())
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut sources = Self {
            file,
            folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
            credentials: None,
            given: BTreeMap::new(),
            lines: BTreeMap::new(),
            variables: BTreeMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        sources.note_lines(&text, parsed.get_ref(), "");
        let written = sources.file_values(parsed.get_ref(), "");
        let set = sources.variables_of(env, &written);
        let merged = Figment::new()
            .merge(Layer { name: "the settings file", values: written })
            .merge(Layer { name: "the environment", values: set });
        let values = merged.data().map_err(|error| alone(&sources.file, error.to_string()))?;
        for dict in values.into_values() {
            sources.flatten("", dict);
        }
        Ok(sources)
    }

    /// Adds a problem at the place of a concrete path, or of the table around it.
    pub(super) fn problem(&mut self, path: &str, text: String) {
        let (order, place) = self.ordered_place(path);
        let problem = Problem { place, text };
        if !self.problems.iter().any(|(_, known)| *known == problem) {
            self.problems.push((order, problem));
        }
    }

    /// The variable that set it, else file and line, else the file.
    pub(super) fn place_of(&self, path: &str) -> String {
        self.ordered_place(path).1
    }

    /// The place, behind what sorts it: lines, the file, variables. Of a table that only variables made, here or
    /// around, the first of them.
    fn ordered_place(&self, path: &str) -> (usize, String) {
        let mut near = Some(path);
        while let Some(here) = near {
            let made_by = || {
                let below = format!("{here}.");
                let mut made = self.variables.iter().filter(|(path, _)| path.starts_with(&below));
                made.next().map(|(_, variable)| variable).filter(|_| here == path || is_entry(here))
            };
            let set_here = self.variables.get(here).filter(|_| here == path);
            match (set_here, self.lines.get(here)) {
                (Some(variable), _) => return (usize::MAX, variable.clone()),
                (None, Some(line)) => return (*line, format!("{}:{line}", self.file)),
                (None, None) => {}
            }
            if let Some(variable) = made_by() {
                return (usize::MAX, variable.clone());
            }
            near = here.rsplit_once('.').map(|(around, _)| around);
        }
        (usize::MAX - 1, self.file.clone())
    }

    /// Indexes of `[[tenant]]` or `[[feed]]`, in order.
    pub(super) fn indexes(&self, list: &str) -> Vec<usize> {
        let index = |path: &String| path.strip_prefix(list)?.strip_prefix('.')?.split('.').next()?.parse().ok();
        let mut indexes: Vec<usize> = self.given.keys().chain(self.lines.keys()).filter_map(index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }

    fn note_lines(&mut self, text: &str, table: &DeTable<'_>, above: &str) {
        for (key, value) in table {
            let path = join(above, key.get_ref());
            self.lines.insert(path.clone(), line_at(text, key.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => self.note_lines(text, inner, &path),
                DeValue::Array(items) if LISTS.contains(&path.as_str()) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = join(&path, &index.to_string());
                        self.lines.insert(path.clone(), line_at(text, item.span().start));
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.note_lines(text, inner, &path);
                        }
                    }
                }
                DeValue::Array(_)
                | DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
    }

    fn file_values(&mut self, table: &DeTable<'_>, above: &str) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let path = join(above, &name);
            let holds_list =
                LISTS.iter().any(|list| list.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
            let read = match value.get_ref() {
                DeValue::Array(items) if LISTS.contains(&path.as_str()) => {
                    let tables = items
                        .iter()
                        .enumerate()
                        .map(|(index, item)| Ok((index.to_string(), value_of(item.get_ref())?)));
                    tables.collect::<Result<Dict, String>>().map(Value::from)
                }
                DeValue::Table(_) if LISTS.contains(&path.as_str()) => {
                    Err(format!("is a list of tables; write [[{path}]] with two brackets"))
                }
                DeValue::Table(inner) if holds_list => Ok(Value::from(self.file_values(inner, &path))),
                _other => value_of(value.get_ref()),
            };
            match read {
                Ok(value) => drop(dict.insert(name, value)),
                Err(text) => self.problem(&path, format!("{path} {text}")),
            }
        }
        dict
    }

    /// `FIRSTPASS_SECTION__KEY=value` → nested tables of text.
    fn variables_of(&mut self, env: impl Iterator<Item = (String, String)>, written: &Dict) -> Dict {
        let mut dict = Dict::new();
        for (variable, value) in env {
            if variable == "CREDENTIALS_DIRECTORY" {
                self.credentials = Some(PathBuf::from(value)).filter(|folder| folder.is_absolute());
                continue;
            }
            let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !OURS.contains(&variable.as_str())) else {
                continue;
            };
            if !rest.contains("__") {
                self.warnings.push(format!(
                    "{variable} is ignored: settings in the environment are written {PREFIX}SECTION__KEY"
                ));
                continue;
            }
            let mut parts: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
            if parts.iter().any(String::is_empty) {
                let text = format!("names no setting: those are written {PREFIX}SECTION__KEY");
                self.problems.push((usize::MAX, Problem { place: variable, text }));
                continue;
            }
            if let Some((list, known, which)) = in_list(&mut parts, written) {
                let Some(index) = index_of(known, which) else {
                    let text = format!(
                        "no {list} is called {which:?}; write its place in the file (0 for the first) or its name"
                    );
                    self.problems.push((usize::MAX, Problem { place: variable, text }));
                    continue;
                };
                *which = index;
            }
            self.variables.insert(parts.join("."), variable);
            insert(&mut dict, &parts, value);
        }
        dict
    }

    /// Known keys go to `given`, unknown ones to `problems`.
    fn flatten(&mut self, above: &str, dict: Dict) {
        for (name, value) in dict {
            let path = join(above, &name);
            let pattern = pattern_of(&path);
            if key_of(&pattern).is_some() {
                let given =
                    Given { raw: raw_of(&value, self.variables.contains_key(&path)), place: self.place_of(&path) };
                self.given.insert(path, given);
                continue;
            }
            match value {
                Value::Dict(_, inner) if is_table(&pattern) => self.flatten(&path, inner),
                _other if is_table(&pattern) => {
                    let brackets = if LISTS.contains(&pattern.as_str()) { ("[[", "]]") } else { ("[", "]") };
                    let (open, close) = brackets;
                    self.problem(
                        &path,
                        format!("{pattern} is a table; write {open}{pattern}{close} and its keys below"),
                    );
                }
                _other => self.unknown(&path, &pattern),
            }
        }
    }

    fn unknown(&mut self, path: &str, pattern: &str) {
        let global = pattern.strip_prefix("tenant.").filter(|rest| SERVICE_ONLY.contains(rest));
        let text = match global {
            Some(global) => format!("{global} is for the whole service; no tenant can have its own"),
            None => format!("there is no setting {pattern}; did you mean {}?", nearest(pattern)),
        };
        self.problem(path, text);
    }
}

/// One provider for both: values that are read already, under the name of their source.
struct Layer {
    name: &'static str,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

fn alone(place: &str, text: String) -> SettingsError {
    SettingsError { problems: vec![Problem { place: place.to_owned(), text }] }
}

fn text_of(path: &Path) -> Result<String, SettingsError> {
    let place = path.display().to_string();
    let refused = |error: std::io::Error| {
        match error.kind() {
        std::io::ErrorKind::NotFound => alone(
            &place,
            "there is no settings file; make one with `firstpass config init`, or name yours with --config or FIRSTPASS_CONFIG".to_owned(),
        ),
        _ => alone(&place, format!("cannot be read: {error}")),
    }
    };
    let file = std::fs::File::open(path).map_err(refused)?;
    if !file.metadata().map_err(refused)?.is_file() {
        return Err(alone(&place, "is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(refused)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(alone(&place, "is larger than 1 MiB, so it is no settings file".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| alone(&place, "is no UTF-8 text".to_owned()))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

/// The list that a variable's name begins with, its entries in the file, and the part that says which.
fn in_list<'p, 'v>(parts: &'p mut [String], written: &'v Dict) -> Option<(String, Option<&'v Value>, &'p mut String)> {
    let of = |list: String| LISTS.contains(&list.as_str()).then_some(list);
    match parts {
        [first, second, which, ..] if LISTS.contains(&format!("{first}.{second}").as_str()) => {
            let known = written.get(first).and_then(Value::as_dict).and_then(|inner| inner.get(second));
            Some((of(format!("{first}.{second}"))?, known, which))
        }
        [first, which, ..] => Some((of(first.clone())?, written.get(first), which)),
        _ => None,
    }
}

/// `tenant.0.schedule.send_at` → `tenant.schedule.send_at`.
pub(super) fn pattern_of(path: &str) -> String {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        [table, list, _index, rest @ ..] if LISTS.contains(&format!("{table}.{list}").as_str()) => {
            [table, list].into_iter().chain(rest).copied().collect::<Vec<_>>().join(".")
        }
        [list, _index, rest @ ..] if LISTS.contains(list) => {
            std::iter::once(list).chain(rest).copied().collect::<Vec<_>>().join(".")
        }
        _ => path.to_owned(),
    }
}

/// `feed.1`: one table of a list.
fn is_entry(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(list, _)| LISTS.contains(&list))
}

/// The index that a variable means by `0` or by a name; a number may also add an entry.
fn index_of(list: Option<&Value>, which: &str) -> Option<String> {
    if let Ok(index) = which.parse::<u8>() {
        return Some(index.to_string());
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '.'], "_");
    let named =
        |value: &Value| value.find_ref("name").and_then(Value::as_str).is_some_and(|name| plain(name) == plain(which));
    list.and_then(Value::as_dict)?.iter().find(|(_, entry)| named(entry)).map(|(index, _)| index.clone())
}

fn insert(dict: &mut Dict, parts: &[String], value: String) {
    let Some((first, rest)) = parts.split_first() else { return };
    if rest.is_empty() {
        dict.insert(first.clone(), Value::from(value));
        return;
    }
    let mut inner = match dict.remove(first) {
        Some(Value::Dict(_, inner)) => inner,
        Some(_) | None => Dict::new(),
    };
    insert(&mut inner, rest, value);
    dict.insert(first.clone(), Value::from(inner));
}

/// What TOML says, dates and times as text.
pub(super) fn value_of(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.to_string()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(read.map_err(|_| "holds a number that is too large".to_owned())?)
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse::<f64>();
            Value::from(read.map_err(|_| "holds a number that cannot be read".to_owned())?)
        }
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(written) => Value::from(written.to_string()),
        DeValue::Array(items) => {
            Value::from(items.iter().map(|item| value_of(item.get_ref())).collect::<Result<Vec<_>, _>>()?)
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), value_of(value.get_ref())?)));
            Value::from(entries.collect::<Result<Dict, String>>()?)
        }
    })
}

/// The same without figment's tags; text of a variable stays apart, because it may mean any kind.
pub(super) fn raw_of(value: &Value, variable: bool) -> Raw {
    match value {
        Value::String(_, text) if variable => Raw::Variable(text.clone()),
        Value::String(_, text) => Raw::Text(text.clone()),
        Value::Char(_, letter) => Raw::Text(letter.to_string()),
        Value::Bool(_, flag) => Raw::Flag(*flag),
        Value::Num(_, number @ (Num::F32(_) | Num::F64(_))) => Raw::Fraction(number.to_f64().unwrap_or(f64::NAN)),
        Value::Num(_, number) => Raw::Whole(number.to_i128().and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX)),
        Value::Empty(..) => Raw::Text(String::new()),
        Value::Dict(_, dict) => {
            Raw::Table(dict.iter().map(|(key, value)| (key.clone(), raw_of(value, false))).collect())
        }
        Value::Array(_, items) => Raw::List(items.iter().map(|item| raw_of(item, false)).collect()),
    }
}
