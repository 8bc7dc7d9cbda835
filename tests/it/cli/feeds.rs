//! A feed whose file does not come, as the commands tell it.

use chrono::TimeDelta;
use firstpass::clock::Clock;

use crate::world::World;

use super::{calm, firstpass, session};

#[tokio::test]
async fn f34_a_folder_in_the_drop_folder_is_told_once_and_named_until_it_is_gone() {
    let world = World::new().await;
    let dir = world.dir.path();
    for name in ["hires.csv", "archive.tmp", "lost+found"] {
        std::fs::create_dir(dir.join("drop").join(name)).unwrap();
    }
    let told = "feed hr: hires.csv in the drop folder is a folder, and nothing in it is read";
    let first = firstpass(dir, &["run", "--once"]).await;
    assert_eq!((first.status, first.stderr.matches("is a folder").count()), (0, 1), "{}", first.stderr);
    assert!(first.stderr.contains(told), "{}", first.stderr);
    let again = firstpass(dir, &["run", "--once"]).await;
    assert_eq!(again.stderr.matches("is a folder").count(), 0, "once, also over a restart: {}", again.stderr);
    let list = firstpass(dir, &["feed", "list"]).await.stdout;
    assert!(list.replace("\n  ", " ").contains(told), "{list}");
    assert!(dir.join("drop/hires.csv").is_dir(), "left where it is");

    std::fs::remove_dir(dir.join("drop/hires.csv")).unwrap();
    firstpass(dir, &["run", "--once"]).await;
    let list = firstpass(dir, &["feed", "list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["feeds"][0]["folders"], serde_json::json!([]), "{list:#}");
}

#[tokio::test]
async fn an_overdue_feed_is_told_once_in_the_log_and_shown_by_every_command() {
    let mut world = World::with("[[feed]] += expect_every = \"1h\"").await;
    let dir = world.dir.path().to_owned();
    world.clock.set(Clock::System.now() - TimeDelta::hours(5));
    world.drop_file("hires.csv", "employee_id,start_date,zone\nE1,2037-03-02,Europe/Berlin\n");
    world.tick().await;
    world.work().store.close().await;
    world.work = None;
    world.clock.set(Clock::System.now());

    let first = firstpass(&dir, &["run", "--once"]).await;
    assert_eq!(first.stderr.matches("feed hr is overdue").count(), 1, "{}", first.stderr);
    let again = firstpass(&dir, &["run", "--once"]).await;
    assert_eq!(again.stderr.matches("overdue").count(), 0, "once, also over a restart: {}", again.stderr);
    let report = firstpass(&dir, &["run", "--once", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["overdue"].as_array().unwrap().len(), 1, "{report:#}");
    let list = firstpass(&dir, &["feed", "list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["feeds"][0]["overdue"], true, "{list:#}");
    assert_eq!((&list["feeds"][0]["feed"], &list["feeds"][0]["last_file"]), (&"hr".into(), &"hires.csv".into()));
    assert_eq!(list["files"][0]["state"], "taken");
    let check = firstpass(&dir, &["check", "--offline"]).await;
    assert_eq!(check.status, 0, "a note: {}", check.stdout);
    assert!(check.stdout.contains("note  feed hr: overdue: the last file was read"), "{}", check.stdout);
    {
        let _calm = calm(&dir);
        insta::assert_snapshot!(
            "overdue",
            session(&dir, &[&["feed", "list"], &["plan", "--from", "2037-03-02", "--days", "1"], &["run", "--once"]])
                .await
        );
    }

    // A file comes.
    world.clock.set(Clock::System.now());
    world.drop_file("more.csv", "employee_id,start_date,zone\nE2,2037-03-02,Europe/Berlin\n");
    let calm_again = firstpass(&dir, &["run", "--once"]).await;
    assert!(!calm_again.stdout.contains("overdue"), "{}", calm_again.stdout);
    let list = firstpass(&dir, &["feed", "list"]).await;
    assert!(!list.stdout.contains("overdue"), "{}", list.stdout);
    world.restart().await;
    world.finish().await;
}
