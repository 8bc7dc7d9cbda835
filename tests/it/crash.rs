//! A crash at every boundary of the morning (F1–F10): at each request to the tenant, before and
//! after it was applied, at each SMTP command, and at the polls between them.
//!
//! The model holds the answer while the worker's own runtime is dropped; then the state is opened
//! again by a new worker and time goes on. At every moment there is at most one live pass of ours,
//! in the end exactly one, and it is the one in the last letter (I4, I5, I17). Read on in `crash_commits`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::{Effect, Kind, When};
use firstpass::store::{Open, Store};
use firstpass::work::Work;
use firstpass::work::tick::{Feeds, tick};

use crate::world::{World, at};

pub(crate) const ADA: &str = "ada.lovelace@contoso.example";
const MORNING: &str = "2027-03-01T06:00:00Z";

/// Ada's morning has come, and nothing was done yet.
pub(crate) async fn monday_morning() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.set(MORNING);
    world
}

impl World {
    /// Runs a tick in a runtime of its own, which is dropped when `cut` comes to pass. Returns
    /// whether it did.
    pub(crate) async fn crash_when(&mut self, cut: impl Future<Output = ()>) -> bool {
        self.work = None;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (settings, limits, clock) = (Arc::clone(&self.settings), self.limits.clone(), self.clock.clone());
        let worker = runtime.spawn(async move {
            let store = Store::open(&settings.state.url, &Open::default()).await.unwrap();
            let work = Work::new(settings, limits, store, clock).unwrap();
            tick(&work, Feeds::Read).await.unwrap();
        });
        let crashed = tokio::select! {
            () = cut => true,
            ended = worker => { ended.unwrap(); false }
        };
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await.unwrap();
        self.restart().await;
        crashed
    }
}

#[tokio::test]
async fn f1_to_f7_at_every_request_before_and_after_it_was_applied() {
    let mut whole = monday_morning().await;
    // A new process, as in each crash below: it asks for a token first.
    whole.restart().await;
    let before = whole.tenant.requests();
    whole.tick().await;
    let n_requests = whole.tenant.requests() - before;
    assert!(n_requests >= 10, "the morning asks {n_requests} questions");
    assert_eq!(whole.tenant.journal().last().unwrap().kind, Kind::PassCreate, "the POST is among them");
    whole.ends_well(ADA, 2, "no crash").await;

    for nth in 1..=n_requests {
        for when in [When::Before, When::After] {
            let mut world = monday_morning().await;
            world.tenant.fault_any(nth, when, Effect::Hold);
            let tenant = world.tenant.clone();
            let crashed = world.crash_when(async move { tenant.held().await }).await;
            assert!(crashed, "request {nth} was never made");
            world.ends_well(ADA, 2, &format!("crash {when:?} request {nth} of {n_requests}")).await;
        }
    }
}

#[tokio::test]
async fn f4_a_late_post_of_a_dead_process_is_found_and_deleted() {
    let mut world = monday_morning().await;
    let n_before = world.tenant.count(Kind::PassCreate);
    let fault =
        firstpass::sandbox::tenant::Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect: Effect::Hold };
    world.tenant.fault(fault);
    let tenant = world.tenant.clone();
    assert!(world.crash_when(async move { tenant.held().await }).await);
    assert_eq!(world.tenant.count(Kind::PassCreate), n_before + 1);
    world.tick().await;
    world.tenant.release();
    world.ends_well(ADA, 2, "a POST that was applied after the crash").await;
}

#[tokio::test]
async fn f6_to_f9_at_every_smtp_command() {
    let verbs = [
        Verb::Connect,
        Verb::Ehlo,
        Verb::Starttls,
        Verb::Auth,
        Verb::Mail,
        Verb::Rcpt,
        Verb::Data,
        Verb::Body,
        Verb::Dot,
    ];
    for verb in verbs {
        for when in [mailbox::When::Before, mailbox::When::After] {
            let mut world = monday_morning().await;
            world.mail.fault(MailFault { verb, nth: 1, when, effect: mailbox::Effect::Hold });
            let mail = world.mail.clone();
            let crashed = world.crash_when(async move { mail.held().await }).await;
            assert!(crashed, "{verb:?} was never said");
            world.ends_well(ADA, 2, &format!("crash {when:?} {verb:?}")).await;
        }
    }
}

