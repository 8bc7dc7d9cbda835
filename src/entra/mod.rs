//! Microsoft Graph: who the hire and the manager are, what the tenant allows, passes.
//!
//! One [`Tenant`] per `[[tenant]]`. Every method is a question or an act that ends within
//! `Limits::graph_request` per request and sorts what came back into a [`Failure`]; nothing waits,
//! nothing is repeated (but a refused token, once), nothing is decided. What cannot be read is a
//! failure, never an empty answer (I19).
//!
//! Must never: follow a redirect, trust a proxy out of the environment, send a create twice, print a
//! code, a token or a secret. Read on in [`passes`], then [`directory`], [`policy`], `http`, then how we
//! sign in: `token`, [`credential`], `assertion`, `certificate`, `wire`.

pub mod access;
pub mod directory;
pub mod passes;
pub mod policy;
pub mod send_mail;

mod assertion;
mod certificate;
pub mod credential;
mod failure;
mod http;
mod skew;
mod token;
mod wire;

pub use certificate::Look;
pub use failure::is_not_found;
pub use token::Scope;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::SecretString;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use tokio::sync::OnceCell;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use self::http::{Answer, Bounds, Http};
use self::skew::Skew;
use self::token::{Bearer, Token};
use crate::clock::Clock;
use crate::config::{self, Limits, SecretError};
use crate::counts::{Counts, RefusedBy};
use crate::rules::verdict::{Failure, Said};
use crate::rules::words;

