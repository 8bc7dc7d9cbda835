//! A crash at each commit (F2, F5, F6, F9, F15, F17; design 8): a statement fails before its effect, and the
//! worker lives on or dies right there; or it is committed, and the worker dies before it hears of it.
//!
//! The second side is exact: a future that is not polled goes no further, and before each poll the state is
//! asked whether the commit is there.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};

use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::work::tick::{Feeds, tick};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::crash::{ADA, dead_behind_the_dot, monday_morning};
use crate::world::{ADA as ADA_FILE, World};

/// What stands between a hire and the commit: the next tick makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Ada's morning.
    Morning,
    /// Her letter is out, and the start moves to Tuesday.
    Moved,
    /// Her letter is out, and HR withdraws her.
    Withdrawn,
    /// The POST never reached the tenant, and that is about to be certain.
    Unanswered,
    /// The worker died behind the final dot, and she signs in with her code.
    Used,
    /// Nobody used the code, and its end has passed.
    Ended,
}

/// A commit: in which story, the statement that is refused, and how the state shows that it is there.
struct Commit(Story, &'static str, &'static str);

const COMMITS: [Commit; 14] = [
    Commit(
        Story::Morning,
        "UPDATE ON hire WHEN NEW.claim_token IS NOT NULL AND OLD.claim_token IS NULL",
        "SELECT count(*) FROM hire WHERE claim_token IS NOT NULL",
    ),
    Commit(Story::Morning, "INSERT ON pass", "SELECT count(*) FROM pass"),
    Commit(
        Story::Morning,
        "UPDATE ON pass WHEN NEW.state = 'issued' AND OLD.state <> 'issued'",
        "SELECT count(*) FROM pass WHERE state = 'issued'",
    ),
    Commit(
        Story::Morning,
        "UPDATE ON pass WHEN NEW.state = 'mailing' AND OLD.state <> 'mailing'",
        "SELECT count(*) FROM pass WHERE state = 'mailing'",
    ),
    Commit(
        Story::Morning,
        "UPDATE ON pass WHEN NEW.state = 'mailed' AND OLD.state <> 'mailed'",
        "SELECT count(*) FROM pass WHERE state = 'mailed'",
    ),
    Commit(
        Story::Morning,
        "UPDATE ON hire WHEN NEW.claim_token IS NULL AND OLD.claim_token IS NOT NULL",
        "SELECT count(*) FROM hire WHERE claim_token IS NULL AND state = 'delivered'",
    ),
    Commit(Story::Moved, CONDEMNED, "SELECT count(*) FROM pass WHERE state = 'condemned'"),
    Commit(Story::Moved, GONE, "SELECT count(*) FROM pass WHERE state = 'gone'"),
    Commit(Story::Moved, TOLD_VOID, "SELECT count(*) FROM pass WHERE told_at IS NOT NULL"),
    Commit(Story::Withdrawn, GONE, "SELECT count(*) FROM pass WHERE state = 'gone'"),
    Commit(Story::Withdrawn, TOLD_VOID, "SELECT count(*) FROM pass WHERE told_at IS NOT NULL"),
    Commit(Story::Unanswered, OVER, "SELECT count(*) FROM pass WHERE state = 'over'"),
    Commit(Story::Used, OVER, "SELECT count(*) FROM pass WHERE state = 'over'"),
    Commit(Story::Ended, OVER, "SELECT count(*) FROM pass WHERE state = 'over'"),
];
const CONDEMNED: &str = "UPDATE ON pass WHEN NEW.state = 'condemned' AND OLD.state <> 'condemned'";
const GONE: &str = "UPDATE ON pass WHEN NEW.state = 'gone' AND OLD.state <> 'gone'";
const OVER: &str = "UPDATE ON pass WHEN NEW.state = 'over' AND OLD.state <> 'over'";
const TOLD_VOID: &str = "UPDATE ON pass WHEN NEW.told_at IS NOT NULL AND OLD.told_at IS NULL";

