//! `firstpass sandbox`, as people run it: the real binary, its whole story, and what it leaves.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use firstpass::sandbox::mailbox::ReceivedLetter;
use serde_json::Value;

use crate::invariants::files_below;

const FIRSTPASS: &str = env!("CARGO_BIN_EXE_firstpass");
/// Contract 2 and issue 2: two minutes, whatever else this machine does.
const LONGEST: Duration = Duration::from_mins(2);

/// A program in `dir` that sees nothing of the environment of the tests.
fn run(dir: &Path, program: &str, args: &[&str]) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Command::new(program).args(args).current_dir(dir).env_clear().env("PATH", path).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Codes of all letters in the folder.
fn codes(letters: &Path) -> Vec<String> {
    let read = |path: PathBuf| {
        let letter = ReceivedLetter {
            from: String::new(),
            to: Vec::new(),
            at: DateTime::UNIX_EPOCH,
            connection: 0,
            user: None,
            encrypted: true,
            raw: std::fs::read(path).unwrap(),
            wire: Vec::new(),
        };
        letter.code()
    };
    files_below(letters).into_iter().filter_map(read).collect()
}

fn hold_none(what: &str, bytes: &[u8], secrets: &[String]) {
    for secret in secrets {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "I3: a secret stands in {what}");
    }
}

fn at(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().map(|text| text.parse().unwrap())
}

/// The whole of it for machines: who got what, and that every hint works as it stands.
#[test]
fn the_sandbox_plays_its_days_and_its_hints_work() {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let output = run(dir.path(), FIRSTPASS, &["sandbox", "--json"]);
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let played: Value = serde_json::from_slice(&output.stdout).unwrap();

    everybody_stands_as_they_should(&played);
    never_two_live_passes(&played);
    let sandbox = dir.path().join("sandbox");
    letters_lie_there(&played, &sandbox, dir.path());

    let codes = codes(&sandbox.join("letters"));
    assert_eq!(codes.len(), 7);
    let mut secrets = codes.clone();
    for name in ["graph-secret", "smtp-password"] {
        secrets.push(std::fs::read_to_string(sandbox.join(name)).unwrap());
    }
    hold_none("stdout", &output.stdout, &secrets);
    for path in files_below(&sandbox) {
        let name = path.strip_prefix(&sandbox).unwrap().display().to_string();
        if !name.starts_with("letters/") && !["graph-secret", "smtp-password"].contains(&name.as_str()) {
            hold_none(&name, &std::fs::read(&path).unwrap(), &secrets);
        }
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} can be read by others");
    }
    hints_work(&played, dir.path(), &secrets);
}

