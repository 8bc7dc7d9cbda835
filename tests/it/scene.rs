//! A model tenant with two people and a plain HTTP client, for the tests of the model itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use firstpass::clock::Clock;
use firstpass::sandbox::tenant::{ModelTenant, ModelUser};
use firstpass::sandbox::tls::Ca;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// A tenant at 2027-03-01 06:00 UTC with Kim, a hire, and Robin, the manager.
pub(crate) struct Scene {
    pub(crate) tenant: ModelTenant,
    pub(crate) clock: Clock,
    pub(crate) http: Client,
    pub(crate) kim: Uuid,
    pub(crate) robin: Uuid,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let ca = Ca::new().unwrap();
        let clock = Clock::hand(at("2027-03-01T06:00:00Z"));
        let tenant = ModelTenant::start(&ca, clock.clone(), 0).unwrap();
        let (kim, robin) = tenant.edit(|d| {
            let robin = d.add(ModelUser::member("robin@contoso.example", "Robin Field"));
            let kim = ModelUser {
                employee_id: Some("E1001".into()),
                manager: Some(robin),
                ..ModelUser::member("kim@contoso.example", "Kim Novak")
            };
            (d.add(kim), robin)
        });
        let root = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
        let http = Client::builder()
            .tls_certs_only([root])
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { tenant, clock, http, kim, robin }
    }

    pub(crate) async fn token_answer(&self, change: impl FnOnce(&mut Vec<(&'static str, String)>)) -> Response {
        let (tenant_id, client_id, secret) =
            self.tenant.edit(|d| (d.tenant_id, d.client_id.clone(), d.client_secret.clone()));
        let mut form = vec![
            ("client_id", client_id),
            ("client_secret", secret),
            ("grant_type", "client_credentials".into()),
            ("scope", "https://graph.microsoft.com/.default".into()),
        ];
        change(&mut form);
        let url = self.tenant.origin().join(&format!("/{tenant_id}/oauth2/v2.0/token")).unwrap();
        self.http.post(url).form(&form).send().await.unwrap()
    }

    pub(crate) async fn token(&self) -> String {
        let answer: Value = self.token_answer(|_| {}).await.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let token = self.token().await;
        let url = self.tenant.origin().join(&format!("/v1.0{path}")).unwrap();
        let mut request = self.http.request(method, url).bearer_auth(token).header("ConsistencyLevel", "eventual");
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.ask(Method::GET, path, None).await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) fn passes_path(&self) -> String {
        format!("/users/{}/authentication/temporaryAccessPassMethods", self.kim)
    }

    pub(crate) async fn create(&self, body: Value) -> (StatusCode, Value) {
        let answer = self.ask(Method::POST, &self.passes_path(), Some(body)).await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) async fn list(&self) -> Vec<Value> {
        let (status, body) = self.get(&self.passes_path()).await;
        assert_eq!(status, 200, "{body}");
        body["value"].as_array().unwrap().clone()
    }

    pub(crate) fn set(&self, text: &str) {
        self.clock.set(at(text));
    }
}

/// A POST for the start at nine.
pub(crate) fn at_nine() -> Value {
    json!({ "startDateTime": "2027-03-01T09:00:00Z", "lifetimeInMinutes": 480, "isUsableOnce": true })
}
