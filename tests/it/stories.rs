//! The main job as stories: given this feed, at this time, then this mailbox.

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};

use crate::world::{ADA, World};

#[tokio::test]
async fn a_hire_in_berlin_gets_her_pass_on_monday_at_seven() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:59Z").await;
    assert_eq!(world.letters().len(), 0, "nothing before seven o'clock in Berlin");
    assert_eq!(world.state("E1").await, ("pending".to_owned(), None));

    world.until("2027-03-01T06:00:01Z").await;
    let letters = world.letters();
    assert_eq!(letters.len(), 1, "{}", world.story().await);
    assert_eq!(letters[0].to, ["mia.manager@contoso.example"]);
    let passes = world.passes("ada.lovelace@contoso.example");
    assert_eq!(passes.len(), 1);
    assert_eq!(passes[0].start, crate::world::at("2027-03-01T08:00:00Z"), "usable from nine in Berlin");
    assert_eq!(
        letters[0].code().as_deref(),
        Some(passes[0].code.as_str()),
        "the letter holds the pass that is out there"
    );

    world.until("2027-03-02T00:00:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.outcome.as_deref()), ("delivered", Some("ended")));
    assert_eq!(hire.mailed_to.as_deref(), Some("mia.manager@contoso.example"));
    world.finish().await;
}

#[tokio::test]
async fn four_zones_have_four_mornings() {
    let mut world = World::new().await;
    world.drop_file(
        "hires.csv",
        "employee_id,user,start_date,zone\n\
         E1,ada.lovelace@contoso.example,2027-03-01,Europe/Berlin\n\
         E2,grace.hopper@contoso.example,2027-03-01,America/New_York\n\
         E3,alan.turing@contoso.example,2027-03-01,Asia/Kolkata\n\
         E4,katherine.johnson@contoso.example,2027-03-01,Pacific/Auckland\n",
    );
    world.until("2027-03-02T00:00:00Z").await;
    let mut mornings: Vec<String> =
        world.letters().iter().map(|letter| letter.at.format("%d %H:%M").to_string()).collect();
    mornings.sort();
    assert_eq!(
        mornings,
        ["28 18:00", "01 01:30", "01 06:00", "01 12:00"]
            .map(str::to_owned)
            .iter()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    world.finish().await;
}

#[tokio::test]
async fn a_used_one_time_pass_is_known_as_used() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T08:05:00Z").await;
    let code = world.code_letters()[0].code().unwrap();
    assert!(world.tenant.use_pass(world.id_of("ada.lovelace@contoso.example"), &code));
    world.until("2027-03-01T20:00:00Z").await;
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("used"));
    world.finish().await;
}

#[tokio::test]
async fn a_start_that_moves_after_its_letter_is_told_and_made_anew() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1);
    world.drop_file("moved.csv", &ADA.replace("2027-03-01", "2027-03-03"));
    world.until("2027-03-01T06:40:00Z").await;
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty(), "{}", world.story().await);
    assert_eq!(world.letters().len(), 2, "the manager is told that the code is void");
    world.until("2027-03-04T00:00:00Z").await;
    assert_eq!(world.code_letters().len(), 2, "{}", world.story().await);
    let passes = world.passes("ada.lovelace@contoso.example");
    assert_eq!(passes.last().unwrap().start, crate::world::at("2027-03-03T08:00:00Z"));
    world.finish().await;
}

#[tokio::test]
async fn a_withdrawal_after_the_letter_deletes_the_pass_and_tells_the_manager() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:30:00Z").await;
    world.drop_file(
        "withdrawn.csv",
        "employee_id,user,display_name,start_date,start_time,zone,manager,status\n\
         E1,ada.lovelace@contoso.example,Ada Lovelace,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example,withdrawn\n",
    );
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.state("E1").await.0, "cancelled");
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty());
    assert_eq!(world.letters().len(), 2);
    assert!(world.letters()[1].code().is_none());
    world.finish().await;
}

#[tokio::test]
async fn a_new_manager_in_the_directory_gets_a_new_letter_and_the_old_one_is_told() {
    let mut world = World::new().await;
    world.drop_file("hires.csv", &ADA.replace(",mia.manager@contoso.example\n", ",\n"));
    world.until("2027-03-01T06:05:00Z").await;
    assert_eq!(world.code_letters().len(), 1);
    let omar = world.id_of("omar.okafor@contoso.example");
    world.change("ada.lovelace@contoso.example", |user| user.manager = Some(omar));
    world.until("2027-03-01T09:00:00Z").await;
    let told: Vec<String> = world.letters().iter().map(|letter| letter.to[0].clone()).collect();
    assert_eq!(world.code_letters().len(), 2, "{told:?}\n{}", world.story().await);
    assert_eq!(world.code_letters()[1].to, ["omar.okafor@contoso.example"]);
    assert!(told.iter().filter(|to| *to == "mia.manager@contoso.example").count() == 2, "Mia is told: {told:?}");
    let when: Vec<_> = world.letters().iter().map(|letter| letter.at).collect();
    assert!(when[2] - when[1] < TimeDelta::seconds(5), "and at once: {when:?}");
    world.finish().await;
}

