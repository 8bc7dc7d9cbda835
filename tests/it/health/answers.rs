//! `/healthz` and `/readyz` over real sockets, while one thing after the other is out of order.

use std::time::Duration;

use chrono::TimeDelta;
use firstpass::config::Limits;
use firstpass::sandbox::mailbox::Verb;
use firstpass::work::tick::{Feeds, tick};
use sqlx::Connection;

use super::{asked, open, request};
use crate::world::{MAIL_PASSWORD, World, short_limits};

/// Every question is asked anew.
fn looking() -> Limits {
    Limits { look_again: Duration::ZERO, ..short_limits() }
}

/// What stands in both answers, for a snapshot.
async fn both(world: &World) -> String {
    let port = open(world.work()).await;
    let (alive, ready) = (asked(port.address, "/healthz").await, asked(port.address, "/readyz").await);
    for answer in [&alive, &ready] {
        assert!(!answer.body.contains("lovelace") && !answer.body.contains("manager@"), "F95: {answer:?}");
    }
    format!("{} {}{} {}", alive.status, alive.body, ready.status, ready.body)
}

fn calm(world: &World) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&world.tenant.origin().port().unwrap().to_string(), "[PORT]");
    settings.add_filter(&world.mail.port().to_string(), "[PORT]");
    settings.bind_to_scope()
}

#[tokio::test]
async fn i20_ready_speaks_the_truth_and_alive_depends_on_nobody() {
    let mut world = World::with_limits("", looking()).await;
    let calm = calm(&world);
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    assert_eq!(both(&world).await, "200 alive\n200 ready\n");

    world.tenant.stop();
    insta::assert_snapshot!("tenant_out_of_reach", both(&world).await);
    world.tenant.resume().unwrap();

    world.mail.stop();
    insta::assert_snapshot!("mail_down", both(&world).await);
    // A letter that should have gone is late when nothing happens for ten minutes.
    world.set("2027-03-01T06:12:00Z");
    insta::assert_snapshot!("late", both(&world).await);
    world.mail.resume().unwrap();
    assert!(both(&world).await.contains("503 not ready\nletters are due and late"), "it has not gone yet");
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(both(&world).await, "200 alive\n200 ready\n");

    world.tenant.edit(|directory| directory.skew = TimeDelta::minutes(3));
    insta::assert_snapshot!("clock_off", both(&world).await);
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    assert_eq!(both(&world).await, "200 alive\n200 ready\n");
    drop(calm);
    world.finish().await;
}

#[tokio::test]
async fn a_login_that_is_refused_and_a_stopped_tenant_are_no_readiness() {
    let world = World::with_limits("", looking()).await;
    let _calm = calm(&world);
    world.mail.edit(|options| options.users.clear());
    insta::assert_snapshot!("login_refused", both(&world).await);
    let store = &world.work().store;
    let now = world.clock.now();
    store
        .hold_gate(
            now,
            "tenant/contoso",
            now + TimeDelta::minutes(5),
            Some("no answer about mia.manager@contoso.example"),
        )
        .await
        .unwrap();
    let requests = world.tenant.requests();
    insta::assert_snapshot!("tenant_stopped", both(&world).await);
    assert_eq!(world.tenant.requests(), requests, "one that is stopped is asked nothing");
}

#[tokio::test]
async fn f18_a_locked_state_is_no_readiness_and_in_the_end_no_life() {
    let limits = Limits { state_away: Duration::ZERO, ..looking() };
    let world = World::with_limits("", limits).await;
    world.work().pulse.begin();
    let path = world.settings.state.url.trim_start_matches("sqlite:").to_owned();
    let mut other = sqlx::SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    world.pass_time(TimeDelta::minutes(2));
    tick(world.work(), Feeds::Leave).await.unwrap_err();
    insta::assert_snapshot!("state_locked", both(&world).await);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(both(&world).await, "200 alive\n200 ready\n");
    world.finish().await;
}

#[tokio::test]
async fn a_loop_that_stands_still_is_no_life() {
    let limits = Limits { hung: Duration::ZERO, ..looking() };
    let world = World::with_limits("", limits).await;
    assert_eq!(both(&world).await, "200 alive\n200 ready\n", "a command has no loops");
    world.work().pulse.begin();
    insta::assert_snapshot!("stands_still", both(&world).await);
}

/// `firstpass health` without a port sees no more than this.
#[tokio::test]
async fn a_service_whose_feeds_nobody_calls_leaves_no_sign_of_life() {
    let world = World::with_limits("", Limits { hung: Duration::ZERO, ..looking() }).await;
    let beat = || async { world.work().store.last_heartbeat().await.unwrap() };
    tick(world.work(), Feeds::Leave).await.unwrap();
    let before = beat().await;
    assert!(before.is_some(), "a command has no loops");
    world.work().pulse.begin();
    world.pass_time(TimeDelta::minutes(5));
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(beat().await, before);
}

