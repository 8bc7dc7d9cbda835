//! A receiver that is down, slow, wrong or gone, and a restart in the middle: nothing is lost, nothing
//! is told twice under another id, and letters wait for none of it (F59, F93, F98).

use std::time::Duration;

use chrono::TimeDelta;

use super::receiver::Answer;
use super::{Desk, count, write_secret};
use crate::world::World;

const DROPPED: &str = "SELECT count(*) FROM event WHERE what = 'notice-dropped'";

/// Something to tell on a Friday noon: a row that nobody can read.
async fn with_news(extra: &str) -> Desk {
    let desk = Desk::new(extra).await;
    desk.world.drop_file("bad.csv", "employee_id,start_date\nE1,2027-04-31\n");
    desk
}

async fn news(desk: &mut Desk) {
    desk.world.tick().await;
    desk.told().await;
}

#[tokio::test]
async fn f98_a_receiver_in_trouble_gets_it_again_under_the_same_id() {
    let mut desk = with_news("").await;
    desk.hook.answers(&[Answer::Status(500), Answer::Later(429, 600), Answer::Endless]);
    news(&mut desk).await;
    assert_eq!((desk.hook.seen().len(), desk.mails().len()), (1, 1), "the mailbox does not wait for it");
    // A restart does not forget, and does not repeat what was taken.
    desk.world.restart().await;
    desk.round().await;
    assert_eq!(desk.hook.seen().len(), 1, "not before its pause is over");
    desk.until("2027-02-26T12:03:00Z").await;
    assert_eq!(desk.hook.seen().len(), 2);
    desk.until("2027-02-26T12:10:00Z").await;
    assert_eq!(desk.hook.seen().len(), 2, "Retry-After is ten minutes");
    desk.until("2027-02-26T13:00:00Z").await;
    let mut ids = desk.hook.ids();
    assert_eq!(ids.len(), 4, "taken at the fourth try");
    ids.dedup();
    assert_eq!(ids.len(), 1, "one id: {ids:?}");
    assert_eq!(desk.mails().len(), 1);
    assert_eq!(count(&desk.world, "SELECT count(*) FROM notice").await, 0);
    desk.finish().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_asked_again() {
    let mut desk = with_news("").await;
    desk.hook.answers(&[Answer::Status(410)]);
    news(&mut desk).await;
    desk.until("2027-02-26T13:00:00Z").await;
    assert_eq!((desk.hook.seen().len(), count(&desk.world, DROPPED).await), (1, 1), "{}", desk.world.story().await);
    desk.finish().await;
}

#[tokio::test]
async fn what_nobody_takes_for_a_day_is_dropped_and_said() {
    let mut desk = with_news("").await;
    desk.hook.stop().await;
    news(&mut desk).await;
    let tried = "SELECT sum(tries) FROM notice";
    desk.until("2027-02-26T14:00:00Z").await;
    assert!((4..=7).contains(&count(&desk.world, tried).await), "growing pauses");
    assert_eq!(count(&desk.world, DROPPED).await, 0);
    desk.until("2027-02-27T12:06:00Z").await;
    assert_eq!(count(&desk.world, DROPPED).await, 1, "{}", desk.world.story().await);
    desk.hook.serve().await;
    desk.until("2027-02-27T16:30:00Z").await;
    let mut heard = desk.heard();
    heard.sort();
    assert!(!heard.contains(&"firstpass.rows-rejected".to_owned()), "{heard:?}");
    assert!(heard.contains(&"firstpass.digest".to_owned()), "what is younger still comes: {heard:?}");
    desk.finish().await;
}

#[tokio::test]
async fn f93_a_redirect_is_not_followed() {
    let mut desk = with_news("").await;
    let other = super::Receiver::start().await;
    desk.hook.answers(&[Answer::Moved(other.url())]);
    news(&mut desk).await;
    desk.until("2027-02-26T12:06:00Z").await;
    assert_eq!((other.seen().len(), desk.hook.seen().len()), (0, 2));
    desk.finish().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_keeps_no_letter_and_no_other_notice_waiting() {
    let hang = super::Receiver::start().await;
    hang.answers(&[Answer::Silence(Duration::from_hours(1))]);
    let extra = format!("[[notify.webhook]]\nname = \"slow\"\nurl = \"{}\"\n", hang.url());
    let mut desk = with_news(&extra).await;
    desk.world.tick().await;
    desk.round().await;
    desk.world.pass_time(TimeDelta::minutes(1));
    let round = desk.teller.round(desk.world.work(), firstpass::work::tell::Patience::Gather);
    let others = async {
        while desk.hook.seen().is_empty() || desk.mails().is_empty() || hang.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // Cut short, as when the service ends in the middle of it.
    tokio::select! {
        told = round => panic!("nobody hangs: {told:?}"),
        () = others => {}
    }
    desk.world.restart().await;
    desk.round().await;
    assert_eq!(hang.seen().len(), 1, "its claim is not over");
    desk.until("2027-02-26T12:30:00Z").await;
    let ids = hang.ids();
    assert!(ids.len() >= 2 && ids.iter().all(|id| id == &ids[0]), "the same id again: {ids:?}");
    let mails: Vec<_> = desk.mails().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert!(mails.iter().all(|id| id == &mails[0]), "one mail, or the same again: {mails:?}");
    desk.finish().await;
}

#[tokio::test]
async fn teams_and_slack_get_what_they_understand() {
    let (teams, slack) = (super::Receiver::start().await, super::Receiver::start().await);
    let extra = "[[notify.webhook]]\nformat = \"teams\"\nurl_file = \"./secret-teams\"\n\
                 [[notify.webhook]]\nformat = \"slack\"\nurl_file = \"./secret-slack\"\n";
    let mut desk = Desk::new(extra).await;
    write_secret(&desk.world, "secret-teams", &teams.url());
    write_secret(&desk.world, "secret-slack", &slack.url());
    let nasty = "employee_id,display_name,start_date,site\n\
                 \"E1<!channel>&[x](http://evil.example)\",Eve Evil,2027-02-26,Atlantis\n";
    desk.world.drop_file("hires.csv", nasty);
    desk.world.tick().await;
    desk.told().await;
    let (card, blocks) = (teams.bodies(), slack.bodies());
    let masked = |body: &serde_json::Value| serde_json::to_string_pretty(body).unwrap();
    insta::assert_snapshot!(masked(&card[0]) + "\n" + &masked(&blocks[0]));
    let card = &card[0]["attachments"][0]["content"]["body"];
    assert!(card.as_array().unwrap().iter().all(|block| block["type"] == "RichTextBlock"), "no markup is read");
    assert!(!blocks[0].to_string().contains("<!channel>"), "T14: nobody is called");
    desk.finish().await;
}

#[tokio::test]
async fn a_new_secret_counts_without_a_restart_and_a_bad_one_is_said() {
    let mut desk = with_news("").await;
    write_secret(&desk.world, "secret-hook", "whsec_dG9vIHNob3J0");
    desk.world.tick().await;
    desk.round().await;
    desk.world.pass_time(TimeDelta::minutes(1));
    let told = desk.round().await;
    assert_eq!(desk.hook.seen().len(), 0, "nothing goes out unsigned");
    assert!(told.failed[0].contains("at least 24 bytes"), "{told:?}");
    write_secret(&desk.world, "secret-hook", super::SECRET);
    desk.until("2027-02-26T12:10:00Z").await;
    assert_eq!(desk.hook.seen().len(), 1);
    desk.finish().await;
}

#[tokio::test]
async fn f60_notices_keep_a_pace_of_their_own_and_take_no_letters_place() {
    let to: Vec<String> = (0..8).map(|n| format!("\"admin{n}@contoso.example\"")).collect();
    let mut world = World::with(&format!("[mail] += per_minute = 1\n[notify]\nto = [{}]\n", to.join(", "))).await;
    let teller = firstpass::work::tell::Teller::of(&world.settings).unwrap();
    let round = |world: &World| {
        let work = std::sync::Arc::clone(world.work());
        let teller = &teller;
        async move { teller.round(&work, firstpass::work::tell::Patience::Gather).await.unwrap() }
    };
    round(&world).await;
    world.drop_ada();
    world.until("2027-03-01T05:40:00Z").await;
    let mut taken = 0;
    for _ in 0..10 {
        taken += round(&world).await.taken;
        world.pass_time(TimeDelta::seconds(61));
    }
    assert_eq!(taken % 8, 0, "the digest and what else the weekend brought, to each");
    world.set("2027-03-01T05:58:59Z");
    let before = world.letters().len();
    world.drop_file("bad.csv", "employee_id,start_date\nE9,2027-04-31\n");
    world.tick().await;
    round(&world).await;
    world.pass_time(TimeDelta::minutes(1));
    assert_eq!(round(&world).await.taken, 5, "five a minute");
    assert_eq!(round(&world).await.taken, 0);
    world.set("2027-03-01T06:00:00Z");
    world.tick().await;
    assert_eq!(world.code_letters().len(), 1, "the only slot of this minute is the letter's");
    world.pass_time(TimeDelta::seconds(61));
    assert_eq!(round(&world).await.taken, 3);
    assert_eq!(world.letters().len(), before + 9);
    world.finish().await;
}
