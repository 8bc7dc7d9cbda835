//! I24 for `/metrics`: the whole text holds no name, address, id or code of anybody, whatever happened.

use std::collections::BTreeSet;

use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::serve::metrics::{Form, Metrics};

use crate::world::{CLIENT_SECRET, MAIL_PASSWORD, World};

/// The cast with names that are no words of ours, and a day on which everything happens to them.
pub(super) async fn eventful() -> World {
    let mut world = World::new().await;
    let file = "employee_id,user,display_name,start_date,start_time,zone,manager\n\
        EMP-70001,ada.lovelace@contoso.example,Ada Lovelace,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n\
        EMP-70002,grace.hopper@contoso.example,Grace Hopper,2027-03-01,09:00,Europe/Berlin,omar.okafor@contoso.example\n\
        EMP-70003,alan.turing@contoso.example,Alan Turing,2027-03-01,09:00,Europe/Berlin,mia.manager@contoso.example\n\
        EMP-70004,katherine.johnson@contoso.example,Katherine Johnson,2027-03-01,09:00,,\n\
        EMP-70005,katherine.johnson@contoso.example,Katherine Johnson,2027-03-01,09:00,Mars/Olympus,\n";
    world.drop_file("payroll-70099.csv", file);
    world.until("2027-03-01T05:59:00Z").await;
    world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".into()));
    let throttled = Effect::throttled(Some("30"));
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 2, when: When::Before, effect: throttled });
    world.until("2027-03-01T09:00:00Z").await;
    world
}

/// Everything that must not be there, each as one who looks for it would.
fn forbidden(world: &World) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let cast = ["ada.lovelace", "grace.hopper", "alan.turing", "katherine.johnson", "mia.manager", "omar.okafor"];
    for who in cast {
        words.extend(who.split('.').filter(|part| *part != "manager").map(str::to_owned));
        let upn = format!("{who}@contoso.example");
        let id = world.id_of(&upn);
        words.extend([who.to_owned(), upn, id.to_string(), id.simple().to_string()]);
        for pass in world.tenant.passes(id) {
            words.extend([pass.id, pass.code]);
        }
    }
    words.extend((70001..=70005).map(|n| format!("EMP-{n}")));
    words.extend(["7000", "contoso.example", "onboarding", "payroll", CLIENT_SECRET, MAIL_PASSWORD].map(str::to_owned));
    let (tenant_id, client_id) = world.tenant.edit(|directory| (directory.tenant_id, directory.client_id.clone()));
    words.extend([tenant_id.to_string(), client_id]);
    words
}

#[tokio::test]
async fn i24_nobody_is_named_in_the_metrics() {
    let world = eventful().await;
    assert_eq!(world.code_letters().len(), 2, "{}", world.story().await);
    assert!(!world.live_passes("ada.lovelace@contoso.example").is_empty());
    let metrics = Metrics::beginning(world.clock.now());
    for form in [Form::Text, Form::OpenMetrics] {
        let text = metrics.text(world.work(), form).await.to_lowercase();
        assert!(text.contains("reason=\"user-registered\"") && text.contains("reason=\"zone-unknown\""), "{text}");
        // Sums and counts are figures, not ids: looked for in names, labels and help only.
        let unsaid = |line| if str::starts_with(line, '#') { line } else { line.rsplit_once(' ').unwrap().0 };
        let said = text.lines().map(unsaid).collect::<Vec<_>>().join("\n");
        let words: BTreeSet<&str> = said.split(|c: char| !c.is_alphanumeric()).collect();
        for banned in forbidden(&world) {
            let banned = banned.to_lowercase();
            // "ada" is in "readable", too.
            let there = if banned.chars().all(char::is_alphabetic) {
                words.contains(banned.as_str())
            } else {
                said.contains(&banned)
            };
            assert!(!there, "{banned} stands in /metrics:\n{text}");
        }
        assert!(!said.contains('@'), "an address: {text}");
    }
    world.finish().await;
}

/// Labels come from a list: whoever adds one looks here first.
#[tokio::test]
async fn labels_and_their_values_are_bounded() {
    let world = eventful().await;
    let text = Metrics::beginning(world.clock.now()).text(world.work(), Form::Text).await;
    let mut labels = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        labels.extend(
            rest.split_once('}').unwrap().0.split(',').map(|label| label.split_once('=').unwrap().0.to_owned()),
        );
    }
    let known = [
        "answer",
        "by",
        "change",
        "feed",
        "le",
        "operation",
        "outcome",
        "reason",
        "source",
        "state",
        "status",
        "step",
        "tenant",
        "version",
        "way",
    ];
    assert!(labels.iter().all(|label| known.contains(&label.as_str())), "{labels:?}");
    assert!(text.lines().count() < 400, "one tenant and one feed: {} lines", text.lines().count());
    world.finish().await;
}

/// What the state remembers of a tenant that is no longer served has no name of its own.
#[tokio::test]
async fn i24_a_tenant_that_left_the_settings_is_no_label() {
    let mut world = World::new().await;
    world.drop_ada();
    world.tick().await;
    let firstpass::store::Store::Sqlite { write, .. } = &world.work().store else { unreachable!() };
    sqlx::query("UPDATE hire SET tenant = 'ada-lovelace-ltd'").execute(write).await.unwrap();
    let seen = super::scrape(&world).await;
    assert_eq!(seen.value("firstpass_hires", "tenant=former state=pending"), 1);
    assert!(!seen.text.contains("lovelace"), "{}", seen.text);
    sqlx::query("UPDATE hire SET tenant = 'contoso'").execute(write).await.unwrap();
    world.finish().await;
}