/// Pages of one list that are read. A person in more groups than this times 999 is nobody's hire.
const MOST_PAGES: usize = 20;

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum EntraError {
    /// Tokens are never sent in the clear.
    #[error("tenant {tenant}: {key} must be an https address")]
    NotHttps {
        /// `name` of the tenant.
        tenant: String,
        /// The key.
        key: &'static str,
    },
    /// The credential's file cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The file is no certificate with its key, or not one that works now.
    #[error("{key}: {} {what}", .file.display())]
    Certificate {
        /// The setting.
        key: String,
        /// The file.
        file: PathBuf,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// azure_identity takes no such credential, or this machine has none.
    #[error("no credential can be made: {0}")]
    Credential(String),
}

impl EntraError {
    /// A credential that cannot even be tried: this tenant stops, told once (contract 3).
    fn failure(&self, key: &str) -> Failure {
        let message = words::masked(&self.words());
        Failure::Unauthorized(Said { code: key.to_owned(), message, ..Said::default() })
    }

    /// With its cause.
    fn words(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

/// One tenant's directory. Cheap to make: clients, certificates and token come with the first call.
pub struct Tenant {
    name: String,
    root: Url,
    settings: config::Tenant,
    limits: Limits,
    clock: Clock,
    token: Token,
    http: OnceCell<Http>,
    skew: Arc<Skew>,
    counts: Counts,
    /// The last create was answered with 401, and none was accepted since.
    post_refused: AtomicBool,
}

/// What is asked: a word for the log and the address.
struct Call {
    what: &'static str,
    url: Url,
    /// Casts and counts need Graph's search index, which may lag (facts 3.3).
    eventual: bool,
}

impl Call {
    fn new(what: &'static str, url: Url) -> Self {
        Self { what, url, eventual: false }
    }
}

/// One page of a list. Without `value` it is no list.
#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl Tenant {
    /// # Errors
    /// Only when the settings name an address that is not https; nothing is opened or asked here.
    pub fn new(settings: &config::Tenant, limits: &Limits, clock: Clock) -> Result<Self, EntraError> {
        Self::counted(settings, limits, clock, Counts::default())
    }

    /// [`Self::new`]; what Microsoft answers is counted there.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn counted(
        settings: &config::Tenant,
        limits: &Limits,
        clock: Clock,
        counts: Counts,
    ) -> Result<Self, EntraError> {
        for (key, url) in [("login_url", &settings.login_url), ("graph_url", &settings.graph_url)] {
            if url.scheme() != "https" || url.cannot_be_a_base() {
                return Err(EntraError::NotHttps { tenant: settings.name.clone(), key });
            }
        }
        let skew = Arc::new(Skew::default());
        Ok(Self {
            name: settings.name.clone(),
            root: settings.graph_url.clone(),
            settings: settings.clone(),
            limits: limits.clone(),
            token: Token::new(settings, limits, clock.clone(), Arc::clone(&skew), counts.clone()),
            clock,
            http: OnceCell::new(),
            skew,
            counts,
            post_refused: AtomicBool::new(false),
        })
    }

    /// `name` in the settings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Date` header of the newest answer, of Graph or of the sign-in, minus our clock at that
    /// moment; to the second.
    pub fn skew(&self) -> Option<TimeDelta> {
        self.skew.newest()
    }

    /// Asks Graph anything, to hear what time it is: [`Self::skew`] by an answer of now, also by the one
    /// that refuses a token. `None`: none came.
    pub async fn ask_skew(&self) -> Option<TimeDelta> {
        let before = self.skew.n_heard();
        let _any_answer = self.policy().await;
        if self.skew.n_heard() == before { None } else { self.skew() }
    }

    /// What may be shown of the certificate as it lies there now; `None` for other credentials, and
    /// when the file is not right.
    pub fn certificate(&self) -> Option<Look> {
        match credential::look(&self.settings, self.clock.now()) {
            Ok(credential::Standing::Certificate(look)) => Some(look),
            Ok(_) | Err(_) => None,
        }
    }

    /// The application permissions that the token holds, sorted. Exchange-scoped `Mail.Send` never
    /// shows here (facts 3.5).
    ///
    /// # Errors
    /// No token, or one that cannot be read.
    pub async fn permissions(&self) -> Result<Vec<String>, Failure> {
        let http = self.http().await?;
        token::roles(&self.token.get(&http.reader, Scope::Graph).await?.secret)
    }

    /// A token for somebody who talks to Microsoft beside this client, such as the mail. Kept for
    /// each scope until five minutes before its end.
    ///
    /// # Errors
    /// `Unauthorized` when the credential is refused or cannot be read, else `NotSent` or
    /// `Throttled`; never `Unknown`.
    pub async fn token(&self, scope: Scope) -> Result<SecretString, Failure> {
        let http = self.http().await?;
        let bearer = self.token.get(&http.reader, scope).await?;
        Ok(SecretString::from(bearer.secret.secret().to_owned()))
    }

    /// Whoever got [`Tenant::token`] was refused with it: the next one is made anew.
    pub async fn token_refused(&self) {
        self.counts.token_refused(&self.name, RefusedBy::Mail);
        self.token.forget_all().await;
    }

    async fn http(&self) -> Result<&Http, Failure> {
        let made = self.http.get_or_try_init(async || Http::new(self.settings.ca_file.as_deref(), &self.limits)).await;
        made.map_err(Failure::NotSent)
    }

    /// `https://graph…/v1.0/` and these segments, each escaped as a whole.
    fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>, query: &[(&str, &str)]) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().push("v1.0").extend(segments);
        }
        // `+` is a space in forms, but not everywhere in OData: spaces are sent as `%20`.
        let value =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let pairs: Vec<String> = query.iter().map(|(name, text)| format!("{name}={}", value(text))).collect();
        if !pairs.is_empty() {
            url.set_query(Some(&pairs.join("&")));
        }
        url
    }

    /// One object.
    async fn get<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        let answer = self.ask(Method::GET, call).await?;
        read(&answer)
    }

    /// One object, or `None` for Graph's own "there is no such object".
    async fn get_if_any<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, Failure> {
        match self.get(call).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A whole list: all pages or a failure. Next pages are asked of Graph's own origin only, since
    /// each request carries the token.
    async fn list<T: DeserializeOwned>(&self, mut call: Call) -> Result<Vec<T>, Failure> {
        let unclear = |why: &str| Failure::Unknown { why: why.to_owned(), retry_after: None };
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let page: Page<T> = self.get(&call).await?;
            all.extend(page.value);
            let Some(next) = page.next else { return Ok(all) };
            call.url = Url::parse(&next).map_err(|_| unclear("the address of the next page cannot be read"))?;
            if call.url.origin() != self.root.origin() {
                return Err(unclear("the next page of a list is said to lie on another host, which is not asked"));
            }
        }
        Err(unclear("a list has more pages than are ever read"))
    }

    /// A read or a delete; a refused token is renewed once.
    async fn ask(&self, method: Method, call: &Call) -> Result<Answer, Failure> {
        let http = self.http().await?;
        let bearer = self.token.get(&http.reader, Scope::Graph).await?;
        let answer = self.once(http, &method, call, &bearer).await?;
        self.doubt(&bearer, answer.status).await;
        if answer.status != 401 {
            return Ok(answer);
        }
        let bearer = self.token.get(&http.reader, Scope::Graph).await?;
        let answer = self.once(http, &method, call, &bearer).await?;
        self.doubt(&bearer, answer.status).await;
        Ok(answer)
    }

    async fn once(&self, http: &Http, method: &Method, call: &Call, bearer: &Bearer) -> Result<Answer, Failure> {
        let mut request =
            http.reader.request(method.clone(), call.url.clone()).header(AUTHORIZATION, authorization(bearer)?);
        if call.eventual {
            request = request.header("ConsistencyLevel", "eventual");
        }
        let bounds = self.bounds(call.what, self.limits.graph_body);
        http::exchange(&http.reader, request, &self.clock, &bounds, |skew| self.skew.hear(skew))
            .await
            .map_err(failure::of_broken)
    }

    /// A refused token is dropped. So is one that lacks a permission: its roles are those of an hour
    /// ago, and an admin who grants what is missing shall not have to wait for its end.
    async fn doubt(&self, bearer: &Bearer, status: u16) {
        if matches!(status, 401 | 403) {
            self.token.forget(bearer.age).await;
        }
    }

    fn bounds(&self, what: &'static str, body: usize) -> Bounds<'_> {
        Bounds { tenant: &self.name, counts: &self.counts, what, within: self.limits.graph_request, body, usual: None }
    }

    /// Two creates refused with 401, and none accepted between them?
    fn post_refused_again(&self) -> bool {
        self.post_refused.swap(true, Ordering::SeqCst)
    }

    fn post_accepted(&self) {
        self.post_refused.store(false, Ordering::SeqCst);
    }
}

