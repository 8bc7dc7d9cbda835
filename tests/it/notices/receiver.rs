//! A receiver of webhooks on loopback: keeps what comes, answers as it is told, and has the signatures
//! judged by Python.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::entra::provider::below_target;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// What the next request gets.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Status(u16),
    /// This status, and the request's path and query, as many servers quote them.
    Quoted(u16),
    /// Status and Retry-After.
    Later(u16, u64),
    /// 307 to this URL.
    Moved(String),
    /// More than anybody reads.
    Endless,
    /// Nothing, for so long.
    Silence(Duration),
}

#[derive(Default)]
struct Inner {
    seen: Mutex<Vec<Seen>>,
    answers: Mutex<VecDeque<Answer>>,
}

pub(super) struct Receiver {
    inner: Arc<Inner>,
    port: u16,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let mut receiver = Self { inner: Arc::default(), port: 0, serving: None };
        receiver.serve().await;
        receiver
    }

    /// On the same port as before.
    pub(super) async fn serve(&mut self) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&self.inner));
        self.serving = Some(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }));
    }

    /// Connections are refused from here on.
    pub(super) async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = serving.await;
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=s3cret-in-the-url", self.port)
    }

    pub(super) fn answers(&self, answers: &[Answer]) {
        self.inner.answers.lock().unwrap().extend(answers.iter().cloned());
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    pub(super) fn bodies(&self) -> Vec<Value> {
        self.seen().iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect()
    }

    /// `webhook-id` of each request.
    pub(super) fn ids(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.headers["webhook-id"].clone()).collect()
    }
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    inner.seen.lock().unwrap().push(Seen { headers, body });
    let next = inner.answers.lock().unwrap().pop_front();
    let status = |code| StatusCode::from_u16(code).unwrap();
    match next.unwrap_or(Answer::Status(200)) {
        Answer::Status(code) => status(code).into_response(),
        Answer::Quoted(code) => (status(code), format!("nothing is at {uri}")).into_response(),
        Answer::Later(code, seconds) => (status(code), [("retry-after", seconds.to_string())], "later").into_response(),
        Answer::Moved(url) => (status(307), [("location", url)]).into_response(),
        Answer::Endless => {
            let piece = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
            let pieces = futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(piece));
            (status(500), axum::body::Body::from_stream(pieces)).into_response()
        }
        Answer::Silence(time) => {
            tokio::time::sleep(time).await;
            status(200).into_response()
        }
    }
}

/// Every signature is right, in the eyes of Python: by the reference implementation where it is there.
pub(super) fn judged(secret: &str, seen: &[Seen]) {
    let seen: Vec<Value> = seen.iter().map(|seen| json!({"headers": seen.headers, "body": seen.body})).collect();
    let own = below_target("webhooks").join("venv/bin/python");
    let python = if own.exists() { own } else { PathBuf::from("python3") };
    let child = Command::new(&python)
        .arg(root().join("tests/peers/webhooks/verify.py"))
        .arg(secret)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no Python to judge signatures");
        return;
    };
    child.stdin.take().unwrap().write_all(Value::from(seen.clone()).to_string().as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(told["held"].as_array().unwrap().len(), seen.len());
    if told["library"] != true {
        eprintln!("skipped: signatures were judged by the specification's words only (tests/run fetches the library)");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
