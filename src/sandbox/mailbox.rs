//! A model mail server over real sockets on this machine: STARTTLS, implicit TLS or plain, AUTH
//! PLAIN, LOGIN and XOAUTH2, one byte-exact copy of every letter it accepts, faults on request.
//!
//! It is more gullible than a real server on purpose: a line that holds a lone dot ends a letter
//! whatever stands before it, so smuggled commands would be obeyed and seen. It delivers nothing.
//! The server has a thread and a runtime of its own, so a client's runtime may be dropped in the
//! middle of a letter. Reading order: `fault`, `session`, `data`,
//! `letter`.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use super::tenant::ModelTenant;
use super::tls::Ca;
use crate::clock::Clock;
use crate::config::Tls;

mod data;
mod fault;
mod letter;
mod room;
mod session;

pub use fault::{Effect, MailFault, Verb, When};
pub use letter::ReceivedLetter;
pub use room::Mailroom;

use fault::Faults;

/// How the server behaves when nothing is wrong.
#[derive(Debug, Clone)]
pub struct Options {
    /// How connections are secured.
    pub tls: Tls,
    /// Names in the certificate.
    pub names: Vec<String>,
    /// User names with passwords; empty: nobody needs to sign in.
    pub users: Vec<(String, String)>,
    /// Ways to sign in that are offered.
    pub mechanisms: Vec<String>,
    /// Whose letters are taken.
    pub recipients: Recipients,
    /// Letters are written here as `.eml` besides being kept in memory.
    pub folder: Option<PathBuf>,
    /// Larger letters are refused (552).
    pub max_bytes: usize,
    /// Somebody between client and server takes STARTTLS out of the greeting.
    pub strip_starttls: bool,
    /// Somebody between client and server puts these plain bytes behind the answer to STARTTLS.
    pub inject: Vec<u8>,
    /// When letters arrive.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: Tls::Starttls,
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            users: Vec::new(),
            mechanisms: vec!["PLAIN".to_owned(), "LOGIN".to_owned()],
            recipients: Recipients::All,
            folder: None,
            max_bytes: 10 * 1024 * 1024,
            strip_starttls: false,
            inject: Vec::new(),
            clock: Clock::System,
        }
    }
}

/// Whose letters are taken; others get 550 5.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Everybody's.
    All,
    /// These addresses only, in lower case.
    Only(Vec<String>),
    /// Everybody's but these, in lower case.
    Except(Vec<String>),
}

/// What a client said: one line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Connections are counted from 1.
    pub connection: usize,
    /// The command.
    pub verb: Verb,
    /// The line; what follows AUTH is left out.
    pub line: String,
}

/// What those who watch hear of.
#[derive(Clone)]
pub enum Happened {
    /// A letter was accepted.
    Letter {
        /// It holds a code: never print its body.
        letter: ReceivedLetter,
        /// Its name in the folder, if there is a folder.
        file: Option<String>,
    },
    /// Something was refused.
    Refused {
        /// What the client wanted.
        verb: Verb,
        /// The answer.
        reply: String,
    },
    /// A connection was closed without a word.
    Dropped {
        /// What the client wanted.
        verb: Verb,
    },
}

/// Lines of the journal that are kept, like the tenant's requests: more than a day of trying says.
const KEPT: usize = 100_000;
/// Letters that are kept in memory, some 15 KiB each; a folder has them all.
const LETTERS_KEPT: usize = 10_000;
/// Happenings that wait for their reader.
const WATCHED: usize = 10_000;

/// The model mail server. Clones are the same server; the last one ends it.
#[derive(Clone)]
pub struct ModelMailServer {
    shared: Arc<Shared>,
    server: Arc<Mutex<Option<Server>>>,
    port: u16,
}

/// A running server; it ends when `stop` is dropped.
struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What sessions and handle both see.
struct Shared {
    options: Mutex<Options>,
    tls: TlsAcceptor,
    state: Mutex<State>,
    /// Whose tokens are taken (XOAUTH2).
    tokens: Mutex<Option<ModelTenant>>,
    /// How many sessions are held now.
    holding: watch::Sender<usize>,
    /// Counts the calls of `release`.
    released: watch::Sender<usize>,
    /// Counts the calls of `close_all`; the text is said before closing.
    closing: watch::Sender<(usize, Option<String>)>,
}

#[derive(Default)]
struct State {
    /// The newest, oldest first.
    letters: VecDeque<ReceivedLetter>,
    /// How many there ever were: they are numbered.
    letter_count: usize,
    faults: Faults,
    /// The newest, oldest first.
    said: VecDeque<Said>,
    /// How often each was said, ever.
    counts: HashMap<Verb, usize>,
    connections: usize,
    watcher: Option<mpsc::Sender<Happened>>,
}

impl State {
    /// Enters what a client said; the oldest line makes room.
    fn heard(&mut self, said: Said) {
        *self.counts.entry(said.verb).or_default() += 1;
        if self.said.len() >= KEPT {
            self.said.pop_front();
        }
        self.said.push_back(said);
    }

    /// Keeps a letter; the oldest makes room.
    fn keep(&mut self, letter: ReceivedLetter) {
        self.letter_count += 1;
        if self.letters.len() >= LETTERS_KEPT {
            self.letters.pop_front();
        }
        self.letters.push_back(letter);
    }

