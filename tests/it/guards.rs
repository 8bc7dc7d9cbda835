//! Who gets a pass, and who is told (contract 6): each guard says no with its reason, nothing is
//! made, and the hire goes on by itself when the cause is gone.

use firstpass::sandbox::tenant::{Effect, Kind, ModelUser, When};

use crate::world::{ADA as ADA_FILE, World};

const ADA: &str = "ada.lovelace@contoso.example";
const MIA: &str = "mia.manager@contoso.example";
/// Within the window of Ada's morning, after it began.
const AFTER: &str = "2027-03-01T06:10:00Z";
const NOON: &str = "2027-03-01T12:00:00Z";

/// One guard: what is wrong, the reason, and how it is mended.
struct Case {
    reason: &'static str,
    wrong: fn(&World),
    mended: fn(&World),
}

#[expect(clippy::too_many_lines, reason = "a table: one case below the other")]
fn cases() -> Vec<Case> {
    vec![
        Case {
            reason: "user-missing",
            wrong: |w| rename(w, ADA, "gone@contoso.example"),
            mended: |w| rename(w, "gone@contoso.example", ADA),
        },
        Case {
            reason: "user-disabled",
            wrong: |w| w.change(ADA, |u| u.enabled = false),
            mended: |w| w.change(ADA, |u| u.enabled = true),
        },
        Case {
            reason: "user-external",
            wrong: |w| {
                w.change(ADA, |u| {
                    u.user_type = Some("Guest".into());
                    u.creation_type = Some("Invitation".into());
                });
            },
            mended: |w| {
                w.change(ADA, |u| {
                    u.user_type = Some("Member".into());
                    u.creation_type = None;
                });
            },
        },
        Case {
            reason: "user-privileged",
            wrong: |w| w.change(ADA, |u| u.roles.push("62e90394-69f5-4237-9190-012177145e10".into())),
            mended: |w| w.change(ADA, |u| u.roles.clear()),
        },
        Case {
            reason: "user-registered",
            wrong: |w| w.change(ADA, |u| u.methods.push("phoneAuthenticationMethod".into())),
            mended: |w| w.change(ADA, |u| u.methods.retain(|m| m != "phoneAuthenticationMethod")),
        },
        Case {
            reason: "user-registered",
            wrong: |w| w.change(ADA, |u| u.methods.push("quantumAuthenticationMethod".into())),
            mended: |w| w.change(ADA, |u| u.methods.retain(|m| m != "quantumAuthenticationMethod")),
        },
        Case {
            reason: "policy-off",
            wrong: |w| w.tenant.edit(|d| d.policy.enabled = false),
            mended: |w| w.tenant.edit(|d| d.policy.enabled = true),
        },
        Case {
            reason: "policy-scope",
            wrong: |w| {
                w.tenant.edit(|d| {
                    d.policy.include.clear();
                });
            },
            mended: |w| w.tenant.edit(|d| d.policy.include = vec![firstpass::sandbox::tenant::ModelTarget::Everyone]),
        },
        Case {
            reason: "policy-lifetime",
            wrong: |w| {
                w.tenant.edit(|d| {
                    d.policy.shortest_min = 10;
                    d.policy.longest_min = 30;
                });
            },
            mended: |w| w.tenant.edit(|d| d.policy.longest_min = 480),
        },
        Case {
            reason: "manager-missing",
            wrong: |w| w.change(ADA, |u| u.manager = None),
            mended: |w| {
                let mia = w.id_of(MIA);
                w.change(ADA, move |u| u.manager = Some(mia));
            },
        },
        Case {
            reason: "manager-mismatch",
            wrong: |w| {
                let omar = w.id_of("omar.okafor@contoso.example");
                w.change(ADA, move |u| u.manager = Some(omar));
            },
            mended: |w| {
                let mia = w.id_of(MIA);
                w.change(ADA, move |u| u.manager = Some(mia));
            },
        },
        Case {
            reason: "manager-unusable",
            wrong: |w| w.change(MIA, |u| u.enabled = false),
            mended: |w| w.change(MIA, |u| u.enabled = true),
        },
        Case {
            reason: "manager-unusable",
            wrong: |w| w.change(MIA, |u| u.mail = None),
            mended: |w| w.change(MIA, |u| u.mail = Some(MIA.into())),
        },
        Case {
            reason: "manager-unusable",
            wrong: |w| w.change(MIA, |u| u.user_type = Some("Guest".into())),
            mended: |w| w.change(MIA, |u| u.user_type = Some("Member".into())),
        },
        Case {
            reason: "channel-domain",
            wrong: |w| w.change(MIA, |u| u.mail = Some("mia@mailbox.example".into())),
            mended: |w| w.change(MIA, |u| u.mail = Some(MIA.into())),
        },
    ]
}

