//! What came back, sorted into [`Failure`] (design 5).
//!
//! Pure: status, headers and body in, a verdict's input out. A create is judged more strictly than a
//! read: once its bytes were sent, everything that is not clearly done or clearly refused is
//! `Unknown`, because a repeated POST would void a pass that may be in a letter already (facts 1.4).

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::http::{Answer, Broken};
use crate::rules::verdict::{Failure, Said};
use crate::rules::words;

/// Nobody is made to wait longer than this by one header: a mistyped date must not stop a morning.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Words of others that we pass on, in characters: enough for Graph's longest known sentence.
const MOST_WORDS: usize = 300;

/// `Retry-After`: seconds, decimals (Graph's own page shows `2.128`), or an HTTP date, which is
/// counted from the answer's `Date`, else from our clock. Bounded to an hour. A date that is over is
/// 0; what cannot be read, or is negative, counts as absent.
pub(super) fn retry_after(value: Option<&str>, date: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let value = value?.trim();
    let decimal = !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && value.bytes().any(|byte| byte.is_ascii_digit());
    let wait = if decimal {
        let seconds: f64 = value.parse().ok()?;
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT)
    } else {
        let until = http_date(value)?;
        let from = date.and_then(http_date).unwrap_or(now);
        (until - from).to_std().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_WAIT))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7; the two obsolete forms are nobody's any more).
pub(super) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

/// Foreign words for a log or an admin: bounded, without controls, addresses masked.
pub(super) fn plain(text: &str) -> String {
    words::masked(text).chars().take(MOST_WORDS).collect()
}

/// Graph's error body; `innerError` is not needed, and its date has no zone (facts 1.7).
#[derive(Deserialize)]
struct GraphError {
    error: GraphWords,
}

#[derive(Deserialize)]
struct GraphWords {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Graph's words of an answer that is an error.
pub(super) fn said(answer: &Answer) -> Said {
    let words = serde_json::from_slice::<GraphError>(&answer.body).map(|body| body.error);
    let (code, message) = match words {
        Ok(words) => (plain(&words.code.unwrap_or_default()), plain(&words.message.unwrap_or_default())),
        Err(_) => (String::new(), "an answer without Graph's error body".to_owned()),
    };
    Said { status: answer.status, code, message, request_id: plain(&answer.request_id) }
}

/// Is this Graph's own "there is no such object", and not the 404 of some gateway? The two halves of Graph
/// write the code differently, one with a small letter.
pub fn is_not_found(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(said) => {
            let names = ["Request_ResourceNotFound", "ResourceNotFound"];
            said.status == 404 && names.iter().any(|name| said.code.eq_ignore_ascii_case(name))
        }
        Failure::NotSent(_) | Failure::Throttled { .. } | Failure::Unauthorized(_) | Failure::Unknown { .. } => false,
    }
}

/// A read or a delete that did not end with the wanted status.
pub(super) fn of_answer(answer: &Answer) -> Failure {
    match answer.status {
        401 => Failure::Unauthorized(said(answer)),
        429 => Failure::Throttled { retry_after: answer.retry_after, said: said(answer) },
        // The server gave up waiting for us: it may have seen any part of the request.
        408 => unknown(answer, "408, the server did not wait for the request"),
        400..=499 => Failure::Refused(said(answer)),
        300..=399 => unknown(answer, &format!("{}, a redirect, which is never followed", answer.status)),
        202 => unknown(answer, "202, the directory needs more time"),
        status => unknown(answer, &format!("status {status}")),
    }
}

/// An answer that says nothing certain. Its body is not repeated: a create's may hold a code.
pub(super) fn unknown(answer: &Answer, why: &str) -> Failure {
    let mut why = why.to_owned();
    if !answer.request_id.is_empty() {
        let _ = write!(why, " (request-id {})", plain(&answer.request_id));
    }
    Failure::Unknown { why, retry_after: answer.retry_after }
}

