//! What a reading brings: the same hires as a file would, and nothing twice.

use super::{Hr, desk, read};
use crate::feed::{FeedDesk, counts, roster};

const HEAD: &str = "employee_id,full_name,hire_date,country_code,manager_id,worker_status";
const COLUMNS: &str = "employee_id CHAR(8) NOT NULL, full_name VARCHAR(100), hire_date DATE, country_code CHAR(2), manager_id VARCHAR(20), worker_status VARCHAR(20)";

/// A thousand people with leading zeros, names of the world, absent and withdrawn ones.
fn people() -> Vec<[Option<String>; 6]> {
    let names = ["Zoë Łukasz", "O'Brien, Mia", "李 小龙", "Ada \"Countess\" Lovelace", "Núñez"];
    let countries = ["DE", "GB", "JP", "FR"];
    (0..1000)
        .map(|n| {
            let id = format!("{n:06}");
            let name = (n % 50 != 7).then(|| format!("{} {n}", names[n % names.len()]));
            let date = if n % 10 == 0 { "2012-05-01".to_owned() } else { format!("2027-03-{:02}", 1 + n % 28) };
            let manager = (n % 3 != 0).then(|| format!("{:06}", n / 20));
            let status = (n % 4 != 0).then(|| if n % 31 == 0 { "No-show" } else { "Active" }.to_owned());
            [Some(id), name, Some(date), Some(countries[n % 4].to_owned()), manager, status]
        })
        .collect()
}

pub(super) fn as_file() -> String {
    let cell = |cell: &Option<String>| format!("\"{}\"", cell.as_deref().unwrap_or_default().replace('"', "\"\""));
    let rows: Vec<String> = people().iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",")).collect();
    roster(HEAD, &rows.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) async fn as_table(hr: &Hr) {
    let value = |cell: &Option<String>| match cell {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => "NULL".to_owned(),
    };
    let rows: Vec<String> =
        people().iter().map(|row| format!("({})", row.iter().map(value).collect::<Vec<_>>().join(","))).collect();
    hr.run(&format!("CREATE TABLE employees ({COLUMNS}); INSERT INTO employees VALUES {}", rows.join(","))).await;
}

/// Every column of `review_hire` but the feed's own, byte for byte, as the database quotes them.
pub(super) async fn hires(desk: &FeedDesk) -> Vec<String> {
    let columns = desk.ask("SELECT name FROM pragma_table_info('review_hire') ORDER BY cid").await;
    let of_the_feed = ["feed", "source_file", "source_line"];
    assert!(of_the_feed.iter().all(|name| columns.iter().any(|column| column == name)), "{columns:?}");
    let columns: Vec<_> = columns.iter().filter(|column| !of_the_feed.contains(&column.as_str())).collect();
    assert_eq!(columns.len(), 23, "contract 8: {columns:?}");
    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
    let sql = format!("SELECT {} FROM review_hire ORDER BY employee_id, start_utc", quoted.join(" || '|' || "));
    desk.ask(sql.leak()).await
}

#[tokio::test]
async fn a_thousand_people_are_the_same_hires_from_a_file_and_from_every_database() {
    let mut by_file = FeedDesk::new().await;
    let file = by_file.drop_file("hires.csv", as_file()).await;
    let wanted = hires(&by_file).await;
    assert_eq!(counts(&file)[..2], [1000, u64::try_from(wanted.len()).unwrap()]);
    assert!(wanted.len() > 850, "{}", wanted.len());
    for hr in Hr::all().await {
        as_table(&hr).await;
        let mut desk = desk(&hr, "SELECT * FROM employees").await;
        let report = read(&mut desk).await;
        assert_eq!(counts(&report), counts(&file), "{}", hr.engine);
        assert_eq!(hires(&desk).await, wanted, "{}", hr.engine);
    }
}

#[tokio::test]
async fn the_same_rows_again_in_any_order_change_nothing_and_leave_no_file() {
    for hr in Hr::all().await {
        as_table(&hr).await;
        let mut desk = desk(&hr, "SELECT * FROM employees").await;
        let first = read(&mut desk).await;
        assert_eq!((first.state.as_str(), first.file.as_str()), ("taken", "hr.reading.csv"), "{}", hr.engine);
        desk.feed.kind = {
            let mut again = super::sql(&mut desk).clone();
            again.query = "SELECT * FROM employees ORDER BY employee_id DESC".to_owned();
            firstpass::config::FeedKind::Sql(again)
        };
        let second = read(&mut desk).await;
        assert_eq!(second.sha256, first.sha256, "{}", hr.engine);
        assert_eq!(counts(&second)[1..4], [0, 0, 0], "{}", hr.engine);
        assert_eq!(desk.ask("SELECT CAST(count(*) AS TEXT) FROM file").await, ["1"], "{}", hr.engine);
        assert_eq!(desk.names("work"), [""; 0], "no rows of people are kept ({})", hr.engine);
        assert_eq!(desk.names("done").len(), 1, "the report: {:?}", desk.names("done"));
    }
}
