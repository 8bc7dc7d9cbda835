//! `state check`, `backup`, `migrate`: a copy of the state that is worth its name, and back again (F14, F87).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{calm, firstpass, session, weekend};
use crate::world::World;

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// Everything in the folder but what SQLite keeps beside a state.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name.contains("copy")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_state_is_looked_through_copied_lost_and_brought_back() {
    let world = weekend().await;
    let dir = world.dir.path().to_owned();
    let before = firstpass(&dir, &["hire", "list", "--json"]).await.stdout;
    {
        let _calm = calm(&dir);
        let mut calmer = insta::Settings::clone_current();
        calmer.add_filter(r"\b[0-9]+ [KM]iB", "[SIZE]");
        calmer.add_filter(r#""(free_)?bytes": [0-9]+"#, r#""${1}bytes": [SIZE]"#);
        calmer.add_filter(r"version [0-9]+", "version [V]");
        calmer.add_filter(r#""(version|newest|from|to)": [0-9]+"#, r#""$1": [V]"#);
        let _calmer = calmer.bind_to_scope();
        let told = session(
            &dir,
            &[
                &["state", "check"],
                &["state", "check", "--json"],
                &["state", "backup", "copy.db", "--dry-run"],
                &["state", "backup", "copy.db"],
                &["state", "backup", "copy.db"],
                &["state", "backup", "gone/copy.db"],
                &["state", "backup", "copy-2.db", "--json"],
                &["state", "migrate"],
                &["state", "migrate", "--dry-run", "--json"],
            ],
        );
        insta::assert_snapshot!("state", told.await);
    }
    for name in ["copy.db", "copy-2.db"] {
        let mode = std::fs::metadata(dir.join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}: a copy holds what the state holds");
    }
    assert_eq!(names(&dir), ["copy-2.db", "copy.db"], "nothing half done is left behind");

    // The disk is gone; the copy is put where the state was (deploy/operations.md).
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("state.db{end}")));
    }
    std::fs::copy(dir.join("copy.db"), dir.join("state.db")).unwrap();
    let checked = firstpass(&dir, &["state", "check"]).await;
    assert_eq!(checked.status, 0, "{}{}", checked.stdout, checked.stderr);
    assert_eq!(firstpass(&dir, &["hire", "list", "--json"]).await.stdout, before);
    let again = std::fs::metadata(dir.join("state.db")).unwrap().mode() & 0o777;
    assert_eq!(again, 0o600);
}

/// A volume without a shell: the same name each night (deploy/kubernetes).
#[tokio::test]
async fn a_backup_takes_the_place_of_an_older_one_and_of_nothing_else() {
    let world = weekend().await;
    let dir = world.dir.path().to_owned();
    let again: &[&str] = &["state", "backup", "copy.db", "--replace"];
    assert_eq!(firstpass(&dir, again).await.status, 0, "there is none yet");
    let before = std::fs::metadata(dir.join("copy.db")).unwrap().ino();
    let replaced = firstpass(&dir, again).await;
    assert_eq!(replaced.status, 0, "{}{}", replaced.stdout, replaced.stderr);
    assert_ne!(std::fs::metadata(dir.join("copy.db")).unwrap().ino(), before);

    // One that was found damaged leaves the older one where it is.
    let mut state = raw(&dir.join("state.db")).await;
    for statement in ["PRAGMA ignore_check_constraints = ON", "UPDATE hire SET state = 'lost' WHERE employee_id = 'E1'"]
    {
        sqlx::query(statement).execute(&mut state).await.unwrap();
    }
    let good = std::fs::read(dir.join("copy.db")).unwrap();
    assert_eq!(firstpass(&dir, again).await.status, 1);
    assert_eq!(std::fs::read(dir.join("copy.db")).unwrap(), good);

    std::fs::write(dir.join("copy-notes.txt"), "not ours").unwrap();
    std::os::unix::fs::symlink("state.db", dir.join("copy-link.db")).unwrap();
    std::fs::hard_link(dir.join("state.db"), dir.join("copy-twin.db")).unwrap();
    std::fs::write(dir.join("copy.db-wal"), "somebody has it open").unwrap();
    let _calm = calm(&dir);
    let mut told = String::new();
    for name in ["state.db", "copy-twin.db", "copy-link.db", "copy-notes.txt", "copy.db"] {
        for more in [&["--replace"][..], &["--replace", "--dry-run"]] {
            let kept = std::fs::read(dir.join(name)).unwrap();
            let ran = firstpass(&dir, &[&["state", "backup", name][..], more].concat()).await;
            assert_eq!((ran.status, std::fs::read(dir.join(name)).unwrap() == kept), (1, true), "{name}");
            told.push_str(&ran.stderr);
        }
    }
    insta::assert_snapshot!("not_replaced", told);
}

