//! One kept connection to the mail server, command by command.
//!
//! [`Smtp::dial`] asks everything that can be asked before a pass exists: connection, TLS, login,
//! sender, recipient. [`Dialled::send`] gives the letter, [`Dialled::hang_up`] takes the question back.
//! Nothing here repeats a letter, and nothing waits without a limit: lettre's own timeout ends with
//! the TCP connection. Opening a connection is in `connection`, sorting of failures in [`super::failure`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::response::{Response, Severity};
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::connection::{Connection, within};
use super::failure::{MailFailure, Step, Trouble, receipt_words};
use super::message;
use crate::config;
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;

/// A living server answers RSET at once; a connection that some router forgot is not waited for.
const PROBE: Duration = Duration::from_secs(5);

/// The mail server, as the settings name it. Clones share the one kept connection; nothing is
/// connected before [`Smtp::dial`].
#[derive(Clone)]
pub struct Smtp {
    inner: Arc<Inner>,
}

struct Inner {
    mail: config::Mail,
    server: config::Smtp,
    step: Duration,
    data: Duration,
    tls: TlsParameters,
    kept: Mutex<Option<Connection>>,
}

/// Why the settings give no mail server.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The file of `mail.smtp.ca_file`.
    #[error("mail.smtp.ca_file: {path} {why}")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS to the mail server cannot be set up: {0}")]
    Tls(String),
}

/// The server took sender and recipient; the letter itself has not been sent.
pub struct Dialled {
    smtp: Smtp,
    connection: Connection,
    to: MailAddress,
}

/// The server took the letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The server's words, e.g. `250 2.0.0 Ok: queued as 4C1B2`, or Graph's, `202 (request-id …)`.
    pub reply: String,
}

impl Smtp {
    /// Reads `ca_file` (trusted besides the system's authorities); connects to nothing.
    ///
    /// # Errors
    /// [`MailError`] when that file is no PEM with certificates.
    pub fn new(mail: &config::Mail, server: &config::Smtp, limits: &config::Limits) -> Result<Self, MailError> {
        let mut tls = TlsParameters::builder(server.host.clone());
        if let Some(path) = &server.ca_file {
            let unfit = |why: String| MailError::CaFile { path: path.display().to_string(), why };
            let pem = config::authorities(path).map_err(unfit)?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|_| unfit("holds a broken certificate".to_owned()))?;
            tls = tls.add_root_certificate(certificate);
        }
        let tls = tls.build().map_err(|error| MailError::Tls(error.to_string()))?;
        let (step, data) = (limits.smtp_step, limits.smtp_data);
        let (mail, server, kept) = (mail.clone(), server.clone(), Mutex::new(None));
        Ok(Self { inner: Arc::new(Inner { mail, server, step, data, tls, kept }) })
    }

    /// Connects if need be, signs in, and asks the server for this sender and recipient.
    ///
    /// A kept connection that died while it was idle is replaced, once and silently.
    ///
    /// # Errors
    /// Any [`MailFailure`] but those about a letter; nothing was accepted.
    pub async fn dial(&self, to: &MailAddress) -> Result<Dialled, MailFailure> {
        self.dial_as(to, None, &mut Vec::new()).await
    }

    /// [`Self::dial`] with the token for `auth = "xoauth2"`; `told` learns what was done.
    ///
    /// # Errors
    /// As [`Self::dial`], and [`MailFailure::TokenRefused`].
    pub async fn dial_as(
        &self,
        to: &MailAddress,
        token: Option<&SecretString>,
        told: &mut Vec<String>,
    ) -> Result<Dialled, MailFailure> {
        let kept = self.inner.kept.lock().await.take();
        if let Some(mut connection) = kept
            && connection.command(self.inner.step.min(PROBE), Rset).await.is_ok()
        {
            match self.ask(&mut connection, to).await {
                Ok(()) => return Ok(self.dialled(connection, to)),
                Err((_, trouble)) if trouble.is_gone() => {}
                Err((step, trouble)) => return Err(self.refused(connection, step, &trouble).await),
            }
        }
        let Inner { server, tls, step, .. } = &*self.inner;
        let mut connection = Connection::open(server, self.domain(), tls, token, *step, told).await?;
        match self.ask(&mut connection, to).await {
            Ok(()) => {
                told.push(format!("the sender {} and the recipient are taken", self.inner.mail.from.address.as_str()));
                Ok(self.dialled(connection, to))
            }
            Err((step, trouble)) => Err(self.refused(connection, step, &trouble).await),
        }
    }

    /// Connects anew, signs in, asks whether the sender is taken, takes the question back and says
    /// goodbye. No recipient is named and nothing is sent; `told` learns what was done.
    ///
    /// # Errors
    /// Any [`MailFailure`] but those about a recipient or a letter.
    pub async fn look(&self, token: Option<&SecretString>, told: &mut Vec<String>) -> Result<(), MailFailure> {
        let Inner { mail, server, tls, step, .. } = &*self.inner;
        let mut connection = Connection::open(server, self.domain(), tls, token, *step, told).await?;
        let sort = |trouble: Trouble| trouble.sort(Step::Sender, &self.server(), &[]);
        let from = message::address(&mail.from.address).map_err(|error| sort(Trouble::Unfit(error.to_string())))?;
        connection.command(*step, Mail::new(Some(from), Vec::new())).await.map_err(sort)?;
        told.push(format!("the sender {} is taken", mail.from.address.as_str()));
        connection.command(*step, Rset).await.map_err(sort)?;
        // Whether the server answers does not matter any more.
        let _ = connection.command(step.min(&PROBE).to_owned(), Quit).await;
        Ok(())
    }

    /// Says goodbye on the kept connection, if there is one.
    pub async fn close(&self) {
        if let Some(mut connection) = self.inner.kept.lock().await.take() {
            // Whether the server answers does not matter any more.
            let _ = connection.command(self.inner.step, Quit).await;
        }
    }

    /// The domain that Message-IDs end with.
    pub fn domain(&self) -> String {
        self.inner.mail.from.address.domain()
    }

    /// MAIL FROM and RCPT TO.
    async fn ask(&self, connection: &mut Connection, to: &MailAddress) -> Result<(), (Step, Trouble)> {
        let envelope =
            |address: &MailAddress| message::address(address).map_err(|error| Trouble::Unfit(error.to_string()));
        let from = envelope(&self.inner.mail.from.address).map_err(|trouble| (Step::Sender, trouble))?;
        let recipient = envelope(to).map_err(|trouble| (Step::Recipient, trouble))?;
        let mail = Mail::new(Some(from), Vec::new());
        connection.command(self.inner.step, mail).await.map_err(|trouble| (Step::Sender, trouble))?;
        let rcpt = Rcpt::new(recipient, Vec::new());
        connection.command(self.inner.step, rcpt).await.map_err(|trouble| (Step::Recipient, trouble))?;
        Ok(())
    }

    fn dialled(&self, connection: Connection, to: &MailAddress) -> Dialled {
        Dialled { smtp: self.clone(), connection, to: to.clone() }
    }

    /// A server that said no is still there: its connection is kept.
    async fn refused(&self, connection: Connection, step: Step, trouble: &Trouble) -> MailFailure {
        if matches!(trouble, Trouble::Refused { .. }) && !trouble.is_gone() {
            self.keep(connection).await;
        }
        trouble.sort(step, &self.server(), &[])
    }

    async fn keep(&self, connection: Connection) {
        *self.inner.kept.lock().await = Some(connection);
    }

    fn server(&self) -> String {
        server(&self.inner.server)
    }
}

