//! `/healthz`, `/livez` and `/readyz`: one word when all is well, else a sentence for each thing that is not,
//! with status 503. JSON for whoever accepts it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Current, text};

/// What `/healthz` and `/livez` answer as JSON; `firstpass health` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// The loops moved lately, and (`/healthz`) the state takes our writes.
    pub alive: bool,
    /// Else why not, a sentence each.
    pub why: Vec<String>,
}

/// What `/readyz` answers as JSON.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    why: Vec<String>,
}

pub(super) async fn healthz(State(work): State<Current>, headers: HeaderMap) -> Response {
    alive(work.borrow().pulse.ailments(), &headers)
}

/// For whoever restarts us when we are not alive: only what a restart mends.
pub(super) async fn livez(State(work): State<Current>, headers: HeaderMap) -> Response {
    alive(work.borrow().pulse.standstills(), &headers)
}

fn alive(why: Vec<String>, headers: &HeaderMap) -> Response {
    let (status, alive) = (status(&why), why.is_empty());
    if wants_json(headers) {
        (status, Json(Alive { alive, why })).into_response()
    } else {
        text(status, body("alive", &why))
    }
}

pub(super) async fn readyz(State(work): State<Current>, headers: HeaderMap) -> Response {
    let work = Arc::clone(&work.borrow());
    let why = work.not_ready().await;
    let (status, ready) = (status(&why), why.is_empty());
    if wants_json(&headers) {
        (status, Json(Ready { ready, why })).into_response()
    } else {
        text(status, body("ready", &why))
    }
}

fn status(why: &[String]) -> StatusCode {
    if why.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn body(well: &str, why: &[String]) -> String {
    if why.is_empty() {
        return format!("{well}\n");
    }
    let lines: Vec<String> = why.iter().map(|why| format!("{why}\n")).collect();
    format!("not {well}\n{}", lines.concat())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.to_ascii_lowercase().contains("application/json")
}
