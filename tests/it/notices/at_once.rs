//! What is told at once, and what can wait for the digest (F24, F61, F88, F102).

use std::fmt::Write as _;

use super::Desk;

const ADA: &str = "ada.lovelace@contoso.example";
const SENT: &str = "2027-03-01T06:10:00Z";

/// Monday at six in Berlin, digests of the weekend behind us; Ada starts at nine.
async fn monday() -> (Desk, usize) {
    let mut desk = Desk::new("").await;
    desk.world.drop_ada();
    desk.until("2027-03-01T05:00:00Z").await;
    let mails = desk.mails().len();
    (desk, mails)
}

fn registered(desk: &Desk) {
    desk.world.change(ADA, |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
}

#[tokio::test]
async fn f61_a_hire_in_attention_waits_for_the_digest_unless_it_would_come_too_late() {
    let mut desk = Desk::new("").await;
    registered(&desk);
    desk.world.drop_ada();
    desk.until("2027-02-26T15:55:00Z").await;
    assert_eq!(desk.world.state("E1").await.0, "attention", "since Friday noon");
    assert_eq!(desk.mails().len() + desk.hook.seen().len(), 0, "the start is on Monday");
    desk.until("2027-02-26T16:05:00Z").await;
    assert_eq!(desk.subjects(0), ["firstpass: daily digest, 1 in attention, starts: 0"]);
    assert_eq!(desk.heard(), ["firstpass.digest"]);
    // She is well again, and on Monday morning the next digest would come too late.
    desk.world.change(ADA, |user| user.methods.clear());
    desk.until("2027-03-01T05:00:00Z").await;
    let before = desk.mails().len();
    registered(&desk);
    desk.until("2027-03-01T07:00:00Z").await;
    assert_eq!(desk.subjects(before), ["firstpass: 1 hire needs a person"]);
    let told = super::bodies(&desk.mails()[before]);
    for word in ["contoso/E1 Ada Lovelace", "2027-03-01 09:00 Europe/Berlin", "user-registered"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let heard = desk.hook.bodies().pop().unwrap();
    assert_eq!(heard["type"], "firstpass.attention");
    let hire = &heard["data"]["sections"][0]["hires"][0];
    assert_eq!((hire["employee_id"].as_str(), hire["reason"].as_str()), (Some("E1"), Some("user-registered")));
    desk.until("2027-03-01T07:55:00Z").await;
    assert_eq!(desk.mails().len(), before + 1, "told once");
    desk.finish().await;
}

#[tokio::test]
async fn f24_a_start_without_a_letter_is_told_when_it_is_over() {
    let (mut desk, before) = monday().await;
    registered(&desk);
    desk.until("2027-03-01T08:30:00Z").await;
    assert_eq!(
        desk.subjects(before),
        ["firstpass: 1 hire needs a person", "firstpass: 1 start passed without a letter"],
        "{}",
        desk.world.story().await
    );
    desk.finish().await;
}

#[tokio::test]
async fn a_start_with_a_letter_is_no_news_but_an_unused_pass_is() {
    let (mut desk, before) = monday().await;
    desk.until("2027-03-01T09:05:00Z").await;
    assert_eq!(desk.world.code_letters().len(), 1);
    assert_eq!(desk.subjects(before), ["firstpass: 1 pass is unused an hour after the start"]);
    assert_eq!(desk.heard().last().unwrap(), "firstpass.pass-unused");
    desk.until("2027-03-01T15:55:00Z").await;
    assert_eq!(desk.mails().len(), before + 1, "once");
    desk.finish().await;
}

#[tokio::test]
async fn a_used_pass_is_no_news() {
    let (mut desk, before) = monday().await;
    desk.until(SENT).await;
    let code = desk.world.code_letters()[0].code().unwrap();
    desk.until("2027-03-01T08:02:00Z").await;
    assert!(desk.world.tenant.use_pass(desk.world.id_of(ADA), &code));
    desk.until("2027-03-01T10:00:00Z").await;
    assert_eq!(desk.subjects(before), Vec::<String>::new());
    desk.finish().await;
}

#[tokio::test]
async fn f102_somebody_elses_pass_over_ours_is_told() {
    let (mut desk, before) = monday().await;
    desk.until(SENT).await;
    desk.world.tenant.foreign_pass(desk.world.id_of(ADA), None, 480, false);
    desk.until("2027-03-01T08:30:00Z").await;
    assert_eq!(desk.subjects(before), ["firstpass: 1 pass was replaced by somebody else's"]);
    desk.world.finish().await;
}

#[tokio::test]
async fn f88_five_hundred_hires_in_attention_are_one_notice() {
    let mut desk = Desk::new("").await;
    let mut file = "employee_id,display_name,start_date,site\n".to_owned();
    for n in 0..500 {
        writeln!(file, "S{n:03},Storm Person{n:03},2027-02-26,Atlantis").unwrap();
    }
    desk.world.drop_file("storm.csv", &file);
    desk.world.tick().await;
    desk.told().await;
    assert_eq!(desk.subjects(0), ["firstpass: 500 hires need a person"]);
    let told = super::bodies(&desk.mails()[0]);
    assert!(told.contains("and 480 more"), "{told}");
    assert_eq!(told.matches("zone-unknown").count(), 2 * 20, "twenty of them, in text and HTML");
    let [heard] = &desk.hook.bodies()[..] else { panic!("one request") };
    let section = &heard["data"]["sections"][0];
    assert_eq!((section["hires"].as_array().unwrap().len(), section["more"].as_u64()), (20, Some(480)));
    assert!(!heard.to_string().contains("Storm"), "T32: names stay here");
    // Twelve more within the hour wait for its end, and are one notice again.
    let more = file.replace("S0", "T0").lines().take(13).collect::<Vec<_>>().join("\n");
    desk.world.drop_file("more.csv", &more);
    desk.world.tick().await;
    desk.until("2027-02-26T12:55:00Z").await;
    assert_eq!(desk.mails().len(), 1, "one per cause and hour");
    desk.until("2027-02-26T13:10:00Z").await;
    assert_eq!(desk.subjects(1), ["firstpass: 12 hires need a person"]);
    desk.finish().await;
}
