//! A bug of ours that panics in the middle: of one feed's reading, then it is that feed's trouble, told as any
//! other; of one hire's attempt, then it is as a crash of that attempt alone. The service goes on.
//!
//! The panic is a real one: a log that breaks when a certain event is written, where a bug in the code
//! around it would.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::Kind;
use firstpass::work::tell::{Patience, Teller};
use tracing::dispatcher::DefaultGuard;
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::notices::{TEAM, bodies, is_notice};
use crate::world::{ADA, World};

/// Panics at the first event of this name, on this thread.
struct Bug {
    event: &'static str,
    met: AtomicBool,
}

/// Until it is dropped. With a single subscriber `tracing` would ask whichever thread meets an event first,
/// also one of another test, whether anybody hears it, and keep the answer; hence the second.
fn bug_at(event: &'static str) -> (DefaultGuard, Dispatch) {
    let log = || Dispatch::new(tracing_subscriber::registry().with(Bug { event, met: AtomicBool::new(false) }));
    let second = log();
    (tracing::dispatcher::set_default(&log()), second)
}

struct Named(&'static str, bool);

impl Visit for Named {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.1 |= field.name() == "event" && value == self.0;
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: Subscriber> Layer<S> for Bug {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut named = Named(self.event, false);
        event.record(&mut named);
        assert!(!named.1 || self.met.swap(true, Ordering::SeqCst), "the bug of this test, at {}", self.event);
    }
}

#[tokio::test]
async fn a_feed_whose_reading_breaks_off_is_told_and_the_next_poll_reads_on() {
    let second = "[[feed]]\nname = \"second\"\ntenant = \"contoso\"\nfolder = \"./second\"\nsettle = \"0s\"\n";
    let mut world = World::with(&format!("[notify]\nto = [\"{TEAM}\"]\n{second}")).await;
    let teller = Teller::of(&world.settings).unwrap();
    teller.round(world.work(), Patience::Gather).await.unwrap();
    world.drop_ada();
    let other = ADA.replace("E1,ada.lovelace", "E2,grace.hopper");
    std::fs::create_dir_all(world.dir.path().join("second")).unwrap();
    std::fs::write(world.dir.path().join("second/more.csv"), other).unwrap();

    let bug = bug_at("file-read");
    let report = world.tick().await;
    drop(bug);
    assert_eq!(report.feed_errors.len(), 1, "{report:?}");
    let why = &report.feed_errors[0];
    assert!(why.starts_with("feed/hr: it broke off in the middle, which is a bug"), "{why}");
    assert!(why.ends_with("the other feeds and all letters go on, and the next poll tries again"), "{why}");
    assert_eq!((world.reports.len(), world.reports[0].feed.as_str()), (1, "second"), "the other feed is read");
    let stopped = world.raw("SELECT 1 FROM gate WHERE name = 'feed/hr' AND stopped LIKE '%which is a bug%'").await;
    assert_eq!(stopped.len(), 1, "it stands wherever feeds are shown");
    teller.round(world.work(), Patience::Gather).await.unwrap();
    world.pass_time(TimeDelta::minutes(1));
    teller.round(world.work(), Patience::Gather).await.unwrap();
    let told: Vec<String> = world.letters().iter().filter(|letter| is_notice(letter)).map(bodies).collect();
    assert!(told.len() == 1 && told[0].contains("feed hr") && told[0].contains("which is a bug"), "{told:?}");

    assert_eq!(world.tick().await.feed_errors.len(), 0);
    assert_eq!(world.raw("SELECT 1 FROM event WHERE what = 'feed-resumed'").await.len(), 1);
    world.ends_well("ada.lovelace@contoso.example", 2, "what was in the middle is on record once").await;
}

/// Two are due now.
async fn two_at_six() -> World {
    let mut world = World::new().await;
    let also = ADA.lines().nth(1).unwrap().replace("E1,ada.lovelace", "E3,alan.turing");
    world.drop_file("hires.csv", &format!("{ADA}{also}\n"));
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    world
}

/// Within half an hour each has a letter about the one pass that is live; the invariants hold.
async fn both_end_well(mut world: World) {
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 2, "the second goes out with a new pass\n{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 3, "{}", world.story().await);
    for upn in ["ada.lovelace@contoso.example", "alan.turing@contoso.example"] {
        assert_eq!(world.live_passes(upn).len(), 1, "{upn}\n{}", world.story().await);
    }
    world.until("2027-03-01T18:00:00Z").await;
    world.finish().await;
}

/// Her pass is made and its code lost: as after a crash (F6), but that the others get their letters now.
#[tokio::test]
async fn f6_a_hire_whose_attempt_breaks_off_is_settled_by_the_next_one_and_keeps_nobody_waiting() {
    let mut world = two_at_six().await;
    let bug = bug_at("pass-made");
    let report = world.tick().await;
    drop(bug);
    assert_eq!(report.n_attempts, 2, "{report:?}");
    let letters = world.code_letters().len();
    assert_eq!((letters, world.tenant.count(Kind::PassCreate)), (1, 2), "{}", world.story().await);
    both_end_well(world).await;
}

/// The same while two codes are in hand: one is lost with its try, the other's letter goes out.
#[tokio::test]
async fn f6_a_letter_in_hand_whose_try_breaks_off_is_settled_and_keeps_no_other_waiting() {
    let mut world = two_at_six().await;
    let defer = |nth| {
        let effect = mailbox::Effect::Reply(451, "4.3.0 later".to_owned());
        world.mail.fault(MailFault { verb: Verb::Dot, nth, when: mailbox::When::Before, effect });
    };
    defer(1);
    defer(2);
    world.tick().await;
    assert_eq!(world.work().n_in_hand().await, 2, "{}", world.story().await);
    world.pass_time(TimeDelta::minutes(3));
    let effect = mailbox::Effect::Drop;
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::Before, effect });
    let bug = bug_at("letter-unclear");
    world.tick().await;
    drop(bug);
    assert_eq!((world.work().n_in_hand().await, world.code_letters().len()), (0, 1), "{}", world.story().await);
    both_end_well(world).await;
}
