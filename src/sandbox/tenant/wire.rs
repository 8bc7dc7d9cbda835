//! Connections of the model tenant: TLS, HTTP/1.1, and the faults on the way in and out.
//!
//! A request is worked on in a task of its own, so that it is applied also when its client is gone:
//! a delayed or held POST may arrive late, as it may in the real world.

use std::sync::Arc;
use std::{fmt, io};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::answer::http_date;
use super::faults::{Effect, When};
use super::journal::{Kind, Seen, readable};
use super::state::Shared;

/// A larger request or answer is none of ours.
const BODY_MOST: usize = 4 << 20;

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// Accepts connections until the task is dropped.
pub(super) async fn listen(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files: let connections end that have some.
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared), router.clone()));
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>, router: Router) {
    // A client that does not trust us, or that is cut off, is no fault of the tenant.
    let _ = stream.set_nodelay(true);
    let Ok(tls) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(Arc::clone(&shared), router.clone(), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
}

/// A request that was read whole.
struct Asked {
    kind: Kind,
    n: usize,
    ids: Ids,
    request: Request<Body>,
    fault: Option<(When, Effect)>,
}

/// The ids under which the service's support would find a request.
struct Ids {
    request: String,
    client: String,
}

impl Ids {
    /// Puts the headers of every answer in, where the answer does not bring its own.
    fn mark(self, headers: &mut HeaderMap, kind: Kind, date: &str) {
        let diagnostic = r#"{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SB00000001"}}"#;
        let graphs = [
            ("request-id", self.request.as_str()),
            ("client-request-id", self.client.as_str()),
            ("x-ms-ags-diagnostic", diagnostic),
        ];
        let graphs = graphs.into_iter().filter(|_| kind != Kind::Token);
        for (name, value) in [("date", date)].into_iter().chain(graphs) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.entry(HeaderName::from_static(name)).or_insert(value);
            }
        }
    }
}

/// An answer that is whole.
struct Ready {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    cut: bool,
}

async fn answer(shared: Arc<Shared>, router: Router, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MOST).collect().await.map_err(|_| Cut)?.to_bytes();
    let asked = arrive(&shared, Request::from_parts(parts, Body::from(body.clone())), &body);
    tokio::spawn(work(shared, router, asked)).await.unwrap_or(Err(Cut))
}

/// Enters the request into the journal and asks which fault fires at it.
fn arrive(shared: &Shared, request: Request<Body>, body: &Bytes) -> Asked {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kind = Kind::of(request.method(), request.uri().path());
    let content_type = text("content-type");
    let mut state = shared.lock();
    let now = shared.now(&state);
    let fault = state.faults.due(now, kind);
    let seen = Seen {
        n: 0,
        kind,
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        status: 0,
        applied: None,
        faulted: fault.is_some(),
        cut: false,
        at: now,
        client_request_id: text("client-request-id"),
        body: readable(content_type.as_deref(), body),
        content_type,
        answer: None,
        answer_type: None,
        retry_after: None,
    };
    let n = state.journal.enter(seen);
    let own = Uuid::new_v4().to_string();
    let ids = Ids { client: text("client-request-id").unwrap_or_else(|| own.clone()), request: own };
    Asked { kind, n, ids, request, fault }
}

/// The journal learns of every end, also of a cut.
async fn work(shared: Arc<Shared>, router: Router, asked: Asked) -> Result<Response<Body>, Cut> {
    let n = asked.n;
    let ended = worked(&shared, router, asked).await;
    if ended.is_err() {
        shared.lock().journal.end(n, |seen| seen.cut = true);
    }
    ended
}

/// Before, the tenant's own work, after, and the journal.
async fn worked(shared: &Shared, router: Router, asked: Asked) -> Result<Response<Body>, Cut> {
    let Asked { kind, n, ids, mut request, fault } = asked;
    let mut ready = None;
    if let Some((When::Before, effect)) = &fault {
        ready = unanswered(shared, effect).await?;
    }
    if ready.is_none() {
        if let Some((_, Effect::Echo(echo))) = &fault {
            request.extensions_mut().insert(*echo);
        }
        let own = apply(shared, router, request, n, &ids).await?;
        ready = Some(match &fault {
            // These change an answer, so they have no side.
            Some((_, effect @ (Effect::NoCode | Effect::NullCode)) | (When::After, effect)) => {
                altered(shared, effect, own).await?
            }
            Some((When::Before, _)) | None => own,
        });
    }
    let mut ready = ready.ok_or(Cut)?;
    let mut state = shared.lock();
    ids.mark(&mut ready.headers, kind, &http_date(shared.now(&state)));
    state.journal.end(n, |seen| {
        seen.status = ready.status.as_u16();
        seen.answer = readable(None, &ready.body);
        let header = |name| ready.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        (seen.answer_type, seen.retry_after) = (header(header::CONTENT_TYPE), header(header::RETRY_AFTER));
    });
    drop(state);
    Ok(sent(ready))
}

