//! `odbc:` and a connection string → which driver and server, and how the way there is secured.
//!
//! What a driver does about TLS is known for those of SQL Server (Microsoft's and FreeTDS),
//! PostgreSQL and SQLite: with these, nothing leaves this machine in the clear. Of any other `check` says
//! that the driver's settings decide.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::super::target::{Engine, Target, Trust, is_local};

/// A source behind an ODBC driver.
#[derive(Clone)]
pub struct Odbc {
    /// The driver or the data source, for people.
    pub driver: String,
    string: SecretString,
    password: SecretString,
}

impl fmt::Debug for Odbc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Odbc").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl Odbc {
    /// For the driver manager alone.
    pub(super) fn string(&self) -> &str {
        self.string.expose_secret()
    }

    /// A driver's words; some repeat what they were given.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        match self.password.expose_secret() {
            "" => text.to_owned(),
            password => text.replace(password, "…"),
        }
    }
}

/// Reads what stands behind `odbc:`. No message repeats a value that may be secret.
///
/// # Errors
/// A sentence for the admin.
pub(in super::super) fn parse(text: &str) -> Result<Target, String> {
    let words = words(text)?;
    let says = |names: &[&str]| names.iter().find_map(|name| words.get(*name)).map(String::as_str);
    let driver = says(&["driver", "dsn", "filedsn"])
        .filter(|driver| !driver.is_empty())
        .ok_or("names no driver; write odbc:Driver={ODBC Driver 18 for SQL Server};Server=…, or odbc:DSN=…")?;
    let host = says(&["server", "servername", "dbq", "host", "hostname"]).unwrap_or_default();
    let database = says(&["database", "db", "sid", "servicename"]).unwrap_or_default();
    let trust = trust(&driver.to_lowercase(), host, &says)?;
    let place = format!("ODBC {driver} {host} {database}").split_whitespace().collect::<Vec<_>>().join(" ");
    let engine = Engine::Odbc(Odbc {
        driver: driver.to_owned(),
        string: text.into(),
        password: says(&["pwd", "password"]).unwrap_or_default().into(),
    });
    Ok(Target { engine, trust, place })
}

fn trust<'a>(driver: &str, host: &str, says: &impl Fn(&[&str]) -> Option<&'a str>) -> Result<Trust, String> {
    let says = |names: &[&str]| says(names).unwrap_or_default().to_lowercase();
    let clear = |write: &str| {
        Err(format!(
            "its settings let rows of people go to {host} in the clear; write {write} in the connection string"
        ))
    };
    if driver.contains("sqlite") {
        return Ok(Trust::Local);
    }
    let sql_server = driver.contains("sql server");
    let plain = driver.contains("freetds") || driver.contains("tdsodbc");
    let postgres = driver.contains("postgres") || driver.contains("psqlodbc");
    if !sql_server && !plain && !postgres {
        return Ok(Trust::Driver);
    }
    if is_local(bare(host)) || (postgres && host.is_empty()) {
        return Ok(Trust::Local);
    }
    if postgres {
        return match says(&["sslmode"]).as_str() {
            "verify-full" => Ok(Trust::Verified),
            "verify-ca" | "require" => Ok(Trust::Encrypted),
            _ => clear("SSLmode=verify-full"),
        };
    }
    if plain {
        return match says(&["encryption"]).as_str() {
            "require" | "strict" => Ok(Trust::Encrypted),
            _ => clear("Encryption=require"),
        };
    }
    // Since version 18 the driver encrypts unless it is told not to.
    let unset_encrypts =
        driver.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok()).any(|n| n >= 18);
    match says(&["encrypt"]).as_str() {
        "strict" => Ok(Trust::Verified),
        "" if !unset_encrypts => clear("Encrypt=yes"),
        "" | "yes" | "true" | "1" | "mandatory" => {
            let trusts_all = matches!(says(&["trustservercertificate"]).as_str(), "yes" | "true" | "1");
            Ok(if trusts_all { Trust::Encrypted } else { Trust::Verified })
        }
        _ => clear("Encrypt=yes"),
    }
}

