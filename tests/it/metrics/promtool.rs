//! Prometheus itself judges our text, our rules and our queries (`promtool`). Without it the tests say
//! what they skip.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use firstpass::serve::metrics::{Form, Metrics};

use super::files::panel_queries;
use super::silence::eventful;

fn promtool() -> Option<Command> {
    let there = Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(Command::new("promtool"));
    }
    eprintln!("skipped: promtool is not installed (Debian: prometheus)");
    None
}

/// What it says, and whether all was well.
fn said(mut command: Command, input: &str) -> (bool, String) {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[tokio::test]
async fn our_text_is_well_formed_and_follows_the_naming_of_prometheus() {
    let Some(mut promtool) = promtool() else { return };
    let world = eventful().await;
    let text = Metrics::beginning(world.clock.now()).text(world.work(), Form::Text).await;
    world.finish().await;
    promtool.args(["check", "metrics"]);
    let (well, words) = said(promtool, &text);
    assert!(well && words.trim().is_empty(), "{words}\n{text}");
}

#[test]
fn the_rules_fire_when_they_should() {
    let Some(mut promtool) = promtool() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    promtool.current_dir(&folder).args(["test", "rules", "firstpass.test.yml"]);
    let (well, words) = said(promtool, "");
    assert!(well, "{words}");
    let mut check = Command::new("promtool");
    check.current_dir(folder).args(["check", "rules", "firstpass.rules.yml"]);
    let (well, words) = said(check, "");
    assert!(well && words.contains("25 rules found"), "{words}");
}

#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let Some(mut promtool) = promtool() else { return };
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (n, query) in panel_queries().into_iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$job", "firstpass");
        let query = query.replace("$instance", ".*").replace("$tenant", ".*");
        assert!(!query.contains('$'), "a variable that there is not: {query}");
        let query = serde_json::to_string(&query).unwrap();
        writeln!(rules, "      - record: query:{n}\n        expr: {query}").unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dashboard.yml"), rules).unwrap();
    promtool.current_dir(dir.path()).args(["check", "rules", "dashboard.yml"]);
    let (well, words) = said(promtool, "");
    assert!(well, "{words}");
}
