//! Scrapes before, during and after mornings that go well and that do not.

use std::sync::Arc;

use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::serve::metrics::{Form, Metrics};
use firstpass::store::Store;

use super::scrape;
use crate::world::{ADA as FILE, World, at};

const ADA: &str = "ada.lovelace@contoso.example";

async fn monday() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

#[tokio::test]
async fn a_good_morning_before_and_after() {
    let mut world = World::new().await;
    let empty = scrape(&world).await;
    assert_eq!(empty.sum("firstpass_hires", ""), 0);
    assert_eq!(empty.value("firstpass_letter_lateness_seconds_count", "tenant=contoso"), 0, "there from the start");
    assert_eq!(empty.value("firstpass_feed_files_total", "feed=hr state=held"), 0);
    assert_eq!(empty.value("firstpass_tokens_refused_total", "tenant=contoso by=sign-in"), 0);
    assert_eq!(empty.value("firstpass_state_readable", ""), 1);

    world.drop_file("hires.csv", &format!("{FILE}E2,grace.hopper@contoso.example,Grace Hopper,2027-99-01,,,\n"));
    world.until("2027-03-01T05:59:00Z").await;
    let before = scrape(&world).await;
    assert_eq!(before.value("firstpass_hires", "tenant=contoso state=pending"), 1);
    assert_eq!(before.value("firstpass_feed_rows_total", "feed=hr change=added"), 1);
    assert_eq!(before.value("firstpass_feed_rows_total", "feed=hr change=rejected"), 1);
    assert_eq!(before.value("firstpass_feed_rejected_rows", "feed=hr"), 1);
    assert_eq!(before.value("firstpass_feed_files_total", "feed=hr state=taken"), 1);
    let read = before.value("firstpass_feed_last_file_timestamp_seconds", "feed=hr");
    assert_eq!(read, at(crate::world::FRIDAY).timestamp());
    assert_eq!(before.value("firstpass_feed_overdue", "feed=hr"), 1, "since Saturday afternoon");
    assert_eq!(before.value("firstpass_oldest_due_seconds", "tenant=contoso"), 0);

    world.until("2027-03-01T06:00:20Z").await;
    let after = scrape(&world).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(after.value("firstpass_hires", "tenant=contoso state=delivered"), 1);
    assert_eq!(after.sum("firstpass_hires", "state=pending"), 0);
    assert_eq!(after.value("firstpass_letter_lateness_seconds_bucket", "tenant=contoso le=5.0"), 1, "{}", after.text);
    assert_eq!(after.value("firstpass_letter_lateness_seconds_count", "tenant=contoso"), 1);
    assert_eq!(after.value("firstpass_tries_total", "tenant=contoso outcome=made"), 1);
    assert_eq!(after.value("firstpass_graph_answers_total", "operation=pass-create status=201"), 1);
    assert!(after.value("firstpass_graph_answers_total", "operation=token status=200") >= 1);
    assert_eq!(after.value("firstpass_mail_answers_total", "way=mail step=dial answer=accepted"), 1);
    assert_eq!(after.value("firstpass_mail_answers_total", "way=mail step=letter answer=accepted"), 1);
    assert_eq!(after.sum("firstpass_passes_unsettled", ""), 0);
    assert!(
        after.value("firstpass_ticks_total", "outcome=done") > before.value("firstpass_ticks_total", "outcome=done")
    );
    assert_eq!(after.value("firstpass_last_tick_timestamp_seconds", ""), at("2027-03-01T06:00:20Z").timestamp());
    assert_eq!(after.value("firstpass_clock_skew_seconds", "tenant=contoso"), 0);
    assert_eq!(after.value("process_start_time_seconds", ""), world.clock.now().timestamp());
    world.finish().await;
}

#[tokio::test]
async fn a_letter_that_waits_for_its_mail_server_is_due_then_late() {
    let mut world = monday().await;
    world.mail.stop();
    world.until("2027-03-01T06:30:00Z").await;
    let waiting = scrape(&world).await;
    assert_eq!(waiting.value("firstpass_oldest_due_seconds", "tenant=contoso"), 1800);
    assert_eq!(waiting.value("firstpass_mail_stopped", "way=mail"), 1);
    assert_eq!(waiting.value("firstpass_tenant_stopped", "tenant=contoso"), 0);
    assert_eq!(waiting.value("firstpass_hires", "state=pending reason=mail-stopped"), 1);
    assert!(waiting.value("firstpass_mail_answers_total", "step=dial answer=unreachable") >= 1);
    world.mail.resume().unwrap();
    world.until("2027-03-01T06:40:00Z").await;
    let after = scrape(&world).await;
    assert_eq!(after.value("firstpass_letter_lateness_seconds_bucket", "le=600.0"), 0, "{}", after.text);
    assert_eq!(after.value("firstpass_letter_lateness_seconds_bucket", "le=3600.0"), 1, "{}", after.text);
    assert_eq!(after.value("firstpass_oldest_due_seconds", "tenant=contoso"), 0);
    assert_eq!(after.value("firstpass_mail_stopped", "way=mail"), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_letter_in_hand_shows_with_its_pass() {
    use firstpass::sandbox::mailbox::{Effect, MailFault, Verb, When};
    let mut world = monday().await;
    let later = Effect::Reply(451, "4.7.1 greylisted".to_owned());
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: When::Before, effect: later });
    world.until("2027-03-01T06:00:10Z").await;
    let waiting = scrape(&world).await;
    assert_eq!(waiting.value("firstpass_letters_in_hand", ""), 1, "{}", world.story().await);
    assert_eq!(waiting.value("firstpass_passes_unsettled", "state=mailing"), 1);
    assert_eq!(waiting.value("firstpass_mail_answers_total", "step=letter answer=letter-later"), 1);
    world.until("2027-03-01T06:08:00Z").await;
    assert_eq!(scrape(&world).await.value("firstpass_letters_in_hand", ""), 0);
    world.finish().await;
}

