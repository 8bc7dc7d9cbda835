//! `expect_every`, `keep_files` and `recent`: what a feed needs over months.

use std::time::Duration;

use firstpass::feed::Eyes;
use firstpass::work::intake;

use super::{FeedDesk, at, counts, feed, roster, said};

const HEAD: &str = "employee_id,start_date,zone";

impl FeedDesk {
    async fn told(&self) -> Vec<String> {
        self.ask("SELECT why FROM event WHERE what = 'feed-overdue' ORDER BY seq").await
    }
}

#[tokio::test]
async fn f50_a_feed_whose_file_does_not_come_is_told_once_until_one_comes() {
    let mut desk = FeedDesk::new().await;
    // Never a file: counted from the first look.
    desk.upkeep_at("2027-02-01T00:00:00Z").await;
    desk.upkeep_at("2027-02-02T01:59:59Z").await;
    assert!(desk.told().await.is_empty(), "26 h are not over");
    desk.upkeep_at("2027-02-02T02:00:00Z").await;
    desk.upkeep_at("2027-02-02T02:01:00Z").await;
    // A restart: nothing is left in memory.
    desk.eyes = Eyes::default();
    desk.upkeep_at("2027-02-05T00:00:00Z").await;
    assert_eq!(desk.told().await, ["a new file was expected by 2027-02-02T02:00:00Z; none was read yet"]);

    // A file comes, and the waiting begins anew with its reading; the same bytes again are a file, too.
    let text = roster(HEAD, &["1,2027-03-01,Europe/Berlin"]);
    for (now, name) in [("2027-02-05T07:00:00Z", "a.csv"), ("2027-02-06T07:00:00Z", "b.csv")] {
        desk.now = at(now);
        desk.drop_file(name, &text).await;
        desk.upkeep_at(&desk.now.to_rfc3339()).await;
    }
    desk.upkeep_at("2027-02-07T09:00:00Z").await;
    assert_eq!(desk.told().await.len(), 1);
    desk.upkeep_at("2027-02-07T09:00:02Z").await;
    let told = desk.told().await;
    assert_eq!(
        told[1],
        "a new file was expected by 2027-02-07T09:00:01Z; the last was b.csv, read 2027-02-06T07:00:01Z"
    );

    // Another feed has its own rhythm.
    let other = feed("payroll", desk.folder().to_owned());
    intake::upkeep(&other, &desk.store, &desk.eyes, desk.now).await.unwrap();
    assert_eq!(desk.told().await.len(), 2);
}

#[tokio::test]
async fn f20_f21_a_clock_that_jumps_does_not_silence_the_watch() {
    let mut desk = FeedDesk::new().await;
    desk.now = at("2037-02-01T00:00:00Z");
    desk.drop_file("a.csv", roster(HEAD, &["1,2037-03-01,Europe/Berlin"])).await;
    desk.upkeep_at("2037-02-03T00:00:00Z").await;
    assert_eq!(desk.told().await.len(), 1, "told while the clock was ten years ahead");
    desk.upkeep_at("2027-02-01T00:00:00Z").await;
    desk.upkeep_at("2027-02-02T01:00:00Z").await;
    assert_eq!(desk.told().await.len(), 1, "counted anew from where the clock was set right");
    desk.upkeep_at("2027-02-02T02:00:00Z").await;
    desk.upkeep_at("2027-02-02T03:00:00Z").await;
    assert_eq!(desk.told().await.len(), 2, "and told again now that it is true");
}

#[tokio::test]
async fn f23_a_machine_that_wakes_beside_a_fresh_file_tells_nothing() {
    let mut desk = FeedDesk::new().await;
    desk.feed.settle = Duration::from_mins(10);
    desk.upkeep_at("2027-02-01T00:00:00Z").await;
    desk.write("hires.csv", roster(HEAD, &["1,2027-03-01,Europe/Berlin"]));
    desk.now = at("2027-02-04T00:00:00Z");
    assert!(desk.poll().await.is_empty(), "it does not stand still yet");
    desk.upkeep_at("2027-02-04T00:00:01Z").await;
    assert!(desk.told().await.is_empty());
    std::fs::remove_file(desk.folder().join("hires.csv")).unwrap();
    desk.poll().await;
    desk.upkeep_at("2027-02-04T00:01:00Z").await;
    assert_eq!(desk.told().await.len(), 1);
}

/// Daily looks, as a service makes them, up to and with a moment.
async fn days_until(desk: &mut FeedDesk, end: &str) {
    while desk.now < at(end) {
        let next = (desk.now + chrono::TimeDelta::hours(12)).min(at(end));
        desk.upkeep_at(&next.to_rfc3339()).await;
    }
}

