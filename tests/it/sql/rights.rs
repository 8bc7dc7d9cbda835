//! What `check` says of a login that may write (threat T25): by a right on a table, on one column
//! alone, or through a role, on the servers themselves. firstpass never writes; the password in
//! `url_file` could, in somebody else's hand.

use std::path::Path;
use std::process::Command;

use firstpass::clock::Clock;

use super::Hr;
use super::beside::{feed, url};
use crate::world::{World, short_limits};

const TABLE: &str = "CREATE TABLE starters (employee_id VARCHAR(20), hire_date VARCHAR(10), zone VARCHAR(40));
    INSERT INTO starters VALUES ('E2', '2030-03-01', 'America/Chicago')";

/// A world whose feed asks this database as this login.
async fn as_login(hr: &Hr, admin: &str, login: &str) -> World {
    hr.run(TABLE).await;
    let world = World::around(&feed(""), short_limits(), Clock::System);
    url(&world, &hr.url.replacen(&format!("//{admin}@"), &format!("//{login}@"), 1));
    world
}

/// What `check` says of the login, behind the server's version; and the query works all the same.
async fn said(world: &World) -> String {
    let settings = world.dir.path().join("firstpass.toml");
    let check =
        move || Command::new(env!("CARGO_BIN_EXE_firstpass")).arg("--config").arg(settings).arg("check").output();
    let out = tokio::task::spawn_blocking(check).await.unwrap().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("ok    feed db: the query returned 1 rows"), "{text}");
    let of_login = |line: &&str| ["ok    feed db: ", "note  feed db: "].iter().any(|begin| line.starts_with(begin));
    let mut lines = text.lines().filter(of_login).filter(|line| line.contains("the login"));
    let (kind, said) = lines.next().unwrap_or_else(|| panic!("nothing of the login\n{text}")).split_at(6);
    assert!(lines.next().is_none(), "{text}");
    format!("{}: {}", kind.trim(), said.split_once(": the login ").unwrap().1)
}

const READS: &str = "ok: only reads";

fn writes(what: &str) -> String {
    format!("note: {what}; firstpass only reads, so give it a login that can do nothing else")
}

#[tokio::test]
async fn t25_a_right_on_a_table_on_a_column_or_through_a_role_is_told_on_postgresql() {
    let Some(hr) = Hr::postgres().await else { return };
    let (reader, writers) = (format!("{}_reader", hr.name()), format!("{}_writers", hr.name()));
    let world = as_login(&hr, "postgres", &reader).await;
    hr.run(&format!("CREATE ROLE {reader} LOGIN; CREATE ROLE {writers}; CREATE TABLE diary (line TEXT)")).await;
    hr.run(&format!("GRANT SELECT ON starters TO {reader}; GRANT SELECT (line) ON diary TO {reader}")).await;
    assert_eq!(said(&world).await, READS);
    for (grant, revoke) in [
        ("UPDATE (zone) ON starters", "UPDATE (zone) ON starters"),
        ("INSERT (line) ON diary", "INSERT (line) ON diary"),
        ("DELETE ON starters", "DELETE ON starters"),
        ("TRUNCATE ON diary", "TRUNCATE ON diary"),
    ] {
        hr.run(&format!("GRANT {grant} TO {reader}")).await;
        assert_eq!(said(&world).await, writes("may write to 1 table(s)"), "{grant}");
        hr.run(&format!("REVOKE {revoke} FROM {reader}")).await;
        assert_eq!(said(&world).await, READS, "{grant} is taken back");
    }
    hr.run(&format!("GRANT UPDATE (line) ON diary TO {writers}; GRANT INSERT ON starters TO {writers}")).await;
    assert_eq!(said(&world).await, READS, "the role is not the login's");
    hr.run(&format!("GRANT {writers} TO {reader}")).await;
    assert_eq!(said(&world).await, writes("may write to 2 table(s)"));
    hr.run(&format!("DROP OWNED BY {writers}; DROP ROLE {writers}; ALTER ROLE {reader} SUPERUSER")).await;
    assert_eq!(said(&world).await, writes("is a superuser"));
}

#[tokio::test]
async fn t25_a_right_on_a_table_on_a_column_or_through_a_role_is_told_on_mariadb_and_mysql() {
    for hr in [Hr::mariadb().await, Hr::mysql().await].into_iter().flatten() {
        let (db, engine) = (hr.name(), hr.engine);
        let (reader, writers) = (format!("{db}_reader"), format!("{db}_writers"));
        let world = as_login(&hr, "root", &reader).await;
        let login = format!("{reader}@localhost");
        hr.run(&format!("CREATE USER {login}; CREATE ROLE {writers}; GRANT SELECT ON {db}.* TO {login}")).await;
        assert_eq!(said(&world).await, READS, "{engine}");
        for (grant, named) in [("UPDATE (zone)", "UPDATE"), ("DELETE", "DELETE"), ("SELECT, INSERT (zone)", "INSERT")] {
            hr.run(&format!("GRANT {grant} ON {db}.starters TO {login}")).await;
            let told = writes(&format!("has more than SELECT ({named})"));
            assert_eq!(said(&world).await, told, "{engine}: {grant}");
            hr.run(&format!("REVOKE {grant} ON {db}.starters FROM {login}")).await;
            assert_eq!(said(&world).await, READS, "{engine}: {grant} is taken back");
        }
        // A role that is not the login's default shows its own rights nowhere; `SET ROLE` would wake them.
        hr.run(&format!("GRANT INSERT ON {db}.starters TO {writers}")).await;
        assert_eq!(said(&world).await, READS, "{engine}: the role is not the login's");
        hr.run(&format!("GRANT {writers} TO {login}")).await;
        let role = if engine == "mysql" { format!("`{writers}`@`%`") } else { format!("`{writers}`") };
        let told = writes(&format!("has more than SELECT (whatever the role {role} has)"));
        assert_eq!(said(&world).await, told, "{engine}");
    }
}

/// A file that cannot be opened is a database that cannot be reached: no query would mend it.
#[tokio::test]
async fn a_sqlite_file_that_cannot_be_opened_is_told_by_its_name_and_with_what_to_do() {
    let world = World::around(&feed(""), short_limits(), Clock::System);
    let folder = world.dir.path().join("folder.db");
    std::fs::create_dir(&folder).unwrap();
    for (file, sqlite) in
        [(folder.as_path(), "disk I/O error"), (Path::new("/no/such/hr.db"), "unable to open database file")]
    {
        url(&world, &format!("sqlite:{}", file.display()));
        for args in [["check"].as_slice(), &["run", "--once"]] {
            let settings = world.dir.path().join("firstpass.toml");
            let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
            command.arg("--config").arg(settings).args(args);
            let out = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            assert_eq!(out.status.code(), Some(1));
            let text = String::from_utf8(out.stdout).unwrap();
            let told = format!(
                "the database cannot be reached: {}: {sqlite}; nothing changed. \
                 See that it runs, and what feed.url_file says of host, login and CA",
                file.display()
            );
            assert!(text.contains(&told), "{args:?}\n{text}");
            assert!(!text.contains("feed.query"), "{args:?} sends nobody to the query\n{text}");
        }
    }
}