/// A header that no log prints.
fn authorization(bearer: &Bearer) -> Result<HeaderValue, Failure> {
    let text = Zeroizing::new(format!("Bearer {}", bearer.secret.secret()));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Failure::NotSent("the token holds characters that no header can".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The object of a 200. serde's words are left out but for the place: they may repeat a value.
fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if answer.status != 200 {
        return Err(failure::of_answer(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|why| {
        failure::unknown(answer, &format!("the answer cannot be read (at line {} column {})", why.line(), why.column()))
    })
}

/// A field that may be absent, null or of another kind than documented: all three are `None`.
fn lenient<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Field<T> {
        Known(T),
        Other(IgnoredAny),
    }
    Ok(match Field::deserialize(from)? {
        Field::Known(value) => Some(value),
        Field::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Odd {
        #[serde(default, deserialize_with = "lenient")]
        a: Option<bool>,
    }

    #[test]
    fn absent_null_and_unlike_are_none() {
        for (text, wanted) in
            [(r#"{"a":true}"#, Some(true)), ("{}", None), (r#"{"a":null}"#, None), (r#"{"a":{"b":[1]}}"#, None)]
        {
            assert_eq!(serde_json::from_str::<Odd>(text).unwrap().a, wanted, "{text}");
        }
    }
}
