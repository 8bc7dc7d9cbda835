//! Times and sizes that no admin sets: network timeouts are real time, leases the state's time.
//!
//! One value, made in `main` by [`Limits::default`] and handed down; tests pass short ones.

use std::time::Duration;

/// Bounds on single steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connect and TLS to Graph or the token endpoint. Graph answers in well under a second.
    pub graph_connect: Duration,
    /// One request to Graph, from first byte to last. Passes were seen to take seconds, not more.
    pub graph_request: Duration,
    /// One SMTP step up to RCPT TO. Greylisting and DNS checks of relays take a while (RFC 5321
    /// 4.5.3.2 would allow minutes, but an attempt ends in seconds).
    pub smtp_step: Duration,
    /// From DATA to the answer after the final dot: content filters run here.
    pub smtp_data: Duration,
    /// A claim on a hire without a sign of life is over after this.
    pub lease: Duration,
    /// So much of a lease must be left before a POST.
    pub lease_left: Duration,
    /// A code whose letter cannot be sent for so long is condemned.
    pub in_hand: Duration,
    /// A tick claims nobody new after this: leases in hand and the heartbeat must not wait for Graph.
    pub tick: Duration,
    /// A loop of the service that did not advance for so long hangs. Longer than any single wait in one:
    /// a mail server that answers each command at the last moment takes four minutes to dial, and a
    /// clock that was set back by less than two lets the scheduler pause so long.
    pub hung: Duration,
    /// A state that refuses every tick for so long is gone. A backup may hold it for a minute (F18).
    pub state_away: Duration,
    /// A mail server or a tenant that did not answer is looked at again after so long, at the earliest;
    /// one that did after ten times as long, one that refused us after two to thirty times: each look
    /// signs in there.
    pub look_again: Duration,
    /// A round of notices begins no try later: what was not reached stays due, and news are gathered
    /// first. A webhook may take fifteen seconds to answer, and twenty may wait for it.
    pub notices: Duration,
    /// Attempts under way at once. Each asks Graph a dozen questions; the mail pace is the real bound.
    pub at_once: usize,
    /// Bytes of one Graph answer. A page of passes or methods is a few kilobytes.
    pub graph_body: usize,
    /// Bytes of one SMTP answer line.
    pub smtp_line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            graph_connect: Duration::from_secs(10),
            graph_request: Duration::from_secs(30),
            smtp_step: Duration::from_secs(30),
            smtp_data: Duration::from_mins(1),
            lease: Duration::from_mins(5),
            lease_left: Duration::from_mins(2),
            in_hand: Duration::from_mins(10),
            tick: Duration::from_secs(20),
            hung: Duration::from_mins(5),
            state_away: Duration::from_mins(2),
            look_again: Duration::from_secs(30),
            notices: Duration::from_secs(30),
            at_once: 4,
            graph_body: 4 * 1024 * 1024,
            smtp_line: 4096,
        }
    }
}
