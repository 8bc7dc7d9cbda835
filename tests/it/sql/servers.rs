//! The databases of the tests: a SQLite file, a database of the tests' PostgreSQL, one of a MariaDB and
//! one of a MySQL that this binary starts for itself, and a PostgreSQL with TLS.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, SqliteConnection};

use crate::entra::provider::below_target;
use crate::pg;

/// An empty database of somebody's HR system.
pub(super) struct Hr {
    /// For `url_file`.
    pub(super) url: String,
    pub(super) engine: &'static str,
    /// For `url_file` of a feed that goes through an ODBC driver.
    pub(super) by_odbc: Option<String>,
    _dir: Option<tempfile::TempDir>,
}

impl Hr {
    pub(super) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hr.db");
        Self { url: format!("sqlite:{}", path.display()), engine: "sqlite", by_odbc: None, _dir: Some(dir) }
    }

    /// A database that is there already.
    pub(super) fn at(url: &str, engine: &'static str) -> Self {
        Self { url: url.to_owned(), engine, by_odbc: None, _dir: None }
    }

    pub(super) async fn postgres() -> Option<Self> {
        Some(Self { url: pg::database().await?, engine: "postgres", by_odbc: None, _dir: None })
    }

    pub(super) async fn mariadb() -> Option<Self> {
        let url = of_mysql(&MARIA, start_mariadb).await?;
        Some(Self { url, engine: "mariadb", by_odbc: None, _dir: None })
    }

    pub(super) async fn mysql() -> Option<Self> {
        let url = of_mysql(&MYSQL, start_mysql).await?;
        Some(Self { url, engine: "mysql", by_odbc: None, _dir: None })
    }

    /// Every engine that this machine has.
    pub(super) async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        all.extend(Self::servers().await);
        all
    }

    /// Every one that is reached by a connection.
    pub(super) async fn servers() -> Vec<Self> {
        [Self::postgres().await, Self::mariadb().await, Self::mysql().await].into_iter().flatten().collect()
    }

    /// Runs statements.
    pub(super) async fn run(&self, sql: &str) {
        let sql = sql.to_owned();
        match self.engine {
            "sqlite" => {
                let mut db = SqliteConnection::connect(&format!("{}?mode=rwc", self.url)).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
            "postgres" => {
                let mut db = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
            _ => {
                let mut db = MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
        }
    }

    /// Keeps everybody else from reading a table.
    pub(super) async fn lock(&self, table: &str) -> Lock {
        let text = |before: &str, after: &str| AssertSqlSafe(format!("{before}{table}{after}"));
        match self.engine {
            "sqlite" => {
                let mut db = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut db).await.unwrap();
                Lock::Sqlite(db)
            }
            "postgres" => {
                let mut db = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(text("BEGIN; LOCK TABLE ", " IN ACCESS EXCLUSIVE MODE")).execute(&mut db).await.unwrap();
                Lock::Postgres(db)
            }
            _ => {
                let mut db = MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(text("LOCK TABLES ", " WRITE")).execute(&mut db).await.unwrap();
                Lock::Mysql(db)
            }
        }
    }

    /// `$1` on PostgreSQL, `?` elsewhere; cast where the server wants it.
    pub(super) fn mark(&self) -> &'static str {
        if self.engine == "postgres" { "CAST($1 AS timestamp)" } else { "?" }
    }

    /// Of the database on its server.
    pub(super) fn name(&self) -> String {
        let end = self.url.find('?').unwrap_or(self.url.len());
        self.url[..end].rsplit('/').next().unwrap().to_owned()
    }

    /// The socket or port behind the URL, for a proxy in front of it.
    pub(super) fn address(&self) -> PathBuf {
        let url = url::Url::parse(&self.url).unwrap();
        if self.engine == "postgres" {
            Path::new(&url.host_str().unwrap().replace("%2F", "/").replace("%2f", "/")).join(".s.PGSQL.5432")
        } else {
            let (_, socket) = url.query_pairs().find(|(key, _)| key == "socket").unwrap();
            PathBuf::from(socket.into_owned())
        }
    }

    /// The same database through a TCP port of this machine.
    pub(super) fn through(&self, port: u16) -> String {
        let url = url::Url::parse(&self.url).unwrap();
        let (user, database) = (url.username(), url.path());
        let scheme = url.scheme();
        // A socket lies behind the proxy: without TLS.
        let more = if self.engine == "postgres" { "" } else { "?ssl-mode=disabled" };
        format!("{scheme}://{user}@127.0.0.1:{port}{database}{more}")
    }
}

