//! What files say: new hires, moves, withdrawals, rosters, twins, the brake.

use firstpass::work::intake;

use super::{FeedDesk, at, counts, feed, roster, said};

const HEAD: &str = "WorkerID,FullName,HireDate,CountryCode,ManagerID,WorkerStatus";

#[tokio::test]
async fn a_file_goes_in_and_again_changes_nothing() {
    let mut desk = FeedDesk::new().await;
    let text = roster(HEAD, &["0042,Ada Lovelace,2027-03-01,DE,7,Active", "43,Kavya Rao,2027-03-01,IN,7,Pre-hire"]);
    let report = desk.drop_file("hires.csv", &text).await;
    assert_eq!((report.state.as_str(), counts(&report)), ("taken", [2, 2, 0, 0, 0, 0, 0]));
    assert_eq!(desk.hires().await, ["0042 1 2027-03-01 pending - active r1", "43 1 2027-03-01 pending - active r1"]);
    let instants = desk.ask("SELECT employee_id || ' ' || datetime(send_at/1000, 'unixepoch') || ' ' || datetime(start_at/1000, 'unixepoch') || ' ' || datetime(window_until/1000, 'unixepoch') || ' ' || datetime(look_at/1000, 'unixepoch') FROM hire ORDER BY 1").await;
    assert_eq!(instants[0], "0042 2027-03-01 06:00:00 2027-03-01 08:00:00 2027-03-01 16:00:00 2027-02-25 06:00:00");
    assert_eq!(instants[1], "43 2027-03-01 01:30:00 2027-03-01 03:30:00 2027-03-01 11:30:00 2027-02-25 01:30:00");

    // F31: the same bytes under another name; I14.
    let before = desk.hires().await;
    let events = desk.ask("SELECT what FROM event").await.len();
    let report = desk.drop_file("copy.csv", &text).await;
    assert_eq!((report.state.as_str(), counts(&report)), ("taken", [2, 0, 0, 0, 2, 0, 0]));
    assert_eq!(desk.hires().await, before);
    assert_eq!(desk.ask("SELECT what FROM event").await.len(), events + 1, "an audited replay");
    assert_eq!(
        desk.ask("SELECT what FROM event ORDER BY seq DESC LIMIT 1").await,
        ["file-repeated"],
        "and not read again"
    );
    assert!(desk.names("work").is_empty() && desk.names("").is_empty());
    assert_eq!(desk.names("done").len(), 4, "{:?}", desk.names("done"));

    // Other settings read it anew, and find the same.
    desk.feed.columns = [("manager".to_owned(), String::new())].into();
    let report = desk.drop_file("hires.csv", &text).await;
    assert_eq!(counts(&report), [2, 0, 2, 0, 0, 0, 0]);
    assert_eq!(desk.ask("SELECT why FROM event WHERE what = 'amended'").await, ["manager changed", "manager changed"]);
}

