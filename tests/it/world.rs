//! A small world for the tests: a model tenant, a model mail server, a drop folder, a state, and a
//! clock in hand that jumps from moment to moment.
//!
//! Tests read as stories: given this feed, at this time, then this mailbox. `finish` looks at
//! everything that was left behind and asserts the invariants of `faults.md` by their numbers.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;
use firstpass::config::{Auth, Limits, Settings, Tls, Via};
use firstpass::feed::FileReport;
use firstpass::sandbox::mailbox::{ModelMailServer, Options, ReceivedLetter};
use firstpass::sandbox::tenant::{Directory, Kind, ModelPass, ModelTenant, ModelUser};
use firstpass::sandbox::tls::Ca;
use firstpass::store::{Filter, Open, ReviewRow, Store, View};
use firstpass::work::Work;
use firstpass::work::tick::{Feeds, TickReport, tick};
use sqlx::Row;
use uuid::Uuid;

/// The client secret, which must never be found outside its file.
pub(crate) const CLIENT_SECRET: &str = "cl13nt-S3cret-of-the-tests~~";
/// The mail password, which must never be found outside its file.
pub(crate) const MAIL_PASSWORD: &str = "m41l-Passw0rd-of-the-tests";
/// Everything in the tests happens around Monday, 1 March 2027.
pub(crate) const FRIDAY: &str = "2027-02-26T12:00:00Z";

/// See the module.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) tenant: ModelTenant,
    pub(crate) mail: ModelMailServer,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) work: Option<Arc<Work>>,
    pub(crate) reports: Vec<FileReport>,
    /// What a test does on purpose; `finish` then does not hold it against the program.
    pub(crate) allow: Allow,
}

