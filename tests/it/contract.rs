//! Microsoft's OpenAPI document of the calls we use, and a journal held against it.
//!
//! The folder with the document is named by `FIRSTPASS_GRAPH_CONTRACT` (default `../shared/graph`
//! beside this repository); without it these checks say that they are skipped.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use firstpass::sandbox::tenant::{Kind, ModelTenant, Seen};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The document with JSON Schemas in place of OpenAPI 3.0's.
pub(crate) struct Contract {
    folder: PathBuf,
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// The document, or `None` (said once) when it is not on this machine.
pub(crate) fn contract() -> Option<&'static Contract> {
    static CONTRACT: OnceLock<Option<Contract>> = OnceLock::new();
    CONTRACT
        .get_or_init(|| {
            let named = std::env::var_os("FIRSTPASS_GRAPH_CONTRACT").map(PathBuf::from);
            let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/graph"));
            let file = folder.join("subset.openapi.yaml");
            let Ok(text) = std::fs::read_to_string(&file) else {
                eprintln!("skipped: no {}; name the folder with FIRSTPASS_GRAPH_CONTRACT", file.display());
                return None;
            };
            let mut document: Value = serde_yaml_ng::from_str(&text).unwrap();
            let schemas = document["components"]["schemas"].take();
            document["components"]["schemas"] = json_schema(schemas);
            Some(Contract { folder, document, validators: Mutex::default() })
        })
        .as_ref()
}

/// Holds every request and answer of the journal whose path stands in the document against it.
/// Answers that a fault made are left out: they are wrong on purpose.
pub(crate) fn check_journal(tenant: &ModelTenant) {
    let Some(contract) = contract() else { return };
    let wrong: Vec<String> = tenant.journal().iter().flat_map(|seen| contract.check(seen)).collect();
    assert!(wrong.is_empty(), "against Microsoft's document:\n{}", wrong.join("\n"));
}

impl Contract {
    /// Where the documented example bodies lie.
    pub(crate) fn examples(&self) -> PathBuf {
        self.folder.join("examples")
    }

