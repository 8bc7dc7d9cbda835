//! Passes: list, create, delete.
//!
//! [`Tenant::create_pass`] is the one act of this program that cannot be taken back or repeated: the
//! answer shows the code once, and a second POST voids the first pass. It is sent once, over a fresh
//! connection, and its answer is read into memory that is wiped. The code goes straight into
//! [`Code`]; nothing here prints, keeps or quotes the body.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::http::{self, Answer, FIRST_ROOM};
use super::{Call, Scope, Tenant, authorization, failure, lenient};
use crate::rules::attempt::{Code, Made, PassAsk};
use crate::rules::guard::ListedPass;
use crate::rules::verdict::{Failure, Said};

const PASSES: &str = "temporaryAccessPassMethods";

/// What is asked of Graph.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AskBody {
    /// Left out = usable at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date_time: Option<String>,
    lifetime_in_minutes: i64,
    /// Always sent: what Graph takes when it is left out is not documented (facts 1.3).
    is_usable_once: bool,
}

/// A pass as Graph shows it. What we can do without counts as absent when it is of another kind than
/// documented: a pass whose id is known can at least be deleted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PassBody {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    created_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient")]
    start_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient")]
    lifetime_in_minutes: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    is_usable_once: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    method_usability_reason: Option<String>,
}

impl PassBody {
    fn listed(self) -> ListedPass {
        ListedPass {
            id: self.id,
            created: self.created_date_time,
            start: self.start_date_time,
            lifetime_min: self.lifetime_in_minutes,
            one_time: self.is_usable_once,
            usability: self.method_usability_reason.unwrap_or_default(),
        }
    }
}

/// The one field of the answer to a create that no list shows.
#[derive(Deserialize)]
struct CodeBody {
    #[serde(default, rename = "temporaryAccessPass", deserialize_with = "code")]
    code: Option<Code>,
}

fn code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Code>, D::Error> {
    let text = Option::<String>::deserialize(from)?.map(Zeroizing::new);
    Ok(text.filter(|text| !text.is_empty()).map(Code::new))
}

impl Tenant {
    /// The passes of this user in the directory: none or one, as documented; never their codes.
    ///
    /// # Errors
    /// See [`Failure`]; a list that cannot be read wholly is `Unknown`.
    pub async fn passes(&self, user: Uuid) -> Result<Vec<ListedPass>, Failure> {
        let id = user.to_string();
        // No query options: the documented list supports none.
        let url = self.url(["users", &id, "authentication", PASSES], &[]);
        let passes: Vec<PassBody> = self.list(Call::new("pass-list", url)).await?;
        Ok(passes.into_iter().map(PassBody::listed).collect())
    }

    /// ONE POST. Never repeated here or below, whatever comes back.
    ///
    /// # Errors
    /// - `NotSent`, `Throttled`, `Refused`, `Unauthorized`: certainly not made. A first 401 is
    ///   `NotSent` (the token is dropped; the next attempt gets a new one), a second in a row
    ///   `Unauthorized`.
    /// - `Unknown`: perhaps made. Look before anything else is tried.
    pub async fn create_pass(&self, ask: &PassAsk) -> Result<Made, Failure> {
        let body = AskBody {
            start_date_time: ask.start.map(|start| start.to_rfc3339_opts(SecondsFormat::Secs, true)),
            lifetime_in_minutes: ask.lifetime_min,
            is_usable_once: ask.one_time,
        };
        let body = serde_json::to_vec(&body).map_err(|why| Failure::NotSent(format!("the request: {why}")))?;
        let id = ask.user.to_string();
        let url = self.url(["users", &id, "authentication", PASSES], &[]);
        let http = self.http().await?;
        let bearer = self.token.get(&http.reader, Scope::Graph).await?;
        let request = http
            .poster
            .post(url)
            .header(AUTHORIZATION, authorization(&bearer)?)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        // At most the room that is made at once: the code is never copied into a larger buffer.
        let bounds = self.bounds("pass-create", self.limits.graph_body.min(FIRST_ROOM));
        let answer = http::exchange(&http.poster, request, &self.clock, &bounds, |skew| self.skew.hear(skew))
            .await
            .map_err(failure::of_broken)?;
        self.doubt(&bearer, answer.status).await;
        if answer.status == 401 {
            if self.post_refused_again() {
                return Err(failure::of_answer(&answer));
            }
            return Err(Failure::NotSent(format!("Graph did not take the token: {}", failure::said(&answer))));
        }
        let made = made(&answer)?;
        self.post_accepted();
        Ok(made)
    }

