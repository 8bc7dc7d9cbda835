//! What an admin sees of a source in trouble: `run --once`, `feed list` and `check` say it with what to
//! do, nothing changes, and the next poll goes on (contract 4, fault 50).

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use firstpass::clock::Clock;
use sqlx::Row;

use super::Hr;
use super::beside::{feed, url};
use crate::world::{World, short_limits};

async fn firstpass(world: &World, args: &'static [&'static str]) -> Output {
    let settings = world.dir.path().join("firstpass.toml");
    let run = move || Command::new(env!("CARGO_BIN_EXE_firstpass")).arg("--config").arg(settings).args(args).output();
    tokio::task::spawn_blocking(run).await.unwrap().unwrap()
}

/// Lines about the feed, without what differs from run to run.
async fn said(world: &World, args: &'static [&'static str], status: i32) -> String {
    let out = firstpass(world, args).await;
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(status), "{args:?}\n{text}\n{}", String::from_utf8_lossy(&out.stderr));
    let dir = world.dir.path().display().to_string();
    let about = text.lines().map(str::trim).filter(|line| {
        line.contains("feed db is ")
            || line.contains("feed db: ")
            || line.contains("feed/db")
            || line.contains("reading.csv held")
    });
    let troubles =
        about.filter(|line| !line.starts_with("ok ") && (!line.starts_with("note ") || line.contains("is held")));
    let mut lines: Vec<String> = troubles.map(|line| without_times(&line.replace(&dir, "DIR"))).collect();
    lines.dedup();
    lines.join("\n")
}

/// `2026-11-22T07:00:00Z` → `TIME`.
fn without_times(line: &str) -> String {
    line.split(' ')
        .map(|word| {
            let time = word.len() >= 20 && word.starts_with("20") && word.as_bytes()[10] == b'T';
            if time { format!("TIME{}", &word[20..]) } else { word.to_owned() }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

async fn hires(world: &World) -> Vec<String> {
    let rows = world.raw("SELECT employee_id || ' ' || state || ' r' || revision FROM hire ORDER BY employee_id").await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The people of a view; the view is what HR's side may spoil.
const PEOPLE: &str = "CREATE TABLE people (employee_id VARCHAR(20), hire_date VARCHAR(10), zone VARCHAR(40));
    INSERT INTO people VALUES ('E1', '2030-03-01', 'Europe/Berlin'), ('E2', '2030-03-01', 'America/Chicago')";
const VIEW: &str = "CREATE VIEW starters AS SELECT employee_id, hire_date, zone FROM people";

async fn view(hr: &Hr, select: &str) {
    hr.run("DROP VIEW IF EXISTS starters").await;
    hr.run(&format!("CREATE VIEW starters AS {select}")).await;
}

#[tokio::test]
async fn f50_each_trouble_of_a_source_is_told_with_what_to_do_and_goes_by_itself() {
    for hr in Hr::servers().await {
        hr.run(PEOPLE).await;
        hr.run(VIEW).await;
        let world = World::around(&feed("timeout = \"2s\"\nmax_new = 5"), short_limits(), Clock::System);
        url(&world, &hr.url);
        assert_eq!(said(&world, &["run", "--once"], 0).await, "");
        let before = hires(&world).await;
        assert_eq!(before.len(), 2, "{}", hr.engine);
        let slow = match hr.engine {
            "postgres" => "SELECT employee_id, hire_date, zone, CAST(pg_sleep(30) AS text) AS n FROM people",
            _ => {
                "SELECT employee_id, hire_date, zone FROM people WHERE (SELECT count(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c) > 0"
            }
        };
        let mut story = String::new();
        for trouble in ["down", "slow", "locked", "empty", "of another shape", "ten times as much"] {
            let mut lock = None;
            match trouble {
                "down" => url(&world, &hr.through(1).replace('@', ":pw-secret@")),
                "slow" => view(&hr, slow).await,
                "locked" => lock = Some(hr.lock("people").await),
                "empty" => view(&hr, "SELECT employee_id, hire_date, zone FROM people WHERE 1 = 0").await,
                "of another shape" => view(&hr, "SELECT employee_id, zone FROM people").await,
                _ => {
                    let many: Vec<String> = (0..18).map(|n| format!("('X{n}', '2030-03-01', 'Etc/UTC')")).collect();
                    hr.run(&format!("INSERT INTO people VALUES {}", many.join(","))).await;
                }
            }
            if trouble == "of another shape" {
                // As an admin wrote it: the columns that are there.
                world.edit_query("SELECT * FROM starters");
            }
            let _ = writeln!(story, "== {trouble}");
            let _ = writeln!(story, "run --once: {}", said(&world, &["run", "--once"], 1).await);
            let _ = writeln!(story, "feed list: {}", said(&world, &["feed", "list"], 0).await);
            // What waits for an answer is no fault of the settings.
            let status = i32::from(trouble != "ten times as much");
            let _ = writeln!(story, "check: {}", said(&world, &["check"], status).await);
            assert_eq!(hires(&world).await, before, "{} {trouble}", hr.engine);
            if let Some(lock) = lock {
                lock.release().await;
            }
            url(&world, &hr.url);
            hr.run("DELETE FROM people WHERE employee_id LIKE 'X%'").await;
            view(&hr, "SELECT employee_id, hire_date, zone FROM people").await;
            assert_eq!(said(&world, &["run", "--once"], 0).await, "", "{} {trouble} is over", hr.engine);
            assert_eq!(said(&world, &["feed", "list"], 0).await, "", "{} {trouble} is over", hr.engine);
        }
        assert!(!story.contains("pw-secret"));
        // The servers' own words differ; what is ours is the same.
        insta::assert_snapshot!(
            format!("told_of_{}", hr.engine),
            story.replace(&format!("{}.", hr.name()), "DATABASE.")
        );
    }
}

impl World {
    fn edit_query(&self, query: &str) {
        let file = self.dir.path().join("firstpass.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let old = "SELECT employee_id, hire_date, zone FROM starters";
        std::fs::write(&file, text.replace(old, query)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
