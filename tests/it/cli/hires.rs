//! `plan` and `hire`: what will happen, why somebody is in attention, and what an admin can do.

use std::path::Path;

use firstpass::clock::Clock;

use crate::world::World;

use super::running::noon_somewhere;
use super::{HIRES, OTHER_TENANT, calm, firstpass, session, weekend};

#[tokio::test]
async fn what_will_happen_on_monday_and_why_is_grace_in_attention() {
    let world = weekend().await;
    let dir = world.dir.path();
    let _calm = calm(dir);
    insta::assert_snapshot!(
        "monday",
        session(
            dir,
            &[
                &["plan", "--from", "2037-03-01", "--days", "2"],
                &["plan", "--from", "2037-04-01"],
                &["plan", "--from", "someday"],
                &["hire", "list"],
                &["hire", "list", "--state", "attention"],
                &["hire", "list", "--state", "held"],
                &["hire", "show", "E2"],
                &["hire", "show", "contoso/E1"],
            ]
        )
        .await
    );

    let plan = firstpass(dir, &["plan", "--from", "2037-03-01", "--json"]).await;
    let plan: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan.len(), 4);
    for key in [
        "send_utc",
        "send_local",
        "start_utc",
        "start_local",
        "tenant",
        "employee_id",
        "display_name",
        "manager",
        "state",
        "reason",
    ] {
        assert!(plan.iter().all(|line| line.contains_key(key)), "{key}");
    }
    let ada = plan.iter().find(|line| line["employee_id"] == "E1").unwrap();
    assert_eq!(ada["send_utc"], "2037-03-02T06:00:00Z");
    assert_eq!(ada["start_local"], "2037-03-02 09:00 Europe/Berlin");
    let list = firstpass(dir, &["hire", "list", "--json"]).await;
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!(list[0].as_object().unwrap().len(), 26, "every column of review_hire");
    world.finish().await;
}

#[tokio::test]
async fn an_admin_holds_releases_cancels_and_retries() {
    let mut world = weekend().await;
    let dir = world.dir.path().to_owned();
    let _calm = calm(&dir);
    insta::assert_snapshot!(
        "acts",
        session(
            &dir,
            &[
                &["hire", "hold", "E1", "--reason", "HR asked to wait", "--dry-run"],
                &["hire", "hold", "E1", "--reason", "HR asked to wait"],
                &["hire", "hold", "E1", "--reason", "twice"],
                &["hire", "release", "E1", "--reason", "HR is sure now"],
                &["hire", "cancel", "E3", "--reason", "will not come"],
                &["hire", "retry", "E3", "--reason", "after all"],
                &["hire", "retry", "E2", "--reason", "the phone is removed", "--dry-run"],
                &["hire", "show", "E1"],
            ]
        )
        .await
    );
    let json = firstpass(&dir, &["hire", "hold", "E2", "--reason", "x", "--dry-run", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["dry_run"]), (&"held".into(), &true.into()));
    world.tick().await;
    assert_eq!(world.state("E3").await.0, "cancelled");
    world.finish().await;
}

/// The last lines of `hire show`.
async fn next(dir: &Path, key: &str) -> String {
    let shown = firstpass(dir, &["hire", "show", key]).await;
    let next = shown.stdout.split_once("What comes next\n").map(|(_, next)| next.to_owned());
    format!("{key} next: {}\n", next.unwrap_or(shown.stderr).trim())
}

#[tokio::test]
async fn a_cancelled_hire_says_what_is_true_of_its_pass() {
    let world = World::new().await;
    let dir = world.dir.path();
    world.clock.set(Clock::System.now());
    let (zone, today) = noon_somewhere();
    let rows =
        format!("E1,ada.lovelace@contoso.example,{today},{zone}\nE2,grace.hopper@contoso.example,2037-03-02,{zone}\n");
    world.drop_file("hires.csv", &format!("employee_id,user,start_date,zone\n{rows}"));
    let once = firstpass(dir, &["run", "--once"]).await;
    assert!(once.stdout.contains("1 delivered"), "{}{}", once.stdout, once.stderr);

    let cancel = |key: &'static str| ["hire", "cancel", key, "--reason", "will not come"];
    let mut told = session(dir, &[&cancel("E1"), &cancel("E1"), &cancel("E2"), &cancel("E2")]).await;
    let json = [&["--json"][..], &cancel("E1")].concat();
    let asked = firstpass(dir, &json).await;
    let asked: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(
        (&asked["changed"], &asked["pass_live"], &asked["service"]),
        (&false.into(), &true.into(), &"none".into())
    );
    told += &next(dir, "E1").await;
    told += &next(dir, "E2").await;

    // The service deletes the pass and tells the manager.
    firstpass(dir, &["run", "--once"]).await;
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty());
    let asked = firstpass(dir, &json).await;
    let asked: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!((&asked["state"], &asked["pass_live"]), (&"cancelled".into(), &false.into()), "{asked:#}");
    told += "deleted\n";
    told += &session(dir, &[&cancel("E1")]).await;
    told += &next(dir, "E1").await;
    insta::assert_snapshot!("cancelled", told);
}