/// What an effect before the work leaves to answer; `None` lets the work go on.
async fn unanswered(shared: &Shared, effect: &Effect) -> Result<Option<Ready>, Cut> {
    let error = json!({ "error": { "code": "InternalServerError", "message": "An error has occurred." } }).to_string();
    Ok(match effect {
        Effect::Hold => {
            shared.hold().await;
            None
        }
        Effect::Delay(time) => {
            tokio::time::sleep(*time).await;
            None
        }
        Effect::Reset => return Err(Cut),
        Effect::Status(status, headers, body) => Some(given(*status, headers, body)),
        Effect::Html => Some(page(StatusCode::BAD_GATEWAY)),
        Effect::EmptyBody => Some(Ready {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            cut: false,
        }),
        Effect::CutJson => {
            let headers = [("content-type".to_owned(), "application/json".to_owned())];
            Some(Ready { cut: true, ..given(500, &headers, &error) })
        }
        Effect::NoCode | Effect::NullCode | Effect::Echo(_) => None,
    })
}

/// The tenant's own work; the journal learns that it was done before anything else can go wrong.
async fn apply(shared: &Shared, router: Router, request: Request<Body>, n: usize, ids: &Ids) -> Result<Ready, Cut> {
    let response = TowerToHyperService::new(router).call(request).await.map_err(|_| Cut)?;
    let (parts, body) = response.into_parts();
    let mut body = to_bytes(body, BODY_MOST).await.map_err(|_| Cut)?;
    let mut state = shared.lock();
    if parts.status.as_u16() >= 400 {
        let date = shared.now(&state).format("%Y-%m-%dT%H:%M:%S").to_string();
        body = with_inner_error(&body, &date, ids);
    }
    state.journal.amend(n, |seen| seen.applied = Some(parts.status.as_u16()));
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    Ok(Ready { status: parts.status, headers, body, cut: false })
}

/// What an effect after the work makes of the answer.
async fn altered(shared: &Shared, effect: &Effect, own: Ready) -> Result<Ready, Cut> {
    Ok(match effect {
        Effect::Hold => {
            shared.hold().await;
            own
        }
        Effect::Delay(time) => {
            tokio::time::sleep(*time).await;
            own
        }
        Effect::Reset => return Err(Cut),
        Effect::Status(status, headers, body) => given(*status, headers, body),
        Effect::Html => page(own.status),
        Effect::EmptyBody => Ready { body: Bytes::new(), ..own },
        Effect::CutJson => Ready { cut: true, ..own },
        Effect::NoCode => Ready { body: without_code(&own.body, false), ..own },
        Effect::NullCode => Ready { body: without_code(&own.body, true), ..own },
        Effect::Echo(_) => own,
    })
}

fn given(status: u16, headers: &[(String, String)], body: &str) -> Ready {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ready { status, headers: map, body: Bytes::from(body.to_owned()), cut: false }
}

fn page(status: StatusCode) -> Ready {
    let headers = [("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
    given(
        status.as_u16(),
        &headers,
        "<!DOCTYPE html><html><head><title>Our services aren't available right now</title></head><body>We're working to restore all services as soon as possible.</body></html>",
    )
}

fn without_code(body: &Bytes, null: bool) -> Bytes {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else { return body.clone() };
    if members.remove("temporaryAccessPass").is_some() && null {
        members.insert("temporaryAccessPass".into(), Value::Null);
    }
    Bytes::from(Value::Object(members).to_string())
}

/// Adds `date` and the ids to `innerError` of Graph's error model, as the service does; the date has
/// no zone (facts 1.7).
fn with_inner_error(body: &Bytes, date: &str, ids: &Ids) -> Bytes {
    let Ok(mut whole) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    let Some(error) = whole.get_mut("error").and_then(Value::as_object_mut) else { return body.clone() };
    let inner = error.entry("innerError").or_insert_with(|| json!({}));
    if let Some(members) = inner.as_object_mut() {
        members.insert("date".into(), json!(date));
        members.insert("request-id".into(), json!(ids.request));
        members.insert("client-request-id".into(), json!(ids.client));
    }
    Bytes::from(whole.to_string())
}

fn sent(ready: Ready) -> Response<Body> {
    let Ready { status, headers, body, cut } = ready;
    let mut response = if cut {
        let half = body.slice(..body.len() / 2);
        // The pause lets the half go out before the connection ends.
        let end = stream::once(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            Err(io::Error::other(Cut))
        });
        let mut response = Response::new(Body::from_stream(stream::iter([Ok(half)]).chain(end)));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        response
    } else {
        Response::new(Body::from(body))
    };
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
