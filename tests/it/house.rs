//! Rules of the house that a compiler does not know: which room may know which, who may make the
//! values of an attempt, how long a file may grow, and that every reason is explained to the admin.

use std::fs;
use std::path::{Path, PathBuf};

use firstpass::rules::hire::Reason;

/// A room and the rooms it may name. `clock` and `config` are for everybody outside the rules.
const ARROWS: [(&str, &[&str]); 14] = [
    ("rules", &[]),
    ("clock", &[]),
    ("heap", &[]),
    ("counts", &[]),
    ("config", &["rules"]),
    ("feed", &["rules", "config", "clock"]),
    ("store", &["rules", "config", "clock"]),
    ("entra", &["rules", "config", "clock", "counts"]),
    ("mail", &["rules", "config", "clock"]),
    ("work", &["feed", "store", "entra", "mail", "rules", "config", "clock", "counts", "heap"]),
    ("serve", &["work", "feed", "store", "entra", "mail", "rules", "config", "clock", "counts"]),
    ("sandbox", &["work", "feed", "store", "entra", "mail", "rules", "config", "clock"]),
    ("cli", &["sandbox", "serve", "work", "feed", "store", "entra", "mail", "rules", "config", "clock", "heap"]),
    ("main", &["cli"]),
];

/// Who may call which constructor of `rules/attempt.rs`: no step of an attempt can be made up elsewhere.
const MAKERS: [(&str, &[&str]); 5] = [
    ("Code::new", &["src/entra/passes.rs"]),
    ("Cleared::new", &["src/work/check.rs"]),
    ("Intended::new", &["src/store/passes.rs"]),
    ("IssuedPass::from_answer", &["src/work/onboard.rs"]),
    (".reveal()", &["src/rules/letter/templates.rs"]),
];

/// What a pure rule never asks (design 2).
const IMPURE: [&str; 13] = [
    "tokio",
    "sqlx",
    "reqwest",
    "lettre",
    "figment",
    "clap::",
    "std::fs",
    "std::env",
    "std::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "Utc::now",
    "std::process",
];

/// Lines of code in one file: when one grows past this, its concept splits.
const MOST_LINES: usize = 400;

