//! The few query options of OData that the model understands: `$filter` with `eq` and `or`,
//! `$select`, `$top`, `$count`, `$skiptoken`. What it does not understand is a 400, never ignored.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::answer::Answer;

/// A page holds at most so many entries (Graph's own limit for accounts).
const PAGE_MOST: usize = 999;
/// Without `$top` a page holds so many.
const PAGE_USUAL: usize = 100;

/// Query options as they came.
pub(super) type Options = HashMap<String, String>;

/// `property eq 'value'` terms, one of which must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(pub(super) Vec<(String, String)>);

impl Filter {
    /// Reads `a eq 'x' or b eq 'y'`; in the text a quote is written twice.
    pub(super) fn parse(text: &str) -> Result<Self, Answer> {
        let wrong = || Answer::error(400, "BadRequest", &format!("Invalid filter clause: {text}"));
        let mut terms = Vec::new();
        let mut rest = text.trim();
        loop {
            let (property, after) = rest.split_once(' ').ok_or_else(wrong)?;
            let quoted = after.trim_start().strip_prefix("eq '").ok_or_else(wrong)?;
            let (value, after) = string(quoted).ok_or_else(wrong)?;
            terms.push((property.to_owned(), value));
            match after.trim() {
                "" => return Ok(Self(terms)),
                more => rest = more.strip_prefix("or ").ok_or_else(wrong)?.trim_start(),
            }
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn string(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

/// Refuses an option that the model does not know, so that no test rests on a silent one.
pub(super) fn known(options: &Options, names: &[&str]) -> Result<(), Answer> {
    match options.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(Answer::error(400, "BadRequest", &format!("The query option '{name}' is not supported."))),
        None => Ok(()),
    }
}

/// Keeps what `$select` names, in its order, or the default members; an unknown name is a 400.
pub(super) fn select(
    options: &Options,
    mut all: Map<String, Value>,
    usual: &[&str],
    type_name: &str,
) -> Result<Map<String, Value>, Answer> {
    let Some(wanted) = options.get("$select") else {
        all.retain(|name, _| usual.contains(&name.as_str()) || name.starts_with('@'));
        return Ok(all);
    };
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    if let Some(unknown) = wanted.iter().find(|name| !all.contains_key(**name)) {
        let message = format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{unknown}' on type '{type_name}'."
        );
        return Err(Answer::error(400, "BadRequest", &message));
    }
    all.retain(|name, _| wanted.contains(&name.as_str()) || name.starts_with('@'));
    Ok(all)
}

/// `$select` for entries of kinds that mix: what an entry lacks is left out (facts 3.2).
pub(super) fn select_loosely(options: &Options, entries: &mut [Value]) {
    let Some(wanted) = options.get("$select") else { return };
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    for members in entries.iter_mut().filter_map(Value::as_object_mut) {
        members.retain(|name, _| name.starts_with('@') || wanted.contains(&name.as_str()));
    }
}

/// One page of a collection with `@odata.nextLink` when more follow. `link` is the request's URL
/// without its query.
pub(super) fn page(
    options: &Options,
    most: Option<usize>,
    context: &str,
    link: &str,
    entries: Vec<Value>,
) -> Result<Answer, Answer> {
    let wrong = |name: &str| Answer::error(400, "BadRequest", &format!("Invalid value for the query option '{name}'."));
    let top = match options.get("$top") {
        Some(text) => text.parse().ok().filter(|top| (1..=PAGE_MOST).contains(top)).ok_or_else(|| wrong("$top"))?,
        None => PAGE_USUAL,
    };
    let size = top.min(most.unwrap_or(top)).max(1);
    let skip = match options.get("$skiptoken") {
        Some(token) => offset(token).ok_or_else(|| wrong("$skiptoken"))?,
        None => 0,
    };
    let count = entries.len();
    let value: Vec<Value> = entries.into_iter().skip(skip).take(size).collect();
    let mut body = json!({ "@odata.context": context });
    if let Some(members) = body.as_object_mut() {
        if options.get("$count").is_some_and(|text| text == "true") {
            members.insert("@odata.count".into(), json!(count));
        }
        if skip + value.len() < count {
            members.insert("@odata.nextLink".into(), json!(next(options, link, skip + value.len())));
        }
        members.insert("value".into(), Value::Array(value));
    }
    Ok(Answer::json(200, body))
}

fn next(options: &Options, link: &str, skip: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut kept: Vec<_> = options.iter().filter(|(name, _)| *name != "$skiptoken").collect();
    kept.sort();
    query.extend_pairs(kept);
    query.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode(format!("RFNwdAoAAQ{skip}")));
    format!("{link}?{}", query.finish())
}

fn offset(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("RFNwdAoAAQ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_know_eq_or_and_doubled_quotes() {
        let filter = Filter::parse("mail eq 'o''hara@contoso.example' or userPrincipalName eq 'x'").unwrap();
        assert_eq!(filter.0[0], ("mail".into(), "o'hara@contoso.example".into()));
        assert_eq!(filter.0[1], ("userPrincipalName".into(), "x".into()));
        for wrong in ["", "mail", "mail eq", "mail eq 'x", "mail ne 'x'", "mail eq 'x' and b eq 'y'", "mail eq 'x''"] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}
