//! The commands, as an admin meets them: the real binary, real settings, and what it prints.
//!
//! Hires start in 2037, so that "ahead" stays ahead; the state was brought there by the worker of
//! [`World`](crate::world::World) with its clock in hand, the binary looks at it with the real clock.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::{TimeDelta, Timelike};
use firstpass::clock::Clock;

use crate::world::World;

/// The Friday before Monday, 2 March 2037.
const FRIDAY: &str = "2037-02-27T12:00:00Z";
const HIRES: &str = "employee_id,user,display_name,start_date,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2037-03-02,Europe/Berlin,mia.manager@contoso.example\n\
    E2,grace.hopper@contoso.example,Grace Hopper,2037-03-02,America/New_York,omar.okafor@contoso.example\n\
    E3,alan.turing@contoso.example,Alan Turing,2037-03-03,Asia/Kolkata,\n\
    E4,nobody.yet@contoso.example,Katherine Johnson,2037-03-02,Pacific/Auckland,\n";

/// What a command did.
struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.args(args).current_dir(dir).env_clear().env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"));
    command
}

fn ran(output: &Output) -> Ran {
    Ran {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// Runs it while the model servers go on answering.
async fn firstpass(dir: &Path, args: &[&str]) -> Ran {
    let mut command = command(dir, args);
    tokio::task::spawn_blocking(move || ran(&command.output().unwrap())).await.unwrap()
}

/// Commands with what they printed, as one text.
async fn session(dir: &Path, commands: &[&[&str]]) -> String {
    let mut text = String::new();
    for args in commands {
        let ran = firstpass(dir, args).await;
        let (args, status) = (args.join(" "), ran.status);
        let _ = write!(text, "$ firstpass {args}\n{}{}[{status}]\n\n", ran.stdout, ran.stderr);
    }
    text
}

/// What differs from run to run and from machine to machine.
fn calm(dir: &Path) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&format!("(/private)?{}", dir.display()), "[DIR]");
    let moment = r"20[2-3][0-9]-[0-9-]{5}T[0-9:]{8}Z  20[2-3][0-9]-[0-9-]{5} [0-9:]{5} \S+";
    settings
        .add_filter(&format!("{moment}  (hold|release|cancel|retry): (.*) \\[[^\\]]+\\]"), "[NOW]  $1: $2 [OPERATOR]");
    settings.add_filter("next look 20[23].*", "next look [SOON]");
    settings.add_filter(r"\b[0-9a-f]{12}\b", "[SHA256]");
    settings.add_filter(r"20[2-3][0-9]-[0-9-]{5}T[0-9:]{8}Z", "[INSTANT]");
    settings.add_filter(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "[ID]");
    settings.bind_to_scope()
}

/// A weekend before Monday: Ada is well, Grace has a phone registered, nobody made Katherine's account.
async fn weekend() -> World {
    let mut world = World::new().await;
    world.set(FRIDAY);
    world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    world.drop_file("hires.csv", HIRES);
    world.tick().await;
    world
}

#[test]
fn every_help_text() {
    let dir = tempfile::tempdir().unwrap();
    let paths: &[&[&str]] = &[
        &[],
        &["run"],
        &["sandbox"],
        &["check"],
        &["plan"],
        &["import"],
        &["feed"],
        &["feed", "list"],
        &["feed", "accept"],
        &["feed", "refuse"],
        &["hire"],
        &["hire", "list"],
        &["hire", "show"],
        &["hire", "retry"],
        &["hire", "hold"],
        &["hire", "release"],
        &["hire", "cancel"],
        &["config"],
        &["config", "init"],
        &["config", "show"],
    ];
    let mut text = String::new();
    for path in paths {
        let args: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
        let ran = ran(&command(dir.path(), &args).output().unwrap());
        assert_eq!(ran.status, 0, "{path:?}");
        let _ = writeln!(text, "$ firstpass {}\n{}", args.join(" "), ran.stdout);
    }
    insta::assert_snapshot!("help", text);
}

