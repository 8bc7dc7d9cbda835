//! `notify test`, `notify digest`, `check`, and the settings, with the real binary and the real clock.

use std::process::Command;

use super::receiver::{Answer, judged};
use super::{Receiver, SECRET, TEAM, write_secret};
use crate::world::World;

struct Ran {
    status: i32,
    text: String,
}

async fn firstpass(world: &World, args: &[&str]) -> Ran {
    let dir = world.dir.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.args(args).current_dir(dir).env_clear().env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    Ran { status: output.status.code().unwrap(), text }
}

async fn told_world(hook: &Receiver) -> World {
    let world = World::with(&format!(
        "[notify]\nto = [\"{TEAM}\"]\n[[notify.webhook]]\nname = \"alarms\"\nurl_file = \"./secret-url\"\nsecret_file = \"./secret-hook\"\n"
    ))
    .await;
    write_secret(&world, "secret-hook", SECRET);
    write_secret(&world, "secret-url", &hook.url());
    world
}

#[tokio::test]
async fn a_test_notice_goes_to_everybody_and_says_what_happened() {
    let hook = Receiver::start().await;
    let world = told_world(&hook).await;
    let looked = firstpass(&world, &["notify", "test", "--dry-run"]).await;
    assert_eq!((looked.status, hook.seen().len(), world.letters().len()), (0, 0, 0), "{}", looked.text);
    let ran = firstpass(&world, &["notify", "test"]).await;
    assert_eq!(ran.status, 0, "{}", ran.text);
    let [mail] = &world.letters()[..] else { panic!("one mail: {}", ran.text) };
    assert_eq!(
        (mail.to.as_slice(), mail.header("Auto-Submitted").as_deref()),
        ([TEAM.to_owned()].as_slice(), Some("auto-generated"))
    );
    assert_eq!(hook.bodies()[0]["type"], "firstpass.test");
    judged(SECRET, &hook.seen());
    hook.answers(&[Answer::Quoted(503)]);
    let failed = firstpass(&world, &["notify", "test", "--json"]).await;
    assert_eq!(failed.status, 1, "{}", failed.text);
    let told: serde_json::Value = serde_json::from_str(&failed.text).unwrap();
    let error = told[0]["sent"][1]["error"].as_str().unwrap();
    assert!(error.contains("503") && !failed.text.contains("s3cret-in-the-url"), "{error}");
    hook.answers(&[Answer::Status(200)]);
    let port = world.mail.port().to_string();
    insta::assert_snapshot!(ran.text.replace(&port, "PORT"));
}

#[tokio::test]
async fn todays_digest_can_be_read() {
    let hook = Receiver::start().await;
    let mut world = told_world(&hook).await;
    let none = firstpass(&world, &["notify", "digest", "--dry-run"]).await;
    assert!(none.text.contains("daily digest, 0 in attention"), "{}", none.text);
    world.drop_file("hires.csv", "employee_id,display_name,start_date,site\nE1,Ada,2037-03-02,Atlantis\n");
    world.tick().await;
    let ran = firstpass(&world, &["notify", "digest", "--json"]).await;
    assert_eq!((ran.status, hook.seen().len(), world.letters().len()), (0, 1, 1), "{}", ran.text);
    let told: serde_json::Value = serde_json::from_str(&ran.text).unwrap();
    assert_eq!(told[0]["notice"]["sections"][0]["lines"][0]["reason"], "zone-unknown");
}

#[tokio::test]
async fn check_says_who_is_told() {
    let world = World::new().await;
    let nobody = firstpass(&world, &["check", "--offline"]).await;
    assert!(nobody.text.contains("note  notices: nobody is told"), "{}", nobody.text);
    let hook = Receiver::start().await;
    let world = told_world(&hook).await;
    let told = firstpass(&world, &["check", "--offline"]).await;
    assert!(told.text.contains("ok    notices: 1 mailbox(es) are told"), "{}", told.text);
    assert!(told.text.contains("ok    webhook alarms: is told as json"), "{}", told.text);
    write_secret(&world, "secret-url", "http://alarms.contoso.example/s3cret-in-the-url");
    let wrong = firstpass(&world, &["check", "--offline"]).await;
    assert!(wrong.text.contains("WRONG webhook alarms") && wrong.status == 1, "{}", wrong.text);
    assert!(!wrong.text.contains("s3cret-in-the-url"), "{}", wrong.text);
    assert_eq!(hook.seen().len(), 0, "check asks nobody");
}

