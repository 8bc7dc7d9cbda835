//! What was asked of the model tenant and what it answered, without secrets.

use std::collections::{BTreeMap, VecDeque};

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// So many entries are kept; the oldest go. Enough for ten thousand hires of a large test.
const KEPT: usize = 100_000;
/// Members whose text never enters the journal.
const SECRETS: [&str; 5] = ["client_secret", "client_assertion", "access_token", "temporaryAccessPass", "content"];

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The token endpoint.
    Token,
    /// An account by name or by filter.
    User,
    /// An account's manager.
    Manager,
    /// Registered methods.
    Methods,
    /// Roles, assigned or through groups.
    Roles,
    /// Memberships.
    Groups,
    /// The pass policy.
    Policy,
    /// Organisation or domains.
    Domains,
    /// Policies of Conditional Access.
    Access,
    /// The list of passes.
    PassList,
    /// One pass.
    PassGet,
    /// A new pass.
    PassCreate,
    /// The end of a pass.
    PassDelete,
    /// A letter.
    SendMail,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of a request by method and path (without query).
    pub fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", [_, "oauth2", "v2.0", "token"]) => Self::Token,
            ("GET", ["v1.0", "users"] | ["v1.0", "users", _]) => Self::User,
            ("GET", ["v1.0", quoted]) if quoted.starts_with("users(") => Self::User,
            ("GET", ["v1.0", "users", _, "manager"]) => Self::Manager,
            ("GET", ["v1.0", "users", _, "authentication", "methods"]) => Self::Methods,
            (method, ["v1.0", "users", _, "authentication", "temporaryAccessPassMethods", rest @ ..]) => {
                Self::of_pass(method, rest)
            }
            ("GET", ["v1.0", "users", _, "transitiveMemberOf", cast]) if cast.ends_with(".directoryRole") => {
                Self::Roles
            }
            ("GET", ["v1.0", "users", _, "transitiveMemberOf" | "memberOf", ..])
            | ("POST", ["v1.0", "users", _, "checkMemberGroups" | "getMemberGroups"]) => Self::Groups,
            ("GET", ["v1.0", "roleManagement", "directory", "roleAssignments"]) => Self::Roles,
            ("GET", ["v1.0", "policies", "authenticationMethodsPolicy", "authenticationMethodConfigurations", _]) => {
                Self::Policy
            }
            ("GET", ["v1.0", "identity", "conditionalAccess", "policies"]) => Self::Access,
            ("POST", ["v1.0", "users", _, "sendMail"]) => Self::SendMail,
            ("GET", ["v1.0", "organization" | "domains", ..]) => Self::Domains,
            _ => Self::Other,
        }
    }

    fn of_pass(method: &str, rest: &[&str]) -> Self {
        match (method, rest) {
            ("GET", []) => Self::PassList,
            ("POST", []) => Self::PassCreate,
            ("GET", [_]) => Self::PassGet,
            ("DELETE", [_]) => Self::PassDelete,
            _ => Self::Other,
        }
    }
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Overall number, from 1.
    pub n: usize,
    /// What it was for.
    pub kind: Kind,
    /// `GET`, `POST` …
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The status that was sent; 0 = no answer (yet).
    pub status: u16,
    /// The status of the tenant's own work, `None` when it did nothing (yet).
    pub applied: Option<u16>,
    /// A fault fired at it.
    pub faulted: bool,
    /// It ended without an answer.
    pub cut: bool,
    /// When it arrived, by the tenant's clock.
    pub at: DateTime<Utc>,
    /// Header `client-request-id`.
    pub client_request_id: Option<String>,
    /// Content type of the request.
    pub content_type: Option<String>,
    /// The request's JSON or form, secrets replaced by `***`.
    pub body: Option<Value>,
    /// The answer's JSON, secrets replaced by `***`.
    pub answer: Option<Value>,
    /// The answer's content type.
    pub answer_type: Option<String>,
    /// The answer's `Retry-After`, as sent.
    pub retry_after: Option<String>,
}

