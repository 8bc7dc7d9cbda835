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
