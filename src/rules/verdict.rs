//! A failure of Graph, sorted by what to do next.
//!
//! The edges sort what came back into [`Failure`]; [`verdict`] says what that means for a hire and for
//! its tenant. Message texts explain; they never decide whether a POST is repeated.

use std::fmt;
use std::time::Duration;

/// What came back from Graph or the token endpoint instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing left this machine (refused connection, name not found, TLS not built): certainly not done.
    NotSent(String),
    /// 429: certainly not done. The whole tenant slows down.
    Throttled {
        /// As the server asked (seconds, decimals, HTTP date), bounded by the edge.
        retry_after: Option<Duration>,
        /// What it said.
        said: Said,
    },
    /// 4xx other than 401 and 429: certainly refused.
    Refused(Said),
    /// 401 even with a fresh token, or no token was given to us.
    Unauthorized(Said),
    /// Bytes were sent and no clear answer came: 5xx, timeout, reset, unreadable body.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
        /// 503 often says when to come back.
        retry_after: Option<Duration>,
    },
}

/// Graph's own words, for the admin. Never holds a code or a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// HTTP status; 0 when there was none.
    pub status: u16,
    /// `error.code`, may be empty.
    pub code: String,
    /// `error.message`, bounded, controls removed.
    pub message: String,
    /// `request-id` of the answer, for Microsoft's support.
    pub request_id: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "{}: {}", self.status, self.message)?,
            code => write!(f, "{} {code}: {}", self.status, self.message)?,
        }
        if !self.request_id.is_empty() {
            write!(f, " (request-id {})", self.request_id)?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "could not reach Microsoft: {why}"),
            Self::Throttled { retry_after: Some(wait), said } => {
                write!(f, "Graph asks for patience of {} s ({said})", wait.as_secs_f32())
            }
            Self::Throttled { retry_after: None, said } => write!(f, "Graph asks for patience ({said})"),
            Self::Refused(said) => write!(f, "Graph refused: {said}"),
            Self::Unauthorized(said) => write!(f, "Microsoft does not accept our credential: {said}"),
            Self::Unknown { why, .. } => write!(f, "no clear answer from Graph: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// What a failed read or a certainly refused POST means for the tenant and the hire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The whole tenant waits so long; nobody is told.
    SlowDown(Duration),
    /// The tenant is out of reach or refuses us: no hire of it is tried for so long, told once.
    StopTenant(Duration, String),
    /// It concerns this hire: a person is told, and it is looked at again.
    ThisHire(String),
}

/// Without a `Retry-After`.
const THROTTLED: Duration = Duration::from_secs(30);
/// Between two tries to reach a tenant that is out of reach.
const OUT_OF_REACH: Duration = Duration::from_mins(1);
/// Between two tries of a credential that was refused.
const REFUSED_CREDENTIAL: Duration = Duration::from_mins(5);

/// Sorts a failure (design 5). `lacks` names the permission that the token lacks for this call;
/// `others_too` is true when the hire before was refused with 403 as well, with no success between.
///
/// ```
/// use firstpass::rules::verdict::{verdict, Failure, Said, Verdict};
/// let refused = Failure::Refused(Said { status: 403, code: "accessDenied".into(), ..Said::default() });
/// assert!(matches!(verdict(&refused, None, false), Verdict::ThisHire(_)));
/// assert!(matches!(verdict(&refused, None, true), Verdict::StopTenant(..)));
/// ```
pub fn verdict(failure: &Failure, lacks: Option<&str>, others_too: bool) -> Verdict {
    match failure {
        Failure::NotSent(_) => Verdict::StopTenant(OUT_OF_REACH, failure.to_string()),
        Failure::Throttled { retry_after, .. } => Verdict::SlowDown(retry_after.unwrap_or(THROTTLED)),
        Failure::Unauthorized(_) => Verdict::StopTenant(REFUSED_CREDENTIAL, failure.to_string()),
        Failure::Refused(said) if said.status == 403 => match lacks {
            Some(permission) => Verdict::StopTenant(
                REFUSED_CREDENTIAL,
                format!("the app lacks the permission {permission}; grant it in Entra and give admin consent ({said})"),
            ),
            None if others_too => {
                Verdict::StopTenant(REFUSED_CREDENTIAL, format!("Graph refuses one hire after the other ({said})"))
            }
            None => Verdict::ThisHire(failure.to_string()),
        },
        Failure::Unknown { retry_after: Some(wait), .. } => Verdict::SlowDown(*wait),
        Failure::Refused(_) | Failure::Unknown { retry_after: None, .. } => Verdict::ThisHire(failure.to_string()),
    }
}
