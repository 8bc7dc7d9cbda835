//! What a pass row and the directory's list say together.
//!
//! An intent whose POST was never answered may have made a pass. These functions decide whether a
//! listed pass is that one, and what became of one that was mailed. Pure; `work/settle.rs` acts.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::guard::{ListedPass, OurPasses};
use super::hire::HireKey;

/// The intent as it stands in its row.
#[derive(Debug, Clone)]
pub struct Intent {
    /// When the row was written.
    pub made_at: DateTime<Utc>,
    /// The start that was asked for; `None` = usable at once.
    pub start: Option<DateTime<Utc>>,
    /// Minutes asked for.
    pub lifetime_min: i64,
    /// Use asked for.
    pub one_time: bool,
}

/// Clocks of ours and Graph's may differ by so much (contract 5).
const SLACK: TimeDelta = TimeDelta::minutes(2);
/// A start is taken as the asked one within this (contract 6).
const START_SLACK: TimeDelta = TimeDelta::seconds(60);
/// "Now" is within this of `createdDateTime` (design 4).
const NOW_SLACK: TimeDelta = TimeDelta::minutes(5);
/// An intent counts as not made only when the last look came so long after it (design 4).
pub const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(10);
/// So long after its intent a POST may still be applied by something between us and Graph.
const LATEST: Duration = Duration::from_hours(24);
/// And when so many looks found nothing.
const LOOKS_NEEDED: i64 = 2;

/// The listed pass that this intent made, if any. `known` are the ids of all our pass rows.
pub fn made_by<'a>(
    intent: &Intent,
    listed: &'a [ListedPass],
    known: &[String],
    request_timeout: Duration,
) -> Option<&'a ListedPass> {
    let timeout = TimeDelta::from_std(request_timeout).unwrap_or(SLACK);
    listed.iter().find(|pass| {
        let (Some(created), Some(start)) = (pass.created, pass.start) else {
            return false;
        };
        let in_time = created >= intent.made_at - SLACK && created <= intent.made_at + timeout + SLACK;
        let start_fits = match intent.start {
            Some(asked) => (start - asked).abs() <= START_SLACK,
            None => (start - created).abs() <= NOW_SLACK,
        };
        in_time
            && start_fits
            && pass.lifetime_min == Some(intent.lifetime_min)
            && pass.one_time == Some(intent.one_time)
            && !known.contains(&pass.id)
    })
}

/// The listed pass that an intent made whose POST was applied long after, if any: everything fits
/// but the time of its making. Only an intent with a start can be told from an admin's pass so late.
pub fn made_late_by<'a>(intent: &Intent, listed: &'a [ListedPass], known: &[String]) -> Option<&'a ListedPass> {
    intent.start?;
    made_by(intent, listed, known, LATEST)
}

/// What follows from `looks` looks that found nothing, this one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// The POST did not happen.
    NotMade,
    /// Lists lag by minutes: look again then.
    LookAgain(DateTime<Utc>),
}

/// Two looks, the last at least ten minutes after the intent. The first ones come early, so that a
/// pass that is there is found within seconds.
pub fn not_found(made_at: DateTime<Utc>, looks: i64, now: DateTime<Utc>) -> NotFound {
    if looks >= LOOKS_NEEDED && now >= made_at + SETTLED_AFTER {
        return NotFound::NotMade;
    }
    let pause = match looks {
        ..=1 => TimeDelta::seconds(45),
        2 => TimeDelta::minutes(2),
        _ => TimeDelta::minutes(5),
    };
    let settled = made_at + SETTLED_AFTER;
    NotFound::LookAgain(if now < settled { (now + pause).min(settled) } else { now + pause })
}

/// What the directory says about a pass whose letter was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Still there, not used.
    Unused,
    /// A one-time pass that was used: the letter arrived.
    Used,
    /// Its life is over.
    Ended,
    /// Somebody else's pass stands in its place.
    Replaced,
    /// A pass that we made for another hire of this account does (I4 is broken, by an older state or a late POST).
    ReplacedByOurs(HireKey),
    /// It is not listed.
    Missing,
}

/// Looks for our pass `id`, valid until `until`, in the list.
pub fn watched(id: &str, until: DateTime<Utc>, listed: &[ListedPass], ours: &OurPasses, now: DateTime<Utc>) -> Watched {
    if let Some(pass) = listed.iter().find(|pass| pass.id == id) {
        return if pass.is_used() {
            Watched::Used
        } else if now >= until || pass.usability == "Expired" {
            Watched::Ended
        } else {
            Watched::Unused
        };
    }
    let live = |pass: &&ListedPass| pass.is_live(now);
    let other = ours
        .other
        .as_ref()
        .filter(|other| listed.iter().filter(live).any(|pass| Some(&pass.id) == other.graph_id.as_ref()));
    if now >= until {
        Watched::Ended
    } else if listed.iter().filter(live).any(|pass| !ours.ids.contains(&pass.id)) {
        Watched::Replaced
    } else if let Some(other) = other {
        Watched::ReplacedByOurs(other.hire.clone())
    } else {
        Watched::Missing
    }
}

/// So long before the start it is asked once more who the manager is: time for a new pass and letter.
const BEFORE_START: TimeDelta = TimeDelta::hours(1);

/// A one-time pass that is unused so long after it became usable is told.
pub const UNUSED_AFTER: TimeDelta = TimeDelta::hours(1);

