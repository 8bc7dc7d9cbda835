//! The token endpoint (client credentials with a secret or an assertion) and the check of bearers.
//!
//! Microsoft's client asks for nothing else: neither OpenID nor instance discovery. Tokens look like
//! Microsoft's, but their signature is noise; the model remembers which ones it gave out.

use std::collections::{HashMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::assertion;
use super::directory::Directory;

/// Life of a token.
const LIFE: TimeDelta = TimeDelta::seconds(3600);
/// Tokens that are remembered; older ones are refused.
const KEPT: usize = 1000;

/// Graph's name in scopes; tokens for it are for the model's own origin.
const GRAPH: &str = "https://graph.microsoft.com";
/// Exchange Online in the clouds of the settings.
const OUTLOOK: [&str; 3] =
    ["https://outlook.office365.com", "https://outlook.office365.us", "https://outlook-dod.office365.us"];
/// What the app may do in Exchange Online.
const SEND_AS_APP: &str = "SMTP.SendAsApp";

/// A token that was given out.
struct Given {
    token: String,
    audience: String,
    roles: Vec<String>,
    until: DateTime<Utc>,
}

/// Tokens that are out.
#[derive(Default)]
pub(super) struct Tokens(VecDeque<Given>);

impl Tokens {
    /// Every token that is remembered.
    pub(super) fn all(&self) -> Vec<String> {
        self.0.iter().map(|given| given.token.clone()).collect()
    }

    /// No token that is out is valid any more.
    pub(super) fn revoke(&mut self) {
        self.0.clear();
    }

    /// The `roles` of the bearer's token for this audience, or 401.
    pub(super) fn roles(
        &self,
        now: DateTime<Utc>,
        directory: &Directory,
        audience: &str,
        authorization: &str,
    ) -> Result<Vec<String>, Answer> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthenticated("Access token is empty."));
        }
        self.check(now, directory, audience, token.trim()).map_err(unauthenticated)
    }

    /// The `roles` of a token that was given out for this audience and is not over, or what is wrong.
    pub(super) fn check(
        &self,
        now: DateTime<Utc>,
        directory: &Directory,
        audience: &str,
        token: &str,
    ) -> Result<Vec<String>, &'static str> {
        let given = self.0.iter().rev().find(|given| given.token == token);
        match given {
            Some(given) if directory.tokens_expire && now >= given.until => {
                Err("Lifetime validation failed, the token is expired.")
            }
            Some(given) if given.audience != audience => Err("Access token validation failure. Invalid audience."),
            Some(given) => Ok(given.roles.clone()),
            None => Err("Access token validation failure. Invalid signature."),
        }
    }

    /// Answers the token endpoint.
    pub(super) fn give(
        &mut self,
        now: DateTime<Utc>,
        directory: &Directory,
        origin: &str,
        tenant: &str,
        form: &HashMap<String, String>,
    ) -> Answer {
        let audience = match judged(now, directory, origin, tenant, form) {
            Ok(audience) => audience,
            Err((status, error, number, words)) => return refused(now, status, error, number, &words),
        };
        let roles = if audience == origin { directory.permissions.clone() } else { vec![SEND_AS_APP.to_owned()] };
        let token = jwt(now, directory, &audience, &roles);
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Given { token: token.clone(), audience, roles, until: now + LIFE });
        Answer::plain_json(
            200,
            json!({
                "token_type": "Bearer",
                "expires_in": LIFE.num_seconds() - 1,
                "ext_expires_in": LIFE.num_seconds() - 1,
                "access_token": token,
            }),
        )
    }
}

