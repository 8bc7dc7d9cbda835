//! `expect_every` of a database feed: one that answers is not silent, whatever became of its rows
//! (contract 4, fault 50).

use firstpass::work::intake;

use super::{Hr, ask, desk, read, sql, stopped};
use crate::feed::{FeedDesk, at, said};

const QUERY: &str = "SELECT employee_id, hire_date, country FROM e";

async fn told(desk: &FeedDesk) -> Vec<String> {
    desk.ask("SELECT why FROM event WHERE what = 'feed-overdue' ORDER BY seq").await
}

/// Polls as a service does, every twelve hours, up to a moment.
async fn days_until(desk: &mut FeedDesk, end: &str) {
    while desk.now < at(end) {
        let next = (desk.now + chrono::TimeDelta::hours(12)).min(at(end));
        desk.now = next;
        let _ = desk.try_poll().await;
        desk.upkeep_at(&next.to_rfc3339()).await;
    }
}

async fn people(hr: &Hr, n: std::ops::Range<u32>) {
    let rows: Vec<String> = n.map(|n| format!("('{n}', '2027-06-01', 'DE')")).collect();
    hr.run(&format!("INSERT INTO e VALUES {}", rows.join(","))).await;
}

#[tokio::test]
async fn f50_a_database_whose_readings_are_held_refused_or_rejected_is_not_overdue() {
    let hr = Hr::sqlite();
    hr.run("CREATE TABLE e (employee_id VARCHAR(20), hire_date VARCHAR(20), country CHAR(2))").await;
    people(&hr, 0..1).await;
    let mut desk = desk(&hr, QUERY).await;
    read(&mut desk).await;
    desk.upkeep_at("2027-02-01T00:00:01Z").await;
    desk.feed.max_new = 2;
    people(&hr, 10..20).await;
    days_until(&mut desk, "2027-02-05T00:00:00Z").await;
    assert_eq!(desk.ask("SELECT state FROM file ORDER BY id").await, ["taken", "held"], "held for days");
    assert_eq!(told(&desk).await, [""; 0]);
    let (feed, rules, store, now) = (&desk.feed, &desk.rules, &desk.store, desk.now);
    intake::refuse(&said("hr.reading.csv", "wrong", false), feed, rules, store, now).await.unwrap();
    days_until(&mut desk, "2027-02-10T00:00:00Z").await;
    assert_eq!(told(&desk).await, [""; 0], "refused, and the same rows are not asked about again");
    // More rows are bad than any real list has: nothing of it is taken.
    hr.run("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100100) INSERT INTO e SELECT 'b' || n, 'soon', 'DE' FROM n").await;
    sql(&mut desk).max_rows = 1_000_000;
    days_until(&mut desk, "2027-02-12T00:00:00Z").await;
    let states = desk.ask("SELECT state FROM file ORDER BY id").await;
    assert_eq!(states, ["taken", "refused", "rejected"]);
    assert_eq!(told(&desk).await, [""; 0], "rejected");

    // Then it answers no more.
    ask(&mut desk, "sqlite:/no/such/hr.db", QUERY);
    stopped(&mut desk).await;
    days_until(&mut desk, "2027-02-13T00:00:00Z").await;
    assert_eq!(told(&desk).await, [""; 0], "26 h are not over");
    days_until(&mut desk, "2027-02-16T00:00:00Z").await;
    let told = told(&desk).await;
    assert_eq!(told.len(), 1, "once: {told:?}");
    assert!(
        told[0].starts_with("an answer of the database was expected by 2027-02-13T02:00:00Z; the last was"),
        "{told:?}"
    );
}

#[tokio::test]
async fn changes_that_are_none_for_days_are_an_answer_too() {
    let hr = Hr::sqlite();
    hr.run("CREATE TABLE e (employee_id VARCHAR(20), hire_date DATE, country CHAR(2), updated_at TEXT)").await;
    let mut desk = desk(&hr, "SELECT * FROM e WHERE updated_at > ?").await;
    sql(&mut desk).watermark = Some("updated_at".to_owned());
    days_until(&mut desk, "2027-02-05T00:00:00Z").await;
    assert_eq!(told(&desk).await, [""; 0], "nobody was ever hired");
    hr.run("INSERT INTO e VALUES ('1', '2027-06-01', 'DE', '2027-02-05 00:00:00')").await;
    desk.feed.max_new = 0;
    days_until(&mut desk, "2027-02-10T00:00:00Z").await;
    assert_eq!(desk.ask("SELECT state FROM file").await, ["held"]);
    assert_eq!(told(&desk).await, [""; 0]);
    ask(&mut desk, "sqlite:/no/such/hr.db", QUERY);
    days_until(&mut desk, "2027-02-12T00:00:00Z").await;
    assert_eq!(told(&desk).await.len(), 1);
}
