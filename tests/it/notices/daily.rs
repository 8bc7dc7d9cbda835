//! The daily digest: what it says, when it comes, and to whom.

use firstpass::work::tell::audiences;

use super::{Desk, bodies};
use crate::world::World;

const FOUR: &str = "employee_id,user,display_name,start_date,start_time,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n\
    E2,grace.hopper@contoso.example,Grace Hopper,2027-03-02,09:00,America/New_York,\n\
    E3,alan.turing@contoso.example,Alan Turing,2027-03-03,09:00,Asia/Kolkata,\n\
    E4,nobody.yet@contoso.example,Katherine Johnson,2027-03-08,09:00,Pacific/Auckland,\n";

#[tokio::test]
async fn the_digest_of_a_monday() {
    let mut desk = Desk::new("").await;
    desk.world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    desk.world.drop_file("hires.csv", FOUR);
    desk.until("2027-03-01T15:55:00Z").await;
    let before = desk.mails().len();
    desk.until("2027-03-01T16:05:00Z").await;
    let digest = desk.mails().pop().unwrap();
    assert_eq!(desk.mails().len(), before + 1);
    assert_eq!(desk.heard().last().unwrap(), "firstpass.digest");
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        digest.header("Subject").unwrap(),
        digest.part("text/plain").unwrap().replace('\r', "")
    ));
    assert!(bodies(&digest).contains("<h3>Needs a person</h3>"));
    insta::assert_json_snapshot!(desk.hook.bodies().pop().unwrap());
    desk.finish().await;
}

#[tokio::test]
async fn one_digest_a_day_at_the_admins_time_also_after_a_night_off() {
    let mut desk = Desk::new("[schedule]\nzone = \"Europe/Berlin\"\n[notify] += digest_at = \"08:30\"").await;
    desk.until("2027-02-27T07:25:00Z").await;
    assert_eq!(desk.mails().len(), 0);
    desk.until("2027-02-27T07:35:00Z").await;
    assert_eq!(desk.subjects(0), ["firstpass: daily digest, 0 in attention, starts: 0"], "silence is a sign, too");
    // Down at the time of the next one: it comes with the restart, once.
    desk.world.set("2027-02-28T11:00:00Z");
    desk.world.restart().await;
    desk.until("2027-02-28T11:10:00Z").await;
    let digests = |desk: &Desk| desk.subjects(0).iter().filter(|subject| subject.contains("digest")).count();
    assert_eq!(digests(&desk), 2);
    desk.until("2027-03-01T07:25:00Z").await;
    assert_eq!(digests(&desk), 2);
    desk.until("2027-03-01T07:35:00Z").await;
    assert_eq!(digests(&desk), 3);
    desk.finish().await;
}

#[tokio::test]
async fn a_clock_that_jumped_ahead_silences_nobody() {
    let mut desk = Desk::new("").await;
    desk.until("2027-02-26T12:10:00Z").await;
    desk.world.set("2028-02-26T17:00:00Z");
    desk.world.tick().await;
    desk.round().await;
    desk.world.set("2027-02-26T12:20:00Z");
    desk.world.drop_file("bad.csv", "employee_id,start_date\nE1,2027-04-31\n");
    desk.world.tick().await;
    let before = desk.mails().len();
    desk.until("2027-02-26T16:30:00Z").await;
    let told = desk.subjects(before);
    assert!(told.contains(&"firstpass: 1 file has new rejected rows".to_owned()), "{told:?}");
    assert!(told.iter().any(|subject| subject.contains("digest")), "{told:?}");
    desk.world.finish().await;
}

#[tokio::test]
async fn a_tenant_with_its_own_admins_is_told_of_apart() {
    let second = "[[tenant]]\nname = \"adatum\"\ntenant_id = \"22222222-2222-3333-4444-555555555555\"\n\
        client_id = \"66666666-7777-8888-9999-000000000000\"\nclient_secret_file = \"./secret-client\"\n\
        [tenant.notify]\nto = [\"it@adatum.example\"]\n";
    let hook = "[notify]\nto = [\"identity-team@contoso.example\"]\n\
        [[notify.webhook]]\nname = \"all\"\nurl = \"https://alarms.example/\"\n\
        [[notify.webhook]]\nname = \"its\"\nurl = \"https://its.example/\"\ntenant = \"adatum\"\n";
    let world = World::around(
        &format!("{second}{hook}"),
        crate::world::short_limits(),
        firstpass::clock::Clock::hand(crate::world::at(crate::world::FRIDAY)),
    );
    let told: Vec<String> = audiences(&world.settings)
        .iter()
        .map(|one| {
            let to: Vec<&str> = one.to.iter().map(firstpass::rules::hire::MailAddress::as_str).collect();
            let hooks: Vec<&str> = one.hooks.iter().map(|hook| hook.name.as_str()).collect();
            format!("{:?} hears of {:?}: {to:?} {hooks:?}", one.name, one.tenants)
        })
        .collect();
    assert_eq!(
        told,
        [
            r#""" hears of ["contoso"]: ["identity-team@contoso.example"] ["all"]"#,
            r#""adatum" hears of ["adatum"]: ["it@adatum.example"] ["all", "its"]"#,
        ]
    );
}
