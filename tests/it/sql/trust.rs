//! TLS to a database: as strict as the driver allows (threats T16, T25). Plain text to another host
//! is refused by the URL alone; see the tests of `feed/sql/target.rs`.

use super::proxy::Proxy;
use super::{Hr, ask, desk, read, stopped};

const QUERY: &str = "SELECT employee_id, hire_date, country FROM e";
const TABLE: &str = "CREATE TABLE e (employee_id VARCHAR(20), hire_date DATE, country CHAR(2)); INSERT INTO e VALUES ('1', '2027-03-01', 'DE')";

#[tokio::test]
async fn t16_the_servers_certificate_and_name_are_checked() {
    let Some(hr) = Hr::mariadb().await else { return };
    hr.run(TABLE).await;
    let mut desk = desk(&hr, QUERY).await;
    let (port, ca) = super::servers::mariadb_tls().unwrap();
    let url =
        |host: &str, more: &str| format!("mysql://root@{host}:{port}/{}?ssl-mode=verify_identity{more}", hr.name());
    let ca = format!("&ssl-ca={ca}");
    for (wrong, url) in [("nobody vouches for it", url("localhost", "")), ("another name", url("127.0.0.1", &ca))] {
        ask(&mut desk, &url, QUERY);
        let why = stopped(&mut desk).await;
        assert!(
            why.starts_with("the database cannot be reached") && why.to_lowercase().contains("certificate"),
            "{wrong}: {why}"
        );
    }
    ask(&mut desk, &url("localhost", &ca), QUERY);
    assert_eq!(read(&mut desk).await.added, 1);
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
