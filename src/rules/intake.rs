//! What an incoming row changes, and when a file changes too much.
//!
//! Three questions, each a function: [`first_seen`] (a person whom the state does not know),
//! [`decide`] (one whom it knows) and [`brake`] (the whole file). The staging in `feed` and
//! `store::intake` asks them and writes what they say; the [`Display`](fmt::Display) of a
//! [`Change`] is the dry run and the event. It names days, zones and fields, never people.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::hire::{FeedStatus, Hire, Start, State};

/// What a row does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new hire.
    Add(Start),
    /// A new hire whose start is just over: attention `missed`.
    Missed(Start),
    /// The old engagement is over, this is the next one of the same person.
    Engage(Start),
    /// Another start.
    Move(Start, Start),
    /// Other facts; the names of the fields.
    Amend(Vec<&'static str>),
    /// Withdrawn or vanished before, active again.
    Return(Start),
    /// The feed withdraws the hire.
    Withdraw,
    /// A complete file no longer names the hire.
    Vanish,
    /// Nothing.
    Same,
    /// A start that was over when the person was first seen: left alone.
    Past,
    /// The hire belongs to another feed, which says something else: rejected.
    Foreign(String),
}

impl Change {
    /// The word in events, reports and the staging.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Add(_) => "added",
            Self::Missed(_) => "missed",
            Self::Engage(_) => "engaged",
            Self::Move(..) => "moved",
            Self::Amend(_) => "amended",
            Self::Return(_) => "returned",
            Self::Withdraw => "withdrawn",
            Self::Vanish => "vanished",
            Self::Same => "same",
            Self::Past => "past",
            Self::Foreign(_) => "foreign",
        }
    }
}

/// One line of a dry run. It names people: it is shown, never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeLine {
    /// Line of the file; 0 for a person whom it does not name.
    pub line: u64,
    /// Whom.
    pub employee_id: String,
    /// The name, as the feed writes it now.
    pub display_name: String,
    /// The word of the change.
    pub what: String,
    /// A sentence.
    pub change: String,
    /// When the hire starts then: `2027-03-01 09:00 Europe/Berlin`.
    pub start: String,
    /// What of a known hire changes.
    pub fields: Vec<FieldChange>,
}

/// One field of a known hire, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// `start` (day, time and zone), `user`, `display_name`, `manager`, `language`.
    pub field: &'static str,
    /// As it is on record; may be empty.
    pub from: String,
    /// As the file says it; may be empty.
    pub to: String,
}

/// What differs between the facts on record and a row.
pub fn differences(known: &Hire, row: &Hire) -> Vec<FieldChange> {
    let texts = |hire: &Hire| {
        [
            ("start", start_text(&hire.start)),
            ("user", hire.user.as_text()),
            ("display_name", hire.display_name.clone()),
            ("manager", hire.manager.clone()),
            ("language", hire.language.clone()),
        ]
    };
    let both = texts(known).into_iter().zip(texts(row));
    both.filter(|((_, from), (_, to))| from != to)
        .map(|((field, from), (_, to))| FieldChange { field, from, to })
        .collect()
}

/// `2027-03-01 09:00 Europe/Berlin`.
pub fn start_text(start: &Start) -> String {
    let zone = start.zone.as_ref().map_or("(zone unknown)", |zone| zone.as_str());
    format!("{} {} {zone}", start.date, start.time.format("%H:%M"))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(start) => write!(f, "new, starts {}", start_text(start)),
            Self::Missed(start) => write!(f, "new, and the start {} is over", start_text(start)),
            Self::Engage(start) => write!(f, "starts again {}; the former engagement is kept", start_text(start)),
            Self::Move(from, to) => write!(f, "start moved from {} to {}", start_text(from), start_text(to)),
            Self::Amend(fields) => write!(f, "{} changed", fields.join(", ")),
            Self::Return(start) => write!(f, "named as active again, starts {}", start_text(start)),
            Self::Withdraw => f.write_str("withdrawn by the feed"),
            Self::Vanish => f.write_str("no longer named by the feed, whose files are whole lists"),
            Self::Same => f.write_str("unchanged"),
            Self::Past => f.write_str("start over, left alone"),
            Self::Foreign(feed) => write!(f, "belongs to feed \"{feed}\""),
        }
    }
}