/// No answer at all.
pub(super) fn of_broken(broken: Broken) -> Failure {
    match broken {
        Broken::NotSent(why) => Failure::NotSent(why),
        Broken::Lost(why) => Failure::Unknown { why, retry_after: None },
    }
}

/// The OAuth error body of the token endpoint (facts 4).
#[derive(Deserialize)]
struct OauthError {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    trace_id: Option<String>,
}

/// No token. Whatever the cause, nothing was sent to Graph: this is never `Unknown`.
pub(super) fn of_token_answer(answer: &Answer) -> Failure {
    let (code, message, request_id) = match serde_json::from_slice::<OauthError>(&answer.body) {
        Ok(body) => (plain(&body.error), first_line(&body.error_description.unwrap_or_default()), body.trace_id),
        Err(_) => (String::new(), "an answer without an OAuth error body".to_owned(), None),
    };
    let transient = matches!(code.as_str(), "temporarily_unavailable" | "server_error");
    let request_id = plain(&request_id.unwrap_or_else(|| answer.request_id.clone()));
    let message = match remedy(&message) {
        Some(remedy) => format!("{message} {remedy}"),
        None => message,
    };
    let said = Said { status: answer.status, code, message, request_id };
    match answer.status {
        429 => Failure::Throttled { retry_after: answer.retry_after, said },
        500.. if answer.retry_after.is_some() => Failure::Throttled { retry_after: answer.retry_after, said },
        400..=499 if answer.status != 408 && !transient => Failure::Unauthorized(said),
        _ => Failure::NotSent(format!("no token: {said}")),
    }
}

/// What an admin can do about Entra's numbers (Microsoft's list of AADSTS error codes).
fn remedy(message: &str) -> Option<&'static str> {
    let number = message.strip_prefix("AADSTS")?.split(':').next()?;
    Some(match number {
        "7000215" => "→ the secret in the file is not the app's; put the new one into the file (its value, not its id)",
        "7000222" => {
            "→ the secret is over; make a new one in Entra, or better a certificate, and put the new one into the file"
        }
        "700027" => {
            "→ upload the certificate to the app in Entra (Certificates & secrets), or put the one that is there into the file"
        }
        "700024" => {
            "→ the clocks differ, or the federated token is over; check time synchronisation, or who renews the token"
        }
        "700016" | "90002" => "→ check client_id, tenant_id and cloud",
        "700211" | "700212" | "700213" => {
            "→ correct issuer, subject and audience of the app's federated credential in Entra"
        }
        _ => return None,
    })
}

