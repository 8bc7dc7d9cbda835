//! `numbers.md` says which test covers which number of the lists of invariants, faults and threats. It is
//! held against the lists and against the tests, so that no number is forgotten and no test is made up.
//!
//! The lists lie in the folder above the one that `FIRSTPASS_GRAPH_CONTRACT` names (default `../shared/graph`
//! beside this repository); without them the page is held against the tests alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// One line of the page.
struct Entry {
    number: String,
    tests: Vec<String>,
    remark: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> Vec<Entry> {
    let text = fs::read_to_string(root().join("tests/it/numbers.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let is_number =
        |cell: &str| cell.starts_with(['I', 'F', 'T']) && cell[1..].starts_with(|c: char| c.is_ascii_digit());
    text.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| cells(&line.replace("| |", "|  |").replace("|  |", "|   | ")))
        .filter(|cells| is_number(&cells[0]))
        .map(|cells| Entry {
            number: cells[0].clone(),
            tests: cells[1].split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            remark: cells.get(2).cloned().unwrap_or_default().trim_matches('|').trim().to_owned(),
        })
        .collect()
}

/// The file that a name means, and the function in it, if it names one.
fn place(name: &str) -> (Vec<PathBuf>, Option<&str>) {
    let it = root().join("tests/it");
    match name.rsplit_once("::") {
        None => (vec![root().join(name), it.join(name)], None),
        Some((file, function)) if file.starts_with("src/") => (vec![root().join(file)], Some(function)),
        Some((module, function)) => {
            let file = module.replace("::", "/");
            (vec![it.join(format!("{file}.rs")), it.join(file).join("mod.rs")], Some(function))
        }
    }
}

fn exists(name: &str) -> bool {
    let (files, function) = place(name);
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| {
        function.is_none_or(|function| {
            let named = format!("fn {function}(");
            let tests = text.match_indices(&named).filter(|(at, _)| {
                let before: Vec<&str> = text[..*at].lines().rev().take(6).collect();
                before
                    .iter()
                    .take_while(|line| **line != "}")
                    .any(|line| line.contains("test]") || line.contains("::test("))
            });
            tests.count() == 1
        })
    })
}

#[test]
fn every_test_that_is_named_for_a_number_exists() {
    let missing: Vec<String> = page()
        .iter()
        .flat_map(|entry| entry.tests.iter().map(|test| (entry.number.clone(), test.clone())))
        .filter(|(_, test)| !exists(test))
        .map(|(number, test)| format!("{number}: {test}"))
        .collect();
    assert!(missing.is_empty(), "tests/it/numbers.md names what is not there:\n{}", missing.join("\n"));
}

#[test]
fn every_number_stands_once_with_a_test_or_with_why_it_needs_none() {
    let mut seen = BTreeSet::new();
    for Entry { number, tests, remark } in page() {
        assert!(seen.insert(number.clone()), "{number} stands twice");
        let excused = remark.starts_with("no subject: ") || remark.starts_with("by construction: ");
        assert!(!tests.is_empty() || excused, "{number} has neither a test nor a reason: {remark:?}");
    }
    let mut all: BTreeSet<String> = (1..=24).map(|n| format!("I{n}")).collect();
    all.extend((1..=120).map(|n| format!("F{n}")));
    all.extend((1..=40).map(|n| format!("T{n:02}")).chain(["T17b".to_owned()]));
    assert_eq!(seen, all);
}

#[test]
fn the_page_has_every_number_of_the_lists() {
    let named = std::env::var_os("FIRSTPASS_GRAPH_CONTRACT").map(PathBuf::from);
    let graph = named.unwrap_or_else(|| root().join("../shared/graph"));
    let lists = graph.parent().map(Path::to_owned).unwrap_or_default();
    let (Ok(faults), Ok(threats)) =
        (fs::read_to_string(lists.join("faults.md")), fs::read_to_string(lists.join("threats.md")))
    else {
        eprintln!("skipped: no faults.md and threats.md in {}", lists.display());
        return;
    };
    let mut listed: BTreeMap<String, &str> = BTreeMap::new();
    for line in faults.lines() {
        let invariant = line.strip_prefix("- **I").and_then(|line| line.split_once("**"));
        if let Some((number, _)) = invariant.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit())) {
            listed.insert(format!("I{number}"), line);
        }
    }
    let (_, cases) = faults.split_once("\n## Cases").expect("the cases of faults.md");
    let cases = cases.split("\n## ").next().unwrap_or_default();
    // `1. …`, and several on one line: `… . 33. …`, `70–75. …`, `84. … / 85. …`.
    let mut next = 1;
    while cases.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.parse() == Ok(next)) {
        listed.insert(format!("F{next}"), "");
        next += 1;
        if (71..75).contains(&next) {
            listed.extend((71..75).map(|n| (format!("F{n}"), "")));
            next = 75;
        }
    }
    for line in threats.lines().filter_map(|line| line.strip_prefix("| T")) {
        let number = line.split(' ').next().unwrap_or_default();
        listed.insert(format!("T{number}"), "");
    }
    let here: BTreeSet<String> = page().into_iter().map(|entry| entry.number).collect();
    assert_eq!(listed.into_keys().collect::<BTreeSet<String>>(), here);
}
