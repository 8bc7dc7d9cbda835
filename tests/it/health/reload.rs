//! SIGHUP: good settings take effect and lose nothing, bad ones are told and change nothing (F26).

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::config::{Limits, Settings};
use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::Kind;
use firstpass::work::tick::{Feeds, tick};

use super::NotifySocket;
use crate::cli::firstpass;
use crate::metrics::scrape;
use crate::service::SOON;
use crate::world::{World, short_limits};

fn settings_file(world: &World) -> std::path::PathBuf {
    world.dir.path().join("firstpass.toml")
}

#[tokio::test]
async fn f26_bad_settings_are_told_and_good_ones_take_effect() {
    let world = World::around(&format!("{SOON}[serve] += listen = \"127.0.0.1:0\"\n"), short_limits(), Clock::System);
    let systemd = NotifySocket::new(world.dir.path());
    let mut service = world.spawn_with(&[("NOTIFY_SOCKET", systemd.path.as_os_str())]);
    systemd.wait("ready", &world, |message| message.contains("READY=1"));
    let port = world.port();
    let good = std::fs::read_to_string(settings_file(&world)).unwrap();

    std::fs::write(settings_file(&world), good.replace("per_minute", "per_minut").replace("settle =", "setle ="))
        .unwrap();
    assert_eq!(super::get(port, "/livez").body, "alive\n", "what lies on the disk restarts no pod");
    service.hang_up();
    let reloading = systemd.wait("reloading", &world, |message| message.contains("RELOADING=1"));
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    let kept = systemd.wait("that it is ready again", &world, |message| message.contains("READY=1"));
    assert_eq!(kept, "READY=1\nSTATUS=serving with the old settings: the new ones cannot be used, see the log\n");
    world.wait_for("the words", 10, |world| world.log().contains("the old ones stay in force"));
    let log = world.log();
    assert!(log.contains("setle") && log.contains("feed.settle"), "the key and the nearest known one: {log}");
    assert_eq!(super::get(port, "/healthz").body, "alive\n");
    assert_eq!(super::get(port, "/livez").body, "alive\n");
    let refused = |n| super::get(port, "/metrics").body.contains(&format!("\nfirstpass_settings_refused {n}\n"));
    assert!(refused(1), "the next start would end with 78, and a figure says so");

    // What cannot change while it runs is said; the rest takes effect, templates too.
    let letters = world.dir.path().join("letters");
    std::fs::create_dir(&letters).unwrap();
    let better = good
        .replace("Service desk, +49 30 1234", "Service desk, +49 30 9999")
        .replace("state.db\"", "other.db\"")
        .replace("listen = \"127.0.0.1:0\"", "listen = \"\"");
    std::fs::write(settings_file(&world), better).unwrap();
    service.hang_up();
    systemd.wait("ready with the new ones", &world, |message| message == "READY=1\nSTATUS=serving\n");
    let log = world.log();
    assert!(log.contains("the new settings are in force"), "{log}");
    assert!(log.contains("state.url and state.group are read at the start only"), "{log}");
    assert!(log.contains("serve.listen is read at the start only"), "{log}");
    assert_eq!(super::get(port, "/healthz").body, "alive\n", "the port stays open");
    assert!(refused(0));
    world.drop_today(1);
    world.wait_for("the letter", 60, |world| world.code_letters().len() == 1);
    let letter = world.code_letters().remove(0);
    assert!(letter.part("text/plain").unwrap().contains("9999"), "the new help stands in it");
    assert!(!world.dir.path().join("other.db").exists());
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
}

/// The unit's `ExecReload` asks `config test` before it sends SIGHUP: what passes there the service takes,
/// and what it would not take fails there.
#[tokio::test]
async fn f26_config_test_says_what_a_reload_would_say() {
    let world = World::around(SOON, short_limits(), Clock::System);
    let dir = world.dir.path().to_owned();
    let systemd = NotifySocket::new(&dir);
    let service = world.spawn_with(&[("NOTIFY_SOCKET", systemd.path.as_os_str())]);
    systemd.wait("ready", &world, |message| message.contains("READY=1"));
    std::fs::create_dir(dir.join("letters")).unwrap();
    std::fs::write(dir.join("letters/letter.txt"), "Subject: A pass\n\nFor {{ hire }}: {{ code }}\n").unwrap();
    let good = std::fs::read_to_string(settings_file(&world)).unwrap();
    let own_letters = format!("[mail]\ntemplates = \"{}/letters\"\n", dir.display());
    for (what, settings, said) in [
        ("an unknown key", good.replace("settle =", "setle ="), Some("feed.settle")),
        ("no secret of the only tenant", good.replace("secret-client", "gone"), Some("no tenant is usable")),
        ("no certificate in ca_file", good.replacen("ca.pem", "secret-client", 1), Some("holds no PEM certificate")),
        ("a letter without its other half", good.replace("[mail]\n", &own_letters), Some("letter.html is missing")),
        ("good ones", good.replace("Service desk", "Help desk"), None),
    ] {
        assert_ne!(settings, good, "{what}");
        std::fs::write(settings_file(&world), settings).unwrap();
        let tested = firstpass(&dir, &["config", "test"]).await;
        systemd.forget();
        service.hang_up();
        let answer = systemd.wait("an answer", &world, |message| message.starts_with("READY=1"));
        let Some(said) = said else {
            assert_eq!((tested.status, answer.as_str()), (0, "READY=1\nSTATUS=serving\n"), "{}", tested.stderr);
            assert!(tested.stdout.ends_with("a start or a reload takes these settings\n"), "{}", tested.stdout);
            continue;
        };
        assert_eq!(tested.status, 78, "{what}: {}{}", tested.stdout, tested.stderr);
        assert!(tested.stderr.contains(said), "{what}: {}", tested.stderr);
        assert!(answer.contains("the new ones cannot be used"), "{what}: {answer}");
        world.wait_for("the words", 10, |world| world.log().contains(said));
    }
}

