//! From nothing to a connection on which letters may be sent: TCP, TLS, greeting, EHLO, login.
//!
//! STARTTLS that is asked for must be offered; plain text goes to this machine only. The password is
//! read when it is needed, so a changed one is taken without a restart.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::failure::{MailFailure, Step, Trouble};
use super::smtp::server;
use super::stream::Careful;
use crate::config::{self, Auth, Tls};

/// A connection that is ready for MAIL FROM.
pub(super) struct Connection(AsyncSmtpConnection);

impl Connection {
    /// Connects, secures, says hello, signs in. Each step may take `step`.
    pub(super) async fn open(mail: &config::Mail, tls: &TlsParameters, step: Duration) -> Result<Self, MailFailure> {
        let server = server(&mail.smtp);
        // Valid wherever mail is, unlike the name of a container.
        let hello = ClientId::Domain(mail.from.address.domain());
        let connected = match mail.smtp.tls {
            Tls::Implicit => implicit(&mail.smtp, tls, &hello, step).await,
            Tls::Starttls => plain(&mail.smtp, &hello, step).await,
            Tls::None => loopback(&mail.smtp, &hello, step).await,
        };
        let mut connection = Self(connected.map_err(|trouble| trouble.sort(Step::Connect, &server, &[]))?);
        if mail.smtp.tls == Tls::Starttls {
            connection.secure(tls, &hello, step).await.map_err(|trouble| trouble.sort(Step::Starttls, &server, &[]))?;
        }
        match mail.smtp.auth {
            Auth::None => {}
            Auth::Password => connection.sign_in(&mail.smtp, step).await?,
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
