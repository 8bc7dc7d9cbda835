//! The URL of a database → which server, and how the way to it is secured.
//!
//! Off this machine nothing goes in the clear: without `sslmode` the strictest is taken, and a
//! weaker one that may end in plain text is refused. Sessions run in UTC unless the URL says
//! `timezone=…`. Unknown parameters are refused: a typing error must not weaken anything.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// A database that can be asked. The drivers' own settings print their password, so this does not print them.
#[derive(Clone)]
pub struct Target {
    /// How it is asked.
    pub engine: Engine,
    /// How the way to it is secured.
    pub trust: Trust,
    /// For people: product, host, database; no user, no password.
    pub place: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("place", &self.place).field("trust", &self.trust).finish_non_exhaustive()
    }
}

/// Typed connections: sqlx's `Any` cannot read dates and numerics.
#[derive(Clone)]
pub enum Engine {
    /// PostgreSQL.
    Postgres(Box<Postgres>),
    /// MySQL and MariaDB.
    Mysql(Box<MySqlConnectOptions>),
    /// A file.
    Sqlite(PathBuf),
    /// Whatever a driver of this machine speaks.
    #[cfg(feature = "odbc")]
    Odbc(super::odbc::Odbc),
}

/// PostgreSQL and the session's time zone, which its driver sets to UTC.
#[derive(Clone)]
pub struct Postgres {
    /// Host, login, TLS.
    pub options: PgConnectOptions,
    /// IANA name or offset.
    pub zone: String,
}

/// How the way to the database is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It does not leave this machine.
    Local,
    /// TLS; certificate and name are checked.
    Verified,
    /// TLS, but whose certificate it is is not checked in full.
    Encrypted,
    /// As the settings of an ODBC driver say, which cannot be seen from here.
    Driver,
}

const EXAMPLES: &str = "postgres://USER:PASSWORD@HOST/DATABASE, mysql://USER:PASSWORD@HOST/DATABASE, sqlite:/PATH or odbc:Driver={NAME};KEY=VALUE";

const POSTGRES_WORDS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "timezone",
];
const MYSQL_WORDS: [&str; 11] = [
    "sslmode",
    "ssl-mode",
    "sslca",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "socket",
    "timezone",
    "collation",
];

impl Target {
    /// Reads a URL. No message repeats a part of it that may be secret.
    ///
    /// # Errors
    /// A sentence for the admin.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') || path.contains(['?', '%']) {
                return Err("write sqlite: and the full path of the file, as sqlite:/srv/hr/hr.db".to_owned());
            }
            let place = format!("SQLite {path}");
            return Ok(Self { engine: Engine::Sqlite(PathBuf::from(path)), trust: Trust::Local, place });
        }
        if let Some(string) = text.strip_prefix("odbc:") {
            return odbc(string);
        }
        if authority_was_cut(text) {
            return Err("the URL has an @ behind its host; write @ / ? # in the password percent-encoded".to_owned());
        }
        let mut url = Url::parse(text).map_err(|_| format!("is no URL of a database; write {EXAMPLES}"))?;
        match url.scheme() {
            "postgres" | "postgresql" => postgres(&mut url),
            "mysql" => mysql(&url),
            "mariadb" => mysql(&Url::parse(&text.replacen("mariadb", "mysql", 1)).unwrap_or(url)),
            _ => Err(format!("is no URL of a database that is served; write {EXAMPLES}")),
        }
    }
}

#[cfg(feature = "odbc")]
fn odbc(string: &str) -> Result<Target, String> {
    super::odbc::string::parse(string)
}

#[cfg(not(feature = "odbc"))]
fn odbc(_: &str) -> Result<Target, String> {
    Err("asks for ODBC, which this build of firstpass does not have; build it with `cargo build --release --features odbc`, or let HR's database be copied to one that is read without (PostgreSQL, MySQL, SQLite)".to_owned())
}

