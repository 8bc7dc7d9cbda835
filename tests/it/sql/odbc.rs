//! The same stories through ODBC, with the drivers of PostgreSQL and SQLite (feature `odbc`); SQL
//! Server and Oracle have no server that may be started here. A machine without the drivers says so.

use std::path::Path;
use std::time::Duration;

use firstpass::feed::sql as feed_sql;

use super::proxy::{Mode, Proxy};
use super::taken::{as_file, as_table, hires};
use super::types::{POSTGRES, SQLITE, outcomes};
use super::{Hr, ask, desk, read, sql, stopped};
use crate::feed::{FeedDesk, counts};

const EMPLOYEES: &str = "CREATE TABLE employees (employee_id VARCHAR(20), hire_date DATE, country CHAR(2));
    INSERT INTO employees VALUES ('1', '2027-03-01', 'DE'), ('2', '2027-03-01', 'GB')";
const QUERY: &str = "SELECT employee_id, hire_date, country FROM employees";

fn has(driver: &str) -> bool {
    let drivers = odbc_api::environment().and_then(odbc_api::Environment::drivers).unwrap_or_default();
    let found = drivers.iter().any(|found| found.description == driver);
    if !found {
        eprintln!("skipped: ODBC with {driver} (apt-get install odbc-postgresql libsqliteodbc)");
    }
    found
}

async fn postgres() -> Option<Hr> {
    if !has("PostgreSQL Unicode") {
        return None;
    }
    let mut hr = Hr::postgres().await?;
    let socket = hr.address().parent().unwrap().display().to_string();
    hr.by_odbc = Some(on_postgres(&hr, &socket, 5432));
    Some(hr)
}

fn on_postgres(hr: &Hr, server: &str, port: u16) -> String {
    format!(
        "odbc:Driver={{PostgreSQL Unicode}};Server={server};Port={port};Database={};UID=postgres;PWD={{pw-secret}}",
        hr.name()
    )
}

fn sqlite() -> Option<Hr> {
    if !has("SQLite3") {
        return None;
    }
    let mut hr = Hr::sqlite();
    hr.by_odbc = Some(format!("odbc:Driver=SQLite3;Timeout=1000;StepAPI=1;Database={}", &hr.url["sqlite:".len()..]));
    Some(hr)
}

async fn all() -> Vec<Hr> {
    [sqlite(), postgres().await].into_iter().flatten().collect()
}

async fn company(hr: &Hr) -> FeedDesk {
    hr.run(EMPLOYEES).await;
    let mut desk = desk(hr, QUERY).await;
    desk.feed.complete = true;
    assert_eq!(read(&mut desk).await.added, 2, "{}", hr.engine);
    desk
}

#[tokio::test]
async fn a_thousand_people_are_the_same_hires_from_a_file_and_through_odbc() {
    let mut by_file = FeedDesk::new().await;
    let file = by_file.drop_file("hires.csv", as_file()).await;
    for hr in all().await {
        as_table(&hr).await;
        let mut desk = desk(&hr, "SELECT * FROM employees").await;
        let report = read(&mut desk).await;
        assert_eq!(counts(&report), counts(&file), "{}", hr.engine);
        assert_eq!(hires(&desk).await, hires(&by_file).await, "{}", hr.engine);
    }
}

#[tokio::test]
async fn types_of_sqlite_through_odbc() {
    let Some(hr) = sqlite() else { return };
    let (blob, others) = SQLITE.split_last().unwrap();
    insta::assert_snapshot!(outcomes(&hr, others).await);
    assert_eq!(blob.id, "BLOB");
    hr.run("CREATE TABLE b (employee_id BLOB, hire_date DATE); INSERT INTO b VALUES (x'42', '2027-03-01')").await;
    let mut desk = desk(&hr, "SELECT * FROM b").await;
    assert!(stopped(&mut desk).await.contains("is of the type binary, which is no text"));
}

#[tokio::test]
async fn types_of_postgresql_through_odbc() {
    let Some(hr) = postgres().await else { return };
    insta::assert_snapshot!(outcomes(&hr, POSTGRES).await);
    hr.run("CREATE TABLE b (employee_id bytea, hire_date date); INSERT INTO b VALUES ('\\x42', '2027-03-01')").await;
    let mut desk = desk(&hr, "SELECT * FROM b").await;
    assert_eq!(
        stopped(&mut desk).await,
        "the column \"employee_id\" is of the type binary, which is no text; cast it in feed.query. Nothing changed"
    );
}

