//! Files and a clock that is wrong (F21): nothing is read, deleted or called overdue by it.

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, When};
use firstpass::work::tick::{Feeds, tick};

use crate::world::World;

const ADA: &str = "ada.lovelace@contoso.example";

#[tokio::test]
async fn f21_a_file_waits_while_the_clock_is_wrong() {
    let world = World::new().await;
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-4));
    world.pass_time(TimeDelta::days(4)); // it is Friday; this host thinks that Monday is over
    world.drop_ada();
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert!(report.files.is_empty() && report.feed_errors.len() == 1, "{report:?}");
    assert!(report.feed_errors[0].contains("clock is 5760 min off"), "{report:?}");
    assert!(world.dir.path().join("drop/hires.csv").exists());
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set(crate::world::FRIDAY);
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert_eq!((report.files[0].added, report.files[0].past), (1, 0), "{report:?}");
    world.ends_well(ADA, 1, "the clock is right again").await;
}

/// What is deleted is gone; so nothing is, and nobody is alarmed, by a clock that is two days ahead.
#[tokio::test]
async fn f21_no_file_is_deleted_and_none_is_overdue_while_the_clock_is_wrong() {
    let world = World::with("[[feed]] += keep_files = \"1d\"").await;
    world.drop_ada();
    tick(world.work(), Feeds::Read).await.unwrap();
    let done = || std::fs::read_dir(world.dir.path().join("drop/done")).unwrap().count();
    let kept = done();
    assert!(kept > 0, "the file was read");
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-2));
    world.pass_time(TimeDelta::days(2));
    world.drop_file("more.csv", &crate::world::ADA.replace("E1,ada.lovelace", "E2,grace.hopper"));
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert_eq!(report.feed_errors.len(), 1, "{report:?}");
    assert_eq!(done(), kept, "it was read a moment ago");
    let overdue = world.raw("SELECT 1 FROM event WHERE what = 'feed-overdue'").await;
    assert!(overdue.is_empty(), "its day is not over");

    // Two days later indeed.
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    tick(world.work(), Feeds::Read).await.unwrap();
    let names = std::fs::read_dir(world.dir.path().join("drop/done")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("more")), "{names:?}");
    world.finish().await;
}

#[tokio::test]
async fn f21_a_clock_that_jumped_is_asked_about_again() {
    let world = World::new().await;
    world.drop_ada();
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert_eq!(report.files.len(), 1, "the clock is right");
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-4));
    world.pass_time(TimeDelta::days(4));
    world.drop_file("more.csv", &crate::world::ADA.replace("E1,ada.lovelace", "E2,grace.hopper"));
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert!(report.files.is_empty() && report.feed_errors.len() == 1, "{report:?}");
    world.finish().await;
}

/// Not even the directory's time is known: the file is read, so that a tenant to be set up hides nothing.
#[tokio::test]
async fn a_file_is_read_while_the_tenant_is_out_of_reach() {
    let world = World::new().await;
    world.tenant.fault_each(None, When::Before, Effect::Reset);
    world.drop_ada();
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert_eq!(report.files[0].added, 1, "{report:?}");
    world.tenant.heal();
    world.ends_well(ADA, 1, "the tenant answers again").await;
}
