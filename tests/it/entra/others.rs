//! Sign-in by a token of another issuer, and a credential that is replaced in the middle of a request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstpass::config::{self, SecretFile};
use firstpass::sandbox::tenant::{Effect, Kind, When};
use serde_json::json;

use super::certificates::{number, put};
use super::{now, scene, write_secret};

/// A token as Kubernetes projects it; the model believes its signature.
fn projected(subject: &str, minutes: i64) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://oidc.cluster.example/", "sub": subject, "aud": ["api://AzureADTokenExchange"],
        "exp": now().timestamp() + minutes * 60, "nbf": now().timestamp() - 60,
    });
    format!("{}.{}.c2ln\n", part(json!({"alg": "RS256", "kid": "k"})), part(claims))
}

#[tokio::test]
async fn a_federated_token_is_read_anew_at_each_sign_in() {
    const SUBJECT: &str = "system:serviceaccount:onboarding:firstpass";
    let scene = scene();
    let file = SecretFile::new("federated_token_file", "./token", None, scene.dir.path());
    let path = scene.dir.path().join("token");
    let client_id = scene.model.edit(|directory| {
        directory.federated.push(("https://oidc.cluster.example/".to_owned(), SUBJECT.to_owned()));
        directory.client_id.parse().unwrap()
    });
    let settings =
        config::Tenant { credential: config::Credential::FederatedToken { client_id, file }, ..scene.settings.clone() };
    let ours = scene.client(&settings);
    put(&path, &projected("system:serviceaccount:other:pod", 60));
    assert_eq!(number(ours.policy().await), "AADSTS700213");
    put(&path, &projected(SUBJECT, 60));
    ours.policy().await.unwrap();
    put(&path, &projected(SUBJECT, -30));
    ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 2, "a token that is held is not dropped for it");
    scene.model.revoke_tokens();
    assert_eq!(number(ours.policy().await), "AADSTS700024");
    put(&path, &projected(SUBJECT, 60));
    ours.policy().await.unwrap();
}

#[tokio::test]
async fn f97_a_secret_that_is_replaced_while_the_old_one_is_refused_is_tried_at_once() {
    let scene = scene();
    scene.model.edit(|directory| directory.client_secret = "a-new-secret".to_owned());
    scene.fault(Kind::Token, When::Before, Effect::Hold);
    let (asked, ()) = tokio::join!(scene.ours.policy(), async {
        scene.model.held().await;
        write_secret(&scene.dir, "a-new-secret");
        scene.model.release();
    });
    asked.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 2);
}

#[tokio::test]
async fn a_secret_that_is_replaced_is_used_at_the_next_token() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    write_secret(&scene.dir, "");
    scene.ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 1, "an empty file is being written");
    scene.model.edit(|directory| directory.client_secret = "a-new-secret".to_owned());
    write_secret(&scene.dir, "a-new-secret");
    scene.ours.policy().await.unwrap();
    assert_eq!(scene.model.count(Kind::Token), 2);
}

#[tokio::test]
async fn f105_each_cloud_has_its_own_audience_for_mail() {
    use config::Cloud;
    use firstpass::entra::Scope;
    use secrecy::ExposeSecret as _;
    let scene = scene();
    for cloud in [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod] {
        let ours = scene.client(&config::Tenant { cloud, ..scene.settings.clone() });
        let token = ours.token(Scope::Outlook).await.unwrap();
        for other in [Cloud::Global, Cloud::UsGov, Cloud::UsGovDod] {
            let good = scene.model.gave_token(other.outlook(), token.expose_secret());
            assert_eq!(good, other == cloud, "{cloud:?} at {other:?}");
        }
    }
}
