//! A page where somebody signs in with a code, as the hire does on the first morning. Microsoft has
//! another one; this one only says whether the code opens the door now.
//!
//! The code goes from the page to the model and nowhere else: the journal hides the member.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;

use super::state::Shared;

/// Where the page is.
pub const SIGN_IN: &str = "/sandbox/sign-in";
/// The member of the form that holds the code, hidden in the journal by this name.
const CODE: &str = "temporaryAccessPass";

pub(super) async fn page() -> Html<String> {
    Html(html(""))
}

/// `user` and the code of a form: 200 when it opens the door, else 403.
pub(super) async fn try_it(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    let mut guard = shared.lock();
    let now = shared.now(&guard);
    let state = &mut *guard;
    let account = state.directory.find(field("user")).filter(|account| account.enabled);
    let opens = account.is_some_and(|account| state.passes.sign_in(now, &state.directory, account, field(CODE)));
    if opens {
        Html(html("It works: the hire is in, and would register a method now.")).into_response()
    } else {
        let told = "It does not work: another code, not yet valid, over, used, or made before the sandbox was started.";
        (StatusCode::FORBIDDEN, Html(html(told))).into_response()
    }
}

fn html(told: &str) -> String {
    format!(
        r#"<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Model sign-in</title>
<h1>Sign in to the model tenant</h1><p>This is no page of Microsoft's. Use codes of the sandbox only.</p>
<p><strong>{told}</strong></p>
<form method="post"><label>User <input name="user" autocomplete="off"></label>
<label>Temporary Access Pass <input name="{CODE}" type="password" autocomplete="off"></label>
<button>Sign in</button></form></html>
"#
    )
}
