//! From nothing to a connection on which letters may be sent: TCP, TLS, greeting, EHLO, login.
//!
//! STARTTLS that is asked for must be offered; plain text goes to this machine only. The password is
//! read when it is needed, so a changed one is taken without a restart. A token is handed in by the
//! caller, goes over TLS only, and is quoted nowhere.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::Auth as AuthCommand;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::failure::{MailFailure, Step, Trouble};
use super::smtp::server;
use super::stream::Careful;
use crate::config::{self, Auth, Tls};

/// A connection that is ready for MAIL FROM.
pub(super) struct Connection(AsyncSmtpConnection);

impl Connection {
    /// Connects, secures, says hello as `domain`, signs in. Each step may take `step`; `told` learns
    /// what was done.
    pub(super) async fn open(
        smtp: &config::Smtp,
        domain: String,
        tls: &TlsParameters,
        token: Option<&SecretString>,
        step: Duration,
        told: &mut Vec<String>,
    ) -> Result<Self, MailFailure> {
        let server = server(smtp);
        // Valid wherever mail is, unlike the name of a container.
        let hello = ClientId::Domain(domain);
        let connected = match smtp.tls {
            Tls::Implicit => implicit(smtp, tls, &hello, step).await,
            Tls::Starttls => plain(smtp, &hello, step).await,
            Tls::None => loopback(smtp, &hello, step).await,
        };
        let mut connection = Self(connected.map_err(|trouble| trouble.sort(Step::Connect, &server, &[]))?);
        told.push(format!("connected to {server}"));
        if smtp.tls == Tls::Starttls {
            connection.secure(tls, &hello, step).await.map_err(|trouble| trouble.sort(Step::Starttls, &server, &[]))?;
        }
        told.push(match smtp.tls {
            Tls::Starttls => {
                format!("STARTTLS: TLS 1.2 or newer, with a certificate that is trusted for {}", smtp.host)
            }
            Tls::Implicit => {
                format!("TLS 1.2 or newer from the first byte, with a certificate that is trusted for {}", smtp.host)
            }
            Tls::None => "in the clear, on this machine".to_owned(),
        });
        match &smtp.auth {
            Auth::None => told.push("no login, as the settings say".to_owned()),
            Auth::Password => {
                connection.sign_in(smtp, step).await?;
                told.push(format!("signed in as {} with a password", smtp.username));
            }
            Auth::Xoauth2 { tenant } => {
                connection.sign_in_with(smtp, token, step).await?;
                told.push(format!("signed in as {} with a token of tenant {tenant} (XOAUTH2)", smtp.username));
            }
        }
        Ok(connection)
    }

    /// One command and its answer.
    pub(super) async fn command(&mut self, limit: Duration, command: impl Display) -> Result<Response, Trouble> {
        within(limit, self.0.command(command)).await
    }

    /// lettre's connection, for the letter itself.
    pub(super) fn smtp(&mut self) -> &mut AsyncSmtpConnection {
        &mut self.0
    }

    async fn secure(&mut self, tls: &TlsParameters, hello: &ClientId, step: Duration) -> Result<(), Trouble> {
        if !self.0.can_starttls() {
            return Err(Trouble::Tls(
                "it does not offer STARTTLS, or somebody in between took the offer away".to_owned(),
            ));
        }
        within(step, self.0.starttls(tls.clone(), hello)).await
    }

    async fn sign_in(&mut self, smtp: &config::Smtp, step: Duration) -> Result<(), MailFailure> {
        let file = smtp.password_file.as_ref();
        let file = file.ok_or_else(|| MailFailure::Stopped("mail.smtp.password_file: is not set".to_owned()))?;
        let password = file.read().map_err(|error| MailFailure::Stopped(error.to_string()))?;
        let credentials = Credentials::new(smtp.username.clone(), password.expose_secret().to_owned());
        within(step, self.0.auth(&[Mechanism::Plain, Mechanism::Login], &credentials))
            .await
            .map(|_| ())
            .map_err(|trouble| trouble.sort(Step::Login, &server(smtp), &[password.expose_secret()]))
    }