impl Story {
    async fn begin(self) -> World {
        match self {
            Self::Morning => monday_morning().await,
            Self::Moved => {
                let world = told_at_seven().await;
                world.drop_file("moved.csv", &ADA_FILE.replace("2027-03-01", "2027-03-02"));
                world
            }
            Self::Withdrawn => {
                let world = told_at_seven().await;
                let row =
                    ADA_FILE.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
                world.drop_file("withdrawn.csv", &row);
                world
            }
            Self::Unanswered => {
                let mut world = monday_morning().await;
                let lost = Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect: Effect::Reset };
                world.tenant.fault(lost);
                world.until("2027-03-01T06:09:00Z").await;
                world.set("2027-03-01T06:11:00Z");
                world
            }
            Self::Used => {
                let world = dead_behind_the_dot().await;
                let code = world.code_letters()[0].code().unwrap();
                world.set("2027-03-01T08:05:00Z");
                assert!(world.tenant.use_pass(world.id_of(ADA), &code));
                world
            }
            Self::Ended => {
                let mut world = told_at_seven().await;
                world.until("2027-03-01T15:59:00Z").await;
                world.set("2027-03-01T17:00:00Z");
                world
            }
        }
    }

    /// The same end as without a crash, but for one more letter that replaces or repeats another.
    async fn ends(self, mut world: World, what: &str) {
        match self {
            Self::Morning => world.ends_well(ADA, 2, what).await,
            Self::Unanswered => world.ends_well(ADA, 1, what).await,
            Self::Moved => {
                world.until("2027-03-02T12:00:00Z").await;
                let (story, live, letters) = (world.story().await, world.live_passes(ADA), world.code_letters());
                assert_eq!(live.len(), 1, "{what}\n{story}");
                assert_eq!(letters.last().unwrap().code().as_deref(), Some(live[0].code.as_str()), "{what}\n{story}");
                void_was_told(&world, what, &story);
                world.finish().await;
            }
            Self::Withdrawn => {
                world.until("2027-03-01T12:00:00Z").await;
                let story = world.story().await;
                assert_eq!(world.state("E1").await.0, "cancelled", "{what}\n{story}");
                assert!(world.live_passes(ADA).is_empty(), "{what}\n{story}");
                void_was_told(&world, what, &story);
                world.finish().await;
            }
            Self::Used | Self::Ended => {
                world.until("2027-03-02T00:00:00Z").await;
                let hire = world.hire("E1").await;
                let outcome = if self == Self::Used { "used" } else { "ended" };
                let story = world.story().await;
                assert_eq!(hire.state, "delivered", "{what}\n{story}");
                assert_eq!(hire.outcome.as_deref(), Some(outcome), "{what}\n{story}");
                assert_eq!(world.letters().len(), 1, "{what}\n{story}");
                world.finish().await;
            }
        }
    }
}

/// Ada's letter went out, and half an hour passed.
async fn told_at_seven() -> World {
    let mut world = monday_morning().await;
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world
}

/// Promise 2: once, or once more after a crash, never not at all.
fn void_was_told(world: &World, what: &str, story: &str) {
    let told = world.letters().iter().filter(|letter| letter.code().is_none()).count();
    assert!((1..=2).contains(&told), "{what}: {told} letters say that the code is void\n{story}");
}

/// Stories of six kinds in one test: their futures, unoptimised, are more than a test's own stack holds.
const STACK: usize = 32 << 20;

fn on_a_large_stack<F: Future<Output = ()> + 'static>(story: fn() -> F) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let ended = thread.spawn(move || runtime().block_on(story())).unwrap().join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn at_every_commit_that_fails() {
    on_a_large_stack(each_fails);
}

async fn each_fails() {
    for Commit(story, statement, committed) in COMMITS {
        for dies in [false, true] {
            let mut world = story.begin().await;
            let sql = format!("CREATE TRIGGER broken BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'on purpose'); END");
            world.with_state(sql).await;
            let work = Arc::clone(world.work());
            let _ = tick(&work, Feeds::Read).await;
            drop(work);
            let committed = Watch::on(&world, committed).sees_it();
            assert!(!committed, "{story:?}: {statement} was not refused\n{}", world.story().await);
            world.with_state("DROP TRIGGER broken".to_owned()).await;
            if dies {
                world.restart().await;
            }
            let then = if dies { "dies" } else { "lives" };
            story.ends(world, &format!("{story:?}: {statement} fails, the worker {then}")).await;
        }
    }
}

#[test]
fn behind_every_commit_before_the_worker_hears_of_it() {
    on_a_large_stack(behind_each);
}

async fn behind_each() {
    for Commit(story, statement, committed) in COMMITS {
        let mut world = story.begin().await;
        let work = Arc::clone(world.work());
        let ticking = Box::pin(async move { tick(&work, Feeds::Read).await.map(drop).unwrap_or_default() });
        let died = UntilCommitted { inner: ticking, watch: Watch::on(&world, committed) }.await;
        assert!(died, "{story:?}: {statement} was not committed in this tick\n{}", world.story().await);
        world.restart().await;
        story.ends(world, &format!("{story:?}: the worker dies behind {statement}")).await;
    }
}

/// Asks the state whether a commit is there, from a thread of its own.
struct Watch {
    ask: mpsc::Sender<()>,
    answer: mpsc::Receiver<bool>,
}

impl Watch {
    fn on(world: &World, count: &'static str) -> Self {
        let path = world.settings.state.url.trim_start_matches("sqlite:").to_owned();
        let ((ask, asked), (tell, answer)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
            let mut state: SqliteConnection = runtime.block_on(options.connect()).unwrap();
            while asked.recv().is_ok() {
                let n: i64 = runtime.block_on(sqlx::query_scalar(count).fetch_one(&mut state)).unwrap();
                if tell.send(n > 0).is_err() {
                    break;
                }
            }
        });
        Self { ask, answer }
    }

    fn sees_it(&self) -> bool {
        self.ask.send(()).unwrap();
        self.answer.recv().unwrap()
    }
}

/// Polls a future until the commit is there, then never again. Whether it came to that.
struct UntilCommitted<F> {
    inner: Pin<Box<F>>,
    watch: Watch,
}

impl<F: Future<Output = ()>> Future for UntilCommitted<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if self.watch.sees_it() {
            return Poll::Ready(true);
        }
        self.inner.as_mut().poll(context).map(|()| false)
    }
}