#[tokio::test]
async fn moves_withdrawals_and_returns() {
    let mut desk = FeedDesk::new().await;
    desk.drop_file("a.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active", "2,Ben,2027-03-01,US,7,Active"])).await;
    assert_eq!(desk.hires().await[1], "2 1 2027-03-01 attention zone-unknown active r1");

    let report =
        desk.drop_file("b.csv", roster(HEAD, &["1,Ada,2027-03-08,DE,7,Active", "2,Ben,2027-03-01,GB,7,Active"])).await;
    assert_eq!(counts(&report), [2, 0, 2, 0, 0, 0, 0]);
    assert_eq!(desk.hires().await, ["1 1 2027-03-08 pending - active r2", "2 1 2027-03-01 pending - active r2"]);
    assert_eq!(
        desk.ask("SELECT why FROM event WHERE what = 'moved' ORDER BY hire_id").await[0],
        "start moved from 2027-03-01 09:00 Europe/Berlin to 2027-03-08 09:00 Europe/Berlin"
    );
    let report = desk
        .drop_file("c.csv", roster(HEAD, &["1,Ada,2027-03-08,DE,7,No-show", "9,Nobody,2027-03-08,DE,7,Inactive"]))
        .await;
    assert_eq!(counts(&report), [2, 0, 0, 1, 1, 0, 0], "a withdrawn row of somebody unknown changes nothing");
    assert_eq!(desk.hires().await[0], "1 1 2027-03-08 cancelled - withdrawn r3");
    let report = desk.drop_file("d.csv", roster(HEAD, &["1,Ada,2027-03-09,DE,7,Active"])).await;
    assert_eq!(counts(&report), [1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(desk.hires().await[0], "1 1 2027-03-09 pending - active r4");
}

#[tokio::test]
async fn a_hire_in_hand_keeps_its_state() {
    let mut desk = FeedDesk::new().await;
    let known = ["1,Ada,2027-03-01,DE,7,Active", "2,Ben,2027-03-01,DE,7,Active", "3,Cy,2027-03-01,DE,7,Active"];
    desk.drop_file("a.csv", roster(HEAD, &known)).await;
    desk.write_sql("UPDATE hire SET claim_token = 't', claim_worker = 'w', lease_until = 1 WHERE employee_id <> '2'")
        .await;
    desk.write_sql("UPDATE hire SET state = 'issuing' WHERE employee_id = '1'").await;
    desk.write_sql("UPDATE hire SET state = 'held', operator_status = 'held' WHERE employee_id = '2'").await;
    let now = ["1,Ada,2027-03-08,DE,7,Active", "2,Ben,2027-03-08,DE,7,Inactive", "3,Cy,2027-03-01,DE,7,Inactive"];
    desk.drop_file("b.csv", roster(HEAD, &now)).await;
    let hires = desk.hires().await;
    assert_eq!(hires[0], "1 1 2027-03-08 issuing - active r2");
    assert_eq!(hires[1], "2 1 2027-03-01 held - withdrawn r2");
    assert_eq!(hires[2], "3 1 2027-03-01 pending - withdrawn r2", "being checked: whoever has it cancels it");
    let looked = desk.ask("SELECT CAST(count(*) AS TEXT) FROM hire WHERE look_at = changed").await;
    assert_eq!(looked, ["3"], "all are looked at now");
}

#[tokio::test]
async fn a_new_engagement_keeps_the_old_one() {
    let mut desk = FeedDesk::new().await;
    desk.drop_file("a.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active"])).await;
    desk.write_sql("UPDATE hire SET state = 'delivered', look_at = NULL").await;
    desk.now = at("2027-06-01T00:00:00Z");
    let report = desk.drop_file("b.csv", roster(HEAD, &["1,Ada L,2027-03-01,DE,7,Active"])).await;
    assert_eq!(counts(&report), [1, 0, 1, 0, 0, 0, 0], "recorded only");
    assert_eq!(desk.ask("SELECT coalesce(CAST(look_at AS TEXT), 'never') FROM hire").await, ["never"]);
    let report = desk.drop_file("c.csv", roster(HEAD, &["1,Ada L,2027-09-01,DE,7,Active"])).await;
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(desk.hires().await, ["1 1 2027-03-01 delivered - active r2", "1 2 2027-09-01 pending - active r1"]);
    assert_eq!(desk.ask("SELECT CAST(engagement AS TEXT) FROM hire WHERE current = 1").await, ["2"]);
}

#[tokio::test]
async fn full_rosters_with_past_rows() {
    let mut desk = FeedDesk::new().await;
    let old = [
        "10,Old One,2013-01-01,DE,7,Active",
        "11,Old Two,2026-12-01,DE,7,maybe",
        "12,Old Three,2020-01-01,DE,7,Active",
        "12,Old 3,2020-01-01,DE,7,Active",
        "13,Just,2027-01-29,DE,7,Active",
    ];
    let report = desk.drop_file("a.csv", roster(HEAD, &old)).await;
    assert_eq!(counts(&report), [5, 0, 0, 0, 0, 5, 0], "also bad ones and twins; the first file misses nobody");
    assert!(desk.hires().await.is_empty());
    let mut rows = old.to_vec();
    rows.extend(["14,New Just,2027-01-29,DE,7,Active", "15,Old,2027-01-20,DE,7,Active"]);
    let report = desk.drop_file("b.csv", roster(HEAD, &rows)).await;
    assert_eq!(counts(&report), [7, 1, 0, 0, 0, 6, 0]);
    assert_eq!(desk.hires().await, ["14 1 2027-01-29 attention missed active r1"]);
}