impl Dialled {
    /// Sends the letter; `now` is its Date. Sent again with the same Message-ID it is the same letter.
    ///
    /// # Errors
    /// [`MailFailure::Lost`] when nobody knows whether it was accepted; after any other it was not.
    pub async fn send(self, now: DateTime<Utc>, letter: &Letter) -> Result<Receipt, MailFailure> {
        let Self { smtp, mut connection, to } = self;
        if letter.to != to {
            return Err(MailFailure::LetterRefused("the letter is for somebody else than was dialled".to_owned()));
        }
        let bytes = match message::bytes(now, &smtp.inner.mail, letter) {
            Ok(bytes) => bytes,
            Err(bad) => {
                // The kept connection is reset by the next dial.
                smtp.keep(connection).await;
                return Err(MailFailure::LetterRefused(bad.to_string()));
            }
        };
        let secrets = [letter.text.as_str(), letter.html.as_str()];
        let (step, answer) = match connection.command(smtp.inner.step, Data).await {
            Ok(_) => put(&mut connection, smtp.inner.data, &bytes).await,
            Err(trouble) => (Step::Data, Err(trouble)),
        };
        match answer {
            Ok(answer) => {
                smtp.keep(connection).await;
                let words: Vec<&str> = answer.message().collect();
                Ok(Receipt { reply: receipt_words(&format!("{} {}", answer.code(), words.join(" ")), &secrets) })
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Refused { .. }) && !trouble.is_gone() {
                    smtp.keep(connection).await;
                }
                Err(trouble.sort(step, &smtp.server(), &secrets))
            }
        }
    }

    /// Takes the question back (RSET); the connection is kept when it still answers.
    pub async fn hang_up(self) {
        let Self { smtp, mut connection, to: _ } = self;
        if connection.command(smtp.inner.step.min(PROBE), Rset).await.is_ok() {
            smtp.keep(connection).await;
        }
    }
}

/// The letter itself, and the answer behind its final dot; with how far it came.
async fn put(connection: &mut Connection, limit: Duration, bytes: &[u8]) -> (Step, Result<Response, Trouble>) {
    // lettre asks for the next piece when the one before is written, and writes the final dot when
    // there is none: only then may the server have accepted anything.
    let dot = AtomicBool::new(false);
    let end = std::iter::from_fn(|| {
        dot.store(true, Ordering::SeqCst);
        None::<&[u8]>
    });
    // lettre puts a line end before the dot, so the message brings none.
    let body = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    let answer = within(limit, connection.smtp().message_iter(std::iter::once(body).chain(end))).await;
    let step = if dot.load(Ordering::SeqCst) { Step::Dot } else { Step::Letter };
    match answer {
        Ok(answer) if answer.code().severity == Severity::PositiveCompletion => (step, Ok(answer)),
        Ok(answer) => (step, Err(Trouble::Network(format!("{} is no answer to a letter", answer.code())))),
        Err(trouble) => (step, Err(trouble)),
    }
}

/// `host:port`, for messages.
pub(super) fn server(smtp: &config::Smtp) -> String {
    match smtp.host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{}", smtp.port),
        Ok(IpAddr::V4(_)) | Err(_) => format!("{}:{}", smtp.host, smtp.port),
    }
}
