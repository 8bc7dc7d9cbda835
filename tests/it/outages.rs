//! Mail, tenant, clock and state out of order (F16–F21, F51, F56–F60, F97): nothing is issued that
//! cannot be mailed, nothing is lost, and it goes on by itself.

use std::fmt::Write as _;

use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::sandbox::mailbox::{self, MailFault, ModelMailServer, Options, Recipients, Verb};
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::sandbox::tls::Ca;
use firstpass::work::tick::{Feeds, tick};
use sqlx::Row as _;

use crate::world::{FRIDAY, MAIL_PASSWORD, World, at, short_limits, side_by_side};

const ADA: &str = "ada.lovelace@contoso.example";
const NOON: &str = "2027-03-01T12:00:00Z";

async fn monday() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

fn reply(verb: Verb, code: u16, text: &str) -> MailFault {
    MailFault { verb, nth: 1, when: mailbox::When::Before, effect: mailbox::Effect::Reply(code, text.to_owned()) }
}

#[tokio::test]
async fn f56_a_mail_server_that_is_down_stops_the_morning_before_anything_is_made() {
    let mut world = monday().await;
    world.mail.stop();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())));
    world.mail.resume().unwrap();
    world.until("2027-03-01T06:40:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f57_a_refused_login_stops_mail_and_burns_nobody() {
    let mut world = monday().await;
    world.mail.edit(|options| options.users.clear());
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())));
    let password = crate::world::MAIL_PASSWORD.to_owned();
    world.mail.edit(|options| options.users.push(("firstpass@contoso.example".to_owned(), password)));
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f51_a_server_without_starttls_gets_nothing() {
    let mut world = monday().await;
    world.mail.edit(|options| options.strip_starttls = true);
    world.until("2027-03-01T06:30:00Z").await;
    assert!(world.letters().is_empty());
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f57_a_recipient_refused_for_good_is_told_before_anything_is_made() {
    let mut world = monday().await;
    world.mail.edit(|options| options.recipients = Recipients::Except(vec!["mia.manager@contoso.example".to_owned()]));
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())));
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f57_a_letter_refused_for_good_costs_the_pass() {
    let mut world = monday().await;
    world.mail.fault(reply(Verb::Dot, 554, "5.7.1 not this one"));
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())));
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 1);
    world.finish().await;
}

#[tokio::test]
async fn f56_a_letter_deferred_waits_in_hand_with_the_same_pass() {
    let mut world = monday().await;
    world.mail.fault(reply(Verb::Dot, 451, "4.7.1 greylisted"));
    world.until("2027-03-01T06:08:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "the same pass, the same letter");
    world.finish().await;
}

#[tokio::test]
async fn f59_a_connection_lost_after_the_dot_repeats_the_same_message() {
    let mut world = monday().await;
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::After, effect: mailbox::Effect::Drop });
    world.until("2027-03-01T06:30:00Z").await;
    let ids: Vec<_> = world.letters().iter().map(|letter| letter.header("Message-ID")).collect();
    assert_eq!(ids.len(), 2, "{}", world.story().await);
    assert_eq!(ids[0], ids[1], "the same message");
    assert_eq!(world.tenant.count(Kind::PassCreate), 1);
    world.finish().await;
}

