//! A disk that is full, and a state that is not one: told in plain words, by whoever is asked (F14, F16).
//!
//! The disk is a small tmpfs of its own, which takes root; without, the test says that it is left out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use firstpass::clock::Clock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::cli::{Ran, firstpass};
use crate::service::SOON;
use crate::world::{World, short_limits};

/// A disk of 64 MiB; it goes with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(dir.path()).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("skipped: no tmpfs may be mounted here (root only), so no disk is full");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// The lines of `check` about the state.
async fn checked(dir: &Path) -> (i32, String) {
    let ran = firstpass(dir, &["check", "--offline"]).await;
    let lines = ran.stdout.lines().filter(|line| line.contains(" state: ")).map(|line| format!("{line}\n"));
    (ran.status, lines.collect())
}

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

fn lines_with(world: &World, text: &str) -> usize {
    world.log().lines().filter(|line| line.contains(text) && !line.contains("\"INFO\"")).count()
}

#[tokio::test]
async fn f16_a_disk_that_is_full_is_called_full_by_whoever_is_asked() {
    let Some(disk) = Disk::new() else { return };
    let url = format!("[state] += url = \"sqlite:{}/state.db\"\n{SOON}", disk.path().display());
    let world = World::around(&url, short_limits(), Clock::System);
    let dir = world.dir.path().to_owned();
    let mut service = world.spawn();
    world.wait_for("ready", 30, |world| world.log().contains("\"ready\""));
    let (status, lines) = checked(&dir).await;
    assert!(status == 0 && lines.contains("is whole and may be written") && lines.contains("note "), "{lines}");

    disk.fill();
    world.drop_today(1);
    world.wait_for("the word", 60, |world| world.log().contains("is full; make room there"));
    let (status, lines) = checked(&dir).await;
    assert!(status == 1 && lines.contains("WRONG state: its disk is full (0 MiB are free)"), "{lines}");
    let ran = firstpass(&dir, &["state", "check"]).await;
    assert_eq!((ran.status, said(&ran).contains("wrong: its disk is full")), (1, true), "{}", said(&ran));
    // A poll each second meets it.
    let said_before = lines_with(&world, "is full; make room there");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(lines_with(&world, "is full; make room there"), said_before, "once, not at each poll: {}", world.log());
    assert!(said_before <= 2, "the feed, and the state: {}", world.log());

    std::fs::remove_file(disk.filler()).unwrap();
    world.wait_for("the letter", 60, |world| world.code_letters().len() == 1);
    world.wait_for("the other word", 60, |world| world.log().contains("can be written again"));
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    // Who closes it last leaves nothing beside it; and then there is no room to make that.
    assert_eq!(firstpass(&dir, &["state", "check"]).await.status, 0);
    disk.fill();
    let name = disk.path().join("state.db");
    for args in [&["state", "check"][..], &["hire", "list"], &["run", "--once"]] {
        let ran = firstpass(&dir, args).await;
        let full = format!("the disk (or quota) of {} is full; make room there", name.display());
        let told = said(&ran).contains(&full) || said(&ran).contains("wrong: its disk is full");
        assert!(ran.status == 1 && told, "{args:?}: {}", said(&ran));
        assert!(!said(&ran).contains("disk I/O error"), "{args:?}: {}", said(&ran));
    }
    std::fs::remove_file(disk.filler()).unwrap();
    let ran = firstpass(&dir, &["state", "check"]).await;
    assert_eq!((ran.status, said(&ran).contains("its disk has room for")), (0, true), "{}", said(&ran));
}

#[tokio::test]
async fn f14_check_calls_no_broken_state_right() {
    let mut world = World::new().await;
    let dir = world.dir.path().to_owned();
    let state = dir.join("state.db");
    world.tick().await;
    world.work().store.close().await;
    let good = std::fs::read(&state).unwrap();
    let (status, lines) = checked(&dir).await;
    assert!(status == 0 && lines.contains("is whole and may be written"), "{lines}");
    let mut told = Vec::new();
    let mut look = async |what: &str| {
        let before = std::fs::read(&state).unwrap();
        let (status, lines) = checked(&dir).await;
        assert_eq!(status, 1, "{what}: {lines}");
        assert_eq!(std::fs::read(&state).unwrap(), before, "{what}: nothing is changed");
        assert_eq!(lines.lines().filter(|line| !line.contains("its disk")).count(), 1, "{what}: {lines}");
        told.push(format!("{what}: {lines}"));
    };

    // The root of a table, in the middle of the file.
    let mut damaged = good.clone();
    for page in damaged.chunks_mut(8192).skip(2) {
        page[..64].fill(0xA5);
    }
    std::fs::write(&state, damaged).unwrap();
    look("damaged").await;
    std::fs::write(&state, "employee_id,start_date\nE1,2027-03-01\n".repeat(50)).unwrap();
    look("a text file").await;
    std::fs::remove_file(&state).unwrap();
    let options = SqliteConnectOptions::new().filename(&state);
    let mut other = options.clone().create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE theirs (a INTEGER)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    look("another program's").await;
    std::fs::write(&state, &good).unwrap();
    let mut newer = options.connect().await.unwrap();
    sqlx::query("PRAGMA user_version = 4711").execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("state.db{end}")));
    }
    look("newer").await;
    let mut calm = insta::Settings::clone_current();
    calm.add_filter(&dir.display().to_string(), "[DIR]");
    calm.add_filter(r"damaged \(.*\);", "damaged ([WHERE]);");
    calm.add_filter(r".*its disk has room for [0-9]+ MiB only.*\n", "");
    let _calm = calm.bind_to_scope();
    insta::assert_snapshot!("broken_states", told.concat());
}

/// The state takes no word of the letter that is out, and the service is told to stop.
#[tokio::test]
async fn f16_letters_that_could_not_be_written_down_are_not_called_stopped() {
    let world = World::around(SOON, short_limits(), Clock::System);
    let mut service = world.spawn();
    world.wait_for("ready", 30, |world| world.log().contains("\"ready\""));
    let path = world.dir.path().join("state.db");
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let full = "CREATE TRIGGER full_pass BEFORE UPDATE ON pass WHEN NEW.state = 'mailed' BEGIN SELECT RAISE(ABORT, 'full'); END";
    sqlx::query(full).execute(&mut db).await.unwrap();
    world.drop_today(1);
    world.wait_for("the letter", 60, |world| world.log().contains("the letter was accepted, but the state"));
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    let log = world.log();
    assert!(log.contains("\"unfinished\"") && log.contains("ended with 1 accepted letter(s)"), "{log}");
    assert!(!log.contains("\"stopped\""), "that says that all is put away: {log}");
}
