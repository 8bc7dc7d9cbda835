//! What admins are told, and how often.
//!
//! A [`Cause`] is one kind of trouble; things of one cause are gathered for a moment and told in one
//! [`Notice`], at most once an hour ([`due_at`]). What can wait stands in the daily digest, which covers
//! the starts until the digest after the next ([`Digest`]). A notice holds no code, and a webhook
//! learns no name. Reading order: causes, times, the notice; its words in `words`, what webhooks get
//! in [`hook`], a digest's sections in `work/tell/digest.rs`.

pub mod hook;
mod words;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::{self, Zone};
use super::hire::{Start, text_enum};

pub use words::{frame, mail};

text_enum! {
    /// One kind of trouble (or its end) that admins are told of.
    Cause {
        /// A hire needs a person, and starts before the next digest.
        Attention = "attention",
        /// A start is over, and no letter went out.
        StartPassed = "start-passed",
        /// A one-time pass is unused an hour after the start.
        PassUnused = "pass-unused",
        /// Somebody else's pass stands in the place of ours.
        PassReplaced = "pass-replaced",
        /// Our pass was deleted by somebody else.
        PassDeleted = "pass-deleted",
        /// A pass that must go cannot be deleted: its code works.
        PassNotDeleted = "pass-not-deleted",
        /// A manager holds a code that is void, and could not be told.
        VoidNotTold = "void-not-told",
        /// A tenant is stopped.
        TenantStopped = "tenant-stopped",
        /// It goes on.
        TenantResumed = "tenant-resumed",
        /// Letters cannot go out.
        MailStopped = "mail-stopped",
        /// They can again.
        MailResumed = "mail-resumed",
        /// This host's clock is wrong.
        ClockWrong = "clock-wrong",
        /// It is right again.
        ClockRight = "clock-right",
        /// A feed cannot be read.
        FeedStopped = "feed-stopped",
        /// It can again.
        FeedResumed = "feed-resumed",
        /// No new file came in time.
        FeedOverdue = "feed-overdue",
        /// A file would change too much.
        FileHeld = "file-held",
        /// A file could not be read at all.
        FileRejected = "file-rejected",
        /// Rows were rejected that were not before.
        RowsRejected = "rows-rejected",
        /// How everything stands.
        Digest = "digest",
        /// `firstpass notify test`.
        Test = "test",
    }
}

text_enum! {
    /// How a webhook is written to.
    Format {
        /// An event as Standard Webhooks has it: `type`, `timestamp`, `data`.
        Json = "json",
        /// A message with an Adaptive Card, for a workflow of Teams.
        Teams = "teams",
        /// Blocks.
        Slack = "slack",
    }
}

impl Cause {
    /// What an event of the state is told as; most are not.
    ///
    /// Where a hire moved or came back it may need a person now; whether it does is in its row.
    ///
    /// ```
    /// use firstpass::rules::notice::Cause;
    /// assert_eq!(Cause::of_event("replaced"), Some(Cause::PassReplaced));
    /// assert_eq!(Cause::of_event("delivered"), None);
    /// ```
    pub fn of_event(what: &str) -> Option<Self> {
        Some(match what {
            "attention" | "vanished" | "moved" | "returned" => Self::Attention,
            "unused" => Self::PassUnused,
            "replaced" => Self::PassReplaced,
            "deleted" => Self::PassDeleted,
            "clock-stopped" => Self::ClockWrong,
            "clock-resumed" => Self::ClockRight,
            "digest" | "test" | "start-passed" | "pass-unused" | "pass-replaced" | "pass-deleted" => return None,
            same => same.parse().ok()?,
        })
    }

