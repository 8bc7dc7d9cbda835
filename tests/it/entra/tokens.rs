//! Tokens and secrets that are refused or not to be had (F97).

use std::time::Duration;

use firstpass::entra::Scope;
use firstpass::rules::verdict::Failure;
use firstpass::sandbox::tenant::{Effect, Kind, When};

use super::{kind_of, scene, write_secret};

#[tokio::test]
async fn f97_a_token_that_is_refused_is_renewed_once() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    scene.model.revoke_tokens();
    scene.ours.policy().await.unwrap();
    assert_eq!((scene.model.count(Kind::Token), scene.model.count(Kind::Policy)), (2, 3));
    scene.model.fault_each(
        Some(Kind::Policy),
        When::Before,
        Effect::graph_error(401, "InvalidAuthenticationToken", "no"),
    );
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert_eq!((said.status, said.code.as_str()), (401, "InvalidAuthenticationToken"));
    assert_eq!((scene.model.count(Kind::Token), scene.model.count(Kind::Policy)), (3, 5));
}

#[tokio::test]
async fn f97_a_create_that_is_refused_with_401_waits_for_the_next_attempt() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    scene.model.revoke_tokens();
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(scene.model.count(Kind::PassCreate), 1);
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "ok");
    assert_eq!((scene.model.count(Kind::PassCreate), scene.model.count(Kind::Token)), (2, 2));
    scene.model.fault_each(Some(Kind::PassCreate), When::Before, Effect::graph_error(401, "x", "no"));
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "unauthorized");
}

#[tokio::test]
async fn f97_a_new_secret_is_read_when_the_old_one_is_refused() {
    let scene = scene();
    scene.model.edit(|directory| directory.client_secret = "a-new-secret".to_owned());
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert_eq!(said.code, "invalid_client");
    assert!(said.message.starts_with("AADSTS7000215"), "{said}");
    assert_eq!(scene.model.count(Kind::Policy), 0);
    write_secret(&scene.dir, "a-new-secret");
    scene.ours.policy().await.unwrap();

    scene.model.revoke_tokens();
    std::fs::remove_file(scene.dir.path().join("graph-secret")).unwrap();
    let Err(Failure::Unauthorized(said)) = scene.ours.policy().await else { panic!() };
    assert!(said.message.contains("graph-secret"), "{said}");
}

#[tokio::test]
async fn f97_a_token_endpoint_that_is_ill_stops_nothing_for_good() {
    let scene = scene();
    let ours = scene.hasty(500);
    for (effect, wanted) in [
        (Effect::Reset, "not sent"),
        (Effect::Html, "not sent"),
        (Effect::EmptyBody, "not sent"),
        (Effect::Delay(Duration::from_millis(900)), "not sent"),
        (Effect::Status(200, Vec::new(), "{}".to_owned()), "not sent"),
        (Effect::Status(200, Vec::new(), "x".repeat(100_000)), "not sent"),
        (Effect::Status(500, Vec::new(), String::new()), "not sent"),
        (Effect::unavailable(Some("9")), "throttled"),
        (Effect::throttled(None), "throttled"),
    ] {
        let name = format!("{effect:?}").chars().take(100).collect::<String>();
        let before = scene.model.count(Kind::Token);
        scene.fault(Kind::Token, When::Before, effect);
        // A create that got no token was certainly not sent.
        assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), wanted, "{name}");
        assert_eq!(scene.model.count(Kind::Token), before + 1, "no retry below us: {name}");
    }
    assert_eq!(scene.model.count(Kind::PassCreate), 0);
    ours.create_pass(&scene.ask()).await.unwrap();
}

#[tokio::test]
async fn a_permission_that_is_granted_is_used_at_once() {
    let scene = scene();
    let wanted = "RoleManagement.Read.Directory".to_owned();
    scene.model.edit(|directory| directory.permissions.retain(|role| *role != wanted));
    assert_eq!(kind_of(scene.ours.roles(scene.hire).await), "refused");
    assert!(!scene.ours.permissions().await.unwrap().contains(&wanted));
    scene.model.edit(|directory| directory.permissions.push(wanted.clone()));
    assert_eq!(kind_of(scene.ours.roles(scene.hire).await), "refused");
    assert!(scene.ours.permissions().await.unwrap().contains(&wanted));
    assert_eq!(kind_of(scene.ours.roles(scene.hire).await), "ok");
}

#[tokio::test]
async fn f105_a_token_is_for_one_audience() {
    use secrecy::ExposeSecret as _;
    let scene = scene();
    let outlook = scene.ours.token(Scope::Outlook).await.unwrap();
    let graph = scene.ours.token(Scope::Graph).await.unwrap();
    let (outlook, graph) = (outlook.expose_secret(), graph.expose_secret());
    let audience = "https://outlook.office365.com";
    assert!(scene.model.gave_token(audience, outlook) && !scene.model.gave_token(audience, graph));
    assert_eq!(scene.ours.token(Scope::Outlook).await.unwrap().expose_secret(), outlook, "kept, for each scope");
    assert_eq!(scene.model.count(Kind::Token), 2);

    let ca = reqwest::Certificate::from_pem(scene.ca.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_merge([ca]).build().unwrap();
    let url = scene.model.origin().join("/v1.0/organization").unwrap();
    for (token, wanted) in [(graph, 200), (outlook, 401)] {
        assert_eq!(http.get(url.clone()).bearer_auth(token).send().await.unwrap().status(), wanted);
    }
    scene.ours.token_refused().await;
    assert_ne!(scene.ours.token(Scope::Outlook).await.unwrap().expose_secret(), outlook, "made anew");
}