/// How long ago is past (contract 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// So long after the start a missed pass is still sent.
    pub late_until: Duration,
    /// A person first named with a start over by less than this is attention `missed`.
    pub recent: Duration,
}

/// What a row is when nobody knows the person yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstSeen {
    /// A hire to come.
    Add,
    /// `missed`, unless this is the feed's first file or an earlier one named the person; then past.
    Missed,
    /// Start over: counted, left alone.
    Past,
    /// A withdrawn row for somebody unknown changes nothing.
    Nothing,
}

/// The start is over, and so is the time in which a missed pass is still sent.
///
/// Without instants (zone unknown) the day must be over everywhere on Earth.
pub fn is_past(date: NaiveDate, start_at: Option<DateTime<Utc>>, age: &Age, now: DateTime<Utc>) -> bool {
    elapsed(latest(date, start_at), now).is_some_and(|over| over > age.late_until)
}

/// The start, or without one the end of its day where that comes last: at UTC-12, 36 hours after its
/// midnight in UTC.
fn latest(date: NaiveDate, start_at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    start_at.unwrap_or_else(|| date.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::hours(36))
}

fn elapsed(since: DateTime<Utc>, now: DateTime<Utc>) -> Option<Duration> {
    (now - since).to_std().ok()
}

/// A row of somebody whom the state does not know.
pub fn first_seen(hire: &Hire, start_at: Option<DateTime<Utc>>, age: &Age, now: DateTime<Utc>) -> FirstSeen {
    let past = is_past(hire.start.date, start_at, age, now);
    match (hire.withdrawn, past) {
        (true, true) => FirstSeen::Past,
        (true, false) => FirstSeen::Nothing,
        (false, false) => FirstSeen::Add,
        (false, true) => {
            let recent = elapsed(latest(hire.start.date, start_at), now).is_some_and(|over| over < age.recent);
            if recent { FirstSeen::Missed } else { FirstSeen::Past }
        }
    }
}

/// The newest engagement of a person, as the state has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The facts on record.
    pub facts: Hire,
    /// Which feed brought it.
    pub feed: String,
    /// What that feed said last.
    pub feed_status: FeedStatus,
    /// Where the hire stands.
    pub state: State,
    /// A pass is out, or may be: not finished whatever the state says.
    pub live: bool,
}

impl Known {
    /// Delivered, and the pass is over: later changes are recorded only.
    pub fn finished(&self) -> bool {
        self.state == State::Delivered && !self.live
    }
}

/// A row of somebody whom the state knows. `start_at` is the row's start instant.
pub fn decide(feed: &str, known: &Known, row: &Hire, start_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Change {
    // Without an instant it may still come, as long as its day is not over everywhere.
    let ahead = latest(row.start.date, start_at) > now;
    let other_start = known.facts.start != row.start;
    if known.finished() && ahead && !row.withdrawn && known.facts.start.date != row.start.date {
        return Change::Engage(row.start.clone());
    }
    if known.feed != feed {
        let unlike = other_start || row.withdrawn != known.facts.withdrawn || !amended(&known.facts, row).is_empty();
        return match (unlike, known.finished() && !ahead) {
            (false, _) => Change::Same,
            (true, true) => Change::Past,
            (true, false) => Change::Foreign(known.feed.clone()),
        };
    }
    match (known.feed_status, row.withdrawn) {
        (FeedStatus::Withdrawn, true) => Change::Same,
        (FeedStatus::Active | FeedStatus::Vanished, true) => Change::Withdraw,
        (FeedStatus::Withdrawn | FeedStatus::Vanished, false) => Change::Return(row.start.clone()),
        (FeedStatus::Active, false) if other_start => Change::Move(known.facts.start.clone(), row.start.clone()),
        (FeedStatus::Active, false) => match amended(&known.facts, row) {
            fields if fields.is_empty() => Change::Same,
            fields => Change::Amend(fields),
        },
    }
}

fn amended(known: &Hire, row: &Hire) -> Vec<&'static str> {
    let mut fields = Vec::new();
    if known.user != row.user {
        fields.push("user");
    }
    if known.display_name != row.display_name {
        fields.push("display_name");
    }
    if known.manager != row.manager {
        fields.push("manager");
    }
    if known.language != row.language {
        fields.push("language");
    }
    fields
}

