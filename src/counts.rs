//! What happened since this process began, counted for `/metrics`.
//!
//! The lowest room: the edges and `work` count here, [`crate::serve`] shows it. Clones share the counts,
//! and counting never waits. A new process begins at zero, which Prometheus knows how to read.
//!
//! **Labels are bounded and say nothing about a person**: words of ours, statuses of HTTP, and names of
//! tenants, feeds and mail ways out of the settings. Never a name, an address, an id or a code.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Lateness that a person tells apart, in seconds: a tick, a minute, a slow mail server, a lost morning.
const LATENESS: [f64; 12] = [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
/// Answers of Microsoft, in seconds, up to the request's own bound.
const ANSWERS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Ticks, in seconds: one that finds nothing takes milliseconds, one with many letters minutes.
const TICKS: [f64; 9] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counts of one process. See the module.
#[derive(Debug, Clone)]
pub struct Counts {
    lateness: Histograms<OfTenant>,
    tries: Family<Try, Counter>,
    graph: Family<GraphAnswer, Counter>,
    graph_seconds: Histograms<OfTenant>,
    tokens_refused: Family<TokenRefused, Counter>,
    mail: Family<MailAnswer, Counter>,
    files: Family<FileRead, Counter>,
    rows: Family<FeedRows, Counter>,
    feed_failures: Family<OfFeed, Counter>,
    ticks: Family<Tick, Counter>,
    tick_seconds: Histogram,
    last_tick: Gauge,
    state_ok: Gauge,
    in_hand: Gauge,
    settings_kept: Gauge,
}

/// By `name` of the `[[tenant]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfTenant {
    pub(crate) tenant: String,
}

