//! Settling, order, and what a crash leaves behind (F11, F12, F27, F31).

use std::time::Duration;

use super::{FeedDesk, at, counts, roster};

const HEAD: &str = "employee_id,start_date,zone";

#[tokio::test]
async fn f27_a_file_is_taken_once_it_stands_still() {
    let mut desk = FeedDesk::new().await;
    desk.feed.settle = Duration::from_millis(1500);
    desk.write("x.csv", format!("{HEAD}\n"));
    desk.write(".hidden.csv", "x");
    desk.write("y.csv.PART", "x");
    desk.write("z.tmp", "x");
    assert!(desk.poll().await.is_empty());
    tokio::time::sleep(Duration::from_millis(100)).await;
    desk.write("x.csv", roster(HEAD, &["1,2027-03-01,Europe/Berlin"]));
    assert!(desk.poll().await.is_empty(), "it grew");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(desk.poll().await.is_empty(), "it has not stood still long enough");
    assert!(desk.eyes.next_settled("hr", desk.feed.settle).unwrap() < Duration::from_millis(1500));
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(counts(&desk.poll().await[0])[1], 1);
    assert_eq!(desk.names(""), [".hidden.csv", "y.csv.PART", "z.tmp"]);
}

#[tokio::test]
async fn files_are_taken_in_the_order_of_their_times() {
    let mut desk = FeedDesk::new().await;
    for (name, date, age) in [("a.csv", "2027-03-02", 10), ("b.csv", "2027-03-01", 20), ("c.csv", "2027-03-03", 5)] {
        desk.write(name, roster(HEAD, &[&format!("1,{date},Europe/Berlin")]));
        let file = std::fs::File::options().write(true).open(desk.folder().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - age)).unwrap();
    }
    let names: Vec<String> = desk.poll().await.into_iter().map(|report| report.file).collect();
    assert_eq!(names, ["b.csv", "a.csv", "c.csv"]);
    let listed = desk.store.files(Some("hr"), 10).await.unwrap();
    let listed: Vec<&str> = listed.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(listed, ["c.csv", "a.csv", "b.csv"], "newest first, though all were read within one second");
    assert_eq!(desk.hires().await, ["1 1 2027-03-03 pending - active r3"]);
}

#[tokio::test]
async fn a_file_that_lies_where_our_folder_should_be_is_named() {
    let mut desk = FeedDesk::new().await;
    desk.write("work", "mine");
    let told = desk.try_poll().await.unwrap_err().to_string();
    let place = desk.folder().join("work");
    let expected =
        format!("{} lies where firstpass keeps files of its own, and is no folder; move it away", place.display());
    assert_eq!(told, expected);
    std::fs::remove_file(&place).unwrap();
    assert!(desk.poll().await.is_empty());
}

#[tokio::test]
async fn f12_a_crash_between_the_commit_and_the_move_has_no_double_effect() {
    let mut desk = FeedDesk::new().await;
    let text = roster(HEAD, &["1,2027-03-01,Europe/Berlin", "2,soon,Europe/Berlin"]);
    let report = desk.drop_file("hires.csv", &text).await;
    // As if the process had died before it moved the file and wrote about it.
    std::fs::rename(desk.folder().join(&report.now_at), desk.folder().join("work/hires.csv")).unwrap();
    for name in desk.names("done") {
        std::fs::remove_file(desk.folder().join("done").join(name)).unwrap();
    }
    std::fs::rename(desk.folder().join("rejected/hires.rejected.csv"), desk.folder().join("rejected/.hires.csv.tmp"))
        .unwrap();
    let (hires, files, events) =
        (desk.hires().await, desk.ask("SELECT file FROM file").await, desk.ask("SELECT what FROM event").await);
    let reports = desk.poll().await;
    assert_eq!((reports.len(), counts(&reports[0])), (1, [2, 0, 0, 0, 1, 0, 1]));
    assert_eq!(
        (desk.hires().await, desk.ask("SELECT file FROM file").await, desk.ask("SELECT what FROM event").await),
        (hires, files, events)
    );
    assert!(desk.names("work").is_empty());
    assert_eq!(desk.names("rejected"), ["hires.rejected.csv"], "the rejected rows stand in a file (promise 5)");
    assert_eq!(desk.names("done").len(), 2);
}

#[tokio::test]
async fn f11_a_crash_before_the_commit_leaves_nothing_and_the_file_is_read_again() {
    let mut desk = FeedDesk::new().await;
    desk.poll().await;
    // As if the process had died after it took the file: nothing is in the state, all is in work/.
    std::fs::write(desk.folder().join("work/hires.csv"), roster(HEAD, &["1,2027-03-01,Europe/Berlin"])).unwrap();
    assert!(desk.hires().await.is_empty());
    let reports = desk.poll().await;
    assert_eq!(counts(&reports[0]), [1, 1, 0, 0, 0, 0, 0]);
    assert!(desk.names("work").is_empty());
}