/// Invariants that a story breaks from outside.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that a story may do, and most do none")]
pub(crate) struct Allow {
    /// Pass rows may be unsettled when the story ends.
    pub(crate) unsettled: bool,
    /// Our own pass may have been overridden by a late POST of our own.
    pub(crate) late_post: bool,
    /// The state was brought back from a backup: rows about what was sent since are gone.
    pub(crate) restored: bool,
    /// The story wrote into the state what a new process finds there.
    pub(crate) by_hand: bool,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|_| panic!("{text} is no instant"))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// `extra` is appended to the settings: a table of its own, or keys for a table named in it.
    pub(crate) async fn with(extra: &str) -> Self {
        Self::with_limits(extra, short_limits()).await
    }

    pub(crate) async fn with_limits(extra: &str, limits: Limits) -> Self {
        let mut world = Self::around(extra, limits, Clock::hand(at(FRIDAY)));
        world.restart().await;
        world
    }

    /// Tenant, mail server, folders and settings at a clock, without a worker.
    pub(crate) fn around(extra: &str, limits: Limits, clock: Clock) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::new().unwrap();
        let tenant = ModelTenant::start(&ca, clock.clone(), 0).unwrap();
        tenant.edit(|directory| {
            CLIENT_SECRET.clone_into(&mut directory.client_secret);
            directory.page = Some(2);
        });
        let options = Options {
            tls: Tls::Starttls,
            users: vec![("firstpass@contoso.example".to_owned(), MAIL_PASSWORD.to_owned())],
            clock: clock.clone(),
            ..Options::default()
        };
        let mail = ModelMailServer::start(&ca, options, 0).unwrap();
        let text = settings_text(dir.path(), &tenant, &mail, extra);
        write_files(dir.path(), &ca, &text);
        let settings = Settings::load(&dir.path().join("firstpass.toml"), std::iter::empty())
            .unwrap_or_else(|error| panic!("the settings of the test are refused:\n{error}\n{text}"));
        let world = Self {
            dir,
            clock,
            tenant,
            mail,
            settings: Arc::new(settings),
            limits,
            work: None,
            reports: Vec::new(),
            allow: Allow::default(),
        };
        world.people();
        world.mail_by_the_tenant();
        world
    }

    /// Graph mail and XOAUTH2 as the settings ask: a mailbox to send from, and the mail server beside
    /// the tenant.
    fn mail_by_the_tenant(&self) {
        let mailbox = |upn: &str| {
            self.tenant.edit(|directory| {
                let user = ModelUser { mail: Some(upn.to_owned()), ..ModelUser::member(upn, "Onboarding") };
                directory.add(user);
                directory.may_send_as = vec![upn.to_owned()];
            });
        };
        match &self.settings.mail.via {
            Via::Graph { .. } => {
                mailbox("onboarding@contoso.example");
                self.tenant.mail_goes_to(&self.mail);
            }
            Via::Smtp(smtp) => match smtp.auth {
                Auth::Xoauth2 { .. } => {
                    mailbox(&smtp.username);
                    self.mail.edit(|options| options.users.clear());
                    self.mail.takes_tokens_of(&self.tenant);
                }
                Auth::None | Auth::Password => {}
            },
        }
    }

    /// Two managers, and four hires in four zones. Names are in the snapshots of the letters.
    fn people(&self) {
        self.person("mia.manager@contoso.example", "Mia Manager", "M1", None);
        self.person("omar.okafor@contoso.example", "Omar Okafor", "M2", None);
        self.person("ada.lovelace@contoso.example", "Ada Lovelace", "E1", Some("mia.manager@contoso.example"));
        self.person("grace.hopper@contoso.example", "Grace Hopper", "E2", Some("omar.okafor@contoso.example"));
        self.person("alan.turing@contoso.example", "Alan Turing", "E3", Some("mia.manager@contoso.example"));
        self.person(
            "katherine.johnson@contoso.example",
            "Katherine Johnson",
            "E4",
            Some("omar.okafor@contoso.example"),
        );
    }

    /// Adds an account to the directory.
    pub(crate) fn person(&self, upn: &str, name: &str, employee_id: &str, manager: Option<&str>) -> Uuid {
        self.tenant.edit(|directory| {
            let manager = manager.and_then(|upn| directory.find(upn).map(|user| user.id));
            let mut user = ModelUser::member(upn, name);
            user.employee_id = Some(employee_id.to_owned());
            user.mail = Some(upn.to_owned());
            user.manager = manager;
            directory.add(user)
        })
    }

    /// Changes an account.
    pub(crate) fn change(&self, upn: &str, change: impl FnOnce(&mut ModelUser)) {
        self.tenant.edit(|directory: &mut Directory| change(directory.user(upn).expect("an account of that name")));
    }

    pub(crate) fn id_of(&self, upn: &str) -> Uuid {
        self.tenant.edit(|directory| directory.find(upn).expect("an account of that name").id)
    }

    /// HR writes a file.
    pub(crate) fn drop_file(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join("drop").join(name), text).unwrap();
    }

    /// The file of most stories: Ada starts in Berlin on Monday at nine.
    pub(crate) fn drop_ada(&self) {
        self.drop_file("hires.csv", ADA);
    }

    pub(crate) fn work(&self) -> &Arc<Work> {
        self.work.as_ref().expect("a running worker")
    }

    /// A new process over the same state.
    pub(crate) async fn restart(&mut self) {
        self.work = None;
        self.work = Some(Arc::new(self.new_work().await));
    }

    pub(crate) async fn new_work(&self) -> Work {
        let store = self.store().await;
        Work::new(Arc::clone(&self.settings), self.limits.clone(), store, self.clock.clone()).unwrap()
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.settings.state.url, &Open::default()).await.unwrap()
    }

    pub(crate) fn set(&self, instant: &str) {
        self.clock.set(at(instant));
    }

    pub(crate) fn pass_time(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    pub(crate) async fn tick(&mut self) -> TickReport {
        let work = Arc::clone(self.work());
        let mut report = tick(&work, Feeds::Read).await.unwrap();
        self.reports.append(&mut report.files);
        report
    }

    /// Jumps from one interesting moment to the next until `end`.
    pub(crate) async fn until(&mut self, end: &str) {
        let end = at(end);
        for _ in 0..3000 {
            let report = self.tick().await;
            let now = self.clock.now();
            match report.next_due {
                Some(due) if due <= end => self.clock.set(due.max(now + TimeDelta::seconds(1))),
                Some(_) | None => {
                    self.clock.set(end);
                    self.tick().await;
                    return;
                }
            }
            if self.clock.now() > end {
                self.clock.set(end);
            }
        }
        panic!("3000 moments before {end}: something spins\n{}", self.story().await);
    }

    pub(crate) fn letters(&self) -> Vec<ReceivedLetter> {
        self.mail.letters()
    }

    /// Letters with a code in them.
    pub(crate) fn code_letters(&self) -> Vec<ReceivedLetter> {
        self.letters().into_iter().filter(|letter| letter.code().is_some()).collect()
    }

    /// The passes that the program made for an account.
    pub(crate) fn passes(&self, upn: &str) -> Vec<ModelPass> {
        self.tenant.passes(self.id_of(upn)).into_iter().filter(|pass| pass.by_app).collect()
    }

    pub(crate) fn live_passes(&self, upn: &str) -> Vec<ModelPass> {
        let now = self.clock.now();
        self.tenant.passes(self.id_of(upn)).into_iter().filter(|pass| pass.is_live(now)).collect()
    }

    pub(crate) async fn hires(&self) -> Vec<ReviewRow> {
        self.work().store.review(View::Hire, &Filter::default()).await.unwrap()
    }

    pub(crate) async fn hire(&self, employee_id: &str) -> ReviewRow {
        let hires = self.hires().await;
        let last = hires.into_iter().rfind(|hire| hire.employee_id == employee_id);
        last.unwrap_or_else(|| panic!("no hire {employee_id}"))
    }

    pub(crate) async fn state(&self, employee_id: &str) -> (String, Option<String>) {
        let hire = self.hire(employee_id).await;
        (hire.state, hire.reason)
    }

    /// What happened, for messages of failed assertions.
    pub(crate) async fn story(&self) -> String {
        let mut story = String::new();
        let rows = self.raw("SELECT at, what, why, by_whom FROM event ORDER BY seq").await;
        for row in rows {
            let at = DateTime::from_timestamp_millis(row.get::<i64, _>(0)).unwrap();
            let (what, why, by): (String, String, String) = (row.get(1), row.get(2), row.get(3));
            let _ = writeln!(story, "{at} {what}: {why} ({by})");
        }
        for hire in self.hires().await {
            let _ = writeln!(story, "{} {} {:?} {}", hire.employee_id, hire.state, hire.reason, hire.what_to_do);
        }
        for (n, seen) in self.tenant.journal().iter().enumerate() {
            if matches!(seen.kind, Kind::PassCreate | Kind::PassDelete | Kind::PassList | Kind::SendMail)
                || seen.faulted
            {
                let _ = writeln!(story, "#{n} {} {:?} {} → {}", seen.at, seen.kind, seen.path, seen.status);
            }
        }
        story
    }

    pub(crate) async fn raw(&self, sql: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
        let path = self.settings.state.url.trim_start_matches("sqlite:").to_owned();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    }
}

