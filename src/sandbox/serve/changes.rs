//! What another version of the small file changes, in a line.
//!
//! Pure. People are named by UPN, keys as the file writes them.

use serde_json::{Map, Value};

use super::file::TenantFile;

/// So many changed people are named.
const NAMED: usize = 5;

/// What changes from `old` to `new`, one piece each; nothing when they say the same.
///
/// ```
/// use firstpass::sandbox::serve::{TenantFile, changes::changes};
/// let old = TenantFile::parse("[[user]]\nupn = \"ada@contoso.example\"\n").unwrap();
/// let new = TenantFile::parse("[policy]\none_time = true\n[[user]]\nupn = \"ada@contoso.example\"\nenabled = false\n").unwrap();
/// assert_eq!(changes(&old, &new), ["policy one_time", "user ada@contoso.example: enabled"]);
/// ```
pub fn changes(old: &TenantFile, new: &TenantFile) -> Vec<String> {
    let (old, new) = (members(old), members(new));
    let mut found = Vec::new();
    for table in ["tenant", "policy", "graph", "mail"] {
        let keys = differing(old.get(table), new.get(table));
        if !keys.is_empty() {
            found.push(format!("{table} {}", keys.join(", ")));
        }
    }
    for (list, key) in [("user", "upn"), ("contact", "mail"), ("group", "name")] {
        of_list(list, key, old.get(list), new.get(list), &mut found);
    }
    found
}

fn of_list(list: &str, key: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<String>) {
    let (old, new) = (by_name(key, old), by_name(key, new));
    let only = |these: &Map<String, Value>, those: &Map<String, Value>| -> Vec<String> {
        these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
    };
    for (word, names) in [("new", only(&new, &old)), ("gone", only(&old, &new))] {
        if !names.is_empty() {
            found.push(format!("{} {list}{} {word}: {}", names.len(), plural(names.len()), some(&names)));
        }
    }
    let changed: Vec<String> = new
        .iter()
        .filter_map(|(name, now)| {
            let keys = differing(old.get(name).filter(|before| *before != now), Some(now));
            (old.contains_key(name) && !keys.is_empty()).then(|| format!("{name}: {}", keys.join(", ")))
        })
        .collect();
    match changed.as_slice() {
        [] => {}
        few if few.len() <= NAMED => found.extend(few.iter().map(|what| format!("{list} {what}"))),
        many => found.push(format!("{} {list}s changed", many.len())),
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} …") } else { shown }
}

fn members(file: &TenantFile) -> Map<String, Value> {
    match serde_json::to_value(file) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn by_name(key: &str, list: Option<&Value>) -> Map<String, Value> {
    let entries = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |entry: &Value| Some((entry.get(key)?.as_str()?.to_lowercase(), entry.clone()));
    entries.iter().filter_map(named).collect()
}

/// Keys whose values differ; nothing when one side is missing.
fn differing(old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) else { return Vec::new() };
    new.iter().filter(|(key, value)| old.get(*key) != Some(*value)).map(|(key, _)| key.clone()).collect()
}
