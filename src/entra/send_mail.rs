//! sendMail: hands a letter to Exchange Online as one of the tenant's mailboxes.
//!
//! The body is made elsewhere and comes in a buffer that is wiped when the request is over. It is sent
//! once over a fresh connection; only a refused token is renewed and the letter offered once more,
//! because 401 means that nothing was taken. 202 means accepted, not delivered (facts 3.5).

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use zeroize::Zeroizing;

use super::http::{self, Answer, Bounds};
use super::{Scope, Tenant, authorization, failure};
use crate::rules::hire::MailAddress;
use crate::rules::verdict::Failure;

/// An answer without a body, or an error with some words.
const ANSWER_BODY: usize = 64 * 1024;

impl Tenant {
    /// POST `/users/{from}/sendMail` with this JSON; says under which `request-id` it was accepted.
    ///
    /// # Errors
    /// `Unknown`: perhaps accepted. Any other [`Failure`]: certainly not.
    pub async fn send_mail(&self, from: &MailAddress, body: Zeroizing<Vec<u8>>) -> Result<String, Failure> {
        self.mail("send-mail", None, from, Bytes::from_owner(body)).await
    }

    /// The same with a letter that cannot be sent: what Graph says about it shows whether we may send.
    ///
    /// # Errors
    /// As [`Tenant::send_mail`]; a refusal of the letter itself is the good answer.
    pub async fn may_send_mail(&self, from: &MailAddress, letter_to_nobody: &'static str) -> Result<String, Failure> {
        self.mail("may-send-mail", Some(400), from, Bytes::from_static(letter_to_nobody.as_bytes())).await
    }

    async fn mail(
        &self,
        what: &'static str,
        usual: Option<u16>,
        from: &MailAddress,
        body: Bytes,
    ) -> Result<String, Failure> {
        let bounds = Bounds { usual, ..self.bounds(what, ANSWER_BODY) };
        // Clones of the bytes share the one buffer.
        let answer = match self.offer(&bounds, from, body.clone()).await? {
            answer if answer.status == 401 => self.offer(&bounds, from, body).await?,
            answer => answer,
        };
        match answer.status {
            202 => Ok(answer.request_id),
            400..=499 => Err(failure::of_answer(&answer)),
            status => Err(failure::unknown(&answer, &format!("status {status} to sendMail"))),
        }
    }

    async fn offer(&self, bounds: &Bounds<'_>, from: &MailAddress, body: Bytes) -> Result<Answer, Failure> {
        let http = self.http().await?;
        let bearer = self.token.get(&http.reader, Scope::Graph).await?;
        let request = http
            .poster
            .post(self.url(["users", from.as_str(), "sendMail"], &[]))
            .header(AUTHORIZATION, authorization(&bearer)?)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let answer = http::exchange(&http.poster, request, &self.clock, bounds, |skew| self.skew.hear(skew))
            .await
            .map_err(failure::of_broken)?;
        self.doubt(&bearer, answer.status).await;
        Ok(answer)
    }
}