/// A target that takes nothing keeps no other waiting, and a run goes on until nothing is due; what is
/// older than a day is tried once before it is dropped.
#[tokio::test]
async fn run_once_tells_all_that_waits_also_what_is_old() {
    let hook = Receiver::start().await;
    let world = told_world(&hook).await;
    world.clock.set(firstpass::clock::Clock::System.now());
    world.drop_file("bad.csv", "employee_id,start_date\nE1,2037-04-31\n");
    world.mail.stop();
    hook.answers(&[Answer::Status(500)]);
    firstpass(&world, &["run", "--once"]).await;
    assert_eq!(super::count(&world, "SELECT count(*) FROM notice").await, 2);
    // As if two days had passed, with 300 more for the mailbox, and 30 for the webhook.
    let path = world.settings.state.url.trim_start_matches("sqlite:").to_owned();
    let state = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap();
    let write = |sql: &'static str| sqlx::query(sql).execute(&state);
    write("UPDATE notice SET made_at = made_at - 172800000, next_at = 1").await.unwrap();
    write(
        "INSERT INTO notice (uid, target, cause, body, made_at, tries, next_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 330)
         SELECT 'u' || i, CASE WHEN i <= 300 THEN (SELECT max(target) FROM notice WHERE target LIKE 'mail/%')
                               ELSE 'webhook/alarms' END, cause, body, made_at, 0, CASE WHEN i <= 300 THEN 0 ELSE 2 END
         FROM n, (SELECT cause, body, made_at FROM notice LIMIT 1)",
    )
    .await
    .unwrap();
    state.close().await;
    let ran = firstpass(&world, &["run", "--once"]).await;
    assert_eq!(hook.seen().len(), 32, "one try that failed, and all that waited: {}", ran.text);
    assert_eq!(super::count(&world, "SELECT count(*) FROM notice WHERE target LIKE 'webhook/%'").await, 0);
    world.mail.resume().unwrap();
}

#[tokio::test]
async fn run_once_tells_before_it_ends() {
    let hook = Receiver::start().await;
    let world = told_world(&hook).await;
    world.clock.set(firstpass::clock::Clock::System.now());
    world.drop_file("bad.csv", "employee_id,start_date\nE1,2037-04-31\n");
    let ran = firstpass(&world, &["run", "--once"]).await;
    assert_eq!(ran.status, 1, "{}", ran.text);
    assert_eq!(hook.bodies()[0]["type"], "firstpass.rows-rejected", "{}", ran.text);
    assert_eq!(world.letters().len(), 1);
    judged(SECRET, &hook.seen());
}

#[test]
fn wrong_webhooks_are_refused_with_the_fix() {
    use firstpass::config::Settings;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("firstpass.toml");
    let least = "[[tenant]]\nname = \"contoso\"\ntenant_id = \"11111111-2222-3333-4444-555555555555\"\n\
        client_id = \"66666666-7777-8888-9999-000000000000\"\nclient_secret_file = \"s\"\n\
        [mail]\nfrom = \"a@contoso.example\"\n[mail.smtp]\nhost = \"m.example\"\nauth = \"none\"\n";
    let mut told = String::new();
    for wrong in [
        "[[notify.webhook]]\nname = \"a\"",
        "[[notify.webhook]]\nurl = \"http://alarms.example/hunter2\"",
        "[[notify.webhook]]\nurl = \"https://u:hunter2@alarms.example/\"",
        "[[notify.webhook]]\nurl = \"https://alarms.example/\"\nurl_file = \"u\"",
        "[[notify.webhook]]\nurl = \"https://hooks.slack.example/hunter2\"\nformat = \"slack\"",
        "[[notify.webhook]]\nurl_file = \"u\"\nformat = \"xml\"",
        "[[notify.webhook]]\nurl_file = \"u\"\ntenant = \"adatum\"",
        "[[notify.webhook]]\nurl_file = \"u\"\nname = \"a\"\n[[notify.webhook]]\nurl_file = \"v\"\nname = \"A\"",
        "[[notify.webhook]]\nurl_fil = \"u\"",
        "[notify.webhook]\nurl_file = \"u\"",
        "[notify]\nwebhook = \"u\"",
        "[[tenant.notify.webhook]]\nurl_file = \"u\"",
    ] {
        let text = if wrong.starts_with("[[tenant") {
            least.replace("[mail]", &format!("{wrong}\n[mail]"))
        } else {
            format!("{least}{wrong}\n")
        };
        std::fs::write(&path, text).unwrap();
        let error = Settings::load(&path, std::iter::empty()).map(|_| ()).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "a secret is shown: {error}");
        told.push_str(&error.replace(&dir.path().display().to_string(), "DIR"));
        told.push('\n');
    }
    std::fs::write(&path, format!("{least}[[notify.webhook]]\nurl_file = \"u\"\nname = \"a-b\"\n")).unwrap();
    let env = [
        ("FIRSTPASS_NOTIFY__WEBHOOK__A_B__FORMAT".to_owned(), "teams".to_owned()),
        ("FIRSTPASS_NOTIFY__TO".to_owned(), "a@b.example,c@d.example".to_owned()),
    ];
    let settings = Settings::load(&path, env.into_iter()).unwrap();
    assert_eq!((settings.webhooks[0].format.as_str(), settings.notify.to.len()), ("teams", 2));
    insta::assert_snapshot!(told);
}
