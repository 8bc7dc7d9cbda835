//! The paths of Graph and of the token endpoint, with the permissions that each one needs.
//!
//! Every handler takes the tenant's lock once and never waits, so that a request is applied wholly or
//! not at all, whatever becomes of its connection.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::accounts;
use super::answer::Answer;
use super::directory::{Directory, ModelUser};
use super::query::{self, Filter, Options};
use super::sign_in;
use super::state::Shared;
use super::{mail_routes, pass_routes, token};

/// What a handler gives.
pub(super) type Reply = Result<Answer, Answer>;

/// Begin of every `@odata.context`.
pub(super) const CONTEXT: &str = "https://graph.microsoft.com/v1.0/$metadata#";
const READ_USERS: [&str; 4] = ["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_GROUPS: [&str; 4] =
    ["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_ROLES: [&str; 4] = [
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.ReadWrite.Directory",
    "Directory.Read.All",
];
const READ_ORGANIZATION: [&str; 4] =
    ["Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_DOMAINS: [&str; 4] =
    ["Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Organization.Read.All"];
const READ_POLICY: [&str; 3] =
    ["Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod", "Policy.Read.All"];

/// The documented one, and the narrower one that newer tenants offer.
const READ_ACCESS: [&str; 3] =
    ["Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"];

/// All paths of the model.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let passes = "/v1.0/users/{user}/authentication/temporaryAccessPassMethods";
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(give_token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/v1.0/{segment}", get(user_in_quotes))
        .route("/v1.0/users", get(users))
        .route("/v1.0/users/{user}", get(user))
        .route("/v1.0/users/{user}/manager", get(manager))
        .route("/v1.0/users/{user}/transitiveMemberOf", get(groups))
        .route("/v1.0/users/{user}/transitiveMemberOf/{cast}", get(members_of_kind))
        .route("/v1.0/users/{user}/checkMemberGroups", post(check_groups))
        .route("/v1.0/users/{user}/authentication/methods", get(pass_routes::methods))
        .route(passes, get(pass_routes::list).post(pass_routes::create))
        .route(&format!("{passes}/{{pass}}"), get(pass_routes::get).delete(pass_routes::delete))
        .route("/v1.0/users/{user}/sendMail", post(mail_routes::send_mail))
        .route("/v1.0/roleManagement/directory/roleAssignments", get(role_assignments))
        .route("/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/{method}", get(policy))
        .route("/v1.0/identity/conditionalAccess/policies", get(access))
        .route("/v1.0/organization", get(organization))
        .route("/v1.0/domains", get(domains))
        .route(sign_in::SIGN_IN, get(sign_in::page).post(sign_in::try_it))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

/// Who asks: the `roles` of a valid token.
pub(super) struct Caller(Vec<String>);

impl Caller {
    pub(super) fn holds(&self, any_of: &[&str]) -> bool {
        self.0.iter().any(|role| any_of.contains(&role.as_str()))
    }

    /// Refuses as the directory does.
    fn needs(&self, any_of: &[&str]) -> Result<(), Answer> {
        let message = "Insufficient privileges to complete the operation.";
        self.holds(any_of).then_some(()).ok_or_else(|| Answer::error(403, "Authorization_RequestDenied", message))
    }

    /// Refuses as the authentication methods' service does.
    pub(super) fn needs_for_methods(&self, any_of: &[&str]) -> Result<(), Answer> {
        let refused = || Answer::error(403, "accessDenied", "Request Authorization failed");
        self.holds(any_of).then_some(()).ok_or_else(refused)
    }
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Answer> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let state = shared.lock();
        state.tokens.roles(shared.now(&state), &state.directory, &shared.origin, text).map(Caller)
    }
}

async fn give_token(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>, body: Bytes) -> Answer {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let mut guard = shared.lock();
    let now = shared.now(&guard);
    let state = &mut *guard;
    state.tokens.give(now, &state.directory, &shared.origin, &tenant, &form)
}

/// Where a client with a custom authority finds the token endpoint (OpenID Connect Discovery 1.0).
async fn discovery(State(shared): State<Arc<Shared>>, Path(tenant): Path<String>) -> Answer {
    let known = shared.lock().directory.tenant_id.to_string();
    token::discovery(&shared.origin, &known, &tenant)
}

/// An account by object id or user principal name, or 404.
pub(super) fn find<'a>(directory: &'a Directory, name: &str) -> Result<&'a ModelUser, Answer> {
    directory.find(name).ok_or_else(|| Answer::not_found(name))
}

