//! One request, one bounded answer. Knows nothing of tokens or of Graph's shapes.
//!
//! Never here: a redirect that is followed, a proxy out of the environment, an unbounded body, a log
//! line with a body, a token, a query or an address. Sorting what came back is [`super::failure`]'s.
//!
//! **A POST leaves this machine at most once.** reqwest repeats a request when a policy says so
//! (`retry::never` here), hyper-util when a *reused* connection turns out dead (the poster keeps no
//! idle connection, so none is ever reused), HTTP/2 when the peer resets a stream (HTTP/1 only).

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderValue};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::failure;
use crate::clock::Clock;
use crate::config::{Limits, authorities};
use crate::counts::{Answered, Counts};
use crate::rules::words::chain;

const USER_AGENT: &str = concat!("firstpass/", env!("CARGO_PKG_VERSION"));
/// Shorter than the idle times of common load balancers, so that reads seldom meet a dead connection.
const IDLE: Duration = Duration::from_secs(30);

/// The two clients: one that keeps connections, one for the POST.
pub(super) struct Http {
    /// Reads, deletes and tokens.
    pub(super) reader: reqwest::Client,
    /// The create: a new connection for each.
    pub(super) poster: reqwest::Client,
}

/// An answer, complete and within its bound.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: String,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// No answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing left this machine.
    NotSent(String),
    /// Bytes may have been sent.
    Lost(String),
}

/// What one exchange may take, and what it is called in the log.
pub(super) struct Bounds<'a> {
    pub(super) tenant: &'a str,
    pub(super) counts: &'a Counts,
    pub(super) what: &'static str,
    /// Connection, request and answer together.
    pub(super) within: Duration,
    /// Octets of the answer's body.
    pub(super) body: usize,
    /// A status that is the usual answer here although it is an error elsewhere.
    pub(super) usual: Option<u16>,
}

impl Http {
    /// Reads `ca_file`, builds both clients. Costs some megabytes (trusted roots): at first use only.
    pub(super) fn new(ca_file: Option<&Path>, limits: &Limits) -> Result<Self, String> {
        let mut roots = Vec::new();
        if let Some(path) = ca_file {
            let unfit = |why: &str| format!("ca_file {} {why}", path.display());
            let pem = authorities(path).map_err(|why| unfit(&why))?;
            roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unfit("holds a broken certificate"))?;
        }
        let base = || bare(limits).https_only(true).tls_certs_merge(roots.clone());
        let built = |builder: reqwest::ClientBuilder| builder.build().map_err(words);
        Ok(Self {
            reader: built(base().pool_idle_timeout(IDLE).pool_max_idle_per_host(4))?,
            poster: built(base().pool_max_idle_per_host(0))?,
        })
    }
}

/// For the identity endpoint of this machine, which speaks plain HTTP: trusts no certificate; whom it
/// may be used for is decided in [`super::wire`].
pub(super) fn to_this_machine(limits: &Limits) -> Result<reqwest::Client, String> {
    bare(limits).tls_certs_only([]).build().map_err(words)
}

/// Goes nowhere by itself: no redirect, no proxy, no second try.
fn bare(limits: &Limits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(limits.graph_connect)
}

/// Sends once and reads the whole answer. `seen` hears the answer's `Date`.
pub(super) async fn exchange(
    client: &reqwest::Client,
    request: reqwest::RequestBuilder,
    clock: &Clock,
    bounds: &Bounds<'_>,
    seen: impl FnOnce(TimeDelta),
) -> Result<Answer, Broken> {
    let id = Uuid::new_v4();
    let request =
        request.header("client-request-id", id.to_string()).build().map_err(|why| Broken::NotSent(words(why)))?;
    let method = request.method().clone();
    let begun = std::time::Instant::now();
    let outcome = tokio::time::timeout(bounds.within, whole(client, request, clock, bounds.body, seen)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(Broken::Lost(format!("no answer within {:?}", bounds.within))));
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (tenant, what) = (bounds.tenant, bounds.what);
    let answered = match &outcome {
        Ok(answer) => Answered::Status(answer.status),
        Err(Broken::NotSent(_)) => Answered::NotSent,
        Err(Broken::Lost(_)) => Answered::Lost,
    };
    bounds.counts.graph_answered(tenant, what, answered, begun.elapsed());
    match &outcome {
        Ok(answer) if answer.status < 400 || bounds.usual == Some(answer.status) => {
            tracing::debug!(event = "graph-answered", tenant, what, %method, status = answer.status, client_request_id = %id, request_id = answer.request_id, took_ms, "Microsoft answered");
        }
        Ok(answer) => {
            tracing::warn!(event = "graph-error", tenant, what, %method, status = answer.status, client_request_id = %id, request_id = answer.request_id, took_ms, "Microsoft answered with an error");
        }
        Err(Broken::NotSent(why) | Broken::Lost(why)) => {
            tracing::warn!(event = "graph-silent", tenant, what, %method, client_request_id = %id, took_ms, why, "no answer from Microsoft");
        }
    }
    outcome
}

async fn whole(
    client: &reqwest::Client,
    request: reqwest::Request,
    clock: &Clock,
    most: usize,
    seen: impl FnOnce(TimeDelta),
) -> Result<Answer, Broken> {
    let mut response = client.execute(request).await.map_err(|why| {
        // With `is_connect` the connection was never there: no octet of the request was written.
        if why.is_connect() || why.is_builder() { Broken::NotSent(words(why)) } else { Broken::Lost(words(why)) }
    })?;
    let now = clock.now();
    let date = text(response.headers(), "date");
    if let Some(theirs) = date.as_deref().and_then(failure::http_date) {
        seen(theirs - now);
    }
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: failure::retry_after(text(response.headers(), "retry-after").as_deref(), date.as_deref(), now),
        request_id: text(response.headers(), "request-id").unwrap_or_default(),
        body: Zeroizing::new(Vec::with_capacity(most.min(FIRST_ROOM))),
    };
    if let Err(why) = fill(&mut answer.body, &mut response, most).await {
        if answer.status < 400 {
            return Err(Broken::Lost(why));
        }
        // The status alone says no; half a sentence about why is not needed.
        answer.body = Zeroizing::new(Vec::new());
    }
    Ok(answer)
}

/// Room made at once: a create's whole answer fits, so its buffer is never copied to a larger one.
pub(super) const FIRST_ROOM: usize = 16 * 1024;

async fn fill(body: &mut Zeroizing<Vec<u8>>, response: &mut reqwest::Response, most: usize) -> Result<(), String> {
    while let Some(piece) = response.chunk().await.map_err(|why| format!("the answer was cut off: {}", words(why)))? {
        if body.len() + piece.len() > most {
            return Err(format!("the answer is larger than {most} octets"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(())
}

fn text(headers: &HeaderMap<HeaderValue>, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// An error with its causes, without the address (it may hold a person's name).
pub(super) fn words(error: reqwest::Error) -> String {
    failure::plain(&chain(&error.without_url()))
}