/// One hire who starts in Berlin on Monday.
pub(crate) const ADA: &str = "employee_id,user,display_name,start_date,start_time,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n";

/// As production: several attempts under way at once. For stories of several hires; with one after the
/// other a story is the same every time.
pub(crate) fn side_by_side() -> Limits {
    Limits { at_once: Limits::default().at_once, ..short_limits() }
}

/// Network waits of a test; instants are the model's.
pub(crate) fn short_limits() -> Limits {
    Limits {
        graph_connect: Duration::from_secs(5),
        graph_request: Duration::from_secs(5),
        smtp_step: Duration::from_secs(5),
        smtp_data: Duration::from_secs(5),
        at_once: 1,
        ..Limits::default()
    }
}

fn settings_text(dir: &Path, tenant: &ModelTenant, mail: &ModelMailServer, extra: &str) -> String {
    let dir = dir.display();
    let origin = tenant.origin();
    let origin = origin.as_str().trim_end_matches('/');
    let (tenant_id, client_id) = tenant.edit(|directory| (directory.tenant_id, directory.client_id.clone()));
    let port = mail.port();
    let mut text = format!(
        r#"
[state]
url = "sqlite:{dir}/state.db"

[[tenant]]
name = "contoso"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
client_secret_file = "{dir}/secret-client"
login_url = "{origin}"
graph_url = "{origin}"
ca_file = "{dir}/ca.pem"

[[feed]]
name = "hr"
tenant = "contoso"
kind = "csv"
folder = "{dir}/drop"
settle = "0s"

[mail]
from = "Onboarding <onboarding@contoso.example>"
help = "Service desk, +49 30 1234"

[mail.smtp]
host = "localhost"
port = {port}
tls = "starttls"
auth = "password"
username = "firstpass@contoso.example"
password_file = "{dir}/secret-mail"
ca_file = "{dir}/ca.pem"

[serve]
listen = ""
"#
    );
    for line in extra.lines() {
        if let Some((table, key)) = line.trim().split_once(" += ") {
            text = with_key(&text, table, key);
        } else if let Some((old, new)) = line.trim().split_once(" => ") {
            let replaced = text.lines().map(|line| if line.starts_with(old) { new } else { line });
            text = replaced.collect::<Vec<_>>().join("\n") + "\n";
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The key in that table, instead of one of its name.
fn with_key(text: &str, table: &str, key: &str) -> String {
    let name = format!("{} = ", key.split(" = ").next().unwrap());
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        inside = if line.starts_with('[') { line == table } else { inside };
        if !(inside && line.starts_with(&name)) {
            lines.push(line);
        }
        if line == table {
            lines.push(key);
        }
    }
    lines.join("\n") + "\n"
}

fn write_files(dir: &Path, ca: &Ca, settings: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(dir.join("drop")).unwrap();
    std::fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    std::fs::write(dir.join("firstpass.toml"), settings).unwrap();
    for (name, secret) in [("secret-client", CLIENT_SECRET), ("secret-mail", MAIL_PASSWORD)] {
        std::fs::write(dir.join(name), secret).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl World {
    /// An operator acts.
    pub(crate) async fn operate(&self, key: &str, act: firstpass::store::Operate) {
        let key = firstpass::store::KeyText(key.to_owned());
        let now = self.clock.now();
        self.work().store.operate(now, &key, act, "because of the story", "tester", false).await.unwrap();
    }
}
