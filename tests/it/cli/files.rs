//! `import` and `feed`: files are tried, taken, held and shown.

use crate::world::World;

use super::{FRIDAY, HIRES, calm, firstpass, session};

#[tokio::test]
async fn a_file_is_tried_taken_and_shown() {
    let world = World::new().await;
    let dir = world.dir.path().to_owned();
    let _calm = calm(&dir);
    std::fs::write(
        dir.join("new.csv"),
        format!("{HIRES}E5,x@contoso.example,Edith Clarke,03/04/2037,Europe/Berlin,\n"),
    )
    .unwrap();
    insta::assert_snapshot!(
        "import",
        session(
            &dir,
            &[
                &["import", "new.csv", "--feed", "hr", "--dry-run"],
                &["hire", "list"],
                &["import", "new.csv", "--feed", "hr"],
                &["feed", "list"],
            ]
        )
        .await
    );
    assert!(dir.join("new.csv").exists(), "import leaves the file where it is");
    world.finish().await;
}

#[tokio::test]
async fn a_dry_run_makes_no_state_and_a_list_neither() {
    let world = World::new().await;
    let dir = world.dir.path().to_owned();
    let settings = std::fs::read_to_string(dir.join("firstpass.toml")).unwrap().replace("state.db", "other.db");
    std::fs::write(dir.join("firstpass.toml"), settings).unwrap();
    std::fs::write(dir.join("new.csv"), HIRES).unwrap();
    let tried = firstpass(&dir, &["import", "new.csv", "--feed", "hr", "--dry-run"]).await;
    assert_eq!(tried.status, 0, "{}", tried.stderr);
    assert!(tried.stdout.contains("4 added"), "{}", tried.stdout);
    let list = firstpass(&dir, &["hire", "list"]).await;
    assert_eq!(list.status, 1);
    assert!(list.stderr.contains("there is no state at"), "{}", list.stderr);
    assert!(!dir.join("other.db").exists());
    world.finish().await;
}

#[tokio::test]
async fn a_held_file_waits_for_an_answer() {
    let world = World::with("[[feed]] += max_new = 1").await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    let _calm = calm(&dir);
    std::fs::write(dir.join("many.csv"), HIRES).unwrap();
    insta::assert_snapshot!(
        "held",
        session(
            &dir,
            &[
                &["import", "many.csv", "--feed", "hr"],
                &["feed", "list"],
                &["feed", "accept", "many.csv", "--reason", "a class of trainees", "--dry-run"],
                &["feed", "accept", "many.csv", "--reason", "a class of trainees"],
                &["feed", "list"],
            ]
        )
        .await
    );
    world.finish().await;
}

#[tokio::test]
async fn control_characters_in_data_never_reach_a_terminal() {
    let mut world = World::new().await;
    world.set(FRIDAY);
    world.drop_file("evil\u{1b}[2Jname\u{202e}.csv", HIRES);
    world.tick().await;
    let dir = world.dir.path();
    for args in [vec!["feed", "list"], vec!["feed", "list", "--json"], vec!["hire", "show", "E1"]] {
        let ran = firstpass(dir, &args).await;
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(!ran.stdout.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{:?}", ran.stdout);
        assert!(ran.stdout.contains("name"), "{}", ran.stdout);
    }
    world.finish().await;
}

/// Every file below a folder with its bytes, owner's mode and time.
fn everything(
    dir: &std::path::Path,
) -> std::collections::BTreeMap<std::path::PathBuf, (Vec<u8>, u32, std::time::SystemTime)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let bytes = if metadata.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (bytes, metadata.permissions().mode(), metadata.modified().unwrap()));
        }
    }
    found
}

