//! Commands in guides are run, and none of them is out of date.
//!
//! Every block of shell (```` ```sh ````) in README.md and below `deploy/` is run as it stands, a file's
//! blocks one after the other in a folder of their own, with the real program, settings, a state and a model
//! tenant; it has to end with 0. A block that cannot be run here says so where everybody sees it:
//! ```` ```sh norun REASON ````. In every block, run or not, and in every `` `firstpass …` `` in a text, commands and
//! options must be ones that firstpass knows. Links between the guides lead somewhere.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::World;

/// A fenced block of shell.
struct Block {
    file: String,
    line: usize,
    text: String,
    /// Why it is not run; `None`: it is.
    norun: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and everything below deploy/.
fn guides() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md")];
    markdown_below(&root().join("deploy"), &mut files);
    files.sort();
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The blocks of shell of one file, also those inside lists.
fn blocks(file: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .map(|line| line.get(indent..).unwrap_or_default())
            .collect();
        let mut words = info.split_whitespace();
        if words.next() != Some("sh") {
            continue;
        }
        let rest: Vec<&str> = words.collect();
        let norun = match rest.split_first() {
            None => None,
            Some((&"norun", reason)) if reason.len() > 1 => Some(reason.join(" ")),
            Some(_) => panic!("{file}:{}: after ```sh stands nothing, or `norun` and a reason", n + 1),
        };
        found.push(Block { file: file.to_owned(), line: n + 1, text: body.join("\n") + "\n", norun });
    }
    found
}

/// Words of a shell line as far as guides need them: quotes, and operators as words of their own.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut before = ' ';
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if before.is_whitespace() => break,
            (None, '|' | ';' | '&' | '>' | '<' | '(' | ')') => words.extend([c.to_string(), String::new()]),
            (None, _) if c.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The arguments of every firstpass in a piece of shell.
fn calls(shell: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for line in shell.replace("\\\n", " ").lines() {
        let operator = |word: &String| matches!(word.as_str(), "|" | ";" | "&" | ">" | "<" | "(" | ")" | "$");
        for part in words(line).split(operator) {
            calls.extend((0..part.len()).find(|at| is_called(part, *at)).map(|at| part[at + 1..].to_vec()));
        }
    }
    calls
}

/// At the front, behind sudo, a variable, `--` or `exec NAME`; never a user, group, unit or package of that name.
fn is_called(part: &[String], at: usize) -> bool {
    let behind = |steps: usize| at.checked_sub(steps).and_then(|place| part.get(place)).map_or("", String::as_str);
    let front = at == 0 || matches!(behind(1), "--" | "sudo") || behind(1).contains('=') || behind(2) == "-u";
    match part[at].as_str() {
        "firstpass" => front,
        "/usr/bin/firstpass" => front || behind(2) == "exec",
        _ => false,
    }
}

/// `` `firstpass …` `` in running text; not what only names the program, a unit or a package.
fn calls_in_text(text: &str) -> Vec<Vec<String>> {
    let prose: Vec<&str> = {
        let mut fenced = false;
        text.lines()
            .filter(|line| {
                let fence = line.trim_start().starts_with("```");
                fenced ^= fence;
                !fenced && !fence
            })
            .collect()
    };
    let prose = prose.join("\n");
    let spans = prose.split('`').skip(1).step_by(2);
    spans.filter(|span| span.starts_with("firstpass ")).flat_map(|span| calls(&span.replace('\n', " "))).collect()
}

/// What firstpass says against a call: unknown commands and options come before `--help` is heard.
fn said_against(args: &[String]) -> Option<String> {
    // `[--option]` and `…` show what may stand there.
    let plain = args.iter().map(|word| word.trim_matches(|c| matches!(c, '[' | ']' | '…' | ',' | '.')).to_owned());
    let said = Command::new(env!("CARGO_BIN_EXE_firstpass"))
        .args(plain.filter(|word| !word.is_empty()))
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    (!said.status.success()).then(|| String::from_utf8_lossy(&said.stderr).into_owned())
}