    /// Tells who watches, if somebody does.
    fn tell(&self, happened: impl FnOnce() -> Happened) {
        if let Some(watcher) = &self.watcher {
            // A reader that is gone or slow misses it.
            let _ = watcher.try_send(happened());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> Option<ModelTenant> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn options(&self) -> Options {
        self.options.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ModelMailServer {
    /// Starts a server on `127.0.0.1`, at `port` or (0) at any free one.
    ///
    /// Errors when the port is taken or the folder cannot be made.
    pub fn start(ca: &Ca, options: Options, port: u16) -> io::Result<Self> {
        if let Some(folder) = &options.folder {
            std::fs::create_dir_all(folder)?;
        }
        let names: Vec<&str> = options.names.iter().map(String::as_str).collect();
        let tls: Arc<ServerConfig> = Arc::new(ca.server_config(&names)?);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            options: Mutex::new(options),
            tls: TlsAcceptor::from(tls),
            state: Mutex::new(State::default()),
            tokens: Mutex::new(None),
            holding: watch::Sender::new(0),
            released: watch::Sender::new(0),
            closing: watch::Sender::new((0, None)),
        });
        let server = Server::start(listener, &shared)?;
        Ok(Self { shared, server: Arc::new(Mutex::new(Some(server))), port })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.options().clock.now()
    }

    /// Every letter that was accepted, oldest first; the newest 10,000 when there are more.
    pub fn letters(&self) -> Vec<ReceivedLetter> {
        self.shared.lock().letters.iter().cloned().collect()
    }

    /// Changes how the server behaves; names and port stay.
    pub fn edit(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.options.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes tokens for Exchange Online that this tenant gave out, from its mailboxes.
    pub fn takes_tokens_of(&self, tenant: &ModelTenant) {
        *self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant.clone());
    }

    /// Its mailboxes, for letters that come another way.
    pub fn room(&self) -> Mailroom {
        Mailroom(Arc::downgrade(&self.shared))
    }

    /// Asks for a fault. Several may wait; each fires once.
    pub fn fault(&self, fault: MailFault) {
        self.shared.lock().faults.add(fault, None);
    }

    /// A fault that fires every time from its n-th on, until that instant of the server's clock.
    pub fn fault_until(&self, end: DateTime<Utc>, fault: MailFault) {
        self.shared.lock().faults.add(fault, Some(end));
    }

    /// Letters and refusals from now on. Nobody waits for a reader who is slow: what does not fit is
    /// left out. There is one reader; the last who asks.
    pub fn watch(&self) -> mpsc::Receiver<Happened> {
        let (sender, receiver) = mpsc::channel(WATCHED);
        self.shared.lock().watcher = Some(sender);
        receiver
    }

    /// Takes every waiting fault back.
    pub fn clear_faults(&self) {
        self.shared.lock().faults = Faults::default();
    }

    /// Faults that have not fired yet.
    pub fn waiting_faults(&self) -> usize {
        self.shared.lock().faults.len()
    }

    /// Resolves when a session is held.
    pub async fn held(&self) {
        // The sender lives in `shared`, so this cannot fail.
        let _ = self.shared.holding.subscribe().wait_for(|holding| *holding > 0).await;
    }

    /// Lets held sessions go on.
    pub fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// Closes every open connection, as an idle timeout does; `farewell` (`421 …`) is said before.
    pub fn close_all(&self, farewell: Option<&str>) {
        self.shared.closing.send_modify(|(count, said)| {
            *count += 1;
            *said = farewell.map(str::to_owned);
        });
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// What clients said so far, in order, the newest 100,000 lines; nothing that follows AUTH, nothing of
    /// a letter.
    pub fn journal(&self) -> Vec<Said> {
        self.shared.lock().said.iter().cloned().collect()
    }

    /// How often this was said; [`Verb::Any`] counts everything.
    pub fn count(&self, verb: Verb) -> usize {
        let state = self.shared.lock();
        let counts = state.counts.iter().filter(|(said, _)| verb == Verb::Any || **said == verb);
        counts.map(|(_, count)| count).sum()
    }

    /// Closes the port and every connection. Letters stay, for [`Self::resume`].
    pub fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(server);
    }

    /// Listens again on the same port.
    ///
    /// Errors when somebody else took it meanwhile.
    pub fn resume(&self) -> io::Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_none() {
            let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
            *server = Some(Server::start(listener, &self.shared)?);
        }
        Ok(())
    }
}

impl Server {
    fn start(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().name("model-mail".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
            // Sessions end with their runtime, wherever they stand.
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(mem::take(&mut self.stop));
        if let Some(thread) = self.thread.take() {
            // It ends at once: nothing there waits for anything else.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let connection = {
            let mut state = shared.lock();
            state.connections += 1;
            state.connections
        };
        tokio::spawn(session::serve(stream, connection, Arc::clone(&shared)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_keeps_the_newest_lines_and_counts_all() {
        let mut state = State::default();
        for connection in 0..KEPT + 10 {
            state.heard(Said { connection, verb: Verb::Noop, line: String::new() });
        }
        assert_eq!(state.said.len(), KEPT);
        assert_eq!(state.said.front().unwrap().connection, 10);
        assert_eq!(state.counts[&Verb::Noop], KEPT + 10);
    }
}
