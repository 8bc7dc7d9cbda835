//! `check` that asks: all is well, nothing is changed, every answer has an end, and scripts find the
//! same words in it. The real binary at the real time, against the model tenant and mail server.
//!
//! Faults stand in `check_online_faults`, `--user` and `--mail` in `check_online_person`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use firstpass::cli::check::Key;
use firstpass::clock::Clock;
use firstpass::sandbox::mailbox::Verb;
use firstpass::sandbox::tenant::{Effect, Kind, ModelAccess, When};
use serde_json::Value;

use crate::cli::terminal::on_a_terminal;
use crate::cli::{OTHER_TENANT, Ran, firstpass};
use crate::world::{CLIENT_SECRET, MAIL_PASSWORD, World, short_limits};

/// Four people who start in 2037: ahead for as long as this test matters.
pub(crate) const HIRES: &str = "employee_id,user,display_name,start_date,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2037-03-02,Europe/Berlin,mia.manager@contoso.example\n\
    E2,grace.hopper@contoso.example,Grace Hopper,2037-03-02,America/New_York,\n\
    E3,alan.turing@contoso.example,Alan Turing,2037-03-03,Asia/Kolkata,M1\n\
    E4,,Katherine Johnson,2037-03-04,Pacific/Auckland,\n";

/// A world at the real time with a file that waits.
pub(crate) async fn world(extra: &str) -> World {
    let mut world = World::around(extra, short_limits(), Clock::System);
    world.restart().await;
    world.drop_file("hires.csv", HIRES);
    world
}

/// Runs it; whatever comes, no secret is in it (promise 4).
pub(crate) async fn checked(world: &World, args: &[&str]) -> Ran {
    let args: Vec<&str> = ["check"].iter().chain(args).copied().collect();
    let ran = firstpass(world.dir.path(), &args).await;
    for secret in [CLIENT_SECRET, MAIL_PASSWORD, "eyJ", "Bearer"] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret} is printed\n{}", ran.stdout);
    }
    ran
}

/// Its lines, without what differs from run to run.
pub(crate) fn lines(world: &World, ran: &Ran) -> Vec<String> {
    assert_eq!(ran.stderr, "", "everything is said in the lines");
    let (mail, tenant) = (format!("localhost:{}", world.mail.port()), world.tenant.origin());
    let tenant = tenant.as_str().trim_start_matches("https://").trim_end_matches('/').to_owned();
    let calmer = |line: &str| {
        let line = line.replace(&mail, "localhost:MAIL").replace(&tenant, "localhost:TENANT");
        let line = match line.split_once("differ by ") {
            Some((before, after)) => {
                format!("{before}differ by [N]{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
            }
            None => line,
        };
        line.replace(&world.dir.path().display().to_string(), "[DIR]")
    };
    ran.stdout.lines().filter(|line| !line.contains(" time zones: ")).map(calmer).collect()
}

/// Ids and days differ from run to run.
pub(crate) fn calm() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "[ID]");
    settings.add_filter(r"\(request-id [^)]*\)", "(an id)");
    settings.add_filter(r"\b20[23]\d-\d\d-\d\d( \d\d:\d\d:\d\d UTC)?", "[DAY]");
    settings.add_filter(r"\b[0-9A-F]{40}\b", "[THUMBPRINT]");
    settings.add_filter(r"SQLite \d[0-9.]*:", "SQLite [VERSION]:");
    settings.bind_to_scope()
}

/// Every file with its bytes and mode, but SQLite's index of its log, which readers mark too.
fn files_below(dir: &Path, found: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            files_below(&path, found);
        } else if !path.display().to_string().ends_with("-shm") {
            let name = path.display().to_string();
            found.insert(name, (metadata.permissions().mode(), std::fs::read(&path).unwrap()));
        }
    }
}

fn everything(world: &World) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    files_below(world.dir.path(), &mut found);
    found
}

/// Issue 5: one line each, 0, and nothing is made, sent, moved or deleted.
#[tokio::test]
async fn all_is_well_and_nothing_is_changed() {
    let world = world("").await;
    world.tenant.edit(|directory| {
        directory.permissions.push("Policy.Read.All".to_owned());
        directory.access.push(ModelAccess::of_registration("Register from anywhere"));
    });
    let before = everything(&world);
    let ran = checked(&world, &[]).await;
    let told = lines(&world, &ran);
    assert_eq!(ran.status, 0, "{told:#?}");
    assert_eq!(everything(&world), before, "a check writes nothing on this machine");
    for seen in world.tenant.journal() {
        let reads = seen.method == "GET" || seen.kind == Kind::Token;
        assert!(reads && seen.status == 200, "a check writes nothing in the tenant: {seen:?}");
    }
    let said: Vec<Verb> = world.mail.journal().into_iter().map(|said| said.verb).collect();
    assert!(said.contains(&Verb::Mail) && said.contains(&Verb::Rset) && said.contains(&Verb::Quit), "{said:?}");
    assert!(!said.contains(&Verb::Rcpt) && !said.contains(&Verb::Data), "nobody is named, nothing is sent: {said:?}");
    crate::contract::check_journal(&world.tenant);
    let _calm = calm();
    insta::assert_snapshot!(told.join("\n"));
    world.finish().await;
}

