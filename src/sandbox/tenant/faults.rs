//! What may go wrong with a request on demand: before or after the tenant applied it.
//!
//! Faults are given in order and each fires once, at the n-th request that fits. Nothing here sleeps
//! unless the effect is a delay.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::journal::Kind;
use super::passes::ModelPass;

/// One fault, which fires once.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The kind of request.
    pub kind: Kind,
    /// 1 = the next request of this kind.
    pub nth: usize,
    /// Before or after the tenant applied the request.
    pub when: When,
    /// What happens.
    pub effect: Effect,
}

/// On which side of the tenant's own work the effect lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The tenant has done nothing; except after `Hold` and `Delay` it never will.
    Before,
    /// The tenant has applied the request.
    After,
}

/// What happens to the request or its answer.
#[derive(Debug, Clone)]
pub enum Effect {
    /// No answer until [`super::ModelTenant::release`]. Released before it was applied, the request is
    /// applied then, even if the client is gone: the late POST of the books.
    Hold,
    /// The request is read, then the connection is closed without an answer.
    Reset,
    /// So much later, in real time; applied then even if the client is gone.
    Delay(Duration),
    /// This status with these headers and this body instead of the tenant's answer.
    Status(u16, Vec<(String, String)>, String),
    /// A page of a proxy: 502 when nothing was applied, else the tenant's status.
    Html,
    /// No body: 500 when nothing was applied, else the tenant's status.
    EmptyBody,
    /// Half of the JSON, then the end of the connection: 500 when nothing was applied.
    CutJson,
    /// 201 without the member `temporaryAccessPass`. The pass exists.
    NoCode,
    /// 201 with a null `temporaryAccessPass`. The pass exists.
    NullCode,
    /// The tenant makes another pass than was asked, and says so.
    Echo(Echo),
}

/// How the pass that is made differs from the one that was asked for; `None` leaves as asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Echo {
    /// Moves the start.
    pub start_shift: Option<TimeDelta>,
    /// Another life, minutes.
    pub lifetime_min: Option<i64>,
    /// Another use.
    pub one_time: Option<bool>,
}

impl Echo {
    pub(super) fn bend(&self, pass: &mut ModelPass) {
        if let Some(moved) = self.start_shift.and_then(|by| pass.start.checked_add_signed(by)) {
            pass.start = moved;
        }
        pass.lifetime_min = self.lifetime_min.unwrap_or(pass.lifetime_min);
        pass.one_time = self.one_time.unwrap_or(pass.one_time);
    }
}

impl Effect {
    /// 429 as documented, with this `Retry-After` if any: `10`, `2.128`, an HTTP date …
    pub fn throttled(retry_after: Option<&str>) -> Self {
        let body = json!({ "error": {
            "code": "TooManyRequests",
            "innerError": {
                "code": "429",
                "date": "2020-08-18T12:51:51",
                "message": "Please retry after",
                "request-id": "94fb3b52-452a-4535-a601-69e0a90e3aa2",
                "status": "429",
            },
            "message": "Please retry again later.",
        } });
        Self::later(429, retry_after, body.to_string())
    }

    /// 503 with this `Retry-After` if any.
    pub fn unavailable(retry_after: Option<&str>) -> Self {
        let body = json!({ "error": { "code": "serviceNotAvailable", "message": "The service is unavailable." } });
        Self::later(503, retry_after, body.to_string())
    }

    /// An error in Graph's words.
    pub fn graph_error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message } });
        Self::later(status, None, body.to_string())
    }

    fn later(status: u16, retry_after: Option<&str>, body: String) -> Self {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(retry_after.map(|after| ("retry-after".to_owned(), after.to_owned())));
        Self::Status(status, headers, body)
    }
}

/// A fault that waits for its request.
struct Waiting {
    /// `None` fits any kind.
    kind: Option<Kind>,
    nth: usize,
    lasts: Lasts,
    when: When,
    effect: Effect,
}

/// How often a fault fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// At the n-th fitting request.
    Once,
    /// At every fitting request from the n-th on, before this instant.
    Until(DateTime<Utc>),
    /// At every fitting request from the n-th on.
    Always,
}

/// The faults that wait, in the order in which they were given.
#[derive(Default)]
pub(super) struct Faults(Vec<Waiting>);

impl Faults {
    pub(super) fn add(&mut self, kind: Option<Kind>, nth: usize, lasts: Lasts, when: When, effect: Effect) {
        self.0.push(Waiting { kind, nth: nth.max(1), lasts, when, effect });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many have not fired yet.
    pub(super) fn waiting(&self) -> usize {
        self.0.iter().filter(|fault| fault.lasts == Lasts::Once).count()
    }

    /// Counts a request of `kind` and gives the fault that fires at it: the oldest of those due.
    pub(super) fn due(&mut self, now: DateTime<Utc>, kind: Kind) -> Option<(When, Effect)> {
        self.0.retain(|fault| !matches!(fault.lasts, Lasts::Until(end) if now >= end));
        let mut fires = None;
        let mut spent = None;
        for (at, fault) in self.0.iter_mut().enumerate() {
            if fault.kind.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
            } else if fires.is_none() {
                fires = Some((fault.when, fault.effect.clone()));
                spent = (fault.lasts == Lasts::Once).then_some(at);
            }
        }
        if let Some(at) = spent {
            self.0.remove(at);
        }
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn a_fault_fires_once_at_the_nth_of_its_kind() {
        let mut faults = Faults::default();
        faults.add(Some(Kind::PassCreate), 2, Lasts::Once, When::Before, Effect::Reset);
        assert!(faults.due(NOW, Kind::PassCreate).is_none());
        assert!(faults.due(NOW, Kind::PassList).is_none());
        assert!(matches!(faults.due(NOW, Kind::PassCreate), Some((When::Before, Effect::Reset))));
        assert!(faults.due(NOW, Kind::PassCreate).is_none());
        assert_eq!(faults.waiting(), 0);
    }

    #[test]
    fn a_fault_of_any_kind_counts_all_requests() {
        let mut faults = Faults::default();
        faults.add(None, 3, Lasts::Once, When::After, Effect::Html);
        assert!(faults.due(NOW, Kind::Token).is_none());
        assert!(faults.due(NOW, Kind::User).is_none());
        assert!(faults.due(NOW, Kind::Policy).is_some());
    }

    #[test]
    fn a_fault_with_an_end_fires_until_then() {
        let mut faults = Faults::default();
        let end = NOW + TimeDelta::minutes(2);
        faults.add(None, 1, Lasts::Until(end), When::Before, Effect::throttled(Some("10")));
        assert!(faults.due(NOW, Kind::User).is_some());
        assert!(faults.due(end - TimeDelta::seconds(1), Kind::Policy).is_some());
        assert!(faults.due(end, Kind::User).is_none());
        assert_eq!(faults.waiting(), 0);
    }
}