#[test]
fn the_version_names_both_time_zone_data() {
    let dir = tempfile::tempdir().unwrap();
    let ran = ran(&command(dir.path(), &["--version"]).output().unwrap());
    let versions = firstpass::config::tz_versions();
    assert!(ran.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", ran.stdout);
    assert!(ran.stdout.contains(versions.bundled), "{}", ran.stdout);
    assert!(ran.stdout.contains(versions.system.as_deref().unwrap_or("none")), "{}", ran.stdout);
}

#[tokio::test]
async fn what_will_happen_on_monday_and_why_is_grace_in_attention() {
    let world = weekend().await;
    let dir = world.dir.path();
    let _calm = calm(dir);
    insta::assert_snapshot!(
        "monday",
        session(
            dir,
            &[
                &["plan", "--from", "2037-03-01", "--days", "2"],
                &["plan", "--from", "2037-04-01"],
                &["hire", "list"],
                &["hire", "list", "--state", "attention"],
                &["hire", "list", "--state", "held"],
                &["hire", "show", "E2"],
                &["hire", "show", "contoso/E1"],
            ]
        )
        .await
    );

    let plan = firstpass(dir, &["plan", "--from", "2037-03-01", "--json"]).await;
    let plan: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan.len(), 4);
    for key in [
        "send_utc",
        "send_local",
        "start_utc",
        "start_local",
        "tenant",
        "employee_id",
        "display_name",
        "manager",
        "state",
        "reason",
    ] {
        assert!(plan.iter().all(|line| line.contains_key(key)), "{key}");
    }
    let ada = plan.iter().find(|line| line["employee_id"] == "E1").unwrap();
    assert_eq!(ada["send_utc"], "2037-03-02T06:00:00Z");
    assert_eq!(ada["start_local"], "2037-03-02 09:00 Europe/Berlin");
    let list = firstpass(dir, &["hire", "list", "--json"]).await;
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!(list[0].as_object().unwrap().len(), 26, "every column of review_hire");
    world.finish().await;
}

#[tokio::test]
async fn an_admin_holds_releases_cancels_and_retries() {
    let mut world = weekend().await;
    let dir = world.dir.path().to_owned();
    let _calm = calm(&dir);
    insta::assert_snapshot!(
        "acts",
        session(
            &dir,
            &[
                &["hire", "hold", "E1", "--reason", "HR asked to wait", "--dry-run"],
                &["hire", "hold", "E1", "--reason", "HR asked to wait"],
                &["hire", "hold", "E1", "--reason", "twice"],
                &["hire", "release", "E1", "--reason", "HR is sure now"],
                &["hire", "cancel", "E3", "--reason", "will not come"],
                &["hire", "retry", "E3", "--reason", "after all"],
                &["hire", "show", "E1"],
            ]
        )
        .await
    );
    let json = firstpass(&dir, &["hire", "hold", "E2", "--reason", "x", "--dry-run", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["dry_run"]), (&"held".into(), &true.into()));
    world.tick().await;
    assert_eq!(world.state("E3").await.0, "cancelled");
    world.finish().await;
}

#[tokio::test]
async fn wrong_usage_says_what_and_where_and_what_to_do() {
    let world = weekend().await;
    let dir = world.dir.path();
    let _calm = calm(dir);
    insta::assert_snapshot!(
        "wrong_usage",
        session(
            dir,
            &[
                &["hire", "hold", "E1"],
                &["hire", "cancel", "E1", "--reason", "  "],
                &["feed", "accept", "hires.csv"],
                &["hire", "list", "--state", "sleeping"],
                &["hire", "list", "--tenant", "fabrikam"],
                &["hire", "show", "E77"],
                &["plan", "--from", "03/04/2037"],
                &["check"],
                &["import", "hires.csv", "--feed", "payroll"],
                &["import", "gone.csv", "--feed", "hr"],
                &["feed", "refuse", "gone.csv", "--reason", "not ours"],
                &["--config", "gone.toml", "plan"],
            ]
        )
        .await
    );
    world.finish().await;
}

#[tokio::test]
async fn a_file_is_tried_taken_and_shown() {
    let world = World::new().await;
    let dir = world.dir.path().to_owned();
    let _calm = calm(&dir);
    std::fs::write(
        dir.join("new.csv"),
        format!("{HIRES}E5,x@contoso.example,Edith Clarke,03/04/2037,Europe/Berlin,\n"),
    )
    .unwrap();
    insta::assert_snapshot!(
        "import",
        session(
            &dir,
            &[
                &["import", "new.csv", "--feed", "hr", "--dry-run"],
                &["hire", "list"],
                &["import", "new.csv", "--feed", "hr"],
                &["feed", "list"],
            ]
        )
        .await
    );
    assert!(dir.join("new.csv").exists(), "import leaves the file where it is");
    world.finish().await;
}

#[tokio::test]
async fn a_dry_run_makes_no_state_and_a_list_neither() {
    let world = World::new().await;
    let dir = world.dir.path().to_owned();
    let settings = std::fs::read_to_string(dir.join("firstpass.toml")).unwrap().replace("state.db", "other.db");
    std::fs::write(dir.join("firstpass.toml"), settings).unwrap();
    std::fs::write(dir.join("new.csv"), HIRES).unwrap();
    let tried = firstpass(&dir, &["import", "new.csv", "--feed", "hr", "--dry-run"]).await;
    assert_eq!(tried.status, 0, "{}", tried.stderr);
    assert!(tried.stdout.contains("4 added"), "{}", tried.stdout);
    let list = firstpass(&dir, &["hire", "list"]).await;
    assert_eq!(list.status, 1);
    assert!(list.stderr.contains("there is no state at"), "{}", list.stderr);
    assert!(!dir.join("other.db").exists());
    world.finish().await;
}

