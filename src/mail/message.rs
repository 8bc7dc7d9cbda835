//! One letter as the bytes of a message.
//!
//! Bodies are always base64 with CRLF line ends: lettre up to 0.11.23 lets a bare line feed in a raw
//! body end the dot-stuffing (RUSTSEC-2026-0561), and a name could then smuggle commands. Whatever
//! goes into a header is refused here when it holds a control character, whatever lettre would do
//! with it. The bodies are encoded by us, into buffers that are wiped, so that no plain copy of a
//! code is left in the library's.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use zeroize::Zeroizing;

use crate::config;
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;

/// Input bytes of one base64 line of 76 characters (RFC 2045, 6.8).
const LINE: usize = 57;

/// Why a letter is no message: a sentence without any of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLetter(pub(super) String);

/// The message with CRLF line ends and one at its end, no dots stuffed. `now` is its Date.
///
/// The same letter at the same time gives the same bytes.
///
/// # Errors
/// [`BadLetter`] when something in a header or the recipient can be in no message.
pub fn bytes(now: DateTime<Utc>, mail: &config::Mail, letter: &Letter) -> Result<Zeroizing<Vec<u8>>, BadLetter> {
    single_line("the subject", &letter.subject)?;
    let id = message_id(&letter.message_id)?;
    let mut builder = Message::builder()
        .from(mailbox("mail.from", &mail.from)?)
        .to(Mailbox::new(None, address(&letter.to)?))
        .subject(letter.subject.as_str())
        .date(SystemTime::from(now))
        .message_id(Some(format!("<{id}>")))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        // Exchange answers with absence notes in spite of Auto-Submitted; this it heeds.
        .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"));
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox("mail.reply_to", reply_to)?);
    }
    // Base64 lines hold neither `=_` nor a dash, so no body can hold this.
    let boundary = format!("=_{}", id.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    let parts = MultiPart::alternative()
        .boundary(boundary)
        .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
        .singlepart(part(ContentType::TEXT_HTML, &letter.html));
    let message = builder.multipart(parts).map_err(|error| BadLetter(format!("the letter is no message: {error}")))?;
    Ok(Zeroizing::new(message.formatted()))
}

/// An address for the envelope and for headers.
pub(super) fn address(address: &MailAddress) -> Result<Address, BadLetter> {
    address.as_str().parse().map_err(|_| BadLetter(format!("no letter can go to {}", address.masked())))
}

fn mailbox(key: &str, mailbox: &config::Mailbox) -> Result<Mailbox, BadLetter> {
    single_line(key, &mailbox.name)?;
    let name = (!mailbox.name.is_empty()).then(|| mailbox.name.clone());
    Ok(Mailbox::new(name, address(&mailbox.address)?))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    let body = Body::dangerous_pre_encoded(encoded(text), ContentTransferEncoding::Base64);
    SinglePart::builder().header(kind).body(body)
}

/// Base64 in lines, of the text with CRLF line ends.
fn encoded(text: &str) -> Vec<u8> {
    let breaks = text.matches('\n').count();
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len() + breaks));
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                plain.extend_from_slice(line.strip_suffix('\r').unwrap_or(line).as_bytes());
                plain.extend_from_slice(b"\r\n");
            }
            None => plain.extend_from_slice(line.as_bytes()),
        }
    }
    // Four characters for three bytes, and two for each line end.
    let mut lines = String::with_capacity((plain.len() / LINE + 1) * 78);
    for chunk in plain.chunks(LINE) {
        STANDARD.encode_string(chunk, &mut lines);
        lines.push_str("\r\n");
    }
    lines.into_bytes()
}

/// One line of text: header values never hold a control character.
pub(super) fn single_line(what: &str, value: &str) -> Result<(), BadLetter> {
    if value.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(BadLetter(format!("{what} holds a line break or another control character")));
    }
    Ok(())
}

/// `left@right` of characters that need no quotes (RFC 5322, `dot-atom`).
pub(super) fn message_id(id: &str) -> Result<&str, BadLetter> {
    let ours = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-+=".contains(c));
    match id.split_once('@') {
        Some((left, right)) if id.len() <= 200 && ours(left) && ours(right) => Ok(id),
        Some(_) | None => Err(BadLetter("the Message-ID is not of the form left@right".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> config::Mail {
        let address = |text: &str| MailAddress::parse(text).unwrap();
        config::Mail {
            from: config::Mailbox {
                name: "Onboarding, Contoso GmbH".to_owned(),
                address: address("onboarding@contoso.example"),
            },
            per_minute: 30,
            via: config::Via::Graph { tenant: "contoso".to_owned() },
            reply_to: Some(config::Mailbox { name: "Größe".to_owned(), address: address("desk@contoso.example") }),
            help: None,
            language: String::new(),
            templates: None,
        }
    }

    fn letter(subject: &str, text: &str) -> Letter {
        Letter {
            to: MailAddress::parse("mia@contoso.example").unwrap(),
            subject: subject.to_owned(),
            text: Zeroizing::new(text.to_owned()),
            html: Zeroizing::new(format!("<p>{text}</p>")),
            message_id: "12-34@contoso.example".to_owned(),
        }
    }

    fn now() -> DateTime<Utc> {
        "2027-03-01T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_message_as_it_goes_out() {
        let bytes = bytes(now(), &mail(), &letter("Erster Tag von Zoë Müller", "Hallo Welt\n")).unwrap();
        insta::assert_snapshot!(std::str::from_utf8(&bytes).unwrap().replace('\r', ""));
    }

    #[test]
    fn the_same_letter_gives_the_same_bytes() {
        let one = bytes(now(), &mail(), &letter("A", "B")).unwrap();
        assert_eq!(*one, *bytes(now(), &mail(), &letter("A", "B")).unwrap());
    }

    #[test]
    fn every_line_is_short_ascii_and_ends_with_crlf() {
        let long = "ä".repeat(5000);
        let bytes = bytes(now(), &mail(), &letter("Ω".repeat(200).as_str(), &long)).unwrap();
        assert!(bytes.is_ascii());
        assert!(bytes.ends_with(b"\r\n"));
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            assert!(line.ends_with(b"\r\n") && line.len() <= 100, "{line:?}");
        }
    }

    #[test]
    fn controls_in_header_fields_are_refused_f47() {
        for subject in ["a\r\nBcc: x@evil.example", "a\nb", "a\rb", "a\0b", "a\u{2028}b", "a\u{7f}b"] {
            assert!(bytes(now(), &mail(), &letter(subject, "x")).is_err(), "{subject:?}");
        }
        let mut wrong = mail();
        wrong.from.name = "A\r\nBcc: x@evil.example".to_owned();
        assert!(bytes(now(), &wrong, &letter("a", "x")).is_err());
        for id in ["", "a", "a@", "a@b\r\nX: y", "a b@c", "<a@b>"] {
            let mut wrong = letter("a", "x");
            wrong.message_id = id.to_owned();
            assert!(bytes(now(), &mail(), &wrong).is_err(), "{id:?}");
        }
    }

    /// lettre writes what it sends, the code and the password among it, when its `tracing` feature is on.
    #[test]
    fn lettre_does_not_trace() {
        let manifest = include_str!("../../Cargo.toml");
        let line = manifest.lines().find(|line| line.starts_with("lettre ")).unwrap();
        assert!(line.contains("default-features = false") && !line.contains("\"tracing\""), "{line}");
        let lock = include_str!("../../Cargo.lock");
        let package = lock.split("[[package]]").find(|package| package.contains("name = \"lettre\"")).unwrap();
        assert!(!package.contains("\"tracing\""), "something else turned lettre's `tracing` feature on");
    }
}