#[tokio::test]
async fn who_wants_json_gets_it() {
    let world = World::with_limits("", Limits { hung: Duration::ZERO, ..looking() }).await;
    let port = open(world.work()).await;
    let address = port.address;
    let json = move |path: &'static str| async move {
        let text = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || request(address, &text).unwrap()).await.unwrap();
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.body).unwrap())
    };
    assert_eq!(json("/healthz").await, (200, serde_json::json!({"alive": true, "why": []})));
    assert_eq!(json("/readyz").await, (200, serde_json::json!({"ready": true, "why": []})));
    world.work().pulse.begin();
    for path in ["/healthz", "/livez"] {
        let (status, alive) = json(path).await;
        assert_eq!(
            (status, &alive["alive"], alive["why"].as_array().unwrap().len()),
            (503, &false.into(), 3),
            "{path}"
        );
    }
}

#[tokio::test]
async fn however_many_ask_the_state_counts_once() {
    let world = World::with_limits("", short_limits()).await;
    let (one, other) = tokio::join!(world.work().not_ready(), world.work().not_ready());
    assert_eq!((one.as_slice(), other.as_slice()), (&[][..], &[][..]));
    world.work().store.close().await;
    assert_eq!(world.work().not_ready().await, Vec::<String>::new(), "what it said a moment ago");
}

/// The mail server takes this one from now on.
fn password(world: &World, password: &str) {
    let user = ("firstpass@contoso.example".to_owned(), password.to_owned());
    world.mail.edit(|options| options.users = vec![user]);
}

/// How often somebody signed in at the mail server, or tried.
fn logins(world: &World) -> usize {
    world.mail.journal().iter().filter(|seen| seen.verb == Verb::Auth).count()
}

/// F57: an account is locked after some refusals; nobody's looking may bring that about.
#[tokio::test]
async fn f57_a_login_that_is_refused_is_not_tried_at_every_question() {
    let limits = Limits { look_again: Duration::from_mins(10), ..short_limits() };
    let mut world = World::with_limits("", limits).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:59Z").await;
    password(&world, "another one");
    for _ in 0..10 {
        let why = world.work().not_ready().await;
        assert!(why.len() == 1 && why[0].contains("535"), "{why:?}");
    }
    assert_eq!(logins(&world), 1, "one look for ten questions");
    assert!(!world.work().looks_well());
    // A letter that goes through says more than a look that did not.
    password(&world, MAIL_PASSWORD);
    world.until("2027-03-01T06:00:05Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert!(world.work().looks_well(), "what was found before is over");
    assert!(world.work().not_ready().await.is_empty());
    let (requests, before) = (world.tenant.requests(), logins(&world));
    for _ in 0..10 {
        assert!(world.work().not_ready().await.is_empty());
    }
    assert_eq!(
        (world.tenant.requests(), logins(&world)),
        (requests, before),
        "what is well is not asked again, either"
    );
    world.finish().await;
}

/// The password of the mail ended on Friday: nobody asks `/readyz`, and nothing is due before Monday.
#[tokio::test]
async fn what_will_not_work_on_monday_is_told_on_friday() {
    let mut world = World::with_limits("", looking()).await;
    let _calm = calm(&world);
    world.drop_ada();
    world.tick().await;
    let port = open(world.work()).await;
    let gauges = async || {
        let text = asked(port.address, "/metrics").await.body;
        let value = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        [value("firstpass_ready "), value("firstpass_mail_stopped")].join("\n")
    };
    let work = std::sync::Arc::clone(world.work());
    work.look_ahead().await.unwrap();
    assert_eq!(gauges().await, "firstpass_ready 1\nfirstpass_mail_stopped{way=\"mail\"} 0");

    password(&world, "another one");
    assert!(!work.not_ready().await.is_empty());
    world.pass_time(TimeDelta::seconds(10)); // what a scrape read is kept for five
    assert_eq!(gauges().await, "firstpass_ready 0\nfirstpass_mail_stopped{way=\"mail\"} 0", "as /readyz says");
    work.look_ahead().await.unwrap();
    let gates = work.store.gates().await.unwrap();
    let stopped: Vec<_> =
        gates.iter().map(|gate| format!("{}: {}", gate.name, gate.stopped.as_ref().unwrap())).collect();
    insta::assert_snapshot!("told_on_friday", stopped.join("\n"));
    world.pass_time(TimeDelta::seconds(10)); // what a scrape read is kept for five
    assert_eq!(gauges().await, "firstpass_ready 0\nfirstpass_mail_stopped{way=\"mail\"} 1");
    // It stops nothing: who has something to send tries.
    password(&world, MAIL_PASSWORD);
    work.look_ahead().await.unwrap();
    assert!(work.looks_well());
    let story = world.story().await;
    assert_eq!((story.matches("mail-stopped").count(), story.matches("mail-resumed").count()), (1, 1), "{story}");

    // A network that is away once is no news; a tenant that somebody else stopped is not opened by a look.
    world.tenant.stop();
    work.look_ahead().await.unwrap();
    assert!(!world.story().await.contains("tenant-stopped"));
    work.look_ahead().await.unwrap();
    assert!(world.story().await.contains("tenant-stopped"), "{}", world.story().await);
    world.tenant.resume().unwrap();
    work.look_ahead().await.unwrap();
    assert!(world.story().await.contains("tenant-resumed"), "{}", world.story().await);
    let now = world.clock.now();
    work.store.hold_gate(now, "tenant/contoso", now, Some("the app lacks a permission")).await.unwrap();
    work.look_ahead().await.unwrap();
    assert_eq!(work.store.gates().await.unwrap().len(), 1, "only what a look has shut is opened by one");
    world.finish().await;
}