/// When a mailed pass is looked at next: after settling time, an hour before the start (when the letter
/// went earlier than that), at the start, an hour after, at the end.
///
/// ```
/// use firstpass::rules::unsettled::next_watch;
/// let at = |time: &str| format!("2027-03-01T{time}:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let (mailed, from, until) = (at("06:00"), at("08:00"), at("16:00"));
/// let (mut now, mut looks) = (mailed, Vec::new());
/// while now < until {
///     now = next_watch(mailed, from, until, now);
///     looks.push(now);
/// }
/// assert_eq!(looks, ["06:10", "07:00", "08:00", "09:00", "16:00"].map(at));
/// ```
pub fn next_watch(
    mailed_at: DateTime<Utc>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let before_start = (from - BEFORE_START).max(mailed_at + SETTLED_AFTER);
    [mailed_at + SETTLED_AFTER, before_start, from, from + UNUSED_AFTER, until]
        .into_iter()
        .filter(|at| *at > now)
        .min()
        .unwrap_or(now + SETTLED_AFTER)
}

/// Pauses between tries to tell that a code is void, by how many failed; the last one stays.
const VOID_PAUSES_MIN: [i64; 6] = [1, 2, 5, 10, 15, 30];
/// So long after the end of a pass its recipient is still told: a mailbox that is full or a server that
/// is down over a night takes the letter the next morning. Later the word warns nobody of anything.
pub const VOID_TOLD_UNTIL: TimeDelta = TimeDelta::days(1);

/// When a letter about a void code goes again after so many tries that failed, this one included;
/// `None`: the pass would have ended long ago, and the tries end. `ends` is the end of the pass.
///
/// ```
/// use firstpass::rules::unsettled::void_again;
/// let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
/// let ends = at("2027-03-01T16:00:00Z");
/// assert_eq!(void_again(ends, 1, at("2027-03-01T06:00:00Z")), Some(at("2027-03-01T06:01:00Z")));
/// assert_eq!(void_again(ends, 99, at("2027-03-01T06:00:00Z")), Some(at("2027-03-01T06:30:00Z")));
/// assert_eq!(void_again(ends, 99, at("2027-03-02T15:45:00Z")), Some(at("2027-03-02T16:00:00Z")), "a last time");
/// assert_eq!(void_again(ends, 99, at("2027-03-02T16:00:00Z")), None);
/// ```
pub fn void_again(ends: DateTime<Utc>, failed: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let last = ends.checked_add_signed(VOID_TOLD_UNTIL)?;
    let nth = usize::try_from(failed.saturating_sub(1)).unwrap_or_default();
    let minutes = VOID_PAUSES_MIN.get(nth).or(VOID_PAUSES_MIN.last()).copied()?;
    (now < last).then(|| (now + TimeDelta::minutes(minutes)).min(last))
}

/// A wall time comes first at UTC+14 …
const EASTERNMOST: TimeDelta = TimeDelta::hours(14);
/// … and last at UTC-12.
const WESTERNMOST: TimeDelta = TimeDelta::hours(12);

/// Begins the sentence of a hire whose pass must go and cannot be deleted.
pub const PASS_STAYS: &str = "its pass is still live until ";

super::hire::text_enum! {
    /// Why a pass must go.
    Cause {
        /// The POST's answer was lost, and the code with it.
        LostAnswer = "lost-answer",
        /// The process that held the code is gone.
        LostCode = "lost-code",
        /// Withdrawn by the feed or cancelled by an operator.
        Cancelled = "cancelled",
        /// The start moved.
        Moved = "moved",
        /// The directory names another manager.
        NewManager = "new-manager",
        /// The feed names another account.
        NewAccount = "new-account",
        /// The hire changed while the pass was being made.
        Changed = "changed",
        /// Graph made something else than asked.
        Unexpected = "unexpected",
        /// The mail server refused the letter for good.
        MailRefused = "mail-refused",
        /// The letter could not be handed over for too long.
        MailLate = "mail-late",
        /// The service stopped before the letter was accepted.
        Stopped = "stopped",
    }
}

/// Is a mailed pass still what is wanted? Looks at rows only; account and manager are asked elsewhere.
///
/// `wall` is the start on record as a wall time. Without a zone it stands for all instants that it is
/// anywhere on Earth, and a pass for one of them stays.
pub fn unwanted(
    wanted: &super::next::Wanted,
    wall: NaiveDateTime,
    made_at: DateTime<Utc>,
    start: Option<DateTime<Utc>>,
) -> Option<Cause> {
    use super::hire::{FeedStatus, OperatorStatus};
    if wanted.operator == OperatorStatus::Cancelled || wanted.feed == FeedStatus::Withdrawn {
        return Some(Cause::Cancelled);
    }
    let (earliest, latest) = instants(wanted, wall);
    let fits = match start {
        Some(start) => earliest <= start && start <= latest,
        None => earliest <= made_at + START_SLACK,
    };
    (!fits).then_some(Cause::Moved)
}

/// The start on record comes after the end of a mailed pass: it moved, and that pass has not served it.
pub fn not_served(wanted: &super::next::Wanted, wall: NaiveDateTime, until: DateTime<Utc>) -> bool {
    instants(wanted, wall).1 > until
}

/// Between which instants the start lies.
fn instants(wanted: &super::next::Wanted, wall: NaiveDateTime) -> (DateTime<Utc>, DateTime<Utc>) {
    wanted.morning.as_ref().map_or_else(
        || (wall.and_utc() - EASTERNMOST, wall.and_utc() + WESTERNMOST),
        |morning| (morning.start, morning.start),
    )
}