/// The settling look, ten minutes after the letter, still saw the old one.
#[tokio::test]
async fn f96_a_manager_who_leaves_before_the_start_loses_the_pass_to_the_new_one_in_time() {
    let mut world = World::new().await;
    world.drop_file("hires.csv", &ADA.replace(",mia.manager@contoso.example\n", ",\n"));
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1);
    let omar = world.id_of("omar.okafor@contoso.example");
    world.change("ada.lovelace@contoso.example", |user| user.manager = Some(omar));
    world.until("2027-03-01T07:01:00Z").await;
    let letters = world.code_letters();
    assert_eq!(letters.len(), 2, "an hour before the start\n{}", world.story().await);
    assert_eq!(letters[1].to, ["omar.okafor@contoso.example"]);
    let live = world.live_passes("ada.lovelace@contoso.example");
    assert_eq!((live.len(), Some(live[0].code.clone())), (1, letters[1].code()), "Mia's code opens nothing");
    world.until("2027-03-01T08:00:00Z").await;
    assert_eq!(world.letters().len(), 3, "and Mia is told");
    world.finish().await;
}

#[tokio::test]
async fn f24_a_morning_that_was_slept_through_is_made_up_for_within_the_window() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    world.set("2027-03-01T15:00:00Z");
    world.tick().await;
    let passes = world.passes("ada.lovelace@contoso.example");
    assert_eq!(passes.len(), 1, "{}", world.story().await);
    assert!((passes[0].start - world.clock.now()).abs() < TimeDelta::minutes(1), "valid at once");
    world.finish().await;
}

#[tokio::test]
async fn f24_past_the_window_it_is_missed_until_somebody_says_retry() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    world.set("2027-03-01T18:00:00Z");
    world.tick().await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("missed".to_owned())));
    assert!(world.letters().is_empty());
    world.until("2027-03-05T00:00:00Z").await;
    assert!(world.letters().is_empty(), "missed waits for retry");
    world.operate("E1", firstpass::store::Operate::Retry { late_until: std::time::Duration::from_hours(8) }).await;
    world.tick().await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f98_throttled_posts_wait_as_long_as_they_are_told() {
    for said in ["7", "2.128", "Mon, 01 Mar 2027 06:00:30 GMT"] {
        let mut world = World::new().await;
        world.drop_ada();
        world.until("2027-03-01T05:59:00Z").await;
        world.tenant.fault(Fault {
            kind: Kind::PassCreate,
            nth: 1,
            when: When::Before,
            effect: Effect::throttled(Some(said)),
        });
        world.until("2027-03-01T06:10:00Z").await;
        assert_eq!(world.code_letters().len(), 1, "{said}\n{}", world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn i16_what_hr_says_after_the_pass_is_over_changes_nothing() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-02T00:00:00Z").await;
    let withdrawn = ADA.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
    world.drop_file("withdrawn.csv", &withdrawn);
    world.until("2027-03-03T00:00:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.outcome.as_deref()), ("delivered", Some("ended")), "{}", world.story().await);
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_second_start_of_the_same_person_is_a_new_engagement_with_its_own_letter() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-02T00:00:00Z").await;
    world.drop_file("again.csv", &ADA.replace("2027-03-01", "2027-04-05"));
    world.until("2027-04-06T00:00:00Z").await;
    assert_eq!(world.code_letters().len(), 2, "{}", world.story().await);
    let mut starts: Vec<String> = world.hires().await.into_iter().map(|hire| hire.start_local).collect();
    starts.sort();
    assert_eq!(starts, ["2027-03-01 09:00 Europe/Berlin", "2027-04-05 09:00 Europe/Berlin"]);
    world.finish().await;
}

#[tokio::test]
async fn i14_the_last_file_again_changes_nothing() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    let before = world.hires().await;
    world.pass_time(TimeDelta::minutes(5));
    world.drop_ada();
    world.tick().await;
    assert_eq!(world.hires().await, before);
    let last = world.reports.last().unwrap();
    assert_eq!((last.added, last.changed, last.unchanged), (0, 0, 1), "{last:?}");
    world.finish().await;
}

#[tokio::test]
async fn f107_a_changed_schedule_moves_the_mornings_that_are_ahead() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    assert_eq!(world.hire("E1").await.send_utc.as_deref(), Some("2027-03-01T06:00:00Z"));
    let path = world.dir.path().join("firstpass.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[schedule]\nsend_at = \"06:30\"\n")).unwrap();
    world.settings = std::sync::Arc::new(firstpass::config::Settings::load(&path, std::iter::empty()).unwrap());
    world.restart().await;
    world.tick().await;
    assert_eq!(world.hire("E1").await.send_utc.as_deref(), Some("2027-03-01T05:30:00Z"));
    world.until("2027-03-01T05:30:01Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}