async fn users(State(shared): State<Arc<Shared>>, caller: Caller, uri: Uri, Query(options): Query<Options>) -> Reply {
    query::known(&options, &["$filter", "$select", "$top", "$count", "$skiptoken"])?;
    caller.needs(&READ_USERS)?;
    let state = shared.lock();
    let directory = &state.directory;
    let filter = options.get("$filter").map(|text| Filter::parse(text)).transpose()?;
    if let Some(Filter(terms)) = &filter
        && let Some((property, _)) = terms.iter().find(|(property, _)| !FILTERS.contains(&property.as_str()))
    {
        let message = format!("Unsupported property filter clause '{property}'.");
        return Err(Answer::error(400, "Request_UnsupportedQuery", &message));
    }
    let fits = |user: &&ModelUser| {
        filter.as_ref().is_none_or(|Filter(terms)| terms.iter().any(|(property, value)| holds(user, property, value)))
    };
    let entries: Result<Vec<Value>, Answer> = directory
        .users
        .values()
        .filter(fits)
        .map(|user| selected(&options, accounts::user(user)).map(Value::Object))
        .collect();
    let link = format!("{}{}", shared.origin, uri.path());
    query::page(&options, directory.page, &format!("{CONTEXT}users{}", shape(&options)), &link, entries?)
}

/// Properties that `$filter … eq` is served for.
const FILTERS: [&str; 4] = ["employeeId", "mail", "userPrincipalName", "id"];

fn holds(user: &ModelUser, property: &str, value: &str) -> bool {
    let alike = |text: &str| {
        let ascii = text.is_ascii() && value.is_ascii();
        if ascii { text.eq_ignore_ascii_case(value) } else { text.to_lowercase() == value.to_lowercase() }
    };
    let same = |text: Option<&str>| text.is_some_and(alike);
    match property {
        "employeeId" => same(user.employee_id.as_deref()),
        "mail" => same(user.mail.as_deref()),
        "userPrincipalName" => same(Some(&user.upn)),
        "id" => same(Some(&user.id.to_string())),
        _ => false,
    }
}

fn selected(options: &Options, all: Map<String, Value>) -> Result<Map<String, Value>, Answer> {
    query::select(options, all, &accounts::USUAL, "microsoft.graph.user")
}

fn shape(options: &Options) -> String {
    options.get("$select").map(|names| format!("({names})")).unwrap_or_default()
}

async fn user(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$select"])?;
    caller.needs(&READ_USERS)?;
    one_user(&shared, &name, &options)
}

/// `/users('…')`, the form for names that begin with `$` (facts 1.2).
async fn user_in_quotes(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(segment): Path<String>,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$select"])?;
    let name = segment.strip_prefix("users('").and_then(|rest| rest.strip_suffix("')"));
    let name = name.ok_or_else(|| no_segment(&segment))?.replace("''", "'");
    caller.needs(&READ_USERS)?;
    one_user(&shared, &name, &options)
}

fn one_user(shared: &Shared, name: &str, options: &Options) -> Reply {
    let state = shared.lock();
    let user = find(&state.directory, name)?;
    let mut members = selected(options, accounts::user(user))?;
    members.insert("@odata.context".into(), json!(format!("{CONTEXT}users{}/$entity", shape(options))));
    Ok(Answer::json(200, Value::Object(members)))
}

