//! Unknown outcomes (F99, F101): the answer to a POST or DELETE is lost, garbled, late or a lie, and
//! the directory's list may lag for minutes. A POST is never repeated before the directory was
//! looked at; in the end one pass is live, and it is the one in the last letter.

use std::time::Duration;

use chrono::TimeDelta;
use firstpass::config::Limits;
use firstpass::rules::hire::{OperatorStatus, State};
use firstpass::sandbox::tenant::{Echo, Effect, Fault, Kind, When};
use sqlx::Row as _;

use crate::world::{ADA as ADA_FILE, World, at, short_limits};

const ADA: &str = "ada.lovelace@contoso.example";

/// Every way in which an answer can be no answer.
fn unclear() -> Vec<(&'static str, Effect)> {
    vec![
        ("reset after send", Effect::Reset),
        ("500", Effect::graph_error(500, "internalServerError", "oops")),
        ("502", Effect::graph_error(502, "badGateway", "oops")),
        ("503", Effect::unavailable(Some("20"))),
        ("504", Effect::graph_error(504, "gatewayTimeout", "oops")),
        ("HTML", Effect::Html),
        ("empty", Effect::EmptyBody),
        ("cut JSON", Effect::CutJson),
    ]
}

async fn monday(lag: Duration) -> World {
    monday_with(lag, short_limits()).await
}

async fn monday_with(lag: Duration, limits: Limits) -> World {
    let mut world = World::with_limits("", limits).await;
    world.tenant.edit(|directory| directory.list_lag = lag);
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

#[tokio::test]
async fn f99_the_answer_to_a_post_is_lost() {
    for (what, effect) in unclear() {
        for when in [When::Before, When::After] {
            for lag in [Duration::ZERO, Duration::from_mins(5)] {
                let world = monday(lag).await;
                world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when, effect: effect.clone() });
                world.ends_well(ADA, 1, &format!("POST: {what} {when:?}, the list lags {lag:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn f99_the_answer_to_a_delete_is_lost() {
    for (what, effect) in unclear() {
        for when in [When::Before, When::After] {
            for lag in [Duration::ZERO, Duration::from_mins(5)] {
                let world = monday(lag).await;
                world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset });
                world.tenant.fault(Fault { kind: Kind::PassDelete, nth: 1, when, effect: effect.clone() });
                world.ends_well(ADA, 1, &format!("DELETE: {what} {when:?}, the list lags {lag:?}")).await;
            }
        }
    }
}

/// The answer to the first request of this kind comes after the client gave up, and so does, for
/// [`When::Before`], its effect: at that moment of the model's clock, however slow this machine is.
async fn answered_too_late(kind: Kind, when: When, lag: Duration) -> World {
    let mut world = monday_with(lag, Limits { graph_request: Duration::from_millis(800), ..short_limits() }).await;
    if kind == Kind::PassDelete {
        world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset });
    }
    world.tenant.fault(Fault { kind, nth: 1, when, effect: Effect::Hold });
    while world.tenant.holding() == 0 {
        assert!(world.clock.now() < at("2027-03-01T07:00:00Z"), "never asked\n{}", world.story().await);
        world.pass_time(TimeDelta::seconds(15));
        world.tick().await;
    }
    world.tenant.release();
    let done = |world: &World| world.tenant.journal().iter().any(|seen| seen.kind == kind && seen.applied.is_some());
    while !done(&world) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world
}

#[tokio::test]
async fn f99_the_answer_to_a_post_comes_later_than_the_timeout() {
    for when in [When::Before, When::After] {
        for lag in [Duration::ZERO, Duration::from_mins(5)] {
            let world = answered_too_late(Kind::PassCreate, when, lag).await;
            world.ends_well(ADA, 1, &format!("POST: {when:?}, the list lags {lag:?}")).await;
        }
    }
}

