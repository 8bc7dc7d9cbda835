//! Unknown outcomes (F99) of an account whose passes Graph does not show: nothing is settled by a refusal, a
//! person is told, and the looks go on with growing pauses.

use chrono::{DateTime, Utc};
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use sqlx::Row as _;

use crate::world::{World, at};

const ADA: &str = "ada.lovelace@contoso.example";

fn refused() -> Effect {
    Effect::graph_error(403, "accessDenied", "Not this account.")
}

/// When the list was asked for, since then.
fn looks(world: &World, since: &str) -> Vec<DateTime<Utc>> {
    let journal = world.tenant.journal();
    journal.iter().filter(|seen| seen.kind == Kind::PassList && seen.at >= at(since)).map(|seen| seen.at).collect()
}

async fn states(world: &World) -> Vec<String> {
    world.raw("SELECT state FROM pass ORDER BY id").await.iter().map(|row| row.get(0)).collect()
}

async fn lost_and_refused(until: &str) -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset });
    world.until("2027-03-01T06:00:05Z").await;
    assert_eq!(states(&world).await, ["intended"], "{}", world.story().await);
    world.tenant.fault_until(at(until), Some(Kind::PassList), When::Before, refused());
    world
}

#[tokio::test]
async fn f99_a_look_that_is_refused_for_one_account_needs_a_person() {
    let mut world = lost_and_refused("2027-03-02T05:00:00Z").await;
    world.until("2027-03-01T06:09:00Z").await;
    assert_eq!(world.state("E1").await, ("issuing".to_owned(), None), "lists lag\n{}", world.story().await);
    world.until("2027-03-01T07:00:00Z").await;
    let (hire, story) = (world.hire("E1").await, world.story().await);
    assert_eq!((hire.state.as_str(), hire.reason.as_deref()), ("attention", Some("unanswered")), "{story}");
    insta::assert_snapshot!("refused_look", hire.what_to_do.split(" (request-id").next().unwrap());
    assert!(hire.what_to_do.ends_with("by itself"), "{}", hire.what_to_do);
    world.until("2027-03-02T04:59:00Z").await;
    let n_looks = looks(&world, "2027-03-01T06:00:00Z").len();
    assert!((40..80).contains(&n_looks), "{n_looks} looks in a day\n{}", world.story().await);
    assert_eq!((world.tenant.count(Kind::PassCreate), states(&world).await), (1, vec!["intended".to_owned()]));
    // The list is shown again: the pass that was made is found, and goes.
    world.until("2027-03-02T06:30:00Z").await;
    assert_eq!(states(&world).await, ["gone"], "{}", world.story().await);
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.next_try_utc), ("attention", None), "{}", world.story().await);
    assert!(hire.what_to_do.ends_with("`firstpass hire retry`"), "{}", hire.what_to_do);
    world.finish().await;
}

#[tokio::test]
async fn f99_a_look_that_is_answered_again_goes_on_by_itself() {
    let world = lost_and_refused("2027-03-01T06:40:00Z").await;
    world.ends_well(ADA, 1, "the list was refused for forty minutes").await;
}

#[tokio::test]
async fn f99_a_watch_that_is_refused_is_asked_less_and_less_and_ends() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:05:00Z").await;
    world.tenant.fault_each(Some(Kind::PassList), When::Before, refused());
    world.until("2027-03-01T12:00:00Z").await;
    let looked = looks(&world, "2027-03-01T06:05:00Z");
    let minutes: Vec<i64> = looked.iter().take(7).map(|look| (*look - looked[0]).num_minutes()).collect();
    assert_eq!(minutes, [0, 1, 2, 4, 8, 16, 31], "{}", world.story().await);
    assert!(looked.len() < 40, "{} looks", looked.len());
    assert_eq!(world.state("E1").await, ("delivered".to_owned(), None));
    // It ends at 16:00, and a day later nobody asks any more.
    world.until("2027-03-02T15:50:00Z").await;
    assert_eq!(states(&world).await, ["mailed"]);
    world.until("2027-03-04T00:00:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!((hire.outcome.as_deref(), hire.next_try_utc), (Some("ended"), None), "{}", world.story().await);
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}
