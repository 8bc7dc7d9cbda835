//! A notice as one signed HTTPS request (Standard Webhooks: standardwebhooks.com, version 1).
//!
//! Never here: a redirect that is followed, a proxy out of the environment, plain HTTP to another
//! machine, an answer that is read without a bound, a URL or a secret in a message. URL and secret are
//! read from their files at each try, so that a new one counts without a restart.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{Webhook, WebhookUrl, authorities, web_url};
use crate::rules::words::{chain, masked};

const USER_AGENT: &str = concat!("firstpass/", env!("CARGO_PKG_VERSION"));
/// A receiver answers before it works (Standard Webhooks advises 15 to 30 s); notices wait in a row.
const WITHIN: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(10);
/// Of an answer only a few words are shown.
const ANSWER: usize = 2048;
const WORDS: usize = 200;
/// A receiver cannot make us wait for longer than the notice lives.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// Standard Webhooks asks for 24 to 64 bytes of key.
const SHORTEST_KEY: usize = 24;
const PREFIX: &str = "whsec_";

/// Why a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookFailure {
    /// Our own settings: a file that cannot be read, a URL or key that is none.
    #[error("{0}")]
    Unusable(String),
    /// Not now.
    #[error("{why}")]
    NotNow {
        /// What was said, or seen instead of an answer.
        why: String,
        /// The patience that was asked for.
        wait: Option<Duration>,
    },
    /// 410: the receiver wants no more of this.
    #[error("the receiver answers 410 Gone: it wants no notices; take this webhook out of the settings")]
    Gone,
}

/// Sends one notice. `now` is its time stamp, `id` the same at every try. The receiver's answer.
///
/// # Errors
/// [`HookFailure`]; after any it may have been taken all the same, which `id` tells the receiver.
pub async fn send(hook: &Webhook, now: DateTime<Utc>, id: &str, body: String) -> Result<String, HookFailure> {
    let url = url_of(hook)?;
    let stamp = now.timestamp();
    let mut request = client(hook)?
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", stamp.to_string());
    if let Some(key) = key_of(hook)? {
        request = request.header("webhook-signature", signature(id, stamp, &body, &key));
    }
    let exchange = async {
        let response = request.body(body).send().await.map_err(|error| not_now(words(error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(format!("{status}"));
        }
        if status.as_u16() == 410 {
            return Err(HookFailure::Gone);
        }
        // Many servers quote the path, which is the secret of a URL that stands in a file.
        let said = match &hook.url {
            WebhookUrl::Plain(_) => first_words(response).await,
            WebhookUrl::File(_) => String::new(),
        };
        let hint =
            if status.is_redirection() { "; redirects are not followed, so write the URL it points to" } else { "" };
        Err(HookFailure::NotNow { why: format!("the receiver answers {status}{said}{hint}"), wait: patience(&headers) })
    };
    let silent = || not_now(format!("no answer within {} s", WITHIN.as_secs()));
    tokio::time::timeout(WITHIN, exchange).await.unwrap_or_else(|_| Err(silent()))
}

/// Whether everything of ours that a notice needs is there; asks nobody.
///
/// # Errors
/// [`HookFailure::Unusable`].
pub fn look(hook: &Webhook) -> Result<(), HookFailure> {
    url_of(hook)?;
    key_of(hook)?;
    client(hook).map(drop)
}

/// `v1,` and the signature of `id.stamp.body`.
///
/// ```
/// use firstpass::mail::webhook::{key, signature};
/// // The example of the reference implementations.
/// let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
/// let signature = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#, &key);
/// assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// ```
pub fn signature(id: &str, stamp: i64, body: &str, key: &[u8]) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{stamp}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The key in a `whsec_…`; other text is the key itself. `None`: no base64, or too short to be safe.
pub fn key(secret: &str) -> Option<Zeroizing<Vec<u8>>> {
    let key = match secret.strip_prefix(PREFIX) {
        Some(encoded) => Zeroizing::new(STANDARD.decode(encoded).ok()?),
        None => Zeroizing::new(secret.as_bytes().to_vec()),
    };
    (key.len() >= SHORTEST_KEY).then_some(key)
}

fn key_of(hook: &Webhook) -> Result<Option<Zeroizing<Vec<u8>>>, HookFailure> {
    let Some(file) = &hook.secret_file else { return Ok(None) };
    let secret: SecretString = file.read().map_err(|error| unusable(&error))?;
    let bad = || {
        HookFailure::Unusable(format!(
            "{} holds no key of at least {SHORTEST_KEY} bytes; write whsec_ and base64 as the receiver shows it",
            file.place().display()
        ))
    };
    key(secret.expose_secret()).map(Some).ok_or_else(bad)
}

fn url_of(hook: &Webhook) -> Result<Url, HookFailure> {
    match &hook.url {
        WebhookUrl::Plain(url) => Ok(url.clone()),
        WebhookUrl::File(file) => {
            let text = file.read().map_err(|error| unusable(&error))?;
            web_url(text.expose_secret())
                .map_err(|bad| HookFailure::Unusable(format!("what stands in {} {bad}", file.place().display())))
        }
    }
}

fn unusable(error: &dyn std::error::Error) -> HookFailure {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    HookFailure::Unusable(format!("{error}{source}"))
}

fn not_now(why: String) -> HookFailure {
    HookFailure::NotNow { why, wait: None }
}

/// One for each notice: there are few, and a connection would be idle for hours.
fn client(hook: &Webhook) -> Result<reqwest::Client, HookFailure> {
    let mut roots = Vec::new();
    if let Some(path) = &hook.ca_file {
        let unfit = |why: String| HookFailure::Unusable(format!("notify.webhook.ca_file {}: {why}", path.display()));
        let pem = authorities(path).map_err(unfit)?;
        roots =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unfit("holds a broken certificate".to_owned()))?;
    }
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .tls_certs_merge(roots)
        .build()
        .map_err(|error| HookFailure::Unusable(words(error)))
}

/// `Retry-After` in seconds.
fn patience(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

async fn first_words(mut response: reqwest::Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        read.extend(piece.iter().take(ANSWER - read.len()));
        if read.len() >= ANSWER {
            break;
        }
    }
    let text: String = masked(&String::from_utf8_lossy(&read)).chars().take(WORDS).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// An error with its causes, without the URL, which may be a secret.
fn words(error: reqwest::Error) -> String {
    masked(&chain(&error.without_url()))
}