#[tokio::test]
async fn a_dry_run_writes_nothing_at_all() {
    let mut world = World::new().await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    world.drop_file("hires.csv", &format!("{HIRES}E9,,soon,,,\n"));
    world.tick().await;
    std::fs::write(dir.join("next.csv"), HIRES.replace("2037-03-02,Europe", "2037-03-09,Europe")).unwrap();
    std::fs::write(dir.join("bad.csv"), "who,when\n").unwrap();
    let tries: [&[&str]; 3] = [
        &["import", "next.csv", "--feed", "hr", "--dry-run"],
        &["import", "next.csv", "--feed", "hr", "--dry-run", "--json"],
        &["import", "bad.csv", "--feed", "hr", "--dry-run"],
    ];
    // Beside a service that has the state open, with a log of writes that is not in the file yet.
    let before = everything(&dir);
    assert!(before.keys().any(|path| path.ends_with("state.db-wal")));
    for args in tries {
        let ran = firstpass(&dir, args).await;
        assert!(ran.status < 2, "{}{}", ran.stdout, ran.stderr);
        let after = everything(&dir);
        let differs: Vec<_> =
            before.iter().filter(|(path, what)| after.get(*path) != Some(what)).map(|(path, _)| path).collect();
        assert!(
            differs.iter().all(|path| path.ends_with("state.db-shm") || **path == dir),
            "{args:?} changed {differs:?}"
        );
        assert!(after.keys().eq(before.keys()), "{args:?} made {:?}", after.keys());
    }
    // And alone.
    world.work().store.close().await;
    world.work = None;
    let before = everything(&dir);
    for args in tries {
        let ran = firstpass(&dir, args).await;
        assert!(ran.status < 2, "{}{}", ran.stdout, ran.stderr);
        let after = everything(&dir);
        let differs: Vec<_> =
            before.iter().filter(|(path, what)| after.get(*path) != Some(what)).map(|(path, _)| path).collect();
        assert!(differs.iter().all(|path| **path == dir), "{args:?} changed {differs:?}");
        let more: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert!(more.is_empty(), "{args:?} made {more:?}");
    }
}

#[tokio::test]
async fn whoever_a_whole_list_no_longer_names_is_told_by_number() {
    let mut world = World::with("[[feed]] += complete = true").await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    world.drop_file("hires.csv", HIRES);
    world.tick().await;
    let lines: Vec<&str> = HIRES.lines().collect();
    std::fs::write(dir.join("nobody.csv"), format!("{}\n", lines[0])).unwrap();
    std::fs::write(dir.join("fewer.csv"), format!("{}\n", lines[..3].join("\n"))).unwrap();
    let _calm = calm(&dir);
    insta::assert_snapshot!(
        "vanished",
        session(
            &dir,
            &[
                &["import", "nobody.csv", "--feed", "hr", "--dry-run"],
                &["import", "fewer.csv", "--feed", "hr"],
                &["import", ".", "--feed", "hr", "--dry-run"],
            ]
        )
        .await
    );
    world.finish().await;
}

#[tokio::test]
async fn a_dry_run_says_what_changes_from_what_to_what_and_what_would_be_held() {
    let mut world = World::with("[[feed]] += max_changes = 1").await;
    let dir = world.dir.path().to_owned();
    world.set(FRIDAY);
    world.drop_file("hires.csv", HIRES);
    world.tick().await;
    let next = HIRES
        .replace("2037-03-02,Europe/Berlin,mia", "2037-03-09,Europe/Berlin,omar")
        .replace("Grace Hopper", "Grace B. Hopper")
        .replace("2037-03-03,Asia", "2037-03-04,Asia")
        .replace("E4,nobody.yet", "E6,somebody.else");
    std::fs::write(dir.join("next.csv"), next).unwrap();
    let _calm = calm(&dir);
    insta::assert_snapshot!(
        "would_be_held",
        session(
            &dir,
            &[
                &["import", "next.csv", "--feed", "hr", "--dry-run"],
                &["import", "firstpass.toml", "--feed", "hr", "--dry-run"],
            ]
        )
        .await
    );
    let json = firstpass(&dir, &["import", "next.csv", "--feed", "hr", "--dry-run", "--json"]).await;
    assert_eq!(json.status, 1);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["dry_run"]), (&"held".into(), &true.into()));
    let ada = &json["changes"][0];
    for key in ["line", "employee_id", "display_name", "what", "change", "start", "fields"] {
        assert!(ada.get(key).is_some(), "{key}: {ada:#}");
    }
    assert_eq!(ada["fields"][0]["field"], "start");
    assert_eq!(ada["fields"][0]["from"], "2037-03-02 09:00 Europe/Berlin");
    assert_eq!(ada["fields"][1]["to"], "omar.manager@contoso.example");
    world.finish().await;
}