fn everybody_stands_as_they_should(played: &Value) {
    let standing: BTreeMap<&str, (&str, Option<&str>, Option<&str>)> = played["hires"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hire| {
            let id = hire["employee_id"].as_str().unwrap();
            (id, (hire["state"].as_str().unwrap(), hire["reason"].as_str(), hire["outcome"].as_str()))
        })
        .collect();
    let used = ("delivered", None, Some("used"));
    let mut wanted: BTreeMap<_, _> = ["E1001", "E1002", "E1003", "E1004", "E1005", "E1006"].map(|id| (id, used)).into();
    wanted.insert("E1007", ("attention", Some("manager-missing"), None));
    assert_eq!(standing, wanted);
    let files = played["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| file["rejected"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(files.iter().map(|file| file["added"].as_u64().unwrap()).sum::<u64>(), 7);
    // Mornings come where the hires are: Auckland's before Kolkata's before Berlin's before New York's.
    let story = played["story"].as_array().unwrap();
    let passes: Vec<&str> =
        story.iter().filter(|told| told["kind"] == "pass").map(|told| told["at_local"].as_str().unwrap()).collect();
    assert_eq!(
        passes,
        [
            "2027-03-01 07:00 Pacific/Auckland",
            "2027-03-01 07:00 Asia/Kolkata",
            "2027-03-01 07:00 Europe/Berlin",
            "2027-03-01 07:00 Europe/Berlin",
            "2027-03-01 07:00 America/New_York",
            "2027-03-01 07:33 America/New_York",
            "2027-03-03 07:00 Europe/Berlin",
        ]
    );
}

/// I4, by the model tenant's own record: nobody has a second pass before the first is gone.
fn never_two_live_passes(played: &Value) {
    let passes = played["passes"].as_array().unwrap();
    assert_eq!(passes.len(), 8, "six hires, one moved, one whose answer was lost");
    assert_eq!(passes.iter().filter(|pass| pass["used"] == true).count(), 6);
    for (n, pass) in passes.iter().enumerate() {
        let earlier = passes[..n].iter().filter(|earlier| earlier["employee_id"] == pass["employee_id"]);
        for earlier in earlier {
            let gone = at(&earlier["deleted_utc"]).unwrap();
            // The tenant's times of creation lie up to a second back.
            assert!(gone <= at(&pass["made_utc"]).unwrap() + chrono::TimeDelta::seconds(1), "I4: {earlier} {pass}");
        }
    }
}

fn letters_lie_there(played: &Value, sandbox: &Path, dir: &Path) {
    let letters = played["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 8);
    assert_eq!(files_below(&sandbox.join("letters")).len(), 8);
    for letter in letters {
        let whom = letter["to"][0].as_str().unwrap();
        assert_eq!(letter["to"].as_array().unwrap().len(), 1, "I2");
        let file = letter["file"].as_str().unwrap();
        assert!(file.contains(whom) && dir.join(file).is_file(), "{file}");
    }
    let without: Vec<&str> = letters
        .iter()
        .filter(|letter| letter["has_code"] == false)
        .map(|letter| letter["subject"].as_str().unwrap())
        .collect();
    assert_eq!(without, ["The sign-in code for Ada Berger no longer works"]);
    for place in played["places"].as_array().unwrap() {
        assert!(dir.join(place["path"].as_str().unwrap()).exists(), "{place}");
    }
}

/// Each command that the sandbox names, by a shell, as it stands.
fn hints_work(played: &Value, dir: &Path, secrets: &[String]) {
    let hints = played["next"].as_array().unwrap();
    assert!(hints.len() >= 5);
    for hint in hints {
        let command = hint["command"].as_str().unwrap();
        let output = run(dir, "/bin/sh", &["-c", command]);
        assert_eq!(output.status.code(), Some(0), "{command}\n{}", text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{command} says nothing");
        hold_none(command, &output.stdout, secrets);
        hold_none(command, &output.stderr, secrets);
        let said = text(&output.stdout);
        if command.ends_with("hire list") {
            assert_eq!(said.matches("delivered").count(), 6, "{said}");
        }
        if command.ends_with("hire show E1007") {
            assert!(said.contains("manager-missing"), "{said}");
        }
    }
}

/// The story as people without a terminal read it; over a former sandbox, whose traces go.
#[test]
fn the_story_is_told_in_plain_lines() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("it's mine");
    std::fs::create_dir_all(sandbox.join("letters")).unwrap();
    std::fs::write(sandbox.join(".firstpass-sandbox"), "").unwrap();
    std::fs::write(sandbox.join("letters/old.eml"), "").unwrap();
    std::fs::write(sandbox.join("state.db"), "of another time").unwrap();
    std::fs::write(sandbox.join("notes.txt"), "keep me").unwrap();

    let output = run(dir.path(), FIRSTPASS, &["sandbox", "it's mine"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert!(!sandbox.join("letters/old.eml").exists());
    assert_eq!(std::fs::read_to_string(sandbox.join("notes.txt")).unwrap(), "keep me");
    hold_none("stdout", &output.stdout, &codes(&sandbox.join("letters")));

    let story = text(&output.stdout);
    assert!(!story.contains('\u{1b}'), "no colours without a terminal");
    insta::assert_snapshot!("the_story_of_the_sandbox", story.replace(FIRSTPASS, "firstpass"));

    // The hints quote the folder's name for a shell.
    let command = story.lines().find(|line| line.ends_with("hire show E1007")).unwrap();
    let output = run(dir.path(), "/bin/sh", &["-c", command]);
    assert_eq!(output.status.code(), Some(0), "{command}\n{}", text(&output.stderr));
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    std::fs::write(dir.path().join("mine/state.db"), "precious").unwrap();
    let output = run(dir.path(), FIRSTPASS, &["sandbox", "mine"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(
        text(&output.stderr).trim_end(),
        @"firstpass: mine is not empty, and no sandbox of firstpass; name a new or empty folder: `firstpass sandbox DIR`"
    );
    assert_eq!(std::fs::read_to_string(dir.path().join("mine/state.db")).unwrap(), "precious");

    let output = run(dir.path(), FIRSTPASS, &["sandbox", "mine/state.db"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(
        text(&output.stderr).trim_end(),
        @"firstpass: mine/state.db is no folder; name a new or empty one: `firstpass sandbox DIR`"
    );
}

/// A sandbox whose state somebody serves is not swept away under them.
#[test]
fn a_sandbox_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    std::fs::create_dir(&sandbox).unwrap();
    std::fs::write(sandbox.join(".firstpass-sandbox"), "").unwrap();
    std::fs::write(sandbox.join("state.db"), "served").unwrap();
    let lock = std::fs::File::create(sandbox.join("state.db.lock")).unwrap();
    lock.lock().unwrap();
    let output = run(dir.path(), FIRSTPASS, &["sandbox"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(
        text(&output.stderr).trim_end(),
        @"firstpass: a `firstpass run` or another sandbox uses sandbox; stop it first, or name another folder"
    );
    assert!(sandbox.join("state.db").exists());
}

/// The same story from a table: the same letters to the same people, and the same hires.
#[test]
fn the_sandbox_plays_the_same_days_from_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let played: Vec<Value> = [&["sandbox", "files", "--json"][..], &["sandbox", "table", "--feed", "sql", "--json"]]
        .iter()
        .map(|args| {
            let output = run(dir.path(), FIRSTPASS, args);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let hires = |played: &Value| -> Vec<String> {
        let of = |hire: &Value| {
            ["employee_id", "state", "outcome", "start_local", "mailed_to"].map(|key| hire[key].to_string())
        };
        played["hires"].as_array().unwrap().iter().map(|hire| of(hire).join(" ")).collect()
    };
    assert_eq!(hires(&played[0]), hires(&played[1]));
    assert_eq!(played[0]["letters"].as_array().unwrap().len(), played[1]["letters"].as_array().unwrap().len());
    assert_eq!(played[1]["files"][0]["file"], "hr.reading.csv");
    let told: Vec<&str> =
        played[1]["story"].as_array().unwrap().iter().filter_map(|told| told["text"].as_str()).collect();
    assert!(told.contains(&"writes 7 rows into the table"), "{told:#?}");
}