/// By `name` of the `[[feed]]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfFeed {
    pub(crate) feed: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Try {
    tenant: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GraphAnswer {
    tenant: String,
    operation: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenRefused {
    tenant: String,
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailAnswer {
    way: String,
    step: &'static str,
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileRead {
    feed: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedRows {
    feed: String,
    change: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tick {
    outcome: &'static str,
}

/// How a request to Microsoft ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// With this status of HTTP.
    Status(u16),
    /// Nothing left this machine.
    NotSent,
    /// Bytes may have been sent; no whole answer came.
    Lost,
}

/// What is asked of Microsoft for a token; every other operation is Graph's.
pub const TOKEN: &str = "token";

/// Who did not take a token, or gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// The token endpoint did not take the credential.
    SignIn,
    /// Graph answered 401.
    Graph,
    /// The mail server did not take XOAUTH2.
    Mail,
}

impl RefusedBy {
    const ALL: [Self; 3] = [Self::SignIn, Self::Graph, Self::Mail];

    fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Graph => "graph",
            Self::Mail => "mail",
        }
    }
}

/// The words for what became of a file, as `review_file` has them.
const FILE_STATES: [&str; 3] = ["taken", "held", "rejected"];

impl Default for Counts {
    fn default() -> Self {
        let of = |constructor: fn() -> Histogram| Histograms::<OfTenant>::new_with_constructor(constructor);
        let counts = Self {
            lateness: of(|| Histogram::new(LATENESS)),
            tries: Family::default(),
            graph: Family::default(),
            graph_seconds: of(|| Histogram::new(ANSWERS)),
            tokens_refused: Family::default(),
            mail: Family::default(),
            files: Family::default(),
            rows: Family::default(),
            feed_failures: Family::default(),
            ticks: Family::default(),
            tick_seconds: Histogram::new(TICKS),
            last_tick: Gauge::default(),
            state_ok: Gauge::default(),
            in_hand: Gauge::default(),
            settings_kept: Gauge::default(),
        };
        counts.state_ok.set(1);
        for outcome in ["done", "failed"] {
            let _at_zero = counts.ticks.get_or_create(&Tick { outcome });
        }
        counts
    }
}

impl Counts {
    /// Series of a tenant that shall stand at zero before they count: the first one is seen as a step.
    pub fn expect_tenant(&self, tenant: &str) {
        let tenant = || tenant.to_owned();
        let _at_zero = self.lateness.get_or_create(&OfTenant { tenant: tenant() });
        let _at_zero = self.graph_seconds.get_or_create(&OfTenant { tenant: tenant() });
        for outcome in ["made", "refused", "unclear", "not-sent", "throttled", "unauthorized"] {
            let _at_zero = self.tries.get_or_create(&Try { tenant: tenant(), outcome });
        }
        for by in RefusedBy::ALL {
            let _at_zero = self.tokens_refused.get_or_create(&TokenRefused { tenant: tenant(), by: by.word() });
        }
    }

    /// As [`Self::expect_tenant`], for a feed.
    pub fn expect_feed(&self, feed: &str) {
        let feed = || feed.to_owned();
        let _at_zero = self.feed_failures.get_or_create(&OfFeed { feed: feed() });
        for state in FILE_STATES {
            let _at_zero = self.files.get_or_create(&FileRead { feed: feed(), state });
        }
        for (change, _) in Rows::default().words() {
            let _at_zero = self.rows.get_or_create(&FeedRows { feed: feed(), change });
        }
    }

    /// A letter with a pass was accepted so long after its send time.
    pub fn letter_accepted(&self, tenant: &str, late: TimeDelta) {
        let late = late.to_std().unwrap_or_default().as_secs_f64();
        self.lateness.get_or_create(&OfTenant { tenant: tenant.to_owned() }).observe(late);
    }

    /// A reload was taken, or the old settings were kept.
    pub fn settings_reloaded(&self, kept: bool) {
        self.settings_kept.set(i64::from(kept));
    }

    /// One POST for a pass, and what came of it.
    pub fn tried(&self, tenant: &str, outcome: &'static str) {
        self.tries.get_or_create(&Try { tenant: tenant.to_owned(), outcome }).inc();
    }

    /// One request to Microsoft; `operation` is a word of ours.
    pub fn graph_answered(&self, tenant: &str, operation: &'static str, answered: Answered, took: Duration) {
        let status = status_word(answered);
        let tenant = || tenant.to_owned();
        self.graph.get_or_create(&GraphAnswer { tenant: tenant(), operation, status }).inc();
        self.graph_seconds.get_or_create(&OfTenant { tenant: tenant() }).observe(took.as_secs_f64());
        match (operation, answered) {
            (TOKEN, Answered::Status(400..=407 | 409..=428 | 430..=499)) => {
                self.token_refused(&tenant(), RefusedBy::SignIn);
            }
            (_, Answered::Status(401)) => self.token_refused(&tenant(), RefusedBy::Graph),
            (_, Answered::Status(_) | Answered::NotSent | Answered::Lost) => {}
        }
    }

    /// A token or credential of this tenant was not taken.
    pub fn token_refused(&self, tenant: &str, by: RefusedBy) {
        self.tokens_refused.get_or_create(&TokenRefused { tenant: tenant.to_owned(), by: by.word() }).inc();
    }

    /// What a mail server, or sendMail, said at a step (`dial`, `letter`).
    pub fn mail_answered(&self, way: &str, step: &'static str, answer: &'static str) {
        self.mail.get_or_create(&MailAnswer { way: way.to_owned(), step, answer }).inc();
    }

    /// A file of this feed was read; `state` as in `review_file`.
    pub fn file_read(&self, feed: &str, state: &str, rows: Rows) {
        if let Some(state) = FILE_STATES.into_iter().find(|known| *known == state) {
            self.files.get_or_create(&FileRead { feed: feed.to_owned(), state }).inc();
        }
        for (change, n) in rows.words() {
            self.rows.get_or_create(&FeedRows { feed: feed.to_owned(), change }).inc_by(n);
        }
    }

    /// A feed could not be read.
    pub fn feed_failed(&self, feed: &str) {
        self.feed_failures.get_or_create(&OfFeed { feed: feed.to_owned() }).inc();
    }

    /// One tick ended; `false`: our own state could not be read or written.
    pub fn ticked(&self, now: DateTime<Utc>, done: bool, took: Duration) {
        self.ticks.get_or_create(&Tick { outcome: if done { "done" } else { "failed" } }).inc();
        self.tick_seconds.observe(took.as_secs_f64());
        self.last_tick.set(now.timestamp());
        self.state_ok.set(i64::from(done));
    }

    /// The last round could read and write the state.
    pub fn state_ok(&self) -> bool {
        self.state_ok.get() == 1
    }

    /// So many codes wait in memory for their letter.
    pub fn in_hand(&self, n: usize) {
        self.in_hand.set(i64::try_from(n).unwrap_or(i64::MAX));
    }

    /// Every count, with its name and what it means.
    pub fn register(&self, to: &mut Registry) {
        to.register(
            "firstpass_letter_lateness_seconds",
            "Time from the planned send time to the mail server's yes, for each letter with a pass; also for hires that HR added after it",
            self.lateness.clone(),
        );
        to.register(
            "firstpass_tries",
            "Requests to Graph to make a pass, by what came of them: made, refused, unclear (looked at before anything else), not-sent, throttled, unauthorized",
            self.tries.clone(),
        );
        to.register(
            "firstpass_graph_answers",
            "Requests to Microsoft by operation and HTTP status; not-sent: nothing left this machine, lost: no whole answer came",
            self.graph.clone(),
        );
        to.register(
            "firstpass_graph_request_duration_seconds",
            "How long Microsoft took for its answers, or we waited for them",
            self.graph_seconds.clone(),
        );
        to.register(
            "firstpass_tokens_refused",
            "Tokens and credentials that were not taken: by the sign-in, by Graph (401), by the mail server (XOAUTH2)",
            self.tokens_refused.clone(),
        );
        to.register(
            "firstpass_mail_answers",
            "What the mail server said, by step (dial: before a pass is made, letter: the letter itself) and kind of answer",
            self.mail.clone(),
        );
        self.register_own(to);
    }

    /// Of the feeds and of the worker itself.
    fn register_own(&self, to: &mut Registry) {
        to.register("firstpass_feed_files", "Files and readings of a feed by what became of them", self.files.clone());
        to.register("firstpass_feed_rows", "Rows of the files that were read, by what they changed", self.rows.clone());
        to.register("firstpass_feed_failures", "Polls at which a feed could not be read", self.feed_failures.clone());
        to.register(
            "firstpass_ticks",
            "Rounds over everything that is due; failed: our own state could not be read or written",
            self.ticks.clone(),
        );
        to.register("firstpass_tick_duration_seconds", "How long a round took", self.tick_seconds.clone());
        to.register(
            "firstpass_last_tick_timestamp_seconds",
            "When a round ended last; 0 before the first",
            self.last_tick.clone(),
        );
        to.register(
            "firstpass_state_writable",
            "1 when the last round could read and write the state, 0 when nothing is issued because it could not",
            self.state_ok.clone(),
        );
        to.register(
            "firstpass_letters_in_hand",
            "Passes whose letter the mail server does not take now; their codes are in memory only, for ten minutes at most",
            self.in_hand.clone(),
        );
        to.register(
            "firstpass_settings_refused",
            "1 since a reload met settings that cannot be used and the old ones stayed, 0 after one that was taken",
            self.settings_kept.clone(),
        );
    }
}

/// Rows of one file by what they changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// New hires.
    pub added: u64,
    /// Moved, amended, returned, vanished.
    pub changed: u64,
    /// Withdrawn.
    pub withdrawn: u64,
    /// As on record.
    pub unchanged: u64,
    /// Start over, left alone.
    pub past: u64,
    /// Rejected.
    pub rejected: u64,
}

impl Rows {
    fn words(self) -> [(&'static str, u64); 6] {
        [
            ("added", self.added),
            ("changed", self.changed),
            ("withdrawn", self.withdrawn),
            ("unchanged", self.unchanged),
            ("past", self.past),
            ("rejected", self.rejected),
        ]
    }
}

/// A status as a label: those that Microsoft documents by themselves, the others by their hundred.
fn status_word(answered: Answered) -> &'static str {
    const KNOWN: [(u16, &str); 18] = [
        (200, "200"),
        (201, "201"),
        (202, "202"),
        (204, "204"),
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (409, "409"),
        (412, "412"),
        (423, "423"),
        (429, "429"),
        (500, "500"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
    ];
    let status = match answered {
        Answered::NotSent => return "not-sent",
        Answered::Lost => return "lost",
        Answered::Status(status) => status,
    };
    KNOWN.iter().find(|(known, _)| *known == status).map_or_else(
        || match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        },
        |(_, word)| word,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(counts: &Counts) -> String {
        let mut registry = Registry::default();
        counts.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn statuses_are_bounded() {
        let all: std::collections::BTreeSet<_> =
            (0..=u16::MAX).map(|status| status_word(Answered::Status(status))).collect();
        assert_eq!(all.len(), 23, "{all:?}");
    }

    #[test]
    fn a_refused_token_is_told_from_a_slow_sign_in() {
        let counts = Counts::default();
        counts.expect_tenant("contoso");
        for (operation, status) in [(TOKEN, 401), (TOKEN, 400), (TOKEN, 429), (TOKEN, 408), (TOKEN, 503), ("user", 401)]
        {
            counts.graph_answered("contoso", operation, Answered::Status(status), Duration::from_millis(20));
        }
        let text = text(&counts);
        assert!(text.contains("firstpass_tokens_refused_total{tenant=\"contoso\",by=\"sign-in\"} 2\n"), "{text}");
        assert!(text.contains("firstpass_tokens_refused_total{tenant=\"contoso\",by=\"graph\"} 1\n"), "{text}");
        assert!(text.contains("firstpass_tokens_refused_total{tenant=\"contoso\",by=\"mail\"} 0\n"), "{text}");
    }

    #[test]
    fn a_letter_before_its_time_by_a_clock_that_went_back_counts_as_on_time() {
        let counts = Counts::default();
        counts.letter_accepted("contoso", TimeDelta::seconds(-7));
        assert!(text(&counts).contains("firstpass_letter_lateness_seconds_bucket{le=\"5.0\",tenant=\"contoso\"} 1"));
    }
}