/// AADSTS texts carry trace id, correlation id and time on lines of their own.
fn first_line(text: &str) -> String {
    plain(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            request_id: "r-1".to_owned(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        }
    }

    #[test]
    fn f98_retry_after_in_every_form() {
        let now = DateTime::parse_from_rfc3339("2027-03-01T06:00:00Z").unwrap().to_utc();
        let after = |value: &str| retry_after(Some(value), None, now);
        assert_eq!(after("10"), Some(Duration::from_secs(10)));
        assert_eq!(after("2.128"), Some(Duration::from_millis(2128)));
        assert_eq!(after(" 0 "), Some(Duration::ZERO));
        assert_eq!(after("86400"), Some(LONGEST_WAIT));
        assert_eq!(after(&"9".repeat(400)), Some(LONGEST_WAIT));
        for unreadable in ["-5", "", ".", "1.2.3", "inf", "NaN", "1e3", "0x10", "soon", "+3"] {
            assert_eq!(after(unreadable), None, "{unreadable:?}");
        }
        assert_eq!(retry_after(None, None, now), None);
        assert_eq!(after("Mon, 01 Mar 2027 06:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Mon, 01 Mar 2027 05:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("Tue, 01 Mar 2033 05:00:00 GMT"), Some(LONGEST_WAIT));
        let date = Some("Mon, 01 Mar 2027 06:00:20 GMT");
        assert_eq!(retry_after(Some("Mon, 01 Mar 2027 06:00:30 GMT"), date, now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn words_of_others_are_bounded_and_masked() {
        assert_eq!(
            plain("Resource 'ada@contoso.example'\r\n\u{1b}[31m gone"),
            "Resource '…@contoso.example' [31m gone"
        );
        assert_eq!(plain(&"x".repeat(5000)).chars().count(), MOST_WORDS);
    }

    #[test]
    fn f99_statuses_of_reads() {
        let kind = |status| match of_answer(&answer(status, "")) {
            Failure::NotSent(_) => "not sent",
            Failure::Throttled { .. } => "throttled",
            Failure::Refused(_) => "refused",
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Unknown { .. } => "unknown",
        };
        for (statuses, wanted) in [
            (&[400, 403, 404, 405, 409, 422][..], "refused"),
            (&[401], "unauthorized"),
            (&[429], "throttled"),
            (&[202, 204, 206, 301, 302, 307, 308, 408, 500, 502, 503, 504, 509], "unknown"),
        ] {
            for &status in statuses {
                assert_eq!(kind(status), wanted, "{status}");
            }
        }
    }

    #[test]
    fn a_gateways_404_is_not_graphs() {
        let graphs = r#"{"error":{"code":"Request_ResourceNotFound","message":"Resource 'manager' does not exist"}}"#;
        assert!(is_not_found(&of_answer(&answer(404, graphs))));
        assert!(is_not_found(&of_answer(&answer(404, r#"{"error":{"code":"resourceNotFound"}}"#))));
        for other in ["", "<html>", "{}", r#"{"error":{"code":""}}"#, r#"{"error":{"code":"itemGone"}}"#] {
            assert!(!is_not_found(&of_answer(&answer(404, other))), "{other}");
        }
        assert!(!is_not_found(&of_answer(&answer(403, graphs))));
    }

    #[test]
    fn what_an_admin_can_do_about_entras_numbers() {
        let told = ["7000215", "7000222", "700027", "700024", "700016", "90002", "700213"].map(|number| {
            let words = format!("AADSTS{number}: no.");
            format!("{words} {}", remedy(&words).unwrap())
        });
        insta::assert_snapshot!(told.join("\n"), @r"
        AADSTS7000215: no. → the secret in the file is not the app's; put the new one into the file (its value, not its id)
        AADSTS7000222: no. → the secret is over; make a new one in Entra, or better a certificate, and put the new one into the file
        AADSTS700027: no. → upload the certificate to the app in Entra (Certificates & secrets), or put the one that is there into the file
        AADSTS700024: no. → the clocks differ, or the federated token is over; check time synchronisation, or who renews the token
        AADSTS700016: no. → check client_id, tenant_id and cloud
        AADSTS90002: no. → check client_id, tenant_id and cloud
        AADSTS700213: no. → correct issuer, subject and audience of the app's federated credential in Entra
        ");
        assert_eq!(remedy("AADSTS53003: blocked by Conditional Access"), None);
    }

    #[test]
    fn f97_token_errors_never_say_unknown() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 0","error_codes":[7000215],"trace_id":"t-1"}"#;
        let Failure::Unauthorized(said) = of_token_answer(&answer(401, body)) else { panic!() };
        assert_eq!(said.code, "invalid_client");
        assert!(said.message.starts_with("AADSTS7000215: Invalid client secret provided. → the secret in the file"));
        assert_eq!(said.request_id, "t-1");
        assert!(matches!(of_token_answer(&answer(503, "<html>")), Failure::NotSent(_)));
        assert!(matches!(of_token_answer(&answer(302, "")), Failure::NotSent(_)));
        assert!(matches!(of_token_answer(&answer(429, "")), Failure::Throttled { .. }));
        let busy = r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error."}"#;
        assert!(matches!(of_token_answer(&answer(400, busy)), Failure::NotSent(_)));
        let mut later = answer(503, "");
        later.retry_after = Some(Duration::from_secs(7));
        assert!(matches!(of_token_answer(&later), Failure::Throttled { retry_after: Some(_), .. }));
    }
}
