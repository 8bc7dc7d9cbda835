//! Graph's paths below an account's `authentication`: methods, and the passes themselves.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Answer;
use super::directory::ModelUser;
use super::faults::Echo;
use super::passes::Order;
use super::routes::{CONTEXT, Caller, Reply, find};
use super::state::Shared;

const READ_METHODS: [&str; 2] = ["UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"];
const READ_PASSES: [&str; 4] = [
    "UserAuthMethod-TAP.Read.All",
    "UserAuthMethod-TAP.ReadWrite.All",
    "UserAuthenticationMethod.Read.All",
    "UserAuthenticationMethod.ReadWrite.All",
];
const WRITE_PASSES: [&str; 2] = ["UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"];

pub(super) async fn methods(State(shared): State<Arc<Shared>>, caller: Caller, Path(name): Path<String>) -> Reply {
    caller.needs_for_methods(&READ_METHODS)?;
    let state = shared.lock();
    let now = shared.now(&state);
    let directory = &state.directory;
    let user = find(directory, &name)?;
    let mut value = vec![json!({
        "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
        "id": "28c10230-6103-485e-b985-444c60001490",
        "password": null,
        "createdDateTime": "2026-01-05T08:00:00Z",
    })];
    value.extend(user.methods.iter().enumerate().map(|(n, kind)| {
        let kind = kind.trim_start_matches("#microsoft.graph.");
        json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": format!("{n}-{}", user.id) })
    }));
    if let Some(pass) = state.passes.visible(user.id, directory.list_lag, now) {
        let mut pass = pass.listed(user, directory, now);
        if let Some(members) = pass.as_object_mut() {
            members.insert("@odata.type".into(), json!(PASS_TYPE));
        }
        value.push(pass);
    }
    let context = format!("{CONTEXT}users('{}')/authentication/methods", user.id);
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": value })))
}

const PASS_TYPE: &str = "#microsoft.graph.temporaryAccessPassAuthenticationMethod";

fn typed(mut pass: Value, user: &ModelUser) -> Value {
    if let Some(members) = pass.as_object_mut() {
        let context = format!("{CONTEXT}users('{}')/authentication/temporaryAccessPassMethods/$entity", user.id);
        members.insert("@odata.context".into(), json!(context));
        members.insert("@odata.type".into(), json!(PASS_TYPE));
    }
    pass
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, caller: Caller, Path(name): Path<String>) -> Reply {
    caller.needs_for_methods(&READ_PASSES)?;
    let state = shared.lock();
    let now = shared.now(&state);
    let user = find(&state.directory, &name)?;
    let seen = state.passes.visible(user.id, state.directory.list_lag, now);
    let value: Vec<Value> = seen.map(|pass| pass.listed(user, &state.directory, now)).into_iter().collect();
    let context = format!("{CONTEXT}users('{}')/authentication/temporaryAccessPassMethods", user.id);
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": value })))
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((name, id)): Path<(String, String)>,
) -> Reply {
    caller.needs_for_methods(&READ_PASSES)?;
    let state = shared.lock();
    let now = shared.now(&state);
    let user = find(&state.directory, &name)?;
    let seen = state.passes.visible(user.id, state.directory.list_lag, now);
    let pass = seen.filter(|pass| pass.id.eq_ignore_ascii_case(&id)).ok_or_else(|| no_pass(&id))?;
    Ok(Answer::json(200, typed(pass.listed(user, &state.directory, now), user)))
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    echo: Option<Extension<Echo>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    caller.needs_for_methods(&WRITE_PASSES)?;
    let json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !json.is_some_and(|text| text.starts_with("application/json")) {
        let message = "A content type header of 'application/json' is required.";
        return Err(Answer::error(415, "Request_BadRequest", message));
    }
    let order = Order::parse(&body)?;
    let mut guard = shared.lock();
    let now = shared.now(&guard);
    let state = &mut *guard;
    let user = find(&state.directory, &name)?;
    let pass = state.passes.create(now, &state.directory, user, order, echo.as_ref().map(|Extension(echo)| echo))?;
    let location =
        format!("{}/v1.0/users/{}/authentication/temporaryAccessPassMethods/{}", shared.origin, user.id, pass.id);
    Ok(Answer::json(201, typed(pass.shown(user, &state.directory, now), user)).with("location", location))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((name, id)): Path<(String, String)>,
) -> Reply {
    caller.needs_for_methods(&WRITE_PASSES)?;
    let mut guard = shared.lock();
    let now = shared.now(&guard);
    let state = &mut *guard;
    let user = find(&state.directory, &name)?.id;
    if state.passes.delete(now, user, &id) { Ok(Answer::empty(204)) } else { Err(no_pass(&id)) }
}

fn no_pass(id: &str) -> Answer {
    Answer::error(404, "resourceNotFound", &format!("Resource '{id}' does not exist."))
}
