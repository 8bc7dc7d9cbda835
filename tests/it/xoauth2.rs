//! Mornings whose letters go to a mail server that takes a token of the tenant instead of a password.

use firstpass::sandbox::mailbox::{Effect, MailFault, Verb, When};

use crate::world::World;

const ADA: &str = "ada.lovelace@contoso.example";
const XOAUTH2: &str = "[mail.smtp] += auth = \"xoauth2\"";

async fn monday() -> World {
    let mut world = World::with(XOAUTH2).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

fn refuse(world: &World, code: u16, words: &str) {
    let effect = Effect::Reply(code, words.to_owned());
    world.mail.fault(MailFault { verb: Verb::Auth, nth: 1, when: When::Before, effect });
}

#[tokio::test]
async fn the_mail_server_takes_a_token_of_the_tenant() {
    let mut world = monday().await;
    world.until("2027-03-01T12:00:00Z").await;
    let story = world.story().await;
    let [letter] = &world.code_letters()[..] else { panic!("one letter\n{story}") };
    assert_eq!(letter.user.as_deref(), Some("firstpass@contoso.example"), "the mailbox signed in");
    assert_eq!(letter.code().unwrap(), world.live_passes(ADA)[0].code);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_token_is_asked_for_anew_once() {
    // Exchange refuses outright; others say why in a challenge first.
    let challenge = "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=";
    for (code, words) in [(535, "5.7.3 Authentication unsuccessful"), (334, challenge)] {
        let mut world = monday().await;
        refuse(&world, code, words);
        world.until("2027-03-01T12:00:00Z").await;
        let story = world.story().await;
        assert_eq!(world.code_letters().len(), 1, "{code}\n{story}");
        assert!(!story.contains("stopped"), "{code}: told although the second token was taken\n{story}");
        assert_eq!(world.mail.count(Verb::Auth), 2, "{code}");
        world.finish().await;
    }
}

#[tokio::test]
async fn f57_a_login_that_is_refused_twice_stops_mail_and_makes_no_pass() {
    let mut world = monday().await;
    world.tenant.edit(|directory| directory.user("firstpass@contoso.example").unwrap().mail = None);
    world.until("2027-03-01T07:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{story}");
    assert!(world.passes(ADA).is_empty(), "{story}");
    assert!(world.hire("E1").await.what_to_do.contains("SMTP.SendAsApp"), "{story}");
    assert_eq!(story.matches(" UTC mail-stopped: ").count(), 1, "told once\n{story}");
    assert!(world.mail.count(Verb::Auth) <= 2 * 13, "two tries every five minutes\n{story}");
    world.tenant.edit(|directory| {
        directory.user("firstpass@contoso.example").unwrap().mail = Some("firstpass@contoso.example".to_owned());
    });
    world.until("2027-03-01T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "it goes on by itself\n{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f51_a_token_goes_over_tls_only() {
    let mut world = World::with(XOAUTH2).await;
    world.mail.edit(|options| options.strip_starttls = true);
    world.drop_ada();
    world.until("2027-03-01T07:00:00Z").await;
    assert_eq!(world.mail.count(Verb::Auth), 0, "F51: no token without TLS");
    assert!(world.passes(ADA).is_empty(), "{}", world.story().await);
    world.finish().await;
}
