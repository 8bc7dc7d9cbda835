//! A source that is down, slow, locked, empty, of another shape, or returns ten times as much:
//! nothing changes, a sentence says so, and the next poll tries again (contract 4, fault 50).

use std::time::Duration;

use super::proxy::{Mode, Proxy};
use super::{Hr, ask, desk, read, sql, stopped};
use crate::feed::FeedDesk;

const EMPLOYEES: &str = "CREATE TABLE employees (employee_id VARCHAR(20), hire_date DATE, country CHAR(2));
    INSERT INTO employees VALUES ('1', '2027-03-01', 'DE'), ('2', '2027-03-01', 'GB')";
const QUERY: &str = "SELECT employee_id, hire_date, country FROM employees";

/// The whole list of a small company, read once.
async fn company(hr: &Hr) -> FeedDesk {
    hr.run(EMPLOYEES).await;
    let mut desk = desk(hr, QUERY).await;
    desk.feed.complete = true;
    read(&mut desk).await;
    desk
}

/// What the state says about files and hires.
async fn state(desk: &FeedDesk) -> Vec<String> {
    let mut state = desk.hires().await;
    state.extend(desk.ask("SELECT sha256 || state FROM file").await);
    state
}

#[tokio::test]
async fn each_trouble_changes_nothing_and_says_what_to_do() {
    for hr in Hr::all().await {
        let mut desk = company(&hr).await;
        let before = state(&desk).await;
        let mut told = Vec::new();
        hr.run("CREATE TABLE nobody (employee_id VARCHAR(20), hire_date DATE)").await;
        let never_ends = match hr.engine {
            "postgres" => "SELECT employee_id, hire_date, pg_sleep(30) FROM employees",
            "mariadb" => "SELECT a.employee_id, a.hire_date, BENCHMARK(10000000000, 1) FROM employees a",
            "mysql" => {
                "SELECT 1 AS employee_id, count(*) AS hire_date FROM information_schema.columns a, information_schema.columns b, information_schema.columns c"
            }
            _ => {
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n AS employee_id, sum(n) AS hire_date FROM n"
            }
        };
        for query in [
            "SELECT * FROM nobody",
            "SELECT employee_id, country FROM employees",
            "SELECT employee_id AS worker_id, employee_id, hire_date FROM employees",
            "SELECT * FROM no_such_table",
            never_ends,
        ] {
            query.clone_into(&mut sql(&mut desk).query);
            sql(&mut desk).timeout = Duration::from_secs(if query == never_ends { 1 } else { 20 });
            told.push(stopped(&mut desk).await.replace(&format!("{}.", hr.name()), "DATABASE."));
        }
        QUERY.clone_into(&mut sql(&mut desk).query);
        sql(&mut desk).timeout = Duration::from_secs(20);
        sql(&mut desk).max_rows = 1;
        told.push(stopped(&mut desk).await);
        sql(&mut desk).max_rows = 1000;
        assert_eq!(state(&desk).await, before, "{}", hr.engine);
        assert_eq!(desk.names("work"), [""; 0], "{}", hr.engine);
        read(&mut desk).await;
        insta::assert_snapshot!(format!("troubles_of_{}", hr.engine), told.join("\n"));
    }
}

#[tokio::test]
async fn f50_an_emptied_or_tenfold_table_is_no_company() {
    for hr in Hr::all().await {
        let mut desk = company(&hr).await;
        let before = state(&desk).await;
        hr.run("DELETE FROM employees").await;
        assert!(stopped(&mut desk).await.starts_with("the query returned no row; nothing changed"));
        assert_eq!(state(&desk).await, before);
        let many: Vec<String> = (0..20).map(|n| format!("('{n}', '2027-03-01', 'DE')")).collect();
        hr.run(&format!("INSERT INTO employees VALUES {}", many.join(","))).await;
        desk.feed.max_new = 5;
        assert_eq!(read(&mut desk).await.state, "held");
        assert_eq!(desk.hires().await, before[..2], "held whole");
    }
}

#[tokio::test]
async fn a_locked_table_is_told_as_such() {
    for hr in Hr::all().await {
        let mut desk = company(&hr).await;
        let before = state(&desk).await;
        sql(&mut desk).timeout = Duration::from_secs(4);
        let lock = hr.lock("employees").await;
        let why = stopped(&mut desk).await;
        assert!(why.starts_with("the database is locked by somebody else; nothing changed"), "{}: {why}", hr.engine);
        lock.release().await;
        read(&mut desk).await;
        assert_eq!(state(&desk).await, before, "{}", hr.engine);
    }
}

