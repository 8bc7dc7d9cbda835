//! What systemd hears, through a real socket: ready, how it stands, that it lives, that it stops; and
//! nothing more when a loop hangs.
//!
//! A loop hangs after minutes, so the service of two stories runs under a clock that is thirty times as
//! fast (libfaketime): what it waits for takes seconds, as do its timeouts.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstpass::clock::Clock;
use firstpass::config::Limits;
use firstpass::serve::notify::Systemd;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::{NotifySocket, get};
use crate::mornings::libfaketime;
use crate::service::SOON;
use crate::world::{World, short_limits};

const ANY_PORT: &str = "[serve] += listen = \"127.0.0.1:0\"\n";

fn world(more: &str) -> World {
    World::around(&format!("{SOON}{ANY_PORT}{more}"), short_limits(), Clock::System)
}

#[tokio::test]
async fn systemd_is_told_ready_alive_how_it_stands_and_stopping() {
    let world = world("");
    let systemd = NotifySocket::new(world.dir.path());
    let told = [("NOTIFY_SOCKET", systemd.path.as_os_str()), ("WATCHDOG_USEC", OsStr::new("300000"))];
    let mut service = world.spawn_with(&told);
    let first = loop {
        let message = systemd.next(super::LONG).expect("a message");
        if message.contains("READY=1") {
            break message;
        }
        assert!(!message.contains("READY"), "{message}");
    };
    assert_eq!(first, "READY=1\nSTATUS=serving\n");
    assert_eq!(get(world.port(), "/healthz").body, "alive\n", "ready means that it answers");
    assert!(world.dir.path().join("state.db").exists(), "and that the state is open");
    for _ in 0..3 {
        systemd.wait("that it lives", &world, |message| message == "WATCHDOG=1\n");
    }
    world.drop_today(1);
    systemd.wait("how it stands", &world, |message| {
        message.starts_with("STATUS=") && message.contains("nobody needs a person")
    });
    world.wait_for("the letter", 60, |world| world.code_letters().len() == 1);
    service.terminate();
    systemd.wait("that it stops", &world, |message| message.contains("STOPPING=1"));
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    while let Some(message) = systemd.next(Duration::from_millis(10)) {
        assert!(!message.contains("WATCHDOG") && !message.contains("hire0"), "{message}");
    }
}

/// Thirty times as fast; `None` without the library.
fn thirty() -> Option<[(&'static str, std::ffi::OsString); 4]> {
    let Some(library) = libfaketime() else {
        eprintln!("skipped: libfaketime is not installed (Debian: libfaketime), so minutes cannot be played");
        return None;
    };
    Some([
        ("LD_PRELOAD", library.into()),
        ("FAKETIME", "+0 x30".into()),
        ("NO_FAKE_STAT", "1".into()),
        // Fed each twelve seconds of its own time, 0.4 s of ours.
        ("WATCHDOG_USEC", "36000000".into()),
    ])
}

#[tokio::test]
async fn f18_a_state_that_stays_locked_is_told_and_ends_no_service() {
    let Some(fast) = thirty() else { return };
    let world = world("");
    let systemd = NotifySocket::new(world.dir.path());
    let mut variables: Vec<(&str, &OsStr)> = fast.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    variables.push(("NOTIFY_SOCKET", systemd.path.as_os_str()));
    let mut service = world.spawn_with(&variables);
    systemd.wait("that it lives", &world, |message| message == "WATCHDOG=1\n");
    let port = world.port();

    let path = world.settings.state.url.trim_start_matches("sqlite:").to_owned();
    let mut other = sqlx::SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let locked = Instant::now();
    let status = systemd.wait("what is wrong", &world, |message| message.starts_with("STATUS=not alive"));
    assert!(status.contains("the state has refused every tick"), "{status}");
    assert!(locked.elapsed() > Duration::from_secs(2), "a backup may hold it for a minute: {:?}", locked.elapsed());
    assert_eq!(get(port, "/livez").body, "alive\n", "a restart meets the same disk");
    let answer = get(port, "/healthz");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("not alive\nthe state"), "{}", answer.body);
    // For longer than a loop may stand still: they move, and codes in hand outlive the full disk.
    while locked.elapsed() < Duration::from_secs(12) {
        systemd.wait("that it lives", &world, |message| message == "WATCHDOG=1\n");
    }
    assert!(!world.log().contains("has stood still"), "{}", world.log());

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    world.wait_for("that it is alive again", 30, |_| get(port, "/healthz").body == "alive\n");
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
}

#[tokio::test]
async fn a_loop_that_hangs_gets_the_watchdog_no_food() {
    let limits = Limits { hung: Duration::ZERO, ..short_limits() };
    let world = World::with_limits("", limits).await;
    let (say, heard) = std::sync::mpsc::sync_channel(1000);
    let (_current, seen) = tokio::sync::watch::channel(Arc::clone(world.work()));
    let stop = CancellationToken::new();
    let patience = Some(Duration::from_millis(30));
    let telling = tokio::spawn(Systemd::heard_by(say).keep_feeding(patience, seen, stop.clone()));
    let heard = Arc::new(Mutex::new(heard));
    let next = || {
        let heard = Arc::clone(&heard);
        async move {
            let wait = move || heard.lock().unwrap().recv_timeout(super::LONG).unwrap();
            tokio::task::spawn_blocking(wait).await.unwrap()
        }
    };
    assert_eq!(next().await, "WATCHDOG=1", "a command has no loops");
    world.work().pulse.begin();
    while !next().await.starts_with("STATUS=not alive: intake has stood still") {}
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.cancel();
    assert!(next().await.starts_with("STOPPING=1"), "no more food in the time of six meals");
    telling.await.unwrap();
}

/// A server that takes the connection and never says a word stands for every source that hangs.
const HANGS: &str = r#"
[[feed]]
name = "silent"
tenant = "contoso"
kind = "sql"
url_file = "hr-url"
timeout = "1h"
query = "SELECT employee_id, start_date FROM starters"
"#;

#[tokio::test]
async fn a_feed_that_hangs_is_told_and_ends_no_service() {
    let Some(fast) = thirty() else { return };
    let world = world(HANGS);
    let dir = world.dir.path();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    crate::sql::beside::url(&world, &format!("postgres://hr:hr@{}/hr?sslmode=disable", silent.local_addr().unwrap()));
    // Its clock runs away from Microsoft's; who is not asked cannot say so.
    world.tenant.stop();
    let systemd = NotifySocket::new(dir);
    let mut variables: Vec<(&str, &OsStr)> = fast.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    variables.push(("NOTIFY_SOCKET", systemd.path.as_os_str()));
    let service = world.spawn_with(&variables);
    // Meanwhile nobody reads what systemd is told: that holds up nothing.
    world.wait_for("the word", 120, |world| world.log().contains("feed silent: reading it takes more than 15 min"));
    systemd.forget();
    systemd.wait("that it lives", &world, |message| message == "WATCHDOG=1\n");
    assert!(!world.log().contains("not alive"), "it hung for three times what a loop may: {}", world.log());
    assert_eq!(get(world.port(), "/healthz").body, "alive\n");
    drop(service);
}
