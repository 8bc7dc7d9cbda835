//! A letter as the body of Graph's sendMail, and what Graph's answers to it mean.
//!
//! The JSON form, because only it knows `saveToSentItems`: a letter in MIME form always leaves its
//! code in the sender's Sent Items. It has one body, so the letter goes out as HTML (Exchange makes a
//! text part for those who want one). Sending itself is [`crate::entra`]'s, joined in `work/post.rs`.
//!
//! Never here: a second recipient, a copy that is kept, a header or a name with a line break in it.

use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::failure::MailFailure;
use super::message::{BadLetter, message_id, single_line};
use crate::config;
use crate::rules::hire::MailAddress;
use crate::rules::letter::Letter;
use crate::rules::verdict::{Failure, Said};

/// Without a `Retry-After`. Exchange counts letters by the minute.
const THROTTLED: Duration = Duration::from_secs(30);
/// After an answer that says nothing certain: the same letter again, but not into the same trouble.
const UNCLEAR: Duration = Duration::from_secs(10);
/// MAPI's namespace of Internet headers ([MS-OXCMAIL] 2.1.3.2.5): `internetMessageHeaders` takes names
/// with `x-` only, and `Auto-Submitted` has none.
const AUTO_SUBMITTED: &str = "String {00020386-0000-0000-C000-000000000046} Name Auto-Submitted";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SendMail<'a> {
    message: Message<'a>,
    /// The usual is true, and would keep the code in the sender's mailbox.
    save_to_sent_items: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    subject: &'a str,
    body: Body<'a>,
    from: Recipient<'a>,
    to_recipients: [Recipient<'a>; 1],
    reply_to: Vec<Recipient<'a>>,
    internet_message_id: String,
    internet_message_headers: [Header<'a>; 1],
    single_value_extended_properties: [Property<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    content_type: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient<'a> {
    email_address: Address<'a>,
}

#[derive(Serialize)]
struct Address<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Property<'a> {
    id: &'a str,
    value: &'a str,
}

/// The body of sendMail, in a buffer that is wiped.
///
/// # Errors
/// A subject or name with a control character, or a Message-ID that is none.
pub fn body(mail: &config::Mail, letter: &Letter) -> Result<Zeroizing<Vec<u8>>, BadLetter> {
    single_line("the subject", &letter.subject)?;
    single_line("mail.from", &mail.from.name)?;
    if let Some(reply_to) = &mail.reply_to {
        single_line("mail.reply_to", &reply_to.name)?;
    }
    let message = Message {
        subject: &letter.subject,
        body: Body { content_type: "html", content: &letter.html },
        from: recipient(&mail.from.address, &mail.from.name),
        to_recipients: [recipient(&letter.to, "")],
        reply_to: mail.reply_to.iter().map(|mailbox| recipient(&mailbox.address, &mailbox.name)).collect(),
        internet_message_id: format!("<{}>", message_id(&letter.message_id)?),
        // Exchange heeds this one when it decides about absence notes.
        internet_message_headers: [Header { name: "X-Auto-Response-Suppress", value: "OOF, AutoReply" }],
        single_value_extended_properties: [Property { id: AUTO_SUBMITTED, value: "auto-generated" }],
    };
    // Room for every quote and line break escaped: the buffer is never copied to a larger one.
    let mut bytes = Zeroizing::new(Vec::with_capacity(letter.html.len() * 2 + 4096));
    serde_json::to_writer(&mut *bytes, &SendMail { message, save_to_sent_items: false })
        .map_err(|_| BadLetter("the letter cannot be written as JSON".to_owned()))?;
    Ok(bytes)
}

fn recipient<'a>(address: &'a MailAddress, name: &'a str) -> Recipient<'a> {
    Recipient { email_address: Address { address: address.as_str(), name } }
}

/// A letter to nobody: Graph refuses it for that (400) when we may send, and for more than that when
/// we may not. Nothing can be sent by it.
pub const PROBE: &str = r#"{"message":{"subject":"firstpass asks whether it may send","body":{"contentType":"text","content":""},"toRecipients":[]},"saveToSentItems":false}"#;

/// Codes of a 4xx that concern our mailbox or our right to send, whatever the letter.
const OURS: [&str; 9] = [
    "ErrorAccessDenied",
    "ErrorSendAsDenied",
    "ErrorInvalidUser",
    "ErrorNonExistentMailbox",
    "ErrorMailboxStoreUnavailable",
    "ErrorExceededMessageLimit",
    "ErrorMessageSubmissionBlocked",
    "MailboxNotEnabledForRESTAPI",
    "MailboxNotSupportedForRESTAPI",
];

/// What an answer to sendMail means, sorted by what to do next.
///
/// ```
/// use firstpass::mail::{MailFailure, graph};
/// use firstpass::rules::verdict::{Failure, Said};
/// let lost = Failure::Unknown { why: "reset".into(), retry_after: None };
/// assert!(matches!(graph::sort(&lost), MailFailure::Lost { .. }));
/// let said = Said { status: 403, code: "ErrorAccessDenied".into(), ..Said::default() };
/// assert!(matches!(graph::sort(&Failure::Refused(said)), MailFailure::Stopped(_)));
/// ```
pub fn sort(failure: &Failure) -> MailFailure {
    let why = format!("Graph mail: {failure}");
    match failure {
        Failure::NotSent(_) => MailFailure::Unreachable(why),
        Failure::Throttled { retry_after, .. } => MailFailure::Busy { why, wait: retry_after.unwrap_or(THROTTLED) },
        Failure::Unauthorized(_) => MailFailure::Stopped(why),
        Failure::Unknown { retry_after, .. } => MailFailure::Lost { why, wait: retry_after.unwrap_or(UNCLEAR) },
        Failure::Refused(said) if is_ours(said) => MailFailure::Stopped(format!("{why}; {}", remedy(said))),
        Failure::Refused(said) if said.code == "ErrorInvalidRecipients" => MailFailure::RecipientRefused(why),
        Failure::Refused(_) => MailFailure::LetterRefused(why),
    }
}

/// What a failure means before anything was sent: there is no letter that could be lost.
pub fn sort_before(failure: &Failure) -> MailFailure {
    match sort(failure) {
        MailFailure::Lost { why, .. } => MailFailure::Unreachable(why),
        other @ (MailFailure::Stopped(_)
        | MailFailure::TokenRefused(_)
        | MailFailure::Unreachable(_)
        | MailFailure::Busy { .. }
        | MailFailure::RecipientRefused(_)
        | MailFailure::RecipientLater(_)
        | MailFailure::LetterRefused(_)
        | MailFailure::LetterLater(_)) => other,
    }
}

/// Graph took us for somebody who may send, and found fault with the letter.
pub fn is_about_the_letter(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(said) => said.status == 400 && !is_ours(said),
        Failure::NotSent(_) | Failure::Throttled { .. } | Failure::Unauthorized(_) | Failure::Unknown { .. } => false,
    }
}

