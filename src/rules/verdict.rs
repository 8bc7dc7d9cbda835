//! A failure of Graph, sorted by what to do next.
//!
//! The edges sort what came back into [`Failure`]; [`next`] says what that means for a hire and for
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
        write!(f, "{} {}: {}", self.status, self.code, self.message)?;
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