    /// Deletes a pass. Gone is gone: 204 and 404 are both `Ok`.
    ///
    /// # Errors
    /// Everything else: the pass may still be there.
    pub async fn delete_pass(&self, user: Uuid, graph_id: &str) -> Result<(), Failure> {
        if graph_id.is_empty() || matches!(graph_id, "." | "..") {
            // Such a segment would vanish from the address, and the list itself would be meant.
            let message = "an id that no pass can have".to_owned();
            return Err(Failure::Refused(Said { message, ..Said::default() }));
        }
        let id = user.to_string();
        let url = self.url(["users", &id, "authentication", PASSES, graph_id], &[]);
        let answer = self.ask(Method::DELETE, &Call::new("pass-delete", url)).await?;
        match answer.status {
            204 | 404 => Ok(()),
            _ => Err(failure::of_answer(&answer)),
        }
    }
}

/// The answer to a create. Only a 201 with an id is a pass; only a 4xx is a clear no.
fn made(answer: &Answer) -> Result<Made, Failure> {
    match answer.status {
        201 => {}
        400..=499 => return Err(failure::of_answer(answer)),
        status => return Err(failure::unknown(answer, &format!("status {status} to a create"))),
    }
    let unreadable = |_| failure::unknown(answer, "201, but the answer cannot be read");
    let pass: PassBody = serde_json::from_slice(&answer.body).map_err(unreadable)?;
    if pass.id.is_empty() {
        return Err(failure::unknown(answer, "201, but the answer has no id"));
    }
    // A code of another kind than text is no code; the pass is known all the same.
    let code = serde_json::from_slice::<CodeBody>(&answer.body).ok().and_then(|body| body.code);
    Ok(Made { listed: pass.listed(), code })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Made, Failure> {
        made(&Answer {
            status,
            retry_after: None,
            request_id: "r-1".to_owned(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    const GOOD: &str = r#"{"id":"p1","temporaryAccessPass":"+drkzqAD","createdDateTime":"2022-06-02T16:21:09.765173Z",
        "startDateTime":"2022-06-05T00:00:00Z","lifetimeInMinutes":60,"isUsableOnce":false,"isUsable":false,
        "methodUsabilityReason":"NotYetValid","more":1}"#;

    #[test]
    fn a_clear_answer_is_a_pass() {
        let made = answered(201, GOOD).ok().unwrap();
        assert_eq!(made.code.unwrap().reveal(), "+drkzqAD");
        assert_eq!((made.listed.id.as_str(), made.listed.lifetime_min), ("p1", Some(60)));
        assert_eq!(made.listed.usability, "NotYetValid");
    }

    #[test]
    fn f99_only_201_with_an_id_is_made_and_only_4xx_is_refused() {
        for (status, body) in [
            (200, GOOD),
            (202, GOOD),
            (204, ""),
            (201, ""),
            (201, "<html>busy</html>"),
            (201, &GOOD[..40]),
            (201, r#"{"temporaryAccessPass":"x"}"#),
            (201, r#"{"id":"","temporaryAccessPass":"x"}"#),
            (201, r#"{"id":null,"temporaryAccessPass":"x"}"#),
            (201, "[]"),
            (302, ""),
            (408, ""),
            (500, GOOD),
            (502, ""),
            (503, ""),
            (504, ""),
        ] {
            let Err(failure) = answered(status, body) else { panic!("{status} {body}") };
            assert!(matches!(failure, Failure::Unknown { .. }), "{status} {body}: {failure}");
            assert!(!failure.to_string().contains("drkzqAD"), "{failure}");
        }
        for status in [400, 403, 404, 409, 422] {
            assert!(matches!(answered(status, ""), Err(Failure::Refused(_))), "{status}");
        }
        assert!(matches!(answered(429, ""), Err(Failure::Throttled { .. })));
    }

    #[test]
    fn f99_a_pass_without_a_code_is_known() {
        for code in [r#""""#, "null", "7", "{}", r#"["x"]"#] {
            let body = format!(r#"{{"id":"p1","temporaryAccessPass":{code}}}"#);
            let made = answered(201, &body).ok().unwrap();
            assert!(made.code.is_none() && made.listed.id == "p1", "{code}");
        }
        let odd = r#"{"id":"p1","temporaryAccessPass":"x","lifetimeInMinutes":"60","startDateTime":"soon"}"#;
        let made = answered(201, odd).ok().unwrap();
        assert!(made.code.is_some() && made.listed.lifetime_min.is_none() && made.listed.start.is_none());
    }
}
