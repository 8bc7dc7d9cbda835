//! One connection of the model mail server, from greeting to goodbye (RFC 5321, 3207, 4954).
//! What follows DATA is in `data`.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::fault::{Effect, MailFault, Verb, When};
use super::{Happened, Options, Recipients, Said, Shared};
use crate::config::Tls;

/// Signing in with a token, as Exchange Online has it.
const XOAUTH2: &str = "XOAUTH2";
/// The audience of such tokens.
const EXCHANGE: &str = "https://outlook.office365.com";
/// A command line longer than this ends the session; RFC 4954 allows 12288 for AUTH.
const LINE_MAX: u64 = 16 * 1024;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) struct Session {
    pub(super) stream: BufReader<Box<dyn Stream>>,
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) connection: usize,
    pub(super) encrypted: bool,
    pub(super) user: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    /// What the client wants now.
    verb: Verb,
}

/// What follows a command.
pub(super) enum Next {
    Go,
    Upgrade,
    End,
}

/// Speaks with one client until it goes, or the server closes everything.
pub(super) async fn serve(stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let mut closing = shared.closing.subscribe();
    let _ = stream.set_nodelay(true);
    let options = shared.options();
    let implicit = options.tls == Tls::Implicit;
    let stream: Box<dyn Stream> = if implicit {
        match shared.tls.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        }
    } else {
        Box::new(stream)
    };
    let mut session = Session {
        stream: BufReader::new(stream),
        shared: Arc::clone(&shared),
        options,
        connection,
        encrypted: implicit,
        user: None,
        from: None,
        to: Vec::new(),
        verb: Verb::Connect,
    };
    let farewell = tokio::select! {
        _ = session.talk() => None,
        _ = closing.changed() => closing.borrow().1.clone(),
    };
    if let Some(farewell) = farewell {
        let _ = session.write(&format!("{farewell}\r\n")).await;
    }
    let _ = session.stream.shutdown().await;
}

