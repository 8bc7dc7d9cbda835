//! A clock that was ahead for a while (F20–F22, F120): what it stopped goes on when it is right again, nobody
//! is given up and no pass is written off by it, also where no answer of Graph says what time it is.

use std::time::Duration;

use chrono::TimeDelta;
use firstpass::config::Limits;
use firstpass::sandbox::tenant::{Effect, Kind, When};
use firstpass::store::Operate;
use firstpass::work::tick::{Feeds, tick};

use crate::world::{World, at, short_limits};

const ADA: &str = "ada.lovelace@contoso.example";
const NOON: &str = "2027-03-01T12:00:00Z";

async fn monday() -> World {
    let mut world = World::with_limits("", Limits { look_again: Duration::ZERO, ..short_limits() }).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

/// Our clock goes ahead, Graph's does not.
fn jump(world: &World, ahead: TimeDelta) {
    world.tenant.edit(|directory| directory.skew = -ahead);
    world.pass_time(ahead);
}

/// Both are right.
fn right(world: &World, instant: &str) {
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set(instant);
}

async fn gates(world: &World) -> Vec<String> {
    let gates = world.work().store.gates().await.unwrap();
    gates.into_iter().map(|gate| gate.name).collect()
}

#[tokio::test]
async fn f22_f120_what_a_clock_that_was_ahead_has_stopped_goes_on_when_it_is_right() {
    for (ahead, restart) in [(TimeDelta::hours(8), true), (TimeDelta::hours(8), false), (TimeDelta::hours(1), false)] {
        let mut world = monday().await;
        jump(&world, ahead);
        tick(world.work(), Feeds::Leave).await.unwrap();
        world.tenant.stop();
        world.mail.stop();
        world.pass_time(TimeDelta::minutes(2));
        tick(world.work(), Feeds::Leave).await.unwrap();
        for _ in 0..2 {
            world.work().look_ahead().await.unwrap();
        }
        assert_eq!(gates(&world).await, ["clock", "mail", "tenant/contoso"], "{}", world.story().await);

        world.tenant.resume().unwrap();
        world.mail.resume().unwrap();
        right(&world, "2027-03-01T06:01:00Z");
        if restart {
            world.restart().await;
        }
        world.until(NOON).await;
        let (letters, story) = (world.code_letters(), world.story().await);
        assert_eq!(letters.len(), 1, "{ahead} ahead\n{story}");
        assert!(letters[0].at <= at("2027-03-01T06:02:00Z"), "{ahead} ahead: not before {}\n{story}", letters[0].at);
        assert_eq!(gates(&world).await, [""; 0], "{ahead} ahead\n{story}");
        world.finish().await;
    }
}

/// No sign of life was written by the clock that was ahead, so nobody sees that it went back.
#[tokio::test]
async fn f120_a_stop_further_ahead_than_any_wait_holds_nothing_and_ends() {
    let mut world = monday().await;
    let (now, state) = (world.clock.now(), &world.work().store);
    for name in ["clock", "mail", "tenant/contoso"] {
        state.hold_gate(now, name, now + TimeDelta::hours(8), Some("found by a wrong clock")).await.unwrap();
    }
    world.until(NOON).await;
    let (letters, story) = (world.code_letters(), world.story().await);
    assert_eq!(letters.len(), 1, "{story}");
    assert!(letters[0].at <= at("2027-03-01T06:01:00Z"), "{}\n{story}", letters[0].at);
    assert_eq!(gates(&world).await, [""; 0], "{story}");
    world.finish().await;
}

/// Where Graph cannot be asked, nobody knows whether the morning is over.
#[tokio::test]
async fn f21_a_clock_that_is_a_day_ahead_where_graph_is_away_gives_nobody_up() {
    let mut world = monday().await;
    world.tenant.stop();
    jump(&world, TimeDelta::days(1));
    for _ in 0..3 {
        tick(world.work(), Feeds::Leave).await.unwrap();
        let hire = world.hire("E1").await;
        assert_eq!((hire.state.as_str(), hire.reason.as_deref()), ("pending", None), "{}", world.story().await);
        assert!(hire.what_to_do.contains("cannot be asked whether that is right"), "{}", hire.what_to_do);
        assert!(hire.next_try_utc.is_some());
        world.pass_time(TimeDelta::minutes(16));
    }
    world.tenant.resume().unwrap();
    right(&world, "2027-03-01T05:59:30Z");
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

/// … and where the clock is right, it is over as soon as Graph says anything, be it a refusal.
#[tokio::test]
async fn f21_a_morning_that_is_over_is_missed_when_graph_answers_anything() {
    let mut world = monday().await;
    world.tenant.stop();
    world.set("2027-03-02T05:59:00Z");
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.state("E1").await, ("pending".to_owned(), None), "{}", world.story().await);
    world.tenant.resume().unwrap();
    let no = Effect::graph_error(403, "accessDenied", "not this app");
    world.tenant.fault_each(Some(Kind::Policy), When::Before, no);
    world.until("2027-03-02T06:30:00Z").await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("missed".to_owned())), "{}", world.story().await);
    world.finish().await;
}

/// The letter is out, somebody cancels the hire, and Graph does not answer the DELETE.
async fn condemned() -> World {
    let mut world = monday().await;
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!((world.code_letters().len(), world.live_passes(ADA).len()), (1, 1), "{}", world.story().await);
    world.operate("E1", Operate::Cancel).await;
    world.tenant.stop();
    tick(world.work(), Feeds::Leave).await.unwrap();
    world
}

#[tokio::test]
async fn f21_f104_a_clock_that_is_a_day_ahead_writes_no_condemned_pass_off() {
    for restart in [false, true] {
        let mut world = condemned().await;
        if restart {
            world.restart().await;
        }
        jump(&world, TimeDelta::days(1));
        tick(world.work(), Feeds::Leave).await.unwrap();
        assert_eq!(world.letters().len(), 1, "nobody is told yet\n{}", world.story().await);
        world.tenant.resume().unwrap();
        right(&world, "2027-03-01T06:40:00Z");
        world.until("2027-03-01T06:50:00Z").await;
        assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
        assert_eq!(world.letters().len(), 2, "{}", world.story().await);
        world.finish().await;
    }
}

/// Nor does it write off whom to tell, or put that off until its own time.
#[tokio::test]
async fn f21_a_clock_that_is_ahead_forgets_nobody_who_holds_a_void_code() {
    for ahead in [TimeDelta::days(2), TimeDelta::hours(8)] {
        let mut world = condemned().await;
        world.mail.stop();
        world.tenant.resume().unwrap();
        world.pass_time(TimeDelta::minutes(5));
        tick(world.work(), Feeds::Leave).await.unwrap();
        assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
        world.tenant.stop();
        jump(&world, ahead);
        tick(world.work(), Feeds::Leave).await.unwrap();
        world.tenant.resume().unwrap();
        world.mail.resume().unwrap();
        right(&world, "2027-03-01T06:40:00Z");
        world.until("2027-03-01T06:50:00Z").await;
        assert_eq!(world.letters().len(), 2, "{ahead} ahead\n{}", world.story().await);
        world.finish().await;
    }
}