#[test]
fn every_command_in_a_guide_is_one_that_firstpass_knows() {
    let mut wrong = Vec::new();
    let mut looked_at = BTreeSet::new();
    for (file, text) in guides() {
        let of_blocks = blocks(&file, &text).into_iter().flat_map(|block| calls(&block.text));
        for args in of_blocks.chain(calls_in_text(&text)) {
            if looked_at.insert(args.clone())
                && let Some(said) = said_against(&args)
            {
                wrong.push(format!("{file}: firstpass {}\n{said}", args.join(" ")));
            }
        }
    }
    assert!(looked_at.len() > 30, "only {} commands were found in the guides: {looked_at:?}", looked_at.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for gone in ["hire lst", "state backup --fast copy.db", "run --twice", "check --usr ada"] {
        let args: Vec<String> = gone.split(' ').map(str::to_owned).collect();
        assert!(said_against(&args).is_some(), "`firstpass {gone}` passes as a command");
    }
}

#[test]
fn calls_are_found_where_shells_find_them() {
    let shell = "sudo -u firstpass firstpass state backup /b/state-$(date +%F).db && \\\n  firstpass plan --days 2 | less\n\
        systemctl restart firstpass\nkubectl -n firstpass exec deployment/firstpass -- /usr/bin/firstpass health # firstpass no\n\
        FIRSTPASS_LOG=debug firstpass run --once; install -o firstpass -g firstpass x y\n";
    let found: Vec<String> = calls(shell).iter().map(|args| args.join(" ")).collect();
    assert_eq!(found, ["state backup /b/state-$", "plan --days 2", "health", "run --once"]);
    let text =
        "Ask `firstpass hire\nshow KEY`, the user `firstpass`, or\n```sh\nfirstpass run\n```\n`firstpass check`.";
    assert_eq!(calls_in_text(text), [vec!["hire", "show", "KEY"], vec!["check"]]);
}

/// Programs that a block needs and this machine may lack.
fn lacks(text: &str) -> Option<&'static str> {
    ["openssl", "sqlite3", "jq", "curl", "python3"].into_iter().find(|program| {
        let named = text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *program);
        let there = || Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        named && there().is_ok_and(|found| !found.status.success())
    })
}

/// A machine as the guides assume one: firstpass and sudo on the path, settings, a tenant, a state with hires.
async fn machine() -> World {
    let mut world = World::new().await;
    world.drop_file("hires.csv", crate::world::ADA);
    world.tick().await;
    let bin = world.dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_firstpass"), bin.join("firstpass")).unwrap();
    let sudo = bin.join("sudo");
    std::fs::write(&sudo, "#!/bin/sh\nif [ \"$1\" = -u ]; then shift 2; fi\nexec \"$@\"\n").unwrap();
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o755)).unwrap();
    world
}

fn run(dir: &Path, block: &Block) -> Result<(), String> {
    let ran = Command::new("sh")
        .args(["-euc", &format!("PATH=$PWD/bin:$PATH\n{}", block.text)])
        .current_dir(dir)
        .env("HOME", dir)
        .env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"))
        .output()
        .map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    Err(format!("{}:{}: {}\n{}\n{out}{err}", block.file, block.line, ran.status, block.text))
}

#[tokio::test]
async fn what_can_be_run_here_is_run() {
    let mut failed = Vec::new();
    let mut n_run = 0;
    for (file, text) in guides() {
        let blocks = blocks(&file, &text);
        for block in blocks.iter().filter(|block| block.norun.is_some()) {
            eprintln!("not run: {file}:{}: {}", block.line, block.norun.as_deref().unwrap_or_default());
        }
        let blocks: Vec<Block> = blocks.into_iter().filter(|block| block.norun.is_none()).collect();
        if blocks.is_empty() {
            continue;
        }
        let world = machine().await;
        for block in blocks {
            if let Some(program) = lacks(&block.text) {
                eprintln!("skipped: {file}:{}: there is no {program} here", block.line);
                continue;
            }
            let dir = world.dir.path().to_owned();
            let ran = tokio::task::spawn_blocking(move || run(&dir, &block)).await.unwrap();
            n_run += 1;
            failed.extend(ran.err());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(n_run > 5, "only {n_run} blocks were run");
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_between_guides_lead_somewhere() {
    let mut dead = Vec::new();
    for (file, text) in guides() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(&file).parent().unwrap().to_owned();
            let target = if path.is_empty() { root().join(&file) } else { folder.join(path) };
            if !target.exists() {
                dead.push(format!("{file}: {link}"));
            } else if !place.is_empty() && target.is_file() {
                let headings = std::fs::read_to_string(&target).unwrap();
                if !headings.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == place) {
                    dead.push(format!("{file}: {link} (no such heading)"));
                }
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}