    /// The trouble that this ends.
    pub fn ends(self) -> Option<Self> {
        match self {
            Self::TenantResumed => Some(Self::TenantStopped),
            Self::MailResumed => Some(Self::MailStopped),
            Self::ClockRight => Some(Self::ClockWrong),
            Self::FeedResumed => Some(Self::FeedStopped),
            Self::Attention
            | Self::StartPassed
            | Self::PassUnused
            | Self::PassReplaced
            | Self::PassDeleted
            | Self::PassNotDeleted
            | Self::VoidNotTold
            | Self::TenantStopped
            | Self::MailStopped
            | Self::ClockWrong
            | Self::FeedStopped
            | Self::FeedOverdue
            | Self::FileHeld
            | Self::FileRejected
            | Self::RowsRejected
            | Self::Digest
            | Self::Test => None,
        }
    }
}

/// Things of one cause are gathered for so long: five hundred hires that a morning puts into attention
/// are one notice.
pub const GATHER: TimeDelta = TimeDelta::minutes(1);
/// One notice per cause and hour.
pub const PER_CAUSE: TimeDelta = TimeDelta::hours(1);
/// A notice that nobody took for so long is dropped: the digest says what still stands.
pub const OLDEST: TimeDelta = TimeDelta::days(1);
/// A letter that is due at the start itself takes a moment; then it counts as missing.
pub const START_GRACE: TimeDelta = TimeDelta::minutes(5);
/// Lines of a notice; "and 12 more" stands for the others.
pub const MOST_LINES: usize = 20;
/// Lines of one section of a digest.
pub const MOST_DIGEST_LINES: usize = 50;

/// When things of one cause that were first seen then are told.
///
/// ```
/// use firstpass::rules::notice::due_at;
/// let at = |time: &str| format!("2027-03-01T{time}:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// assert_eq!(due_at(at("07:00"), None), at("07:01"));
/// assert_eq!(due_at(at("07:00"), Some(at("06:30"))), at("07:30"), "one per cause and hour");
/// assert_eq!(due_at(at("07:00"), Some(at("05:00"))), at("07:01"));
/// ```
pub fn due_at(first: DateTime<Utc>, told: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let gathered = first + GATHER;
    told.map_or(gathered, |told| gathered.max(told + PER_CAUSE))
}

/// The pause after so many tries of one notice that failed.
///
/// ```
/// use firstpass::rules::notice::pause;
/// assert_eq!([1, 2, 3, 4, 5, 9].map(|tries| pause(tries).num_minutes()), [1, 2, 5, 15, 30, 60]);
/// ```
pub fn pause(tries: i64) -> TimeDelta {
    TimeDelta::minutes(match tries {
        ..=1 => 1,
        2 => 2,
        3 => 5,
        4 => 15,
        5 => 30,
        _more => 60,
    })
}

/// The daily digest's times, around one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The last one's, now or before.
    pub last: DateTime<Utc>,
    /// The next one's.
    pub next: DateTime<Utc>,
    /// The one after that: the last one covers the starts until here.
    pub after: DateTime<Utc>,
    /// When the day of the last one began where the admins are.
    pub day: DateTime<Utc>,
}

impl Digest {
    /// Around `now`, at a wall time in a zone; `None` when dates end there.
    ///
    /// ```
    /// use firstpass::rules::{calendar::Zone, notice::Digest};
    /// let (now, berlin) = ("2027-03-01T16:30:00Z".parse().unwrap(), Zone::parse("Europe/Berlin").unwrap());
    /// let digest = Digest::around(now, "16:00".parse().unwrap(), Some(&berlin)).unwrap();
    /// assert_eq!(digest.last.to_rfc3339(), "2027-03-01T15:00:00+00:00");
    /// assert_eq!(digest.day.to_rfc3339(), "2027-02-28T23:00:00+00:00");
    /// assert_eq!(digest.after.to_rfc3339(), "2027-03-03T15:00:00+00:00");
    /// ```
    pub fn around(now: DateTime<Utc>, at: NaiveTime, zone: Option<&Zone>) -> Option<Self> {
        let zone = zone.cloned().or_else(|| Zone::parse("UTC").ok())?;
        let today = calendar::wall(now, &zone)?.date();
        let morning = |days: i64| {
            let date = today.checked_add_signed(TimeDelta::days(days))?;
            // A day that a place left out has no digest.
            calendar::morning(&Start { date, time: at, zone: Some(zone.clone()) }, at).ok()
        };
        let mornings: Vec<_> = (-3..=4).filter_map(morning).collect();
        let next = mornings.iter().position(|morning| morning.start > now)?;
        let last = mornings.get(next.checked_sub(1)?)?;
        Some(Self {
            last: last.start,
            day: last.day_from,
            next: mornings.get(next)?.start,
            after: mornings.get(next + 1)?.start,
        })
    }
}

