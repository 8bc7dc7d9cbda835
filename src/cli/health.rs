//! `health`: is the running service alive? For containers and scripts; needs no shell and no secret.
//!
//! Asks the port of `serve.listen`, or looks at the sign of life in the state when there is none. Graph,
//! mail and lateness have no part in the answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

use super::end::{End, Trouble, chain};
use super::open;
use super::out::Out;
use crate::config::{Limits, Settings};
use crate::serve::Alive;
use crate::store::Store;

/// All of it. Docker asks every 30 s and waits as long.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer is a few sentences.
const ANSWER: usize = 16 * 1024;
/// The sign of life is written at most once a minute.
const BEAT: Duration = Duration::from_mins(1);

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report {
    alive: bool,
    /// The address, or `state`.
    asked: String,
    why: Vec<String>,
}

/// Asks, and says what it heard.
pub async fn health(config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings_quietly(config)?;
    let (asked, found) = match port(&settings) {
        Some(address) => (format!("http://{address}/healthz"), within(by_port(address)).await),
        None => ("state".to_owned(), within(by_state(&settings)).await),
    };
    let why = found.err().unwrap_or_default();
    let report = Report { alive: why.is_empty(), asked, why };
    if out.is_json() {
        out.document(&report)?;
    } else if report.alive {
        out.lines([format!("alive, says {}", report.asked)])?;
    } else {
        out.lines(report.why.iter().map(|why| format!("not alive: {why}")))?;
    }
    Ok(if report.alive { End::Done } else { End::NeedsAPerson })
}

/// Sentences, each of which says that it is not alive.
type Found = Result<(), Vec<String>>;

async fn within(asking: impl Future<Output = Found>) -> Found {
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(vec![format!("no answer within {} s", PATIENCE.as_secs())]))
}

/// Where the service can be asked from this machine; port 0 is known to the log only.
fn port(settings: &Settings) -> Option<SocketAddr> {
    let listen = settings.serve.listen.filter(|listen| listen.port() != 0)?;
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(ip, listen.port()))
}

async fn by_port(address: SocketAddr) -> Found {
    let refused =
        |error: std::io::Error| vec![format!("nobody answers at {address} ({error}); is `firstpass run` running?")];
    let stream = TcpStream::connect(address).await.map_err(refused)?;
    let (status, body) =
        ask(stream, address).await.map_err(|error| vec![format!("no answer at {address}: {error}")])?;
    let stranger = || vec![format!("what answers at {address} is not firstpass; see serve.listen")];
    let alive: Alive = serde_json::from_slice(&body).map_err(|_| stranger())?;
    match (status, alive.alive) {
        (StatusCode::OK, true) => Ok(()),
        (_, true) => Err(stranger()),
        (_, false) => Err(alive.why),
    }
}

async fn ask(
    stream: TcpStream,
    address: SocketAddr,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/healthz")
        .header(HOST, address.to_string())
        .header(ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())?;
    let asking = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((
            status,
            Limited::new(answer.into_body(), ANSWER).collect().await?.to_bytes(),
        ))
    };
    tokio::pin!(asking);
    tokio::select! {
        answered = &mut asking => answered,
        _gone = connection => asking.await,
    }
}

/// The lock says whether a service runs at all, the sign of life whether its loops move.
async fn by_state(settings: &Settings) -> Found {
    let one = |why: String| vec![why];
    if let Some(file) = open::state_file(settings).filter(|file| !file.exists()) {
        return Err(one(format!("there is no state at {}; is `firstpass run` running?", file.display())));
    }
    let store = Store::open_to_read(&settings.state.url).await.map_err(|error| one(chain(&error)))?;
    let served = store.is_served().map_err(|error| one(chain(&error)))?;
    let beat = store.last_heartbeat().await;
    store.close().await;
    if !served {
        return Err(one("no `firstpass run` serves this state".to_owned()));
    }
    let (now, most) = (open::now(), Limits::default().hung + BEAT);
    match beat.map_err(|error| one(chain(&error)))? {
        Some(at) if (now - at).abs().to_std().is_ok_and(|age| age <= most) => Ok(()),
        Some(at) => Err(one(format!(
            "the last sign of life in the state is of {}; its loops stand still, or the clock jumped",
            super::words::utc_text(at)
        ))),
        None => Err(one("the service gave no sign of life yet".to_owned())),
    }
}