#[tokio::test]
async fn a_text_that_is_longer_than_a_cell_rejects_its_row_and_is_never_cut() {
    for hr in all().await {
        hr.run("CREATE TABLE e (employee_id VARCHAR(20), full_name TEXT, hire_date DATE, country CHAR(2))").await;
        for (id, name) in [("1", "Ada".to_owned()), ("2", "A".repeat(9000)), ("3", format!("Mia{}x", " ".repeat(9000)))]
        {
            hr.run(&format!("INSERT INTO e VALUES ('{id}', '{name}', '2027-03-01', 'DE')")).await;
        }
        let mut desk = desk(&hr, "SELECT * FROM e").await;
        let report = read(&mut desk).await;
        assert_eq!(counts(&report)[..2], [3, 1], "{} {report:?}", hr.engine);
        assert_eq!(report.rejects.len(), 2, "{}", hr.engine);
        for reject in &report.rejects {
            assert_eq!(reject.reason, "longer than 256 characters", "{}", hr.engine);
        }
    }
}

#[tokio::test]
async fn each_trouble_through_odbc_changes_nothing_and_says_what_to_do() {
    for hr in all().await {
        let mut desk = company(&hr).await;
        let before = desk.hires().await;
        let never_ends = if hr.engine == "postgres" {
            "SELECT employee_id, hire_date, pg_sleep(30) FROM employees"
        } else {
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n AS employee_id, sum(n) AS hire_date FROM n"
        };
        hr.run("CREATE TABLE nobody (employee_id VARCHAR(20), hire_date DATE)").await;
        let mut told = Vec::new();
        for query in [
            "SELECT * FROM nobody",
            "SELECT employee_id, country FROM employees",
            "SELECT * FROM no_such_table",
            never_ends,
        ] {
            query.clone_into(&mut sql(&mut desk).query);
            sql(&mut desk).timeout = Duration::from_secs(if query == never_ends { 1 } else { 20 });
            told.push(stopped(&mut desk).await);
        }
        QUERY.clone_into(&mut sql(&mut desk).query);
        sql(&mut desk).timeout = Duration::from_secs(20);
        sql(&mut desk).max_rows = 1;
        told.push(stopped(&mut desk).await);
        assert_eq!(desk.hires().await, before, "{}", hr.engine);
        insta::assert_snapshot!(format!("troubles_of_{}_through_odbc", hr.engine), told.join("\n"));
    }
}

#[tokio::test]
async fn t25_a_query_that_writes_through_odbc_is_refused_and_writes_nothing() {
    for hr in all().await {
        let mut desk = company(&hr).await;
        hr.run("CREATE TABLE log (line VARCHAR(20))").await;
        let mut queries =
            vec!["DELETE FROM employees", "DROP TABLE log", "SELECT * FROM employees; DELETE FROM employees"];
        if hr.engine == "postgres" {
            hr.run("CREATE SEQUENCE s").await;
            queries.push("WITH gone AS (DELETE FROM employees RETURNING *) SELECT * FROM gone");
            queries.push("SELECT nextval('s') AS employee_id, hire_date FROM employees");
            queries.push("SELECT 1 AS employee_id INTO made");
        }
        for query in queries {
            query.clone_into(&mut sql(&mut desk).query);
            match desk.try_poll().await {
                Err(error) => {
                    let why = error.to_string();
                    assert!(why.starts_with("the database refused the query"), "{} {query}: {why}", hr.engine);
                }
                // The driver took the first statement alone.
                Ok(reports) => assert_eq!((hr.engine, reports[0].rows), ("sqlite", 2), "{query}"),
            }
        }
        QUERY.clone_into(&mut sql(&mut desk).query);
        assert_eq!(read(&mut desk).await.rows, 2, "{}", hr.engine);
    }
}

#[tokio::test]
async fn a_locked_table_is_told_as_such_through_odbc() {
    // SQLite's locks are the process's: the driver's copy of SQLite does not see those of ours.
    let Some(hr) = postgres().await else { return };
    let mut desk = company(&hr).await;
    sql(&mut desk).timeout = Duration::from_secs(4);
    let lock = hr.lock("employees").await;
    assert!(stopped(&mut desk).await.starts_with("the database is locked by somebody else; nothing changed"));
    lock.release().await;
    read(&mut desk).await;
}

