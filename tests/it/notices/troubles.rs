//! Tenants, mail, clock, feeds and files: told at once, and their end to those who heard of it (F20, F30,
//! F50, F56, F97).

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, Kind, When};
use firstpass::store::Operate;

use super::Desk;

async fn monday(extra: &str) -> (Desk, usize) {
    let mut desk = Desk::new(extra).await;
    desk.world.drop_ada();
    desk.until("2027-03-01T05:00:00Z").await;
    let mails = desk.mails().len();
    (desk, mails)
}

#[tokio::test]
async fn f56_stopped_mail_is_told_by_webhook_at_once_and_by_mail_when_it_works_again() {
    let (mut desk, before) = monday("").await;
    let heard = desk.heard().len();
    desk.world.mail.stop();
    desk.until("2027-03-01T06:30:00Z").await;
    assert_eq!(desk.heard()[heard..], ["firstpass.mail-stopped"], "{}", desk.world.story().await);
    desk.world.mail.resume().unwrap();
    desk.until("2027-03-01T06:50:00Z").await;
    assert_eq!(desk.world.code_letters().len(), 1, "letters go on");
    assert_eq!(desk.subjects(before), ["firstpass: letters cannot go out", "firstpass: letters can go out again"]);
    assert_eq!(desk.heard()[heard + 1..], ["firstpass.mail-resumed"]);
    desk.until("2027-03-01T08:50:00Z").await;
    assert_eq!(desk.mails().len(), before + 2, "once each");
    desk.finish().await;
}

#[tokio::test]
async fn f97_a_stopped_tenant_is_told_and_so_is_its_end() {
    let (mut desk, before) = monday("").await;
    desk.world.tenant.edit(|directory| directory.client_secret = "rotated".to_owned());
    desk.world.restart().await;
    desk.until("2027-03-01T06:30:00Z").await;
    assert_eq!(desk.subjects(before), ["firstpass: 1 tenant is stopped"], "{}", desk.world.story().await);
    desk.world.tenant.edit(|directory| directory.client_secret = crate::world::CLIENT_SECRET.to_owned());
    desk.until("2027-03-01T07:45:00Z").await;
    assert_eq!(desk.subjects(before + 1), ["firstpass: a tenant works again"], "{}", desk.world.story().await);
    desk.finish().await;
}

#[tokio::test]
async fn f20_a_wrong_clock_is_told() {
    let (mut desk, before) = monday("").await;
    desk.world.tenant.edit(|directory| directory.skew = TimeDelta::minutes(10));
    desk.until("2027-03-01T06:20:00Z").await;
    assert_eq!(desk.world.tenant.count(Kind::PassCreate), 0);
    let told = desk.subjects(before);
    assert!(told.contains(&"firstpass: this host's clock is wrong".to_owned()), "{told:?}");
    desk.world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    desk.until("2027-03-01T07:30:00Z").await;
    let told = desk.subjects(before);
    assert!(told.contains(&"firstpass: this host's clock is right again".to_owned()), "{told:?}");
    desk.finish().await;
}

#[tokio::test]
async fn f30_files_held_unreadable_or_with_new_rejects_are_told_once() {
    let mut desk = Desk::new("[[feed]] += max_new = 1").await;
    desk.world.drop_file("bad.csv", "employee_id,start_date\nE1,2027-04-31\n");
    desk.world.tick().await;
    desk.told().await;
    assert_eq!(desk.subjects(0), ["firstpass: 1 file has new rejected rows"]);
    let told = super::bodies(&desk.mails()[0]);
    assert!(told.contains("feed hr, bad.csv: 1 row is rejected that was not before"), "{told}");
    desk.world.drop_file("held.csv", "employee_id,start_date,zone\nE2,2027-04-01,UTC\nE3,2027-04-01,UTC\n");
    desk.world.drop_file("junk.csv", "what,is,this\n1,2,3\n");
    desk.world.tick().await;
    desk.told().await;
    let mut told = desk.subjects(1);
    told.sort();
    assert_eq!(told, ["firstpass: 1 file could not be read", "firstpass: 1 file is held"]);
    // The same reject in the next file is no news.
    desk.world.drop_file("again.csv", "employee_id,start_date\nE1,2027-04-31\nE4,2027-04-30\n");
    desk.until("2027-02-26T14:30:00Z").await;
    assert_eq!(desk.mails().len(), 3, "{:?}", desk.subjects(0));
    desk.finish().await;
}

#[tokio::test]
async fn f50_an_overdue_feed_and_one_that_cannot_be_read_are_told() {
    let mut desk = Desk::new("").await;
    desk.world.drop_ada();
    desk.until("2027-02-27T15:00:00Z").await;
    let told = desk.subjects(0);
    assert!(told.contains(&"firstpass: 1 feed is overdue".to_owned()), "{told:?}");
    let before = desk.mails().len();
    let (drop, away) = (desk.world.dir.path().join("drop"), desk.world.dir.path().join("away"));
    std::fs::rename(&drop, &away).unwrap();
    desk.until("2027-02-27T15:30:00Z").await;
    assert_eq!(desk.subjects(before), ["firstpass: 1 feed cannot be read"]);
    std::fs::rename(&away, &drop).unwrap();
    desk.until("2027-02-27T15:50:00Z").await;
    assert_eq!(desk.subjects(before + 1), ["firstpass: a feed can be read again"]);
    desk.finish().await;
}