fn is_ours(said: &Said) -> bool {
    matches!(said.status, 403 | 404) || OURS.contains(&said.code.as_str())
}

fn remedy(said: &Said) -> &'static str {
    match said.status {
        404 => "mail.from must be a mailbox in Exchange Online of the tenant of mail.tenant",
        _ => {
            "let the app send as mail.from: the role \"Application Mail.Send\" in Exchange Online, for that mailbox alone"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> MailAddress {
        MailAddress::parse(text).unwrap()
    }

    fn mail() -> config::Mail {
        config::Mail {
            from: config::Mailbox { name: "Onboarding".to_owned(), address: address("onboarding@contoso.example") },
            per_minute: 30,
            reply_to: Some(config::Mailbox { name: "Größe".to_owned(), address: address("desk@contoso.example") }),
            help: None,
            language: String::new(),
            templates: None,
            via: config::Via::Graph { tenant: "contoso".to_owned() },
        }
    }

    fn letter(subject: &str) -> Letter {
        Letter {
            to: address("mia@contoso.example"),
            subject: subject.to_owned(),
            text: Zeroizing::new("text".to_owned()),
            html: Zeroizing::new("<p>Zoë \"Müller\"</p>\n".to_owned()),
            message_id: "12-34@contoso.example".to_owned(),
        }
    }

    #[test]
    fn a_letter_as_graph_gets_it() {
        let body = body(&mail(), &letter("Erster Tag von Zoë Müller")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn one_recipient_and_no_copy_that_is_kept() {
        let body = body(&mail(), &letter("A")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["saveToSentItems"], serde_json::Value::Bool(false));
        assert_eq!(value["message"]["toRecipients"].as_array().unwrap().len(), 1);
        for copy in ["ccRecipients", "bccRecipients", "attachments"] {
            assert!(value["message"].get(copy).is_none(), "{copy}");
        }
    }

    #[test]
    fn controls_in_fields_are_refused_f47() {
        assert!(body(&mail(), &letter("a\r\nBcc: x@evil.example")).is_err());
        let mut wrong = mail();
        wrong.from.name = "a\nb".to_owned();
        assert!(body(&wrong, &letter("a")).is_err());
        let mut wrong = letter("a");
        wrong.message_id = "a@b\r\nX: y".to_owned();
        assert!(body(&mail(), &wrong).is_err());
    }

    #[test]
    fn what_each_answer_means() {
        use MailFailure as F;
        let refused = |status, code: &str| {
            let said = Said { status, code: code.to_owned(), ..Said::default() };
            sort(&Failure::Refused(said))
        };
        assert!(matches!(refused(400, "ErrorInvalidRecipients"), F::RecipientRefused(_)));
        assert!(matches!(refused(400, "ErrorInvalidRequest"), F::LetterRefused(_)));
        assert!(matches!(refused(413, ""), F::LetterRefused(_)));
        assert!(matches!(refused(400, "ErrorExceededMessageLimit"), F::Stopped(_)));
        assert!(matches!(refused(403, "ErrorAccessDenied"), F::Stopped(_)));
        assert!(matches!(refused(404, "ErrorInvalidUser"), F::Stopped(_)));
        let wait = Some(Duration::from_secs(90));
        let throttled = Failure::Throttled { retry_after: wait, said: Said::default() };
        assert!(matches!(sort(&throttled), F::Busy { wait, .. } if wait == Duration::from_secs(90)));
        let unclear = Failure::Unknown { why: "503".to_owned(), retry_after: wait };
        assert!(matches!(sort(&unclear), F::Lost { wait, .. } if wait == Duration::from_secs(90)));
        assert!(matches!(sort_before(&unclear), F::Unreachable(_)));
    }

    #[test]
    fn sentences_name_the_remedy() {
        let text = |status, code: &str, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            sort(&Failure::Refused(Said { status, code, message, request_id: "r-1".to_owned() })).to_string()
        };
        let all = [
            text(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."),
            text(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ),
            text(400, "ErrorInvalidRecipients", "At least one recipient is not valid."),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
