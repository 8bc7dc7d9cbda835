//! A letter as it arrived, and what a mail program would show of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

/// Letters to one address in one minute, over restarts of the server.
const MOST_A_MINUTE: usize = 10_000;

/// One accepted letter. It holds a code: never print it.
#[derive(Clone)]
pub struct ReceivedLetter {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// By the server's clock.
    pub at: DateTime<Utc>,
    /// Which connection brought it.
    pub connection: usize,
    /// Who signed in.
    pub user: Option<String>,
    /// It came through TLS.
    pub encrypted: bool,
    /// The message, dots unstuffed.
    pub raw: Vec<u8>,
    /// Every byte between the answer to DATA and the end of the final dot's line.
    pub wire: Vec<u8>,
}

impl ReceivedLetter {
    /// The first header of that name, unfolded and with its encoded words decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| decoded(&value))
    }

    /// Every header as it came, unfolded.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.raw);
        headers(text.split("\r\n\r\n").next().unwrap_or_default())
    }

    /// The part of that type (`text/plain`, `text/html`), decoded, with LF line ends.
    pub fn part(&self, kind: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.raw);
        let boundary = self.header("Content-Type")?;
        let boundary = boundary.split("boundary=\"").nth(1)?.split('"').next()?.to_owned();
        text.split(&format!("--{boundary}")).find_map(|part| {
            let (head, body) = part.trim_start().split_once("\r\n\r\n")?;
            let head = headers(head);
            let of =
                |name: &str| head.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            if !of("Content-Type")?.starts_with(kind) || of("Content-Transfer-Encoding")? != "base64" {
                return None;
            }
            let compact: String = body.chars().filter(|c| !c.is_whitespace()).collect();
            let bytes = STANDARD.decode(compact).ok()?;
            Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
        })
    }

    /// The code, found as a manager finds it: the next word behind `Code:` in the text part, or in its
    /// frame in the HTML part of a letter that has no other.
    pub fn code(&self) -> Option<String> {
        let Some(text) = self.part("text/plain") else {
            let html = self.part("text/html")?;
            let (_, behind) = html.split_once("<code")?;
            let (_, framed) = behind.split_once('>')?;
            let escaped = framed.split("</code>").next()?.trim();
            let plain =
                escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x27;", "'");
            return Some(plain.replace("&amp;", "&"));
        };
        let (_, behind) = text.split_once("\nCode:")?;
        behind.split_whitespace().next().map(str::to_owned)
    }

    /// Writes the message into `folder`, readable by us alone, and says its name there; a reader never
    /// sees half of it, and a letter of an earlier server is never overwritten.
    pub(super) fn write(&self, folder: &Path, number: usize) -> io::Result<String> {
        let whom: String = self
            .to
            .first()
            .map_or("nobody", String::as_str)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "@._+-".contains(c) { c } else { '_' })
            .collect();
        let named = |number: usize| format!("{}-{number:04}-{whom}.eml", self.at.format("%Y-%m-%dT%H%MZ"));
        let is_free = |name: &String| !folder.join(name).exists();
        let taken = || io::Error::new(io::ErrorKind::AlreadyExists, "letters of this minute");
        let name = (number..=number + MOST_A_MINUTE).map(named).find(is_free).ok_or_else(taken)?;
        let temporary = folder.join(format!(".{name}.tmp"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&self.raw)?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(&name))?;
        Ok(name)
    }
}

fn headers(block: &str) -> Vec<(String, String)> {
    let unfolded = block.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// Encoded words of the kind that our own client writes (RFC 2047, UTF-8, base64).
fn decoded(value: &str) -> String {
    let mut text = String::new();
    let mut last_was_encoded = false;
    for (number, word) in value.split(' ').enumerate() {
        let plain = word
            .strip_prefix("=?utf-8?b?")
            .and_then(|rest| rest.strip_suffix("?="))
            .and_then(|inner| STANDARD.decode(inner).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // White space between two encoded words belongs to the encoding.
        if number > 0 && !(last_was_encoded && plain.is_some()) {
            text.push(' ');
        }
        last_was_encoded = plain.is_some();
        text.push_str(plain.as_deref().unwrap_or(word));
    }
    text
}