#[tokio::test]
async fn an_employee_id_in_two_tenants_names_both() {
    let world = World::with(OTHER_TENANT).await;
    let dir = world.dir.path();
    std::fs::create_dir(dir.join("drop-fabrikam")).unwrap();
    std::fs::write(dir.join("new.csv"), HIRES).unwrap();
    for feed in ["hr", "fabrikam-hr"] {
        let ran = firstpass(dir, &["import", "new.csv", "--feed", feed]).await;
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let asked = firstpass(dir, &["hire", "show", "E1"]).await;
    assert_eq!(asked.status, 1);
    assert!(asked.stderr.contains("contoso/E1") && asked.stderr.contains("fabrikam/E1"), "{}", asked.stderr);
    let named = firstpass(dir, &["hire", "hold", "fabrikam/E1", "--reason", "wait"]).await;
    assert_eq!(named.status, 0, "{}", named.stderr);
    let held = firstpass(dir, &["hire", "list", "--state", "held", "--json"]).await;
    let held: Vec<serde_json::Value> = serde_json::from_str(&held.stdout).unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["tenant"], "fabrikam");
}

#[tokio::test]
async fn a_cohort_that_the_mail_server_cannot_take_in_time_is_told_days_before() {
    let mut world = World::with("[mail] += per_minute = 1").await;
    world.set(super::FRIDAY);
    let rows: Vec<String> = (0..150)
        .map(|n| format!("T{n:03},Trainee {n},2037-03-02,Europe/Berlin"))
        .chain((0..3).map(|n| format!("U{n:03},Usual {n},2037-03-09,Europe/Berlin")))
        .collect();
    world.drop_file("cohort.csv", &format!("employee_id,display_name,start_date,zone\n{}\n", rows.join("\n")));
    world.tick().await;
    let plan = firstpass(world.dir.path(), &["plan", "--from", "2037-03-01"]).await;
    let warnings: Vec<&str> = plan.stdout.lines().filter(|line| line.contains("WARNING")).collect();
    // 07:00 and 120 minutes until nine: the 122nd letter leaves at 09:01.
    assert_eq!(
        warnings,
        [
            "  WARNING: too many letters: 150 are due, and mail.per_minute = 1 lets the last one (contoso/T149) leave at \
          2037-03-02 09:29 Europe/Berlin. 29 leave after their hire's start, first that of contoso/T121. Raise \
          mail.per_minute to what the mail server takes, or send earlier (schedule.send_at)"
        ]
    );
    let json = firstpass(world.dir.path(), &["plan", "--from", "2037-03-01", "--json"]).await;
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&json.stdout).unwrap().len(), 153);
    world.finish().await;
}

#[tokio::test]
async fn one_command_answers_for_monday_and_for_grace() {
    let mut world = weekend().await;
    let dir = world.dir.path().to_owned();
    // Grace starts on Monday; asked for Tuesday alone, her trouble is told all the same.
    let tuesday = firstpass(&dir, &["plan", "--from", "2037-03-03", "--days", "1"]).await.stdout;
    let (days, others) = tuesday.split_once("Also in attention, with other start dates:\n").unwrap();
    assert!(days.contains("contoso/E3 Alan Turing") && !days.contains("E2"), "{days}");
    assert!(others.contains("contoso/E2 Grace Hopper") && others.contains("user-registered"), "{others}");
    // A held file stands above everything.
    world.work().store.close().await;
    let settings = std::fs::read_to_string(dir.join("firstpass.toml")).unwrap();
    std::fs::write(dir.join("firstpass.toml"), settings.replace("settle = \"0s\"", "settle = \"0s\"\nmax_new = 0"))
        .unwrap();
    std::fs::write(dir.join("more.csv"), "employee_id,start_date,zone\nE7,2037-03-02,Europe/Berlin\n").unwrap();
    assert_eq!(firstpass(&dir, &["import", "more.csv", "--feed", "hr"]).await.status, 1);
    let monday = firstpass(&dir, &["plan", "--from", "2037-03-02", "--days", "1"]).await.stdout;
    assert!(monday.starts_with("Look at this first:\n  feed hr: more.csv is held: 1 new hires, and max_new is 0. `firstpass feed accept more.csv"), "{monday}");
    world.restart().await;
    world.finish().await;
}
