//! Answers that are none, redirects (F93), proxies (F94), throttling (F98), other servers (F105).

use std::time::Duration;

use firstpass::config::Limits;
use firstpass::entra::Tenant;
use firstpass::rules::hire::UserRef;
use firstpass::rules::verdict::Failure;
use firstpass::sandbox::tenant::{Effect, Kind, ModelTenant, When};
use firstpass::sandbox::tls::Ca;

use super::{kind_of, scene};

#[tokio::test]
async fn f99_reads_and_deletes_that_get_no_clear_answer() {
    let scene = scene();
    let ours = scene.hasty(700);
    let ask = async |kind: Kind| match kind {
        Kind::User => kind_of(ours.find_user(&UserRef::ObjectId(scene.hire), "").await),
        Kind::Manager => kind_of(ours.manager_of(scene.hire).await),
        Kind::Methods => kind_of(ours.methods(scene.hire).await),
        Kind::Roles => kind_of(ours.roles(scene.hire).await),
        Kind::Groups => kind_of(ours.groups_of(scene.hire, &[scene.hire]).await),
        Kind::Policy => kind_of(ours.policy().await),
        Kind::Domains => kind_of(ours.domains().await),
        Kind::PassList => kind_of(ours.passes(scene.hire).await),
        Kind::PassDelete => kind_of(ours.delete_pass(scene.hire, "p1").await),
        other => panic!("{other:?}"),
    };
    let kinds = [
        Kind::User,
        Kind::Manager,
        Kind::Methods,
        Kind::Roles,
        Kind::Groups,
        Kind::Policy,
        Kind::Domains,
        Kind::PassList,
    ];
    let status = |status| Effect::Status(status, Vec::new(), "{}".to_owned());
    for kind in kinds.into_iter().chain([Kind::PassDelete]) {
        let mut table = vec![
            (When::After, Effect::Reset, "unknown"),
            (When::Before, Effect::Html, "unknown"),
            (When::After, status(500), "unknown"),
            (When::After, status(202), "unknown"),
            (When::After, status(302), "unknown"),
            (When::After, status(403), "refused"),
            (When::Before, Effect::throttled(Some("3")), "throttled"),
        ];
        if kind != Kind::PassDelete {
            table.extend([
                (When::After, Effect::Html, "unknown"),
                (When::After, Effect::EmptyBody, "unknown"),
                (When::After, Effect::CutJson, "unknown"),
                (When::After, status(200), "unknown"),
                (When::Before, status(404), "refused"),
            ]);
        }
        for (when, effect, wanted) in table {
            let name = format!("{kind:?} {when:?} {effect:?}").chars().take(120).collect::<String>();
            scene.fault(kind, when, effect);
            assert_eq!(ask(kind).await, wanted, "{name}");
        }
        scene.fault(kind, When::After, Effect::unavailable(Some("7")));
        assert_eq!(ask(kind).await, "unknown", "{kind:?}");
    }
    let large = format!(r#"{{"value":[]}}{}"#, " ".repeat(300_000));
    scene.fault(Kind::PassList, When::After, Effect::Status(200, Vec::new(), large));
    assert_eq!(ask(Kind::PassList).await, "unknown");
    for kind in [Kind::PassList, Kind::PassDelete] {
        scene.fault(kind, When::After, Effect::Delay(Duration::from_millis(1200)));
        assert_eq!(ask(kind).await, "unknown", "{kind:?}");
    }
    scene.finish();
}

#[tokio::test]
async fn f98_a_503_says_when_to_come_back() {
    let scene = scene();
    for (header, wanted) in [
        (Some("7"), Some(7000)),
        (Some("0.5"), Some(500)),
        (Some("0"), Some(0)),
        (Some("999999"), Some(3_600_000)),
        (Some("Mon, 01 Mar 2027 06:00:30 GMT"), Some(30_000)),
        (Some("-3"), None),
        (None, None),
    ] {
        scene.fault(Kind::Policy, When::Before, Effect::unavailable(header));
        let Err(Failure::Unknown { retry_after, .. }) = scene.ours.policy().await else { panic!("{header:?}") };
        assert_eq!(retry_after, wanted.map(Duration::from_millis), "{header:?}");
        scene.fault(Kind::Policy, When::Before, Effect::throttled(header));
        let Err(Failure::Throttled { retry_after, said }) = scene.ours.policy().await else { panic!("{header:?}") };
        assert_eq!(retry_after, wanted.map(Duration::from_millis), "{header:?}");
        assert_eq!(said.code, "TooManyRequests");
    }
}

#[tokio::test]
async fn f93_a_redirect_is_not_followed_with_the_token() {
    let mut scene = scene();
    let other = ModelTenant::start(&scene.ca, scene.clock.clone(), 0).unwrap();
    let location = vec![("location".to_owned(), other.origin().join("/v1.0/users").unwrap().to_string())];
    for status in [301, 302, 303, 307, 308] {
        let effect = || Effect::Status(status, location.clone(), String::new());
        scene.fault(Kind::Token, When::Before, effect());
        assert_eq!(kind_of(scene.ours.policy().await), "not sent", "{status}");
        scene.fault(Kind::User, When::Before, effect());
        assert_eq!(kind_of(scene.ours.find_user(&UserRef::ObjectId(scene.hire), "").await), "unknown", "{status}");
        scene.fault(Kind::PassCreate, When::Before, effect());
        assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "unknown", "{status}");
        scene.fault(Kind::PassDelete, When::Before, effect());
        assert_eq!(kind_of(scene.ours.delete_pass(scene.hire, "p1").await), "unknown", "{status}");
        scene.ours = Tenant::new(&scene.settings, &scene.limits, scene.clock.clone()).unwrap();
    }
    let next = format!(r#"{{"value":[],"@odata.nextLink":"{}v1.0/users?x=1"}}"#, other.origin());
    scene.fault(Kind::PassList, When::After, Effect::Status(200, Vec::new(), next));
    assert_eq!(kind_of(scene.ours.passes(scene.hire).await), "unknown");
    assert_eq!(other.requests(), 0);
}

#[test]
fn f94_a_proxy_out_of_the_environment_is_ignored() {
    let nobody = "http://127.0.0.1:9";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "entra::creates::a_pass_is_made_listed_and_deleted"])
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"].map(|name| (name, nobody)))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && out.contains("1 passed"), "{out}");
}

