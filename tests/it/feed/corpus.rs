//! Files as HR, Excel and enemies really send them, each dropped and taken by a feed of its own.
//!
//! `tests/data/feed/NAME.csv` is read under the settings of `NAME.toml`, and what the folder, the
//! state and the report then say stands in `expected/NAME.snap`. What the fuzzer found lies in
//! `found/`: no row of it may be lost (F28–F30, F37, F38, F40–F46, F109).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use firstpass::rules::calendar::Zone;
use firstpass::rules::dates::DateFormat;

use super::{FeedDesk, counts};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/feed")
}

fn csv_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    paths
}

/// The settings beside a file.
fn set(desk: &mut FeedDesk, file: &Path) {
    let Ok(text) = std::fs::read_to_string(file.with_extension("toml")) else { return };
    let table: toml::Table = toml::from_str(&text).unwrap();
    let zone = |value: &toml::Value| Zone::parse(value.as_str().unwrap()).unwrap();
    for (key, value) in table {
        match key.as_str() {
            "encoding" => desk.feed.encoding = encoding_rs::Encoding::for_label(value.as_str().unwrap().as_bytes()),
            "date_format" => desk.feed.date_format = Some(DateFormat::parse(value.as_str().unwrap()).unwrap()),
            "columns" => {
                let columns = value.as_table().unwrap().iter();
                desk.feed.columns =
                    columns.map(|(field, name)| (field.clone(), name.as_str().unwrap().to_owned())).collect();
            }
            "zones" => {
                let zones = value.as_table().unwrap().iter();
                desk.feed.zones = zones.map(|(place, name)| (place.clone(), zone(name))).collect();
            }
            "zone" => desk.rules.zone = Some(zone(&value)),
            other => panic!("{other} is no setting of the corpus"),
        }
    }
}

/// Everything that was made of one file.
async fn told(file: &Path) -> String {
    let mut desk = FeedDesk::new().await;
    desk.feed.zones.clear();
    set(&mut desk, file);
    let name = file.file_name().unwrap().to_str().unwrap();
    let report = desk.drop_file(name, std::fs::read(file).unwrap()).await;
    let [rows, added, changed, withdrawn, unchanged, past, rejected] = counts(&report);
    let mut story = format!(
        "{}: {rows} rows, {added} added, {changed} changed, {withdrawn} withdrawn, {unchanged} unchanged, {past} past, {rejected} rejected\n",
        report.state
    );
    if !report.why.is_empty() {
        let _ = writeln!(story, "why: {}", report.why);
    }
    for reject in &report.rejects {
        let _ = writeln!(story, "✗ {reject}");
    }
    let hires = "SELECT 'line ' || source_line || ': ' || employee_id || ' | ' || display_name || ' | ' || start_date || ' '
        || start_time || ' ' || zone || ' | user ' || user_ref || ' | manager ' || manager_ref || ' | ' || language || ' | '
        || state || ' ' || coalesce(reason, '') FROM hire ORDER BY source_line";
    for hire in desk.ask(hires).await {
        let _ = writeln!(story, "✓ {hire}");
    }
    if !report.rejected_at.is_empty() {
        let _ = writeln!(story, "{}:\n{}", report.rejected_at, shortened(&desk.text(&report.rejected_at)));
    }
    // Nothing stays behind, and each row is in the state, in the report, or a twin of such a one.
    assert!(desk.names("").is_empty() && desk.names("work").is_empty(), "{name}");
    assert_eq!(u64::try_from(report.rejects.len()).unwrap(), rejected, "{name}");
    story
}

/// A file of rejected rows with long lines cut.
fn shortened(text: &str) -> String {
    let cut = |line: &str| {
        if line.len() > 400 { format!("{}…", line.chars().take(400).collect::<String>()) } else { line.to_owned() }
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_file_of_the_corpus_gives_what_is_expected() {
    let files = csv_files(&folder());
    assert!(files.len() >= 40, "only {} files", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder().join("expected"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut told_of = Vec::new();
    for file in &files {
        told_of.push((file.file_stem().unwrap().to_str().unwrap().to_owned(), told(file).await));
    }
    settings.bind(|| {
        for (name, story) in told_of {
            insta::assert_snapshot!(name, story);
        }
    });
}

#[tokio::test]
async fn what_the_fuzzer_found_loses_no_row() {
    for file in csv_files(&folder().join("found")) {
        let story = told(&file).await;
        assert!(story.starts_with("taken") || story.starts_with("rejected") || story.starts_with("held"), "{story}");
    }
}

#[test]
fn the_corpus_is_what_its_script_writes() {
    let script = folder().join("make.py");
    let Ok(checked) = std::process::Command::new("python3").arg(script).arg("--check").output() else {
        println!("skipped: this machine has no python3");
        return;
    };
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
