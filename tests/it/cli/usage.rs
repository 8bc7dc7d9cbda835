//! Help, versions, and the words for what cannot be meant.

use std::fmt::Write as _;
use std::process::Stdio;

use crate::world::World;

use super::pages::all_commands;
use super::{calm, command, firstpass, ran, session, weekend};

#[test]
fn every_help_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for path in all_commands() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let ran = ran(&command(dir.path(), &args).output().unwrap());
        assert_eq!(ran.status, 0, "{path:?}");
        let leaf = !ran.stdout.contains("\nCommands:\n");
        assert!(!leaf || ran.stdout.contains("\nExample: firstpass "), "no example: {}", ran.stdout);
        let _ = writeln!(text, "$ firstpass {}\n{}", args.join(" "), ran.stdout);
    }
    insta::assert_snapshot!("help", text);
}

#[test]
fn every_key_is_told_with_kind_default_and_meaning() {
    let dir = tempfile::tempdir().unwrap();
    let text = ran(&command(dir.path(), &["config", "keys"]).output().unwrap());
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 80), "{}", text.stdout);
    let (first, rest) = text.stdout.split_once("[[tenant]]").unwrap();
    insta::assert_snapshot!("keys", first);
    assert!(rest.contains("  feed.settle                 \"10s\"\n"), "{rest}");
    let json = ran(&command(dir.path(), &["config", "keys", "--json"]).output().unwrap());
    let keys: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(keys.len(), firstpass::config::keys::KEYS.len());
    let names = ["by_tenant", "default", "example", "key", "kind", "meaning", "needed", "served"];
    assert!(keys.iter().all(|key| key.keys().eq(names)), "{}", json.stdout);
    let poll = keys.iter().find(|key| key["key"] == "schedule.poll").unwrap();
    assert_eq!((&poll["default"], &poll["by_tenant"]), (&"\"0 * * * * *\"".into(), &false.into()));
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