#[tokio::test]
async fn dropped_slow_and_reset_connections_change_nothing() {
    for hr in Hr::servers().await {
        let mut desk = company(&hr).await;
        let many: Vec<String> = (0..20_000).map(|n| format!("('{n}', '2027-03-01', 'DE')")).collect();
        hr.run(&format!("INSERT INTO employees VALUES {}", many.join(","))).await;
        let before = state(&desk).await;
        let proxy = Proxy::before(&hr.address());
        ask(&mut desk, &hr.through(proxy.port), QUERY);
        for (mode, said) in [
            (Mode::Drop(200_000), "the database cannot be reached"),
            (Mode::Reset(200_000), "the database cannot be reached"),
            (Mode::Drop(0), "the database cannot be reached"),
            (Mode::Stall(200_000), "did not end within feed.timeout"),
            (Mode::Stall(0), "did not end within feed.timeout"),
        ] {
            proxy.set(mode);
            sql(&mut desk).timeout = Duration::from_millis(if matches!(mode, Mode::Stall(_)) { 1500 } else { 20_000 });
            let why = stopped(&mut desk).await;
            assert!(why.contains(said), "{} {mode:?}: {why}", hr.engine);
            assert_eq!(state(&desk).await, before, "{} {mode:?}", hr.engine);
        }
        proxy.set(Mode::Pass);
        sql(&mut desk).timeout = Duration::from_secs(20);
        desk.feed.max_new = 100_000;
        assert_eq!(read(&mut desk).await.rows, 20_002, "{}", hr.engine);
    }
}

#[tokio::test]
async fn down_and_refused_logins_are_told_without_the_password() {
    for hr in Hr::servers().await {
        let mut desk = company(&hr).await;
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        ask(&mut desk, &hr.through(closed).replace('@', ":pw-secret@"), QUERY);
        let why = stopped(&mut desk).await;
        assert!(why.starts_with("the database cannot be reached") && !why.contains("pw-secret"), "{why}");
        let proxy = Proxy::before(&hr.address());
        ask(
            &mut desk,
            &hr.through(proxy.port)
                .replace("//root@", "//nobody:pw-secret@")
                .replace("//postgres@", "//nobody:pw-secret@"),
            QUERY,
        );
        let why = stopped(&mut desk).await;
        assert!(why.starts_with("the database cannot be reached") && !why.contains("pw-secret"), "{why}");
    }
    let hr = Hr::sqlite();
    let mut desk = company(&hr).await;
    ask(&mut desk, "sqlite:/no/such/hr.db", QUERY);
    assert!(stopped(&mut desk).await.starts_with("the database cannot be reached: /no/such/hr.db"));
    assert!(!std::path::Path::new("/no/such").exists());
}

#[tokio::test]
async fn t25_a_query_that_writes_is_refused_and_writes_nothing() {
    for hr in Hr::all().await {
        let mut desk = company(&hr).await;
        hr.run("CREATE TABLE log (line VARCHAR(20))").await;
        let mut queries = vec![
            "DELETE FROM employees",
            "INSERT INTO log VALUES ('x')",
            "DROP TABLE log",
            "SELECT * FROM employees; DELETE FROM employees",
        ];
        if hr.engine == "postgres" {
            hr.run("CREATE SEQUENCE s").await;
            queries.push("WITH gone AS (DELETE FROM employees RETURNING *) SELECT * FROM gone");
            queries.push("SELECT nextval('s') AS employee_id, hire_date FROM employees");
        }
        for query in queries {
            query.clone_into(&mut sql(&mut desk).query);
            let why = stopped(&mut desk).await;
            assert!(why.starts_with("the database refused the query"), "{} {query}: {why}", hr.engine);
        }
        QUERY.clone_into(&mut sql(&mut desk).query);
        assert_eq!(read(&mut desk).await.rows, 2, "{}", hr.engine);
        "SELECT 1 AS employee_id, (SELECT count(*) FROM log) AS hire_date".clone_into(&mut sql(&mut desk).query);
        assert_eq!(
            read(&mut desk).await.rejects[0].reason,
            "\"0\" is no date; write the day as 2027-03-31 (year, month, day)"
        );
    }
}

/// Neither the query nor its login is at fault, so the sentence does not send an admin there.
#[tokio::test]
async fn a_server_that_goes_down_in_the_middle_is_not_called_a_wrong_query() {
    let Some(hr) = Hr::postgres().await else { return };
    let mut desk = company(&hr).await;
    let before = state(&desk).await;
    "SELECT employee_id, hire_date, pg_terminate_backend(pg_backend_pid()) FROM employees"
        .clone_into(&mut sql(&mut desk).query);
    let why = stopped(&mut desk).await;
    assert!(why.starts_with("the database cannot be reached: terminating connection"), "{why}");
    assert_eq!(state(&desk).await, before);

    let hr = Hr::sqlite();
    let mut desk = company(&hr).await;
    let before = state(&desk).await;
    std::fs::write(&hr.url["sqlite:".len()..], "no database".repeat(1000)).unwrap();
    let why = stopped(&mut desk).await;
    assert!(why.starts_with("the database cannot be reached") && why.contains("not a database"), "{why}");
    assert_eq!(state(&desk).await, before);
}
