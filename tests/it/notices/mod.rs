//! What admins are told: stories with the clock in hand, mail by the model server, and webhooks on
//! loopback whose signatures somebody else judges.

mod at_once;
mod commands;
mod daily;
mod receiver;
mod slow;
mod troubles;
mod webhooks;

use chrono::TimeDelta;
use firstpass::sandbox::mailbox::ReceivedLetter;
use firstpass::work::tell::{Patience, Teller, Told};
use sqlx::Row;

use crate::world::{World, at};
use receiver::Receiver;

/// The admins' mailbox.
pub(crate) const TEAM: &str = "identity-team@contoso.example";
/// 32 bytes.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// A letter to admins, by its Message-ID.
pub(crate) fn is_notice(letter: &ReceivedLetter) -> bool {
    letter.header("Message-ID").is_some_and(|id| id.starts_with("<notice."))
}

/// Subject and bodies.
pub(crate) fn bodies(letter: &ReceivedLetter) -> String {
    let part = |kind| letter.part(kind).unwrap_or_default();
    format!("{}\n{}\n{}", letter.header("Subject").unwrap_or_default(), part("text/plain"), part("text/html"))
}

/// A world whose admins are told.
struct Desk {
    world: World,
    teller: Teller,
    hook: Receiver,
}

impl Desk {
    /// Mail to the team, and one signed webhook.
    async fn new(extra: &str) -> Self {
        let hook = Receiver::start().await;
        let notify = format!(
            "[notify]\nto = [\"{TEAM}\"]\n[[notify.webhook]]\nname = \"alarms\"\nurl = \"{}\"\nsecret_file = \"./secret-hook\"\n{extra}",
            hook.url()
        );
        let world = World::with(&notify).await;
        write_secret(&world, "secret-hook", SECRET);
        let teller = Teller::of(&world.settings).expect("somebody is told");
        let desk = Self { world, teller, hook };
        desk.round().await;
        desk
    }

    async fn round(&self) -> Told {
        self.teller.round(self.world.work(), Patience::Gather).await.unwrap()
    }

    /// Ticks and rounds, a minute apart at least.
    async fn until(&mut self, end: &str) {
        let end = at(end);
        while self.world.clock.now() < end {
            let now = self.world.clock.now();
            let step = if end - now > TimeDelta::hours(5) { TimeDelta::hours(1) } else { TimeDelta::minutes(5) };
            let next = (now + step).min(end);
            self.world.until(&next.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).await;
            self.round().await;
        }
    }

    /// Rounds alone, until what was gathered now is told.
    async fn told(&mut self) {
        self.round().await;
        self.world.pass_time(TimeDelta::minutes(1));
        self.round().await;
    }

    fn mails(&self) -> Vec<ReceivedLetter> {
        self.world.letters().into_iter().filter(is_notice).collect()
    }

    /// Subjects of the mails since `from`.
    fn subjects(&self, from: usize) -> Vec<String> {
        self.mails()[from..].iter().map(|mail| mail.header("Subject").unwrap()).collect()
    }

    /// Causes that the webhook heard of.
    fn heard(&self) -> Vec<String> {
        self.hook.bodies().iter().map(|body| body["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The invariants, and: no code anywhere, no name or address of a person at a webhook, every
    /// signature right in somebody else's eyes.
    async fn finish(self) {
        let story = self.world.story().await;
        let people: Vec<String> = self.world.tenant.edit(|directory| {
            directory.users.values().flat_map(|user| [user.upn.clone(), user.display_name.clone()]).collect()
        });
        for seen in self.hook.seen() {
            self.world.holds_no_code(&seen.body, &story);
            for person in &people {
                assert!(!seen.body.contains(person), "T32: a webhook learns of {person}: {}", seen.body);
            }
        }
        receiver::judged(SECRET, &self.hook.seen());
        for mail in self.mails() {
            assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
            let addresses = people.iter().filter(|person| person.contains('@'));
            for address in addresses {
                assert!(!bodies(&mail).contains(address.as_str()), "T32: an address in clear: {}", bodies(&mail));
            }
        }
        self.world.finish().await;
    }
}

fn write_secret(world: &World, name: &str, secret: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.dir.path().join(name);
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn count(world: &World, sql: &'static str) -> i64 {
    world.raw(sql).await[0].get(0)
}

#[tokio::test]
async fn nobody_to_tell_costs_nothing_and_a_first_start_tells_no_history() {
    let mut world = World::new().await;
    assert!(Teller::of(&world.settings).is_none(), "nobody is told");
    world.change("ada.lovelace@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    world.drop_ada();
    world.until("2027-03-01T06:30:00Z").await;
    assert_eq!(world.state("E1").await.0, "attention");
    for table in ["SELECT count(*) FROM notice_cursor", "SELECT count(*) FROM notice_item"] {
        assert_eq!(count(&world, table).await, 0);
    }
    // From now on somebody is: what happened before is no news, though the digest will say that it stands.
    let hook = Receiver::start().await;
    let mut settings = (*world.settings).clone();
    let told = Desk::new("").await;
    settings.notify = told.world.settings.notify.clone();
    settings.tenants[0].notify = settings.notify.clone();
    world.settings = std::sync::Arc::new(settings);
    world.restart().await;
    let teller = Teller::of(&world.settings).unwrap();
    let mut desk = Desk { world, teller, hook };
    desk.until("2027-03-01T08:30:00Z").await;
    let subjects = desk.subjects(0);
    assert_eq!(subjects, ["firstpass: 1 start passed without a letter"], "this alone is new");
    desk.world.finish().await;
}