/// Before the first run there is no state, and a check makes none; a state is read as it lies.
#[tokio::test]
async fn no_state_is_made() {
    let mut world = world("").await;
    world.work = None;
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(world.dir.path().join(name));
    }
    let before = everything(&world);
    let ran = checked(&world, &["--user", "ada.lovelace@contoso.example"]).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("state.db is made at the first run"), "{}", ran.stdout);
    assert_eq!(everything(&world), before);
}

/// What scripts rely on: an array of objects with four members, and keys that the manual lists.
#[tokio::test]
async fn json_has_stable_keys_that_the_manual_explains() {
    let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/check.md")).unwrap();
    for key in Key::ALL {
        assert!(manual.contains(&format!("| `{key}` |")), "deploy/check.md does not explain {key}");
    }
    let world = world("").await;
    let args = ["--json", "--user", "ada.lovelace@contoso.example", "--mail", "mia.manager@contoso.example"];
    let ran = checked(&world, &args).await;
    let found: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    let mut keys = BTreeSet::new();
    for one in &found {
        let members: Vec<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(BTreeSet::from_iter(members), BTreeSet::from(["key", "standing", "text", "what"]), "{one}");
        assert!(["ok", "note", "wrong"].contains(&one["standing"].as_str().unwrap()), "{one}");
        keys.insert(one["key"].as_str().unwrap().to_owned());
    }
    let known: BTreeSet<String> = Key::ALL.iter().map(ToString::to_string).collect();
    let unseen: Vec<&String> = known.difference(&keys).collect();
    assert!(keys.is_subset(&known), "{keys:?}");
    assert_eq!(
        unseen,
        ["feed-database", "feed-rhythm", "letters", "permissions-excess", "webhook"],
        "said where there is something"
    );
}

/// One tenant's trouble is its own: the other is looked at all the same.
#[tokio::test]
async fn each_tenant_has_its_lines() {
    let world = world(OTHER_TENANT).await;
    std::fs::create_dir(world.dir.path().join("drop-fabrikam")).unwrap();
    let ran = checked(&world, &[]).await;
    assert_eq!(ran.status, 1);
    let of = |name: &str| -> Vec<String> {
        lines(&world, &ran).into_iter().filter(|line| line.contains(&format!("tenant {name}"))).collect()
    };
    let wrong: Vec<String> = of("fabrikam").into_iter().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong.len(), 1, "told once: {wrong:#?}");
    assert!(wrong[0].contains("secret-of-fabrikam; put the secret into it"), "{wrong:#?}");
    assert!(of("contoso").iter().any(|line| line.contains("gives a token")), "{}", ran.stdout);
    assert!(!of("contoso").iter().any(|line| line.starts_with("WRONG")), "{}", ran.stdout);
}

/// A person at a terminal sees that something goes on; the lines stay what they are.
#[tokio::test]
async fn a_terminal_shows_that_somebody_is_asked() {
    let world = world("").await;
    world.tenant.fault_each(Some(Kind::Token), When::Before, Effect::Delay(Duration::from_millis(1500)));
    let Some(seen) = on_a_terminal(world.dir.path(), &["check"]).await else { return };
    assert_eq!(seen.status, 0, "{}", seen.stdout);
    let (before, lines) = seen.stdout.split_once("ok    settings: ").unwrap();
    assert!(before.contains("asking Microsoft, the mail server and the feeds"), "{before:?}");
    assert!(before.ends_with("\u{1b}[2K"), "the bar is wiped: {before:?}");
    assert!(!lines.contains('\u{1b}'), "{lines}");
}

/// Whoever hangs, the check ends, and says who it was; what others said is said all the same.
#[tokio::test]
async fn a_tenant_or_mail_server_that_hangs_has_its_time() {
    let world = world("").await;
    world.tenant.fault_each(Some(Kind::Policy), When::Before, Effect::Hold);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings = world.dir.path().join("firstpass.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace(&format!("port = {}", world.mail.port()), &format!("port = {port}")))
        .unwrap();
    let ran = checked(&world, &["--within", "500ms"]).await;
    assert_eq!(ran.status, 1);
    let told = ran.stdout.replace(&format!("localhost:{port}"), "localhost:PORT");
    let wrong: Vec<&str> = told.lines().filter(|line| line.starts_with("WRONG")).collect();
    let _calm = calm();
    insta::assert_snapshot!("hangs", wrong.join("\n"));
    assert!(told.contains("ok    tenant contoso: letters go to addresses at the verified domains"), "{told}");
    world.tenant.release();
}
