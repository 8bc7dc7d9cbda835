//! What HR changes once the letter is out: the start, its zone, the account. Nothing of it is lost
//! (contract 4; promises 2 and 5), whatever happens between the change and the look at it.

use firstpass::work::intake::import;

use crate::world::{ADA, World, at};

const UPN: &str = "ada.lovelace@contoso.example";
const GRACE: &str = "grace.hopper@contoso.example";

/// Ada's row with another start: `2027-03-08,09:00,Europe/Berlin`.
fn starts(start: &str) -> String {
    ADA.replace("2027-03-01,09:00,Europe/Berlin", start)
}

/// Ada's letter is out; her pass lives from 08:00 to 16:00.
async fn mailed() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world
}

fn attention(reason: &str) -> (String, Option<String>) {
    ("attention".to_owned(), Some(reason.to_owned()))
}

#[tokio::test]
async fn a_start_that_moves_to_one_without_a_zone_takes_the_pass_back_and_asks_for_the_zone() {
    let mut world = mailed().await;
    world.drop_file("moved.csv", &starts("2027-03-08,09:00,"));
    world.until("2027-03-01T06:40:00Z").await;
    let story = world.story().await;
    assert!(world.live_passes(UPN).is_empty(), "it is for a morning that is none any more\n{story}");
    assert_eq!(world.state("E1").await, attention("zone-unknown"), "{story}");
    assert_eq!(world.letters().len(), 2, "and the manager is told\n{story}");

    world.drop_file("zone.csv", &starts("2027-03-08,09:00,America/New_York"));
    world.until("2027-03-08T12:30:00Z").await;
    let story = world.story().await;
    assert_eq!(world.code_letters().len(), 2, "{story}");
    assert_eq!(world.live_passes(UPN)[0].start, at("2027-03-08T14:00:00Z"), "{story}");
    world.finish().await;
}

#[tokio::test]
async fn a_row_that_loses_its_zone_alone_costs_nobody_the_pass() {
    let mut world = mailed().await;
    world.drop_file("no-zone.csv", &starts("2027-03-01,09:00,"));
    world.until("2027-03-02T00:00:00Z").await;
    let story = world.story().await;
    assert_eq!((world.letters().len(), world.passes(UPN).len()), (1, 1), "nine o'clock of that day it is\n{story}");
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("ended"), "{story}");
    world.finish().await;
}

#[tokio::test]
async fn a_new_start_without_a_zone_behind_one_that_is_over_is_a_new_engagement() {
    let mut world = mailed().await;
    world.until("2027-03-02T00:00:00Z").await;
    world.drop_file("again.csv", &starts("2027-03-15,09:00,"));
    world.tick().await;
    let story = world.story().await;
    let mut states: Vec<_> = world.hires().await.into_iter().map(|hire| (hire.state, hire.reason)).collect();
    states.sort();
    assert_eq!(states, [attention("zone-unknown"), ("delivered".to_owned(), None)], "{story}");

    world.drop_file("zone.csv", &starts("2027-03-15,09:00,America/New_York"));
    world.until("2027-03-15T12:30:00Z").await;
    let story = world.story().await;
    assert_eq!(world.code_letters().len(), 2, "{story}");
    assert_eq!(world.live_passes(UPN)[0].start, at("2027-03-15T13:00:00Z"), "{story}");
    world.finish().await;
}

/// The service is down when the pass ends; before that the start moves, by `firstpass import`.
async fn down_until_the_end(start: &str) -> World {
    let mut world = mailed().await;
    world.until("2027-03-01T15:55:00Z").await;
    let (store, settings) = (world.store().await, world.settings.clone());
    let file = world.dir.path().join("moved.csv");
    std::fs::write(&file, starts(start)).unwrap();
    let rules = &settings.tenant("contoso").unwrap().rules;
    import(&file, &settings.feeds[0], rules, &store, world.clock.now(), false).await.unwrap();
    world.work = None;
    world.set("2027-03-01T16:05:00Z");
    world.restart().await;
    world.until("2027-03-01T17:00:00Z").await;
    world
}

#[tokio::test]
async fn a_start_that_moved_while_the_pass_lived_is_served_although_the_pass_has_ended_since() {
    let mut world = down_until_the_end("2027-03-08,09:00,Europe/Berlin").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), None), "{story}");
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("ended"), "{story}");
    world.until("2027-03-08T07:00:00Z").await;
    let story = world.story().await;
    assert_eq!((world.code_letters().len(), world.letters().len()), (2, 2), "nothing was void\n{story}");
    assert_eq!(world.live_passes(UPN)[0].start, at("2027-03-08T08:00:00Z"), "{story}");
    world.finish().await;
}

#[tokio::test]
async fn a_start_that_moved_to_one_without_a_zone_is_asked_for_although_the_pass_has_ended_since() {
    let world = down_until_the_end("2027-03-08,09:00,").await;
    assert_eq!(world.state("E1").await, attention("zone-unknown"), "{}", world.story().await);
    world.finish().await;
}

/// What is corrected about a start that the pass has served is recorded only.
#[tokio::test]
async fn i16_a_start_that_is_corrected_within_the_life_of_a_pass_that_ended_gets_no_second_one() {
    let mut world = down_until_the_end("2027-03-01,08:00,Europe/Berlin").await;
    world.until("2027-03-02T00:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("delivered".to_owned(), None), "{story}");
    assert_eq!(world.passes(UPN).len(), 1, "{story}");
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_is_corrected_when_the_pass_can_be_used_already_gets_the_pass() {
    let mut world = World::new().await;
    world.set("2027-03-01T10:00:00Z");
    world.drop_ada();
    world.until("2027-03-01T10:04:00Z").await;
    assert_eq!(world.live_passes(UPN).len(), 1, "late, and usable at once\n{}", world.story().await);
    let other = ADA.replace("ada.lovelace", "grace.hopper").replace("mia.manager", "omar.okafor");
    world.drop_file("corrected.csv", &other);
    world.until("2027-03-01T10:20:00Z").await;
    let story = world.story().await;
    assert!(world.live_passes(UPN).is_empty(), "somebody else's account\n{story}");
    assert_eq!(world.live_passes(GRACE).len(), 1, "{story}");
    let mut letters: Vec<(String, bool)> =
        world.letters().iter().map(|letter| (letter.to[0].clone(), letter.code().is_some())).collect();
    letters.sort();
    let (mia, omar) = ("mia.manager@contoso.example", "omar.okafor@contoso.example");
    assert_eq!(letters, [(mia.to_owned(), false), (mia.to_owned(), true), (omar.to_owned(), true)], "{story}");
    world.finish().await;
}
