//! A state that was brought back from a backup does not know what was sent since (F87, T28): the directory
//! does, and it is asked before anything is made. `deploy/operations.md` says what to look at then. What
//! somebody wrote into it by hand chooses nobody and no address (F83, T26).

use firstpass::store::{Older, Store};

use crate::world::World;

/// Ada is on record on Friday, a copy is made, the letter goes out on Monday, and the copy is brought back.
async fn monday_forgotten(world: &mut World) {
    world.drop_ada();
    world.tick().await;
    let copy = world.dir.path().join("copy.db");
    Store::backup(&world.settings.state.url, &copy, Older::Keep).await.unwrap();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "07:00 in Berlin\n{}", world.story().await);

    world.work().store.close().await;
    world.work = None;
    let state = world.dir.path().join("state.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", state.display()));
    }
    std::fs::copy(copy, &state).unwrap();
    world.allow.restored = true;
    world.restart().await;
}

#[tokio::test]
async fn f87_a_letter_of_after_the_backup_shows_as_a_foreign_pass_and_no_second_one_is_made() {
    let mut world = World::new().await;
    monday_forgotten(&mut world).await;
    world.tick().await;
    let story = world.story().await;
    assert_eq!(world.state("E1").await, ("attention".into(), Some("foreign-pass".into())), "{story}");
    world.until("2027-03-01T12:00:00Z").await;
    assert_eq!(world.passes("ada.lovelace@contoso.example").len(), 1, "{}", world.story().await);
    assert_eq!(world.live_passes("ada.lovelace@contoso.example").len(), 1, "what the manager holds still works");
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f87_whoever_signed_in_meanwhile_gets_no_second_pass_either() {
    let mut world = World::new().await;
    monday_forgotten(&mut world).await;
    world.set("2027-03-01T09:00:00Z");
    world.change("ada.lovelace@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    assert!(world.tenant.delete_pass(world.id_of("ada.lovelace@contoso.example")), "used, and gone");
    world.tick().await;
    assert_eq!(
        world.state("E1").await,
        ("attention".into(), Some("user-registered".into())),
        "{}",
        world.story().await
    );
    assert_eq!(world.letters().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f83_a_row_edited_by_hand_sends_no_letter_elsewhere() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    let (omar, grace) = (world.id_of("omar.okafor@contoso.example"), world.id_of("grace.hopper@contoso.example"));
    // Whoever can write the state says that Omar is the manager, and that his mailbox was proved.
    world
        .with_state(
            "UPDATE hire SET channel = 'omar.okafor@contoso.example', manager_upn = 'omar.okafor@contoso.example'"
                .to_owned(),
        )
        .await;
    world.until("2027-03-01T06:05:00Z").await;
    let letters = world.code_letters();
    assert_eq!(letters.len(), 1, "{}", world.story().await);
    assert_eq!(letters[0].to, ["mia.manager@contoso.example"], "the directory is asked");

    // A pass row that names another account and recipient is no reason to send anything there.
    world.with_state(format!("UPDATE pass SET user_id = '{grace}', manager_id = '{omar}'")).await;
    world.with_state("UPDATE hire SET look_at = 0".to_owned()).await;
    world.until("2027-03-01T12:00:00Z").await;
    let to_others = world.letters().iter().filter(|letter| letter.to != ["mia.manager@contoso.example"]).count();
    assert_eq!(to_others, 0, "{}", world.story().await);
    assert!(world.live_passes("grace.hopper@contoso.example").is_empty(), "{}", world.story().await);
    assert!(world.live_passes("ada.lovelace@contoso.example").len() <= 1, "{}", world.story().await);
}

/// Rows are numbered anew, and the first letter may lie in the mailbox: a server that drops a Message-ID that
/// it has seen must not drop the second.
#[tokio::test]
async fn f87_a_letter_after_a_restore_is_not_taken_for_the_one_of_before() {
    let mut world = World::new().await;
    monday_forgotten(&mut world).await;
    assert!(world.tenant.delete_pass(world.id_of("ada.lovelace@contoso.example")), "an admin makes way");
    world.until("2027-03-01T07:30:00Z").await;
    let rows = world.raw("SELECT id, hire_id FROM pass").await;
    assert_eq!(rows.len(), 1, "the numbers are those of before\n{}", world.story().await);
    let ids: Vec<String> = world.letters().iter().map(|letter| letter.header("Message-ID").unwrap()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("<pass.1-1.")), "{ids:?}");
}
