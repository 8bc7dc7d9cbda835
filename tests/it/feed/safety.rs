//! What an enemy may put into the folder (T06, T09, T10; F32–F36, F39).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firstpass::work::intake;

use super::{FeedDesk, roster};

const HEAD: &str = "employee_id,start_date,zone";
const ROW: &str = "1,2027-03-01,Europe/Berlin";

#[tokio::test]
async fn f32_f33_f34_links_and_pipes_are_never_followed_and_never_block() {
    let mut desk = FeedDesk::new().await;
    let secret = desk.dir.path().join("secret.csv");
    std::fs::write(&secret, roster(HEAD, &[ROW])).unwrap();
    symlink(&secret, desk.folder().join("link.csv")).unwrap();
    std::fs::hard_link(&secret, desk.folder().join("hard.csv")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        desk.folder().join("pipe.csv"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    std::fs::create_dir(desk.folder().join("folder.csv")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(desk.folder().join("socket.csv")).unwrap();
    let reports = tokio::time::timeout(std::time::Duration::from_secs(20), desk.poll()).await.unwrap();
    let mut said: Vec<String> =
        reports.iter().map(|report| format!("{} {}: {}", report.file, report.state, report.why)).collect();
    said.sort();
    insta::assert_snapshot!("what_is_no_file", said.join("\n"));
    assert!(desk.hires().await.is_empty());
    assert!(secret.exists() && desk.folder().join("folder.csv").exists());
    assert!(desk.names("").is_empty() && desk.names("work").is_empty());
}

#[tokio::test]
async fn f35_a_file_swapped_for_a_link_is_never_followed() {
    let mut desk = FeedDesk::new().await;
    let secret = desk.dir.path().join("secret.csv");
    std::fs::write(&secret, roster(HEAD, &["666,2027-03-01,Europe/Berlin"])).unwrap();
    let (path, stop) = (desk.folder().join("x.csv"), Arc::new(AtomicBool::new(false)));
    let (target, halt, text) = (path.clone(), Arc::clone(&stop), roster(HEAD, &[ROW]));
    let swapper = std::thread::spawn(move || {
        let beside = target.with_extension("tmp");
        while !halt.load(Ordering::SeqCst) {
            let _ = std::fs::write(&beside, &text);
            let _ = std::fs::rename(&beside, &target);
            let _ = symlink(&secret, &beside);
            let _ = std::fs::rename(&beside, &target);
        }
    });
    let mut seen = 0;
    while seen < 200 {
        seen += desk.poll().await.len();
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::SeqCst);
    swapper.join().unwrap();
    assert!(desk.ask("SELECT employee_id FROM hire WHERE employee_id = '666'").await.is_empty());
}

#[tokio::test]
async fn f36_odd_names_are_taken_under_a_digest() {
    let mut desk = FeedDesk::new().await;
    let long = "n".repeat(251) + ".csv";
    let names: Vec<&[u8]> = vec![
        b"new\nline.csv",
        b"esc\x1b[31m.csv",
        b"latin\xeb.csv",
        b"-rf.csv",
        long.as_bytes(),
        "\u{202e}vsc.csv".as_bytes(),
    ];
    for (n, name) in names.iter().enumerate() {
        std::fs::write(
            desk.folder().join(OsStr::from_bytes(name)),
            roster(HEAD, &[&format!("{n},2027-03-01,Europe/Berlin")]),
        )
        .unwrap();
    }
    let reports = desk.poll().await;
    assert_eq!(reports.len(), names.len());
    assert!(reports.iter().all(|report| report.state == "taken"));
    assert_eq!(reports.iter().filter(|report| report.file.starts_with("name-")).count(), 5);
    assert!(desk.names("done").iter().all(|name| name.is_ascii() && !name.contains(|c: char| c.is_control())));
    assert_eq!(desk.hires().await.len(), names.len());
}

/// Spaces, umlauts and a leading dash are names like others, also for the rejected rows and the report.
#[tokio::test]
async fn f36_names_that_people_write_are_kept() {
    let mut desk = FeedDesk::new().await;
    for name in ["Neue Einträge März 2027.csv", "-n hires.csv", "a'b;$(id)&.csv"] {
        let bad = format!("{name},never,Europe/Berlin");
        let report = desk.drop_file(name, roster(HEAD, &[ROW, &bad])).await;
        assert_eq!((report.file.as_str(), report.state.as_str(), report.rejected), (name, "taken", 1));
        let stem = name.trim_end_matches(".csv");
        assert_eq!(report.rejected_at, format!("rejected/{stem}.rejected.csv"));
        assert!(desk.text(&report.rejected_at).contains("\"never\""));
        assert!(report.now_at.starts_with(&format!("done/{stem}.")), "{}", report.now_at);
    }
}

#[tokio::test]
async fn f39_many_files_are_served_some_at_a_time() {
    let mut desk = FeedDesk::new().await;
    for n in 0..130 {
        desk.write(&format!("{n:03}.csv"), "employee_id,start_date\n");
    }
    assert_eq!(desk.poll().await.len(), 100);
    assert_eq!(desk.poll().await.len(), 30);
}

#[tokio::test]
async fn t06_f50_a_folder_open_to_everybody_or_missing_is_refused() {
    let mut desk = FeedDesk::new().await;
    std::fs::set_permissions(desk.folder(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = desk.try_poll().await.unwrap_err().to_string();
    assert!(error.contains("chmod o-w"), "{error}");
    std::fs::remove_dir_all(desk.folder()).unwrap();
    let error = desk.try_poll().await.unwrap_err().to_string();
    assert!(error.contains("cannot be used"), "{error}");
}

/// `/proc/self/mem` is an ordinary file by its looks, and every reading of its first byte fails.
#[tokio::test]
async fn f17_what_our_own_disk_cannot_read_is_no_verdict_on_the_file() {
    let desk = FeedDesk::new().await;
    let (feed, rules, store) = (&desk.feed, &desk.rules, &desk.store);
    let taken = intake::import(Path::new("/proc/self/mem"), feed, rules, store, desk.now, false).await;
    let error = taken.unwrap_err().to_string();
    assert!(error.starts_with("mem: ") && error.contains("os error 5"), "{error}");
    assert_eq!(desk.ask("SELECT state FROM file").await, [""; 0], "nothing was read, so nothing was rejected");
    assert_eq!(desk.names("rejected"), [""; 0]);
}