#[tokio::test]
async fn f30_twins_and_bad_rows_are_rejected_and_can_be_dropped_again() {
    let mut desk = FeedDesk::new().await;
    let mut rows = vec![
        "1,Ada,2027-03-01,DE,7,Active".to_owned(),
        "2,\"Ben \"\"B\"\" B\",2027-03-01,DE,7,Active".to_owned(),
        "2,Ben,2027-03-02,DE,7,Active".to_owned(),
        "3,Cy,03/04/2027,DE,7,Active".to_owned(),
        "4,\"=HYPERLINK(\"\"x\"\")\",2027-02-30,DE,7,Active".to_owned(),
        "1,Ada,2027-03-01,DE,7,Active".to_owned(),
    ];
    rows.push(",Nobody,2027-03-01,DE,7,Active".to_owned());
    let text = format!("{HEAD}\r\n{}\r\n", rows.join("\r\n"));
    let report = desk.drop_file("hires.csv", &text).await;
    assert_eq!(counts(&report), [7, 1, 0, 0, 0, 0, 5], "identical twins count once");
    assert_eq!(report.new_rejects, 5);
    insta::assert_snapshot!("rejected_csv", desk.text("rejected/hires.rejected.csv"));
    let json = desk.text(&report.now_at.replace(".csv", ".report.json"));
    insta::with_settings!({filters => vec![(r"[0-9a-f]{64}", "[sha256]"), (r"-[0-9a-f]{8}\.csv", "-[hash].csv")]}, {
        insta::assert_snapshot!("report_json", json);
    });

    // The same rejects in another file are not told again; they lie under another name.
    let report = desk.drop_file("hires.csv", format!("{text}5,Eve,2027-03-01,DE,7,Active\r\n")).await;
    assert_eq!((report.rejected, report.new_rejects), (5, 0), "a reject is told once");
    assert!(report.rejected_at.starts_with("rejected/hires.2027"), "{}", report.rejected_at);

    // Corrected, the file can be dropped as it is.
    desk.feed.complete = true;
    let corrected = desk
        .text("rejected/hires.rejected.csv")
        .replace("03/04/2027", "2027-04-03")
        .replace("2027-02-30", "2027-03-30")
        .replace("2027-03-02", "2027-03-01")
        .replace("Ben \"\"B\"\" B", "Ben")
        .replace("\"\",\"Nobody\"", "\"6\",\"Nobody\"");
    let report = desk.drop_file("hires.rejected.csv", corrected).await;
    assert_eq!(counts(&report), [5, 4, 0, 0, 0, 0, 0], "{:?}", report.rejects);
    assert_eq!(
        desk.ask("SELECT display_name FROM hire WHERE employee_id = '4'").await,
        ["=HYPERLINK(\"x\")"],
        "F46: the data is as it was"
    );
    assert_eq!(
        desk.ask("SELECT CAST(count(*) AS TEXT) FROM hire WHERE feed_status = 'vanished'").await,
        ["0"],
        "a file of corrections is no whole list"
    );
}

#[tokio::test]
async fn vanished_with_complete() {
    let mut desk = FeedDesk::new().await;
    desk.feed.complete = true;
    desk.drop_file(
        "a.csv",
        roster(
            HEAD,
            &[
                "1,Ada,2027-03-01,DE,7,Active",
                "2,Ben,2027-03-01,DE,7,Active",
                "3,Cy,2027-03-01,DE,7,Active",
                "4,Di,2027-02-01,DE,7,Active",
            ],
        ),
    )
    .await;
    let report =
        desk.drop_file("b.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active", "3,Cy,31/03/2027,DE,7,Active"])).await;
    assert_eq!(counts(&report), [2, 0, 1, 0, 1, 0, 1]);
    let hires = desk.hires().await;
    assert_eq!(hires[1], "2 1 2027-03-01 attention vanished vanished r2");
    assert_eq!(hires[2], "3 1 2027-03-01 pending - active r1", "a rejected row whose id can be read has not vanished");
    assert_eq!(hires[3], "4 1 2027-02-01 pending - active r1", "a start of today is no question");
    let report = desk
        .drop_file(
            "c.csv",
            roster(
                HEAD,
                &["1,Ada,2027-03-01,DE,7,Active", "2,Ben,2027-03-01,DE,7,Active", "3,Cy,2027-03-01,DE,7,Active"],
            ),
        )
        .await;
    assert_eq!(counts(&report), [3, 0, 1, 0, 2, 0, 0]);
    assert_eq!(desk.hires().await[1], "2 1 2027-03-01 pending - active r3", "well again when the row returns");
    // F28: header only is not "delete all".
    let report = desk.drop_file("d.csv", format!("{HEAD}\n")).await;
    assert_eq!(report.state, "held");
    assert!(report.why.contains("names nobody"), "{}", report.why);
}

