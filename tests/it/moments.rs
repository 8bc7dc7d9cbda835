//! Moments that the other stories pass by: time that goes on while an answer is waited for (I7,
//! F25), a code that waits in hand while the world changes (F57, F59, F60, I15), a list that says
//! once that ours is gone (F101), and two refusals in a row (F62).

use std::fmt::Write as _;
use std::time::Duration;

use chrono::TimeDelta;
use firstpass::config::Limits;
use firstpass::sandbox::mailbox::{self, MailFault, Recipients, Verb};
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::work::tick::{Feeds, tick};

use crate::world::{ADA as ADA_FILE, World, short_limits, side_by_side};

const ADA: &str = "ada.lovelace@contoso.example";
const NOON: &str = "2027-03-01T12:00:00Z";

/// Ada's morning has come, and nothing was done yet.
async fn seven(limits: Limits) -> World {
    let mut world = World::with_limits("", limits).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    world
}

/// So many times the mail server says "later" to the letter.
fn defer(world: &World, times: usize) {
    for nth in 1..=times {
        let effect = mailbox::Effect::Reply(451, "4.3.0 later".to_owned());
        world.mail.fault(MailFault { verb: Verb::Dot, nth, when: mailbox::When::Before, effect });
    }
}

/// The last check's answer comes so late by the wall and by real time: no POST on what it says.
async fn no_post_after(limits: Limits, wall: TimeDelta, real: Duration) {
    let world = seven(limits).await;
    world.tenant.fault(Fault { kind: Kind::Domains, nth: 1, when: When::After, effect: Effect::Hold });
    let work = std::sync::Arc::clone(world.work());
    let ticking = tokio::spawn(async move { tick(&work, Feeds::Leave).await.unwrap() });
    world.tenant.held().await;
    world.tenant.fault_each(Some(Kind::User), When::Before, Effect::graph_error(500, "x", "no second attempt here"));
    world.pass_time(wall);
    tokio::time::sleep(real).await;
    world.tenant.release();
    ticking.await.unwrap();
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    world.tenant.heal();
    let mut world = world;
    world.limits = short_limits();
    world.restart().await;
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn i7_facts_older_than_a_minute_are_not_issued_upon() {
    no_post_after(short_limits(), TimeDelta::seconds(90), Duration::ZERO).await;
}

#[tokio::test]
async fn f25_no_post_without_two_minutes_of_lease_by_the_wall() {
    let limits = Limits { lease: Duration::from_secs(150), ..short_limits() };
    no_post_after(limits, TimeDelta::seconds(45), Duration::ZERO).await;
}

#[tokio::test]
async fn f25_no_post_without_two_minutes_of_lease_by_real_time() {
    let limits = Limits { lease: Duration::from_secs(121), ..short_limits() };
    no_post_after(limits, TimeDelta::zero(), Duration::from_millis(1100)).await;
}

#[tokio::test]
async fn f60_a_code_in_hand_keeps_its_lease() {
    let mut world = seven(short_limits()).await;
    world.limits.in_hand = Duration::from_mins(30);
    world.restart().await;
    defer(&world, 14);
    world.until("2027-03-01T06:20:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "the same pass\n{}", world.story().await);
    assert!(world.code_letters()[0].at >= crate::world::at("2027-03-01T06:06:00Z"), "longer than a lease");
    world.finish().await;
}

/// A relay that takes its time with each letter must not stop the sign of life, nor cost the leases of
/// those that wait behind.
#[tokio::test]
async fn f60_a_slow_relay_gets_one_letter_a_tick_and_the_others_keep_their_leases() {
    let mut world = World::with_limits("", Limits { tick: Duration::from_secs(1), ..short_limits() }).await;
    let mut file = ADA_FILE.to_owned();
    for n in 2..=3 {
        let upn = format!("hire{n}@contoso.example");
        world.person(&upn, &format!("Hire {n}"), &format!("E{n}"), Some("mia.manager@contoso.example"));
        let _ = writeln!(file, "E{n},{upn},Hire {n},2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example");
    }
    world.drop_file("three.csv", &file);
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    defer(&world, 3);
    for _ in 0..10 {
        tick(world.work(), Feeds::Leave).await.unwrap();
    }
    assert_eq!(world.work().n_in_hand().await, 3, "{}", world.story().await);
    for left in [2, 1, 0] {
        world.pass_time(TimeDelta::minutes(3));
        let effect = mailbox::Effect::Delay(Duration::from_millis(1200));
        world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::Before, effect });
        tick(world.work(), Feeds::Leave).await.unwrap();
        assert_eq!(world.work().n_in_hand().await, left, "{}", world.story().await);
    }
    assert_eq!(world.code_letters().len(), 3, "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 3, "each with its first pass\n{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn i15_a_start_that_moves_while_the_code_is_in_hand_stops_the_letter() {
    let mut world = seven(short_limits()).await;
    defer(&world, 1);
    world.tick().await;
    assert_eq!(world.live_passes(ADA).len(), 1, "{}", world.story().await);
    world.drop_file("moved.csv", &ADA_FILE.replace("2027-03-01", "2027-03-02"));
    world.until(NOON).await;
    assert!(world.letters().is_empty(), "{}", world.story().await);
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    world.until("2027-03-02T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f57_a_recipient_refused_while_the_code_is_in_hand_costs_the_pass() {
    let mut world = seven(short_limits()).await;
    defer(&world, 1);
    world.tick().await;
    world.mail.edit(|options| options.recipients = Recipients::Except(vec!["mia.manager@contoso.example".to_owned()]));
    world.until("2027-03-01T06:05:00Z").await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())));
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f59_whoever_may_hold_a_letter_is_told_that_it_is_void() {
    let mut world = seven(short_limits()).await;
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::After, effect: mailbox::Effect::Drop });
    world.tick().await;
    assert_eq!(world.code_letters().len(), 1, "taken, and nobody knows\n{}", world.story().await);
    world.drop_file(
        "withdrawn.csv",
        &ADA_FILE.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n"),
    );
    world.until(NOON).await;
    assert_eq!(world.state("E1").await.0, "cancelled");
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    assert_eq!(world.letters().len(), 2, "the manager is told\n{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f101_a_pass_that_is_missing_from_one_list_only_is_not_called_deleted() {
    let mut world = seven(short_limits()).await;
    world.until("2027-03-01T06:01:00Z").await;
    let nothing = Effect::Status(
        200,
        vec![("content-type".to_owned(), "application/json".to_owned())],
        r#"{"value":[]}"#.to_owned(),
    );
    world.tenant.fault(Fault { kind: Kind::PassList, nth: 1, when: When::After, effect: nothing });
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("unused"), "{}", world.story().await);
    world.tenant.delete_pass(world.id_of(ADA));
    world.until(NOON).await;
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("deleted"), "at two looks\n{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f62_two_hires_refused_in_a_row_stop_the_tenant() {
    let mut world = World::with_limits("", side_by_side()).await;
    world.drop_file(
        "hires.csv",
        "employee_id,user,start_date,zone\n\
         E1,ada.lovelace@contoso.example,2027-03-01,Europe/Berlin\n\
         E2,grace.hopper@contoso.example,2027-03-01,Europe/Berlin\n\
         E3,alan.turing@contoso.example,2027-03-01,Europe/Berlin\n",
    );
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    let refused = Effect::graph_error(403, "accessDenied", "Request Authorization failed");
    world.tenant.fault_each(Some(Kind::Methods), When::Before, refused);
    world.tick().await;
    let asked = world.tenant.count(Kind::PassCreate);
    let reasons: Vec<Option<String>> = world.hires().await.into_iter().map(|hire| hire.reason).collect();
    assert_eq!(asked, 0);
    let n_refused = reasons.iter().filter(|reason| reason.as_deref() == Some("unanswered")).count();
    assert_eq!(
        n_refused,
        1,
        "the second one stops the tenant, the third is not asked for: {reasons:?}\n{}",
        world.story().await
    );
    world.tenant.heal();
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 3, "{}", world.story().await);
    world.finish().await;
}

/// Feeds, codes in hand and the sign of life do not wait until a slow tenant has served a crowd.
#[tokio::test]
async fn a_tick_claims_nobody_new_after_its_time() {
    const CROWD: usize = 14;
    let mut world = World::with_limits("", Limits { tick: Duration::from_millis(300), ..side_by_side() }).await;
    let mut file = "employee_id,user,start_date,zone\n".to_owned();
    for n in 0..CROWD {
        let upn = format!("hire{n}@contoso.example");
        world.person(&upn, &format!("Hire {n}"), &format!("H{n}"), Some("mia.manager@contoso.example"));
        let _ = writeln!(file, "H{n},{upn},2027-03-01,Europe/Berlin");
    }
    world.drop_file("crowd.csv", &file);
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    world.tenant.fault_each(Some(Kind::PassCreate), When::Before, Effect::Delay(Duration::from_millis(200)));
    let first = tick(world.work(), Feeds::Leave).await.unwrap();
    // Each of the four begins at once, and once more after its 200 ms.
    assert!((4..=8).contains(&first.n_attempts), "{} attempts in one tick", first.n_attempts);
    world.tenant.heal();
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), CROWD, "the next ticks go on\n{}", world.story().await);
    world.finish().await;
}