/// The settings of a world with a text replaced.
fn changed(world: &World, from: &str, to: &str) -> Settings {
    let text = std::fs::read_to_string(settings_file(world)).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(settings_file(world), text.replace(from, to)).unwrap();
    Settings::load(&settings_file(world), std::iter::empty()).unwrap()
}

/// Ada's pass is made, and the mail server takes no letter for now.
async fn a_letter_in_hand() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    let effect = mailbox::Effect::Reply(451, "4.7.1 not now".to_owned());
    world.mail.fault(MailFault { verb: Verb::Data, nth: 1, when: mailbox::When::Before, effect });
    world.set("2027-03-01T06:00:00Z");
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.work().n_in_hand().await, 1, "{}", world.story().await);
    world
}

#[tokio::test]
async fn a_code_in_hand_goes_along_and_its_letter_goes_out() {
    let mut world = a_letter_in_hand().await;
    let settings = changed(&world, "Service desk", "Help desk");
    let old = Arc::clone(world.work());
    let next = Arc::new(old.successor(settings).unwrap());
    old.hand_over_to(&next).await.unwrap();
    assert_eq!((old.n_in_hand().await, next.n_in_hand().await), (0, 1));
    world.work = Some(next);
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.tenant.count(Kind::PassDelete), 0, "the lease is still ours\n{}", world.story().await);
    world.pass_time(TimeDelta::seconds(31));
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "the same pass, not another");
    assert_eq!(world.tenant.count(Kind::PassDelete), 0);
    world.finish().await;
}

/// The letter is refused once more, and settings come by which nobody may have its pass.
async fn hands_no_code_on(world: &mut World, settings: Settings) {
    world.mail.fault(MailFault {
        verb: Verb::Data,
        nth: 1,
        when: mailbox::When::Before,
        effect: mailbox::Effect::Reply(451, "4.7.1 not now".to_owned()),
    });
    let old = Arc::clone(world.work());
    let next = Arc::new(old.successor(settings).unwrap());
    old.hand_over_to(&next).await.unwrap();
    assert_eq!((old.n_in_hand().await, next.n_in_hand().await), (0, 0));
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty(), "{}", world.story().await);
    world.work = Some(next);
}

#[tokio::test]
async fn i5_a_tenant_that_is_gone_leaves_no_live_pass() {
    let mut world = a_letter_in_hand().await;
    let text = std::fs::read_to_string(settings_file(&world)).unwrap();
    let other = text
        .replace("name = \"contoso\"", "name = \"fabrikam\"")
        .replace("tenant = \"contoso\"", "tenant = \"fabrikam\"");
    std::fs::write(settings_file(&world), other).unwrap();
    let settings = Settings::load(&settings_file(&world), std::iter::empty()).unwrap();
    hands_no_code_on(&mut world, settings).await;
}

#[tokio::test]
async fn i5_a_name_that_means_another_directory_takes_no_code_along() {
    let mut world = a_letter_in_hand().await;
    let id = world.tenant.edit(|directory| directory.tenant_id).to_string();
    let settings = changed(&world, &id, "99999999-2222-3333-4444-555555555555");
    hands_no_code_on(&mut world, settings).await;
}

/// What waits for a tenant that left waits for nobody.
#[tokio::test]
async fn a_tenant_that_left_keeps_nobody_unready() {
    let mut world = World::with_limits("", Limits { look_again: Duration::ZERO, ..short_limits() }).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:12:00Z");
    let now = world.clock.now();
    let until = now + TimeDelta::hours(1);
    assert!(world.work().not_ready().await[0].contains("late"), "{:?}", world.work().not_ready().await);
    let text = std::fs::read_to_string(settings_file(&world)).unwrap();
    let other = text
        .replace("name = \"contoso\"", "name = \"fabrikam\"")
        .replace("tenant = \"contoso\"", "tenant = \"fabrikam\"");
    std::fs::write(settings_file(&world), other).unwrap();
    let settings = Settings::load(&settings_file(&world), std::iter::empty()).unwrap();
    let next = Arc::new(world.work().successor(settings).unwrap());
    world.work().hand_over_to(&next).await.unwrap();
    world.work = Some(next);
    world.work().store.hold_gate(now, "tenant/contoso", until, Some("no answer")).await.unwrap();
    assert_eq!(world.work().not_ready().await, Vec::<String>::new());
    let scrape = scrape(&world).await;
    assert_eq!(scrape.value("firstpass_ready", ""), 1, "{}", scrape.text);
    assert_eq!(scrape.sum("firstpass_oldest_due_seconds", ""), 0, "{}", scrape.text);
    world.allow.by_hand = true;
    world.finish().await;
}