#[tokio::test]
async fn i18_files_go_a_month_after_they_were_read_and_nothing_else_ever() {
    let mut desk = FeedDesk::new().await;
    desk.feed.max_new = 2;
    desk.upkeep_at("2027-02-01T00:00:00Z").await;
    // Read on 1 February: a good row and a bad one; a file that is no feed; one that is held, then refused; one held.
    desk.drop_file("hires.csv", roster(HEAD, &["1,2027-03-01,Europe/Berlin", "2,soon,Europe/Berlin"])).await;
    desk.drop_file("noend", "who,when\nada,soon\n").await;
    desk.drop_file(
        "many.csv",
        roster(HEAD, &["3,2027-03-01,Europe/Berlin", "4,2027-03-01,Europe/Berlin", "5,2027-03-01,Europe/Berlin"]),
    )
    .await;
    intake::refuse(&said("many.csv", "no", false), &desk.feed, &desk.rules, &desk.store, desk.now).await.unwrap();
    assert!(desk.names("held").is_empty(), "its report went along");
    // What others put there, and what waits.
    let mine = ["hires.csv", "notes.rejected.csv", "old.20200101T000000Z.csv", "keep.20200101T000000Z-xyzxyzxy.csv"];
    let target = desk.dir.path().join("elsewhere.csv");
    std::fs::write(&target, "x").unwrap();
    for part in ["done", "rejected"] {
        for name in mine {
            desk.write(&format!("{part}/{name}"), "something of somebody");
        }
        std::os::unix::fs::symlink(&target, desk.folder().join(part).join("link.20200101T000000Z-0a1b2c3d.csv"))
            .unwrap();
        std::fs::create_dir(desk.folder().join(part).join("dir.20200101T000000Z-0a1b2c3d")).unwrap();
    }
    std::os::unix::fs::symlink(&target, desk.folder().join("rejected/link.rejected.csv")).unwrap();
    let old = std::fs::File::options().write(true).open(desk.folder().join("rejected/notes.rejected.csv")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let others = |part: &str, desk: &FeedDesk| -> Vec<String> {
        desk.names(part).into_iter().filter(|name| !name.contains(".20270")).collect()
    };
    let before = (others("done", &desk), others("rejected", &desk));
    assert!(before.1.contains(&"hires.rejected.csv".to_owned()));
    let read = |part: &str, desk: &FeedDesk| desk.names(part).iter().filter(|name| name.contains(".202702")).count();
    assert_eq!((read("done", &desk), read("rejected", &desk)), (2, 4), "each with its report");

    // Read on the 20th: it stays ten days longer than the others.
    days_until(&mut desk, "2027-02-20T00:00:00Z").await;
    desk.feed.max_new = 1000;
    desk.drop_file("later.csv", roster(HEAD, &["6,2027-04-01,Europe/Berlin", "7,soon,Europe/Berlin"])).await;
    for name in [
        "work/x.20200101T000000Z-0a1b2c3d.csv",
        "held/x.20200101T000000Z-0a1b2c3d.csv",
        "x.20200101T000000Z-0a1b2c3d.csv",
    ] {
        desk.write(name, "waits");
    }
    let waits = (desk.names("work"), desk.names("held"), desk.names(""));
    days_until(&mut desk, "2027-03-02T23:00:00Z").await;
    assert_eq!((read("done", &desk), read("rejected", &desk)), (4, 4), "30 days are not over");
    days_until(&mut desk, "2027-03-04T00:00:00Z").await;
    assert_eq!((read("done", &desk), read("rejected", &desk)), (2, 0));
    assert_eq!(
        desk.names("rejected").iter().filter(|name| name.ends_with(".rejected.csv")).cloned().collect::<Vec<_>>(),
        ["later.rejected.csv", "link.rejected.csv", "notes.rejected.csv"]
    );
    days_until(&mut desk, "2027-04-01T00:00:00Z").await;
    let gone =
        |names: Vec<String>| names.into_iter().filter(|name| !name.starts_with("hires.rejected")).collect::<Vec<_>>();
    assert_eq!((desk.names("done"), desk.names("rejected")), (before.0, gone(before.1)));
    assert_eq!((desk.names("work"), desk.names("held"), desk.names("")), waits);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "x", "links are not followed");
    assert!(desk.folder().join("done/dir.20200101T000000Z-0a1b2c3d").exists());
}

