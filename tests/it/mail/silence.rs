//! What is never said aloud: neither code nor password stands in any log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firstpass::config::Tls;
use firstpass::sandbox::mailbox::{Effect, Verb, When};

use super::{CODE, PASSWORD, Post, post};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn neither_code_nor_password_is_ever_logged_f70_to_f75() {
    let heard = Heard::default();
    let writer = heard.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let mut said = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        tracing::trace!("heard at all");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for verb in [Verb::Noop, Verb::Auth, Verb::Mail, Verb::Rcpt, Verb::Data, Verb::Dot] {
                let post_office = Post::new(Tls::Starttls);
                let smtp = post_office.smtp();
                // Servers and filters that repeat what they were given.
                let echo = format!("5.7.0 no {CODE} <mia@contoso.example> {PASSWORD}");
                post_office.fault(verb, When::Before, Effect::Reply(550, echo));
                if let Err(failure) = post(&smtp).await {
                    said.push((verb, format!("{failure} {failure:?}")));
                }
            }
        });
    });
    assert_eq!(said.len(), 5);
    for (verb, text) in &said {
        assert!(!text.contains("mia@"), "{text}");
        // Only what the server can have learned by then is held back.
        match verb {
            Verb::Auth => assert!(!text.contains(PASSWORD), "{text}"),
            Verb::Data | Verb::Dot => assert!(!text.contains(CODE), "{text}"),
            _ => {}
        }
    }
    let log = String::from_utf8_lossy(&heard.0.lock().unwrap()).into_owned();
    assert!(log.contains("heard at all"));
    for secret in [CODE, PASSWORD] {
        assert!(!log.contains(secret), "{log}");
        // Base64 at any of the three offsets that a text can have.
        for shift in 0..3 {
            let encoded = STANDARD.encode(format!("{}{secret}", "x".repeat(shift)));
            let inner: String = encoded.chars().skip(4).take(12).collect();
            assert!(!log.contains(&inner), "{log}");
        }
    }
}