#[tokio::test]
async fn f60_a_letter_deferred_for_ten_minutes_gives_its_pass_up() {
    let mut world = monday().await;
    world.until("2027-03-01T05:59:59Z").await;
    for nth in 1..=200 {
        world.mail.fault(MailFault {
            verb: Verb::Dot,
            nth,
            when: mailbox::When::Before,
            effect: mailbox::Effect::Reply(451, "4.3.0 later".to_owned()),
        });
    }
    world.until("2027-03-01T06:20:00Z").await;
    let given_up = world.passes(ADA).iter().filter(|pass| pass.deleted_at.is_some()).count();
    assert!(given_up >= 1, "{}", world.story().await);
    world.mail.clear_faults();
    world.until(NOON).await;
    assert_eq!(world.live_passes(ADA).len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn sigterm_takes_back_what_is_in_hand() {
    let mut world = monday().await;
    for nth in 1..=20 {
        world.mail.fault(MailFault {
            verb: Verb::Dot,
            nth,
            when: mailbox::When::Before,
            effect: mailbox::Effect::Reply(451, "4.3.0 later".to_owned()),
        });
    }
    world.until("2027-03-01T06:00:05Z").await;
    assert_eq!(world.live_passes(ADA).len(), 1);
    world.work().stop().await.unwrap();
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    world.mail.clear_faults();
    world.restart().await;
    world.until(NOON).await;
    assert_eq!(world.live_passes(ADA).len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f97_a_tenant_that_is_down_keeps_its_hires_pending() {
    let mut world = monday().await;
    world.tenant.stop();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(
        world.state("E1").await,
        ("pending".to_owned(), Some("tenant-stopped".to_owned())),
        "{}",
        world.story().await
    );
    assert_eq!(world.hire("E1").await.tries, 0, "burns no tries");
    world.tenant.resume().unwrap();
    world.until("2027-03-01T06:40:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f97_a_refused_credential_stops_the_tenant_across_restarts() {
    let mut world = monday().await;
    world.tenant.edit(|directory| directory.client_secret = "rotated".to_owned());
    world.tenant.revoke_tokens();
    world.until("2027-03-01T06:01:00Z").await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("tenant-stopped"), "{}", world.story().await);
    let before = world.tenant.requests();
    world.restart().await;
    world.drop_file(
        "more.csv",
        &crate::world::ADA.replace("E1,ada.lovelace", "E2,grace.hopper").replace(",mia.manager@contoso.example", ","),
    );
    world.tick().await;
    assert_eq!(world.tenant.requests(), before, "a restart does not forget, nor for hires that it did not know");
    world.tenant.edit(|directory| directory.client_secret = crate::world::CLIENT_SECRET.to_owned());
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.code_letters().len(), 2, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn a_missing_permission_stops_the_tenant_and_burns_no_tries() {
    let mut world = monday().await;
    world
        .tenant
        .edit(|directory| directory.permissions.retain(|permission| permission != "UserAuthMethod-TAP.ReadWrite.All"));
    world.tenant.revoke_tokens();
    world.until("2027-03-01T06:30:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!(hire.reason.as_deref(), Some("tenant-stopped"), "{}", world.story().await);
    assert!(hire.what_to_do.contains("UserAuthMethod-TAP.ReadWrite.All"), "{}", hire.what_to_do);
    assert_eq!(hire.tries, 0);
    world.finish().await;
}

#[tokio::test]
async fn f20_f21_a_clock_that_is_off_issues_nothing() {
    for skew in [TimeDelta::minutes(5), TimeDelta::minutes(-5)] {
        let mut world = monday().await;
        world.tenant.edit(|directory| directory.skew = skew);
        world.until("2027-03-01T06:30:00Z").await;
        assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
        assert_eq!(world.state("E1").await.1.as_deref(), Some("clock"));
        world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
        world.until("2027-03-01T06:40:00Z").await;
        assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn f21_a_clock_that_is_a_day_ahead_for_a_while_gives_nobody_up() {
    let mut world = monday().await;
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-1));
    world.set("2027-03-02T05:00:00Z");
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    assert_ne!(world.state("E1").await.0, "attention", "{}", world.story().await);
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set("2027-03-01T05:02:00Z");
    tick(world.work(), Feeds::Leave).await.unwrap();
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

/// A pass has not ended because our clock says so.
#[tokio::test]
async fn f21_a_clock_that_is_a_day_ahead_ends_no_watch() {
    let mut world = monday().await;
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1);
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-1));
    world.set("2027-03-02T06:31:00Z");
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("unused"), "not over yet\n{}", world.story().await);
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set("2027-03-01T06:32:00Z");
    world.until("2027-03-01T16:30:00Z").await;
    assert_eq!(world.hire("E1").await.outcome.as_deref(), Some("ended"), "{}", world.story().await);
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}

/// Two looks ten minutes apart, by a clock that jumps, say nothing: the answer was lost a second ago.
#[tokio::test]
async fn f21_a_clock_that_jumps_settles_no_unclear_request() {
    let mut world = monday().await;
    world.tenant.edit(|directory| directory.list_lag = std::time::Duration::from_mins(5));
    let lost = Fault { kind: Kind::PassCreate, nth: 1, when: When::After, effect: Effect::Reset };
    world.tenant.fault(lost);
    world.until("2027-03-01T06:00:01Z").await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 1);
    for ahead in [TimeDelta::minutes(12), TimeDelta::minutes(24)] {
        // The directory's time stands still, and so does its list.
        world.tenant.edit(|directory| directory.skew = -ahead);
        world.set("2027-03-01T06:00:02Z");
        world.pass_time(ahead);
        tick(world.work(), Feeds::Leave).await.unwrap();
    }
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "no second request\n{}", world.story().await);
    let rows = world.raw("SELECT state FROM pass").await;
    assert_eq!(rows[0].get::<String, _>(0), "intended", "{}", world.story().await);
    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set("2027-03-01T06:00:30Z");
    world.ends_well(ADA, 1, "the clock is right again").await;
}

#[tokio::test]
async fn f18_a_state_that_cannot_be_written_issues_nothing() {
    let mut world = monday().await;
    let path = world.dir.path().join("state.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = sqlx::SqlitePool::connect_with(options).await.unwrap().acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.unwrap();
    world.set("2027-03-01T06:00:00Z");
    assert!(tick(world.work(), Feeds::Leave).await.is_err());
    assert_eq!(world.tenant.count(Kind::PassCreate), 0);
    sqlx::query("ROLLBACK").execute(&mut *other).await.unwrap();
    drop(other);
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

/// F9, F16: the state is full right after the letter was taken, and for longer than a lease.
#[tokio::test]
async fn f16_a_state_that_is_full_for_long_does_not_cost_a_pass_whose_letter_is_out() {
    let mut world = monday().await;
    world.until("2027-03-01T05:59:59Z").await;
    let full = |name: &str, what: &str| {
        format!("CREATE TRIGGER {name} BEFORE UPDATE ON {what} BEGIN SELECT RAISE(ABORT, 'full'); END")
    };
    world.with_state(full("full_pass", "pass WHEN NEW.state = 'mailed'")).await;
    world.set("2027-03-01T06:00:00Z");
    world.tick().await;
    assert_eq!((world.letters().len(), world.work().n_in_hand().await), (1, 1), "taken, and not written down");
    world.with_state(full("full_hire", "hire")).await;
    for _ in 0..12 {
        world.pass_time(TimeDelta::minutes(1));
        let _ = tick(world.work(), Feeds::Leave).await;
        assert_eq!(world.work().n_in_hand().await, 1);
    }
    for name in ["full_pass", "full_hire"] {
        world.with_state(format!("DROP TRIGGER {name}")).await;
    }
    assert_eq!(world.tenant.count(Kind::PassDelete), 0, "{}", world.story().await);
    world.ends_well(ADA, 1, "the state was full for twelve minutes").await;
}

#[tokio::test]
async fn f60_the_mail_pace_holds() {
    let mut world = World::with_limits("[mail] += per_minute = 3", side_by_side()).await;
    let mut file = "employee_id,user,start_date,zone\n".to_owned();
    for n in 0..10 {
        let upn = format!("hire{n}@contoso.example");
        world.person(&upn, &format!("Hire {n}"), &format!("H{n}"), Some("mia.manager@contoso.example"));
        let _ = writeln!(file, "H{n},{upn},2027-03-01,Europe/Berlin");
    }
    world.drop_file("hires.csv", &file);
    world.until("2027-03-01T06:10:00Z").await;
    let letters = world.code_letters();
    assert_eq!(letters.len(), 10, "{}", world.story().await);
    for window in letters.windows(4) {
        assert!(window[3].at - window[0].at >= TimeDelta::seconds(59), "four letters within a minute");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_with_a_mail_server_of_its_own_neither_uses_nor_waits_for_the_common_one() {
    let clock = Clock::hand(at(FRIDAY));
    let ca = Ca::new().unwrap();
    let options = Options {
        users: vec![("firstpass@contoso.example".to_owned(), MAIL_PASSWORD.to_owned())],
        clock: clock.clone(),
        ..Options::default()
    };
    let theirs = ModelMailServer::start(&ca, options, 0).unwrap();
    let own = format!(
        r#"[[tenant]] += mail = {{ from = "Fabrikam <start@fabrikam.example>", smtp = {{ port = {}, ca_file = "theirs.pem" }} }}"#,
        theirs.port()
    );
    let mut world = World::around(&own, short_limits(), clock);
    std::fs::write(world.dir.path().join("theirs.pem"), ca.pem()).unwrap();
    world.restart().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;

    theirs.stop();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())));
    assert!(world.story().await.contains("cannot send mail now") || world.story().await.contains("out of reach"));
    let gates = world.work().store.gates().await.unwrap();
    assert_eq!(gates.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>(), ["mail/contoso"]);

    theirs.resume().unwrap();
    world.mail.stop();
    world.until(NOON).await;
    assert!(world.letters().is_empty(), "{}", world.story().await);
    let letters = theirs.letters();
    assert_eq!((letters.len(), letters[0].from.as_str()), (1, "start@fabrikam.example"), "{}", world.story().await);
    assert!(world.work().store.gates().await.unwrap().is_empty());
    world.mail = theirs;
    world.finish().await;
}