#[tokio::test]
async fn a_held_file_waits_for_an_answer() {
    let world = World::with("[[feed]] += max_new = 1").await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    let _calm = calm(&dir);
    std::fs::write(dir.join("many.csv"), HIRES).unwrap();
    insta::assert_snapshot!(
        "held",
        session(
            &dir,
            &[
                &["import", "many.csv", "--feed", "hr"],
                &["feed", "list"],
                &["feed", "accept", "many.csv", "--reason", "a class of trainees", "--dry-run"],
                &["feed", "accept", "many.csv", "--reason", "a class of trainees"],
                &["feed", "list"],
            ]
        )
        .await
    );
    world.finish().await;
}

#[tokio::test]
async fn control_characters_in_data_never_reach_a_terminal() {
    let mut world = World::new().await;
    world.set(FRIDAY);
    world.drop_file("evil\u{1b}[2Jname\u{202e}.csv", HIRES);
    world.tick().await;
    let dir = world.dir.path();
    for args in [vec!["feed", "list"], vec!["feed", "list", "--json"], vec!["hire", "show", "E1"]] {
        let ran = firstpass(dir, &args).await;
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(!ran.stdout.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{:?}", ran.stdout);
        assert!(ran.stdout.contains("name"), "{}", ran.stdout);
    }
    world.finish().await;
}

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

/// A zone where it is about noon now, and the date there: a hire who started at nine is due.
fn noon_somewhere() -> (String, chrono::NaiveDate) {
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
    let second = firstpass(dir, &["run", "--once"]).await;
    assert_eq!(second.status, 1, "{}{}", second.stdout, second.stderr);
    assert!(second.stdout.contains("0 delivered, 1 in attention, 0 pending"), "{}", second.stdout);
    assert!(second.stdout.contains("rejected line 3"), "{}", second.stdout);

    let story = firstpass(dir, &["hire", "show", "E1"]).await;
    assert!(story.stdout.contains("delivered"), "{}", story.stdout);
    for text in [&calm_run.stdout, &calm_run.stderr, &second.stdout, &second.stderr, &story.stdout] {
        assert!(!text.contains(&code), "no command prints a code (promise 4)");
    }
    assert_eq!(world.letters().len(), 1);
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
}

/// A second tenant whose secret nobody wrote, and its feed.
const OTHER_TENANT: &str = r#"
[[tenant]]
name = "fabrikam"
tenant_id = "22222222-2222-3333-4444-555555555555"
client_id = "33333333-2222-3333-4444-555555555555"
client_secret_file = "secret-of-fabrikam"

[[feed]]
name = "fabrikam-hr"
tenant = "fabrikam"
kind = "csv"
folder = "drop-fabrikam"
"#;

#[tokio::test]
async fn an_employee_id_in_two_tenants_names_both() {
    let world = World::with(OTHER_TENANT).await;
    let dir = world.dir.path();
    std::fs::create_dir(dir.join("drop-fabrikam")).unwrap();
    std::fs::write(dir.join("new.csv"), HIRES).unwrap();
    for feed in ["hr", "fabrikam-hr"] {
        let ran = firstpass(dir, &["import", "new.csv", "--feed", feed]).await;
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let asked = firstpass(dir, &["hire", "show", "E1"]).await;
    assert_eq!(asked.status, 1);
    assert!(asked.stderr.contains("contoso/E1") && asked.stderr.contains("fabrikam/E1"), "{}", asked.stderr);
    let named = firstpass(dir, &["hire", "hold", "fabrikam/E1", "--reason", "wait"]).await;
    assert_eq!(named.status, 0, "{}", named.stderr);
    let held = firstpass(dir, &["hire", "list", "--state", "held", "--json"]).await;
    let held: Vec<serde_json::Value> = serde_json::from_str(&held.stdout).unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["tenant"], "fabrikam");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_all_at_once() {
    let world = World::new().await;
    let dir = world.dir.path();
    let path = dir.join("firstpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("settle = \"0s\"", "setle = \"0s\"\nmax_new = \"many\"");
    std::fs::write(&path, text).unwrap();
    for args in [vec!["run"], vec!["run", "--once"], vec!["check", "--offline"], vec!["plan"]] {
        let ran = firstpass(dir, &args).await;
        assert_eq!(ran.status, 78, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("settle") && ran.stderr.contains("max_new"), "{}", ran.stderr);
        assert!(ran.stderr.contains("firstpass.toml:"), "the line is named: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
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

#[tokio::test]
async fn nobody_reads_and_nobody_is_bothered() {
    let world = weekend().await;
    let mut child =
        command(world.dir.path(), &["config", "init"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    world.finish().await;
}
