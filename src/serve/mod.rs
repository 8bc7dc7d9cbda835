//! What others ask of the running service: `/healthz`, `/livez`, `/readyz`, `/metrics` on `serve.listen`.
//!
//! Only GET and HEAD, no TLS, no login, nothing about a person: it listens on loopback unless told
//! otherwise. One request a connection, each bounded in size and time, and few at once: whoever
//! floods the port starves the port, not the letters. Read on in `health` (the two answers), [`metrics`]
//! (the figures), [`notify`] (what systemd is told). What alive and ready mean is decided in
//! [`crate::work::pulse`] and [`crate::work::ready`].

mod health;
pub mod metrics;
pub mod notify;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

pub use self::health::Alive;
use self::metrics::{Form, Metrics};
use crate::work::Work;

/// The worker in force; a reload puts another one there.
pub type Current = watch::Receiver<Arc<Work>>;

/// Connections at once. Prometheus, a kubelet and an admin are three; more wait for their turn.
const CONNECTIONS: usize = 16;
/// A connection ends after this, whatever it did. The slowest answer is a look at a tenant.
const CONNECTION: Duration = Duration::from_secs(15);
/// The head of a request must have come by then.
const HEAD: Duration = Duration::from_secs(5);
/// Bytes of the head of a request (the least that hyper takes).
const HEAD_BYTES: usize = 8192;
/// Header lines of a request.
const HEADERS: usize = 32;
/// Answers under way may end when the service ends.
const GRACE: Duration = Duration::from_secs(1);
/// Out of files, say: no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody listens there.
    #[error(
        "serve.listen: {0} is in use by another program; stop that one, or let serve.listen name another port (\"\" for none)"
    )]
    Taken(SocketAddr),
    /// The address is not of this machine, or not for this user.
    #[error(
        "serve.listen: {address} cannot be opened; let serve.listen name an address of this machine and a port from 1024"
    )]
    Unusable {
        /// As the settings have it.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// An open port that nobody is answered at yet.
#[derive(Debug)]
pub struct Port(TcpListener);

impl Port {
    /// Opens it; connections wait until [`Port::serve`].
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn open(address: SocketAddr) -> Result<Self, ServeError> {
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self(listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(ServeError::Taken(address)),
            Err(source) => Err(ServeError::Unusable { address, source }),
        }
    }

    /// Where it is, with the port that was free when 0 was asked for.
    ///
    /// # Errors
    /// Of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until `stop`; then what is under way may end.
    pub async fn serve(self, work: Current, stop: CancellationToken) {
        if let Ok(address) = self.address() {
            info!(event = "serving", %address, "health and metrics are at http://{address}");
        }
        let router = router(work);
        let (seats, tracker) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        loop {
            let next = async {
                let seat = Arc::clone(&seats).acquire_owned().await;
                (seat, self.0.accept().await)
            };
            let (seat, accepted) = tokio::select! {
                next = next => next,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    tracker.spawn(async move {
                        let _seat = seat;
                        let _ = tokio::time::timeout(CONNECTION, answer(stream, router)).await;
                    });
                }
                Err(error) => {
                    warn!(event = "serve-trouble", %error, "a connection to serve.listen could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        tracker.close();
        let _ = tokio::time::timeout(GRACE, tracker.wait()).await;
    }
}

/// One request, one answer.
async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        debug!(%error, "a request to serve.listen was not answered");
    }
}

fn router(work: Current) -> Router {
    let figures = Arc::new(Metrics::beginning(work.borrow().clock.now()));
    let figures = Router::new().route("/metrics", get(metrics_text)).with_state((work.clone(), figures));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .with_state(work)
        .merge(figures)
}

async fn metrics_text(State((work, figures)): State<(Current, Arc<Metrics>)>, headers: HeaderMap) -> Response {
    let work = Arc::clone(&work.borrow());
    let form = Form::of(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    let kind = [(header::CONTENT_TYPE, form.content_type()), (header::CACHE_CONTROL, "no-store")];
    (kind, figures.text(&work, form).await).into_response()
}

fn text(status: StatusCode, body: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, kind, body).into_response()
}
