//! `check --user`: what would happen for one person, and why; `check --mail`: a letter without a pass.

use chrono::TimeDelta;
use firstpass::clock::Clock;
use firstpass::sandbox::tenant::ModelUser;

use crate::check_online::{calm, checked, lines, world};
use crate::cli::OTHER_TENANT;
use crate::world::World;

const ADA: &str = "ada.lovelace@contoso.example";

/// The lines of one person.
async fn told(world: &World, what: &str, name: &str, status: i32) -> String {
    let ran = checked(world, &["--user", name]).await;
    let own: Vec<String> = lines(world, &ran).into_iter().filter(|line| line[6..].starts_with("user ")).collect();
    assert_eq!(ran.status, status, "{what}\n{}", ran.stdout);
    format!("# {what} [{status}]\n{}\n\n", own.join("\n"))
}

#[tokio::test]
async fn what_would_happen_for_one_person_and_why() {
    let mut world = world("").await;
    let mut text = told(&world, "not on record", ADA, 0).await;
    world.tick().await;
    text += &told(&world, "on record", ADA, 0).await;
    text += &told(&world, "by employee id", "E3", 0).await;
    text += &told(&world, "nobody", "nobody.yet@contoso.example", 1).await;
    world.change(ADA, |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    text += &told(&world, "has a phone", ADA, 1).await;
    world.change(ADA, |user| {
        user.methods.clear();
        user.roles.push("62e90394-69f5-4237-9190-012177145e10".to_owned());
        user.enabled = false;
        user.manager = None;
    });
    text += &told(&world, "an admin, disabled, without a manager", ADA, 1).await;
    world.change(ADA, |user| {
        user.roles.clear();
        user.enabled = true;
    });
    let pass = world.tenant.foreign_pass(world.id_of(ADA), Some(Clock::System.now() + TimeDelta::hours(1)), 60, true);
    text += &told(&world, "has somebody's pass", ADA, 1).await;
    assert!(!text.contains(&pass.code), "no code is ever printed");
    // As if it were ours, and another hire's (F69).
    let ada = world.id_of(ADA).to_string();
    let theirs = format!(
        "INSERT INTO pass (hire_id, state, claim_token, user_id, graph_id, lifetime_min, one_time, recipient, manager_id,
           made_at, hire_revision, valid_until)
         VALUES (2, 'mailed', 't', '{ada}', '{}', 60, 1, 'r', '{ada}', 0, 1, 2100000000000)",
        pass.id
    );
    world.with_state(theirs).await;
    text += &told(&world, "another hire has a pass for the account", ADA, 1).await;
    text += &told(&world, "by the object id, which no row names", &ada, 1).await;
    world.with_state("DELETE FROM pass".to_owned()).await;
    world.tenant.edit(|d| {
        d.add(ModelUser::external_guest("eve#EXT#@contoso.example", "Eve"));
        d.permissions.retain(|name| name != "UserAuthenticationMethod.Read.All");
    });
    text += &told(&world, "a guest", "eve#EXT#@contoso.example", 1).await;
    text += &told(&world, "methods may not be read", "alan.turing@contoso.example", 1).await;
    let _calm = calm();
    insta::assert_snapshot!(text.trim_end());
    assert!(world.passes(ADA).is_empty() && world.letters().is_empty(), "nothing was made or sent");
    world.finish().await;
}

#[tokio::test]
async fn with_several_tenants_the_account_needs_one() {
    let world = world(OTHER_TENANT).await;
    let ran = checked(&world, &["--user", ADA]).await;
    assert_eq!(ran.status, 2);
    assert_eq!(ran.stderr.trim(), "firstpass: --user: whose account? Add --tenant with one of contoso, fabrikam");
    let ran = checked(&world, &["--user", ADA, "--tenant", "contoso"]).await;
    assert!(ran.stdout.contains(&format!("ok    user {ADA}: no guard objects")), "{}", ran.stdout);
    let ran = checked(&world, &["--user", ADA, "--offline"]).await;
    assert_eq!(ran.status, 2, "a person cannot be looked up without asking");
}

#[tokio::test]
async fn a_test_letter_goes_out_when_it_is_asked_for() {
    let world = world("").await;
    let ran = checked(&world, &["--mail", "mia.manager@contoso.example"]).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let last = ran.stdout.lines().last().unwrap();
    assert_eq!(
        last,
        "ok    test letter to mia.manager@contoso.example: accepted (250 2.0.0 Ok: queued as MODEL0001); look into the mailbox, and into its spam"
    );
    let [letter] = &world.letters()[..] else { panic!("one letter") };
    assert_eq!((letter.code(), letter.to.as_slice()), (None, ["mia.manager@contoso.example".to_owned()].as_slice()));

    world.mail.edit(|options| {
        options.recipients = firstpass::sandbox::mailbox::Recipients::Only(Vec::new());
    });
    let ran = checked(&world, &["--mail", "mia.manager@contoso.example"]).await;
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stdout.lines().last().unwrap().starts_with("WRONG test letter to"), "{}", ran.stdout);
    assert_eq!(checked(&world, &["--mail", "nobody"]).await.status, 2);
}
