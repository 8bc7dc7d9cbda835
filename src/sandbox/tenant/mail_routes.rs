//! `sendMail`, as the documents say: JSON or MIME in, 202 and nothing out (facts 3.5).
//!
//! What is accepted lies at once in the model mail server that [`super::ModelTenant::mail_goes_to`]
//! names. A letter whose `saveToSentItems` is not false, and every one in MIME form, also stays in the
//! sender's Sent Items, where a code must never be found.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use serde_json::Value;
use uuid::Uuid;

use super::answer::Answer;
use super::directory::{Directory, ModelUser};
use super::routes::{Caller, Reply};
use super::state::Shared;

/// Graph's limit on headers of one's own.
const HEADERS_MOST: usize = 5;
/// MAPI's namespace of Internet headers.
const NAMED_HEADER: &str = "String {00020386-0000-0000-C000-000000000046} Name ";

/// Answers `POST /users/{name}/sendMail`.
pub(super) async fn send_mail(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let mut state = shared.lock();
    let now = shared.now(&state);
    let sender = sender(&state.directory, &caller, &name)?;
    let from = sender.mail.clone().unwrap_or_default();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (raw, to, kept) = if kind.starts_with("text/plain") {
        let raw = mime(&body)?;
        let to = recipients_of(&raw);
        (raw, to, true)
    } else {
        let body: Value = serde_json::from_slice(&body).map_err(|_| bad("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."))?;
        let message = member(&body, "message").ok_or_else(|| bad("BadRequest", "The message parameter is missing."))?;
        let to = recipients(message)?;
        (written(now, sender, message)?, to, keeps(&body))
    };
    if to.is_empty() {
        return Err(invalid("A message can't be sent because it contains no recipients."));
    }
    if kept {
        state.sent_items.push((from.clone(), raw.clone()));
    }
    let room = state.mailroom.clone();
    drop(state);
    if let Some(room) = room {
        room.put(now, &from, to, raw)
            .map_err(|why| Answer::error(503, "ErrorMailboxStoreUnavailable", &why.to_string()))?;
    }
    Ok(Answer::empty(202))
}

/// The mailbox that sends, if this app may send as it: by `Mail.Send`, which is for all of them, or by
/// a role in Exchange Online, which no token shows.
fn sender<'a>(directory: &'a Directory, caller: &Caller, name: &str) -> Result<&'a ModelUser, Answer> {
    let scoped = directory.may_send_as.iter().any(|mailbox| mailbox.eq_ignore_ascii_case(name));
    if !scoped && !caller.holds(&["Mail.Send"]) {
        return Err(Answer::error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."));
    }
    let by_mail = |user: &&ModelUser| user.mail.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(name));
    let user = directory.find(name).or_else(|| directory.users.values().find(by_mail));
    let user = user
        .ok_or_else(|| Answer::error(404, "ErrorInvalidUser", &format!("The requested user '{name}' is invalid.")))?;
    if user.mail.is_none() {
        let words = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Answer::error(404, "MailboxNotEnabledForRESTAPI", words));
    }
    Ok(user)
}

fn bad(code: &str, words: &str) -> Answer {
    Answer::error(400, code, words)
}

fn invalid(words: &str) -> Answer {
    bad("ErrorInvalidRecipients", &format!("At least one recipient is not valid., {words}"))
}

/// Action parameters are `message` in the documents and `Message` in the CSDL.
fn member<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    of.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn keeps(body: &Value) -> bool {
    match member(body, "saveToSentItems") {
        Some(Value::Bool(keep)) => *keep,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
        Some(_) | None => true,
    }
}

fn text<'a>(of: &'a Value, path: &str) -> &'a str {
    of.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn recipients(message: &Value) -> Result<Vec<String>, Answer> {
    let mut all = Vec::new();
    for list in ["toRecipients", "ccRecipients", "bccRecipients"] {
        for one in message.get(list).and_then(Value::as_array).into_iter().flatten() {
            let address = text(one, "/emailAddress/address");
            if address.parse::<lettre::Address>().is_err() {
                return Err(invalid(&format!(
                    "Recipient '{address}' is not resolved. All recipients must be resolved before a message can be submitted."
                )));
            }
            all.push(address.to_owned());
        }
    }
    Ok(all)
}

