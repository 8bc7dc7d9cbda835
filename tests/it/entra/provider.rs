//! Our assertions before a real OpenID provider (npm's oidc-provider), which knows nothing of ours: a
//! good one gets a token, and one of another key, certificate, audience or time gets none (F97).
//!
//! Skipped, and said so, where node or the provider is not installed (`tests/run` installs them).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::config::{self, SecretFile};
use firstpass::entra::{Scope, Tenant};
use firstpass::rules::verdict::Failure;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::certificates::{Pair, put};
use super::{Scene, scene};

/// The provider; it ends with this value.
struct Provider {
    child: Child,
    origin: String,
    lines: Receiver<String>,
    _stdin: ChildStdin,
}

/// `PEER/node_modules` below the target directory.
pub(crate) fn below_target(peer: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_firstpass")).ancestors().nth(2).unwrap();
    target.join("peers").join(peer)
}

impl Provider {
    fn start(scene: &Scene, pair: &Pair) -> Option<Self> {
        let modules = below_target("entra").join("node_modules");
        if !modules.join("oidc-provider").exists() {
            eprintln!("skipped: oidc-provider is not in {} (tests/run installs it)", modules.display());
            return None;
        }
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let file = |name: &str, text: &str| {
            put(&scene.dir.path().join(name), text);
            scene.dir.path().join(name)
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/entra/provider.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .args([scene.settings.tenant_id.to_string(), client_id(scene).to_string()])
            .args([file("app.pem", &pair.certificate), file("server.key", &certified.signing_key.serialize_pem())])
            .arg(file("ca.pem", &certified.cert.pem()))
            .env("NODE_MODULES", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let origin = lines.recv_timeout(Duration::from_mins(1)).expect("the provider says where it listens");
        let stdin = child.stdin.take().unwrap();
        Some(Self { child, origin, lines, _stdin: stdin })
    }

    /// Why the provider refused, in its own words.
    fn refused(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(10)).expect("a line about the refusal")
    }

    /// Asks for a token with an assertion that is not of our making.
    async fn judge(&self, scene: &Scene, assertion: &str) -> (u16, Value) {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(scene.dir.path().join("ca.pem")).unwrap()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        let form = [
            ("client_assertion", assertion),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_id", &client_id(scene).to_string()),
            ("grant_type", "client_credentials"),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let endpoint = format!("{}/{}/oauth2/v2.0/token", self.origin, scene.settings.tenant_id);
        let answer = http.post(endpoint).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client_id(scene: &Scene) -> uuid::Uuid {
    scene.model.edit(|directory| directory.client_id.parse().unwrap())
}

/// Our client with this pair, at this clock, before the provider.
fn ours(scene: &Scene, provider: &Provider, pair: &Pair, clock: Clock) -> Tenant {
    put(&scene.dir.path().join("graph-key.pem"), &pair.pem());
    let file = SecretFile::new("certificate_file", "./graph-key.pem", None, scene.dir.path());
    let settings = config::Tenant {
        credential: config::Credential::Certificate { client_id: client_id(scene), file },
        login_url: provider.origin.parse().unwrap(),
        graph_url: "https://graph.microsoft.com".parse().unwrap(),
        ..scene.settings.clone()
    };
    Tenant::new(&settings, &scene.limits, clock).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn f97_a_real_provider_takes_our_assertion_and_no_other() {
    let scene = scene();
    let real = Clock::System.now();
    let pair = Pair::new(real - TimeDelta::days(1), real + TimeDelta::days(30));
    let stranger = Pair::new(real - TimeDelta::days(1), real + TimeDelta::days(30));
    let Some(provider) = Provider::start(&scene, &pair) else { return };

    let good = ours(&scene, &provider, &pair, Clock::System);
    let token = good.token(Scope::Graph).await.unwrap();
    let token = claims(token.expose_secret());
    assert_eq!(
        (&token["aud"], &token["client_id"]),
        (&json!("https://graph.microsoft.com"), &json!(client_id(&scene)))
    );
    good.token_refused().await;
    good.token(Scope::Graph).await.expect("each assertion has a jti of its own");

    let other = ours(&scene, &provider, &stranger, Clock::System);
    assert_eq!(code(other.token(Scope::Graph).await), "invalid_client");
    assert_eq!(provider.refused(), "refused: signature verification failed", "another pair");
    for (minutes, wanted) in [(-6, "refused: jwt expired"), (6, "refused: jwt not active yet")] {
        let clock = Clock::hand(real + TimeDelta::minutes(minutes));
        let elsewhen = ours(&scene, &provider, &pair, clock);
        assert_eq!(code(elsewhen.token(Scope::Graph).await), "invalid_client");
        assert_eq!(provider.refused(), wanted);
    }
}

fn code(outcome: Result<impl Sized, Failure>) -> String {
    let Err(Failure::Unauthorized(said)) = outcome else { panic!("taken, or something else is wrong") };
    said.code
}

/// The same assertion as ours, with one thing wrong at a time: the provider would notice if ours were.
#[tokio::test]
async fn f97_the_provider_notices_each_wrong_part() {
    let scene = scene();
    let real = Clock::System.now();
    let pair = Pair::new(real - TimeDelta::days(1), real + TimeDelta::days(30));
    let stranger = Pair::new(real - TimeDelta::days(1), real + TimeDelta::days(30));
    let Some(provider) = Provider::start(&scene, &pair) else { return };

    let (now, app) = (real.timestamp(), client_id(&scene));
    let audience = format!("{}/{}/oauth2/v2.0/token", provider.origin, scene.settings.tenant_id);
    let good = json!({"aud": audience, "exp": now + 300, "iat": now, "iss": app, "jti": "1", "nbf": now, "sub": app});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims["jti"] = json!(name);
        claims
    };
    let thumbprint = |pair: &Pair| URL_SAFE_NO_PAD.encode(Sha256::digest(&pair.der));
    let sign = |claims: &Value, key: &Pair, named: &Pair| {
        let header = Header { x5t_s256: Some(thumbprint(named)), ..Header::new(Algorithm::PS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_pem(key.key.as_bytes()).unwrap()).unwrap()
    };
    let (status, answer) = provider.judge(&scene, &sign(&good, &pair, &pair)).await;
    assert_eq!(status, 200, "{answer}");
    let elsewhere = json!("https://login.example/x/oauth2/v2.0/token");
    for (assertion, wanted) in [
        (sign(&good, &pair, &pair), "client assertion tokens must only be used once"),
        (sign(&with("key", json!(1)), &stranger, &pair), "signature verification failed"),
        (sign(&with("x5t", json!(1)), &pair, &stranger), "x5t#S256 names no certificate of this client"),
        (sign(&with("aud", elsewhere), &pair, &pair), "audience (aud) must equal the endpoint url"),
        (sign(&with("exp", json!(now - 60)), &pair, &pair), "jwt expired"),
        (sign(&with("iss", json!("somebody")), &pair, &pair), "iss (JWT issuer) must be the client_id"),
        (sign(&with("exp", json!(now + 3600)), &pair, &pair), "typ, nbf or exp are not as Microsoft documents them"),
    ] {
        let (status, answer) = provider.judge(&scene, &assertion).await;
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{wanted}: {answer}");
        let refused = provider.refused();
        assert!(refused.contains(wanted), "{refused}, not {wanted}");
    }
}