fn rename(world: &World, from: &str, to: &str) {
    world.change(from, |user| to.clone_into(&mut user.upn));
}

#[tokio::test]
async fn f61_to_f69_each_guard_says_no_and_goes_on_when_its_cause_is_gone() {
    for (n, case) in cases().into_iter().enumerate() {
        let mut world = World::new().await;
        world.drop_ada();
        world.tick().await;
        (case.wrong)(&world);
        world.until(AFTER).await;
        let story = world.story().await;
        assert_eq!(
            world.state("E1").await,
            ("attention".to_owned(), Some(case.reason.to_owned())),
            "case {n}\n{story}"
        );
        assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}: nothing was made\n{story}", case.reason);
        assert!(world.letters().is_empty(), "{}\n{story}", case.reason);
        assert!(world.hire("E1").await.what_to_do.len() > 20, "{}: a sentence says what to do", case.reason);
        (case.mended)(&world);
        world.until(NOON).await;
        assert_eq!(world.code_letters().len(), 1, "{}: goes on by itself\n{}", case.reason, world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn f69_two_accounts_with_one_employee_id_are_never_chosen_from() {
    let mut world = World::new().await;
    let mut double = ModelUser::member("ada2@contoso.example", "Ada Again");
    double.employee_id = Some("E1".to_owned());
    world.tenant.edit(|directory| directory.add(double));
    world.drop_file("hires.csv", "employee_id,start_date,zone\nE1,2027-03-01,Europe/Berlin\n");
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("user-ambiguous"));
    assert_eq!(world.tenant.count(Kind::PassCreate), 0);
    world.finish().await;
}

#[tokio::test]
async fn f68_nobody_gets_a_pass_for_themselves() {
    let mut world = World::new().await;
    world.drop_file("hires.csv", &ADA_FILE.replace(",mia.manager@contoso.example\n", ",\n"));
    let ada = world.id_of(ADA);
    world.change(ADA, move |user| user.manager = Some(ada));
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("manager-unusable"), "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f62_a_role_through_a_group_counts() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tenant.edit(|directory| {
        let id = uuid::Uuid::new_v4();
        let group = firstpass::sandbox::tenant::ModelGroup {
            display_name: "Helpdesk".to_owned(),
            roles: vec!["729827e3-9c14-49f7-bb1b-9608f156bbb8".to_owned()],
            groups: Vec::new(),
        };
        directory.groups.insert(id, group);
        directory.user(ADA).unwrap().groups.push(id);
    });
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("user-privileged"), "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f63_an_address_in_the_feed_is_never_mailed_to() {
    let mut world = World::new().await;
    world.drop_file("hires.csv", &ADA_FILE.replace("mia.manager@contoso.example", "attacker@evil.example"));
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("manager-mismatch"), "{}", world.story().await);
    assert!(world.letters().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn f102_a_foreign_pass_is_not_overridden_and_lets_go_when_it_is_over() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.tenant.foreign_pass(world.id_of(ADA), None, 60, false);
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("foreign-pass"), "{}", world.story().await);
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn f102_a_foreign_pass_after_our_letter_is_told_and_not_fought() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T06:05:00Z").await;
    world.tenant.foreign_pass(world.id_of(ADA), None, 480, false);
    world.until(NOON).await;
    let hire = world.hire("E1").await;
    assert_eq!(
        (hire.state.as_str(), hire.outcome.as_deref()),
        ("delivered", Some("replaced")),
        "{}",
        world.story().await
    );
    assert_eq!(world.tenant.count(Kind::PassCreate), 1);
    assert_eq!(world.tenant.count(Kind::PassDelete), 0);
    world.finish().await;
}