/// The newest entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Seen>,
    count: usize,
    by_kind: BTreeMap<Kind, usize>,
    watcher: Option<mpsc::Sender<Seen>>,
}

impl Journal {
    /// Enters a request and gives its number.
    pub(super) fn enter(&mut self, mut seen: Seen) -> usize {
        self.count += 1;
        seen.n = self.count;
        *self.by_kind.entry(seen.kind).or_default() += 1;
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(seen);
        self.count
    }

    /// Changes the entry of that number, if it is still kept.
    pub(super) fn amend(&mut self, n: usize, change: impl FnOnce(&mut Seen)) {
        let first = self.entries.front().map_or(n, |seen| seen.n);
        if let Some(seen) = n.checked_sub(first).and_then(|at| self.entries.get_mut(at)) {
            change(seen);
        }
    }

    /// From now on, who watches hears of every request that has ended.
    pub(super) fn watch(&mut self, watcher: mpsc::Sender<Seen>) {
        self.watcher = Some(watcher);
    }

    /// The request of that number has ended.
    pub(super) fn end(&mut self, n: usize, change: impl FnOnce(&mut Seen)) {
        let watcher = self.watcher.clone();
        self.amend(n, |seen| {
            change(seen);
            if let Some(watcher) = &watcher {
                // A reader that is gone or slow misses it.
                let _ = watcher.try_send(seen.clone());
            }
        });
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn of(&self, kind: Kind) -> usize {
        self.by_kind.get(&kind).copied().unwrap_or_default()
    }

    pub(super) fn entries(&self) -> Vec<Seen> {
        self.entries.iter().cloned().collect()
    }
}

/// A body as JSON without its secrets; `None` when it is neither JSON nor a form.
pub(super) fn readable(content_type: Option<&str>, body: &[u8]) -> Option<Value> {
    if content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded")) {
        let members = url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Value::from(value)));
        return Some(without_secrets(Value::Object(members.collect::<Map<_, _>>())));
    }
    serde_json::from_slice(body).ok().map(without_secrets)
}

fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let secret = SECRETS.contains(&name.as_str()) && !value.is_null();
                    let value = if secret { Value::from("***") } else { without_secrets(value) };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_secrets).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_enter() {
        let form = readable(Some("application/x-www-form-urlencoded"), b"client_id=a&client_secret=s%2Bt");
        assert_eq!(form.unwrap().to_string(), r#"{"client_id":"a","client_secret":"***"}"#);
        let json =
            readable(None, br#"{"value":[{"temporaryAccessPass":"+drkzqAD","id":"1"},{"temporaryAccessPass":null}]}"#);
        assert_eq!(
            json.unwrap().to_string(),
            r#"{"value":[{"id":"1","temporaryAccessPass":"***"},{"temporaryAccessPass":null}]}"#
        );
    }

    #[test]
    fn kinds_follow_from_method_and_path() {
        let kind = |method: Method, path: &str| Kind::of(&method, path);
        assert_eq!(kind(Method::POST, "/t/oauth2/v2.0/token"), Kind::Token);
        assert_eq!(kind(Method::GET, "/v1.0/users/a%40b.example"), Kind::User);
        let passes = "/v1.0/users/a/authentication/temporaryAccessPassMethods";
        assert_eq!(kind(Method::POST, passes), Kind::PassCreate);
        assert_eq!(kind(Method::GET, passes), Kind::PassList);
        assert_eq!(kind(Method::DELETE, &format!("{passes}/1")), Kind::PassDelete);
        let cast = "/v1.0/users/a/transitiveMemberOf/microsoft.graph.directoryRole";
        assert_eq!(kind(Method::GET, cast), Kind::Roles);
        assert_eq!(kind(Method::GET, "/v1.0/users/a/transitiveMemberOf/microsoft.graph.group"), Kind::Groups);
        assert_eq!(kind(Method::GET, "/v1.0/domains"), Kind::Domains);
        assert_eq!(kind(Method::PATCH, "/v1.0/users/a"), Kind::Other);
    }
}