#[tokio::test]
async fn down_wrong_logins_and_missing_drivers_are_told_without_the_password() {
    let Some(hr) = postgres().await else { return };
    let mut desk = company(&hr).await;
    let string = hr.by_odbc.clone().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (wrong, string) in [
        ("nobody listens", on_postgres(&hr, "127.0.0.1", closed)),
        ("another login", string.replace("UID=postgres", "UID=nobody")),
        ("no such driver", string.replace("PostgreSQL Unicode", "PostgreSQL No")),
        ("no such file", "odbc:Driver=SQLite3;NoCreat=1;Database=/no/such/hr.db;PWD=pw-secret".to_owned()),
    ] {
        ask(&mut desk, &string, QUERY);
        let why = stopped(&mut desk).await;
        assert!(why.starts_with("the database cannot be reached") && !why.contains("pw-secret"), "{wrong}: {why}");
    }
    assert!(!Path::new("/no/such").exists());
}

#[tokio::test]
async fn dropped_and_silent_connections_through_odbc_change_nothing() {
    let Some(hr) = postgres().await else { return };
    let mut desk = company(&hr).await;
    let many: Vec<String> = (0..20_000).map(|n| format!("('{n}', '2027-03-01', 'DE')")).collect();
    hr.run(&format!("INSERT INTO employees VALUES {}", many.join(","))).await;
    let before = desk.hires().await;
    let proxy = Proxy::before(&hr.address());
    ask(&mut desk, &on_postgres(&hr, "127.0.0.1", proxy.port), QUERY);
    for (mode, said) in [
        (Mode::Drop(200_000), "the database cannot be reached"),
        (Mode::Drop(0), "the database cannot be reached"),
        (Mode::Stall(200_000), "did not end within feed.timeout"),
    ] {
        proxy.set(mode);
        sql(&mut desk).timeout = Duration::from_millis(if matches!(mode, Mode::Stall(_)) { 1500 } else { 20_000 });
        let why = stopped(&mut desk).await;
        assert!(why.contains(said), "{mode:?}: {why}");
        assert_eq!(desk.hires().await, before, "{mode:?}");
    }
    proxy.set(Mode::Pass);
    sql(&mut desk).timeout = Duration::from_secs(20);
    desk.feed.max_new = 100_000;
    assert_eq!(read(&mut desk).await.rows, 20_002);
}

#[tokio::test]
async fn changes_since_a_watermark_are_read_through_odbc() {
    for hr in all().await {
        hr.run(
            "CREATE TABLE e (employee_id VARCHAR(20), hire_date VARCHAR(20), country CHAR(2), updated_at TIMESTAMP)",
        )
        .await;
        let mark = if hr.engine == "postgres" { "CAST(? AS timestamp)" } else { "?" };
        let query = format!("SELECT employee_id, hire_date, country, updated_at FROM e WHERE updated_at >= {mark}");
        let mut desk = desk(&hr, &query).await;
        sql(&mut desk).watermark = Some("updated_at".to_owned());
        assert_eq!(desk.poll().await.len(), 0, "nobody yet is nothing new");
        for (id, at) in [("1", "10:00:00"), ("2", "11:00:00"), ("3", "11:00:00"), ("4", "12:30:00")] {
            hr.run(&format!("INSERT INTO e VALUES ('{id}', '2027-03-01', 'DE', '2027-01-01 {at}')")).await;
            let report = read(&mut desk).await;
            let wanted = [1, 2, 2, 3][id.parse::<usize>().unwrap() - 1];
            assert_eq!((report.rows, report.added), (wanted, 1), "{} {id}", hr.engine);
        }
        assert_eq!(read(&mut desk).await.rows, 1, "{}: only what is new", hr.engine);
    }
}

#[tokio::test]
async fn check_names_the_server_and_the_driver() {
    for hr in all().await {
        let mut desk = company(&hr).await;
        let looked = feed_sql::look(sql(&mut desk)).await.unwrap();
        let (server, driver) =
            if hr.engine == "postgres" { ("PostgreSQL 1", "PostgreSQL Unicode") } else { ("SQLite 3.", "SQLite3") };
        assert!(looked.version.starts_with(server), "{looked:?}");
        assert!(looked.version.ends_with(&format!("through the ODBC driver {driver}")), "{looked:?}");
        assert_eq!(feed_sql::target(sql(&mut desk)).unwrap().trust, feed_sql::Trust::Local);
    }
}
