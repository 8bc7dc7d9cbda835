//! Opening the state: modes, foreign, newer and damaged files, the lock.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use firstpass::store::{Open, Store, StoreError};

use super::{hire, number, postgres, sql, sqlite};
use crate::pg;

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&format!("sqlite:{}", path.display()), &Open::default()).await
}

async fn sentence(path: &Path) -> String {
    open(path).await.map(drop).unwrap_err().to_string().replace(&path.display().to_string(), "STATE")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn the_file_and_what_lies_beside_it_are_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let beside = |end: &str| dir.path().join(format!("state.db{end}"));
    let store = open(&path).await.unwrap();
    hire(&store, "E1").await;
    let _lock = store.lock().unwrap();
    for end in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(end)), 0o600, "state.db{end}");
    }
    store.close().await;

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let gid = std::fs::metadata(&path).unwrap().gid();
    let reviewers = Open { group: Some(gid.to_string()), ..Open::default() };
    let store = Store::open(&format!("sqlite:{}", path.display()), &reviewers).await.unwrap();
    for end in ["", "-wal", "-shm"] {
        assert_eq!((mode(&beside(end)), std::fs::metadata(beside(end)).unwrap().gid()), (0o640, gid), "state.db{end}");
    }
    store.close().await;
    let store = open(&path).await.unwrap();
    assert_eq!(mode(&path), 0o600, "without a group it is closed again");
    store.close().await;
}

#[tokio::test]
async fn every_refusal_says_what_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");

    let missing = dir.path().join("gone/state.db");
    let told = open(&missing).await.unwrap_err().to_string();
    let folder = missing.parent().unwrap().display().to_string();
    assert_eq!(
        told.replace(&folder, "FOLDER"),
        "the folder FOLDER of state.url does not exist; make it: mkdir -p -m 0700 FOLDER"
    );

    std::fs::write(&path, "EmployeeID;Name\n1;Ada\n".repeat(200)).unwrap();
    assert_eq!(sentence(&path).await, "the file that state.url names is no SQLite database; name another file");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 400, "untouched");
    std::fs::remove_file(&path).unwrap();

    let mut other = sqlx_file(&path).await;
    sqlx::query("CREATE TABLE photos (id INTEGER)").execute(&mut other).await.unwrap();
    drop(other);
    assert_eq!(sentence(&path).await, "STATE is a database of another program; let state.url name another file");
    std::fs::remove_file(&path).unwrap();

    open(&path).await.unwrap().close().await;
    let mut newer = sqlx_file(&path).await;
    sqlx::query("PRAGMA user_version = 9999").execute(&mut newer).await.unwrap();
    drop(newer);
    assert_eq!(
        sentence(&path).await,
        "STATE was written by a newer firstpass; install that version, or restore a backup"
    );
    std::fs::remove_file(&path).unwrap();

    std::fs::create_dir(&path).unwrap();
    assert_eq!(sentence(&path).await, "STATE is no file; let state.url name another one");

    for (url, expected) in [
        (
            "mysql://x",
            "state.url is neither sqlite:PATH nor postgres://…; for example sqlite:/var/lib/firstpass/state.db",
        ),
        ("sqlite::memory:", "state.url names no file; the state must outlive the process"),
    ] {
        assert_eq!(Store::open(url, &Open::default()).await.unwrap_err().to_string(), expected);
    }
}

async fn sqlx_file(path: &Path) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions;
    sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

#[tokio::test]
async fn damaged_pages_are_found_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let store = open(&path).await.unwrap();
    for n in 0..300 {
        hire(&store, &format!("E{n}")).await;
    }
    sql(&store, "PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let error = open(&path).await.map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(error.to_string().ends_with("restore a backup"), "{error}");
}

#[tokio::test]
async fn a_first_start_cut_short_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::write(&path, "").unwrap();
    open(&path).await.unwrap().close().await;
    std::fs::remove_file(&path).unwrap();
    let mut begun = sqlx_file(&path).await;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut begun).await.unwrap();
    sqlx::query(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
        execution_time BIGINT NOT NULL)",
    )
    .execute(&mut begun)
    .await
    .unwrap();
    drop(begun);
    open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let (one, two) = tokio::join!(open(&path), open(&path));
    hire(&one.unwrap(), "E1").await;
    assert_eq!(two.unwrap().all_hires().await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_one_run_serves_a_state() {
    let temp = sqlite().await;
    let held = temp.store.lock().unwrap();
    let second = Store::open(&temp.url, &Open::default()).await.unwrap();
    hire(&second, "E1").await; // other commands write beside it
    let error = second.lock().unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)));
    let pid = std::process::id();
    assert!(
        error.to_string().starts_with(&format!("another `firstpass run` (process {pid}) serves the state ")),
        "{error}"
    );
    drop(held);
    drop(second.lock().unwrap());
    if let Some(store) = postgres().await {
        let (_one, _two) = (store.lock().unwrap(), store.lock().unwrap());
    }
}

#[tokio::test]
async fn the_settings_of_every_connection() {
    let temp = sqlite().await;
    // Opened again: what is set while the tables are made is gone.
    let temp = super::Temp { store: Store::open(&temp.url, &Open::default()).await.unwrap(), ..temp };
    let Store::Sqlite { write, read, .. } = &temp.store else { unreachable!() };
    let text =
        |name: &'static str| async move { sqlx::query_scalar::<_, String>(name).fetch_one(write).await.unwrap() };
    assert_eq!(text("PRAGMA journal_mode").await, "wal");
    assert_eq!(number(&temp.store, "PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(number(&temp.store, "PRAGMA foreign_keys").await, 1);
    assert_eq!(number(&temp.store, "PRAGMA busy_timeout").await, 5000);
    assert_eq!(number(&temp.store, "PRAGMA application_id").await, 0x6670_6173);
    let versions = std::fs::read_dir("migrations/sqlite").unwrap().count();
    let same = std::fs::read_dir("migrations/postgres").unwrap().count();
    assert_eq!(number(&temp.store, "PRAGMA user_version").await, i64::try_from(versions).unwrap());
    assert_eq!(versions, same, "each migration has its twin");
    assert!(sqlx::query("DELETE FROM hire").execute(read).await.is_err(), "readers cannot write");
    assert_eq!(
        number(
            &temp.store,
            "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND schema = 'main'
            AND name NOT IN ('_sqlx_migrations', 'sqlite_schema', 'sqlite_sequence')"
        )
        .await,
        0,
        "every table is STRICT"
    );
}

#[tokio::test]
async fn foreign_and_newer_databases_are_refused_on_postgresql_too() {
    let Some(url) = pg::database().await else { return };
    let store = Store::open(&url, &Open::default()).await.unwrap();
    sql(
        &store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', true, '\\x00', 0)",
    )
    .await
    .unwrap();
    let error = Store::open(&url, &Open::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer(_)), "{error}");

    let url = pg::database().await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE event (id BIGINT)").execute(&pool).await.unwrap();
    let error = Store::open(&url, &Open::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    assert!(error.to_string().contains("a database of its own"));
}
