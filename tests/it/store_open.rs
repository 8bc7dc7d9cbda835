//! Opening the state: modes, foreign, newer and damaged files, the lock, what survives a restart.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use chrono::TimeDelta;
use firstpass::rules::hire::{Reason, State};
use firstpass::store::{Filter, Gate, Open, ReviewRow, Store, StoreError, View};

use crate::pg;
use crate::store::{LEASE, WORKER, at, claim, deliver, hire, hire_of, number, postgres, sql, sqlite};

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
async fn gates_and_the_sign_of_life_survive_a_restart() {
    let urls = [Some(sqlite_url()), pg::database().await.map(|url| (url, None))];
    for (url, _dir) in urls.into_iter().flatten() {
        let store = Store::open(&url, &Open::default()).await.unwrap();
        hire(&store, "E1").await;
        hire_of(&store, "fabrikam", "F1", at(6, 0)).await;
        assert!(
            !store.hold_gate(at(6, 0), "tenant/contoso", at(6, 1), None).await.unwrap(),
            "slowed down, not stopped"
        );
        assert!(store.hold_gate(at(6, 1), "tenant/contoso", at(6, 6), Some("AADSTS7000222")).await.unwrap());
        assert!(
            !store.hold_gate(at(6, 2), "tenant/contoso", at(6, 7), Some("AADSTS7000222")).await.unwrap(),
            "told once"
        );
        assert!(!store.hold_gate(at(6, 3), "tenant/contoso", at(6, 8), None).await.unwrap());
        assert_eq!(store.heartbeat(at(6, 0)).await.unwrap(), None);
        assert_eq!(store.heartbeat(at(6, 0) + TimeDelta::seconds(59)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.heartbeat(at(6, 1)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.heartbeat(at(5, 0)).await.unwrap(), Some(at(6, 1)), "time went back: written");
        store.close().await;

        let store = Store::open(&url, &Open::default()).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(at(5, 0)));
        let gate = Gate {
            name: "tenant/contoso".into(),
            not_before: Some(at(6, 8)),
            stopped: Some("AADSTS7000222".into()),
            since: at(6, 1),
        };
        assert_eq!(store.gates().await.unwrap(), [gate]);
        assert_eq!(claim(&store, at(6, 7)).await.unwrap().hire.tenant, "fabrikam");
        assert!(claim(&store, at(6, 7)).await.is_none(), "contoso waits");
        assert_eq!(store.next_look(at(6, 7)).await.unwrap(), Some(at(6, 8)));
        assert_eq!(store.mark_waiting(at(6, 7), "tenant/contoso", Reason::TenantStopped).await.unwrap(), 1);
        assert_eq!(store.mark_waiting(at(6, 7), "tenant/contoso", Reason::TenantStopped).await.unwrap(), 0, "once");
        assert!(store.open_gate(at(6, 8), "tenant/contoso").await.unwrap());
        assert!(!store.open_gate(at(6, 8), "tenant/contoso").await.unwrap());
        let claimed = claim(&store, at(6, 8)).await.unwrap();
        assert_eq!((claimed.hire.tenant.as_str(), claimed.hire.reason), ("contoso", Some(Reason::TenantStopped)));
        let told: Vec<_> = store.events(None, 10).await.unwrap().into_iter().map(|event| event.what).collect();
        assert_eq!(told, ["tenant-stopped", "waiting", "tenant-resumed"]);
        store.close().await;
    }
}

fn sqlite_url() -> (String, Option<tempfile::TempDir>) {
    let dir = tempfile::tempdir().unwrap();
    (format!("sqlite:{}", dir.path().join("state.db").display()), Some(dir))
}

#[tokio::test]
async fn the_next_look_is_that_of_the_first_free_hire_or_the_end_of_a_lease() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        assert_eq!(store.next_look(at(5, 0)).await.unwrap(), None);
        hire(&store, "E1").await;
        hire_of(&store, "contoso", "E2", at(7, 0)).await;
        assert_eq!(store.next_look(at(5, 0)).await.unwrap(), Some(at(6, 0)));
        assert_eq!(store.next_look(at(6, 30)).await.unwrap(), Some(at(6, 0)), "due");
        store.claim(at(6, 30), WORKER, LEASE, true).await.unwrap().unwrap();
        assert_eq!(store.next_look(at(6, 30)).await.unwrap(), Some(at(6, 35)), "the lease");
    }
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

#[tokio::test]
async fn keys_sort_by_bytes_on_both_engines() {
    let mut orders = Vec::new();
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        for employee_id in ["b", "B", "a", "A", "é", "_", "0012", "12"] {
            hire(&store, employee_id).await;
        }
        let rows = store.review(View::Hire, &Filter::default()).await.unwrap();
        orders.push(rows.into_iter().map(|row| row.employee_id).collect::<Vec<_>>());
    }
    for order in orders {
        assert_eq!(order, ["0012", "12", "A", "B", "_", "a", "b", "é"]);
    }
}

/// Start days of 2027-03-01 (02-28T23:00Z until 03-01T23:00Z), moved by days.
async fn starting(store: &Store, employee_id: &str, days: i64) {
    hire(store, employee_id).await;
    let shift = days * 86_400_000;
    let statement = "UPDATE hire SET day_from = day_from + $1, day_until = day_until + $1 WHERE employee_id = $2";
    match store {
        Store::Sqlite { write, .. } => {
            sqlx::query(statement).bind(shift).bind(employee_id).execute(write).await.map(drop).unwrap();
        }
        Store::Postgres(pool) => {
            sqlx::query(statement).bind(shift).bind(employee_id).execute(pool).await.map(drop).unwrap();
        }
    }
}