/// Somebody's lock.
pub(super) enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Lock {
    pub(super) async fn release(self) {
        match self {
            Self::Sqlite(db) => db.close().await.unwrap(),
            Self::Postgres(db) => db.close().await.unwrap(),
            Self::Mysql(db) => db.close().await.unwrap(),
        }
    }
}

/// A server of the MySQL family that this binary started for itself.
struct Peer {
    dir: String,
    port: u16,
    /// Key and certificate for `localhost`, and the CA that vouches for it.
    tls: tempfile::TempDir,
    /// Holds the pipe: never dropped, closed by the end of this process.
    _supervisor: Child,
}

static MARIA: OnceLock<Option<Peer>> = OnceLock::new();
static MYSQL: OnceLock<Option<Peer>> = OnceLock::new();
static POSTGRES: OnceLock<Option<Peer>> = OnceLock::new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// The TCP port of a server that offers TLS, and the CA of its certificate.
pub(super) fn tls_of(engine: &str) -> Option<(u16, String)> {
    let peer = match engine {
        "postgres" => POSTGRES.get_or_init(start_postgres),
        "mysql" => MYSQL.get()?,
        _ => MARIA.get()?,
    };
    let peer = peer.as_ref()?;
    Some((peer.port, peer.tls.path().join("ca.pem").display().to_string()))
}

/// A certificate for `localhost` that a CA of its own vouches for, readable for the server's user.
fn certificate() -> tempfile::TempDir {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use std::os::unix::fs::PermissionsExt;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in [("ca.pem", ca.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// The URL of a new, empty database; `None` when this machine has no such server (said once).
async fn of_mysql(peer: &'static OnceLock<Option<Peer>>, start: fn() -> Option<Peer>) -> Option<String> {
    let peer = peer.get_or_init(start).as_ref()?;
    let socket = format!("ssl-mode=disabled&socket={}/s.sock", peer.dir);
    let mut admin = MySqlConnection::connect(&format!("mysql://root@localhost/mysql?{socket}")).await.unwrap();
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::SeqCst));
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")))
        .execute(&mut admin)
        .await
        .unwrap();
    admin.close().await.unwrap();
    Some(format!("mysql://root@localhost:{}/{name}?{socket}", peer.port))
}

fn start_mariadb() -> Option<Peer> {
    let found = |name: &str| ["/usr/bin", "/usr/sbin"].iter().any(|bin| Path::new(bin).join(name).exists());
    if !found("mariadbd") || !found("mariadb-install-db") {
        eprintln!("skipped: everything on MariaDB (no mariadbd; apt-get install mariadb-server)");
        return None;
    }
    Some(start("mariadb", Command::new("sh"), None))
}

fn start_mysql() -> Option<Peer> {
    let root = below_target("mysql").join("root");
    if !root.join("usr/sbin/mysqld").exists() {
        eprintln!("skipped: everything on MySQL itself (no mysqld in {}; tests/run fetches it)", root.display());
        return None;
    }
    Some(start("mysql", Command::new("sh"), Some(root)))
}

fn start_postgres() -> Option<Peer> {
    let bin = pg::bin()?;
    Some(start("postgres", pg::as_its_user(), Some(bin)))
}

/// Runs the script of a peer with a free port, a certificate and one word more, until this process ends.
fn start(peer: &str, mut command: Command, more: Option<PathBuf>) -> Peer {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(peer).join("up.sh");
    // Read by a user who may not look into this folder.
    let script = std::fs::read_to_string(script).unwrap();
    let tls = certificate();
    let command = command.args(["-c", &script, peer, &port.to_string()]).arg(tls.path()).args(more);
    let mut supervisor = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut dir = String::new();
    BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut dir).unwrap();
    assert!(!dir.is_empty(), "{peer} did not start");
    Peer { dir: dir.trim_end().to_owned(), port, tls, _supervisor: supervisor }
}