/// Does it have to be told at once that this hire needs a person? Without an instant (`zone-unknown`)
/// the civil day decides, wherever it is.
///
/// ```
/// use firstpass::rules::notice::comes_before;
/// let day = "2027-03-02".parse().unwrap();
/// let (start, digest) = ("2027-03-02T08:00:00Z".parse().unwrap(), "2027-03-02T16:00:00Z".parse().unwrap());
/// assert!(comes_before(Some(start), day, digest));
/// assert!(!comes_before(Some(digest), day, start));
/// assert!(comes_before(None, day, digest));
/// ```
pub fn comes_before(start: Option<DateTime<Utc>>, date: NaiveDate, next_digest: DateTime<Utc>) -> bool {
    match start {
        Some(start) => start < next_digest,
        // Somewhere the day begins 14 hours earlier than in UTC.
        None => date.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(14) < next_digest,
    }
}

/// The place of a hire among those who need a person: first those without an instant and the starts in
/// `[from, until)`, then later ones, then what is over, newest first. Old trouble hides no new one.
///
/// ```
/// use firstpass::rules::notice::urgency;
/// let day = |day: u32| format!("2027-03-{day:02}T08:00:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let mut starts = [Some(day(1)), Some(day(2)), Some(day(9)), Some(day(4)), None, Some(day(3))];
/// starts.sort_by_key(|start| urgency(*start, day(3), day(5)));
/// assert_eq!(starts, [None, Some(day(3)), Some(day(4)), Some(day(9)), Some(day(2)), Some(day(1))]);
/// ```
pub fn urgency(start: Option<DateTime<Utc>>, from: DateTime<Utc>, until: DateTime<Utc>) -> (u8, i64) {
    match start {
        None => (0, i64::MIN),
        Some(at) if at < from => (2, at.timestamp().saturating_neg()),
        Some(at) => (u8::from(at >= until), at.timestamp()),
    }
}

/// One thing: a hire, or (without an employee id) a feed, a tenant, the mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name in the settings, may be empty.
    pub tenant: String,
    /// Empty: it is no hire.
    pub employee_id: String,
    /// For mail only.
    pub name: String,
    /// `2027-03-01 09:00 Europe/Berlin`, may be empty.
    pub start: String,
    /// A word of contract 6 or of a state, may be empty.
    pub reason: String,
    /// A sentence with addresses masked. Of a hire for mail only: it may quote names.
    pub text: String,
}

/// Lines with one headline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Empty in a notice of one section.
    pub title: String,
    /// At most [`MOST_LINES`] or [`MOST_DIGEST_LINES`].
    pub lines: Vec<Line>,
    /// So many more there are.
    pub more: usize,
}

impl Section {
    /// The first `most` of them.
    pub fn new(title: &str, mut lines: Vec<Line>, most: usize) -> Self {
        let more = lines.len().saturating_sub(most);
        lines.truncate(most);
        Self { title: title.to_owned(), lines, more }
    }
}

/// What admins are told; the same for mail and webhooks, which show different parts of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its kind.
    pub cause: Cause,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// One line, without names.
    pub subject: String,
    /// A sentence, without names.
    pub lead: String,
    /// What it is about.
    pub sections: Vec<Section>,
    /// What to do, may be empty.
    pub remedy: String,
}

impl Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(|_| serde::de::Error::custom("no cause of a notice"))
    }
}
