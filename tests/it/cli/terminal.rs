//! What a person at a terminal sees, and a script never: on a real one, 80 columns wide.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::World;

use super::{FRIDAY, HIRES, Ran, command, firstpass, ran};

/// Runs it with a pseudo-terminal for input, output and errors; all of it, or `None` without `script`.
pub(crate) async fn on_a_terminal(dir: &Path, args: &[&str]) -> Option<Ran> {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!("stty cols 80 rows 24; exec '{}' {}", env!("CARGO_BIN_EXE_firstpass"), quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(dir).stdin(Stdio::null());
    command.env_remove("FIRSTPASS_LOG").env("FIRSTPASS_CONFIG", dir.join("firstpass.toml")).env("TERM", "xterm");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let Ok(output) = output else {
        eprintln!("skipped: there is no script(1) here (Debian: bsdutils)");
        return None;
    };
    let mut ran = ran(&output);
    ran.stdout = ran.stdout.replace("\r\n", "\n");
    Some(ran)
}

fn roster(rows: usize) -> String {
    let rows: Vec<String> = (0..rows).map(|n| format!("P{n:06},Person Number{n},2037-03-02,Europe/Berlin")).collect();
    format!("employee_id,display_name,start_date,zone\n{}\n", rows.join("\n"))
}

#[tokio::test]
async fn long_work_shows_how_far_it_is_on_a_terminal_only() {
    let world = World::with("[[feed]] += max_new = 1000000").await;
    let dir = world.dir.path().to_owned();
    std::fs::write(dir.join("big.csv"), roster(120_000)).unwrap();
    let args = ["import", "big.csv", "--feed", "hr", "--dry-run"];
    let piped = firstpass(&dir, &args).await;
    assert_eq!(piped.status, 0, "{}", piped.stderr);
    assert!(!piped.stderr.contains("reading") && !piped.stderr.contains('\r'), "no bar: {}", piped.stderr);
    assert!(
        piped.stdout.contains("  and 119000 more changes; --json has all"),
        "{}",
        &piped.stdout[piped.stdout.len() - 500..]
    );
    assert!(!piped.stdout.contains('\u{1b}') && !piped.stdout.contains('\r'));

    let Some(seen) = on_a_terminal(&dir, &args).await else { return };
    assert_eq!(seen.status, 0, "{}", seen.stdout);
    let (before, report) = seen.stdout.split_once("dry run: big.csv").unwrap();
    assert!(before.contains("reading [#") && before.contains('%'), "{before:?}");
    assert!(before.ends_with("\u{1b}[2K"), "the bar is wiped: {before:?}");
    assert!(report.contains("  and 119950 more changes; --json has all"), "{report}");
    assert!(report.lines().count() < 70, "{report}");

    let json = on_a_terminal(&dir, &[&args[..], &["--json"]].concat()).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("one document, and no bar");
    assert_eq!(json["changes"].as_array().unwrap().len(), 120_000);
    assert_eq!(json["dry_run"], true);
    world.finish().await;
}

#[tokio::test]
async fn lists_fit_eighty_columns_and_have_no_colours() {
    let mut world = World::new().await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    let long = "E100200300400,,Wolfeschlegelsteinhausenbergerdorff Hubert Blaine,2037-03-02,America/Argentina/ComodRivadavia,\n";
    world.drop_file(
        "a file of HR with a very long name indeed 2037-02-27.csv",
        &format!("{HIRES}{long}E9,,Bad,soon,,\n"),
    );
    world.tick().await;
    let rows: Vec<String> = (0..600).map(|n| format!("P{n:05},Person {n},2037-03-09,Europe/Berlin")).collect();
    world.drop_file("more.csv", &format!("employee_id,display_name,start_date,zone\n{}\n", rows.join("\n")));
    world.tick().await;
    std::fs::write(dir.join("next.csv"), HIRES.replace("2037-03-02,Europe", "2037-03-09,Europe")).unwrap();
    for args in [
        vec!["hire", "list"],
        vec!["hire", "list", "--state", "attention"],
        vec!["hire", "show", "E2"],
        vec!["feed", "list"],
        vec!["plan", "--from", "2037-03-01"],
        vec!["import", "next.csv", "--feed", "hr", "--dry-run"],
        vec!["config", "keys"],
        vec!["--help"],
        vec!["import", "--help"],
    ] {
        let Some(seen) = on_a_terminal(&dir, &args).await else { return };
        assert!(seen.status < 2, "{args:?}: {}", seen.stdout);
        let plain = console_text(&seen.stdout);
        let wide: Vec<&str> = plain.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{args:?}: {wide:#?}");
        let colour = seen.stdout.contains("\u{1b}[3") || seen.stdout.contains("\u{1b}[4m");
        assert!(!colour || args.contains(&"--help"), "{args:?}: {}", seen.stdout);
    }
    let list = on_a_terminal(&dir, &["hire", "list"]).await.unwrap().stdout;
    insta::assert_snapshot!("hires_at_80_columns", list.lines().take(8).collect::<Vec<_>>().join("\n"));
    assert!(list.contains("\nand 105 more; narrow it with --state or --tenant, or --json has all\n"), "{list}");
    assert!(list.contains("\nNeeds a person:\n"));
    let files = on_a_terminal(&dir, &["feed", "list"]).await.unwrap().stdout;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"20[2-3][0-9]-[0-9-]{5} [0-9:]{5}Z", "[MINUTE]        ");
    settings.bind(|| insta::assert_snapshot!("files_at_80_columns", files));
    // Without a terminal nothing is cut: a script finds what it looks for.
    let piped = firstpass(&dir, &["hire", "list"]).await.stdout;
    assert!(piped.contains("Wolfeschlegelsteinhausenbergerdorff Hubert Blaine") && piped.contains("P00599"));
    world.finish().await;
}

/// Without what clap writes bold or underlined.
fn console_text(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn no_command_asks_anything_without_a_terminal() {
    // Prompts are asked nowhere: a command with its input closed ends by itself.
    let dir = tempfile::tempdir().unwrap();
    let done = command(dir.path(), &["hire", "cancel", "E1"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}
