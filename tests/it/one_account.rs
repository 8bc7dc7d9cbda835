//! Two rows, one account (F69): HR renumbers somebody, or two feeds name one person in unlike words.
//! One of the hires gets the pass; the other waits, says whose pass stands there, and goes on by itself
//! when that pass is over. Several attempts are under way at once, as in production.

use std::sync::Arc;

use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::store::Operate;
use firstpass::work::tick::{Feeds, tick};

use crate::world::{Allow, World, side_by_side};

const ADA: &str = "ada.lovelace@contoso.example";
const HEADER: &str = "employee_id,user,display_name,start_date,start_time,zone,status\n";

/// One row, of Berlin at nine.
fn row(employee_id: &str, user: &str, day: &str, status: &str) -> String {
    format!("{employee_id},{user},Ada Lovelace,{day},09:00,Europe/Berlin,{status}\n")
}

/// Rows that name one account by its UPN, its object id, and (E1) by the employee id that the directory has.
fn rows(world: &World) -> String {
    let id = world.id_of(ADA).to_string();
    let day = "2027-03-01";
    [HEADER, &row("A1", ADA, day, ""), &row("A2", &id, day, ""), &row("E1", "", day, "")].concat()
}

/// Who got it, and who did not.
async fn who(world: &World) -> (String, Vec<String>) {
    let mut delivered = Vec::new();
    let mut refused = Vec::new();
    let story = world.story().await;
    for hire in world.hires().await {
        match (hire.state.as_str(), hire.reason.as_deref()) {
            ("delivered", None) => delivered.push(hire.employee_id),
            ("attention", Some("user-ambiguous")) => refused.push(hire),
            other => panic!("{} is {other:?}\n{story}", hire.employee_id),
        }
    }
    let [delivered] = &delivered[..] else { panic!("one is delivered: {delivered:?}\n{story}") };
    for hire in &refused {
        let says = format!("two hires name one account: contoso/{delivered} has a ");
        assert!(hire.what_to_do.starts_with(&says), "{}: {}", hire.employee_id, hire.what_to_do);
        assert!(hire.what_to_do.contains("firstpass hire cancel"), "{}", hire.what_to_do);
        assert_eq!(hire.mailed_to, None, "{story}");
    }
    (delivered.clone(), refused.into_iter().map(|hire| hire.employee_id).collect())
}

#[tokio::test]
async fn f69_i4_three_rows_for_one_account_get_one_pass() {
    // Also when a pass of others may be replaced: this one is no other's.
    for extra in ["", "[guard]\nforeign_pass = \"replace\"\n"] {
        let mut world = World::with_limits(extra, side_by_side()).await;
        world.drop_file("hires.csv", &rows(&world));
        world.until("2027-03-01T06:40:00Z").await;
        let story = world.story().await;
        let (_, refused) = who(&world).await;
        assert_eq!(refused.len(), 2, "{story}");
        assert_eq!(world.tenant.count(Kind::PassCreate), 1, "one POST for one account\n{story}");
        assert_eq!(world.code_letters().len(), 1, "{story}");
        assert_eq!(world.live_passes(ADA)[0].code, world.code_letters()[0].code().unwrap());
        world.finish().await;
    }
}

/// The guard of one attempt has passed when the other's pass is made: the state refuses its intent.
#[tokio::test]
async fn f69_i4_a_check_that_was_passed_a_moment_ago_is_not_enough() {
    let mut world = World::with_limits("", side_by_side()).await;
    world.drop_file(
        "hires.csv",
        &[HEADER, &row("A1", ADA, "2027-03-01", ""), &row("A2", ADA, "2027-03-01", "")].concat(),
    );
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    // The first to ask for domains has its account's guard behind it, and waits until the other's letter is out.
    world.tenant.fault(Fault { kind: Kind::Domains, nth: 1, when: When::After, effect: Effect::Hold });
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::After, effect: mailbox::Effect::Hold });
    let work = Arc::clone(world.work());
    let ticking = tokio::spawn(async move { tick(&work, Feeds::Leave).await.unwrap() });
    world.tenant.held().await;
    world.mail.held().await;
    world.tenant.release();
    world.mail.release();
    ticking.await.unwrap();
    world.until("2027-03-01T06:40:00Z").await;
    let story = world.story().await;
    assert_eq!(who(&world).await.1.len(), 1, "{story}");
    assert_eq!(world.tenant.count(Kind::PassCreate), 1, "{story}");
    world.finish().await;
}

