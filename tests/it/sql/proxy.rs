//! A TCP proxy in front of a database's socket that passes everything on, or stops passing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a connection after so many bytes from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    /// Closed.
    Drop(usize),
    /// Closed with a reset.
    Reset(usize),
    /// Open and silent.
    Stall(usize),
}

pub(super) struct Proxy {
    pub(super) port: u16,
    mode: Arc<Mutex<Mode>>,
}

impl Proxy {
    pub(super) fn before(server: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let (shared, server) = (Arc::clone(&mode), PathBuf::from(server));
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, server, runtime) = (Arc::clone(&shared), server.clone(), runtime.clone());
                std::thread::spawn(move || serve(&client, &server, &shared, &runtime));
            }
        });
        Self { port, mode }
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

fn serve(client: &TcpStream, server: &Path, mode: &Mutex<Mode>, runtime: &tokio::runtime::Handle) {
    let Ok(server) = UnixStream::connect(server) else { return };
    let mode = *mode.lock().unwrap();
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    // Looks up often, so that it ends with the other direction.
    from_client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let open = Arc::new(Mutex::new(true));
    let still = Arc::clone(&open);
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 16 * 1024];
        while *still.lock().unwrap() {
            match from_client.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => drop(to_server.write_all(&buffer[..n])),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        let _ = to_server.shutdown(std::net::Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client.try_clone().unwrap());
    let mut left = match mode {
        Mode::Pass => usize::MAX,
        Mode::Drop(n) | Mode::Reset(n) | Mode::Stall(n) => n,
    };
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        let n = from_server.read(&mut buffer).unwrap_or(0);
        if n == 0 {
            break;
        }
        let some = n.min(left);
        let _ = to_client.write_all(&buffer[..some]);
        left -= some;
        if left == 0 && mode != Mode::Pass {
            break;
        }
    }
    match mode {
        Mode::Stall(_) => std::thread::sleep(Duration::from_mins(5)),
        Mode::Reset(_) => {
            let _guard = runtime.enter();
            client.set_nonblocking(true).unwrap();
            tokio::net::TcpStream::from_std(client.try_clone().unwrap()).unwrap().set_zero_linger().unwrap();
        }
        Mode::Pass | Mode::Drop(_) => drop(client.shutdown(std::net::Shutdown::Both)),
    }
    *open.lock().unwrap() = false;
}