    /// XOAUTH2. What is wrong with a token is said in a challenge (334), and the refusal follows when
    /// that is answered with an empty line.
    async fn sign_in_with(
        &mut self,
        smtp: &config::Smtp,
        token: Option<&SecretString>,
        step: Duration,
    ) -> Result<(), MailFailure> {
        let token = token.ok_or_else(|| MailFailure::Stopped("there is no token to sign in with".to_owned()))?;
        let sort = |trouble: Trouble| trouble.sort(Step::Token, &server(smtp), &[token.expose_secret()]);
        if !self.0.is_encrypted() {
            return Err(sort(Trouble::Tls("a token goes over TLS only".to_owned())));
        }
        if !self.0.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
            return Err(sort(Trouble::Unfit("it does not offer XOAUTH2".to_owned())));
        }
        let credentials = Credentials::new(smtp.username.clone(), token.expose_secret().to_owned());
        let command =
            AuthCommand::new(Mechanism::Xoauth2, credentials, None).map_err(|error| sort(Trouble::of(&error)))?;
        let answer = self.command(step, command).await.map_err(sort)?;
        if answer.has_code(334) {
            let refused = self.command(step, "\r\n").await.map_err(sort)?;
            let words = format!("{} is no answer to a refused token", refused.code());
            return Err(sort(Trouble::Refused { code: 535, words }));
        }
        Ok(())
    }
}

/// Every step has an end: lettre's own timeout covers the TCP connection only.
pub(super) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, smtp::Error>>,
) -> Result<T, Trouble> {
    match timeout(limit, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Trouble::of(&error)),
        Err(_) => Err(Trouble::Silent(limit)),
    }
}

async fn implicit(
    smtp: &config::Smtp,
    tls: &TlsParameters,
    hello: &ClientId,
    step: Duration,
) -> Result<AsyncSmtpConnection, Trouble> {
    // Half of the time for each address, so that a second one gets its chance.
    let address = (smtp.host.as_str(), smtp.port);
    let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(step / 2), hello, Some(tls.clone()), None);
    within(step, connecting).await
}

async fn plain(smtp: &config::Smtp, hello: &ClientId, step: Duration) -> Result<AsyncSmtpConnection, Trouble> {
    let stream = tcp(&resolve(smtp, step).await?, step).await?;
    greet(Box::new(Careful::new(stream)), hello, step).await
}

/// Plain text for good: only to this machine, whatever the name's addresses are today.
async fn loopback(smtp: &config::Smtp, hello: &ClientId, step: Duration) -> Result<AsyncSmtpConnection, Trouble> {
    let addresses = resolve(smtp, step).await?;
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(Trouble::Tls(
            "mail.smtp.tls = \"none\" is for loopback addresses only, and this is none".to_owned(),
        ));
    }
    greet(Box::new(tcp(&addresses, step).await?), hello, step).await
}

async fn greet(
    stream: Box<dyn AsyncTokioStream>,
    hello: &ClientId,
    step: Duration,
) -> Result<AsyncSmtpConnection, Trouble> {
    within(step, AsyncSmtpConnection::connect_with_transport(stream, hello)).await
}

async fn resolve(smtp: &config::Smtp, step: Duration) -> Result<Vec<SocketAddr>, Trouble> {
    let found = timeout(step, lookup_host((smtp.host.as_str(), smtp.port))).await;
    let addresses: Vec<SocketAddr> = found.map_err(|_| Trouble::Silent(step))?.map_err(|error| lost(&error))?.collect();
    if addresses.is_empty() { Err(Trouble::Network("its name has no address".to_owned())) } else { Ok(addresses) }
}

/// The first address that answers; all of them together may take `step`.
async fn tcp(addresses: &[SocketAddr], step: Duration) -> Result<TcpStream, Trouble> {
    let share = step / u32::try_from(addresses.len().clamp(1, 8)).unwrap_or(1);
    let mut last = Trouble::Silent(step);
    for address in addresses.iter().take(8) {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Commands are small and each waits for its answer; a refusal of this costs 40 ms a letter.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = lost(&error),
            Err(_) => last = Trouble::Silent(share),
        }
    }
    Err(last)
}

fn lost(error: &io::Error) -> Trouble {
    Trouble::Network(error.to_string())
}