#[tokio::test]
async fn i19_a_check_that_is_not_answered_counts_as_failed() {
    for kind in [Kind::User, Kind::Manager, Kind::Methods, Kind::Roles, Kind::Policy, Kind::Domains, Kind::PassList] {
        let mut world = World::new().await;
        world.drop_ada();
        world.until("2027-03-01T05:59:00Z").await;
        world.tenant.fault_each(Some(kind), When::Before, Effect::graph_error(500, "internalServerError", "oops"));
        world.until(AFTER).await;
        let story = world.story().await;
        assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{kind:?}\n{story}");
        assert_eq!(world.state("E1").await.1.as_deref(), Some("unanswered"), "{kind:?}\n{story}");
        world.tenant.heal();
        world.until(NOON).await;
        assert_eq!(world.code_letters().len(), 1, "{kind:?}\n{}", world.story().await);
        world.finish().await;
    }
}

#[tokio::test]
async fn before_the_morning_some_reasons_are_forecasts() {
    let mut world = World::new().await;
    world.drop_ada();
    world.change(ADA, |user| user.enabled = false);
    world.until("2027-02-28T12:00:00Z").await;
    assert_eq!(world.state("E1").await, ("pending".to_owned(), Some("user-disabled".to_owned())));
    world.change(ADA, |user| user.enabled = true);
    world.until(AFTER).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn a_reason_whose_time_is_over_says_that_nothing_happens_by_itself() {
    let mut world = World::new().await;
    world.drop_ada();
    world.change(ADA, |user| user.manager = None);
    world.until("2027-03-02T00:00:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!(hire.reason.as_deref(), Some("manager-missing"), "the reason that stood last");
    assert!(hire.what_to_do.contains("hire retry") && !hire.what_to_do.contains("by itself"), "{}", hire.what_to_do);
    assert_eq!(hire.next_try_utc, None);
    world.finish().await;
}

#[tokio::test]
async fn i19_an_exclusion_that_cannot_be_read_is_not_passed_over() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    let interns = uuid::Uuid::new_v4();
    world.tenant.edit(|directory| {
        directory.groups.insert(interns, firstpass::sandbox::tenant::ModelGroup::default());
        directory.policy.exclude = vec![firstpass::sandbox::tenant::ModelTarget::Group(interns)];
    });
    world.tenant.fault_each(Some(Kind::Groups), When::Before, Effect::graph_error(500, "internalServerError", "oops"));
    world.until(AFTER).await;
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    assert_eq!(world.state("E1").await.1.as_deref(), Some("unanswered"), "{}", world.story().await);
    world.tenant.heal();
    world.until(NOON).await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn i19_the_feeds_manager_that_cannot_be_looked_up_is_not_passed_over() {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    let omar = world.id_of("omar.okafor@contoso.example");
    world.change(ADA, move |user| user.manager = Some(omar));
    // The first question about a user is for the hire's account, the second for the feed's manager.
    let oops = Effect::graph_error(500, "internalServerError", "oops");
    world.tenant.fault(firstpass::sandbox::tenant::Fault {
        kind: Kind::User,
        nth: 2,
        when: When::Before,
        effect: oops,
    });
    world.set("2027-03-01T06:00:00Z");
    world.tick().await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("unanswered"), "{}", world.story().await);
    assert_eq!(world.tenant.count(Kind::PassCreate), 0, "{}", world.story().await);
    world.until(AFTER).await;
    assert_eq!(world.state("E1").await.1.as_deref(), Some("manager-mismatch"), "{}", world.story().await);
    world.finish().await;
}
