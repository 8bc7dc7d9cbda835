//! A desk for the stories of the feed: a real drop folder and a real state, and the time in hand.
//!
//! Files are dropped, the folder is polled, and what the state holds is read back by plain SQL.

mod bytes;
mod corpus;
mod engines;
mod folders;
mod properties;
mod rosters;
mod safety;
mod samples;
mod upkeep;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use firstpass::config::{Feed, FeedKind, TenantRules};
use firstpass::feed::{Eyes, FileReport};
use firstpass::rules::calendar::{Schedule, Zone};
use firstpass::rules::channel::{ChannelRules, Mismatch};
use firstpass::rules::guard::{ForeignPass, GuardRules, Leave, PassRules};
use firstpass::store::{Open, Store};
use firstpass::work::intake::{self, Answer, IntakeError};

/// One feed with its folder and state.
pub(crate) struct FeedDesk {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) feed: Feed,
    pub(crate) rules: TenantRules,
    pub(crate) store: Store,
    pub(crate) eyes: Eyes,
    pub(crate) now: DateTime<Utc>,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn rules() -> TenantRules {
    let hours = Duration::from_hours;
    TenantRules {
        schedule: Schedule {
            send_at: "07:00:00".parse().unwrap(),
            start_at: "09:00:00".parse().unwrap(),
            late_until: hours(8),
            ready_check: hours(96),
            tries: 20,
        },
        zone: None,
        pass: PassRules { lifetime: hours(8), shortest: Duration::from_mins(30), one_time: true },
        guard: GuardRules {
            registered_methods: Leave::Refuse,
            ignore_methods: Vec::new(),
            foreign_pass: ForeignPass::Refuse,
        },
        channel: ChannelRules { domains: Vec::new(), manager_mismatch: Mismatch::Refuse },
    }
}

pub(crate) fn feed(name: &str, folder: PathBuf) -> Feed {
    Feed {
        name: name.to_owned(),
        tenant: "contoso".to_owned(),
        folder,
        kind: FeedKind::Csv,
        poll: None,
        settle: Duration::ZERO,
        complete: false,
        max_new: 1000,
        max_changes: 200,
        max_changes_share: 0.2,
        expect_every: Duration::from_hours(26),
        recent: Duration::from_hours(7 * 24),
        keep_files: Duration::from_hours(30 * 24),
        columns: [].into(),
        zones: [("Chicago".to_owned(), Zone::parse("America/Chicago").unwrap())].into(),
        encoding: None,
        date_format: None,
    }
}

/// What Ada says about a held file.
pub(crate) fn said<'a>(which: &'a str, reason: &'a str, dry_run: bool) -> Answer<'a> {
    Answer { which, reason, by: "ada", dry_run }
}

impl FeedDesk {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("drop");
        std::fs::create_dir(&folder).unwrap();
        let url = format!("sqlite:{}", dir.path().join("state.db").display());
        let store = Store::open(&url, &Open::default()).await.unwrap();
        Self {
            feed: feed("hr", folder),
            dir,
            rules: rules(),
            store,
            eyes: Eyes::default(),
            now: at("2027-02-01T00:00:00Z"),
        }
    }

    /// On a state that is there already.
    pub(crate) fn on(store: Store, now: DateTime<Utc>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("drop");
        std::fs::create_dir(&folder).unwrap();
        Self { feed: feed("hr", folder), dir, rules: rules(), store, eyes: Eyes::default(), now }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.feed.folder
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder().join(name), bytes).unwrap();
    }

    pub(crate) async fn poll(&mut self) -> Vec<FileReport> {
        self.now += chrono::TimeDelta::seconds(1);
        intake::poll(&self.feed, &self.rules, &self.store, &mut self.eyes, self.now).await.unwrap()
    }

    /// A later moment, and what the service does then besides reading files.
    pub(crate) async fn upkeep_at(&mut self, now: &str) {
        self.now = at(now);
        intake::upkeep(&self.feed, &self.store, &self.eyes, self.now).await.unwrap();
    }

    pub(crate) async fn try_poll(&mut self) -> Result<Vec<FileReport>, IntakeError> {
        intake::poll(&self.feed, &self.rules, &self.store, &mut self.eyes, self.now).await
    }

    /// Drops one file and takes it.
    pub(crate) async fn drop_file(&mut self, name: &str, text: impl AsRef<[u8]>) -> FileReport {
        self.write(name, text);
        let mut reports = self.poll().await;
        assert_eq!(reports.len(), 1, "one file, one report");
        reports.remove(0)
    }

    /// First column of a question, as texts.
    pub(crate) async fn ask(&self, sql: &'static str) -> Vec<String> {
        match &self.store {
            Store::Sqlite { read, .. } => sqlx::query_scalar(sql).fetch_all(read).await.unwrap(),
            Store::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    /// The hires: id, engagement, date, state, reason, feed_status, revision.
    pub(crate) async fn hires(&self) -> Vec<String> {
        self.ask(
            "SELECT employee_id || ' ' || engagement || ' ' || start_date || ' ' || state || ' ' || coalesce(reason, '-')
                 || ' ' || feed_status || ' r' || revision FROM hire ORDER BY employee_id, engagement",
        )
        .await
    }

    pub(crate) async fn write_sql(&self, sql: &'static str) {
        match &self.store {
            Store::Sqlite { write, .. } => drop(sqlx::query(sql).execute(write).await.unwrap()),
            Store::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
        }
    }

    /// Names in a part of the folder, sorted.
    pub(crate) fn names(&self, part: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder().join(part))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().map(|kind| !kind.is_dir()).unwrap())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder().join(path)).unwrap()
    }
}

/// `counts(&report)`: rows added changed withdrawn unchanged past rejected.
pub(crate) fn counts(report: &FileReport) -> [u64; 7] {
    [report.rows, report.added, report.changed, report.withdrawn, report.unchanged, report.past, report.rejected]
}

pub(crate) fn roster(head: &str, rows: &[&str]) -> String {
    format!("{head}\n{}\n", rows.join("\n"))
}