fn many(from: usize, to: usize, date: &str) -> String {
    let rows: Vec<String> = (from..to).map(|n| format!("{n},Name {n},{date},DE,7,Active")).collect();
    format!("{HEAD}\n{}\n", rows.join("\n"))
}

#[tokio::test]
async fn f88_the_brake_holds_whole_until_accepted_refused_or_superseded() {
    let mut desk = FeedDesk::new().await;
    desk.feed.max_new = 99;
    let report = desk.drop_file("big.csv", many(0, 100, "2027-03-01")).await;
    assert_eq!((report.state.as_str(), report.why.as_str()), ("held", "100 new hires, and max_new is 99"));
    assert!(desk.hires().await.is_empty());
    assert_eq!(desk.names("held").len(), 2);
    let sha = report.sha256.clone();

    let (feed, rules, store) = (desk.feed.clone(), desk.rules.clone(), desk.store.clone());
    let dry = intake::accept(&said("big.csv", "told by phone", true), &feed, &rules, &store, desk.now).await.unwrap();
    assert_eq!((dry.added, dry.changes.len()), (100, 100));
    assert!(desk.hires().await.is_empty(), "a dry run writes nothing");
    let taken =
        intake::accept(&said(&sha[..8], "told by phone", false), &feed, &rules, &store, desk.now).await.unwrap();
    assert_eq!((taken.state.as_str(), taken.added), ("taken", 100));
    assert!(taken.to_string().ends_with(" 0 rejected; reason given: told by phone"), "{taken}");
    assert_eq!(desk.hires().await.len(), 100);
    assert_eq!(desk.ask("SELECT state FROM file").await, ["taken"]);
    assert_eq!(
        desk.ask("SELECT why || ' by ' || by_whom FROM event WHERE what = 'file-taken'").await,
        ["told by phone by ada"]
    );
    assert!(intake::accept(&said(&sha, "x", false), &feed, &rules, &store, desk.now).await.is_err());

    // 21 of 100 pending moved: a share above 0.2.
    let report = desk.drop_file("moved.csv", many(0, 21, "2027-04-01")).await;
    assert_eq!(report.state, "held");
    assert!(report.why.contains("21 of 100 pending hires"), "{}", report.why);
    let refused =
        intake::refuse(&said("moved.csv", "a mistake", false), &feed, &rules, &store, desk.now).await.unwrap();
    assert_eq!(refused.state, "refused");
    assert!(refused.to_string().ends_with(" 0 rejected; reason given: a mistake"), "{refused}");
    assert!(refused.now_at.starts_with("rejected/moved."));
    let report = desk.drop_file("moved2.csv", many(0, 21, "2027-04-02")).await;
    assert_eq!(report.state, "held");
    let report = desk.drop_file("few.csv", many(0, 19, "2027-04-01")).await;
    assert_eq!((report.state.as_str(), report.changed), ("taken", 19), "fewer than 20 say nothing");
    assert_eq!(
        desk.ask("SELECT file || ' ' || state FROM file ORDER BY id").await,
        ["big.csv taken", "moved.csv refused", "moved2.csv superseded", "few.csv taken"]
    );
    assert!(desk.names("held").iter().all(|name| name.ends_with(".report.json")), "{:?}", desk.names("held"));
}

