//! `firstpass health`: with a port, without one, and with something else in its place.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::config::Limits;

use super::{NotifySocket, open};
use crate::service::SOON;
use crate::world::{World, short_limits};

/// `firstpass health` with this port; status and what it said.
async fn health(dir: &Path, listen: String, more: &'static [&'static str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.args(["health"]).args(more).env_clear().env("FIRSTPASS_SERVE__LISTEN", listen);
    command.env("FIRSTPASS_CONFIG", dir.join("firstpass.toml")).stdin(Stdio::null());
    let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap(), said)
}

#[tokio::test]
async fn health_asks_the_port() {
    let world = World::with_limits("", Limits { hung: Duration::from_millis(1), ..short_limits() }).await;
    let dir = world.dir.path();
    let port = open(world.work()).await;
    let address = port.address;
    let (status, said) = health(dir, address.to_string(), &[]).await;
    assert_eq!((status, said), (0, format!("alive, says http://{address}/healthz\n")));
    // As a container asks that listens on every address.
    let (status, said) = health(dir, format!("0.0.0.0:{}", address.port()), &["--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status, 0);
    assert_eq!(said, serde_json::json!({"alive": true, "asked": format!("http://{address}/healthz"), "why": []}));

    world.work().pulse.begin();
    let (status, said) = health(dir, address.to_string(), &[]).await;
    assert_eq!(status, 1);
    assert!(said.contains("not alive: the sender has stood still"), "{said}");
    // Neither Graph nor mail nor lateness has a part in it.
    let world = World::new().await;
    let port = open(world.work()).await;
    world.tenant.stop();
    world.mail.stop();
    world.work().pulse.begin();
    assert_eq!(health(world.dir.path(), port.address.to_string(), &[]).await.0, 0);
}

/// Answers everybody with this text, or not at all.
fn stranger(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(text.as_bytes());
            if text.is_empty() {
                kept.push(stream);
            }
        }
    });
    port
}

#[tokio::test]
async fn health_does_not_take_anybody_for_the_service() {
    let world = World::new().await;
    let dir = world.dir.path();
    let hello = stranger("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nalive\n");
    let (status, said) = health(dir, format!("127.0.0.1:{hello}"), &[]).await;
    assert_eq!((status, said.contains("is not firstpass")), (1, true), "{said}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, said) = health(dir, free.to_string(), &[]).await;
    assert_eq!((status, said.contains("nobody answers") && said.contains("firstpass run")), (1, true), "{said}");

    let silent = stranger("");
    let began = Instant::now();
    let (status, said) = health(dir, format!("127.0.0.1:{silent}"), &[]).await;
    assert_eq!((status, said.as_str()), (1, "not alive: no answer within 5 s\n"));
    assert!(began.elapsed() < Duration::from_secs(30), "bounded in time");
}

#[tokio::test]
async fn without_a_port_the_state_tells_of_a_living_service_only() {
    let mut world = World::around(SOON, short_limits(), Clock::System);
    let dir = world.dir.path().to_owned();
    let (status, said) = health(&dir, String::new(), &[]).await;
    assert_eq!((status, said.contains("there is no state at")), (1, true), "{said}");
    let systemd = NotifySocket::new(&dir);
    let service = world.spawn_with(&[("NOTIFY_SOCKET", systemd.path.as_os_str())]);
    world.wait_for("the first tick", 30, |world| world.log().contains("ready"));
    let began = Instant::now();
    let mut alive = health(&dir, String::new(), &[]).await;
    while alive.0 != 0 && began.elapsed() < super::LONG {
        alive = health(&dir, String::new(), &[]).await; // "gave no sign of life yet"
    }
    assert_eq!(alive, (0, "alive, says state\n".to_owned()));
    drop(service); // SIGKILL
    let (status, said) = health(&dir, String::new(), &[]).await;
    assert_eq!((status, said.as_str()), (1, "not alive: no `firstpass run` serves this state\n"));

    // One that holds the state and does nothing: its last sign of life is old.
    world.restart().await;
    let store = world.work().store.clone();
    let _lock = store.lock().unwrap();
    assert_eq!(health(&dir, String::new(), &[]).await.0, 0);
    // As if ten minutes had passed: a beat that lies back.
    store.heartbeat(Clock::System.now() - TimeDelta::minutes(10)).await.unwrap();
    let (status, said) = health(&dir, String::new(), &[]).await;
    assert_eq!((status, said.contains("the last sign of life in the state is of")), (1, true), "{said}");
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_with_the_remedy() {
    let world = World::new().await;
    let port = open(world.work()).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.arg("run").env("FIRSTPASS_CONFIG", world.dir.path().join("firstpass.toml"));
    command.env("FIRSTPASS_SERVE__LISTEN", port.address.to_string());
    let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(out.stderr).unwrap().replace(&port.address.port().to_string(), "[PORT]");
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(out.status.code(), Some(1), "{said}");
    insta::assert_snapshot!("port_taken", last);
}