#[tokio::test]
async fn somebody_who_needs_a_person_soon_stands_out() {
    let mut world = monday().await;
    world.change(ADA, |user| user.methods.push("phoneAuthenticationMethod".into()));
    world.until("2027-03-01T06:10:00Z").await;
    let seen = scrape(&world).await;
    assert_eq!(seen.value("firstpass_hires", "tenant=contoso state=attention reason=user-registered"), 1);
    assert_eq!(seen.value("firstpass_hires_attention_near", "tenant=contoso reason=user-registered"), 1);
    assert_eq!(seen.value("firstpass_oldest_due_seconds", "tenant=contoso"), 0, "a person is wanted, not patience");
    world.until("2027-03-04T06:00:00Z").await;
    let later = scrape(&world).await;
    assert_eq!(later.sum("firstpass_hires", "state=attention"), 1);
    assert_eq!(later.sum("firstpass_hires_attention_near", ""), 0);
    world.finish().await;
}

#[tokio::test]
async fn f97_a_refused_credential_stops_its_tenant_and_counts_tokens() {
    let mut world = monday().await;
    world.tenant.edit(|directory| directory.secret_expired = true);
    world.tenant.revoke_tokens();
    world.until("2027-03-01T06:30:00Z").await;
    let seen = scrape(&world).await;
    assert_eq!(seen.value("firstpass_tenant_stopped", "tenant=contoso"), 1);
    assert!(seen.value("firstpass_tokens_refused_total", "tenant=contoso by=sign-in") >= 2, "{}", seen.text);
    assert!(seen.value("firstpass_tokens_refused_total", "tenant=contoso by=graph") >= 1);
    assert_eq!(seen.value("firstpass_hires", "state=pending reason=tenant-stopped"), 1);
    assert_eq!(seen.value("firstpass_oldest_due_seconds", "tenant=contoso"), 1800);
    world.finish().await;
}

#[tokio::test]
async fn f98_429_is_counted_and_its_patience_is_shown() {
    let mut world = monday().await;
    let effect = Effect::throttled(Some("300"));
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when: When::Before, effect });
    world.until("2027-03-01T06:00:30Z").await;
    let seen = scrape(&world).await;
    assert_eq!(seen.value("firstpass_graph_answers_total", "operation=pass-create status=429"), 1);
    assert_eq!(seen.value("firstpass_tries_total", "outcome=throttled"), 1);
    let wait = seen.value("firstpass_tenant_wait_seconds", "tenant=contoso");
    assert!((200..=300).contains(&wait), "{wait}");
    assert_eq!(seen.value("firstpass_tenant_stopped", "tenant=contoso"), 0, "slowed down, not stopped");
    world.until("2027-03-01T06:10:00Z").await;
    let after = scrape(&world).await;
    assert_eq!(after.value("firstpass_tenant_wait_seconds", "tenant=contoso"), 0);
    assert_eq!(after.value("firstpass_tries_total", "outcome=made"), 1);
    world.finish().await;
}

/// What cannot be read is not shown as zero, and what was counted is shown all the same.
#[tokio::test]
async fn a_state_that_does_not_answer_costs_no_scrape() {
    let mut world = monday().await;
    world.until("2027-03-01T06:01:00Z").await;
    let Store::Sqlite { read, .. } = &world.work().store else { unreachable!() };
    read.close().await;
    let seen = scrape(&world).await;
    assert_eq!(seen.value("firstpass_state_readable", ""), 0);
    assert_eq!(seen.value("firstpass_letter_lateness_seconds_count", "tenant=contoso"), 1);
    for absent in
        ["firstpass_hires", "firstpass_oldest_due_seconds", "firstpass_tenant_stopped", "firstpass_feed_overdue"]
    {
        assert!(!seen.names().contains(absent), "{absent} is made up");
    }
    world.restart().await;
    assert_eq!(scrape(&world).await.value("firstpass_state_readable", ""), 1);
    world.finish().await;
}

/// However many ask at once: the state is read once, and a letter that goes out meanwhile is on time.
#[tokio::test]
async fn many_scrapes_share_one_reading_and_delay_no_letter() {
    let mut world = monday().await;
    let metrics = Arc::new(Metrics::beginning(world.clock.now()));
    world.set("2027-03-01T06:00:00Z");
    let many = (0..200).map(|_| {
        let (metrics, work) = (Arc::clone(&metrics), Arc::clone(world.work()));
        tokio::spawn(async move { metrics.text(&work, Form::OpenMetrics).await })
    });
    let many: Vec<_> = many.collect();
    world.tick().await;
    assert_eq!(world.code_letters().len(), 1);
    for one in many {
        assert!(one.await.unwrap().ends_with("# EOF\n"));
    }
    // The reading is kept: by the wall and by real time nothing has passed.
    let Store::Sqlite { read, .. } = &world.work().store else { unreachable!() };
    read.close().await;
    let kept = metrics.text(world.work(), Form::Text).await;
    assert!(kept.contains("\nfirstpass_state_readable 1\n"), "one reading serves those who come soon after: {kept}");
    world.pass_time(chrono::TimeDelta::seconds(6));
    let new = metrics.text(world.work(), Form::Text).await;
    assert!(new.contains("\nfirstpass_state_readable 0\n"), "and no longer: {new}");
    world.restart().await;
    world.finish().await;
}
