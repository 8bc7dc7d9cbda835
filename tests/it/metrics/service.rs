//! The real binary: scraped by HTTP, and its log read by a machine.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use firstpass::clock::Clock;
use serde_json::Value;

use super::Scrape;
use crate::service::SOON;
use crate::world::{World, short_limits};

/// Head and body of an answer.
fn get(port: u16, path: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn i24_the_running_service_is_scraped_and_its_log_is_read_by_machine() {
    let port = free_port();
    let extra = format!("[serve] += listen = \"127.0.0.1:{port}\"\n{SOON}");
    let mut world = World::around(&extra, short_limits(), Clock::System);
    let mut service = world.spawn();
    world.wait_for("ready", 60, |world| world.log().contains("\"event\":\"serving\""));
    world.drop_today(1);
    world.wait_for("the letter", 60, |world| world.log().contains("\"event\":\"letter-accepted\""));

    let (head, body) = get(port, "/metrics", "*/*");
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let seen = Scrape::read(body);
    assert_eq!(seen.value("firstpass_letter_lateness_seconds_count", "tenant=contoso"), 1);
    assert!(seen.sum("firstpass_hires", "tenant=contoso") >= 1);
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (head, body) = get(port, "/metrics", prometheus);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"));

    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    let mut events = BTreeSet::new();
    for line in world.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
        if !line["target"].as_str().unwrap().starts_with("firstpass") {
            continue;
        }
        let event = line["event"].as_str().unwrap_or_else(|| panic!("no event: {line}")).to_owned();
        if event == "letter-accepted" {
            assert_eq!(line["hire"], "contoso/H0");
            assert_eq!(line["to"], "m…@contoso.example", "masked");
        }
        events.insert(event);
    }
    for event in ["started", "serving", "ready", "file-read", "pass-made", "letter-accepted", "stopping", "stopped"] {
        assert!(events.contains(event), "no {event} in {events:?}");
    }
    let log = world.log();
    for word in ["Hire 0", "hire0@", "mia.manager@", "Mia"] {
        assert!(!log.contains(word), "{word} stands in the log:\n{log}");
    }
    world.restart().await;
    world.finish().await;
}
