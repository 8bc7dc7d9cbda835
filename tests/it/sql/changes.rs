//! Held readings and their answers, and changes since a watermark, which never goes past what is
//! not on record.

use firstpass::work::intake;

use super::{Hr, desk, read, sql};
use crate::feed::{FeedDesk, counts};

const TABLE: &str =
    "CREATE TABLE e (employee_id VARCHAR(20), hire_date VARCHAR(20), country CHAR(2), updated_at TIMESTAMP NULL)";

async fn answer(desk: &FeedDesk, which: &str, yes: bool) -> String {
    let (feed, rules, store, now) = (&desk.feed, &desk.rules, &desk.store, desk.now);
    let report = if yes {
        intake::accept(which, feed, rules, store, now, "checked", "ada", false).await
    } else {
        intake::refuse(which, feed, rules, store, now, "wrong", "ada", false).await
    };
    report.unwrap().state
}

async fn files(desk: &FeedDesk) -> Vec<String> {
    desk.ask("SELECT state || ' ' || rows FROM file ORDER BY id").await
}

#[tokio::test]
async fn a_held_reading_waits_for_an_answer_and_is_not_held_anew_at_each_poll() {
    for hr in Hr::all().await {
        hr.run(&format!("{TABLE}; INSERT INTO e VALUES ('1', '2027-03-01', 'DE', NULL)")).await;
        let mut desk = desk(&hr, "SELECT employee_id, hire_date, country FROM e").await;
        read(&mut desk).await;
        desk.feed.max_new = 2;
        let some = |from: i32| {
            (from..from + 3).map(|n| format!("('{n}', '2027-03-01', 'DE', NULL)")).collect::<Vec<_>>().join(",")
        };
        hr.run(&format!("INSERT INTO e VALUES {}", some(10))).await;
        for _ in 0..3 {
            assert_eq!(read(&mut desk).await.state, "held", "{}", hr.engine);
        }
        assert_eq!(files(&desk).await, ["taken 1", "held 4"]);
        assert_eq!(desk.names("held").len(), 2, "the rows and the report: {:?}", desk.names("held"));
        assert_eq!(answer(&desk, "hr.reading.csv", true).await, "taken");
        assert_eq!(desk.hires().await.len(), 4);
        assert_eq!(desk.names("held"), [""; 0], "the rows are gone, and the report with them");

        hr.run(&format!("INSERT INTO e VALUES {}", some(20))).await;
        let held = read(&mut desk).await;
        assert_eq!(answer(&desk, &held.sha256[..8], false).await, "refused");
        for _ in 0..2 {
            assert_eq!(read(&mut desk).await.state, "refused", "not asked again for the same rows");
        }
        assert_eq!(desk.hires().await.len(), 4);
        hr.run("INSERT INTO e VALUES ('30', '2027-03-01', 'DE', NULL)").await;
        assert_eq!(read(&mut desk).await.state, "held", "other rows are another question");
        hr.run("DELETE FROM e WHERE employee_id >= '20'").await;
        assert_eq!(read(&mut desk).await.state, "taken");
        assert_eq!(files(&desk).await, ["taken 1", "taken 4", "refused 7", "superseded 8", "taken 4"]);
    }
}

/// A feed that reads changes.
async fn changes(hr: &Hr) -> FeedDesk {
    hr.run(TABLE).await;
    let query = format!("SELECT employee_id, hire_date, country, updated_at FROM e WHERE updated_at >= {}", hr.mark());
    let mut desk = desk(hr, &query).await;
    sql(&mut desk).watermark = Some("updated_at".to_owned());
    desk
}

async fn mark(desk: &FeedDesk) -> String {
    let value = desk.ask("SELECT value FROM meta WHERE key = 'watermark/hr'").await.pop().unwrap_or_default();
    value.split_once(' ').map(|(_, mark)| mark.to_owned()).unwrap_or_default()
}

async fn insert(hr: &Hr, id: &str, day: &str, at: &str) {
    hr.run(&format!("INSERT INTO e VALUES ('{id}', '{day}', 'DE', '2027-01-01 {at}')")).await;
}

