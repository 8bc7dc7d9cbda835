//! A million rows in flat memory while letters go out on time: measured, not tested.
//!
//! `cargo test --release --test it sql::million -- --ignored --nocapture` (a minute; see `tests/bench`).

use std::time::{Duration, Instant};

use firstpass::clock::Clock;

use super::Hr;
use super::beside::{feed, url};
use crate::service::SOON;
use crate::world::{World, short_limits};

/// Nine of ten have started long ago.
const PEOPLE: &str = "CREATE TABLE starters AS
    SELECT to_char(n, 'FM0000000') AS employee_id, 'Given' || n || ' Family' AS full_name,
           CASE WHEN n % 10 = 0 THEN current_date + 30 + n % 300 ELSE date '2012-05-01' + n % 3000 END AS hire_date,
           'Europe/Berlin' AS zone, 'Active' AS status
    FROM generate_series(1, 1000000) AS n";

#[tokio::test]
#[ignore = "a minute of work; run by name"]
async fn a_million_rows_beside_due_letters() {
    let Some(hr) = Hr::postgres().await else { return };
    hr.run(PEOPLE).await;
    let more = "max_new = 10000000\ntimeout = \"10m\"\npoll = \"0 0 0 1 1 *\"";
    let feed = feed(more).replace("employee_id, hire_date, zone", "*");
    let world = World::around(&format!("{SOON}{feed}"), short_limits(), Clock::System);
    url(&world, &hr.url);
    // In an hour, in UTC; a run around midnight measures nothing.
    let start = (world.clock.now() + chrono::TimeDelta::hours(1)).format("%Y-%m-%d,%H:%M,Etc/UTC").to_string();
    let began = Instant::now();
    let mut service = world.spawn();
    world.wait_for("ready", 60, |world| world.log().contains("ready"));
    let done = |world: &World| world.log().contains("\"rows\":1000000");
    let (mut waits, mut peak) = (Vec::new(), 0);
    let mut read_after = None;
    while read_after.is_none() || waits.len() < 5 {
        let n = waits.len() + 1;
        let dropped = Instant::now();
        // One person more in a file of their own: the others stay as they are.
        let upn = format!("due{n}@contoso.example");
        world.person(&upn, &format!("Due {n}"), &format!("D{n}"), Some("mia.manager@contoso.example"));
        world.drop_file(
            &format!("due{n}.csv"),
            &format!("employee_id,user,start_date,start_time,zone\nD{n},{upn},{start}\n"),
        );
        world.wait_for("the letter", 120, |world| world.code_letters().len() >= n);
        waits.push(dropped.elapsed());
        peak = service.peak_kib().max(peak);
        if read_after.is_none() && done(&world) {
            read_after = Some(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(500));
        assert!(began.elapsed() < Duration::from_mins(15), "{}", world.log());
    }
    waits.sort();
    eprintln!(
        "1,000,000 rows on record after {:?}; {} letters meanwhile, from drop to letter: median {:?}, longest {:?}; most resident {} MiB",
        read_after.unwrap(),
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1],
        peak / 1024
    );
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
}