#[tokio::test]
async fn a_backup_keeps_nobody_waiting_and_waits_for_nobody() {
    let world = weekend().await;
    let dir = world.dir.path().to_owned();
    let _service = world.work().store.lock().unwrap();
    let mut writer = raw(&dir.join("state.db")).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await.unwrap();
    sqlx::query("UPDATE hire SET display_name = 'half way'").execute(&mut writer).await.unwrap();

    let checked = firstpass(&dir, &["state", "check"]).await;
    assert_eq!(checked.status, 0, "{}{}", checked.stdout, checked.stderr);
    let by = format!("served right now by process {}", std::process::id());
    assert!(checked.stdout.contains(&by), "{}", checked.stdout);
    let copied = firstpass(&dir, &["state", "backup", "copy.db"]).await;
    assert_eq!(copied.status, 0, "{}{}", copied.stdout, copied.stderr);

    sqlx::query("COMMIT").execute(&mut writer).await.unwrap();
    let mut copy = raw(&dir.join("copy.db")).await;
    let half: i64 = sqlx::query_scalar("SELECT count(*) FROM hire WHERE display_name = 'half way'")
        .fetch_one(&mut copy)
        .await
        .unwrap();
    assert_eq!(half, 0, "a copy is of one committed moment");
}

#[tokio::test]
async fn f14_a_damaged_copy_never_gets_its_name() {
    let world = weekend().await;
    let dir = world.dir.path().to_owned();
    // A backup that was cut off leaves this; the next one takes it away.
    std::fs::write(dir.join(".copy.db.part"), "half").unwrap();
    let mut state = raw(&dir.join("state.db")).await;
    for statement in ["PRAGMA ignore_check_constraints = ON", "UPDATE hire SET state = 'lost' WHERE employee_id = 'E1'"]
    {
        sqlx::query(statement).execute(&mut state).await.unwrap();
    }
    let checked = firstpass(&dir, &["state", "check"]).await;
    assert_eq!(checked.status, 1, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("wrong: CHECK constraint failed in hire"), "{}", checked.stdout);
    let copied = firstpass(&dir, &["state", "backup", "copy.db"]).await;
    assert_eq!(copied.status, 1, "{}{}", copied.stdout, copied.stderr);
    assert!(copied.stderr.contains("the copy was found damaged and is not kept"), "{}", copied.stderr);
    assert_eq!(names(&dir), Vec::<String>::new(), "neither the copy nor a part of it");

    // References, too.
    for statement in [
        "UPDATE hire SET state = 'pending' WHERE employee_id = 'E1'",
        "PRAGMA foreign_keys = OFF",
        "UPDATE event SET hire_id = 4711 WHERE hire_id IS NOT NULL",
    ] {
        sqlx::query(statement).execute(&mut state).await.unwrap();
    }
    let checked = firstpass(&dir, &["state", "check"]).await;
    assert_eq!(checked.status, 1, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("belong to no row of hire"), "{}", checked.stdout);
    let copied = firstpass(&dir, &["state", "backup", "copy.db"]).await;
    assert_eq!((copied.status, names(&dir)), (1, vec![]), "{}{}", copied.stdout, copied.stderr);
}

