//! azure_core's way to the network: our client, with our bounds, and our sorting of what came back.
//!
//! A [`Failure`] travels through azure_core's error untouched ([`hidden`], [`sorted`]). Requests of a
//! managed identity go to this machine in plain HTTP, as Azure documents; nothing else ever does.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request};
use url::{Host, Url};

use super::failure;
use super::http::{self, Bounds};
use super::skew::Skew;
use crate::clock::Clock;
use crate::counts::{self, Counts};
use crate::rules::verdict::Failure;

/// A token answer has some kilobytes; many roles make it longer.
const TOKEN_BODY: usize = 64 * 1024;

pub(super) struct Wire {
    pub(super) client: reqwest::Client,
    pub(super) tenant: String,
    pub(super) within: Duration,
    pub(super) clock: Clock,
    pub(super) peer: Peer,
    pub(super) skew: Arc<Skew>,
    pub(super) counts: Counts,
}

/// Whom it may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// The token endpoint; the client takes https only.
    Microsoft,
    /// The identity endpoint of the machine, in plain HTTP.
    ThisMachine,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body().clone() else {
            return Err(hidden(Failure::NotSent("no token: the request is not in memory".to_owned())));
        };
        let url = request.url().clone();
        let mut ours = match (self.peer, request.method()) {
            (Peer::Microsoft, _) => self.client.post(url).body(body),
            (Peer::ThisMachine, Method::Get) if is_local(&url) => self.client.get(url),
            (Peer::ThisMachine, _) => {
                let why = "no token: IDENTITY_ENDPOINT is not on this machine, and its secret goes nowhere else";
                return Err(hidden(Failure::NotSent(why.to_owned())));
            }
        };
        for (name, value) in request.headers().iter() {
            // Ours says who we are; theirs would name the machine and its toolchain.
            if name.as_str() != "user-agent" {
                ours = ours.header(name.as_str(), value.as_str());
            }
        }
        let bounds = Bounds {
            tenant: &self.tenant,
            counts: &self.counts,
            what: counts::TOKEN,
            within: self.within,
            body: TOKEN_BODY,
            usual: None,
        };
        let heard = |skew| match self.peer {
            Peer::Microsoft => self.skew.hear(skew),
            // Its clock is ours.
            Peer::ThisMachine => {}
        };
        let answer =
            http::exchange(&self.client, ours, &self.clock, &bounds, heard).await.map_err(|broken| match broken {
                http::Broken::NotSent(why) | http::Broken::Lost(why) => {
                    hidden(Failure::NotSent(format!("no token: {why}")))
                }
            })?;
        if answer.status != 200 {
            return Err(hidden(failure::of_token_answer(&answer)));
        }
        Ok(AsyncRawResponse::from_bytes(answer.status.into(), Headers::new(), answer.body.to_vec()))
    }
}

/// Loopback, or link-local: Azure's identity endpoints are 127.0.0.1, localhost or 169.254.x.y.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

pub(super) fn hidden(failure: Failure) -> azure_core::Error {
    azure_core::Error::with_error(ErrorKind::Other, failure, "no token")
}

/// Our own sorting out of azure_core's error; other errors are about an unreadable answer, and their
/// words are not ours to repeat.
pub(super) fn sorted(error: &azure_core::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = inner.source();
    }
    Failure::NotSent("no token: the answer of the token endpoint could not be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_failure_comes_out_of_their_error() {
        let inner = hidden(Failure::NotSent("x".to_owned()));
        let outer = azure_core::Error::with_error(ErrorKind::Credential, inner, "outer");
        assert_eq!(sorted(&outer), Failure::NotSent("x".to_owned()));
    }

    #[test]
    fn only_this_machine_is_local() {
        for (url, wanted) in [
            ("http://127.0.0.1:41741/msi/token/", true),
            ("http://localhost:42356/msi/token", true),
            ("http://169.254.129.2:8081/msi/token", true),
            ("http://[::1]:1/", true),
            ("http://169.255.0.1/", false),
            ("http://10.0.0.1/msi/token", false),
            ("http://localhost.attacker.example/", false),
        ] {
            assert_eq!(is_local(&Url::parse(url).unwrap()), wanted, "{url}");
        }
    }
}