/// A raw `/`, `?` or `#` in the password ends the host too early: what follows is a part of the secret.
fn authority_was_cut(text: &str) -> bool {
    let behind = text.split_once("://").map_or(text, |(_, behind)| behind);
    behind.split_once(['/', '?', '#']).is_some_and(|(_, rest)| rest.contains('@'))
}

fn only_known(url: &Url, known: &[&str]) -> Result<(), String> {
    match url.query_pairs().find(|(key, _)| !known.contains(&&**key) && !key.starts_with("options[")) {
        Some((key, _)) if !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || "_-".contains(c)) => {
            Err(format!("the URL's parameter \"{key}\" is not known; known are {}", known.join(", ")))
        }
        Some(_) => Err(format!("a parameter of the URL is not known; known are {}", known.join(", "))),
        None => Ok(()),
    }
}

fn says(url: &Url, words: &[&str]) -> Option<String> {
    url.query_pairs().find(|(key, _)| words.contains(&&**key)).map(|(_, value)| value.into_owned())
}

pub(super) fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.starts_with('/')
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The text goes into a statement, so it is a name or an offset and nothing else.
fn zone(url: &Url, unset: &str) -> Result<String, String> {
    let zone = says(url, &["timezone"]).unwrap_or_else(|| unset.to_owned());
    let fits = !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-:".contains(c));
    if fits { Ok(zone) } else { Err("the URL's timezone is no zone; write it as Europe/Berlin".to_owned()) }
}

/// What of the driver's message is not the URL itself.
fn refused(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(why) => format!("the URL is refused by the driver: {why}"),
        _ => format!("the URL is refused by the driver; write {EXAMPLES}"),
    }
}

fn in_the_clear(host: &str, strict: &str) -> String {
    format!("its sslmode lets rows of people go to {host} in the clear; write sslmode={strict}, or leave it out")
}

