//! Mornings whose letters go through Graph's sendMail: the story, what Graph may answer, lost answers
//! and crashes. The letters lie in the same mailboxes as those that come by SMTP, and the same
//! invariants hold.

use std::time::Duration;

use firstpass::sandbox::mailbox::ReceivedLetter;
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};

use crate::world::{World, at, short_limits};

const ADA: &str = "ada.lovelace@contoso.example";
const SENDER: &str = "onboarding@contoso.example";
/// Letters through Graph, with a sender whose name and answers are said.
const GRAPH: &str = "[mail] += via = \"graph\"\n[mail] += reply_to = \"Größe <desk@contoso.example>\"";

async fn monday() -> World {
    let limits = firstpass::config::Limits { graph_request: Duration::from_millis(800), ..short_limits() };
    let mut world = World::with_limits(GRAPH, limits).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world
}

fn fault(world: &World, nth: usize, when: When, effect: Effect) {
    world.tenant.fault(Fault { kind: Kind::SendMail, nth, when, effect });
}

/// The letter that is asked for after the question whether we may send.
const LETTER: usize = 2;

fn header(letter: &ReceivedLetter, name: &str) -> String {
    letter.header(name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn the_letter_goes_through_graph_and_stays_nowhere() {
    let mut world = monday().await;
    assert_eq!(world.tenant.count(Kind::SendMail), 0, "nothing is sent before the morning");
    world.until("2027-03-01T12:00:00Z").await;
    let story = world.story().await;
    let [letter] = &world.code_letters()[..] else { panic!("one letter\n{story}") };
    assert_eq!(letter.code().unwrap(), world.live_passes(ADA)[0].code, "{story}");
    assert_eq!(letter.to, ["mia.manager@contoso.example"]);
    assert_eq!(header(letter, "From"), "Onboarding <onboarding@contoso.example>");
    assert_eq!(header(letter, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(letter, "X-Auto-Response-Suppress"), "OOF, AutoReply");
    assert!(header(letter, "Message-ID").starts_with("<pass."));
    assert!(header(letter, "Reply-To").contains("desk@contoso.example"));
    assert!(letter.header("Cc").is_none() && letter.header("Bcc").is_none());
    assert_eq!(world.mail.connections(), 0, "the mail server is not asked");
    assert_eq!(world.tenant.count(Kind::SendMail), LETTER, "one question, one letter");
    assert_eq!(world.state("E1").await.0, "delivered");
    world.finish().await;
}

fn unclear() -> Vec<(&'static str, Effect)> {
    vec![
        ("reset", Effect::Reset),
        ("500", Effect::graph_error(500, "InternalServerError", "x")),
        ("503", Effect::unavailable(None)),
        ("503 with patience", Effect::unavailable(Some("45"))),
        ("a page", Effect::Html),
        ("timeout", Effect::Delay(Duration::from_millis(1600))),
    ]
}

#[tokio::test]
async fn f59_an_answer_that_is_lost_costs_the_same_letter_again_and_no_second_pass() {
    for (what, effect) in unclear() {
        for when in [When::Before, When::After] {
            let mut world = monday().await;
            fault(&world, LETTER, when, effect.clone());
            world.until("2027-03-01T12:00:00Z").await;
            let (story, what) = (world.story().await, format!("{what} {when:?}"));
            assert_eq!(world.tenant.count(Kind::PassCreate), 1, "{what}: a second pass\n{story}");
            let letters = world.code_letters();
            assert!((1..=2).contains(&letters.len()), "{what}: {} letters\n{story}", letters.len());
            for letter in &letters {
                assert_eq!(letter.code().unwrap(), world.live_passes(ADA)[0].code, "{what}\n{story}");
                assert_eq!(header(letter, "Message-ID"), header(&letters[0], "Message-ID"), "{what}");
            }
            assert_eq!(world.state("E1").await.0, "delivered", "{what}\n{story}");
            world.finish().await;
        }
    }
}

#[tokio::test]
async fn f6_to_f9_a_crash_at_the_question_and_at_the_letter() {
    for nth in [1, LETTER] {
        for when in [When::Before, When::After] {
            let mut world = monday().await;
            world.set("2027-03-01T06:00:00Z");
            fault(&world, nth, when, Effect::Hold);
            let tenant = world.tenant.clone();
            assert!(world.crash_when(async move { tenant.held().await }).await, "sendMail {nth} was never asked");
            world.ends_well(ADA, 2, &format!("crash {when:?} sendMail {nth}")).await;
        }
    }
}

#[tokio::test]
async fn f98_patience_that_graph_asks_for_is_kept_with_the_letter_in_hand() {
    for retry_after in ["150", "Mon, 01 Mar 2027 06:02:30 GMT"] {
        let mut world = monday().await;
        fault(&world, LETTER, When::Before, Effect::throttled(Some(retry_after)));
        world.until("2027-03-01T12:00:00Z").await;
        let story = world.story().await;
        let letters: Vec<_> = world.tenant.journal().into_iter().filter(|seen| seen.kind == Kind::SendMail).collect();
        assert_eq!(letters.len(), 3, "{story}");
        assert!(letters[2].at >= at("2027-03-01T06:02:30Z"), "asked again at {}\n{story}", letters[2].at);
        assert_eq!(world.tenant.count(Kind::PassCreate), 1, "{story}");
        assert_eq!(world.state("E1").await.0, "delivered");
        world.finish().await;
    }
}

#[tokio::test]
async fn without_the_right_to_send_no_pass_is_made() {
    for (what, gone) in [("403", None), ("404", Some("MailboxNotEnabledForRESTAPI"))] {
        let mut world = monday().await;
        match gone {
            None => world.tenant.edit(|directory| directory.may_send_as.clear()),
            Some(_) => world.change(SENDER, |user| user.mail = None),
        }
        world.until("2027-03-01T07:30:00Z").await;
        let story = world.story().await;
        assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{what}: a pass whose letter cannot go out\n{story}");
        assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{what}\n{story}");
        let why = world.hire("E1").await.what_to_do;
        assert!(why.contains(gone.unwrap_or("Application Mail.Send")), "{what}: {why}");
        assert_eq!(story.matches(" UTC mail-stopped: ").count(), 1, "{what}: told once\n{story}");
        world.tenant.edit(|directory| directory.may_send_as = vec![SENDER.to_owned()]);
        world.change(SENDER, |user| user.mail = Some(SENDER.to_owned()));
        world.until("2027-03-01T12:00:00Z").await;
        assert_eq!(world.code_letters().len(), 1, "{what}: it goes on by itself\n{}", world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn a_right_that_is_lost_between_question_and_letter_stops_mail_and_makes_no_more_passes() {
    let mut world = monday().await;
    fault(&world, LETTER, When::Before, Effect::graph_error(403, "ErrorAccessDenied", "Access is denied."));
    world.until("2027-03-01T06:00:20Z").await;
    world.tenant.edit(|directory| directory.may_send_as.clear());
    world.until("2027-03-01T08:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "{story}");
    assert!(world.live_passes(ADA).is_empty(), "the pass of a letter that did not go out is gone\n{story}");
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("mail-stopped".to_owned())), "{story}");
    world.tenant.edit(|directory| directory.may_send_as = vec![SENDER.to_owned()]);
    world.until("2027-03-01T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f57_a_recipient_or_letter_that_graph_refuses_deletes_the_pass() {
    for (code, words) in [
        ("ErrorInvalidRecipients", "At least one recipient is not valid."),
        ("ErrorInvalidRequest", "The request is invalid."),
    ] {
        let mut world = monday().await;
        fault(&world, LETTER, When::Before, Effect::graph_error(400, code, words));
        world.until("2027-03-01T12:00:00Z").await;
        let story = world.story().await;
        assert_eq!(world.state("E1").await, ("attention".to_owned(), Some("mail-rejected".to_owned())), "{story}");
        assert!(world.hire("E1").await.what_to_do.contains(code), "{story}");
        assert!(world.letters().is_empty() && world.live_passes(ADA).is_empty(), "{story}");
        world.finish().await;
    }
}

#[tokio::test]
async fn f97_a_token_that_is_refused_at_the_letter_is_renewed_silently() {
    let mut world = monday().await;
    fault(&world, LETTER, When::Before, Effect::graph_error(401, "InvalidAuthenticationToken", "Lifetime"));
    world.until("2027-03-01T12:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.code_letters().len(), 1, "{story}");
    assert!(!story.contains("stopped"), "{story}");
    world.finish().await;
}

#[tokio::test]
async fn a_void_letter_goes_through_graph_as_well() {
    let mut world = monday().await;
    world.until("2027-03-01T06:10:00Z").await;
    world.drop_file("moved.csv", &crate::world::ADA.replace("2027-03-01", "2027-03-02"));
    world.until("2027-03-01T12:00:00Z").await;
    let letters = world.letters();
    assert_eq!(letters.len(), 2, "{}", world.story().await);
    assert!(letters[1].code().is_none() && header(&letters[1], "Subject").contains("no longer works"));
    world.until("2027-03-02T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 2);
    world.finish().await;
}

/// A letter that hangs while the service stops must not keep the passes in hand alive (F7).
#[tokio::test]
async fn sigterm_takes_back_a_pass_whose_letter_hangs() {
    let stop_within = format!("{GRAPH}\n[schedule]\nstop_within = \"2s\"");
    let mut world = World::with_limits(&stop_within, short_limits()).await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    fault(&world, LETTER, When::Before, Effect::throttled(Some("300")));
    fault(&world, LETTER + 1, When::Before, Effect::Hold);
    world.until("2027-03-01T06:00:05Z").await;
    assert_eq!((world.live_passes(ADA).len(), world.work().n_in_hand().await), (1, 1));
    let began = std::time::Instant::now();
    world.work().stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "it waited for {:?}", began.elapsed());
    assert_eq!(world.tenant.holding(), 1, "the last try was made");
    assert!(world.live_passes(ADA).is_empty(), "{}", world.story().await);
    assert_eq!(world.work().n_in_hand().await, 0);
    world.tenant.release();
    world.finish().await;
}