impl Session {
    async fn talk(&mut self) -> io::Result<()> {
        if let Next::End = self.greet().await? {
            return Ok(());
        }
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            self.options = self.shared.options();
            match self.obey(&line).await? {
                Next::Go => {}
                Next::End => return Ok(()),
                Next::Upgrade => self.upgrade().await?,
            }
        }
    }

    async fn greet(&mut self) -> io::Result<Next> {
        let fault = self.note(Verb::Connect, "");
        self.answer(fault, "220 localhost ESMTP model mail server").await
    }

    /// Writes one line into the journal and asks whether a fault is due.
    pub(super) fn note(&mut self, verb: Verb, line: &str) -> Option<MailFault> {
        self.verb = verb;
        let line = if verb == Verb::Auth { "AUTH" } else { line };
        let mut state = self.shared.lock();
        state.heard(Said { connection: self.connection, verb, line: line.to_owned() });
        state.faults.due(self.options.clock.now(), verb)
    }

    async fn obey(&mut self, line: &str) -> io::Result<Next> {
        let verb = verb_of(line);
        let fault = self.note(verb, line);
        if let Some(MailFault { when: When::Before, effect: Effect::Drop | Effect::Reply(..), .. }) = fault {
            return self.answer(fault, "").await;
        }
        match verb {
            Verb::Ehlo => {
                (self.from, self.to) = (None, Vec::new());
                let capabilities = self.capabilities();
                self.answer(fault, &capabilities).await
            }
            Verb::Starttls if self.options.tls == Tls::Starttls && !self.encrypted => {
                let next = self.answer(fault, "220 2.0.0 Ready to start TLS").await?;
                Ok(if matches!(next, Next::Go) { Next::Upgrade } else { next })
            }
            Verb::Auth => self.auth(fault, line).await,
            Verb::Mail => {
                let reply = self.mail(line);
                self.answer(fault, reply).await
            }
            Verb::Rcpt => {
                let reply = self.rcpt(line);
                self.answer(fault, reply).await
            }
            Verb::Data => self.data(fault).await,
            Verb::Rset => {
                (self.from, self.to) = (None, Vec::new());
                self.answer(fault, "250 2.0.0 Ok").await
            }
            Verb::Noop => self.answer(fault, "250 2.0.0 Ok").await,
            Verb::Quit => {
                self.answer(fault, "221 2.0.0 Bye").await?;
                Ok(Next::End)
            }
            Verb::Starttls | Verb::Other | Verb::Any | Verb::Connect | Verb::Body | Verb::Dot => {
                self.answer(fault, "502 5.5.1 Command not implemented").await
            }
        }
    }

    fn capabilities(&self) -> String {
        let mut lines = vec!["localhost".to_owned(), format!("SIZE {}", self.options.max_bytes), "8BITMIME".to_owned()];
        if self.options.tls == Tls::Starttls && !self.encrypted && !self.options.strip_starttls {
            lines.push("STARTTLS".to_owned());
        }
        let mechanisms = self.mechanisms();
        if !mechanisms.is_empty() {
            lines.push(format!("AUTH {}", mechanisms.join(" ")));
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        let last = lines.len();
        let marked = lines.iter().zip(1..).map(|(line, n)| format!("250{}{line}", if n == last { ' ' } else { '-' }));
        marked.collect::<Vec<_>>().join("\r\n")
    }

    /// Ways to sign in that are offered now; a token goes over TLS only.
    fn mechanisms(&self) -> Vec<String> {
        let by_password = self.secure() && !self.options.users.is_empty();
        let mut all = if by_password { self.options.mechanisms.clone() } else { Vec::new() };
        if self.encrypted && self.shared.tokens().is_some() {
            all.push(XOAUTH2.to_owned());
        }
        all
    }

    /// Nobody sends without a login where there are logins.
    fn wants_login(&self) -> bool {
        !self.options.users.is_empty() || self.shared.tokens().is_some()
    }

    fn secure(&self) -> bool {
        self.encrypted || self.options.tls == Tls::None
    }

    fn mail(&mut self, line: &str) -> &'static str {
        if !self.secure() {
            return "530 5.7.0 Must issue a STARTTLS command first";
        }
        if self.wants_login() && self.user.is_none() {
            return "530 5.7.0 Authentication required";
        }
        if self.from.is_some() {
            return "503 5.5.1 Nested MAIL command";
        }
        match path(line) {
            Some(from) => {
                self.from = Some(from);
                "250 2.1.0 Ok"
            }
            None => "501 5.1.7 Bad sender address syntax",
        }
    }

    fn rcpt(&mut self, line: &str) -> &'static str {
        if self.from.is_none() {
            return "503 5.5.1 Need MAIL command";
        }
        let Some(to) = path(line) else { return "501 5.1.3 Bad recipient address syntax" };
        let known = match &self.options.recipients {
            Recipients::All => true,
            Recipients::Only(addresses) => addresses.contains(&to.to_lowercase()),
            Recipients::Except(addresses) => !addresses.contains(&to.to_lowercase()),
        };
        if !known {
            return "550 5.1.1 Recipient address rejected: User unknown";
        }
        self.to.push(to);
        "250 2.1.5 Ok"
    }

    async fn auth(&mut self, fault: Option<MailFault>, line: &str) -> io::Result<Next> {
        let mut words = line.split_whitespace().skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let offered = self.mechanisms().contains(&mechanism);
        let initial = words.next().map(str::to_owned);
        let login = match mechanism.as_str() {
            "PLAIN" if offered => {
                let Some(text) = self.ask("", initial).await? else { return Ok(Next::End) };
                let mut fields = text.split('\0').skip(1).map(str::to_owned);
                (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
            }
            "LOGIN" if offered => {
                let Some(user) = self.ask("VXNlcm5hbWU6", initial).await? else { return Ok(Next::End) };
                let Some(password) = self.ask("UGFzc3dvcmQ6", None).await? else { return Ok(Next::End) };
                (user, password)
            }
            XOAUTH2 if offered => {
                let Some(text) = self.ask("", initial).await? else { return Ok(Next::End) };
                return self.take_token(fault, &text).await;
            }
            _ => return self.answer(fault, "504 5.5.4 Unrecognized authentication type").await,
        };
        let reply = if self.options.users.contains(&login) {
            self.user = Some(login.0);
            "235 2.7.0 Authentication successful"
        } else {
            "535 5.7.8 Error: authentication failed"
        };
        self.answer(fault, reply).await
    }

    /// `user=…^Aauth=Bearer …^A^A`, refused in Exchange Online's words.
    async fn take_token(&mut self, fault: Option<MailFault>, text: &str) -> io::Result<Next> {
        let field = |name: &str| text.split('\u{1}').find_map(|part| part.strip_prefix(name)).unwrap_or_default();
        let (user, token) = (field("user="), field("auth=Bearer "));
        let good = self.shared.tokens().is_some_and(|tenant| {
            tenant.gave_token(EXCHANGE, token)
                && tenant.edit(|directory| directory.find(user).is_some_and(|found| found.mail.is_some()))
        });
        if good {
            self.user = Some(user.to_owned());
            return self.answer(fault, "235 2.7.0 Authentication successful").await;
        }
        self.answer(fault, "535 5.7.3 Authentication unsuccessful [MODEL000]").await
    }

    /// What the client says to a challenge, decoded.
    async fn ask(&mut self, challenge: &str, initial: Option<String>) -> io::Result<Option<String>> {
        let line = if let Some(line) = initial {
            line
        } else {
            self.write(&format!("334 {challenge}\r\n")).await?;
            let Some(line) = self.line().await? else { return Ok(None) };
            line
        };
        let bytes = STANDARD.decode(line.trim()).unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The answer, or what the fault makes of it.
    pub(super) async fn answer(&mut self, fault: Option<MailFault>, reply: &str) -> io::Result<Next> {
        match fault.map(|fault| fault.effect) {
            None => {}
            Some(Effect::Reply(code, text)) => {
                self.tell_of(&format!("{code} {text}"));
                self.write(&format!("{code} {text}\r\n")).await?;
                return Ok(if code == 421 { Next::End } else { Next::Go });
            }
            Some(effect) => {
                if let Next::End = self.suffer(effect).await? {
                    return Ok(Next::End);
                }
            }
        }
        self.tell_of(reply);
        self.write(&format!("{reply}\r\n")).await?;
        Ok(Next::Go)
    }

    /// Who watches hears of refusals.
    fn tell_of(&self, reply: &str) {
        if reply.starts_with(['4', '5']) {
            let (verb, reply) = (self.verb, reply.to_owned());
            self.shared.lock().tell(|| Happened::Refused { verb, reply });
        }
    }

    pub(super) async fn suffer(&mut self, effect: Effect) -> io::Result<Next> {
        match effect {
            Effect::Drop => {
                let verb = self.verb;
                self.shared.lock().tell(|| Happened::Dropped { verb });
                return Ok(Next::End);
            }
            Effect::Reply(code, text) => {
                self.tell_of(&format!("{code} {text}"));
                self.write(&format!("{code} {text}\r\n")).await?;
                return Ok(Next::End);
            }
            Effect::Delay(time) => tokio::time::sleep(time).await,
            Effect::Hold => {
                let mut released = self.shared.released.subscribe();
                let _held = Held::new(Arc::clone(&self.shared));
                let mut buffer = [0; 1];
                tokio::select! {
                    _ = released.changed() => {}
                    // A client that waits says nothing; one that is gone reads as the end.
                    read = self.stream.get_mut().read(&mut buffer) => {
                        // The rest of a letter is no farewell: it waits for the release, too.
                        if read.is_ok_and(|n| n > 0) {
                            let _ = released.changed().await;
                        }
                        return Ok(Next::End);
                    }
                }
            }
        }
        Ok(Next::Go)
    }

    async fn upgrade(&mut self) -> io::Result<()> {
        let plain = std::mem::replace(&mut self.stream, BufReader::new(Box::new(tokio::io::empty())));
        // What was said in clear behind STARTTLS is thrown away with the buffer (RFC 3207, 5).
        let stream = self.shared.tls.accept(plain.into_inner()).await?;
        self.stream = BufReader::new(Box::new(stream));
        self.encrypted = true;
        (self.from, self.to, self.user) = (None, Vec::new(), None);
        Ok(())
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        let injected = text.starts_with("220 2.0.0 Ready") && !self.options.inject.is_empty();
        let mut bytes = text.as_bytes().to_vec();
        if injected {
            bytes.extend_from_slice(&self.options.inject);
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }
}

/// Counts a held session as long as it is held.
struct Held(Arc<Shared>);

impl Held {
    fn new(shared: Arc<Shared>) -> Self {
        shared.holding.send_modify(|holding| *holding += 1);
        Self(shared)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.holding.send_modify(|holding| *holding = holding.saturating_sub(1));
    }
}

fn verb_of(line: &str) -> Verb {
    match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
        "EHLO" | "HELO" => Verb::Ehlo,
        "STARTTLS" => Verb::Starttls,
        "AUTH" => Verb::Auth,
        "MAIL" => Verb::Mail,
        "RCPT" => Verb::Rcpt,
        "DATA" => Verb::Data,
        "RSET" => Verb::Rset,
        "NOOP" => Verb::Noop,
        "QUIT" => Verb::Quit,
        _ => Verb::Other,
    }
}

/// What stands between `<` and `>`.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(path.to_owned())
}