#[tokio::test]
async fn f88_a_held_file_gives_way_to_rows_alone_and_the_report_says_so() {
    let mut desk = FeedDesk::new().await;
    desk.drop_file("hires.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active", "2,Ben,soon,DE,7,Active"])).await;
    desk.feed.max_new = 3;
    assert_eq!(desk.drop_file("big.csv", many(10, 20, "2027-03-01")).await.state, "held");
    let corrected = desk.text("rejected/hires.rejected.csv").replace("soon", "2027-03-01");
    for (name, text) in
        [("hires.rejected.csv", &corrected), ("again.csv", &corrected), ("none.csv", &format!("{HEAD}\n"))]
    {
        let report = desk.drop_file(name, text).await;
        assert_eq!((report.state.as_str(), report.superseded.len()), ("taken", 0), "{report}");
        let held = desk.ask("SELECT file FROM file WHERE state = 'held'").await;
        assert_eq!(held, ["big.csv"], "{name}: corrections, and files without rows, say nothing about other rows");
        assert!(serde_json::to_value(&report).unwrap().get("superseded").is_none(), "absent when empty");
    }

    let small = desk.folder().join("../small.csv");
    std::fs::write(&small, many(30, 31, "2027-03-01")).unwrap();
    let dry = intake::import(&small, &desk.feed, &desk.rules, &desk.store, desk.now, true).await.unwrap();
    assert!(dry.to_string().contains("; it would take the place of big.csv, which waited for an answer"), "{dry}");
    let report = desk.drop_file("small.csv", many(30, 31, "2027-03-01")).await;
    assert_eq!(report.superseded, ["big.csv"]);
    assert!(
        report
            .to_string()
            .ends_with("; it takes the place of big.csv, which waited for an answer (superseded, in rejected/)"),
        "{report}"
    );
    let json = desk.text(&report.now_at.replace(".csv", ".report.json"));
    assert!(json.contains("\"superseded\": [\n    \"big.csv\"\n  ]"), "{json}");
    assert!(desk.names("rejected").iter().any(|name| name.starts_with("big.")), "{:?}", desk.names("rejected"));

    desk.drop_file("second.csv", many(40, 50, "2027-03-01")).await;
    let again = desk.drop_file("small.csv", many(30, 31, "2027-03-01")).await;
    assert_eq!(again.superseded, ["second.csv"], "the same bytes again are a newer file, too");

    // Of two held files an answer to the older one leaves the newer one.
    desk.drop_file("second.csv", many(40, 50, "2027-03-01")).await;
    let more = desk.text("rejected/hires.rejected.csv");
    let row = more.lines().nth(1).unwrap();
    let rows: Vec<String> =
        (60..70).map(|n| row.replace("\"2\"", &format!("\"{n}\"")).replace("soon", "2027-03-01")).collect();
    let held = desk.drop_file("more.csv", format!("{}\n{}\n", more.lines().next().unwrap(), rows.join("\n"))).await;
    assert_eq!((held.state.as_str(), held.superseded.len()), ("held", 0), "{held}");
    let taken =
        intake::accept(&said("second.csv", "x", false), &desk.feed, &desk.rules, &desk.store, desk.now).await.unwrap();
    assert_eq!((taken.state.as_str(), taken.superseded.len()), ("taken", 0), "{taken}");
    assert_eq!(desk.ask("SELECT file FROM file WHERE state = 'held'").await, ["more.csv"]);
}

#[tokio::test]
async fn held_bytes_are_what_was_judged() {
    let mut desk = FeedDesk::new().await;
    desk.feed.max_new = 1;
    let report = desk.drop_file("big.csv", many(0, 5, "2027-03-01")).await;
    std::fs::write(desk.folder().join(&report.now_at), many(0, 6, "2027-03-01")).unwrap();
    let error =
        intake::accept(&said("big.csv", "x", false), &desk.feed, &desk.rules, &desk.store, desk.now).await.unwrap_err();
    assert!(error.to_string().contains("not what was judged"), "{error}");
    assert!(desk.hires().await.is_empty());
}

/// Whoever has the held file open may write other rows into it between the look at its digest and its
/// reading, and set its time back.
#[tokio::test]
async fn held_bytes_are_what_was_judged_also_when_they_are_read_again() {
    let mut desk = FeedDesk::new().await;
    desk.feed.max_new = 1;
    let report = desk.drop_file("big.csv", many(0, 5, "2027-03-01")).await;
    let path = desk.folder().join(&report.now_at);
    let modified = path.metadata().unwrap().modified().unwrap();
    let answer = said("big.csv", "x", false);
    let mut accepting = Box::pin(intake::accept(&answer, &desk.feed, &desk.rules, &desk.store, desk.now));
    let mut swapped = false;
    let accepted = std::future::poll_fn(|context| {
        if !swapped && was_read_through(&path) {
            let mut file = std::fs::File::options().write(true).open(&path).unwrap();
            std::io::Write::write_all(&mut file, many(0, 5, "2027-05-01").as_bytes()).unwrap();
            file.set_modified(modified).unwrap();
            swapped = true;
        }
        accepting.as_mut().poll(context)
    })
    .await;
    drop(accepting);
    assert!(swapped, "the story is of a file that changed");
    assert!(desk.hires().await.is_empty(), "rows that nobody judged: {:?}", desk.hires().await);
    let error = accepted.unwrap_err().to_string();
    assert!(error.contains("not what was judged") || error.contains("changed while it was read"), "{error}");
    assert_eq!(desk.ask("SELECT state FROM file").await, ["held"]);
}

