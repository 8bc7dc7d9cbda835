//! Any bytes as a file of a feed. See README.md beside the crate.

#![no_main]

use std::io::Write;

use chrono::{DateTime, Utc};
use firstpass::feed::csv::{Reading, Rules, Unreadable, read, rejected};
use firstpass::rules::calendar::{Schedule, Zone};
use firstpass::rules::dates::DateFormat;
use firstpass::rules::intake::Age;
use firstpass::rules::record::FeedRules;
use firstpass::rules::staged::StagedRow;
use libfuzzer_sys::fuzz_target;

fn rules(kind: usize) -> Rules {
    let (label, format) = [("", ""), ("", ""), ("windows-1252", ""), ("shift_jis", "%d.%m.%Y"), ("utf-16le", "%m/%d/%Y")][kind];
    let hours = |n: u64| std::time::Duration::from_secs(n * 3600);
    let schedule = Schedule {
        send_at: "07:00:00".parse().unwrap(),
        start_at: "09:00:00".parse().unwrap(),
        late_until: hours(8),
        ready_check: hours(96),
        tries: 20,
    };
    Rules {
        feed: FeedRules {
            columns: if kind == 1 { [("site".to_owned(), "wo".to_owned())].into() } else { [].into() },
            zones: [("chicago".to_owned(), Zone::parse("America/Chicago").unwrap())].into(),
            zone: None,
            start_at: schedule.start_at,
            date_format: DateFormat::parse(format).ok(),
        },
        age: Age { late_until: schedule.late_until, recent: hours(168) },
        schedule,
        reading: false,
        encoding: encoding_rs::Encoding::for_label(label.as_bytes()),
    }
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile_in("/dev/shm").unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn staged(bytes: &[u8], rules: &Rules, now: DateTime<Utc>) -> Result<(Reading, Vec<StagedRow>), Unreadable> {
    let mut rows = Vec::new();
    let reading = read(file(bytes), rules, now, |batch| {
        rows.extend(batch.rows);
        true
    })?;
    Ok((reading, rows))
}

fuzz_target!(|data: &[u8]| {
    let now: DateTime<Utc> = "2027-02-01T00:00:00Z".parse().unwrap();
    let rules = rules(data.len() % 5);
    let (reading, rows) = match staged(data, &rules, now) {
        Ok(read) => read,
        Err(unreadable) => {
            let said = unreadable.to_string();
            assert!(!said.is_empty() && !said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
            return;
        }
    };
    assert_eq!(reading.rows, rows.len() as u64, "a row was lost");
    assert!(rows.iter().all(|row| row.line >= 2));
    assert!(rows.is_sorted_by(|a, b| a.line < b.line), "each row has a line of its own");
    let bad: Vec<(u64, Option<String>)> =
        rows.iter().filter(|row| row.facts.is_none()).map(|row| (u64::try_from(row.line).unwrap(), None)).collect();
    let mut out = Vec::new();
    let found = rejected(file(data), &rules, &reading.sha256, &bad, &mut out).unwrap();
    assert_eq!(found.len(), bad.len());
    assert!(found.iter().zip(&bad).all(|(found, bad)| found.reject.line == bad.0 && !found.reject.reason.is_empty()));
    if bad.is_empty() {
        return;
    }
    // Dropped again as it is, it is read again, and every row is bad again.
    let (again, rows) = staged(&out, &rules, now).unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&out)));
    assert!(again.correction);
    assert_eq!(rows.len(), bad.len(), "{}", String::from_utf8_lossy(&out));
    assert!(rows.iter().all(|row| row.facts.is_none()), "{}", String::from_utf8_lossy(&out));
});
