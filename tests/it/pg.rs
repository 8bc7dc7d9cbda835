//! A PostgreSQL of our own: one throw-away cluster for the whole test binary, one database a test.
//!
//! It listens on a socket in its own folder only. A supervising `sh` starts it, holds a pipe from
//! us, and stops and removes it when that pipe closes, however this process ends. Sorting is ICU's
//! where there is one, so that a key without `COLLATE "C"` shows.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

const SUPERVISOR: &str = r#"
set -eu
trap '' INT HUP
cd /
dir=$(mktemp -d "${TMPDIR:-/tmp}/firstpass-pg.XXXXXX")
trap '"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -A trust -U postgres --no-sync -E UTF8 --locale=C --locale-provider=icu --icu-locale=en \
  >"$dir/log" 2>&1 || {
    rm -rf "$dir/data"
    "$1/initdb" -D "$dir/data" -A trust -U postgres --no-sync -E UTF8 --locale=C >"$dir/log" 2>&1
  }
"$1/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" \
  -o "-c listen_addresses= -k $dir -c fsync=off -c max_connections=200" start >/dev/null </dev/null
echo "$dir"
cat >/dev/null
"#;

struct Cluster {
    dir: String,
    /// Holds the pipe: never dropped, closed by the end of this process.
    _supervisor: Child,
}

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// The URL of a new, empty database; `None` when this machine has no PostgreSQL (said once).
pub(crate) async fn database() -> Option<String> {
    let cluster = CLUSTER.get_or_init(start).as_ref()?;
    let host = cluster.dir.replace('/', "%2F");
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::SeqCst));
    let mut admin = PgConnection::connect(&format!("postgres://postgres@{host}/postgres")).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
    Some(format!("postgres://postgres@{host}/{name}"))
}

fn start() -> Option<Cluster> {
    let Some(bin) = bin() else {
        eprintln!(
            "skipped: everything on PostgreSQL (no initdb in /usr/lib/postgresql/*/bin; apt-get install postgresql)"
        );
        return None;
    };
    let mut supervisor = as_its_user()
        .args(["-c", SUPERVISOR, "sh"])
        .arg(&bin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut dir = String::new();
    BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut dir).unwrap();
    assert!(!dir.is_empty(), "PostgreSQL of {} did not start", bin.display());
    Some(Cluster { dir: dir.trim_end().to_owned(), _supervisor: supervisor })
}

/// A shell of a user as whom PostgreSQL runs: it refuses to run as root.
pub(crate) fn as_its_user() -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new("sh");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
    command
}

/// The newest installed version's programs.
pub(crate) fn bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin)
}