async fn manager(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$select"])?;
    caller.needs(&READ_USERS)?;
    let state = shared.lock();
    let directory = &state.directory;
    let id = find(directory, &name)?.manager.ok_or_else(|| Answer::not_found("manager"))?;
    let mut members = match (directory.users.get(&id), directory.contacts.get(&id)) {
        (Some(user), _) => {
            let mut members = selected(&options, accounts::user(user))?;
            members.insert("@odata.type".into(), json!("#microsoft.graph.user"));
            members
        }
        (None, Some(contact)) => {
            let mut entry = [Value::Object(accounts::contact(contact))];
            query::select_loosely(&options, &mut entry);
            let [entry] = entry;
            accounts::object(entry)
        }
        (None, None) => return Err(Answer::not_found("manager")),
    };
    members.insert("@odata.context".into(), json!(format!("{CONTEXT}directoryObjects{}/$entity", shape(&options))));
    Ok(Answer::json(200, Value::Object(members)))
}

async fn groups(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$select", "$top", "$count", "$skiptoken"])?;
    caller.needs(&[READ_USERS, READ_GROUPS].concat())?;
    let state = shared.lock();
    let directory = &state.directory;
    let user = find(directory, &name)?;
    let readable = caller.holds(&READ_GROUPS);
    let mut entries: Vec<Value> =
        directory.groups_of(user).into_iter().map(|id| accounts::group(directory, id, readable)).collect();
    entries.extend(directory.roles_of(user).iter().map(|template| accounts::role(template, true)));
    query::select_loosely(&options, &mut entries);
    let link = format!("{}{}", shared.origin, uri.path());
    query::page(&options, directory.page, &format!("{CONTEXT}directoryObjects"), &link, entries)
}

