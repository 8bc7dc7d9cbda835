//! The way a letter takes: a mail server, or Graph's sendMail.
//!
//! The edges do not know each other; this is where the mail meets the tenant that lends it a token.
//! What a letter is asked before its pass exists is [`Post::dial`] on both ways: a mail server takes
//! sender and recipient, Graph proves that we may send as our mailbox. Nothing here decides who gets
//! a letter, and nothing is repeated but a refused token, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use crate::config::{self, Auth, Limits, Via};
use crate::entra::{self, Scope};
use crate::mail::{self, MailError, MailFailure, Receipt, Smtp, graph};
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;
use crate::rules::verdict::Failure;

/// Clients of the tenants by name.
pub type Lenders = BTreeMap<String, Arc<entra::Tenant>>;

/// One way for letters. Clones share its connection.
#[derive(Clone)]
pub enum Post {
    /// A mail server; with the tenant whose tokens it takes, if it does.
    Smtp(Smtp, Option<Arc<entra::Tenant>>),
    /// sendMail.
    Graph(Arc<GraphPost>),
}

/// Letters through Graph.
pub struct GraphPost {
    tenant: Arc<entra::Tenant>,
    mail: config::Mail,
    /// The last answer about our right to send was a yes.
    allowed: AtomicBool,
}

/// Everything was asked that can be asked before the letter itself.
pub enum Dialled {
    /// The mail server took sender and recipient.
    Smtp(Box<mail::Dialled>),
    /// Graph lets us send.
    Graph(Arc<GraphPost>, MailAddress),
}

/// Why there is no way for letters.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The mail server's own settings.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The settings were checked: this is a mistake of ours.
    #[error("mail.tenant: there is no tenant {0} that is served")]
    NoTenant(String),
}

impl Post {
    /// The way that the settings name; connects to nothing.
    ///
    /// # Errors
    /// [`PostError`] when a certificate file cannot be read, or the lending tenant is none of ours.
    pub fn new(mail: &config::Mail, limits: &Limits, lenders: &Lenders) -> Result<Self, PostError> {
        let lender = |name: &String| lenders.get(name).cloned().ok_or_else(|| PostError::NoTenant(name.clone()));
        match &mail.via {
            Via::Smtp(server) => {
                let tokens = match &server.auth {
                    Auth::None | Auth::Password => None,
                    Auth::Xoauth2 { tenant } => Some(lender(tenant)?),
                };
                Ok(Self::Smtp(Smtp::new(mail, server, limits)?, tokens))
            }
            Via::Graph { tenant } => {
                let (tenant, mail) = (lender(tenant)?, mail.clone());
                Ok(Self::Graph(Arc::new(GraphPost { tenant, mail, allowed: AtomicBool::new(false) })))
            }
        }
    }

    /// Asks everything that can be asked before a pass exists.
    ///
    /// # Errors
    /// Any [`MailFailure`] but those about a letter; nothing was accepted.
    pub async fn dial(&self, to: &MailAddress) -> Result<Dialled, MailFailure> {
        self.dial_and_tell(to, &mut Vec::new()).await
    }

    /// [`Self::dial`]; `told` learns what was done.
    ///
    /// # Errors
    /// As [`Self::dial`].
    pub async fn dial_and_tell(&self, to: &MailAddress, told: &mut Vec<String>) -> Result<Dialled, MailFailure> {
        match self {
            Self::Smtp(smtp, None) => Box::pin(smtp.dial_as(to, None, told)).await.map(Dialled::smtp),
            Self::Smtp(smtp, Some(tenant)) => {
                Box::pin(dial_with_token(smtp, tenant, to, told)).await.map(Dialled::smtp)
            }
            Self::Graph(post) => {
                Box::pin(post.may_send(told)).await?;
                Ok(Dialled::Graph(Arc::clone(post), to.clone()))
            }
        }
    }

    /// Asks what can be asked without naming a recipient, for `check`: a mail server takes our login and
    /// sender; of Graph it is only the token, since what proves the right to send is a POST.
    ///
    /// # Errors
    /// As [`Self::dial`].
    pub async fn look(&self, told: &mut Vec<String>) -> Result<(), MailFailure> {
        match self {
            Self::Smtp(smtp, None) => Box::pin(smtp.look(None, told)).await,
            Self::Smtp(smtp, Some(tenant)) => Box::pin(look_with_token(smtp, tenant, told)).await,
            Self::Graph(post) => {
                post.tenant.token(Scope::Graph).await.map_err(|failure| graph::sort_before(&failure))?;
                told.push(format!("tenant {} gives a token for Microsoft Graph", post.tenant.name()));
                Ok(())
            }
        }
    }

    /// Says goodbye to a mail server.
    pub async fn close(&self) {
        match self {
            Self::Smtp(smtp, _) => smtp.close().await,
            Self::Graph(_) => {}
        }
    }
}

