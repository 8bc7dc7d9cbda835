//! Watermarks of every kind: times, numbers, numbers that are times, versions; and what is never gone past.

use super::{Hr, desk, read, sql, stopped};
use crate::feed::FeedDesk;

/// A feed of changes whose mark is a column of this type; `mark` is the place of the bound value.
async fn changes(hr: &Hr, kind: &str, cast: &str, from: &str) -> FeedDesk {
    hr.run(&format!(
        "CREATE TABLE e (employee_id VARCHAR(20), hire_date VARCHAR(20), country CHAR(2), changed {kind})"
    ))
    .await;
    let mark = match (hr.engine, cast) {
        ("postgres", _) => format!("CAST($1 AS {cast})"),
        // Bound as text; a number of SQLite is less than any text.
        ("sqlite", "numeric") => "CAST(? AS NUMERIC)".to_owned(),
        (_, _) => "?".to_owned(),
    };
    let mut desk =
        desk(hr, &format!("SELECT employee_id, hire_date, country, changed FROM e WHERE changed >= {mark}")).await;
    sql(&mut desk).watermark = Some("changed".to_owned());
    from.clone_into(&mut sql(&mut desk).watermark_from);
    desk
}

async fn insert(hr: &Hr, id: &str, mark: &str) {
    hr.run(&format!("INSERT INTO e VALUES ('{id}', '2027-03-01', 'DE', {mark})")).await;
}

async fn mark(desk: &FeedDesk) -> String {
    let value = desk.ask("SELECT value FROM meta WHERE key = 'watermark/hr'").await.pop().unwrap_or_default();
    value.split_once(' ').map(|(_, mark)| mark.to_owned()).unwrap_or_default()
}

/// SQL Server's rowversion as `CONVERT(varchar(18), row_version, 1)` writes it.
#[tokio::test]
async fn a_hexadecimal_row_version_advances() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr, "VARCHAR(18)", "varchar", "0x0000000000000000").await;
        insert(&hr, "1", "'0x00000000000007CF'").await;
        insert(&hr, "2", "'0x00000000000007D1'").await;
        assert_eq!(read(&mut desk).await.added, 2, "{}", hr.engine);
        assert_eq!(mark(&desk).await, "0x00000000000007D1", "{}", hr.engine);
        insert(&hr, "3", "'0x0000000000000801'").await;
        let report = read(&mut desk).await;
        assert_eq!((report.rows, report.added), (2, 1), "{}: the one of the mark, and the new one", hr.engine);
        assert_eq!(mark(&desk).await, "0x0000000000000801", "{}", hr.engine);
    }
}

/// 1 February 2027 in every way in which a column of numbers may say it, and a row of the year 2099.
#[tokio::test]
async fn f50_numbers_that_are_times_are_not_followed_into_the_future() {
    for hr in Hr::all().await {
        for (old, new, future) in [
            ("20270130", "20270131", "20990101"),
            ("20270130120000", "20270131120000", "20990101000000"),
            ("1801440000", "1801450000", "4070908800"),
            ("1801440000000", "1801450000000", "4070908800000"),
        ] {
            hr.run("DROP TABLE IF EXISTS e").await;
            let mut desk = changes(&hr, "BIGINT", "numeric", "0").await;
            insert(&hr, "1", old).await;
            insert(&hr, "2", future).await;
            assert_eq!(read(&mut desk).await.added, 2, "{} {future}: the row itself counts", hr.engine);
            assert_eq!(mark(&desk).await, old, "{}", hr.engine);
            insert(&hr, "3", new).await;
            assert_eq!(read(&mut desk).await.added, 1, "{} {new}: the feed is not silenced", hr.engine);
            assert_eq!(mark(&desk).await, new, "{}", hr.engine);
        }
        // A counter is no time, however large it is.
        hr.run("DROP TABLE IF EXISTS e").await;
        let mut desk = changes(&hr, "BIGINT", "numeric", "0").await;
        insert(&hr, "1", "7").await;
        insert(&hr, "2", "20990101").await;
        read(&mut desk).await;
        assert_eq!(mark(&desk).await, "20990101", "{}", hr.engine);
    }
}

