//! `plan` and `hire`: what will happen, why somebody is in attention, and what an admin can do.

use crate::world::World;

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
