//! A model of Microsoft Entra and Graph over real HTTPS on this machine: stateful, as the documents
//! say, with faults on request.
//!
//! The state lies in memory and is changed by [`ModelTenant::edit`] and by requests alone. Time is the
//! [`Clock`]'s: `Date`, `createdDateTime` and the validity of passes jump with it. The server has a
//! thread and a runtime of its own, so a client's runtime may be dropped in the middle of a request.
//! Reading order: `directory`, `passes`, `routes`, then `faults`, `journal`, `wire`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, net};

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use url::Url;
use uuid::Uuid;

mod accounts;
mod answer;
mod assertion;
pub mod directory;
pub mod faults;
pub mod journal;
mod mail_routes;
mod pass_routes;
mod passes;
mod query;
mod routes;
mod sign_in;
mod state;
mod token;
mod wire;

pub use directory::{
    Directory, ModelAccess, ModelContact, ModelDomain, ModelGroup, ModelIdentity, ModelPolicy, ModelTarget, ModelUser,
    OneTimeDemand,
};
pub use faults::{Echo, Effect, Fault, Lasts, When};
pub use journal::{Kind, Seen};
pub use passes::ModelPass;
pub use sign_in::SIGN_IN;

use super::mailbox::ModelMailServer;
use super::tls::Ca;
use crate::clock::Clock;
use state::Shared;

/// Answered requests that wait for their reader.
const WATCHED: usize = 10_000;

/// The model tenant. Clones are the same tenant; the last one ends it.
#[derive(Clone)]
pub struct ModelTenant {
    shared: Arc<Shared>,
    server: Arc<Mutex<Option<Server>>>,
    tls: Arc<ServerConfig>,
    origin: Url,
    port: u16,
}