#[tokio::test]
async fn f99_the_answer_to_a_delete_comes_later_than_the_timeout() {
    for when in [When::Before, When::After] {
        for lag in [Duration::ZERO, Duration::from_mins(5)] {
            let world = answered_too_late(Kind::PassDelete, when, lag).await;
            world.ends_well(ADA, 1, &format!("DELETE: {when:?}, the list lags {lag:?}")).await;
        }
    }
}

/// A proxy's 404 to every look says nothing of passes.
#[tokio::test]
async fn f99_a_404_that_is_not_graphs_is_no_look() {
    for body in ["", "<html>Not Found</html>"] {
        let mut world = monday(Duration::ZERO).await;
        world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset });
        world.until("2027-03-01T06:00:05Z").await;
        assert_eq!(world.tenant.count(Kind::PassCreate), 1);
        let no_such_page = Effect::Status(404, Vec::new(), body.to_owned());
        world.tenant.fault_until(at("2027-03-01T06:16:00Z"), Some(Kind::PassList), When::Before, no_such_page);
        world.until("2027-03-01T06:15:30Z").await;
        let rows = world.raw("SELECT state, looks FROM pass").await;
        let rows: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(rows, [("intended".to_owned(), 0)], "{}", world.story().await);
        world.ends_well(ADA, 1, "a proxy's 404").await;
    }
}

/// An account that is gone has no passes, and that is Graph's to say.
#[tokio::test]
async fn f99_a_user_who_is_gone_has_no_passes() {
    let mut world = monday(Duration::ZERO).await;
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect: Effect::Reset });
    world.until("2027-03-01T06:00:05Z").await;
    let gone = Effect::graph_error(404, "resourceNotFound", "Resource does not exist.");
    world.tenant.fault_until(at("2027-03-01T06:16:00Z"), Some(Kind::PassList), When::Before, gone);
    world.until("2027-03-01T06:15:30Z").await;
    let rows = world.raw("SELECT state FROM pass").await;
    assert_eq!(rows[0].get::<String, _>(0), "over", "{}", world.story().await);
    world.ends_well(ADA, 1, "the list said that nobody is there").await;
}

#[tokio::test]
async fn f100_a_pass_that_is_not_what_was_asked_for_is_deleted_and_not_mailed() {
    let bent = [
        ("longer life", Effect::Echo(Echo { lifetime_min: Some(481), ..Echo::default() })),
        ("several uses", Effect::Echo(Echo { one_time: Some(false), ..Echo::default() })),
        ("another start", Effect::Echo(Echo { start_shift: Some(TimeDelta::minutes(5)), ..Echo::default() })),
        ("no code", Effect::NoCode),
        ("a null code", Effect::NullCode),
    ];
    for (what, effect) in bent {
        let mut world = monday(Duration::ZERO).await;
        world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect });
        world.until("2027-03-01T07:00:00Z").await;
        let story = world.story().await;
        assert!(world.letters().is_empty(), "{what}\n{story}");
        assert!(world.live_passes(ADA).is_empty(), "{what}\n{story}");
        assert_eq!(
            world.state("E1").await,
            ("attention".to_owned(), Some("graph-unexpected".to_owned())),
            "{what}\n{story}"
        );
        world.finish().await;
    }
}

