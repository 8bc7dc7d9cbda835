//! `deploy/letters.md` says what the program does: every variable stands there, and its example renders.

use firstpass::rules::letter::{Kind, Letters};

use super::{file, judged};

fn manual() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/letters.md")).unwrap()
}

/// The block below the line that names the file.
fn block(manual: &str, name: &str) -> String {
    let (_, behind) = manual.split_once(&format!("\n`{name}`:\n\n```jinja\n")).unwrap();
    behind.split_once("```").unwrap().0.to_owned()
}

#[test]
fn every_variable_is_explained() {
    let manual = manual();
    for name in Kind::ALL.into_iter().flat_map(Kind::variables) {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
    for file in Letters::sources() {
        let (stem, _) = file.name.split_once('.').unwrap();
        assert!(manual.contains(&format!("`{stem}.txt`")) || manual.contains(&format!("`{stem}.de.txt`")), "{stem}");
    }
}

#[test]
fn the_example_is_a_good_letter() {
    let manual = manual();
    let files = ["letter.fr.txt", "letter.fr.html"].map(|name| file(name, &block(&manual, name)));
    assert_eq!(judged(&files), "in order\n");
}

#[test]
fn the_built_in_letters_pass_their_own_review() {
    let files: Vec<_> = Letters::sources().collect();
    assert_eq!(files.len(), 8);
    assert_eq!(judged(&files), "in order\n");
}
