//! What names can do, byte by byte, and what another program reads in the same letter.

use std::io::Write;
use std::process::{Command, Stdio};

use firstpass::config::Tls;
use firstpass::mail::Smtp;
use firstpass::sandbox::mailbox::Verb;
use proptest::prelude::*;

use super::{CODE, Post, letter_to, mia, now};

/// One letter with these names through a real socket; one letter to one recipient must arrive.
fn through_the_wire(
    post_office: &Post,
    runtime: &tokio::runtime::Runtime,
    smtp: &Smtp,
    hire: &str,
    manager: &str,
    help: Option<String>,
) {
    let before = post_office.server.letters().len();
    let said = post_office.server.journal().len();
    let letter = letter_to(mia(), hire, manager, help);
    runtime.block_on(async { smtp.dial(&mia()).await.unwrap().send(now(), &letter).await }).unwrap();
    let letters = post_office.server.letters();
    assert_eq!(letters.len(), before + 1, "one message");
    let arrived = &letters[before];
    assert_eq!(arrived.to, ["mia@contoso.example"]);
    let commands: Vec<_> = post_office.server.journal()[said..].iter().map(|said| said.verb).collect();
    let question = [Verb::Mail, Verb::Rcpt, Verb::Data, Verb::Body, Verb::Dot];
    assert!(commands.ends_with(&question) && !commands.contains(&Verb::Other), "{commands:?}");
    assert!(arrived.wire.is_ascii());
    for line in arrived.wire.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 1000, "{line:?}");
        assert!(!line[..line.len() - 2].contains(&b'\r'), "{line:?}");
    }
    let names: Vec<String> = arrived.headers().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
    ];
    assert_eq!(names, expected);
    assert_eq!(arrived.header("To").as_deref(), Some("mia@contoso.example"));
    assert_eq!(arrived.code().as_deref(), Some(CODE));
    for kind in ["text/plain", "text/html"] {
        assert_eq!(arrived.part(kind).unwrap().matches(CODE).count(), 1);
    }
    assert!(!arrived.header("Subject").unwrap().contains(CODE));
}

#[test]
fn names_are_only_names_f47_f48() {
    let post_office = Post::new(Tls::None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let smtp = post_office.smtp();
    let nasty = [
        "Name\r\nBcc: x@evil.example",
        "Name\n.\nMAIL FROM:<x@evil.example>\nRCPT TO:<y@evil.example>\nDATA\nx\n.\n",
        "\n.\r\nMAIL FROM:<x@evil.example>\r\n",
        "\r\n.\r\nRSET\r\n",
        "..",
        ".",
        "\0",
        "{{ code }}",
        "=?utf-8?b?DQpCY2M6IHhAZXZpbC5leGFtcGxl?=",
    ];
    for name in nasty {
        through_the_wire(&post_office, &runtime, &smtp, name, name, Some(name.to_owned()));
    }
    let strategy = (any::<String>(), "[ -~\r\n.\u{0}<>@\u{e4}]{0,80}", proptest::option::of(any::<String>()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    });
    runner
        .run(&strategy, |(hire, manager, help)| {
            through_the_wire(&post_office, &runtime, &smtp, &hire, &manager, help);
            Ok(())
        })
        .unwrap();
    assert_eq!(post_office.server.connections(), 1);
}

const PARSE: &str = r#"
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
walk = [p for p in m.walk() if not p.is_multipart()]
print(json.dumps({
    "to": [a.addr_spec for a in m["To"].addresses], "subject": m["Subject"], "defects": [str(d) for d in m.defects],
    "types": [p.get_content_type() for p in walk], "texts": [p.get_content() for p in walk],
    "defects_of_parts": [str(d) for p in walk for d in p.defects], "others": [h for h in m.keys() if h.lower() in ("cc", "bcc")],
}))
"#;

#[tokio::test]
async fn another_program_reads_the_same_letter() {
    let post_office = Post::new(Tls::Starttls);
    let smtp = post_office.smtp();
    let letter = letter_to(mia(), "Zoë Müller-Łukasiewicz 田中", "Mía", Some("Hilfe: 030 1234".to_owned()));
    smtp.dial(&mia()).await.unwrap().send(now(), &letter).await.unwrap();
    let raw = post_office.server.letters()[0].raw.clone();
    let Ok(mut python) =
        Command::new("python3").args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        println!("skipped: there is no python3 on this machine");
        return;
    };
    python.stdin.take().unwrap().write_all(&raw).unwrap();
    let output = python.wait_with_output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["to"], serde_json::json!(["mia@contoso.example"]));
    assert_eq!(seen["subject"], letter.subject.as_str());
    assert_eq!(seen["types"], serde_json::json!(["text/plain", "text/html"]));
    for empty in ["defects", "defects_of_parts", "others"] {
        assert_eq!(seen[empty], serde_json::json!([]), "{empty}");
    }
    assert_eq!(seen["texts"][0].as_str().unwrap().replace("\r\n", "\n"), *letter.text);
    assert_eq!(seen["texts"][1].as_str().unwrap().replace("\r\n", "\n"), *letter.html);
    assert_eq!(post_office.server.letters()[0].header("Subject").unwrap(), letter.subject);
}