/// A running server; it ends when `stop` is dropped.
struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ModelTenant {
    /// Starts a tenant on `localhost` and `127.0.0.1`, at `port` or (0) at any free one.
    ///
    /// Errors when the port is taken.
    pub fn start(ca: &Ca, clock: Clock, port: u16) -> io::Result<Self> {
        let listener = net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let port = listener.local_addr()?.port();
        let mut tls = ca.server_config(&["localhost", "127.0.0.1"])?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let origin = format!("https://localhost:{port}");
        let shared = Arc::new(Shared::new(clock, origin.clone()));
        let origin = Url::parse(&origin).map_err(io::Error::other)?;
        let tls = Arc::new(tls);
        let server = Server::start(listener, &tls, &shared)?;
        Ok(Self { shared, server: Arc::new(Mutex::new(Some(server))), tls, origin, port })
    }

    /// `https://localhost:PORT`, for both `login_url` and `graph_url`.
    pub fn origin(&self) -> Url {
        self.origin.clone()
    }

    /// Closes the port and every connection. The state stays, for [`ModelTenant::resume`].
    pub fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Server { stop, thread }) = server {
            drop(stop);
            // It ends at once: nothing there waits for anything else.
            let _ = thread.join();
        }
    }

    /// Listens again on the same port with the same state, after [`ModelTenant::stop`].
    ///
    /// Errors when somebody else took the port meanwhile.
    pub fn resume(&self) -> io::Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_none() {
            let listener = net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
            *server = Some(Server::start(listener, &self.tls, &self.shared)?);
        }
        Ok(())
    }

    /// Changes or reads the directory.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        change(&mut self.shared.lock().directory)
    }

    /// The tenant's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.now(&self.shared.lock())
    }

    /// Every pass the account ever had, oldest first.
    pub fn passes(&self, user: Uuid) -> Vec<ModelPass> {
        self.shared.lock().passes.of(user).to_vec()
    }

    /// Every pass that was ever made, with its account.
    pub fn all_passes(&self) -> Vec<(Uuid, ModelPass)> {
        let state = self.shared.lock();
        let all = state.passes.all().iter();
        all.flat_map(|(user, history)| history.iter().map(|pass| (*user, pass.clone()))).collect()
    }

    /// An admin makes a pass in the portal, now or for later; it overrides the one that is there.
    pub fn foreign_pass(
        &self,
        user: Uuid,
        start: Option<DateTime<Utc>>,
        lifetime_min: i64,
        one_time: bool,
    ) -> ModelPass {
        let mut state = self.shared.lock();
        let now = self.shared.now(&state);
        let pass = ModelPass {
            id: Uuid::new_v4().to_string(),
            code: passes::code(state.directory.policy.length),
            created: now - passes::odd_fraction(),
            start: start.unwrap_or(now),
            lifetime_min,
            one_time,
            used: false,
            deleted_at: None,
            overridden_by: None,
            by_app: false,
        };
        state.passes.put(now, user, pass.clone());
        pass
    }

    /// An admin deletes whatever pass the account has; `false` when it has none.
    pub fn delete_pass(&self, user: Uuid) -> bool {
        let mut state = self.shared.lock();
        let now = self.shared.now(&state);
        let newest = state.passes.of(user).last().map(|pass| pass.id.clone());
        newest.is_some_and(|id| state.passes.delete(now, user, &id))
    }

    /// The person signs in with a code; `true` when it opens the door now.
    pub fn use_pass(&self, user: Uuid, code: &str) -> bool {
        let mut guard = self.shared.lock();
        let now = self.shared.now(&guard);
        let state = &mut *guard;
        let Some(account) = state.directory.users.get(&user).filter(|account| account.enabled) else { return false };
        state.passes.sign_in(now, &state.directory, account, code)
    }

    /// Letters that sendMail accepts lie there from now on; without it they are accepted and gone.
    pub fn mail_goes_to(&self, server: &ModelMailServer) {
        self.shared.lock().mailroom = Some(server.room());
    }

    /// What lies in Sent Items: mailbox and message. A code must never be found there.
    pub fn sent_items(&self) -> Vec<(String, Vec<u8>)> {
        self.shared.lock().sent_items.clone()
    }

    /// Every request so far, oldest first, without secrets.
    pub fn journal(&self) -> Vec<Seen> {
        self.shared.lock().journal.entries()
    }

    /// Requests from now on, each when it has been answered or cut off, without secrets. Nobody waits
    /// for a reader who is slow: what does not fit is left out. There is one reader; the last who asks.
    pub fn watch(&self) -> mpsc::Receiver<Seen> {
        let (sender, receiver) = mpsc::channel(WATCHED);
        self.shared.lock().journal.watch(sender);
        receiver
    }

    /// Puts in a pass of an earlier run; nobody can sign in with it, for its code is not kept.
    pub fn remember(&self, user: Uuid, pass: ModelPass) {
        let mut state = self.shared.lock();
        let code = passes::code(state.directory.policy.length);
        state.passes.remember(user, ModelPass { code, ..pass });
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> usize {
        self.shared.lock().journal.count()
    }

    /// How many requests of a kind have arrived.
    pub fn count(&self, kind: Kind) -> usize {
        self.shared.lock().journal.of(kind)
    }

    /// Lets a fault wait for its request.
    pub fn fault(&self, fault: Fault) {
        let Fault { kind, nth, when, effect } = fault;
        self.shared.lock().faults.add(Some(kind), nth, Lasts::Once, when, effect);
    }

    /// A fault at the n-th request of any kind from now (1 = the next).
    pub fn fault_any(&self, nth: usize, when: When, effect: Effect) {
        self.shared.lock().faults.add(None, nth, Lasts::Once, when, effect);
    }

    /// A fault at every request of a kind (`None`: of any) until [`ModelTenant::heal`].
    pub fn fault_each(&self, kind: Option<Kind>, when: When, effect: Effect) {
        self.shared.lock().faults.add(kind, 1, Lasts::Always, when, effect);
    }

    /// A fault at every request of a kind (`None`: of any) until that instant of the model's clock.
    pub fn fault_until(&self, end: DateTime<Utc>, kind: Option<Kind>, when: When, effect: Effect) {
        self.shared.lock().faults.add(kind, 1, Lasts::Until(end), when, effect);
    }

    /// Forgets all faults that wait. Holds that were reached go on holding.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// Faults that were given for one request and have not fired.
    pub fn faults_waiting(&self) -> usize {
        self.shared.lock().faults.waiting()
    }

    /// Returns when a hold has been reached; each call answers to one hold.
    pub async fn held(&self) {
        if let Ok(permit) = self.shared.holds.acquire().await {
            permit.forget();
        }
    }

    /// Requests that wait in a hold now.
    pub fn holding(&self) -> usize {
        self.shared.holding.load(Ordering::SeqCst)
    }

    /// Lets all held requests go on, also those whose client is gone.
    pub fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// Whether this is a token that the tenant gave out for this audience
    /// (`https://outlook.office365.com`) and that is not over.
    pub fn gave_token(&self, audience: &str, token: &str) -> bool {
        let state = self.shared.lock();
        state.tokens.check(self.shared.now(&state), &state.directory, audience, token).is_ok()
    }

    /// Every token that is valid, to look for them where none may be.
    pub fn given_tokens(&self) -> Vec<String> {
        self.shared.lock().tokens.all()
    }

    /// Makes every token that is out invalid.
    pub fn revoke_tokens(&self) {
        self.shared.lock().tokens.revoke();
    }
}

impl Server {
    fn start(listener: net::TcpListener, tls: &Arc<ServerConfig>, shared: &Arc<Shared>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (acceptor, shared) = (TlsAcceptor::from(Arc::clone(tls)), Arc::clone(shared));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("model-tenant".into()).spawn(move || {
            let router = routes::router(Arc::clone(&shared));
            runtime.block_on(async {
                tokio::select! {
                    () = wire::listen(listener, acceptor, shared, router) => {}
                    _ = stopped => {}
                }
            });
            // Dropping the runtime drops every connection and everything that is held.
        })?;
        Ok(Self { stop, thread })
    }
}