/// `transitiveMemberOf` cast to a kind: an advanced query, which Graph serves only with `$count=true`
/// and `ConsistencyLevel: eventual` (facts 3.3).
async fn members_of_kind(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((name, cast)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$select", "$top", "$count", "$skiptoken"])?;
    caller.needs(&[READ_USERS, READ_GROUPS].concat())?;
    let eventual = headers.get("consistencylevel").is_some_and(|level| level.as_bytes() == b"eventual");
    let first = !options.contains_key("$skiptoken");
    if first && (!eventual || options.get("$count").is_none_or(|count| count != "true")) {
        let message = "The specified OData cast is only supported with ConsistencyLevel: eventual and $count=true.";
        return Err(Answer::error(400, "Request_UnsupportedQuery", message));
    }
    let state = shared.lock();
    let directory = &state.directory;
    let user = find(directory, &name)?;
    let kind = cast.rsplit('.').next().unwrap_or_default();
    let (context, mut entries): (&str, Vec<Value>) = match kind {
        "directoryRole" => {
            let roles = directory.roles_of(user);
            ("directoryRoles", roles.iter().map(|template| accounts::role(template, false)).collect())
        }
        "group" => {
            let readable = caller.holds(&READ_GROUPS);
            let groups = directory.groups_of(user).into_iter();
            ("groups", groups.map(|id| accounts::group(directory, id, readable)).collect())
        }
        other => {
            let message = format!("The type 'microsoft.graph.{other}' is not supported as a cast here.");
            return Err(Answer::error(400, "BadRequest", &message));
        }
    };
    query::select_loosely(&options, &mut entries);
    let link = format!("{}{}", shared.origin, uri.path());
    query::page(&options, directory.page, &format!("{CONTEXT}{context}"), &link, entries)
}

async fn check_groups(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Reply {
    caller.needs(&[READ_USERS, READ_GROUPS].concat())?;
    let state = shared.lock();
    let user = find(&state.directory, &name)?;
    let asked = body.get("groupIds").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if asked.is_empty() || asked.len() > 20 {
        return Err(Answer::error(400, "Request_BadRequest", "groupIds must hold 1 to 20 ids."));
    }
    let in_groups = state.directory.groups_of(user);
    let is_in =
        |id: &&Value| id.as_str().and_then(|text| Uuid::parse_str(text).ok()).is_some_and(|id| in_groups.contains(&id));
    let value: Vec<&Value> = asked.iter().filter(is_in).collect();
    Ok(Answer::json(200, json!({ "@odata.context": format!("{CONTEXT}Collection(Edm.String)"), "value": value })))
}

async fn role_assignments(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    uri: Uri,
    Query(options): Query<Options>,
) -> Reply {
    query::known(&options, &["$filter", "$top", "$count", "$skiptoken"])?;
    caller.needs(&READ_ROLES)?;
    let state = shared.lock();
    let directory = &state.directory;
    let unfiltered =
        || Answer::error(400, "Request_BadRequest", "A filter on principalId or roleDefinitionId is needed.");
    let Filter(terms) = Filter::parse(options.get("$filter").ok_or_else(unfiltered)?)?;
    let mut entries = Vec::new();
    for (property, value) in terms {
        if property != "principalId" {
            return Err(unfiltered());
        }
        if let Ok(principal) = Uuid::parse_str(&value) {
            entries.extend(accounts::assignments(directory, principal));
        }
    }
    let link = format!("{}{}", shared.origin, uri.path());
    let context = format!("{CONTEXT}roleManagement/directory/roleAssignments");
    query::page(&options, directory.page, &context, &link, entries)
}

async fn policy(State(shared): State<Arc<Shared>>, caller: Caller, Path(method): Path<String>) -> Reply {
    caller.needs_for_methods(&READ_POLICY)?;
    if !method.eq_ignore_ascii_case("temporaryAccessPass") {
        return Err(Answer::error(404, "resourceNotFound", &format!("Resource '{method}' does not exist.")));
    }
    Ok(Answer::json(200, accounts::policy(&shared.lock().directory)))
}

async fn access(State(shared): State<Arc<Shared>>, caller: Caller, uri: Uri, Query(options): Query<Options>) -> Reply {
    query::known(&options, &["$select", "$top", "$skiptoken"])?;
    caller.needs(&READ_ACCESS)?;
    let state = shared.lock();
    let mut entries: Vec<Value> = state.directory.access.iter().map(accounts::access).collect();
    query::select_loosely(&options, &mut entries);
    let link = format!("{}{}", shared.origin, uri.path());
    query::page(
        &options,
        state.directory.page,
        &format!("{CONTEXT}identity/conditionalAccess/policies"),
        &link,
        entries,
    )
}

async fn organization(State(shared): State<Arc<Shared>>, caller: Caller, Query(options): Query<Options>) -> Reply {
    query::known(&options, &["$select", "$top"])?;
    caller.needs(&READ_ORGANIZATION)?;
    let all = accounts::organization(&shared.lock().directory);
    let usual: Vec<String> = all.keys().cloned().collect();
    let usual: Vec<&str> = usual.iter().map(String::as_str).collect();
    let members = query::select(&options, all, &usual, "microsoft.graph.organization")?;
    let context = format!("{CONTEXT}organization{}", shape(&options));
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": [members] })))
}

async fn domains(State(shared): State<Arc<Shared>>, caller: Caller, uri: Uri, Query(options): Query<Options>) -> Reply {
    query::known(&options, &["$select", "$top", "$skiptoken"])?;
    caller.needs(&READ_DOMAINS)?;
    let state = shared.lock();
    let mut entries: Vec<Value> = state.directory.domains.iter().map(accounts::domain).collect();
    query::select_loosely(&options, &mut entries);
    let link = format!("{}{}", shared.origin, uri.path());
    query::page(&options, state.directory.page, &format!("{CONTEXT}domains"), &link, entries)
}

async fn unknown_path(_: Caller, uri: Uri) -> Answer {
    no_segment(uri.path().rsplit('/').next().unwrap_or_default())
}

fn no_segment(segment: &str) -> Answer {
    Answer::error(400, "BadRequest", &format!("Resource not found for the segment '{segment}'."))
}

async fn wrong_method(method: Method) -> Answer {
    let message = format!("Specified HTTP method {method} is not allowed for the request target.");
    Answer::error(405, "Request_BadRequest", &message)
}
