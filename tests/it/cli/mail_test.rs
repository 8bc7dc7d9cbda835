//! `mail test`: each way of a letter, and what it says when one does not work.

use crate::world::{MAIL_PASSWORD, World};

use super::{calm, firstpass, session};

const TO: &str = "mia.manager@contoso.example";

/// The test, with ports out of the way.
async fn tested(world: &World, more: &[&str]) -> String {
    let args: Vec<&str> = ["mail", "test", TO].into_iter().chain(more.iter().copied()).collect();
    let ran = firstpass(world.dir.path(), &args).await;
    assert!(!(ran.stdout.clone() + &ran.stderr).contains(MAIL_PASSWORD), "a secret is printed");
    let mut told = format!("$ firstpass {}\n{}[{}]\n\n", args.join(" "), ran.stdout, ran.status);
    // Ids and ports differ each time.
    while let Some(at) = told.find("(request-id ") {
        let end = at + told[at..].find(')').unwrap();
        told.replace_range(at..=end, "(an id)");
    }
    told.replace(&format!("localhost:{}", world.mail.port()), "localhost:PORT")
}

#[tokio::test]
async fn a_test_letter_goes_by_each_way() {
    let ways = ["", "[mail.smtp] += auth = \"xoauth2\"", "[mail] += via = \"graph\""];
    let mut told = String::new();
    for way in ways {
        let world = World::with(way).await;
        told.push_str(&tested(&world, &[]).await);
        let [letter] = &world.letters()[..] else { panic!("{way}: one letter") };
        assert_eq!((letter.to.as_slice(), letter.code()), ([TO.to_owned()].as_slice(), None), "{way}");
        assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"), "{way}");
        told.push_str(&tested(&world, &["--dry-run", "--json"]).await);
        assert_eq!(world.letters().len(), 1, "{way}: a dry run sends nothing");
    }
    let world = World::new().await;
    let _calm = calm(world.dir.path());
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn what_does_not_work_is_said_with_the_fix() {
    let mut told = String::new();
    let world = World::with("[mail.smtp] += username = \"somebody@contoso.example\"").await;
    told.push_str(&tested(&world, &[]).await);
    let world = World::with("[mail] += via = \"graph\"").await;
    world.tenant.edit(|directory| directory.may_send_as.clear());
    told.push_str(&tested(&world, &[]).await);
    told.push_str(&session(world.dir.path(), &[&["mail", "test", "nobody"]]).await);
    told.push_str(&session(world.dir.path(), &[&["mail", "test", TO, "--tenant", "adatum"]]).await);
    world.tenant.stop();
    let unreachable = firstpass(world.dir.path(), &["mail", "test", TO, "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(&unreachable.stdout).unwrap();
    assert_eq!((unreachable.status, document["accepted"].is_null()), (1, true));
    assert!(document["error"].as_str().unwrap().contains("could not reach Microsoft"), "{document}");
    let _calm = calm(world.dir.path());
    insta::assert_snapshot!(told);
}
