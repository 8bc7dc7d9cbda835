//! What the model tenant answers: status, headers, bodies in Graph's and in the token endpoint's
//! words.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Graph's content type of a good answer.
const ODATA: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    status: u16,
    body: Option<Value>,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// A good answer of Graph.
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), content_type: ODATA, headers: vec![("odata-version", "4.0".into())] }
    }

    /// A good answer that says nothing.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: None, content_type: ODATA, headers: Vec::new() }
    }

    /// An answer outside Graph: token endpoint.
    pub(super) fn plain_json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), content_type: "application/json; charset=utf-8", headers: Vec::new() }
    }

    /// Graph's error model; `innerError` with the request's ids is added on the way out.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message } });
        Self { status, body: Some(body), content_type: "application/json", headers: Vec::new() }
    }

    /// The same with the message repeated inside, as the authentication methods' service does.
    pub(super) fn error_twice(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message, "innerError": { "message": message } } });
        Self { status, body: Some(body), content_type: "application/json", headers: Vec::new() }
    }

    /// 404 of the directory for something that is not there.
    pub(super) fn not_found(what: &str) -> Self {
        let message = format!(
            "Resource '{what}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::error(404, "Request_ResourceNotFound", &message)
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = self.body.as_ref().map(Value::to_string);
        let mut response = Response::new(body.clone().map_or_else(Body::empty, Body::from));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// An instant as the service writes it: up to seven digits, none when there is no fraction.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    let whole = at.format("%Y-%m-%dT%H:%M:%S");
    let ticks = format!("{:07}", at.timestamp_subsec_nanos() / 100);
    match ticks.trim_end_matches('0') {
        "" => format!("{whole}Z"),
        digits => format!("{whole}.{digits}Z"),
    }
}

/// The `Date` header of an instant.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_as_many_digits_as_they_need() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        assert_eq!(stamp(at("2022-06-05T00:00:00.000Z")), "2022-06-05T00:00:00Z");
        assert_eq!(stamp(at("2022-06-06T16:48:03.027Z")), "2022-06-06T16:48:03.027Z");
        assert_eq!(stamp(at("2022-06-06T16:43:04.6438213Z")), "2022-06-06T16:43:04.6438213Z");
        assert_eq!(http_date(at("2027-03-01T06:00:00Z")), "Mon, 01 Mar 2027 06:00:00 GMT");
    }
}