/// A descriptor of this process stands behind the last byte of that file.
fn was_read_through(path: &std::path::Path) -> bool {
    let size = path.metadata().unwrap().len();
    std::fs::read_dir("/proc/self/fd").unwrap().flatten().any(|fd| {
        let info = std::path::Path::new("/proc/self/fdinfo").join(fd.file_name());
        std::fs::read_link(fd.path()).is_ok_and(|target| target == path)
            && std::fs::read_to_string(info).is_ok_and(|info| info.contains(&format!("pos:\t{size}\n")))
    })
}

/// Each file of a poll tells of its own hires (one event for each, as design 6 has it).
#[tokio::test]
async fn hires_that_need_a_person_are_told_once_when_two_files_come_together() {
    let mut desk = FeedDesk::new().await;
    for (name, id) in [("a.csv", "1"), ("b.csv", "2"), ("c.csv", "3")] {
        desk.write(name, roster("employee_id,start_date,zone", &[&format!("{id},2027-03-01,")]));
    }
    assert_eq!(desk.poll().await.len(), 3);
    let told = "SELECT h.employee_id || ' ' || f.file FROM event e JOIN hire h ON h.id = e.hire_id
                JOIN file f ON f.id = e.file_id WHERE e.what = 'attention' ORDER BY e.seq";
    let mut told = desk.ask(told).await;
    told.sort();
    assert_eq!(told, ["1 a.csv", "2 b.csv", "3 c.csv"]);
}

#[tokio::test]
async fn a_hire_belongs_to_the_feed_that_brought_it() {
    let mut desk = FeedDesk::new().await;
    desk.drop_file("a.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active"])).await;
    let folder = desk.dir.path().join("other");
    std::fs::create_dir(&folder).unwrap();
    desk.feed = feed("contractors", folder);
    let report = desk.drop_file("b.csv", roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active"])).await;
    assert_eq!(counts(&report), [1, 0, 0, 0, 1, 0, 0]);
    let report = desk.drop_file("c.csv", roster(HEAD, &["1,Ada,2027-05-01,DE,7,Active"])).await;
    assert_eq!(counts(&report), [1, 0, 0, 0, 0, 0, 1]);
    assert!(report.rejects[0].reason.contains("belongs to feed \"hr\""), "{}", report.rejects[0].reason);
    assert_eq!(desk.hires().await, ["1 1 2027-03-01 pending - active r1"]);
}

#[tokio::test]
async fn import_leaves_the_file_and_a_dry_run_writes_nothing() {
    let mut desk = FeedDesk::new().await;
    let file = desk.dir.path().join("elsewhere.csv");
    std::fs::write(&file, roster(HEAD, &["1,Ada,2027-03-01,DE,7,Active", "2,Ben,soon,DE,7,Active"])).unwrap();
    let dry = intake::import(&file, &desk.feed, &desk.rules, &desk.store, desk.now, true).await.unwrap();
    assert_eq!(counts(&dry), [2, 1, 0, 0, 0, 0, 1]);
    assert_eq!(dry.changes[0].change, "new, starts 2027-03-01 09:00 Europe/Berlin");
    assert_eq!(
        dry.rejects[0].to_string(),
        "line 3, column HireDate: \"soon\" is no date; write the day as 2027-03-31 (year, month, day)"
    );
    assert!(desk.hires().await.is_empty() && std::fs::read_dir(desk.folder()).unwrap().next().is_none());
    let report = intake::import(&file, &desk.feed, &desk.rules, &desk.store, desk.now, false).await.unwrap();
    assert!(report.needs_a_person() && file.exists());
    assert_eq!(report.rejected_at, "rejected/elsewhere.rejected.csv");
    assert_eq!(desk.hires().await.len(), 1);
    desk.feed.max_new = 0;
    std::fs::write(&file, roster(HEAD, &["3,Cy,2027-03-01,DE,7,Active"])).unwrap();
    let report = intake::import(&file, &desk.feed, &desk.rules, &desk.store, desk.now, false).await.unwrap();
    assert_eq!(report.state, "held");
    let taken = intake::accept(&said("elsewhere.csv", "x", false), &desk.feed, &desk.rules, &desk.store, desk.now)
        .await
        .unwrap();
    assert_eq!((taken.state.as_str(), desk.hires().await.len()), ("taken", 2));
}