/// `tcp:db.contoso.example\HR,1433` → `db.contoso.example`.
fn bare(host: &str) -> &str {
    let host = host.strip_prefix("tcp:").unwrap_or(host);
    let end = host.find([',', '\\']).unwrap_or(host.len());
    match host.get(..end).unwrap_or(host) {
        "." | "(local)" => "localhost",
        other => other,
    }
}

/// `Key=value;Key={va;lue}`: keys in lower case; of a key that stands twice the first counts, as for
/// the driver manager.
fn words(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut words = BTreeMap::new();
    let mut rest = text.trim_start_matches([';', ' ']);
    while !rest.is_empty() {
        let (key, after) =
            rest.split_once('=').ok_or("is no ODBC connection string; write Key=value;Key=value, as Driver={…};…")?;
        let (value, next) = if let Some(braced) = after.trim_start().strip_prefix('{') {
            braced_value(braced).ok_or("has a { without its }; a } inside is written as }}")?
        } else {
            let (value, next) = after.split_once(';').unwrap_or((after, ""));
            (value.trim().to_owned(), next)
        };
        words.entry(key.trim().to_lowercase()).or_insert(value);
        rest = next.trim_start_matches([';', ' ']);
    }
    Ok(words)
}

/// Up to the closing brace, and what follows.
fn braced_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('}')?;
        value.push_str(before);
        match after.strip_prefix('}') {
            Some(more) => {
                value.push('}');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust_of(text: &str) -> Result<Trust, String> {
        parse(text).map(|target| target.trust)
    }

    #[test]
    fn t25_nothing_leaves_this_machine_in_the_clear() {
        let server = "Server=tcp:db.contoso.example,1433;Database=hr;UID=hr;PWD={pw;se}}cret}";
        for (text, wanted) in [
            (format!("Driver={{ODBC Driver 18 for SQL Server}};{server}"), Trust::Verified),
            (format!("Driver={{ODBC Driver 17 for SQL Server}};{server};Encrypt=yes"), Trust::Verified),
            (format!("Driver={{ODBC Driver 18 for SQL Server}};{server};TrustServerCertificate=yes"), Trust::Encrypted),
            (format!("Driver=FreeTDS;{server};Encryption=require"), Trust::Encrypted),
            (format!("Driver={{PostgreSQL Unicode}};{server};SSLmode=verify-full"), Trust::Verified),
            ("Driver={ODBC Driver 17 for SQL Server};Server=localhost\\HR;UID=hr".to_owned(), Trust::Local),
            ("Driver={Oracle 23 ODBC driver};DBQ=db.contoso.example:2484/HR".to_owned(), Trust::Driver),
            ("DSN=hr".to_owned(), Trust::Driver),
            ("Driver=SQLite3;Database=/srv/hr.db".to_owned(), Trust::Local),
        ] {
            assert_eq!(trust_of(&text), Ok(wanted), "{text}");
        }
        for driver in [
            "Driver={ODBC Driver 17 for SQL Server}",
            "Driver={ODBC Driver 18 for SQL Server};Encrypt=optional",
            "Driver=FreeTDS",
            "Driver={PostgreSQL Unicode};SSLmode=prefer",
        ] {
            let said = trust_of(&format!("{driver};{server}")).unwrap_err();
            assert!(said.contains("in the clear") && !said.contains("cret"), "{said}");
        }
    }

    #[test]
    fn a_connection_string_is_read_as_the_driver_manager_does() {
        let target = parse("driver = {A;B} ;PWD={x}}y}; Server=db;;pwd=z").unwrap();
        let Engine::Odbc(odbc) = target.engine else { panic!("another engine") };
        assert_eq!((odbc.driver.as_str(), target.place.as_str()), ("A;B", "ODBC A;B db"));
        assert_eq!(odbc.without_secrets("login x}y failed"), "login … failed");
        assert!(!format!("{odbc:?}").contains("x}"));
        for wrong in ["", "hr", "Server=db", "Driver={x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