/// A state as the first version made it, of the first migration alone.
async fn first_version(dir: &Path) {
    let only = tempfile::tempdir().unwrap();
    let first = "0001_state.sql";
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    std::fs::copy(migrations.join(first), only.path().join(first)).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(dir.join("state.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::migrate::Migrator::new(only.path()).await.unwrap().run(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn older_tables_are_copied_as_they_are_and_brought_up_to_date_when_asked() {
    let world = World::around("", crate::world::short_limits(), firstpass::clock::Clock::System);
    let dir = world.dir.path().to_owned();
    first_version(&dir).await;
    let newest: i64 = {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        i64::try_from(std::fs::read_dir(folder).unwrap().count()).unwrap()
    };

    let checked = firstpass(&dir, &["state", "check"]).await;
    assert!(checked.stdout.contains("tables of version 1, this firstpass works with"), "{}", checked.stdout);
    let copied = firstpass(&dir, &["state", "backup", "copy.db"]).await;
    assert!(copied.stdout.contains("tables of version 1"), "{}{}", copied.stdout, copied.stderr);
    let forecast = firstpass(&dir, &["state", "migrate", "--dry-run"]).await;
    assert!(forecast.stdout.contains(&format!("would go from version 1 to {newest}")), "{}", forecast.stdout);

    // The old service still runs.
    let holder = std::fs::File::create(dir.join("state.db.lock")).unwrap();
    holder.lock().unwrap();
    let refused = firstpass(&dir, &["state", "migrate"]).await;
    assert_eq!(refused.status, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("another `firstpass run`"), "{}", refused.stderr);
    assert!(firstpass(&dir, &["state", "check"]).await.stdout.contains("tables of version 1,"), "untouched");
    drop(holder);

    let done = firstpass(&dir, &["state", "migrate"]).await;
    assert!(done.stdout.contains(&format!("went from version 1 to {newest}")), "{}{}", done.stdout, done.stderr);
    let checked = firstpass(&dir, &["state", "check"]).await;
    assert!(checked.stdout.contains(&format!("tables of version {newest}, as this")), "{}", checked.stdout);
}

/// The calls of a backup that matter, in their order, as strace saw them.
fn traced(dir: &Path) -> Option<Vec<String>> {
    let log = dir.join("strace.log");
    let traced = std::process::Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2", "-o"])
        .arg(&log)
        .args([env!("CARGO_BIN_EXE_firstpass"), "state", "backup", "copy.db"])
        .current_dir(dir)
        .env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"))
        .output();
    if !traced.is_ok_and(|traced| traced.status.success()) {
        return None;
    }
    let text = std::fs::read_to_string(log).unwrap();
    Some(text.lines().filter(|line| line.contains("copy.db") || line.contains("fsync(")).map(str::to_owned).collect())
}

#[tokio::test]
async fn f15_a_copy_is_on_the_disk_before_it_gets_its_name() {
    let world = weekend().await;
    let dir = world.dir.path().to_owned();
    let Some(calls) = traced(&dir) else {
        eprintln!("skipped: strace is not here, or may not trace (Debian: strace)");
        return;
    };
    let told = calls.join("\n");
    let renamed = calls.iter().position(|call| call.contains("rename")).unwrap_or_else(|| panic!("no rename\n{told}"));
    let synced = |call: &String| call.contains("fsync(") && call.contains("/.copy.db.part>");
    assert!(calls[..renamed].iter().any(synced), "the copy is named before it is on the disk\n{told}");
    let folder = format!("<{}>", dir.display());
    let named = |call: &String| call.contains("fsync(") && call.contains(&folder);
    assert!(calls[renamed..].iter().any(named), "the name is not on the disk\n{told}");
}

/// Enough rows for the migrations to take a while.
const MANY: i64 = 60_000;

#[tokio::test]
async fn f13_a_kill_while_the_tables_are_brought_up_to_date_loses_nothing() {
    let world = World::around("", crate::world::short_limits(), firstpass::clock::Clock::System);
    let dir = world.dir.path().to_owned();
    first_version(&dir).await;
    let mut state = raw(&dir.join("state.db")).await;
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO hire (tenant, employee_id, feed, source_file, source_line, start_date, start_time, zone, send_time,
                           state, reason, what_to_do, first_seen, changed)
         SELECT 'contoso', 'E' || i, 'hr', 'hires.csv', i, '2037-03-02', '09:00:00', 'Europe/Berlin', '07:00:00',
                'attention', 'user-missing', 'look', 0, 0 FROM n",
    )
    .bind(MANY)
    .execute(&mut state)
    .await
    .unwrap();
    state.close().await.unwrap();
    let newest = i64::try_from(
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite")).unwrap().count(),
    )
    .unwrap();

    let (mut killed, mut seen) = (0, std::collections::BTreeSet::new());
    for pause in std::iter::successors(Some(10_u64), |pause| Some(pause * 3 / 2)) {
        let mut child = super::command(&dir, &["state", "migrate"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += i64::from(ended.is_none());
        let mut state = raw(&dir.join("state.db")).await;
        let sound: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut state).await.unwrap();
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut state).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM hire").fetch_one(&mut state).await.unwrap();
        assert_eq!((sound.as_str(), rows), ("ok", MANY), "killed after {pause} ms at version {version}");
        assert!((1..=newest).contains(&version), "version {version}");
        seen.insert(version);
        state.close().await.unwrap();
        if let Some(ended) = ended {
            assert!(ended.success(), "it resumes where it was cut: versions {seen:?}");
            break;
        }
    }
    assert!(killed > 0, "it was never cut");
    let checked = firstpass(&dir, &["state", "check"]).await;
    assert!(checked.stdout.contains(&format!("tables of version {newest}, as this")), "{}", checked.stdout);
}
