//! `check` and `run`: what is due is done and reported, and the service ends when it is told to.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use chrono::{TimeDelta, Timelike};
use firstpass::clock::Clock;

use crate::world::World;

use super::{OTHER_TENANT, calm, command, firstpass, session};

#[tokio::test]
async fn check_offline_names_each_fix() {
    let world = World::new().await;
    let dir = world.dir.path();
    let well = firstpass(dir, &["check", "--offline"]).await;
    assert_eq!(well.status, 0, "{}{}", well.stdout, well.stderr);

    std::fs::set_permissions(dir.join("secret-client"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(dir.join("drop"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::remove_file(dir.join("secret-mail")).unwrap();
    std::fs::write(dir.join("drop/hires.csv"), "who,when\nada,soon\n").unwrap();
    let mut calmer = insta::Settings::clone_current();
    calmer.add_filter(r"(?m)^\S+ +time zones: .*$", "[TIME ZONES]");
    let _calmer = calmer.bind_to_scope();
    let _calm = calm(dir);
    insta::assert_snapshot!("check", session(dir, &[&["check", "--offline"]]).await);
    std::fs::set_permissions(dir.join("drop"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_file(dir.join("drop/hires.csv")).unwrap();
    world.finish().await;
}

#[tokio::test]
async fn check_judges_what_a_feed_would_read_and_nothing_else() {
    let world = World::new().await;
    let dir = world.dir.path();
    let file = "hires.20270226T120000Z-0a1b2c3d";
    std::fs::create_dir(dir.join("drop/done")).unwrap_or_default();
    std::fs::write(dir.join(format!("drop/done/{file}.csv")), crate::world::ADA).unwrap();
    for (name, text) in [
        (format!("drop/done/{file}.report.json"), "{}"),
        (format!("drop/done/{file}.report-2.json"), "{}"),
        ("drop/A.TMP".to_owned(), "who,wh"),
        ("drop/.hires.csv".to_owned(), "who,wh"),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let ran = firstpass(dir, &["check", "--offline"]).await;
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(&format!("newest file {file}.csv: none of 1 row(s) rejected")), "{}", ran.stdout);
    world.finish().await;
}

/// A part of the folder into which nothing can be moved would stop the feed at its first bad file.
#[tokio::test]
async fn check_looks_at_the_parts_of_the_drop_folder() {
    let world = World::new().await;
    let dir = world.dir.path();
    std::fs::write(dir.join("drop/rejected"), "").unwrap();
    let ran = firstpass(dir, &["check", "--offline"]).await;
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("/drop/rejected is no folder; move it away"), "{}", ran.stdout);
    std::fs::remove_file(dir.join("drop/rejected")).unwrap();
    world.finish().await;
}

/// Root's rights say nothing about those of the service.
#[tokio::test]
async fn check_as_root_says_whose_rights_it_did_not_ask() {
    let world = World::new().await;
    let dir = world.dir.path();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be told so");
        return;
    }
    let text = "asked as root, who may do everything";
    let own = firstpass(dir, &["check", "--offline"]).await;
    assert!(!own.stdout.contains(text), "the state is root's: {}", own.stdout);
    std::os::unix::fs::chown(dir.join("state.db"), Some(65532), None).unwrap();
    let others = firstpass(dir, &["check", "--offline"]).await;
    assert!(others.stdout.contains(text) && others.stdout.contains("belongs to uid 65532"), "{}", others.stdout);
    assert_eq!(others.status, 0, "a note");
    std::os::unix::fs::chown(dir.join("state.db"), Some(0), None).unwrap();
    world.finish().await;
}

/// A zone where it is about noon now, and the date there: a hire who started at nine is due.
pub(super) fn noon_somewhere() -> (String, chrono::NaiveDate) {
    let now = Clock::System.now();
    let ahead = 12 - i64::from(now.hour());
    let zone = match ahead {
        0 => "Etc/UTC".to_owned(),
        1.. => format!("Etc/GMT-{ahead}"),
        _ => format!("Etc/GMT+{}", -ahead),
    };
    (zone, (now + TimeDelta::hours(ahead)).date_naive())
}

#[tokio::test]
async fn run_once_does_what_is_due_and_reports() {
    let world = World::new().await;
    world.clock.set(Clock::System.now());
    world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    let (zone, today) = noon_somewhere();
    world.drop_file(
        "hires.csv",
        &format!("employee_id,user,start_date,zone\nE1,ada.lovelace@contoso.example,{today},{zone}\n"),
    );
    let dir = world.dir.path();
    let calm_run = firstpass(dir, &["run", "--once", "--json"]).await;
    assert_eq!(calm_run.status, 0, "{}{}", calm_run.stdout, calm_run.stderr);
    let report: serde_json::Value = serde_json::from_str(&calm_run.stdout).unwrap();
    assert_eq!(report["delivered"], 1, "{report:#}");
    assert_eq!((&report["attention"], &report["pending"]), (&0.into(), &0.into()));
    assert_eq!(report["files"][0]["added"], 1);
    assert_eq!(world.letters().len(), 1);
    let code = world.letters()[0].code().unwrap();

    world.clock.set(Clock::System.now());
    world.drop_file("more.csv", &format!("employee_id,user,start_date,zone\nE2,grace.hopper@contoso.example,{today},{zone}\nE3,,{today},Mars/Olympus\n"));
    // The clock was set back since: what was sent earlier is not what this run sends.
    let firstpass::store::Store::Sqlite { write, .. } = &world.work().store else { unreachable!() };
    sqlx::query("UPDATE pass SET mailed_at = mailed_at + 3600000").execute(write).await.unwrap();
    let second = firstpass(dir, &["run", "--once"]).await;
    assert_eq!(second.status, 1, "{}{}", second.stdout, second.stderr);
    assert!(second.stdout.contains("0 delivered, 1 in attention, 0 pending"), "{}", second.stdout);
    assert!(second.stdout.contains("\n  line 3, column zone"), "{}", second.stdout);

    let story = firstpass(dir, &["hire", "show", "E1"]).await;
    assert!(story.stdout.contains("delivered"), "{}", story.stdout);
    for text in [&calm_run.stdout, &calm_run.stderr, &second.stdout, &second.stderr, &story.stdout] {
        assert!(!text.contains(&code), "no command prints a code (promise 4)");
    }
    assert_eq!(world.letters().len(), 1);

    let cancelled = firstpass(dir, &["hire", "cancel", "E1", "--reason", "will not come"]).await;
    assert!(cancelled.stdout.contains("no service runs now: a live pass stays so"), "{}", cancelled.stdout);
    world.clock.set(Clock::System.now());
    firstpass(dir, &["run", "--once"]).await;
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty(), "the next run deletes it");
}

#[tokio::test]
async fn run_once_speaks_of_a_stop_only_while_it_stands() {
    let world = World::new().await;
    let (now, login) = (Clock::System.now(), Some("the login was refused"));
    let store = &world.work().store;
    store.hold_gate(now - TimeDelta::hours(1), "mail", now - TimeDelta::minutes(55), login).await.unwrap();
    let over = firstpass(world.dir.path(), &["run", "--once"]).await;
    assert_eq!((over.status, over.stdout.contains("stopped")), (0, false), "{}{}", over.stdout, over.stderr);

    store.hold_gate(now, "mail", now + TimeDelta::minutes(5), login).await.unwrap();
    let stands = firstpass(world.dir.path(), &["run", "--once"]).await;
    assert_eq!(stands.status, 1);
    assert!(stands.stdout.contains("stopped: mail: the login was refused"), "{}", stands.stdout);
}

#[tokio::test]
async fn a_tenant_without_its_secret_is_told_and_no_usable_tenant_is_78() {
    let world = World::new().await;
    std::fs::remove_file(world.dir.path().join("secret-client")).unwrap();
    let ran = firstpass(world.dir.path(), &["run", "--once"]).await;
    assert_eq!(ran.status, 78);
    assert!(ran.stderr.contains("client_secret_file"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no tenant is usable"), "{}", ran.stderr);
    let checked = firstpass(world.dir.path(), &["check", "--offline"]).await;
    assert_eq!(checked.status, 78, "as the service: {}", checked.stdout);
    assert!(checked.stdout.contains("WRONG tenants: no tenant is usable"), "{}", checked.stdout);
}

#[tokio::test]
async fn one_tenant_without_its_secret_stops_alone() {
    let world = World::with(OTHER_TENANT).await;
    world.clock.set(Clock::System.now());
    let (zone, today) = noon_somewhere();
    let row = format!("E1,ada.lovelace@contoso.example,{today},{zone}");
    world.drop_file("hires.csv", &format!("employee_id,user,start_date,zone\n{row}\n"));
    std::fs::create_dir(world.dir.path().join("drop-fabrikam")).unwrap();
    let ran = firstpass(world.dir.path(), &["run", "--once"]).await;
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout.matches("tenant.fabrikam.client_secret_file").count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("1 delivered"), "the other tenant is served: {}", ran.stdout);
    assert_eq!(firstpass(world.dir.path(), &["check", "--offline"]).await.status, 1);
}

#[tokio::test]
async fn the_service_is_alone_with_its_state_and_ends_with_0_on_sigterm() {
    let world = World::new().await;
    world.clock.set(Clock::System.now());
    let dir = world.dir.path().to_owned();
    let mut service = command(&dir, &["run"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let ready = tokio::task::spawn_blocking(move || {
        let ready = log.find(|line| line.as_ref().unwrap().contains("ready")).unwrap().unwrap();
        (ready, log)
    });
    let (ready, log) = ready.await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&ready).is_ok(), "JSON without a terminal: {ready}");

    let second = firstpass(&dir, &["run", "--once"]).await;
    assert_eq!(second.status, 1, "{}", second.stderr);
    assert!(second.stderr.contains("firstpass: "), "{}", second.stderr);
    let beside = firstpass(&dir, &["hire", "list"]).await;
    assert_eq!((beside.status, beside.stdout.as_str()), (0, "no hires\n"));

    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || {
        let rest: Vec<String> = log.map_while(Result::ok).collect();
        (service.wait().unwrap(), rest)
    });
    let (status, rest) = status.await.unwrap();
    assert_eq!(status.code(), Some(0), "{rest:?}");
}
