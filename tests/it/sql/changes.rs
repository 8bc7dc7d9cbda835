//! Held readings and their answers, and changes since a watermark, which never goes past what is
//! not on record.

use firstpass::work::intake;

use super::{Hr, desk, read, sql};
use crate::feed::{FeedDesk, at, counts, said};

const TABLE: &str =
    "CREATE TABLE e (employee_id VARCHAR(20), hire_date VARCHAR(20), country CHAR(2), updated_at TIMESTAMP NULL)";

async fn answer(desk: &FeedDesk, which: &str, yes: bool) -> String {
    let (feed, rules, store, now) = (&desk.feed, &desk.rules, &desk.store, desk.now);
    let report = if yes {
        intake::accept(&said(which, "checked", false), feed, rules, store, now).await
    } else {
        intake::refuse(&said(which, "wrong", false), feed, rules, store, now).await
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

#[tokio::test]
async fn a_row_from_the_future_silences_no_feed() {
    for hr in Hr::all().await {
        let mut desk = changes(&hr).await;
        insert(&hr, "1", "2027-03-01", "10:00:00").await;
        // MariaDB's TIMESTAMP ends in 2038.
        hr.run("INSERT INTO e VALUES ('2', '2027-03-01', 'DE', '2037-01-01 00:00:00')").await;
        assert_eq!(read(&mut desk).await.added, 2, "{}", hr.engine);
        assert_eq!(mark(&desk).await, "2027-01-01 10:00:00", "{}", hr.engine);
        insert(&hr, "3", "2027-03-01", "11:00:00").await;
        assert_eq!(read(&mut desk).await.added, 1, "{}", hr.engine);
        assert_eq!(mark(&desk).await, "2027-01-01 11:00:00", "{}", hr.engine);
    }
}

#[tokio::test]
async fn a_mark_on_record_that_lies_in_the_future_is_not_gone_on_from() {
    let hr = Hr::sqlite();
    let mut desk = changes(&hr).await;
    insert(&hr, "1", "2027-03-01", "10:00:00").await;
    read(&mut desk).await;
    desk.write_sql("UPDATE meta SET value = replace(value, '2027-01-01', '2037-01-01') WHERE key = 'watermark/hr'")
        .await;
    assert_eq!(mark(&desk).await, "2037-01-01 10:00:00");
    insert(&hr, "2", "2027-03-01", "11:00:00").await;
    assert_eq!(read(&mut desk).await.added, 1, "all rows, from the first on");
    assert_eq!(mark(&desk).await, "2027-01-01 11:00:00");
}

/// By a clock that was ahead the starts were over.
#[tokio::test]
async fn f21_what_was_read_by_a_clock_that_was_ahead_is_judged_anew() {
    let hr = Hr::sqlite();
    let (right, ahead) = (at("2027-02-01T00:00:00Z"), at("2027-06-01T00:00:00Z"));
    let mut desk = changes(&hr).await;
    insert(&hr, "1", "2027-03-01", "10:00:00").await;
    insert(&hr, "2", "2027-03-01", "11:00:00").await;
    desk.now = ahead;
    let report = read(&mut desk).await;
    assert_eq!((report.added, report.past), (0, 2));
    desk.now = right;
    let report = read(&mut desk).await;
    assert_eq!((report.added, report.past), (2, 0), "both, also the one before the mark");

    // The same, when the query has all rows each time.
    let mut desk = super::desk(&hr, "SELECT employee_id, hire_date, country FROM e").await;
    desk.now = ahead;
    assert_eq!(read(&mut desk).await.past, 2);
    desk.now = right;
    assert_eq!(read(&mut desk).await.added, 2, "the same rows");
}

#[tokio::test]
async fn f12_a_reading_that_was_cut_off_is_thrown_away_and_nothing_that_others_put_beside_it() {
    let hr = Hr::sqlite();
    let mut desk = changes(&hr).await;
    insert(&hr, "1", "2027-03-01", "10:00:00").await;
    read(&mut desk).await;
    let head = "\"employee_id\",\"hire_date\",\"country\",\"updated_at\"\n";
    let half = format!("{head}\"9\",\"2027-03-01\",\"DE\",\"2027-01-01 10:00:00\"\n");
    for ours in ["work/hr.reading.csv", "work/hr.reading-2.csv"] {
        desk.write(ours, &half);
    }
    let others = ["hires.csv", "hr.csv", "hr.reading.csv.bak"];
    for name in others {
        desk.write(&format!("work/{name}"), "of somebody else");
    }
    assert_eq!(read(&mut desk).await.unchanged, 1);
    assert_eq!(desk.names("work"), [""; 0]);
    assert_eq!(desk.hires().await.len(), 1, "nobody of the reading that was cut off");
    assert_eq!(desk.names(""), others, "where their owner finds them");
    for name in others {
        assert_eq!(desk.text(name), "of somebody else");
    }
}