#[tokio::test]
async fn f11_dropping_the_work_at_any_poll_leaves_whole_files_or_nothing() {
    let rows: Vec<String> = (0..500).map(|n| format!("{n},2027-03-01,Europe/Berlin")).collect();
    let text = format!("{HEAD}\n{}\n", rows.join("\n"));
    for k in 1..40 {
        let mut desk = FeedDesk::new().await;
        desk.write("hires.csv", &text);
        let (feed, rules, store, now) = (desk.feed.clone(), desk.rules.clone(), desk.store.clone(), desk.now);
        let mut eyes = firstpass::feed::Eyes::default();
        let mut work = Box::pin(firstpass::work::intake::poll(&feed, &rules, &store, &mut eyes, now));
        let mut polls = 0;
        let ended = std::future::poll_fn(|context| {
            polls += 1;
            match work.as_mut().poll(context) {
                std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
                std::task::Poll::Pending if polls >= k => std::task::Poll::Ready(false),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        drop(work);
        let there = desk.hires().await.len();
        assert!(there == 0 || there == 500, "half a file: {there}");
        desk.poll().await;
        assert_eq!(desk.hires().await.len(), 500, "after a drop at poll {k}");
        if ended {
            break;
        }
    }
}

#[tokio::test]
async fn f27_a_file_that_is_written_while_it_is_read_is_not_taken() {
    use std::io::Write;
    let desk = FeedDesk::new().await;
    desk.write("hires.csv", roster(HEAD, &["1,2027-03-01,Europe/Berlin"]));
    let mut writer = std::fs::File::options().append(true).open(desk.folder().join("hires.csv")).unwrap();
    let (feed, rules, store, now) = (desk.feed.clone(), desk.rules.clone(), desk.store.clone(), desk.now);
    let mut eyes = firstpass::feed::Eyes::default();
    let mut work = Box::pin(firstpass::work::intake::poll(&feed, &rules, &store, &mut eyes, now));
    // The file is open when the work first waits for the state; its writer has not finished.
    let reports = std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        writer.write_all(b"2,2027-03-01,Europe/Berlin\n").unwrap();
        polled
    })
    .await
    .unwrap();
    drop(work);
    assert!(reports.is_empty(), "{reports:?}");
    assert!(desk.hires().await.is_empty());
    assert_eq!((desk.names(""), desk.names("work")), (vec!["hires.csv".to_owned()], vec![]), "for the next poll");
}

/// By a clock that was ahead every start was over; the same bytes are then a question of their own.
#[tokio::test]
async fn f21_a_file_that_was_read_by_a_clock_that_was_ahead_is_judged_anew() {
    let mut desk = FeedDesk::new().await;
    let text = roster(HEAD, &["1,2027-03-01,Europe/Berlin"]);
    desk.now = at("2027-06-01T00:00:00Z");
    assert_eq!(desk.drop_file("a.csv", &text).await.past, 1);
    desk.now = at("2027-02-01T00:00:00Z");
    assert_eq!(desk.drop_file("b.csv", &text).await.added, 1);
    assert_eq!(desk.drop_file("c.csv", &text).await.why, "the same bytes as were taken last: nothing changed");
}

/// A poll during which a part of the folder goes, so that nothing can be moved there: why it failed.
async fn poll_without(desk: &FeedDesk, part: &str) -> String {
    let mut eyes = firstpass::feed::Eyes::default();
    let mut work = Box::pin(firstpass::work::intake::poll(&desk.feed, &desk.rules, &desk.store, &mut eyes, desk.now));
    let part = desk.folder().join(part);
    let polled = std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        // The folder is open when the work first waits for the state.
        let _ = std::fs::remove_dir_all(&part);
        polled
    });
    polled.await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_file_that_cannot_be_moved_is_told_once_and_goes_when_it_can() {
    for (part, text) in [
        ("rejected", "no,header,of,ours\n".to_owned()),
        ("held", roster(HEAD, &["1,2027-03-01,Europe/Berlin", "2,2027-03-01,Europe/Berlin"])),
    ] {
        let mut desk = FeedDesk::new().await;
        desk.feed.max_new = 1;
        desk.write("x.csv", text);
        for _ in 0..3 {
            desk.now += chrono::TimeDelta::minutes(1);
            let error = poll_without(&desk, part).await;
            assert!(error.starts_with("moving x.csv in the drop folder failed"), "{error}");
            assert_eq!(desk.names("work"), ["x.csv"]);
        }
        assert_eq!(desk.ask("SELECT file || ' ' || state FROM file").await, [format!("x.csv {part}")]);
        assert_eq!(desk.ask("SELECT what FROM event").await, [format!("file-{part}")]);
        desk.poll().await;
        assert_eq!(desk.names("work"), [""; 0]);
        assert_eq!(desk.names(part).len(), 2, "the file and its report");
        assert_eq!(desk.ask("SELECT what FROM event").await.len(), 1);

        // Dropped again, it is a file of its own.
        let report = desk.drop_file("x.csv", "no,header,of,ours\n").await;
        assert_eq!(report.state, "rejected");
        assert_eq!(desk.ask("SELECT what FROM event").await.len(), 2);
        if part == "held" {
            let said = super::said("x.csv", "told by phone", false);
            let taken = firstpass::work::intake::accept(&said, &desk.feed, &desk.rules, &desk.store, desk.now).await;
            assert_eq!(taken.unwrap().added, 2, "it lies where it is looked for");
        }
    }
}

/// Setting the time back hides nothing: the time of the change itself cannot be set.
#[test]
fn a_file_whose_time_was_set_back_has_not_stood_still() {
    use std::os::unix::fs::MetadataExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "1,2027-03-01").unwrap();
    let before = file.path().metadata().unwrap();
    let source = firstpass::feed::folder::Source::of(std::fs::File::open(file.path()).unwrap(), true).unwrap();
    assert!(source.stood_still());
    let changed = |meta: &std::fs::Metadata| (meta.ctime(), meta.ctime_nsec());
    while changed(&file.path().metadata().unwrap()) == changed(&before) {
        let mut other = std::fs::File::options().write(true).open(file.path()).unwrap();
        std::io::Write::write_all(&mut other, b"1,2027-05-01").unwrap();
        other.set_modified(before.modified().unwrap()).unwrap();
    }
    assert!(!source.stood_still());
}
