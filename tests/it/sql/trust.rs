//! TLS to a database: as strict as the driver allows (threats T16, T25). Plain text to another host
//! is refused by the URL alone; see the tests of `feed/sql/target.rs`.

use super::proxy::Proxy;
use super::servers::tls_of;
use super::{Hr, ask, desk, read, sql, stopped};
use crate::feed::FeedDesk;

const QUERY: &str = "SELECT employee_id, hire_date, country FROM e";
const TABLE: &str = "CREATE TABLE e (employee_id VARCHAR(20), hire_date DATE, country CHAR(2)); INSERT INTO e VALUES ('1', '2027-03-01', 'DE')";

/// A CA that nobody named and a name that is not the certificate's are refused; with both right, rows come.
async fn checked(desk: &mut FeedDesk, url: impl Fn(&str, &str) -> String, ca: &str) {
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other_ca = desk.dir.path().join("other-ca.pem");
    std::fs::write(&other_ca, other.cert.pem()).unwrap();
    let other_ca = other_ca.display().to_string();
    for (wrong, url) in [
        ("nobody vouches for it", url("localhost", "")),
        ("somebody else does", url("localhost", &other_ca)),
        ("another name", url("127.0.0.1", ca)),
    ] {
        ask(desk, &url, QUERY);
        let why = stopped(desk).await;
        assert!(
            why.starts_with("the database cannot be reached") && why.to_lowercase().contains("certificate"),
            "{wrong}: {why}"
        );
        assert!(!why.contains("pw-secret"), "{why}");
        let looked = firstpass::feed::sql::look(sql(desk)).await.unwrap_err().to_string();
        assert_eq!(looked, why, "check says the same");
    }
    ask(desk, &url("localhost", ca), QUERY);
    assert_eq!(read(desk).await.added, 1);
    let looked = firstpass::feed::sql::look(sql(desk)).await.unwrap();
    assert!(looked.writes.is_some(), "{looked:?}");
}

#[tokio::test]
async fn t16_the_certificate_and_name_of_a_mariadb_or_mysql_are_checked() {
    for hr in [Hr::mariadb().await, Hr::mysql().await].into_iter().flatten() {
        hr.run(TABLE).await;
        let mut desk = desk(&hr, QUERY).await;
        let (port, ca) = tls_of(hr.engine).unwrap();
        let url = |host: &str, ca: &str| {
            let ca = if ca.is_empty() { String::new() } else { format!("&ssl-ca={ca}") };
            format!("mysql://root@{host}:{port}/{}?ssl-mode=verify_identity{ca}", hr.name())
        };
        checked(&mut desk, url, &ca).await;
    }
}

/// The password is asked for over TLS only, as the server's `hostssl` says.
#[tokio::test]
async fn t16_the_certificate_and_name_of_a_postgresql_are_checked() {
    let Some((port, ca)) = tls_of("postgres") else { return };
    let url = |host: &str, ca: &str| {
        let ca = if ca.is_empty() { String::new() } else { format!("&sslrootcert={ca}") };
        format!("postgres://hr:pw-secret@{host}:{port}/postgres?sslmode=verify-full{ca}")
    };
    let admin = url("localhost", &ca);
    let hr = Hr::at(&admin, "postgres");
    hr.run(TABLE).await;
    let mut desk = desk(&hr, QUERY).await;
    checked(&mut desk, url, &ca).await;
    // Without TLS the server refuses; with TLS that checks less, rows come as well.
    for (mode, comes) in [("disable", false), ("require", true), ("verify-ca", true)] {
        let more = if mode == "verify-ca" { format!("&sslrootcert={ca}") } else { String::new() };
        ask(&mut desk, &format!("postgres://hr:pw-secret@127.0.0.1:{port}/postgres?sslmode={mode}{more}"), QUERY);
        let read = desk.try_poll().await;
        assert_eq!(read.is_ok(), comes, "{mode}: {read:?}");
        assert!(read.err().is_none_or(|why| !why.to_string().contains("pw-secret")));
    }
}

#[tokio::test]
async fn t16_a_server_that_offers_no_tls_is_not_spoken_to_where_tls_is_wanted() {
    let Some(hr) = Hr::postgres().await else { return };
    hr.run(TABLE).await;
    let mut desk = desk(&hr, QUERY).await;
    let proxy = Proxy::before(&hr.address());
    for mode in ["require", "verify-ca", "verify-full"] {
        ask(&mut desk, &format!("{}?sslmode={mode}", hr.through(proxy.port)), QUERY);
        let why = stopped(&mut desk).await;
        assert!(why.contains("TLS") && why.starts_with("the database cannot be reached"), "{mode}: {why}");
    }
    ask(&mut desk, &hr.through(proxy.port), QUERY);
    assert_eq!(read(&mut desk).await.added, 1, "on this machine it may be plain");
}
