//! A mail server that speaks TLS 1.0 and 1.1 only (F54, T16): OpenSSL's own, since no library of ours can.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstpass::config::Tls;

use super::{Post, failure, post};

/// Old protocols are let in only where ciphers of their time are.
const CIPHERS: &str = "DEFAULT:@SECLEVEL=0";

/// `openssl s_server`; ends with the test.
struct Old(Child);

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Old {
    /// `None` without OpenSSL, or with one that has forgotten the protocol.
    fn start(folder: &Path, port: u16, protocol: &str) -> Option<Self> {
        let mut child = Command::new("openssl")
            .args(["s_server", protocol, "-cipher", CIPHERS, "-quiet", "-cert", "old.pem", "-key", "old.key"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        for _ in 0..200 {
            if child.try_wait().ok()?.is_some() {
                return None;
            }
            if shakes_hands(folder, port, protocol) {
                return Some(Self(child));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        None
    }
}

/// Another program comes to an agreement with it.
fn shakes_hands(folder: &Path, port: u16, protocol: &str) -> bool {
    let asked = Command::new("openssl")
        .args(["s_client", protocol, "-cipher", CIPHERS, "-connect", &format!("127.0.0.1:{port}")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    asked.is_ok_and(|asked| {
        let mut lines = BufReader::new(asked.stdout.as_slice()).lines();
        lines.any(|line| line.is_ok_and(|line| line.contains("Cipher is ") && !line.contains("(NONE)")))
    })
}

fn made_certificate(folder: &Path) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "old.key", "-out", "old.pem"])
        .args(["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .current_dir(folder)
        .output();
    made.is_ok_and(|made| made.status.success())
}

#[tokio::test]
async fn f54_a_server_of_the_last_century_is_not_spoken_to() {
    let mut post_office = Post::new(Tls::Implicit);
    let folder = post_office.folder.path().to_owned();
    if !made_certificate(&folder) {
        eprintln!("skipped: no openssl here (Debian: openssl)");
        return;
    }
    post_office.smtp.ca_file = Some(folder.join("old.pem"));
    for protocol in ["-tls1", "-tls1_1"] {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let Some(_server) = Old::start(&folder, port, protocol) else {
            eprintln!("skipped: this openssl does not speak {protocol}");
            continue;
        };
        post_office.smtp.port = port;
        let failure = failure(post(&post_office.smtp()).await);
        let why = format!("{failure:?}").to_lowercase();
        assert!(why.contains("tls") && why.contains("version"), "{protocol}: {why}");
    }
}