#[tokio::test]
async fn numbers_with_digits_behind_the_point_pass_no_rejected_row() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr, "NUMERIC(12,2)", "numeric", "0").await;
        hr.run("INSERT INTO e VALUES ('1', 'soon', 'DE', 9.5)").await;
        hr.run("INSERT INTO e VALUES ('2', 'soon', 'DE', 10.5)").await;
        insert(&hr, "3", "11.25").await;
        assert_eq!(read(&mut desk).await.rejected, 2, "{}", hr.engine);
        assert!(mark(&desk).await.starts_with("9.5"), "{}: {}", hr.engine, mark(&desk).await);
        hr.run("UPDATE e SET hire_date = '2027-03-01' WHERE employee_id = '1'").await;
        assert_eq!(read(&mut desk).await.added, 1, "{}", hr.engine);
    }
}

/// Such a row is behind every mark: the feed stays where it is until the row is right.
#[tokio::test]
async fn a_rejected_row_whose_mark_has_no_place_keeps_the_feed_from_going_on() {
    let Some(hr) = Hr::postgres().await else { return };
    let mut desk = changes(&hr, "timestamp", "timestamp", "-infinity").await;
    hr.run("INSERT INTO e VALUES ('1', 'soon', 'DE', '-infinity')").await;
    insert(&hr, "2", "'2027-01-01 10:00'").await;
    assert_eq!(read(&mut desk).await.rejected, 1);
    assert_eq!(mark(&desk).await, "");
    hr.run("UPDATE e SET hire_date = '2027-03-01' WHERE employee_id = '1'").await;
    assert_eq!(read(&mut desk).await.added, 1, "it was not lost");
    assert_eq!(mark(&desk).await, "2027-01-01 10:00:00");
}

/// In a zone with summer time an hour comes twice, and its texts do not sort as its instants.
#[tokio::test]
async fn f27_the_hour_that_comes_twice_passes_no_rejected_row() {
    let Some(hr) = Hr::postgres().await else { return };
    let mut desk = changes(&hr, "timestamptz", "timestamptz", "2020-01-01").await;
    let query = sql(&mut desk).query.clone();
    super::ask(&mut desk, &format!("{}?timezone=Europe/Berlin", hr.url), &query);
    sql(&mut desk).watermark = Some("changed".to_owned());
    hr.run("INSERT INTO e VALUES ('1', 'soon', 'DE', '2026-10-25 00:30Z'), ('2', 'soon', 'DE', '2026-10-25 01:10Z')")
        .await;
    insert(&hr, "3", "'2026-10-25 02:00Z'").await;
    assert_eq!(read(&mut desk).await.rejected, 2);
    assert_eq!(mark(&desk).await, "2026-10-25 02:30:00+02", "that is 00:30 UTC");
    hr.run("UPDATE e SET hire_date = '2027-03-01' WHERE employee_id = '1'").await;
    assert_eq!(read(&mut desk).await.added, 1, "it was not lost");
}

#[tokio::test]
async fn a_mark_of_no_known_kind_is_never_gone_past_and_said() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr, "VARCHAR(40)", "varchar", "").await;
        insert(&hr, "1", "'01/03/2027'").await;
        insert(&hr, "2", "'02/03/2027'").await;
        assert_eq!(read(&mut desk).await.added, 2, "{}", hr.engine);
        assert_eq!(mark(&desk).await, "", "{}", hr.engine);
        insert(&hr, "3", "'01/02/2027'").await;
        assert_eq!(read(&mut desk).await.added, 1, "{}: everything is read each time", hr.engine);
    }
    let hr = Hr::sqlite();
    let mut desk = changes(&hr, "TEXT", "text", "").await;
    insert(&hr, "1", &format!("'{}'", "9".repeat(20_000))).await;
    assert!(stopped(&mut desk).await.starts_with("feed.watermark is a text of more than 16384 characters"));
}
