//! Health: what the port, `firstpass health` and systemd hear of the running service, and new settings
//! for it (I20, F16–F18, F26, F95).
//!
//! Ports are free ones, sockets real ones, the service mostly the real binary.

mod answers;
mod asked;
mod bounds;
mod reload;
mod systemd;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firstpass::serve::Port;
use firstpass::work::Work;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// For a machine that is busy.
const LONG: Duration = Duration::from_mins(1);

/// A port of this process, over the worker of a world.
struct Open {
    address: SocketAddr,
    _end: tokio_util::sync::DropGuard,
}

async fn open(work: &Arc<Work>) -> Open {
    let port = Port::open(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = port.address().unwrap();
    let (current, seen) = watch::channel(Arc::clone(work));
    let end = CancellationToken::new();
    let ended = end.clone();
    tokio::spawn(async move {
        let _current = current;
        port.serve(seen, ended).await;
    });
    Open { address, _end: end.drop_guard() }
}

/// What came back: status, headers, body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// One request by hand, as no client would mend it.
fn request(address: SocketAddr, text: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    stream.write_all(text.as_bytes())?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let all = String::from_utf8(all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n")).unwrap()
}

/// While the models go on answering.
async fn asked(address: SocketAddr, path: &'static str) -> Answer {
    tokio::task::spawn_blocking(move || get(address, path)).await.unwrap()
}

/// Where systemd would listen.
struct NotifySocket {
    path: PathBuf,
    socket: UnixDatagram,
}

impl NotifySocket {
    fn new(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { path, socket }
    }

    /// The next message that comes within this time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 4096];
        let n = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..n].to_vec()).unwrap())
    }

    /// Waits for a message that fits.
    fn wait(&self, what: &str, world: &World, fits: impl Fn(&str) -> bool) -> String {
        let (until, mut all) = (Instant::now() + LONG, String::new());
        while let Some(message) =
            self.next(until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
        {
            if fits(&message) {
                return message;
            }
            all.push_str(&message);
        }
        panic!("systemd was not told {what}, but\n{all}\n{}", world.log());
    }

    /// Forgets what came so far.
    fn forget(&self) {
        while self.next(Duration::from_millis(1)).is_some() {}
    }
}

impl World {
    /// The port in the log of a service that was told to take a free one.
    fn port(&self) -> SocketAddr {
        self.wait_for("the port", 30, |world| world.log().contains("health and metrics are at http://"));
        let log = self.log();
        let (_, rest) = log.rsplit_once("health and metrics are at http://").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }
}
