//! How everything stands, counted on both engines, and by indexes.

use sqlx::Row as _;

use super::{at, hire, hire_of, number, on_both, postgres, sql, sqlite};

#[tokio::test]
async fn hires_are_counted_by_state_and_reason_and_the_oldest_due_is_known() {
    let seen = on_both!(|store| {
        for id in ["E1", "E2", "E3"] {
            hire(&store, id).await;
        }
        hire_of(&store, "fabrikam", "F1", at(6, 0)).await;
        hire_of(&store, "fabrikam", "F2", at(6, 0)).await;
        // E2 was retried at 09:00; E3 is on its way; F1 needs a person; F2 is withdrawn and still pending.
        let text =
            "UPDATE hire SET send_at = send_at - 7200000, window_from = send_at + 10800000 WHERE employee_id = 'E2'";
        sql(&store, text).await.unwrap();
        sql(&store, "UPDATE hire SET state = 'issuing' WHERE employee_id = 'E3'").await.unwrap();
        let attention =
            "UPDATE hire SET state = 'attention', reason = 'user-missing', look_at = NULL WHERE employee_id = 'F1'";
        sql(&store, attention).await.unwrap();
        sql(&store, "UPDATE hire SET feed_status = 'withdrawn' WHERE employee_id = 'F2'").await.unwrap();
        let all = store.standing(at(10, 0)).await.unwrap();
        let mut hires: Vec<String> = all
            .hires
            .iter()
            .map(|at| format!("{} {} {:?} {} {:?}", at.tenant, at.state, at.reason, at.n, at.due_since))
            .collect();
        hires.sort();
        let total: i64 = all.hires.iter().map(|at| at.n).sum();
        assert_eq!(total, number(&store, "SELECT count(*) FROM hire").await, "nobody is left out or counted twice");
        let early = store.standing(at(3, 59)).await.unwrap();
        assert!(early.hires.iter().all(|at| at.due_since.is_none()), "not due before its time: {:?}", early.hires);
        let far = store.standing(at(10, 0) + chrono::TimeDelta::days(3)).await.unwrap();
        (hires, format!("{:?}", all.near), far.near.len())
    });
    assert_eq!(
        seen.0,
        [
            "contoso issuing \"\" 1 Some(2027-03-01T06:00:00Z)",
            "contoso pending \"\" 2 Some(2027-03-01T06:00:00Z)",
            "fabrikam attention \"user-missing\" 1 None",
            "fabrikam pending \"\" 1 None",
        ]
    );
    assert_eq!(seen.1, "[NearAttention { tenant: \"fabrikam\", reason: \"user-missing\", n: 1 }]");
    assert_eq!(seen.2, 0, "a start of three days ago is not near");
}

#[tokio::test]
async fn a_held_file_is_seen_until_a_newer_one_takes_its_place() {
    on_both!(|store| {
        assert_eq!(store.feed_standing("hr").await.unwrap(), None);
        let file = "INSERT INTO file (feed, file, sha256, read_at, rejected, state) VALUES ('hr', 'a.csv', 'a', 1000, 3, 'held')";
        sql(&store, file).await.unwrap();
        let newest = store.feed_standing("hr").await.unwrap().unwrap();
        assert_eq!((newest.rejected, newest.held, newest.read_at.timestamp()), (3, 1, 1));
        sql(&store, "UPDATE file SET state = 'superseded'").await.unwrap();
        let file = "INSERT INTO file (feed, file, sha256, read_at, rejected, state) VALUES ('hr', 'b.csv', 'b', 2000, 0, 'taken')";
        sql(&store, file).await.unwrap();
        let newest = store.feed_standing("hr").await.unwrap().unwrap();
        assert_eq!((newest.rejected, newest.held, newest.read_at.timestamp()), (0, 0, 2));
        assert_eq!(store.feed_standing("other").await.unwrap(), None);
    });
}

/// A scrape every few seconds must not walk through years of hires.
#[tokio::test]
async fn finished_hires_are_counted_by_an_index() {
    let temp = sqlite().await;
    let firstpass::store::Store::Sqlite { read, .. } = &temp.store else { unreachable!() };
    let plan = sqlx::query(
        "EXPLAIN QUERY PLAN SELECT tenant, state, coalesce(reason, ''), count(*) FROM hire
         WHERE current = 1 AND state <> 'pending' GROUP BY state, tenant, reason",
    );
    let plan: Vec<String> = plan.fetch_all(read).await.unwrap().iter().map(|row| row.get(3)).collect();
    assert_eq!(plan, ["SCAN hire USING COVERING INDEX hire_standing"]);
}