#[tokio::test]
async fn f100_a_shorter_life_and_a_start_within_a_minute_are_taken() {
    let bent = [
        Echo { lifetime_min: Some(240), ..Echo::default() },
        Echo { start_shift: Some(TimeDelta::seconds(20)), ..Echo::default() },
    ];
    for echo in bent {
        let world = monday(Duration::ZERO).await;
        world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Echo(echo) });
        let mut world = world;
        world.until("2027-03-01T07:00:00Z").await;
        assert_eq!(world.code_letters().len(), 1, "{echo:?}\n{}", world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn f104_a_pass_whose_delete_fails_for_an_hour_goes_in_the_end() {
    let mut world = monday(Duration::ZERO).await;
    world.until("2027-03-01T06:10:00Z").await;
    world.tenant.fault_each(Some(Kind::PassDelete), When::Before, Effect::graph_error(500, "x", "y"));
    world.drop_file("moved.csv", &ADA_FILE.replace("2027-03-01", "2027-03-02"));
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.live_passes(ADA).len(), 1, "it cannot be deleted yet");
    world.tenant.heal();
    world.until("2027-03-01T07:40:00Z").await;
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    world.until("2027-03-02T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 2, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn a_post_that_is_applied_after_it_counted_as_not_made_is_ours_and_goes() {
    let mut world = monday(Duration::ZERO).await;
    world.allow.late_post = true;
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect: Effect::Hold });
    world.until("2027-03-01T06:20:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "the second POST was mailed\n{}", world.story().await);
    world.tenant.release();
    while world.passes(ADA).len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.until("2027-03-01T12:00:00Z").await;
    let story = world.story().await;
    let live = world.live_passes(ADA);
    assert_eq!(live.len(), 1, "{story}");
    assert_eq!(world.code_letters().last().unwrap().code().unwrap(), live[0].code, "{story}");
    assert_eq!(world.code_letters().len(), 2, "a letter that replaces the first\n{story}");
    world.finish().await;
}

#[tokio::test]
async fn f101_a_late_post_whose_delete_fails_at_first_still_costs_nobody_the_letter() {
    let mut world = monday(Duration::ZERO).await;
    world.allow.late_post = true;
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect: Effect::Hold });
    world.until("2027-03-01T06:20:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "the second POST was mailed\n{}", world.story().await);
    world.tenant.fault(Fault {
        kind: Kind::PassDelete,
        nth: 1,
        when: When::Before,
        effect: Effect::graph_error(500, "x", "y"),
    });
    world.tenant.release();
    while world.passes(ADA).len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.until("2027-03-01T12:00:00Z").await;
    let story = world.story().await;
    let live = world.live_passes(ADA);
    assert_eq!(live.len(), 1, "{story}");
    assert_eq!(world.code_letters().last().unwrap().code().unwrap(), live[0].code, "{story}");
    assert_eq!(world.code_letters().len(), 2, "a letter that replaces the first\n{story}");
    world.finish().await;
}

/// "A worker has it in hand" would be half the truth for ten minutes.
#[tokio::test]
async fn a_request_without_an_answer_is_explained_with_how_long_it_is_looked_for() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tenant.edit(|directory| directory.list_lag = std::time::Duration::from_mins(5));
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset });
    world.until("2027-03-01T06:00:01Z").await;
    let key = firstpass::store::KeyText("E1".to_owned());
    let mut told = Vec::new();
    for minutes in [0, 2, 30] {
        let store = &world.work().store;
        let hire = store.find_hire(&key).await.unwrap();
        let passes = store.passes_of(hire.id).await.unwrap();
        let now = world.clock.now() + chrono::TimeDelta::minutes(minutes);
        told.push(format!("{minutes} min: {}", firstpass::work::words::next_with_passes(&hire, &passes, now)));
    }
    // A process took the hire and was gone before it wrote what it asked for.
    let until = world.clock.now() + chrono::TimeDelta::minutes(4);
    let mut hire = world.work().store.find_hire(&key).await.unwrap();
    hire.claimed_until = Some(until);
    for minutes in [0, 5] {
        let now = world.clock.now() + chrono::TimeDelta::minutes(minutes);
        told.push(format!("claimed, {minutes} min: {}", firstpass::work::words::next_with_passes(&hire, &[], now)));
    }
    (hire.state, hire.operator_status) = (State::Delivered, OperatorStatus::Cancelled);
    told.push(format!("finished: {}", firstpass::work::words::next_with_passes(&hire, &[], world.clock.now())));
    insta::assert_snapshot!("request_without_an_answer", told.join("\n"));
    world.until("2027-03-01T12:00:00Z").await;
    world.finish().await;
}