struct Source {
    path: String,
    /// Without tests, comments and blank lines, each with its number.
    code: Vec<(usize, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    sources_below("src")
}

fn sources_below(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    files_below(&root().join(folder), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let code = without_unit_tests(&text)
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .map(|(n, line)| (n + 1, line.to_owned()))
            .collect();
        Source { path, code }
    };
    let is_test = |path: &Path| path.file_name().is_some_and(|name| name == "tests.rs");
    paths.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

/// The same lines, those of `mod tests` empty.
fn without_unit_tests(text: &str) -> String {
    let Some(start) = text.find("#[cfg(test)]\nmod tests {") else { return text.to_owned() };
    let end = text[start..].find("\n}\n").map_or(text.len(), |end| start + end + 2);
    let blank = "\n".repeat(text[start..end].matches('\n').count());
    format!("{}{blank}{}", &text[..start], &text[end..])
}

fn room_of(path: &str) -> &str {
    let inner = path.strip_prefix("src/").unwrap();
    inner.split(['/', '.']).next().unwrap()
}

/// Names behind `crate::` or `firstpass::`, also those in braces.
fn rooms_named(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for prefix in ["crate::", "firstpass::"] {
        for (at, _) in line.match_indices(prefix) {
            let rest = &line[at + prefix.len()..];
            let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or(list));
            let parts: Vec<&str> = if rest.starts_with('{') { list.split(',').collect() } else { vec![rest] };
            for part in parts {
                let name: String = part.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                rooms.push(name);
            }
        }
    }
    rooms
}

#[test]
fn arrows_run_one_way() {
    let known: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut turned = Vec::new();
    for source in sources().iter().filter(|source| source.path != "src/lib.rs") {
        let room = room_of(&source.path);
        let (_, may) = ARROWS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("a new room: {room}"));
        for (n, line) in &source.code {
            for named in rooms_named(line) {
                if known.contains(&named.as_str()) && named != room && !may.contains(&named.as_str()) {
                    turned.push(format!("{}:{n}: {room} names {named}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert!(turned.is_empty(), "arrows turned round (design 2):\n{}", turned.join("\n"));
}

#[test]
fn rules_are_pure() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| room_of(&source.path) == "rules") {
        for (n, line) in &source.code {
            found.extend(
                IMPURE.iter().filter(|word| line.contains(**word)).map(|word| format!("{}:{n}: {word}", source.path)),
            );
        }
    }
    assert!(found.is_empty(), "rules ask the world:\n{}", found.join("\n"));
}

#[test]
fn the_values_of_an_attempt_are_made_in_one_place_each() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.path != "src/rules/attempt.rs") {
        for (n, line) in &source.code {
            for (maker, may) in MAKERS {
                let called = line.match_indices(maker).any(|(at, _)| {
                    // `MyCode::new` is somebody else's.
                    maker.starts_with('.') || !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if called && !may.contains(&source.path.as_str()) {
                    found.push(format!("{}:{n}: {maker}", source.path));
                }
            }
        }
    }
    // Other secrets have words of their own.
    found.retain(|line| !line.contains("expose_secret"));
    assert!(found.is_empty(), "a step of an attempt is made up:\n{}", found.join("\n"));
    for (maker, may) in MAKERS {
        for path in may {
            let text = fs::read_to_string(root().join(path)).unwrap();
            let name = maker.trim_end_matches("()").rsplit("::").next().unwrap().trim_start_matches('.');
            assert!(text.contains(name), "{path} no longer calls {maker}: take it off the list");
        }
    }
}

#[test]
fn no_file_grows_past_its_concept() {
    let long: Vec<String> = ["src", "tests/it"]
        .into_iter()
        .flat_map(sources_below)
        .filter(|source| source.code.len() > MOST_LINES)
        .map(|source| format!("{}: {} lines of code", source.path, source.code.len()))
        .collect();
    assert!(long.is_empty(), "split these by concept:\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut paths = Vec::new();
    files_below(&root().join("src"), &mut paths);
    let silent: Vec<PathBuf> =
        paths.into_iter().filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!")).collect();
    assert!(silent.is_empty(), "no //! lines: {silent:?}");
}

#[test]
fn nothing_is_printed_past_the_writer() {
    let words = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!("];
    let mut found = Vec::new();
    for source in sources() {
        for (n, line) in &source.code {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "output goes through cli/out.rs:\n{}", found.join("\n"));
}

#[test]
fn every_reason_is_explained() {
    let text = fs::read_to_string(root().join("deploy/reasons.md")).unwrap();
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.as_str())
        .filter(|reason| !text.contains(&format!("`{reason}`")))
        .collect();
    assert!(missing.is_empty(), "deploy/reasons.md does not explain {missing:?}");
}

/// Who reads logs by machine asks for `event`, which stays when a sentence changes.
#[test]
fn every_line_of_the_log_has_an_event_that_is_explained() {
    let reference = fs::read_to_string(root().join("deploy/metrics.md")).unwrap();
    let mut wrong = Vec::new();
    let speaks =
        |source: &&Source| ["work", "entra", "mail", "feed", "store", "serve"].contains(&room_of(&source.path));
    for source in sources().iter().filter(speaks) {
        for (at, (n, line)) in source.code.iter().enumerate() {
            let said = ["info!(", "warn!(", "error!("].iter().find_map(|call| line.split_once(call));
            let Some((_, rest)) = said else { continue };
            let next = source.code.get(at + 1).map_or("", |(_, next)| next.trim());
            let fields = if rest.is_empty() { next } else { rest };
            let event = fields.strip_prefix("event = \"").and_then(|event| event.split('"').next());
            match event {
                None => wrong.push(format!("{}:{n}: no event: {}", source.path, line.trim())),
                Some(event) if !reference.contains(&format!("`{event}`")) => {
                    wrong.push(format!("{}:{n}: deploy/metrics.md does not explain {event}", source.path));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