/// Dead after the final dot: the letter is out, and nothing says so.
pub(crate) async fn dead_behind_the_dot() -> World {
    let mut world = monday_morning().await;
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::After, effect: mailbox::Effect::Hold });
    let mail = world.mail.clone();
    assert!(world.crash_when(async move { mail.held().await }).await);
    assert_eq!(world.code_letters().len(), 1);
    world
}

#[tokio::test]
async fn f8_a_pass_that_was_used_after_a_crash_was_received() {
    let mut world = dead_behind_the_dot().await;
    let code = world.code_letters()[0].code().unwrap();
    world.set("2027-03-01T08:05:00Z");
    assert!(world.tenant.use_pass(world.id_of(ADA), &code));
    world.until("2027-03-01T12:00:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.outcome.as_deref()), ("delivered", Some("used")), "{}", world.story().await);
    assert_eq!(world.letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f8_a_letter_of_a_dead_process_is_taken_back_by_a_letter() {
    let mut world = dead_behind_the_dot().await;
    let withdrawn =
        crate::world::ADA.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
    world.drop_file("withdrawn.csv", &withdrawn);
    world.until("2027-03-01T12:00:00Z").await;
    assert_eq!(world.state("E1").await.0, "cancelled");
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    assert_eq!(world.letters().len(), 2, "the manager is told\n{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn a_crash_while_settling_a_crash() {
    for nth in 1..=3 {
        let mut world = monday_morning().await;
        let fault = firstpass::sandbox::tenant::Fault {
            kind: Kind::PassCreate,
            nth: 1,
            when: When::After,
            effect: Effect::Hold,
        };
        world.tenant.fault(fault);
        let tenant = world.tenant.clone();
        assert!(world.crash_when(async move { tenant.held().await }).await);
        world.tenant.fault_any(nth, When::After, Effect::Hold);
        let tenant = world.tenant.clone();
        let holding = world.tenant.holding();
        let crashed = world
            .crash_when(async move {
                while tenant.holding() <= holding {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
        assert!(crashed);
        world.ends_well(ADA, 2, &format!("second crash at request {nth} of settling")).await;
    }
}

/// Polls a future so many times, then gives up on it.
struct Polls<F> {
    inner: Pin<Box<F>>,
    left: usize,
    made: usize,
}

impl<F: Future<Output = ()>> Future for Polls<F> {
    /// `Some(polls)` when it ended by itself.
    type Output = Option<usize>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.made += 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(self.made)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// How many of the polls are tried, unless `FIRSTPASS_EVERY_POLL` is set.
const SAMPLES: usize = 40;

/// Dropping at a poll is cancellation: what was committed stays, what was not is gone.
#[tokio::test]
async fn dropped_at_the_kth_poll() {
    let polls = |world: &World, left: usize| {
        let work = Arc::clone(world.work());
        Polls {
            inner: Box::pin(async move { tick(&work, Feeds::Read).await.map(|_| ()).unwrap_or_default() }),
            left,
            made: 0,
        }
    };
    let world = monday_morning().await;
    let n_polls = polls(&world, usize::MAX).await.expect("the tick ends");
    world.ends_well(ADA, 2, "no drop").await;

    #[expect(clippy::disallowed_methods, reason = "a switch of this test")]
    let every = std::env::var("FIRSTPASS_EVERY_POLL").is_ok();
    let stride = if every { 1 } else { (n_polls / SAMPLES).max(1) };
    for k in (1..n_polls).step_by(stride) {
        let mut world = monday_morning().await;
        if polls(&world, k).await.is_some() {
            world.ends_well(ADA, 2, &format!("poll {k}: it ended before")).await;
            continue;
        }
        world.restart().await;
        assert!(world.clock.now() >= at(MORNING));
        world.ends_well(ADA, 2, &format!("dropped at poll {k} of {n_polls}")).await;
    }
}

impl World {
    /// Another connection to the state.
    pub(crate) async fn with_state(&self, sql: String) {
        let path = self.settings.state.url.trim_start_matches("sqlite:").to_owned();
        let pool =
            sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        pool.close().await;
    }
}