/// The tenant's metadata, as much of it as clients of this grant read.
pub(super) fn discovery(origin: &str, known: &str, tenant: &str) -> Answer {
    if !tenant.eq_ignore_ascii_case(known) {
        let words = format!("AADSTS90002: Tenant '{tenant}' not found.");
        let body = json!({ "error": "invalid_tenant", "error_description": words, "error_codes": [90_002] });
        return Answer::plain_json(400, body);
    }
    let at = |path: &str| format!("{origin}/{known}/{path}");
    Answer::plain_json(
        200,
        json!({
            "issuer": at("v2.0"),
            "token_endpoint": at("oauth2/v2.0/token"),
            "authorization_endpoint": at("oauth2/v2.0/authorize"),
            "device_authorization_endpoint": at("oauth2/v2.0/devicecode"),
            "jwks_uri": at("discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        }),
    )
}

type Refusal = (u16, &'static str, u32, String);

/// The audience of the token that is due, or the refusal.
fn judged(
    now: DateTime<Utc>,
    directory: &Directory,
    origin: &str,
    tenant: &str,
    form: &HashMap<String, String>,
) -> Result<String, Refusal> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if !tenant.eq_ignore_ascii_case(&directory.tenant_id.to_string()) {
        let words = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
        return Err((400, "invalid_request", 90_002, words));
    }
    if field("grant_type") != "client_credentials" {
        let words = "The app requested an unsupported grant type.".to_owned();
        return Err((400, "unsupported_grant_type", 70_003, words));
    }
    let app = field("client_id");
    if app != directory.client_id {
        let words =
            format!("Application with identifier '{app}' was not found in the directory '{}'.", directory.organization);
        return Err((400, "unauthorized_client", 700_016, words));
    }
    prove(now, directory, origin, form)?;
    let scope = field("scope");
    match scope.strip_suffix("/.default") {
        Some(resource) if resource == origin || resource == GRAPH => Ok(origin.to_owned()),
        Some(resource) if OUTLOOK.contains(&resource) => Ok(resource.to_owned()),
        Some(_) | None => {
            let words = format!(
                "The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid."
            );
            Err((400, "invalid_scope", 70_011, words))
        }
    }
}

/// The app is who it says: by its secret, or by an assertion.
fn prove(
    now: DateTime<Utc>,
    directory: &Directory,
    origin: &str,
    form: &HashMap<String, String>,
) -> Result<(), Refusal> {
    let app = &directory.client_id;
    let invalid = |number, words| Err((401, "invalid_client", number, words));
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type").is_none_or(|kind| kind != assertion::KIND) {
            return invalid(50_027, "The client assertion type is not supported.".to_owned());
        }
        let endpoint = format!("{origin}/{}/oauth2/v2.0/token", directory.tenant_id);
        return assertion::judge(now, directory, &endpoint, app, assertion)
            .or_else(|(number, words)| invalid(number, words));
    }
    let Some(secret) = form.get("client_secret") else {
        let words =
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
        return invalid(7_000_216, words.to_owned());
    };
    if directory.secret_expired {
        return invalid(7_000_222, format!("The provided client secret keys for app '{app}' are expired."));
    }
    if *secret != directory.client_secret {
        let words = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."
        );
        return invalid(7_000_215, words);
    }
    Ok(())
}

fn refused(now: DateTime<Utc>, status: u16, error: &str, number: u32, words: &str) -> Answer {
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let timestamp = now.format("%Y-%m-%d %H:%M:%SZ").to_string();
    Answer::plain_json(
        status,
        json!({
            "error": error,
            "error_description": format!(
                "AADSTS{number}: {words}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
            ),
            "error_codes": [number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        }),
    )
}

/// Looks like Microsoft's access token, version 1.0.
fn jwt(now: DateTime<Utc>, directory: &Directory, audience: &str, roles: &[String]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "sandbox" });
    let claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{}/", directory.tenant_id),
        "iat": now.timestamp(),
        "nbf": now.timestamp(),
        "exp": (now + LIFE).timestamp(),
        "appid": directory.client_id,
        "idtyp": "app",
        "roles": roles,
        "tid": directory.tenant_id,
        "uti": Uuid::new_v4().simple().to_string(),
        "ver": "1.0",
    });
    let noise = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode(noise))
}

fn unauthenticated(message: &str) -> Answer {
    Answer::error(401, "InvalidAuthenticationToken", message).with(
        "www-authenticate",
        r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize""#.into(),
    )
}