/// The message as Exchange would hand it on.
fn written(now: DateTime<Utc>, sender: &ModelUser, message: &Value) -> Result<Vec<u8>, Answer> {
    let own = sender.mail.clone().unwrap_or_default();
    let from = text(message, "/from/emailAddress/address");
    if !from.is_empty() && !from.eq_ignore_ascii_case(&own) {
        return Err(Answer::error(
            403,
            "ErrorSendAsDenied",
            "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.",
        ));
    }
    let mailbox = |name: &str, address: &str| -> Result<Mailbox, Answer> {
        let address = address.parse().map_err(|_| bad("ErrorInvalidRequest", "The address is not valid."))?;
        Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address))
    };
    let id = match text(message, "/internetMessageId") {
        "" => format!("<{}@{}>", Uuid::new_v4().simple(), "model.outlook.example"),
        id => id.to_owned(),
    };
    let mut builder = lettre::Message::builder()
        .from(mailbox(text(message, "/from/emailAddress/name"), &own)?)
        .subject(text(message, "/subject"))
        .date(SystemTime::from(now))
        .message_id(Some(id));
    for one in message.get("toRecipients").and_then(Value::as_array).into_iter().flatten() {
        builder = builder.to(mailbox(text(one, "/emailAddress/name"), text(one, "/emailAddress/address"))?);
    }
    for one in message.get("replyTo").and_then(Value::as_array).into_iter().flatten() {
        builder = builder.reply_to(mailbox(text(one, "/emailAddress/name"), text(one, "/emailAddress/address"))?);
    }
    for (name, value) in own_headers(message)? {
        let name = HeaderName::new_from_ascii(name)
            .map_err(|_| bad("InvalidInternetMessageHeader", "The internet message header name is not valid."))?;
        builder = builder.raw_header(HeaderValue::new(name, value));
    }
    let html = text(message, "/body/contentType").eq_ignore_ascii_case("html");
    let kind = if html { ContentType::TEXT_HTML } else { ContentType::TEXT_PLAIN };
    let content = text(message, "/body/content").replace("\r\n", "\n").replace('\n', "\r\n");
    let encoding = lettre::message::header::ContentTransferEncoding::Base64;
    let part = SinglePart::builder().header(kind).body(
        lettre::message::Body::new_with_encoding(content, encoding)
            .map_err(|_| bad("ErrorInvalidRequest", "The body is not valid."))?,
    );
    let sent = builder.multipart(MultiPart::alternative().singlepart(part));
    sent.map(|sent| sent.formatted()).map_err(|error| bad("ErrorInvalidRequest", &error.to_string()))
}

/// Headers with `x-`, and those that are MAPI properties.
fn own_headers(message: &Value) -> Result<Vec<(String, String)>, Answer> {
    let list = |name: &str| message.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let named = list("internetMessageHeaders");
    if named.len() > HEADERS_MOST {
        let words = "Maximum number of headers in one message should be less than or equal to 5.";
        return Err(bad("InvalidInternetMessageHeaderCollection", words));
    }
    let mut all = Vec::new();
    for header in &named {
        let name = text(header, "/name");
        if !name.to_ascii_lowercase().starts_with("x-") {
            let words = format!("The internet message header name '{name}' should start with 'x-' or 'X-'.");
            return Err(bad("InvalidInternetMessageHeader", &words));
        }
        all.push((name.to_owned(), text(header, "/value").to_owned()));
    }
    for property in list("singleValueExtendedProperties") {
        if let Some(name) = text(&property, "/id").strip_prefix(NAMED_HEADER) {
            all.push((name.to_owned(), text(&property, "/value").to_owned()));
        }
    }
    Ok(all)
}

fn mime(body: &[u8]) -> Result<Vec<u8>, Answer> {
    let compact: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD
        .decode(compact)
        .map_err(|_| bad("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content."))
}

/// Addresses of the `To` header.
fn recipients_of(raw: &[u8]) -> Vec<String> {
    let head = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let head = head.split("\n\n").next().unwrap_or_default().replace("\n ", " ");
    let to = head.lines().find_map(|line| line.strip_prefix("To:").or_else(|| line.strip_prefix("to:")));
    let addresses = to.unwrap_or_default().split(',').map(|one| {
        let bare = one.rsplit('<').next().unwrap_or(one);
        bare.trim().trim_end_matches('>').to_owned()
    });
    addresses.filter(|address| address.contains('@')).collect()
}