/// A token that is refused may have been withdrawn or changed a minute ago: once more with a new one.
async fn dial_with_token(
    smtp: &Smtp,
    tenant: &entra::Tenant,
    to: &MailAddress,
    told: &mut Vec<String>,
) -> Result<mail::Dialled, MailFailure> {
    let token = tenant.token(Scope::Outlook).await.map_err(|failure| no_token(&failure))?;
    match smtp.dial_as(to, Some(&token), told).await {
        Err(MailFailure::TokenRefused(_)) => {
            tenant.token_refused().await;
            told.push("the token was refused; asked for a new one".to_owned());
        }
        dialled => return dialled,
    }
    let token = tenant.token(Scope::Outlook).await.map_err(|failure| no_token(&failure))?;
    match smtp.dial_as(to, Some(&token), told).await {
        Err(MailFailure::TokenRefused(why)) => Err(MailFailure::Stopped(why)),
        dialled => dialled,
    }
}

/// As [`dial_with_token`].
async fn look_with_token(smtp: &Smtp, tenant: &entra::Tenant, told: &mut Vec<String>) -> Result<(), MailFailure> {
    let token = tenant.token(Scope::Outlook).await.map_err(|failure| no_token(&failure))?;
    match smtp.look(Some(&token), told).await {
        Err(MailFailure::TokenRefused(_)) => {
            tenant.token_refused().await;
            told.push("the token was refused; asked for a new one".to_owned());
        }
        looked => return looked,
    }
    let token = tenant.token(Scope::Outlook).await.map_err(|failure| no_token(&failure))?;
    match smtp.look(Some(&token), told).await {
        Err(MailFailure::TokenRefused(why)) => Err(MailFailure::Stopped(why)),
        looked => looked,
    }
}

fn no_token(failure: &Failure) -> MailFailure {
    match graph::sort_before(failure) {
        MailFailure::Busy { wait, .. } => MailFailure::Busy { why: format!("mail: {failure}"), wait },
        MailFailure::Stopped(_) => MailFailure::Stopped(format!("mail: {failure}")),
        _not_now => MailFailure::Unreachable(format!("mail: {failure}")),
    }
}

impl GraphPost {
    fn from(&self) -> &MailAddress {
        &self.mail.from.address
    }

    /// A fresh token stands in for the dial. A token does not say which mailboxes it may send as, so
    /// after the start and after each refusal Graph is asked with a letter to nobody: no pass is made
    /// as long as its letter could not go out.
    async fn may_send(&self, told: &mut Vec<String>) -> Result<(), MailFailure> {
        let before = |failure: Failure| graph::sort_before(&failure);
        self.tenant.token(Scope::Graph).await.map_err(before)?;
        told.push("got a token for Microsoft Graph".to_owned());
        if self.allowed.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.tenant.may_send_mail(self.from(), graph::PROBE).await {
            Ok(_) => {}
            Err(failure) if graph::is_about_the_letter(&failure) => {}
            Err(failure) => return Err(before(failure)),
        }
        self.allowed.store(true, Ordering::SeqCst);
        told.push(format!("Graph lets this app send as {}", self.from().as_str()));
        Ok(())
    }

    async fn send(&self, to: &MailAddress, letter: &Letter) -> Result<Receipt, MailFailure> {
        if letter.to != *to {
            return Err(MailFailure::LetterRefused("the letter is for somebody else than was dialled".to_owned()));
        }
        let body = graph::body(&self.mail, letter).map_err(|bad| MailFailure::LetterRefused(bad.to_string()))?;
        match self.tenant.send_mail(self.from(), body).await {
            Ok(request_id) => Ok(Receipt { reply: format!("202 (request-id {request_id})") }),
            Err(failure) => {
                let sorted = graph::sort(&failure);
                if matches!(sorted, MailFailure::Stopped(_)) {
                    self.allowed.store(false, Ordering::SeqCst);
                }
                Err(sorted)
            }
        }
    }
}

impl Dialled {
    fn smtp(dialled: mail::Dialled) -> Self {
        Self::Smtp(Box::new(dialled))
    }

    /// Sends the letter; `now` is its Date. Sent again with the same Message-ID it is the same letter.
    ///
    /// # Errors
    /// [`MailFailure::Lost`] when nobody knows whether it was accepted; after any other it was not.
    pub async fn send(self, now: DateTime<Utc>, letter: &Letter) -> Result<Receipt, MailFailure> {
        match self {
            Self::Smtp(dialled) => Box::pin(dialled.send(now, letter)).await,
            Self::Graph(post, to) => Box::pin(post.send(&to, letter)).await,
        }
    }

    /// Takes the question back.
    pub async fn hang_up(self) {
        match self {
            Self::Smtp(dialled) => Box::pin(dialled.hang_up()).await,
            Self::Graph(..) => {}
        }
    }
}