    /// One of the documented example bodies.
    pub(crate) fn example(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.examples().join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Does the document describe this request?
    pub(crate) fn knows(&self, seen: &Seen) -> bool {
        self.operation(seen).is_some()
    }

    fn check(&self, seen: &Seen) -> Vec<String> {
        let own = !seen.faulted && seen.status != 0;
        let wrong = match self.operation(seen) {
            Some(operation) => {
                let mut wrong = self.check_request(seen, operation);
                wrong.extend(own.then(|| self.check_answer(seen, operation)).into_iter().flatten());
                wrong
            }
            None if own => self.check_by_type(seen),
            None => Vec::new(),
        };
        wrong.iter().map(|what| format!("{} {} ({}): {what}", seen.method, seen.path, seen.status)).collect()
    }

    fn check_request(&self, seen: &Seen, operation: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = self.parameters(operation);
        let properties = self.properties(&operation["responses"]["200"]["content"]["application/json"]["schema"]);
        for (name, value) in query_of(&seen.path) {
            let named: Vec<&str> = match name.as_str() {
                "$select" => value.split(',').map(str::trim).collect(),
                "$filter" => value.split_whitespace().take(1).collect(),
                _ => Vec::new(),
            };
            let odd = named.into_iter().filter(|property| !properties.contains(*property));
            wrong.extend(odd.map(|property| format!("{name} names {property}, which is not in the document")));
            // Next links are opaque: their token is Graph's own.
            if name != "$skiptoken" && !known.contains(&name) {
                wrong.push(format!("query option {name} is not in the document"));
            }
            if seen.kind == Kind::PassList {
                wrong.push(format!("the list of passes does not support query options ({name})"));
            }
        }
        if let Some(id) = &seen.client_request_id
            && uuid::Uuid::parse_str(id).is_err()
        {
            wrong.push(format!("client-request-id {id:?} is no UUID"));
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match (&seen.body, schema.is_null()) {
            (None, true) => {}
            (Some(_), true) => wrong.push("a body where the document has none".into()),
            (None, false) => wrong.push("no JSON body".into()),
            (Some(body), false) => {
                wrong.extend(self.against(schema, body).into_iter().map(|what| format!("request: {what}")));
                let json = seen.content_type.as_deref().is_some_and(|text| text.starts_with("application/json"));
                if !json {
                    wrong.push(format!("content type {:?}", seen.content_type));
                }
                let members = body.as_object().map(|members| members.keys().collect::<Vec<_>>()).unwrap_or_default();
                let settable: &[&str] = match seen.kind {
                    Kind::SendMail => &["message", "saveToSentItems"],
                    _ => &["startDateTime", "lifetimeInMinutes", "isUsableOnce", "@odata.type"],
                };
                if let Some(odd) = members.iter().find(|name| !settable.contains(&name.as_str())) {
                    wrong.push(format!("request: {odd} cannot be set"));
                }
            }
        }
        wrong
    }

    fn check_answer(&self, seen: &Seen, operation: &Value) -> Vec<String> {
        let responses = &operation["responses"];
        let mut response = &responses[seen.status.to_string()];
        if response.is_null() {
            if seen.status < 400 {
                return vec!["the document has no such success".into()];
            }
            response = &responses["default"];
        }
        let schema = &self.resolve(response)["content"]["application/json"]["schema"];
        match (&seen.answer, schema.is_null()) {
            (None, true) => Vec::new(),
            (Some(_), true) => vec!["an answer where the document has none".into()],
            (None, false) => vec!["no JSON answer".into()],
            (Some(answer), false) => {
                self.against(schema, answer).into_iter().map(|what| format!("answer: {what}")).collect()
            }
        }
    }

    /// Paths that the document leaves out: their entries are of types that it has.
    fn check_by_type(&self, seen: &Seen) -> Vec<String> {
        let (Some(answer), true) = (&seen.answer, seen.path.starts_with("/v1.0/")) else { return Vec::new() };
        let of = |name: &str| json!({ "$ref": format!("#/components/schemas/microsoft.graph.{name}") });
        if seen.status >= 400 {
            return self.against(&of("ODataErrors.ODataError"), answer);
        }
        let schema = match seen.kind {
            Kind::User => of("user"),
            Kind::Methods => of("authenticationMethod"),
            Kind::Groups if seen.method == "GET" => of("directoryObject"),
            _ => return Vec::new(),
        };
        let entries = answer["value"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        entries.iter().flat_map(|entry| self.against(&schema, entry)).collect()
    }

    fn operation(&self, seen: &Seen) -> Option<&Value> {
        let path = seen.path.split('?').next()?.strip_prefix("/v1.0")?;
        let paths = self.document["paths"].as_object()?;
        let item = paths.iter().find(|(template, _)| fits(template, path)).map(|(_, item)| item)?;
        item.get(seen.method.to_ascii_lowercase())
    }

    fn parameters(&self, operation: &Value) -> Vec<String> {
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        parameters
            .iter()
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Names of the members that a schema (or the entries of a collection) may have.
    fn properties(&self, schema: &Value) -> BTreeSet<String> {
        let schema = self.resolve(schema);
        let entries = &schema["properties"]["value"]["items"];
        if !entries.is_null() {
            return self.properties(entries);
        }
        let own = schema["properties"].as_object().into_iter().flat_map(|members| members.keys().cloned());
        let parts = [&schema["allOf"], &schema["anyOf"]].into_iter().filter_map(Value::as_array).flatten();
        own.chain(parts.flat_map(|part| self.properties(part))).collect()
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// What is wrong with `instance`, by a schema of the document.
    pub(crate) fn against(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let key = schema.to_string();
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(key).or_insert_with(|| {
            let whole = json!({ "allOf": [json_schema(schema.clone())], "components": self.document["components"] });
            Arc::new(jsonschema::validator_for(&whole).unwrap())
        });
        let validator = Arc::clone(validator);
        drop(validators);
        validator.iter_errors(instance).map(|error| format!("{error} at {}", error.instance_path())).collect()
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) => {
                let given = given.strip_prefix("microsoft.").unwrap_or(given);
                if !wanted.starts_with('{') && wanted != given {
                    return false;
                }
            }
            (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

fn query_of(path: &str) -> Vec<(String, String)> {
    let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// OpenAPI 3.0's `nullable` as JSON Schema has it.
fn json_schema(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(json_schema).collect()),
        Value::Object(members) => {
            let mut members: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name, json_schema(value))).collect();
            if members.remove("nullable") == Some(Value::Bool(true)) {
                return json!({ "anyOf": [Value::Object(members), { "type": "null" }] });
            }
            Value::Object(members)
        }
        other => other,
    }
}
