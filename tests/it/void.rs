//! A manager who holds a dead code is told (promise 2), with patience, but not for ever (F59).

use chrono::TimeDelta;
use firstpass::sandbox::mailbox::{Effect, MailFault, Recipients, Verb, When};
use firstpass::store::Operate;
use sqlx::Row;

use crate::world::{ADA, World, at};

/// The letter is out, and HR withdraws the hire; what the mail server does from then on is the story's.
async fn withdrawn(trouble: impl FnOnce(&World)) -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    trouble(&world);
    let row = ADA.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
    world.drop_file("withdrawn.csv", &row);
    world.tick().await;
    assert!(world.live_passes("ada.lovelace@contoso.example").is_empty(), "gone at once: {}", world.story().await);
    world
}

fn no_recipient_until(world: &World, end: &str) {
    let effect = Effect::Reply(451, "4.2.2 <mia.manager@contoso.example> mailbox full".to_owned());
    world.mail.fault_until(at(end), MailFault { verb: Verb::Rcpt, nth: 1, when: When::Before, effect });
}

async fn untold(world: &World) -> Vec<String> {
    let rows = world.raw("SELECT why FROM event WHERE what = 'void-not-told' ORDER BY seq").await;
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn f59_a_mailbox_that_is_full_for_ever_is_tried_less_and_less_and_then_a_person_calls() {
    let mut world = withdrawn(|world| no_recipient_until(world, "2027-04-01T00:00:00Z")).await;
    let tries = |world: &World| world.mail.count(Verb::Rcpt) - 1;
    world.until("2027-03-01T06:34:00Z").await;
    assert_eq!(tries(&world), 3, "after 0, 1 and 3 minutes");
    world.restart().await;
    world.operate("E1", Operate::Cancel).await;
    world.until("2027-03-01T06:37:00Z").await;
    assert_eq!(tries(&world), 3, "neither a restart nor another look at the hire forgets the pause");
    world.until("2027-03-01T08:00:00Z").await;
    assert_eq!(tries(&world), 7, "8, 18, 33 and 63 minutes");
    assert!(untold(&world).await.is_empty());

    // The pass would have ended at 16:00.
    world.until("2027-03-02T15:59:00Z").await;
    assert!(untold(&world).await.is_empty(), "promise 2 holds until then");
    world.until("2027-03-05T00:00:00Z").await;
    assert!(tries(&world) < 80, "{} tries", tries(&world));
    let told = untold(&world).await;
    insta::assert_snapshot!(
        "void_not_told",
        told[0]
            .replace(&world.id_of("mia.manager@contoso.example").to_string(), "MANAGER-ID")
            .replace(&world.mail.port().to_string(), "PORT")
    );
    assert_eq!(told.len(), 1, "once");
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.next_try_utc), ("cancelled", None));
    assert!(hire.what_to_do.starts_with("mia.manager@contoso.example could not be told"), "{}", hire.what_to_do);
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f59_a_mailbox_that_takes_letters_again_is_told_within_half_an_hour() {
    let mut world = withdrawn(|world| no_recipient_until(world, "2027-03-01T20:00:00Z")).await;
    world.until("2027-03-01T20:31:00Z").await;
    let letters = world.letters();
    assert_eq!(letters.len(), 2, "{}", world.story().await);
    assert!(letters[1].code().is_none() && letters[1].at < at("2027-03-01T20:30:01Z"));
    assert!(untold(&world).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn f59_a_server_that_is_down_is_not_asked_each_minute_and_the_word_goes_when_it_is_back() {
    let mut world = withdrawn(|world| world.mail.stop()).await;
    world.until("2027-03-01T12:00:00Z").await;
    let looks = world.raw("SELECT looks FROM pass").await[0].get::<i64, _>(0);
    assert!((10..20).contains(&looks), "{looks} tries in five and a half hours");
    world.mail.resume().unwrap();
    world.pass_time(TimeDelta::minutes(31));
    world.tick().await;
    assert_eq!(world.letters().len(), 2, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f59_a_recipient_refused_for_good_is_called_by_a_person_at_once() {
    let mut world = withdrawn(|world| {
        world.mail.edit(|options| {
            options.recipients = Recipients::Except(vec!["mia.manager@contoso.example".to_owned()]);
        });
    })
    .await;
    let told = untold(&world).await;
    assert_eq!(told.len(), 1, "{}", world.story().await);
    assert!(told[0].contains("550 5.1.1") && told[0].ends_with("call them") && !told[0].contains("mia.manager"));
    assert_eq!(world.raw("SELECT 1 FROM event WHERE what = 'told-void'").await.len(), 0, "nobody was told");
    assert!(world.hire("E1").await.what_to_do.contains("call them"));
    world.until("2027-03-03T00:00:00Z").await;
    assert_eq!(world.mail.count(Verb::Rcpt), 2, "once is enough");
    world.finish().await;
}

/// The word waits for a mailbox, and HR changes the row once more: it goes on being owed (promise 2).
#[tokio::test]
async fn f59_a_second_change_of_the_row_does_not_forget_who_holds_a_void_code() {
    let withdrawn = ADA.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
    let far = ADA.replace("2027-03-01", "2027-04-14");
    let nowhere = far.replace("Europe/Berlin", "");
    for second in [withdrawn, far, nowhere] {
        let mut world = World::new().await;
        world.drop_ada();
        world.until("2027-03-01T06:30:00Z").await;
        no_recipient_until(&world, "2027-03-01T06:45:00Z");
        world.drop_file("moved.csv", &ADA.replace("2027-03-01", "2027-03-03"));
        world.tick().await;
        assert_eq!(world.letters().len(), 1, "{}", world.story().await);
        world.drop_file("second.csv", &second);
        world.until("2027-03-01T07:30:00Z").await;
        let letters = world.letters();
        assert_eq!(letters.len(), 2, "{second}\n{}", world.story().await);
        assert!(letters[1].code().is_none());
        assert!(untold(&world).await.is_empty());
        world.finish().await;
    }
}
