//! Credentials that are replaced while the service runs, and certificates that come to their end (F97).

use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::work::tick::{Feeds, tick};

use crate::entra::certificates::{Pair, put};
use crate::world::{World, at};

const NEW_SECRET: &str = "n3w-S3cret-of-the-tests~~";

/// A new file moved over the old one.
fn replace(world: &World, name: &str, text: &str) {
    let path = world.dir.path().join(name);
    put(&path, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn f97_a_secret_that_is_over_stops_its_tenant_until_a_new_one_lies_there() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    // The admin made a new secret in Entra, and the old one ends before the morning.
    world.tenant.edit(|directory| NEW_SECRET.clone_into(&mut directory.client_secret));
    world.tenant.revoke_tokens();
    world.until("2027-03-01T06:30:00Z").await;
    let hire = world.hire("E1").await;
    assert_eq!((hire.state.as_str(), hire.reason.as_deref()), ("pending", Some("tenant-stopped")));
    assert!(hire.what_to_do.contains("AADSTS7000215"), "{}", hire.what_to_do);
    let gate = world.work().store.gates().await.unwrap().remove(0);
    assert!(gate.stopped.unwrap().contains("put the new one into the file"), "the remedy is told");
    assert_eq!(world.passes("ada.lovelace@contoso.example").len(), 0);

    replace(&world, "secret-client", NEW_SECRET);
    let asked = world.tenant.count(Kind::Token);
    world.until("2027-03-01T06:36:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "no restart: {}", world.story().await);
    assert_eq!(world.tenant.count(Kind::Token), asked + 1);
    world.finish().await;
}

#[tokio::test]
async fn f97_a_refused_credential_is_tried_again_now_and_then_only() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    world.tenant.edit(|directory| directory.secret_expired = true);
    world.tenant.revoke_tokens();
    world.set("2027-03-01T06:00:00Z");
    let before = world.tenant.count(Kind::Token);
    world.until("2027-03-01T07:00:00Z").await;
    let tries = world.tenant.count(Kind::Token) - before;
    assert!((5..=14).contains(&tries), "every five minutes: {tries}");
    world.finish().await;
}

/// A tenant whose certificate ends in `days`, seen from the Friday before the stories.
pub(crate) fn by_certificate(days: i64) -> (World, Pair) {
    let extra = "client_secret_file => certificate_file = \"graph-key.pem\"";
    let world =
        World::around(extra, crate::world::short_limits(), firstpass::clock::Clock::hand(at(crate::world::FRIDAY)));
    let now = world.clock.now();
    let pair = Pair::new(now - TimeDelta::days(300), now + TimeDelta::days(days));
    replace(&world, "graph-key.pem", &pair.pem());
    world.tenant.edit(|directory| directory.certificates = vec![pair.der.clone()]);
    (world, pair)
}

#[tokio::test]
async fn a_certificate_near_its_end_is_told_once_a_day_and_renewed_while_running() {
    let (mut world, old) = by_certificate(20);
    world.restart().await;
    world.drop_ada();
    let told = world.tick().await.certificates;
    assert_eq!(told.len(), 1);
    insta::assert_snapshot!(told[0]);
    world.pass_time(TimeDelta::hours(23));
    assert_eq!(world.tick().await.certificates, Vec::<String>::new(), "not twice a day");
    world.pass_time(TimeDelta::hours(1));
    assert_eq!(world.tick().await.certificates.len(), 1);

    // Renewed: Entra knows the new one only, and tokens of the old one are over.
    let now = world.clock.now();
    let new = Pair::new(now, now + TimeDelta::days(365));
    world.tenant.edit(|directory| directory.certificates = vec![new.der.clone()]);
    world.tenant.revoke_tokens();
    replace(&world, "graph-key.pem", &new.pem());
    assert_ne!(old.der, new.der);
    world.until("2027-03-01T06:01:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    assert_eq!(world.tick().await.certificates, Vec::<String>::new());
    world.finish().await;
}

/// Signed by a clock that is ahead, nothing gets a token: only the refusal says what time it is (F21).
#[tokio::test]
async fn f21_a_file_waits_while_a_wrong_clock_gets_no_token() {
    let (mut world, _) = by_certificate(300);
    world.restart().await;
    world.tenant.edit(|directory| directory.skew = TimeDelta::days(-4));
    world.pass_time(TimeDelta::days(4)); // it is Friday; this host thinks that Monday is over
    world.drop_ada();
    let waits = async |world: &World, when: &str| {
        let report = tick(world.work(), Feeds::Read).await.unwrap();
        assert!(report.files.is_empty() && report.feed_errors.len() == 1, "{when}: {report:?}");
        assert!(report.feed_errors[0].contains("clock is 5760 min off"), "{when}: {report:?}");
        assert!(world.dir.path().join("drop/hires.csv").exists(), "{when}");
    };
    waits(&world, "the assertion is refused").await;
    assert_eq!(world.tenant.count(Kind::Policy), 0, "no answer of Graph");
    // Somebody else met the refusal, and stopped the tenant for a while.
    let now = world.clock.now();
    let later = now + TimeDelta::minutes(5);
    world.work().store.hold_gate(now, "tenant/contoso", later, Some("AADSTS700024")).await.unwrap();
    waits(&world, "the tenant is stopped").await;
    // Also when the tenant is out of reach by now.
    world.tenant.fault(Fault { kind: Kind::Token, nth: 1, when: When::Before, effect: Effect::Reset });
    waits(&world, "nobody answers").await;

    world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    world.set(crate::world::FRIDAY);
    let report = tick(world.work(), Feeds::Read).await.unwrap();
    assert_eq!((report.files[0].added, report.files[0].past), (1, 0), "{report:?}");
    world.reports.extend(report.files);
    world.until("2027-03-01T06:01:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}