/// Two feeds that were told to be stopped: each has its own end, also within the hour of the other's, and
/// one that stands again is not said to go on.
#[tokio::test]
async fn each_stopped_feed_has_its_own_end() {
    let second = "[[feed]]\nname = \"second\"\ntenant = \"contoso\"\nfolder = \"./second\"\n";
    let mut desk = Desk::new(second).await;
    let store = &desk.world.work().store;
    let now = desk.world.clock.now();
    for feed in ["feed/hr", "feed/second", "feed/of-nobody"] {
        store.hold_gate(now, feed, now, Some("the folder is gone")).await.unwrap();
    }
    desk.told().await;
    assert_eq!(desk.subjects(0), ["firstpass: 2 feeds cannot be read"]);
    let store = &desk.world.work().store;
    let now = desk.world.clock.now();
    assert!(store.open_gate(now, "feed/hr").await.unwrap());
    assert!(store.open_gate(now, "feed/second").await.unwrap());
    store.hold_gate(now, "feed/second", now, Some("gone again")).await.unwrap();
    desk.told().await;
    let told = super::bodies(&desk.mails()[1]);
    assert!(told.contains("feed hr, since") && !told.contains("feed second"), "{told}");
    desk.world.finish().await;
}

#[tokio::test]
async fn a_stop_that_is_over_within_the_minute_is_no_news() {
    let (mut desk, before) = monday("").await;
    desk.until("2027-03-01T05:59:00Z").await;
    desk.world.mail.stop();
    desk.world.until("2027-03-01T06:00:05Z").await;
    desk.round().await;
    desk.world.mail.resume().unwrap();
    desk.world.until("2027-03-01T06:02:00Z").await;
    assert_eq!(desk.world.code_letters().len(), 1, "{}", desk.world.story().await);
    desk.until("2027-03-01T07:30:00Z").await;
    assert_eq!(desk.subjects(before), Vec::<String>::new());
    desk.finish().await;
}

/// An account in a restricted administrative unit: its pass can be made, and not be deleted (F104).
#[tokio::test]
async fn f104_a_pass_that_cannot_be_deleted_is_told_until_its_code_is_void_at_its_end() {
    let (mut desk, before) = monday("").await;
    desk.until("2027-03-01T06:10:00Z").await;
    let refused = Effect::graph_error(403, "accessDenied", "Target object belongs to a restricted unit.");
    desk.world.tenant.fault_each(Some(Kind::PassDelete), When::Before, refused);
    desk.world.operate("E1", Operate::Cancel).await;
    desk.world.tick().await;
    let hire = desk.world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.what_to_do.as_str()), ("cancelled", ""), "once may be a hiccup");
    desk.until("2027-03-01T06:30:00Z").await;
    let hire = desk.world.hire("E1").await;
    assert_eq!(hire.state, "cancelled");
    let mut calm = insta::Settings::clone_current();
    calm.add_filter(r"request-id\s+[0-9a-f-]{36}", "request-id ID");
    let calm = calm.bind_to_scope();
    insta::assert_snapshot!("pass_not_deleted", hire.what_to_do);
    assert_eq!(desk.subjects(before), ["firstpass: 1 pass cannot be deleted"], "{}", desk.world.story().await);
    insta::assert_snapshot!("pass_not_deleted_mail", desk.mails()[before].part("text/plain").unwrap());
    drop(calm);
    assert_eq!(desk.heard().last().unwrap(), "firstpass.pass-not-deleted");

    desk.world.restart().await;
    desk.until("2027-03-01T09:30:00Z").await;
    let still = desk.world.hire("E1").await.what_to_do;
    assert_eq!((still.matches("its pass is still live").count(), still.len()), (1, hire.what_to_do.len()), "{still}");
    assert_eq!(desk.mails().len(), before + 1, "told once");
    let to_mia = |desk: &Desk| desk.world.letters().into_iter().filter(|letter| !super::is_notice(letter)).count();
    assert_eq!(to_mia(&desk), 1, "the code works: it is not void");
    desk.until("2027-03-01T15:50:00Z").await;
    desk.until("2027-03-01T16:20:00Z").await;
    let hire = desk.world.hire("E1").await;
    let story = desk.world.story().await;
    assert_eq!((hire.state.as_str(), hire.what_to_do.as_str()), ("cancelled", ""), "{story}");
    assert_eq!(to_mia(&desk), 2, "now it is\n{story}");
    desk.finish().await;
}

/// The same behind a change: the hire waits for its new pass, and says why it has none.
#[tokio::test]
async fn f104_a_hire_that_waits_behind_a_pass_that_cannot_be_deleted_says_so_and_goes_on() {
    let (mut desk, before) = monday("").await;
    desk.until("2027-03-01T06:10:00Z").await;
    desk.world.tenant.fault_each(Some(Kind::PassDelete), When::Before, Effect::graph_error(500, "x", "y"));
    desk.world.drop_file("moved.csv", &crate::world::ADA.replace("09:00", "10:00"));
    desk.until("2027-03-01T07:00:00Z").await;
    let hire = desk.world.hire("E1").await;
    assert_eq!(hire.state, "issuing", "{}", desk.world.story().await);
    assert!(
        hire.what_to_do.starts_with("its pass is still live until 2027-03-01 17:00 Europe/Berlin"),
        "{}",
        hire.what_to_do
    );
    assert_eq!(desk.subjects(before), ["firstpass: 1 pass cannot be deleted"]);
    desk.world.tenant.heal();
    desk.until("2027-03-01T07:30:00Z").await;
    let hire = desk.world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.what_to_do.as_str()), ("delivered", ""), "{}", desk.world.story().await);
    desk.finish().await;
}