#[tokio::test]
async fn f21_a_clock_that_jumps_ahead_deletes_nothing_at_once() {
    let mut desk = FeedDesk::new().await;
    desk.upkeep_at("2027-02-01T00:00:00Z").await;
    desk.drop_file("hires.csv", roster(HEAD, &["1,2027-03-01,Europe/Berlin"])).await;
    desk.upkeep_at("2037-02-01T00:00:00Z").await;
    desk.upkeep_at("2037-02-01T06:00:00Z").await;
    assert_eq!(desk.names("done").len(), 2);
    desk.upkeep_at("2027-02-02T00:00:00Z").await;
    desk.upkeep_at("2027-02-02T18:00:00Z").await;
    assert_eq!(desk.names("done").len(), 2, "the clock is right again");
    days_until(&mut desk, "2027-03-05T00:00:00Z").await;
    assert!(desk.names("done").is_empty());
}

/// Whom the feed's second file names for the first time, at noon UTC on Monday 1 February 2027.
#[tokio::test]
async fn contract_4_missed_is_only_whom_no_earlier_file_named_and_who_started_just_now() {
    let mut desk = FeedDesk::new().await;
    desk.now = at("2027-02-01T12:00:00Z");
    let old = ["known,2027-01-30,Europe/Berlin", "known-no-zone,2027-01-29,Mars", "hire,2027-02-20,Europe/Berlin"];
    let first = desk.drop_file("first.csv", roster(HEAD, &old)).await;
    assert_eq!(counts(&first)[1..], [1, 0, 0, 0, 2, 0], "the first file misses nobody, also not in a bad row");
    desk.write_sql("UPDATE hire SET state = 'delivered', start_date = '2027-01-28', look_at = NULL").await;
    let rows = [
        "known,2027-01-30,Europe/Berlin", // named before
        "known,2027-01-30,Europe/Berlin", // a twin of it
        "hire,2027-01-28,Europe/Berlin",  // had a pass
        "new,2027-01-30,Europe/Berlin",   // missed
        "twins,2027-01-30,Europe/Berlin", // missed, once
        "twins,2027-01-30,Europe/Berlin",
        "edge,2027-01-25,America/Los_Angeles", // nine there is 17:00 UTC: less than seven days ago
        "over,2027-01-25,Asia/Tokyo",          // nine there was midnight UTC: more than seven days ago
        "old,2013-01-01,Europe/Berlin",
        "late,2027-02-01,Europe/Berlin", // still sent, within late_until
        "ahead,2027-02-02,Europe/Berlin",
        "known-no-zone,2027-01-29,Europe/Berlin", // named before, in a bad row of a start that was over
    ];
    let second = desk.drop_file("second.csv", roster(HEAD, &rows)).await;
    assert_eq!(counts(&second), [12, 5, 0, 0, 1, 4, 0], "{second}");
    let missed = desk.ask("SELECT employee_id FROM hire WHERE reason = 'missed' ORDER BY employee_id").await;
    assert_eq!(missed, ["edge", "new", "twins"]);
    // Again, and in another file, nobody is missed who was named.
    let third = desk.drop_file("third.csv", roster(HEAD, &rows[3..])).await;
    assert_eq!(counts(&third)[1..], [0, 0, 0, 5, 3, 0], "{third}");

    // A first file that was held and refused, or that could not be read, is no file that named anybody.
    let mut other = FeedDesk::new().await;
    other.now = at("2027-02-01T12:00:00Z");
    other.feed.max_new = 0;
    other.drop_file("held.csv", roster(HEAD, &["ahead,2027-02-20,Europe/Berlin"])).await;
    intake::refuse(&said("held.csv", "no", false), &other.feed, &other.rules, &other.store, other.now).await.unwrap();
    other.drop_file("bad.csv", "who,when\n").await;
    other.feed.max_new = 1000;
    let first = other.drop_file("first.csv", roster(HEAD, &rows)).await;
    assert_eq!(counts(&first)[1..], [2, 0, 0, 0, 8, 0], "{first}");
    // `recent = "0s"`: never.
    other.feed.recent = Duration::ZERO;
    let second = other.drop_file("second.csv", roster(HEAD, &["just,2027-01-31,Europe/Berlin"])).await;
    assert_eq!(counts(&second)[1..], [0, 0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn contract_4_missed_also_where_nobody_knows_the_zone() {
    let mut desk = FeedDesk::new().await;
    desk.now = at("2027-02-01T12:00:00Z");
    desk.drop_file("first.csv", roster("employee_id,start_date,country", &["a,2027-02-20,DE"])).await;
    let rows = ["b,2027-01-30,US", "c,2027-01-20,US", "d,2027-02-20,US"];
    let report = desk.drop_file("second.csv", roster("employee_id,start_date,country", &rows)).await;
    assert_eq!(counts(&report)[1..], [2, 0, 0, 0, 1, 0], "{report}");
    assert_eq!(
        desk.hires().await[1..],
        ["b 1 2027-01-30 attention missed active r1", "d 1 2027-02-20 attention zone-unknown active r1"]
    );
}
