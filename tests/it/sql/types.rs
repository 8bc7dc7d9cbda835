//! Columns as HR tables really have them: right, or rejected with a reason (contract 4).

use std::fmt::Write as _;

use super::{Hr, desk, read, sql};
use crate::feed::counts;

/// One little table: the types of its two columns, and its rows.
pub(super) struct Table {
    pub(super) id: &'static str,
    day: &'static str,
    rows: &'static [(&'static str, &'static str)],
}

const fn table(id: &'static str, day: &'static str, rows: &'static [(&'static str, &'static str)]) -> Table {
    Table { id, day, rows }
}

pub(super) const POSTGRES: &[Table] = &[
    table(
        "CHAR(8)",
        "date",
        &[("'0042'", "'2027-03-01'"), ("'7   '", "NULL"), ("NULL", "'2027-03-01'"), ("'9'", "'infinity'")],
    ),
    table("varchar(8)", "timestamp", &[("'1'", "'2027-03-01 00:00'"), ("'2'", "'2027-03-01 08:30'")]),
    table(
        "text",
        "timestamptz",
        &[("'1'", "'2027-03-01 00:00Z'"), ("'2'", "'2027-03-01 00:00+01'"), ("'3'", "'2027-03-01 08:30Z'")],
    ),
    table(
        "text",
        "text",
        &[("'1'", "'2027-03-01   '"), ("'2'", "'03/04/2027'"), ("'3'", "''"), ("'4'", "'2027-02-30'")],
    ),
    table("numeric(10,0)", "date", &[("42", "'2027-03-01'")]),
    table("numeric(10,2)", "date", &[("42", "'2027-03-01'"), ("42.5", "'2027-03-01'")]),
    table("numeric", "date", &[("100000000000000000000", "'2027-03-01'")]),
    table("double precision", "date", &[("1e15", "'2027-03-01'"), ("1e20", "'2027-03-01'")]),
    table("bigint", "date", &[("9007199254740993", "'2027-03-01'")]),
    table("uuid", "date", &[("'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "'2027-03-01'")]),
];

const MARIADB: &[Table] = &[
    table(
        "CHAR(8)",
        "DATE",
        &[("'0042'", "'2027-03-01'"), ("'7   '", "NULL"), ("NULL", "'2027-03-01'"), ("'9'", "'0000-00-00'")],
    ),
    table(
        "VARCHAR(8)",
        "DATETIME",
        &[("'1'", "'2027-03-01 00:00'"), ("'2'", "'2027-03-01 08:30'"), ("'3'", "'0000-00-00 00:00'")],
    ),
    table("TEXT", "TIMESTAMP NULL", &[("'1'", "'2027-03-01 00:00'"), ("'2'", "'2027-03-01 08:30'"), ("'3'", "NULL")]),
    table("TEXT", "DATETIME(6)", &[("'1'", "'2027-03-01 00:00:00.000000'"), ("'2'", "'2027-03-01 00:00:00.5'")]),
    table("DECIMAL(10,0)", "DATE", &[("42", "'2027-03-01'")]),
    table("DECIMAL(10,2)", "DATE", &[("42", "'2027-03-01'"), ("42.5", "'2027-03-01'")]),
    table("DOUBLE", "DATE", &[("1e15", "'2027-03-01'"), ("1e20", "'2027-03-01'")]),
    table("INT(8) ZEROFILL", "DATE", &[("42", "'2027-03-01'")]),
    table("BIT(8)", "DATE", &[("b'101010'", "'2027-03-01'")]),
    table("VARBINARY(8)", "DATE", &[("'0042'", "'2027-03-01'"), ("x'ff00'", "'2027-03-01'")]),
];

pub(super) const SQLITE: &[Table] = &[
    table(
        "CHAR(8)",
        "DATE",
        &[("'0042'", "'2027-03-01'"), ("'7   '", "NULL"), ("NULL", "'2027-03-01'"), ("'9'", "61")],
    ),
    table(
        "TEXT",
        "TIMESTAMP",
        &[("'1'", "'2027-03-01 00:00:00'"), ("'2'", "'2027-03-01T00:00:00Z'"), ("'3'", "'2027-03-01 08:30'")],
    ),
    table("INTEGER", "TEXT", &[("42", "'2027-03-01'")]),
    table("REAL", "TEXT", &[("42", "'2027-03-01'"), ("42.5", "'2027-03-01'"), ("1e300", "'2027-03-01'")]),
    table("NUMERIC", "TEXT", &[("'0042'", "'2027-03-01'")]),
    table("BLOB", "TEXT", &[("'0042'", "'2027-03-01'"), ("x'ff00'", "'2027-03-01'")]),
];

/// Every table on its own desk: what became of its rows.
pub(super) async fn outcomes(hr: &Hr, tables: &[Table]) -> String {
    let mut told = String::new();
    for (n, Table { id, day, rows }) in tables.iter().enumerate() {
        let values: Vec<String> = rows.iter().map(|(id, day)| format!("({id}, {day}, 'DE')")).collect();
        let (null, values) = (if day.contains("NULL") { "" } else { " NULL" }, values.join(", "));
        let mode = if matches!(hr.engine, "mariadb" | "mysql") { "SET SESSION sql_mode = ''; " } else { "" };
        hr.run(&format!(
            "{mode}CREATE TABLE t{n} (employee_id {id} NULL, hire_date {day}{null}, country CHAR(2)); INSERT INTO t{n} VALUES {values}"
        ))
        .await;
        let mut desk = desk(hr, &format!("SELECT * FROM t{n}")).await;
        let report = read(&mut desk).await;
        let _ = writeln!(
            told,
            "{id}, {day}: {}",
            rows.iter().map(|(id, day)| format!("{id} {day}")).collect::<Vec<_>>().join(" | ")
        );
        for hire in desk.ask("SELECT employee_id || ' starts ' || start_date FROM hire ORDER BY employee_id").await {
            let _ = writeln!(told, "  {hire}");
        }
        for reject in &report.rejects {
            let _ = writeln!(told, "  {reject}");
        }
    }
    told
}

#[tokio::test]
async fn types_of_sqlite() {
    insta::assert_snapshot!(outcomes(&Hr::sqlite(), SQLITE).await);
}

#[tokio::test]
async fn types_of_postgresql() {
    let Some(hr) = Hr::postgres().await else { return };
    insta::assert_snapshot!(outcomes(&hr, POSTGRES).await);
    hr.run("CREATE TABLE b (employee_id bytea, hire_date date); INSERT INTO b VALUES ('\\x42', '2027-03-01')").await;
    let mut desk = desk(&hr, "SELECT * FROM b").await;
    assert_eq!(
        super::stopped(&mut desk).await,
        "the column \"employee_id\" is of the type bytea, which is no text; cast it in feed.query. Nothing changed"
    );
    sql(&mut desk).query =
        "SELECT encode(employee_id, 'hex') AS employee_id, hire_date, true AS status FROM b".to_owned();
    assert_eq!(counts(&read(&mut desk).await)[..2], [1, 1]);
    assert_eq!(desk.hires().await, ["42 1 2027-03-01 attention zone-unknown active r1"]);
}

#[tokio::test]
async fn types_of_mariadb() {
    let Some(hr) = Hr::mariadb().await else { return };
    insta::assert_snapshot!(outcomes(&hr, MARIADB).await);
}

#[tokio::test]
async fn types_of_mysql() {
    let Some(hr) = Hr::mysql().await else { return };
    insta::assert_snapshot!(outcomes(&hr, MARIADB).await);
}

/// Its own types, and lists of them, come as text too.
#[tokio::test]
async fn types_that_a_postgresql_database_makes_for_itself() {
    let Some(hr) = Hr::postgres().await else { return };
    hr.run(
        "CREATE TYPE standing AS ENUM ('Active', 'No-show'); CREATE DOMAIN worker AS varchar(8) CHECK (value <> '');
         CREATE TABLE e (employee_id worker, hire_date date, country char(2), status standing, sites text[], more jsonb);
         INSERT INTO e VALUES ('0042', '2027-03-01', 'DE', 'Active', '{BER,MUC}', '{\"a\": 1}'),
                              ('0043', '2027-03-01', 'DE', 'No-show', NULL, NULL)",
    )
    .await;
    let mut desk = desk(&hr, "SELECT * FROM e").await;
    assert_eq!(counts(&read(&mut desk).await), [2, 1, 0, 0, 1, 0, 0]);
    assert_eq!(desk.hires().await, ["0042 1 2027-03-01 pending - active r1"]);
}

/// One odd row would make the whole file unreadable, and nobody would come in.
#[tokio::test]
async fn a_text_that_no_field_may_have_rejects_its_row_and_no_other() {
    for hr in Hr::all().await {
        let text = if hr.engine == "sqlite" || hr.engine == "postgres" { "TEXT" } else { "LONGTEXT" };
        hr.run(&format!("CREATE TABLE e (employee_id VARCHAR(20), full_name {text}, hire_date DATE, country CHAR(2))"))
            .await;
        for (id, name) in [("1", "Ada".to_owned()), ("2", "A".repeat(100_000)), ("3", "Ä".repeat(300))] {
            hr.run(&format!("INSERT INTO e VALUES ('{id}', '{name}', '2027-03-01', 'DE')")).await;
        }
        let mut desk = desk(&hr, "SELECT * FROM e").await;
        let report = read(&mut desk).await;
        assert_eq!(counts(&report)[..2], [3, 1], "{} {report:?}", hr.engine);
        let reasons: Vec<_> = report.rejects.iter().map(|reject| reject.reason.as_str()).collect();
        assert_eq!(reasons, ["longer than 256 characters"; 2], "{}", hr.engine);
    }
}

#[tokio::test]
async fn a_view_with_duplicate_rows_counts_them_once_and_rejects_unlike_ones() {
    for hr in Hr::all().await {
        hr.run(
            "CREATE TABLE e (employee_id CHAR(4), hire_date DATE, country CHAR(2));
             INSERT INTO e VALUES ('1', '2027-03-01', 'DE'), ('2', '2027-03-01', 'DE'), ('2', '2027-03-02', 'DE');
             CREATE VIEW starters AS SELECT * FROM e UNION ALL SELECT * FROM e",
        )
        .await;
        let mut desk = desk(&hr, "SELECT * FROM starters").await;
        let report = read(&mut desk).await;
        assert_eq!(counts(&report), [6, 1, 0, 0, 0, 0, 4], "{}", hr.engine);
        assert!(report.rejects.iter().all(|reject| reject.to_string().contains("(employee id 2)")), "{report:?}");
        let rejected = desk.text(&report.rejected_at);
        assert!(
            rejected.starts_with("\"firstpass_line\",\"firstpass_reason\",\"employee_id\",\"hire_date\",\"country\""),
            "{rejected}"
        );
    }
}

#[tokio::test]
async fn the_sessions_zone_is_utc_or_what_the_url_says() {
    let Some(hr) = Hr::postgres().await else { return };
    hr.run("CREATE TABLE e (employee_id text, hired timestamptz); INSERT INTO e VALUES ('1', '2027-02-28 23:00Z')")
        .await;
    let query = "SELECT employee_id, hired::date AS hire_date FROM e";
    for (url, day) in [(hr.url.clone(), "2027-02-28"), (format!("{}?timezone=Europe/Berlin", hr.url), "2027-03-01")] {
        let mut desk = desk(&hr, query).await;
        super::ask(&mut desk, &url, query);
        read(&mut desk).await;
        assert_eq!(desk.ask("SELECT start_date FROM hire").await, [day]);
    }
}