/// How much one file may change (contract 3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrakeRules {
    /// More new hires than this.
    pub max_new: u64,
    /// More moved, withdrawn or vanished ones.
    pub max_changes: u64,
    /// A larger share of the pending hires so changed.
    pub max_changes_share: f64,
}

/// A share says nothing about fewer than this many changes.
const SHARE_FROM: u64 = 20;

/// What a file would change, of hires that are not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Rows of the file.
    pub rows: u64,
    /// New hires.
    pub new: u64,
    /// Moved, withdrawn.
    pub changed: u64,
    /// Vanished.
    pub vanished: u64,
    /// The feed's hires that wait for their morning.
    pub pending: u64,
}

/// Why a file is held whole, or `None` when it may go in.
///
/// ```
/// use firstpass::rules::intake::{BrakeRules, Weight, brake};
/// let rules = BrakeRules { max_new: 1000, max_changes: 200, max_changes_share: 0.2 };
/// assert_eq!(brake(&rules, &Weight { rows: 900, new: 900, ..Weight::default() }), None);
/// assert!(brake(&rules, &Weight { rows: 1001, new: 1001, ..Weight::default() }).is_some());
/// assert_eq!(brake(&rules, &Weight { rows: 50, changed: 19, pending: 20, ..Weight::default() }), None);
/// assert!(brake(&rules, &Weight { rows: 50, changed: 20, pending: 99, ..Weight::default() }).is_some());
/// ```
pub fn brake(rules: &BrakeRules, weight: &Weight) -> Option<String> {
    let moved = weight.changed.saturating_add(weight.vanished);
    if weight.rows == 0 && weight.vanished > 0 {
        return Some(format!("the file names nobody, and {} hires would vanish with it", weight.vanished));
    }
    if weight.new > rules.max_new {
        return Some(format!("{} new hires, and max_new is {}", weight.new, rules.max_new));
    }
    let what = format!("{} of {} pending hires moved, withdrawn or vanished", moved, weight.pending);
    if moved > rules.max_changes {
        return Some(format!("{what}, and max_changes is {}", rules.max_changes));
    }
    let share = f64::from(u32::try_from(moved).unwrap_or(u32::MAX))
        / f64::from(u32::try_from(weight.pending).unwrap_or(u32::MAX)).max(1.0);
    if moved >= SHARE_FROM && share > rules.max_changes_share {
        return Some(format!("{what}, and max_changes_share is {}", rules.max_changes_share));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::calendar::Zone;
    use super::super::hire::UserRef;
    use super::*;

    const AGE: Age = Age { late_until: Duration::from_hours(8), recent: Duration::from_hours(7 * 24) };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hire(date: &str) -> Hire {
        Hire {
            employee_id: "1".to_owned(),
            user: UserRef::ByEmployeeId,
            display_name: "Ada".to_owned(),
            start: Start {
                date: date.parse().unwrap(),
                time: "09:00:00".parse().unwrap(),
                zone: Zone::parse("Europe/Berlin").ok(),
            },
            manager: String::new(),
            language: String::new(),
            withdrawn: false,
        }
    }

    fn known(state: State, live: bool) -> Known {
        Known { facts: hire("2027-03-01"), feed: "hr".to_owned(), feed_status: FeedStatus::Active, state, live }
    }

    #[test]
    fn first_seen_by_age() {
        let seen = |withdrawn: bool, now: &str| {
            let hire = Hire { withdrawn, ..hire("2027-03-01") };
            first_seen(&hire, Some(at("2027-03-01T08:00:00Z")), &AGE, at(now))
        };
        assert_eq!(seen(false, "2027-02-01T00:00:00Z"), FirstSeen::Add);
        assert_eq!(seen(false, "2027-03-01T16:00:00Z"), FirstSeen::Add, "still sent late");
        assert_eq!(seen(false, "2027-03-01T16:00:01Z"), FirstSeen::Missed);
        assert_eq!(seen(false, "2027-03-08T07:59:59Z"), FirstSeen::Missed);
        assert_eq!(seen(false, "2027-03-08T08:00:00Z"), FirstSeen::Past);
        assert_eq!(seen(true, "2027-02-01T00:00:00Z"), FirstSeen::Nothing);
        assert_eq!(seen(true, "2027-03-02T00:00:00Z"), FirstSeen::Past);
        // Nobody knows the zone: the day is over everywhere at noon UTC of the next.
        let unknown = |now: &str| first_seen(&hire("2027-03-01"), None, &AGE, at(now));
        assert_eq!(unknown("2027-03-02T20:00:00Z"), FirstSeen::Add, "attention zone-unknown");
        assert_eq!(unknown("2027-03-02T20:00:01Z"), FirstSeen::Missed);
        assert_eq!(unknown("2027-03-09T12:00:00Z"), FirstSeen::Past);
    }

    #[test]
    fn a_person_on_record() {
        let now = at("2027-02-01T00:00:00Z");
        let decide = |known: &Known, row: &Hire, start: &str| decide("hr", known, row, Some(at(start)), now);
        let pending = known(State::Pending, false);
        assert_eq!(decide(&pending, &hire("2027-03-01"), "2027-03-01T08:00:00Z"), Change::Same);
        let moved = decide(&pending, &hire("2027-03-08"), "2027-03-08T08:00:00Z");
        assert_eq!(
            moved.to_string(),
            "start moved from 2027-03-01 09:00 Europe/Berlin to 2027-03-08 09:00 Europe/Berlin"
        );
        let amended = Hire { manager: "mia".to_owned(), language: "de".to_owned(), ..hire("2027-03-01") };
        assert_eq!(decide(&pending, &amended, "2027-03-01T08:00:00Z").to_string(), "manager, language changed");
        let gone = Hire { withdrawn: true, ..hire("2027-03-01") };
        assert_eq!(decide(&pending, &gone, "2027-03-01T08:00:00Z"), Change::Withdraw);
        let back = Known { feed_status: FeedStatus::Withdrawn, ..known(State::Cancelled, false) };
        assert!(matches!(decide(&back, &hire("2027-03-01"), "2027-03-01T08:00:00Z"), Change::Return(_)));
        assert_eq!(decide(&back, &gone, "2027-03-01T08:00:00Z"), Change::Same);
    }

    #[test]
    fn a_new_engagement_needs_a_finished_one_and_a_start_ahead() {
        let now = at("2027-06-01T00:00:00Z");
        let row = hire("2027-09-01");
        let ahead = Some(at("2027-09-01T07:00:00Z"));
        assert!(matches!(decide("hr", &known(State::Delivered, false), &row, ahead, now), Change::Engage(_)));
        assert!(matches!(decide("other", &known(State::Delivered, false), &row, ahead, now), Change::Engage(_)));
        assert!(matches!(decide("hr", &known(State::Delivered, true), &row, ahead, now), Change::Move(..)));
        assert!(matches!(decide("hr", &known(State::Attention, false), &row, ahead, now), Change::Move(..)));
        assert!(matches!(decide("hr", &known(State::Delivered, false), &row, Some(now), now), Change::Move(..)));
        assert!(matches!(decide("hr", &known(State::Delivered, false), &row, None, now), Change::Engage(_)), "no zone");
        let over = hire("2027-05-30");
        assert!(matches!(decide("hr", &known(State::Delivered, false), &over, None, now), Change::Move(..)));
        assert_eq!(decide("other", &known(State::Pending, false), &row, ahead, now), Change::Foreign("hr".to_owned()));
        assert_eq!(decide("other", &known(State::Delivered, false), &row, Some(now), now), Change::Past);
    }

    #[test]
    fn an_empty_whole_list_is_always_a_question() {
        let rules = BrakeRules { max_new: 1000, max_changes: 200, max_changes_share: 0.2 };
        assert!(brake(&rules, &Weight { rows: 0, vanished: 1, pending: 1, ..Weight::default() }).is_some());
        assert_eq!(brake(&rules, &Weight::default()), None);
    }
}