#[tokio::test]
async fn f69_the_wrong_row_is_taken_back_and_the_other_goes_on_by_itself() {
    let mut world = World::with_limits("", side_by_side()).await;
    world.drop_file("hires.csv", &rows(&world));
    world.until("2027-03-01T06:30:00Z").await;
    let (delivered, refused) = who(&world).await;
    let first = world.live_passes(ADA).remove(0);

    // One that has nothing is cancelled: the pass of the other stays.
    world.operate(&refused[0], Operate::Cancel).await;
    world.until("2027-03-01T06:40:00Z").await;
    assert_eq!(world.state(&refused[0]).await.0, "cancelled");
    assert_eq!(world.tenant.count(Kind::PassDelete), 0, "{}", world.story().await);
    assert_eq!(world.live_passes(ADA)[0].id, first.id);

    // The one that has it is cancelled: its pass goes, its letter is void, and the last one gets a pass.
    world.operate(&delivered, Operate::Cancel).await;
    world.until("2027-03-01T08:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.hire(&delivered).await.outcome.as_deref(), Some("deleted"), "{story}");
    assert_eq!(world.state(&refused[1]).await, ("delivered".to_owned(), None), "{story}");
    assert_eq!(world.letters().len(), 3, "two codes, and the word that the first is void\n{story}");
    let letters = world.code_letters();
    let live = world.live_passes(ADA);
    assert_eq!((live.len(), &live[0].code), (1, &letters[1].code().unwrap()), "{story}");
    world.finish().await;
}

/// HR renumbers somebody between two starts: the second pass waits for the end of the first, no longer.
#[tokio::test]
async fn f69_a_pass_that_has_ended_is_in_nobodys_way() {
    let mut world = World::with_limits("", side_by_side()).await;
    let both = [HEADER, &row("A1", ADA, "2027-03-01", ""), &row("A2", ADA, "2027-03-02", "")].concat();
    world.drop_file("hires.csv", &both);
    world.until("2027-03-01T13:00:00Z").await;
    assert_eq!(who(&world).await, ("A1".to_owned(), vec!["A2".to_owned()]), "told a day before");
    world.until("2027-03-01T20:00:00Z").await;
    assert_eq!(world.state("A2").await, ("pending".to_owned(), None), "{}", world.story().await);
    world.until("2027-03-02T12:00:00Z").await;
    let story = world.story().await;
    assert_eq!(world.state("A2").await, ("delivered".to_owned(), None), "{story}");
    assert_eq!(world.hire("A1").await.outcome.as_deref(), Some("ended"), "{story}");
    assert_eq!(world.tenant.count(Kind::PassDelete), 0, "{story}");
    world.finish().await;
}

/// A state of before this rule may hold two: the one that gave way says whose pass stands in its place.
#[tokio::test]
async fn a_pass_of_ours_in_the_place_of_ours_is_not_called_somebody_elses() {
    let mut world = World::with_limits("", side_by_side()).await;
    let both = [HEADER, &row("A1", ADA, "2027-03-01", ""), &row("A2", ADA, "2027-03-01", "")].concat();
    world.drop_file("hires.csv", &both);
    world.until("2027-03-01T06:00:30Z").await;
    let (first, refused) = who(&world).await;
    world.with_state("UPDATE pass SET valid_until = valid_until - 86400000".to_owned()).await;
    let look = "UPDATE hire SET look_at = 0 WHERE state = 'attention'";
    world.with_state(look.to_owned()).await;
    world.tick().await;
    world.with_state("UPDATE pass SET valid_until = valid_until + 86400000 WHERE id = 1".to_owned()).await;
    world.until("2027-03-01T09:30:00Z").await;
    let story = world.story().await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 2, "{story}");
    assert_eq!(world.hire(&first).await.outcome.as_deref(), Some("replaced"), "{story}");
    let says = format!("the pass of contoso/{}, who has the same account, stands in the place of ours", refused[0]);
    assert!(story.contains(&says), "{story}");
    world.allow = Allow { late_post: true, ..Allow::default() };
    world.finish().await;
}