#[tokio::test]
async fn f105_without_the_right_server_nothing_is_sent() {
    let scene = scene();
    // Somebody else's certificate.
    std::fs::write(scene.dir.path().join("ca.pem"), Ca::new().unwrap().pem()).unwrap();
    assert_eq!(kind_of(scene.ours.create_pass(&scene.ask()).await), "not sent");
    assert_eq!(scene.model.requests(), 0);
    // Nobody listens.
    std::fs::write(scene.dir.path().join("ca.pem"), scene.ca.pem()).unwrap();
    let ours = scene.with(&scene.limits);
    ours.policy().await.unwrap();
    scene.model.stop();
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "not sent");
    // No such file; no https.
    std::fs::remove_file(scene.dir.path().join("ca.pem")).unwrap();
    assert_eq!(kind_of(scene.with(&scene.limits).policy().await), "not sent");
    let mut clear = scene.settings.clone();
    clear.graph_url = "http://localhost:1".parse().unwrap();
    assert!(Tenant::new(&clear, &scene.limits, scene.clock.clone()).is_err());
}

#[tokio::test]
async fn a_server_that_never_ends_its_handshake_was_sent_nothing() {
    let scene = scene();
    scene.ours.policy().await.unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = scene.settings.clone();
    settings.graph_url = format!("https://localhost:{}", silent.local_addr().unwrap().port()).parse().unwrap();
    let limits = Limits { graph_connect: Duration::from_millis(300), ..scene.limits.clone() };
    // The scope of the token follows the other address, and the model does not know it.
    scene.model.fault_each(Some(Kind::Token), When::Before, token_answer());
    let ours = Tenant::new(&settings, &limits, scene.clock.clone()).unwrap();
    assert_eq!(kind_of(ours.create_pass(&scene.ask()).await), "not sent");
}

fn token_answer() -> Effect {
    let body = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"opaque"}"#;
    Effect::Status(200, vec![("content-type".to_owned(), "application/json".to_owned())], body.to_owned())
}