#[tokio::test]
async fn changes_are_read_since_the_watermark_and_equal_instants_are_not_lost() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr).await;
        assert_eq!(desk.poll().await.len(), 0, "nobody yet is nothing new");
        insert(&hr, "1", "2027-03-01", "10:00:00").await;
        insert(&hr, "2", "2027-03-01", "11:00:00").await;
        assert_eq!(counts(&read(&mut desk).await)[..2], [2, 2], "{}", hr.engine);
        assert_eq!(mark(&desk).await, "2027-01-01 11:00:00", "{}", hr.engine);
        insert(&hr, "3", "2027-03-01", "11:00:00").await;
        assert_eq!(counts(&read(&mut desk).await)[..2], [2, 1], "the same second as the last one");
        assert_eq!(read(&mut desk).await.added, 0);
        hr.run("UPDATE e SET hire_date = '2027-03-08', updated_at = '2027-01-01 12:00:00' WHERE employee_id = '1'")
            .await;
        assert_eq!(counts(&read(&mut desk).await)[..3], [3, 0, 1], "the moved one, and the second of the mark again");
        assert_eq!(mark(&desk).await, "2027-01-01 12:00:00");
        // The same source under other rules is read from its start.
        desk.feed.columns = [("country".to_owned(), String::new())].into();
        assert_eq!(read(&mut desk).await.rows, 3);
        assert_eq!(desk.hires().await.len(), 3);
    }
}

#[tokio::test]
async fn the_watermark_stays_before_a_rejected_row_until_it_is_right() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr).await;
        insert(&hr, "1", "2027-03-01", "10:00:00").await;
        insert(&hr, "2", "03/04/2027", "10:30:00").await;
        insert(&hr, "3", "2027-03-01", "11:00:00").await;
        let report = read(&mut desk).await;
        assert_eq!((report.added, report.rejected, report.new_rejects), (2, 1, 1), "{}", hr.engine);
        assert_eq!(mark(&desk).await, "2027-01-01 10:30:00", "{}", hr.engine);
        insert(&hr, "4", "2027-03-01", "12:00:00").await;
        let report = read(&mut desk).await;
        assert_eq!((report.rows, report.added, report.rejected, report.new_rejects), (3, 1, 1, 0), "told once");
        assert_eq!(mark(&desk).await, "2027-01-01 10:30:00");
        // Our own settings mend it: the row itself does not change.
        desk.feed.date_format = Some(firstpass::rules::dates::DateFormat::parse("%d/%m/%Y").unwrap());
        hr.run("UPDATE e SET hire_date = '01/03/2027' WHERE employee_id <> '2'").await;
        let report = read(&mut desk).await;
        assert_eq!((report.rows, report.added, report.rejected), (4, 1, 0), "{}", hr.engine);
        assert_eq!(mark(&desk).await, "2027-01-01 12:00:00");
    }
}

#[tokio::test]
async fn the_watermark_stays_before_a_held_reading() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr).await;
        insert(&hr, "1", "2027-03-01", "10:00:00").await;
        read(&mut desk).await;
        desk.feed.max_new = 0;
        insert(&hr, "2", "2027-03-01", "11:00:00").await;
        assert_eq!(read(&mut desk).await.state, "held");
        assert_eq!(mark(&desk).await, "2027-01-01 10:00:00", "{}", hr.engine);
        assert_eq!(answer(&desk, "hr.reading.csv", true).await, "taken");
        assert_eq!(desk.hires().await.len(), 2);
        assert_eq!(read(&mut desk).await.added, 0);
        insert(&hr, "3", "2027-03-01", "12:00:00").await;
        desk.feed.max_new = 10;
        assert_eq!(read(&mut desk).await.added, 1);
        assert_eq!(mark(&desk).await, "2027-01-01 12:00:00", "{}", hr.engine);
    }
}

#[tokio::test]
async fn f12_a_crash_between_the_rows_and_the_watermark_loses_nothing() {
    let hr = Hr::sqlite();
    let mut desk = changes(&hr).await;
    insert(&hr, "1", "2027-03-01", "10:00:00").await;
    insert(&hr, "2", "03/04/2027", "10:30:00").await;
    let first = read(&mut desk).await;
    // As if the process had died after the commit: the rows still lie in work/, nothing beside it.
    let again = desk.dir.path().join("again.csv");
    std::fs::write(&again, "\"employee_id\",\"hire_date\",\"country\",\"updated_at\"\n\"1\",\"2027-03-01\",\"DE\",\"2027-01-01 10:00:00\"\n\"2\",\"03/04/2027\",\"DE\",\"2027-01-01 10:30:00\"\n").unwrap();
    std::fs::rename(&again, desk.folder().join("work/hr.reading.csv")).unwrap();
    std::fs::remove_file(desk.folder().join(&first.rejected_at)).unwrap();
    desk.write_sql("DELETE FROM meta WHERE key = 'watermark/hr'").await;
    let second = read(&mut desk).await;
    assert_eq!((second.added, second.rejected), (0, 1));
    assert_eq!(desk.names("work"), [""; 0]);
    assert!(desk.text(&first.rejected_at).contains("03/04/2027"), "each rejected row stands in a file");
    assert_eq!(files(&desk).await, ["taken 2"]);
}