fn postgres(url: &mut Url) -> Result<Target, String> {
    only_known(url, &POSTGRES_WORDS)?;
    let zone = zone(url, "UTC")?;
    let asked = says(url, &["sslmode", "ssl-mode"]).is_some();
    let rest: Vec<(String, String)> =
        url.query_pairs().filter(|(key, _)| key != "timezone").map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(rest);
    let mut options = PgConnectOptions::from_str(url.as_str())
        .map_err(|error| refused(&error))?
        .application_name("firstpass")
        .disable_statement_logging();
    let host = options.get_host().to_owned();
    let trust = if options.get_socket().is_some() || is_local(&host) {
        Trust::Local
    } else {
        if !asked {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        match options.get_ssl_mode() {
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {
                return Err(in_the_clear(&host, "verify-full"));
            }
            PgSslMode::Require | PgSslMode::VerifyCa => Trust::Encrypted,
            PgSslMode::VerifyFull => Trust::Verified,
        }
    };
    let place = format!("PostgreSQL {host}:{} {}", options.get_port(), options.get_database().unwrap_or_default());
    Ok(Target { engine: Engine::Postgres(Box::new(Postgres { options, zone })), trust, place })
}

fn mysql(url: &Url) -> Result<Target, String> {
    only_known(url, &MYSQL_WORDS)?;
    let zone = zone(url, "+00:00")?;
    let mut options = MySqlConnectOptions::from_str(url.as_str())
        .map_err(|error| refused(&error))?
        // As the admin's own client has them, who tried the query there.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(Some(zone))
        .disable_statement_logging();
    let host = options.get_host().to_owned();
    let asked = says(url, &["sslmode", "ssl-mode"]).is_some();
    let trust = if options.get_socket().is_some() {
        if !asked {
            // The server offers TLS there, too, and the driver fails at it.
            options = options.ssl_mode(MySqlSslMode::Disabled);
        }
        Trust::Local
    } else if is_local(&host) {
        Trust::Local
    } else {
        if !asked {
            options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
        }
        match options.get_ssl_mode() {
            MySqlSslMode::Disabled | MySqlSslMode::Preferred => return Err(in_the_clear(&host, "verify_identity")),
            MySqlSslMode::Required | MySqlSslMode::VerifyCa => Trust::Encrypted,
            MySqlSslMode::VerifyIdentity => Trust::Verified,
        }
    };
    let place = format!("MySQL {host}:{} {}", options.get_port(), options.get_database().unwrap_or_default());
    Ok(Target { engine: Engine::Mysql(Box::new(options)), trust, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(url: &str) -> Result<Trust, String> {
        Target::parse(url).map(|target| target.trust)
    }

    #[test]
    fn t25_nothing_leaves_this_machine_in_the_clear() {
        assert_eq!(trust("postgres://hr@db.contoso.example/hr"), Ok(Trust::Verified));
        assert_eq!(trust("mysql://hr@db.contoso.example/hr"), Ok(Trust::Verified));
        assert_eq!(trust("mariadb://hr@db.contoso.example/hr?ssl-mode=required"), Ok(Trust::Encrypted));
        assert_eq!(trust("postgres://hr@db.contoso.example/hr?sslmode=verify-ca"), Ok(Trust::Encrypted));
        for mode in ["disable", "allow", "prefer"] {
            let said = trust(&format!("postgres://hr:pw-secret@db.contoso.example/hr?sslmode={mode}")).unwrap_err();
            assert!(said.contains("in the clear") && !said.contains("pw-secret"), "{said}");
        }
        for mode in ["disabled", "preferred"] {
            assert!(trust(&format!("mysql://hr@db.contoso.example/hr?ssl-mode={mode}")).is_err());
        }
        for local in [
            "postgres://hr@127.0.0.1/hr",
            "postgres://hr@%2Frun%2Fpg/hr",
            "mysql://hr@[::1]/hr",
            "mysql://hr@localhost/hr?ssl-mode=disabled",
            "sqlite:/srv/hr.db",
        ] {
            assert_eq!(trust(local), Ok(Trust::Local), "{local}");
        }
        assert!(trust("postgres://hr@db.contoso.example/hr?sslmod=verify-full").unwrap_err().contains("sslmod"));
    }

    #[cfg(not(feature = "odbc"))]
    #[test]
    fn a_build_without_odbc_says_how_to_get_one() {
        let said = Target::parse("odbc:Driver={ODBC Driver 18 for SQL Server};PWD=pw-secret").unwrap_err();
        assert!(said.contains("--features odbc") && !said.contains("pw-secret"), "{said}");
    }

    #[test]
    fn what_is_no_database_is_said_without_the_secret() {
        for url in [
            "oracle://hr:pw-secret@db/hr",
            "hr.db",
            "sqlite:hr.db",
            "postgres://hr:pw-secret@db:port/hr",
            "postgres://h/db?timezone=';x",
        ] {
            let said = Target::parse(url).unwrap_err();
            assert!(!said.contains("pw-secret"), "{said}");
        }
    }

    /// T25: part of such a password was read as a path or a parameter, and quoted.
    #[test]
    fn a_password_that_is_not_percent_encoded_is_not_repeated() {
        for scheme in ["postgres", "postgresql", "mysql", "mariadb"] {
            for mark in ['/', '?', '#'] {
                for url in [
                    format!("{scheme}://hr:7{mark}Secret@db/hr"),
                    format!("{scheme}://hr:7@x{mark}Secret@db/hr?sslmode=disable"),
                ] {
                    let said = Target::parse(&url).unwrap_err();
                    assert!(!said.contains("Secret") && said.contains("percent-encoded"), "{said}");
                }
            }
            let printed = format!("{:?}", Target::parse(&format!("{scheme}://hr:pw-Secret@db/hr")).unwrap());
            assert!(printed.contains("db:") && !printed.contains("Secret"), "{printed}");
            let said = Target::parse(&format!("{scheme}://hr@db/hr?Secret=1")).unwrap_err();
            assert!(!said.contains("Secret") && said.contains("not known"), "{said}");
        }
        let fine = Target::parse("postgres://hr:7%2FSecret%40%3F%23@db/hr").unwrap();
        assert_eq!(fine.place, "PostgreSQL db:5432 hr");
    }
}
