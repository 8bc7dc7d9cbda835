//! The values that pass through one attempt.
//!
//! Each step takes the value of the step before by value, so no step can be skipped or done twice.
//! Fields are private; a test lists which file may call which constructor. The code of a pass is a
//! [`Code`]: it cannot be cloned, printed or serialised, and is wiped when dropped.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::channel::Channel;
use super::guard::{Account, ListedPass, Refusal};
use super::hire::Reason;

/// The secret of one pass. Not `Clone`, `Debug`, `Display` or `Serialize`, on purpose.
pub struct Code(Zeroizing<String>);

impl Code {
    /// Called by `entra/passes.rs` (Graph's answer) and by the letter preview and tests (invented).
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Called by `rules/letter.rs` only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What is asked of Graph in one POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassAsk {
    /// Whose pass.
    pub user: Uuid,
    /// Whole seconds UTC; `None` = usable at once (the start is not a minute ahead).
    pub start: Option<DateTime<Utc>>,
    /// Life from the start, minutes.
    pub lifetime_min: i64,
    /// Usable once.
    pub one_time: bool,
}

/// Guard and channel said yes, with the facts they saw.
#[derive(Debug)]
pub struct Cleared {
    account: Account,
    ask: PassAsk,
    channel: Channel,
    notes: Vec<String>,
    at: DateTime<Utc>,
}

impl Cleared {
    /// Called by `work/check.rs` only, after [`super::guard::judge`] and [`super::channel::judge`].
    pub fn new(account: Account, ask: PassAsk, channel: Channel, notes: Vec<String>, at: DateTime<Utc>) -> Self {
        Self { account, ask, channel, notes, at }
    }

    /// The account the pass is for.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What will be asked of Graph.
    pub fn ask(&self) -> &PassAsk {
        &self.ask
    }

    /// Who will be told, and where.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Cuts and reported differences, for the record.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// When the oldest fact was read.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

/// The pass row is on disk: a POST may follow, once.
#[derive(Debug)]
pub struct Intended {
    pass_id: i64,
    cleared: Cleared,
    at: DateTime<Utc>,
}

impl Intended {
    /// Called by `store/passes.rs` only, after the commit.
    pub fn new(pass_id: i64, cleared: Cleared, at: DateTime<Utc>) -> Self {
        Self { pass_id, cleared, at }
    }

    /// The pass row.
    pub fn pass_id(&self) -> i64 {
        self.pass_id
    }

    /// What was cleared.
    pub fn cleared(&self) -> &Cleared {
        &self.cleared
    }

    /// When the row was written.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The POST is over: what was cleared is still wanted for the letter.
    pub fn into_cleared(self) -> Cleared {
        self.cleared
    }
}

/// Graph's 201, as it came.
pub struct Made {
    /// The pass as it is in the directory.
    pub listed: ListedPass,
    /// The secret, if the answer held one.
    pub code: Option<Code>,
}

/// A pass that is what was asked for, in the hands of a living process.
pub struct IssuedPass {
    pass_id: i64,
    graph_id: String,
    code: Code,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    lifetime_min: i64,
    one_time: bool,
    notes: Vec<String>,
}

/// How far the answered start may lie from the asked one.
const START_TOLERANCE: TimeDelta = TimeDelta::seconds(60);
/// How far "now" on Graph's side may lie from now on ours.
const NOW_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

impl IssuedPass {
    /// Compares the echo with the intent (contract 6, `graph-unexpected`). Called by
    /// `work/onboard.rs` only.
    ///
    /// A shorter life, one-time instead of several and a start within 60 s are taken and noted.
    ///
    /// # Errors
    /// A longer life, several uses instead of one, another start, no code, or not usable by policy:
    /// such a pass is deleted and never mailed.
    pub fn from_answer(intended: &Intended, made: Made, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let ask = intended.cleared.ask();
        let unexpected = |what: String| {
            Refusal::new(
                Reason::GraphUnexpected,
                format!(
                    "Graph made something else than asked: {what}. The pass is deleted, nothing was mailed; find the cause, then `firstpass hire retry`"
                ),
            )
        };
        let code = made.code.ok_or_else(|| unexpected("no code in the answer".to_owned()))?;
        let listed = made.listed;
        let mut notes = Vec::new();

        let lifetime_min = listed.lifetime_min.ok_or_else(|| unexpected("no life in the answer".to_owned()))?;
        if lifetime_min > ask.lifetime_min || lifetime_min <= 0 {
            return Err(unexpected(format!("a life of {lifetime_min} minutes instead of {}", ask.lifetime_min)));
        }
        if lifetime_min < ask.lifetime_min {
            notes.push(format!("life answered as {lifetime_min} instead of {} minutes", ask.lifetime_min));
        }
        let one_time =
            listed.one_time.ok_or_else(|| unexpected("it does not say whether it is one-time".to_owned()))?;
        if ask.one_time && !one_time {
            return Err(unexpected("usable several times instead of once".to_owned()));
        }
        if one_time && !ask.one_time {
            notes.push("answered as one-time".to_owned());
        }
        let from = listed.start.ok_or_else(|| unexpected("no start in the answer".to_owned()))?;
        let (wanted, tolerance) = match ask.start {
            Some(start) => (start, START_TOLERANCE),
            None => (now, NOW_TOLERANCE),
        };
        if (from - wanted).abs() > tolerance {
            return Err(unexpected(format!("usable from {from} instead of {wanted}")));
        }
        if ask.start.is_some_and(|start| start != from) {
            notes.push(format!("start answered as {from}"));
        }
        if matches!(listed.usability.as_str(), "DisabledByPolicy" | "Expired" | "OneTimeUsed") {
            return Err(unexpected(format!("not usable ({})", listed.usability)));
        }
        let until = listed.until().ok_or_else(|| unexpected("no end in the answer".to_owned()))?;
        Ok(Self { pass_id: intended.pass_id, graph_id: listed.id, code, from, until, lifetime_min, one_time, notes })
    }

    /// The pass row.
    pub fn pass_id(&self) -> i64 {
        self.pass_id
    }

    /// Graph's id.
    pub fn graph_id(&self) -> &str {
        &self.graph_id
    }

    /// The secret.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Usable from.
    pub fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Usable until.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// Life as answered, minutes.
    pub fn lifetime_min(&self) -> i64 {
        self.lifetime_min
    }

    /// Usable once.
    pub fn one_time(&self) -> bool {
        self.one_time
    }

    /// Accepted differences, for the record.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}
