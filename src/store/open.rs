//! Opening the state: ours, whole, of our time, and closed to others.
//!
//! A state that belongs to something else, to a newer firstpass, that is damaged, or that lies where
//! SQLite's locks do not hold is refused with a sentence, before anything is written to it. Files
//! and modes stand in `place`; the tables in `migrations/`.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, SqliteConnection};

use super::condition::damaged;
use super::place::Place;
use super::{Store, StoreError};

pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// `fpas`, in the header of every state file of ours (first migration).
const APPLICATION_ID: i64 = 0x6670_6173;
/// Bytes of a page in a new file: half as many writes for a roster as with SQLite's 4096.
const PAGE: u32 = 8192;
/// A backup or another command may hold the write lock so long.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// For a connection of the pool; longer means that the database is not there.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Reads go on while the writer writes.
const SQLITE_READERS: u32 = 2;
/// Per worker; a tick needs one or two.
const POSTGRES_CONNECTIONS: u32 = 5;

/// How the state is opened.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// Group of the reviewers (name or number): the file becomes 0640 for it, else it is 0600.
    pub group: Option<String>,
    /// Leaves out the check of all pages, for commands that are asked often.
    pub skip_check: bool,
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`; creates and migrates what is missing.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] (no folder, network file system, unknown URL), [`StoreError::Foreign`],
    /// [`StoreError::Newer`], [`StoreError::Corrupt`], [`StoreError::Unavailable`].
    pub async fn open(url: &str, open: &Open) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return open_postgres(url).await;
        }
        match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            None => Err(StoreError::Unusable(
                "state.url is neither sqlite:PATH nor postgres://…; for example sqlite:/var/lib/firstpass/state.db"
                    .to_owned(),
            )),
            Some("" | ":memory:") => {
                Err(StoreError::Unusable("state.url names no file; the state must outlive the process".to_owned()))
            }
            Some(path) => open_sqlite(PathBuf::from(path), open).await.map_err(|error| error.at(Path::new(path))),
        }
    }

    /// Opens a state that there is so that nothing in it can be written: for dry runs. The file stays as
    /// it is, byte for byte; temporary tables lie elsewhere.
    ///
    /// # Errors
    /// As [`Store::open`]; also when its tables are of an older version, since it may not be brought up to date.
    pub async fn open_to_read(url: &str) -> Result<Self, StoreError> {
        match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some(path) => open_sqlite_to_read(PathBuf::from(path)).await.map_err(|error| error.at(Path::new(path))),
            None => Self::open(url, &Open::default()).await,
        }
    }

    /// Closes all connections; what was committed stays.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: PathBuf, open: &Open) -> Result<Store, StoreError> {
    let place = Place::new(path, open.group.as_deref())?;
    // Two first starts at once must not both migrate; held until the tables stand.
    let opening = place.hold_folder().await?;
    let existed = place.create()?;
    let looking = SqliteConnectOptions::new().filename(&place.path).busy_timeout(BUSY);
    let version = if existed { probe(&place.path, looking).await? } else { 0 };

    let options = SqliteConnectOptions::new()
        .filename(&place.path)
        .page_size(PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    if version < newest(&SQLITE) {
        bring_up_to_date(options.clone(), existed)
            .await
            .map_err(|error| migration(error, &place.path.display().to_string()))?;
    }
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE).idle_timeout(None).max_lifetime(None);
    let write = pool()
        .max_connections(1)
        // A full disk ends a transaction inside SQLite without sqlx's knowledge; such a connection
        // would refuse every later one. A new connection knows nothing of it.
        .before_acquire(|db, _| Box::pin(std::future::ready(Ok(!db.is_in_transaction()))))
        .connect_with(options.clone())
        .await?;
    place.close_to_others()?;
    drop(opening);
    if existed && !open.skip_check {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&write).await?;
        if found != "ok" {
            return Err(damaged(&place.path, &found));
        }
    }
    let read = pool().max_connections(SQLITE_READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Store::Sqlite { write, read, path: place.path })
}

/// Makes the tables by a connection of its own, whose cache goes with it.
async fn bring_up_to_date(options: SqliteConnectOptions, existed: bool) -> Result<(), MigrateError> {
    // A new file has nothing to lose yet: WAL keeps it whole without a wait for the disk at each commit,
    // and closing brings it there.
    let options = if existed { options } else { options.synchronous(SqliteSynchronous::Normal) };
    let db = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let made = SQLITE.run(&db).await;
    db.close().await;
    made
}

/// The file of a SQLite state that is there.
pub(super) fn file_of(url: &str) -> Result<PathBuf, StoreError> {
    let Some(path) = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) else {
        return Err(StoreError::Unusable(
            "the state is no SQLite file; a database server has tools of its own for that (pg_dump)".to_owned(),
        ));
    };
    let path = PathBuf::from(path);
    if path.is_file() {
        return Ok(path);
    }
    Err(StoreError::Unusable(format!(
        "there is no state at {}: `firstpass run` makes it, or `state.url` names another place",
        path.display()
    )))
}

/// An existing file that stays as it is, byte for byte.
pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
    // A reader leaves an empty log of writes behind where there was none. Without one nobody has the state
    // open, and what a service writes that starts right now goes to its log first, not into the file.
    let log = PathBuf::from(format!("{}-wal", path.display()));
    if log.exists() { options } else { options.immutable(true) }
}

async fn open_sqlite_to_read(path: PathBuf) -> Result<Store, StoreError> {
    let options = reading(&path);
    let version = probe(&path, options.clone()).await?;
    if version < newest(&SQLITE) {
        return Err(StoreError::Unusable(format!(
            "the tables of {} are of an older version, and a dry run writes nothing; `firstpass run` or `firstpass hire list` brings them up to date",
            path.display()
        )));
    }
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE).idle_timeout(None).max_lifetime(None);
    let write = pool().max_connections(1).connect_with(options.clone()).await?;
    let read = pool().max_connections(SQLITE_READERS).connect_lazy_with(options);
    Ok(Store::Sqlite { write, read, path })
}

/// Looks at an existing file without changing it; the version of its tables.
pub(super) async fn probe(path: &Path, options: SqliteConnectOptions) -> Result<i64, StoreError> {
    let mut db: SqliteConnection = options.connect().await?;
    let application_id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut db).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut db).await?;
    let n_tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_sqlx_migrations'",
    )
    .fetch_one(&mut db)
    .await?;
    db.close().await?;
    // A first start that was cut short leaves a file with nothing of anybody's in it.
    let empty = application_id == 0 && n_tables == 0;
    if application_id != APPLICATION_ID && !empty {
        return Err(StoreError::Foreign(format!(
            "{} is a database of another program; let state.url name another file",
            path.display()
        )));
    }
    if version > newest(&SQLITE) {
        return Err(newer(&path.display().to_string()));
    }
    Ok(version)
}

async fn open_postgres(url: &str) -> Result<Store, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Unusable("state.url is no PostgreSQL URL: postgres://USER@HOST/DATABASE".to_owned()))?
        .application_name("firstpass");
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options)
        .await?;
    let n_tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name IN ('hire', 'pass', 'event', 'meta')",
    )
    .fetch_one(&pool)
    .await?;
    let n_migrations: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'",
    )
    .fetch_one(&pool)
    .await?;
    if n_tables > 0 && n_migrations == 0 {
        return Err(StoreError::Foreign(
            "the database that state.url names holds tables of another program; give firstpass a database of its own"
                .to_owned(),
        ));
    }
    POSTGRES.run(&pool).await.map_err(|error| migration(error, "the database that state.url names"))?;
    Ok(Store::Postgres(pool))
}

/// The newest version of the tables that this build knows.
pub(super) fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or_default()
}

fn newer(what: &str) -> StoreError {
    StoreError::Newer(format!("{what} was written by a newer firstpass; install that version, or restore a backup"))
}

/// What a failed migration means for the admin.
fn migration(error: MigrateError, what: &str) -> StoreError {
    match error {
        MigrateError::VersionMissing(_) => newer(what),
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => source.into(),
        other => StoreError::Foreign(format!("{what} was not made by this firstpass: {other}")),
    }
}
