//! Own letters on their way to managers: the right words, and never a pass for a letter that cannot be
//! written.

use firstpass::rules::hire::Reason;

use super::{HTML, TEXT};
use crate::world::World;

const HIRES: &str = "employee_id,user,display_name,start_date,zone,language\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2037-03-02,Europe/Berlin,de_AT\n\
    E2,grace.hopper@contoso.example,Grace Hopper,2037-03-02,Europe/Berlin,\n";

fn hires() -> String {
    HIRES.replace("2037-03-02", "2027-03-01")
}

/// A world with a folder of own letters.
async fn with_letters(files: &[(&str, &str)]) -> (tempfile::TempDir, World) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let world = World::with(&format!("[tenant.mail]\ntemplates = \"{}\"\n", folder.path().display())).await;
    (folder, world)
}

#[tokio::test]
async fn the_row_picks_the_language_of_its_letter() {
    let mut world = World::new().await;
    world.drop_file("hires.csv", &hires());
    world.until("2027-03-01T07:00:00Z").await;
    let subjects: Vec<_> = world.code_letters().iter().map(|letter| letter.header("Subject").unwrap()).collect();
    assert!(
        subjects.contains(&"Erste Anmeldung von Ada Lovelace, Arbeitsbeginn Montag, 1. März 2027".to_owned()),
        "{subjects:?}"
    );
    assert!(subjects.contains(&"First sign-in of Grace Hopper, start Monday, 1 March 2027".to_owned()), "{subjects:?}");
    for letter in world.code_letters() {
        let text = letter.part("text/plain").unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    }
    world.drop_file(
        "withdrawn.csv",
        &hires()
            .replace("language\n", "language,status\n")
            .replace("de_AT", "de_AT,withdrawn")
            .replace("Europe/Berlin,\n", "Europe/Berlin,,active\n"),
    );
    world.until("2027-03-01T07:30:00Z").await;
    let last = world.letters().last().unwrap().header("Subject").unwrap();
    assert_eq!(last, "Der Anmeldecode für Ada Lovelace gilt nicht mehr");
    world.finish().await;
}

#[tokio::test]
async fn an_own_letter_is_what_the_manager_gets() {
    let (_folder, mut world) = with_letters(&[("letter.txt", TEXT), ("letter.html", HTML)]).await;
    world.drop_file("hires.csv", &hires());
    world.until("2027-03-01T07:00:00Z").await;
    let letters = world.code_letters();
    assert_eq!(letters.len(), 2, "{}", world.story().await);
    assert!(letters.iter().all(|letter| letter.header("Subject").unwrap().starts_with("Code for ")));
    world.finish().await;
}

/// F49 the other way round: what breaks with one name only is found before there is a pass.
#[tokio::test]
async fn a_letter_that_cannot_be_written_costs_no_pass() {
    let trap = TEXT.replace("Once.", "Once.{% if hire == \"Ada Lovelace\" %}{{ hire.first.name }}{% endif %}");
    let (_folder, mut world) = with_letters(&[("letter.txt", &trap), ("letter.html", HTML)]).await;
    world.drop_file("hires.csv", &hires());
    world.until("2027-03-01T07:00:00Z").await;
    let ada = world.hire("E1").await;
    assert_eq!(ada.reason.as_deref(), Some(Reason::Unanswered.as_str()), "{}", world.story().await);
    assert!(ada.what_to_do.contains("letter.txt:12"), "{}", ada.what_to_do);
    assert!(world.passes("ada.lovelace@contoso.example").is_empty(), "no pass was made");
    assert_eq!(world.code_letters().len(), 1, "Grace has hers");
    world.finish().await;
}
