//! I3: nothing that opens a door lies anywhere, as it is or as base64, URL or HTML would write it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::world::{CLIENT_SECRET, MAIL_PASSWORD, World};

/// Shorter words are found by accident.
const SHORTEST: usize = 8;

impl World {
    /// Codes, tokens, client secrets, passwords, private keys, and what else the tests keep in a file of
    /// its own.
    fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.tenant.all_passes().into_iter().map(|(_, pass)| pass.code).collect();
        secrets.extend([CLIENT_SECRET.to_owned(), MAIL_PASSWORD.to_owned()]);
        secrets.push(self.tenant.edit(|directory| directory.client_secret.clone()));
        for token in self.tenant.given_tokens() {
            // The signature alone opens nothing, but nobody else's token has it.
            secrets.extend(token.rsplit('.').next().map(str::to_owned));
            secrets.push(token);
        }
        for path in files_below(self.dir.path()).into_iter().filter(|path| keeps_a_secret(path)) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let inside_a_certificate = |line: &&str| {
                let before = text.split(*line).next().unwrap_or_default();
                before.rsplit("-----BEGIN ").next().is_some_and(|label| label.starts_with("CERTIFICATE"))
            };
            let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
            secrets.extend(lines.filter(|line| !inside_a_certificate(line)).map(str::to_owned));
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets.sort();
        secrets.dedup();
        secrets
    }

    /// I3: in no file but the secret files themselves, and in no event.
    pub(super) fn no_secret_at_rest(&self, story: &str) {
        let needles = Needles::of(&self.secrets());
        for path in files_below(self.dir.path()).into_iter().filter(|path| !keeps_a_secret(path)) {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!needles.found_in(&bytes), "I3: a secret lies in {}\n{story}", path.display());
        }
        assert!(!needles.found_in(story.as_bytes()), "I3: a secret lies in the events");
    }

    /// Events hold ids, never names or addresses.
    pub(super) fn events_hold_ids(&self, story: &str) {
        let people: Vec<(String, String)> = self.tenant.edit(|directory| {
            directory.users.values().map(|user| (user.upn.clone(), user.display_name.clone())).collect()
        });
        for line in story.lines().take_while(|line| line.contains(" UTC ")) {
            let named = people.iter().find(|(upn, name)| line.contains(upn.as_str()) || line.contains(name.as_str()));
            assert!(named.is_none(), "events hold ids, never names or addresses: {line}");
        }
    }

    /// I3, promise 4: what admins are told never holds a code.
    pub(crate) fn holds_no_code(&self, text: &str, story: &str) {
        let codes: Vec<String> = self.tenant.all_passes().into_iter().map(|(_, pass)| pass.code).collect();
        assert!(!Needles::of(&codes).found_in(text.as_bytes()), "I3: a code is told to admins\n{story}");
    }
}

/// `secret-…` by the habit of these tests, and whatever holds a private key.
fn keeps_a_secret(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("secret-"));
    named || (path.extension().is_some_and(|end| end == "pem") && holds_a_key(path))
}

fn holds_a_key(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("PRIVATE KEY"))
}

/// What is looked for, by its first two bytes.
struct Needles {
    by_start: Vec<Vec<Vec<u8>>>,
}

impl Needles {
    fn of(secrets: &[String]) -> Self {
        let mut by_start = vec![Vec::new(); 1 << 16];
        for written in secrets.iter().flat_map(|secret| as_written(secret)) {
            by_start[usize::from(u16::from_be_bytes([written[0], written[1]]))].push(written);
        }
        Self { by_start }
    }

    fn found_in(&self, bytes: &[u8]) -> bool {
        bytes.windows(2).enumerate().any(|(at, start)| {
            let here = &self.by_start[usize::from(u16::from_be_bytes([start[0], start[1]]))];
            here.iter().any(|needle| bytes[at..].starts_with(needle))
        })
    }
}

/// Plain, in a URL, in HTML or JSON, and as base64 at each of the three places in which a text may stand there.
fn as_written(secret: &str) -> Vec<Vec<u8>> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut written = vec![secret.as_bytes().to_vec(), encoded.into_bytes(), html.into_bytes()];
    for before in 0..3 {
        let padded = [vec![0; before], secret.as_bytes().to_vec()].concat();
        // Characters that also hold bits of what stands before or behind are left out.
        let (from, whole) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            written.push(text.as_bytes()[from.min(whole)..whole].to_vec());
        }
    }
    written.sort();
    written.dedup();
    written.retain(|bytes| bytes.len() >= SHORTEST);
    written
}

/// Every file, however deep.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn i3_a_secret_is_found_however_it_is_written() {
    let secret = "pAss&code+1".to_owned();
    let needles = Needles::of(std::slice::from_ref(&secret));
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{secret}{before}");
        for written in [
            text.clone(),
            STANDARD_NO_PAD.encode(&text),
            URL_SAFE_NO_PAD.encode(&text),
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            text.replace('&', "&amp;"),
        ] {
            assert!(needles.found_in(format!("<{written}>").as_bytes()), "{written}");
        }
    }
    assert!(!needles.found_in(b"pAss and code 1"));
}
