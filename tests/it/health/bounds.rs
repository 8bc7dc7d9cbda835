//! The port is nobody's way to anything else: two methods, four paths, small requests, few at once.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Answer, LONG, open, request};
use crate::world::World;

#[tokio::test]
async fn only_get_and_head_of_three_paths_are_answered() {
    let world = World::new().await;
    let port = open(world.work()).await;
    let address = port.address;
    let say =
        move |text: String| async move { tokio::task::spawn_blocking(move || request(address, &text)).await.unwrap() };
    let line = |line: &str| format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n");
    let status = |answer: std::io::Result<Answer>| answer.map_or(0, |answer| answer.status);
    for path in ["/", "/healthz/", "/metrics/../healthz", "/state.db", "//healthz", "/admin"] {
        assert_eq!(status(say(line(&format!("GET {path}"))).await), 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        for path in ["/healthz", "/livez", "/readyz", "/metrics"] {
            assert_eq!(status(say(line(&format!("{method} {path}"))).await), 405, "{method} {path}");
        }
    }
    let head = say(line("HEAD /healthz")).await.unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("connection: close"), "one request a connection: {}", head.head);
    let metrics = say(line("GET /metrics")).await.unwrap();
    assert!(metrics.status == 200 && metrics.body.contains("firstpass_"), "{metrics:?}");
    // Too long, or too many lines: refused or cut, never kept.
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert!(matches!(status(say(long).await), 0 | 400..500));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(matches!(status(say(many).await), 0 | 400..500));
}

#[tokio::test]
async fn connections_that_say_nothing_are_cut_and_the_next_one_is_answered() {
    const SILENT: usize = 40;
    let world = World::new().await;
    let port = open(world.work()).await;
    let address = port.address;
    let told = tokio::task::spawn_blocking(move || {
        let mut silent: Vec<TcpStream> = (0..SILENT).map(|_| TcpStream::connect(address).unwrap()).collect();
        let began = Instant::now();
        let answer = super::get(address, "/healthz");
        for stream in &mut silent {
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut rest = Vec::new();
            // Closed, or reset.
            let _ = stream.read_to_end(&mut rest);
        }
        (answer.status, began.elapsed())
    });
    let (status, took) = told.await.unwrap();
    assert_eq!(status, 200);
    assert!(took < Duration::from_secs(45), "{took:?}");
}
