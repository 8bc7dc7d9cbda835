//! What packagers install: completions that a real bash loads, manual pages that groff reads.

use std::process::Command;

use super::{command, ran};

/// Every command by its words, as `--help` of the command above names it.
pub(super) fn all_commands() -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let mut found = vec![vec![]];
    let mut next = 0;
    while next < found.len() {
        let path: Vec<String> = found[next].clone();
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = ran(&command(dir.path(), &args).output().unwrap()).stdout;
        let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        // A word in the first column of names; deeper lines go on with the sentence above.
        for line in below.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            found.push(path.iter().cloned().chain([line.split_whitespace().next().unwrap().to_owned()]).collect());
        }
        next += 1;
    }
    found
}

#[test]
fn bash_loads_the_completions_and_completes_commands_and_options() {
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("skipped: there is no bash here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let made = ran(&command(dir.path(), &["completions", shell]).output().unwrap());
        assert_eq!(made.status, 0, "{shell}: {}", made.stderr);
        assert!(made.stdout.contains("firstpass"), "{shell}");
        std::fs::write(dir.path().join(shell), made.stdout).unwrap();
    }
    let script = "set -eu; source ./bash; complete -p firstpass >/dev/null
        ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _firstpass firstpass \"${COMP_WORDS[$COMP_CWORD]}\" \"${COMP_WORDS[$((COMP_CWORD - 1))]}\"; printf '%s\\n' \"${COMPREPLY[*]}\"; }
        ask firstpass im
        ask firstpass hire list --st
        ask firstpass import --d";
    let done = ran(&Command::new("bash").args(["-c", script]).current_dir(dir.path()).output().unwrap());
    assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    assert_eq!(done.stdout, "import\n--state\n--dry-run\n");
}

#[test]
fn every_command_has_a_manual_page_that_groff_reads_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man1");
    let made = ran(&command(dir.path(), &["man", "--out", "man1"]).output().unwrap());
    assert_eq!(made.status, 0, "{}", made.stderr);
    let mut names: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut wanted: Vec<String> = all_commands()
        .iter()
        .map(|path| format!("{}.1", [vec!["firstpass".to_owned()], path.clone()].concat().join("-")))
        .collect();
    wanted.sort();
    assert_eq!(names, wanted);

    let one = ran(&command(dir.path(), &["man", "hire", "show"]).output().unwrap());
    assert_eq!(one.stdout, std::fs::read_to_string(out.join("firstpass-hire-show.1")).unwrap());
    let unknown = ran(&command(dir.path(), &["man", "hire", "shoe"]).output().unwrap());
    assert_eq!(unknown.status, 2);
    assert!(unknown.stderr.contains("hire has list, show"), "{}", unknown.stderr);

    if Command::new("groff").arg("--version").output().is_err() {
        eprintln!("skipped: there is no groff here");
        return;
    }
    for name in names {
        let read =
            ran(&Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(out.join(&name)).output().unwrap());
        assert_eq!((read.status, read.stderr.as_str()), (0, ""), "{name}");
    }
    let shown = ran(&Command::new("groff")
        .args(["-man", "-Tascii", "-P-cbou"])
        .arg(out.join("firstpass-import.1"))
        .output()
        .unwrap());
    let shown = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["firstpass-import", "--dry-run", "EXAMPLE", "Exit status: 0"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}