#[tokio::test]
async fn today_and_upcoming_are_where_the_hire_is_by_the_later_clock() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        for (employee_id, days) in [("yesterday", -1), ("today", 0), ("tomorrow", 1), ("last", 14), ("after", 15)] {
            starting(&store, employee_id, days).await;
        }
        let ids = |rows: Vec<ReviewRow>| rows.into_iter().map(|row| row.employee_id).collect::<Vec<_>>();
        store.heartbeat(at(22, 59)).await.unwrap();
        assert_eq!(ids(store.review(View::Today, &Filter::default()).await.unwrap()), ["today"]);
        assert_eq!(ids(store.review(View::Upcoming, &Filter::default()).await.unwrap()), ["last", "tomorrow"]);
        store.heartbeat(at(23, 0)).await.unwrap();
        assert_eq!(
            ids(store.review(View::Today, &Filter::default()).await.unwrap()),
            ["tomorrow"],
            "midnight in Berlin"
        );
    }
}

#[tokio::test]
async fn the_views_speak_the_contract() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        hire(&store, "E1").await;
        sql(
            &store,
            "UPDATE hire SET zone = '', start_at = NULL, send_at = NULL, send_time = '10:00:00',
            state = 'attention', reason = 'zone-unknown', what_to_do = 'name a zone'",
        )
        .await
        .unwrap();
        sql(
            &store,
            "INSERT INTO file (feed, file, sha256, read_at, rows, added, state)
            VALUES ('hr', 'hires.csv', 'ab', 1803880800000, 1, 1, 'taken')",
        )
        .await
        .unwrap();
        let filter = Filter { state: Some(State::Attention), tenant: Some("contoso".into()), ..Filter::default() };
        let row = store.review(View::Attention, &filter).await.unwrap().remove(0);
        assert_eq!(row.start_local, "2027-03-01 09:00");
        assert_eq!(row.send_local, "2027-03-01 09:00", "never after the start");
        assert_eq!((row.start_utc, row.send_utc, row.pass_id), (None, None, None));
        assert_eq!(row.user, "ada@contoso.example", "as the feed says, until the directory was asked");
        let other = Filter { tenant: Some("fabrikam".into()), ..Filter::default() };
        assert!(store.review(View::Hire, &other).await.unwrap().is_empty());
        assert_eq!(store.files(Some("hr"), 10).await.unwrap()[0].read_utc, "2027-03-01T06:00:00Z");
        assert!(store.files(Some("it"), 10).await.unwrap().is_empty());
        assert_eq!(number(&store, "SELECT count(*) FROM review_channel").await, 0);
    }
}

#[tokio::test]
async fn the_columns_of_every_view_are_those_of_the_contract() {
    const HIRE: &str = "tenant, employee_id, display_name, user, manager, channel, start_local, send_local, start_utc, \
        send_utc, state, reason, what_to_do, tries, next_try_utc, pass_id, pass_from_utc, pass_until_utc, mailed_to, \
        mailed_utc, outcome, feed, source_file, source_line, first_seen_utc, changed_utc";
    let views = [
        ("review_hire", HIRE),
        ("review_today", HIRE),
        ("review_upcoming", HIRE),
        ("review_attention", HIRE),
        ("review_event", "seq, at_utc, tenant, employee_id, what, why, by"),
        (
            "review_file",
            "feed, file, sha256, read_utc, rows, added, changed, withdrawn, unchanged, past, rejected, state",
        ),
        ("review_channel", "tenant, manager, address, proof, verified_utc, verified_by, revoked_utc"),
    ];
    for (view, columns) in views {
        let temp = sqlite().await;
        let Store::Sqlite { read, .. } = &temp.store else { unreachable!() };
        let found: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid")
            .bind(view)
            .fetch_all(read)
            .await
            .unwrap();
        assert_eq!(found.join(", "), columns, "{view} on SQLite");
        if let Some(Store::Postgres(pool)) = postgres().await {
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT column_name::TEXT FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
            )
            .bind(view)
            .fetch_all(&pool)
            .await
            .unwrap();
            assert_eq!(found.join(", "), columns, "{view} on PostgreSQL");
        }
    }
}

#[tokio::test]
async fn the_pass_that_a_reviewer_sees_is_the_newest_that_was() {
    for store in [Some(sqlite().await.store), postgres().await].into_iter().flatten() {
        hire(&store, "E1").await;
        deliver(&store, at(6, 1), "g1").await;
        sql(&store, "UPDATE hire SET look_at = 0").await.unwrap();
        let claimed = claim(&store, at(6, 2)).await.unwrap();
        store.condemn(&claimed, at(6, 2), 1, None, true, "moved").await.unwrap();
        store.gone(&claimed, at(6, 2), 1).await.unwrap();
        let row = store.review(View::Hire, &Filter::default()).await.unwrap().remove(0);
        assert_eq!((row.pass_id.as_deref(), row.outcome.as_deref()), (Some("g1"), Some("deleted")));
        assert_eq!(row.mailed_to.as_deref(), Some("mia@contoso.example"));
        store.intend(&claimed, at(6, 2), crate::store::cleared()).await.unwrap().unwrap();
        let row = store.review(View::Hire, &Filter::default()).await.unwrap().remove(0);
        assert_eq!(row.pass_id.as_deref(), Some("g1"), "an intent is no pass yet");
    }
}
