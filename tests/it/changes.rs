//! Changes in the middle (F108, I15): a move, a withdrawal or a hold between any two steps of an
//! attempt. What was made for the old wish goes, and no letter tells of it that stands unanswered.

use std::sync::Arc;

use firstpass::feed::Eyes;
use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::{Effect, When};
use firstpass::store::Operate;
use firstpass::work::intake;
use firstpass::work::tick::{Feeds, tick};

use crate::world::{ADA as ADA_FILE, FRIDAY, World};

const ADA: &str = "ada.lovelace@contoso.example";

/// What happens in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Move,
    Withdraw,
    Hold,
}

const CHANGES: [Change; 3] = [Change::Move, Change::Withdraw, Change::Hold];

impl World {
    /// Another process changes what is wanted, while an attempt is under way.
    async fn interfere(&self, change: Change) {
        match change {
            Change::Hold => self.operate("E1", Operate::Hold).await,
            Change::Move => self.read_aside("moved.csv", &ADA_FILE.replace("2027-03-01", "2027-03-02")).await,
            Change::Withdraw => {
                let text =
                    ADA_FILE.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n");
                self.read_aside("withdrawn.csv", &text).await;
            }
        }
    }

    async fn read_aside(&self, name: &str, text: &str) {
        self.drop_file(name, text);
        let source = &self.settings.feeds[0];
        let rules = &self.settings.tenants[0].rules;
        let store = self.store().await;
        let files = intake::poll(source, rules, &store, &mut Eyes::default(), self.clock.now()).await.unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].changed + files[0].withdrawn, 1, "{files:?}");
    }

    /// Ticks while `held` waits for its moment; then the change happens, then `release`.
    async fn tick_with(&mut self, change: Change, held: impl Future<Output = ()>, release: impl FnOnce()) -> bool {
        let work = Arc::clone(self.work());
        let ticking = tokio::spawn(async move { tick(&work, Feeds::Leave).await.unwrap() });
        let reached = tokio::select! {
            () = held => true,
            () = async { while !ticking.is_finished() { tokio::time::sleep(std::time::Duration::from_millis(5)).await } } => false,
        };
        if reached {
            self.interfere(change).await;
            release();
        }
        ticking.await.unwrap();
        reached
    }

    async fn ends_as_wished(mut self, change: Change, what: &str) {
        self.until("2027-03-01T09:00:00Z").await;
        let story = self.story().await;
        let n_mailed = self.code_letters().len();
        match change {
            Change::Hold => {
                let live = self.live_passes(ADA).len();
                assert_eq!(
                    live,
                    n_mailed.min(1),
                    "{what}: a hold keeps what was delivered, and makes nothing\n{story}"
                );
            }
            Change::Move | Change::Withdraw => {
                assert!(self.live_passes(ADA).is_empty(), "{what}: nothing live for the old wish\n{story}");
                assert_eq!(self.letters().len(), 2 * n_mailed, "{what}: who got a code is told\n{story}");
            }
        }
        self.until("2027-03-02T12:00:00Z").await;
        let story = self.story().await;
        match change {
            Change::Move => {
                assert_eq!(self.code_letters().len(), n_mailed + 1, "{what}: the new morning has its letter\n{story}");
                assert_eq!(self.live_passes(ADA).len(), 1, "{what}\n{story}");
            }
            Change::Withdraw => assert_eq!(self.state("E1").await.0, "cancelled", "{what}\n{story}"),
            Change::Hold => assert_eq!(self.code_letters().len(), n_mailed, "{what}\n{story}"),
        }
        self.finish().await;
    }
}

async fn monday() -> World {
    let mut world = World::new().await;
    world.drop_ada();
    world.until("2027-03-01T05:59:00Z").await;
    world.set("2027-03-01T06:00:00Z");
    world
}

#[tokio::test]
async fn f108_at_every_request_to_the_tenant() {
    let mut whole = monday().await;
    let before = whole.tenant.requests();
    whole.tick().await;
    let n_requests = whole.tenant.requests() - before;
    for change in CHANGES {
        for nth in 1..=n_requests {
            let mut world = monday().await;
            world.tenant.fault_any(nth, When::After, Effect::Hold);
            let (held, tenant) = (world.tenant.clone(), world.tenant.clone());
            let reached = world.tick_with(change, async move { held.held().await }, move || tenant.release()).await;
            assert!(reached, "request {nth} was never made");
            let story = world.story().await;
            assert!(world.letters().is_empty(), "{change:?} at request {nth}: no letter of the old wish\n{story}");
            world.ends_as_wished(change, &format!("{change:?} at request {nth} of {n_requests}")).await;
        }
    }
}

#[tokio::test]
async fn f108_at_every_word_to_the_mail_server() {
    for change in CHANGES {
        for verb in [Verb::Connect, Verb::Auth, Verb::Rcpt, Verb::Data, Verb::Dot] {
            let mut world = monday().await;
            world.mail.fault(MailFault { verb, nth: 1, when: mailbox::When::After, effect: mailbox::Effect::Hold });
            let (held, mail) = (world.mail.clone(), world.mail.clone());
            world.tick_with(change, async move { held.held().await }, move || mail.release()).await;
            if matches!(verb, Verb::Connect | Verb::Auth | Verb::Rcpt) {
                let story = world.story().await;
                assert!(world.letters().is_empty(), "{change:?} at {verb:?}: no letter of the old wish\n{story}");
            }
            world.ends_as_wished(change, &format!("{change:?} at {verb:?}")).await;
        }
    }
}

/// Somebody acts on a hire between the judging of a file and its transaction: nothing of the file is
/// written, and it is judged anew.
#[tokio::test]
async fn f108_a_hire_that_changes_while_a_file_is_judged_is_judged_anew() {
    let delivered = "2027-03-02T12:00:00Z";
    let gone = ADA_FILE.replace("E1,ada.lovelace", "E2,grace.hopper");
    for (what, when, file) in [
        ("moved", FRIDAY, ADA_FILE.replace("2027-03-01", "2027-03-02")),
        ("amended", FRIDAY, ADA_FILE.replace("Ada Lovelace", "Ada King")),
        (
            "withdrawn",
            FRIDAY,
            ADA_FILE.replace(",manager\n", ",manager,status\n").replace("example\n", "example,withdrawn\n"),
        ),
        ("vanished", FRIDAY, gone),
        ("engaged", delivered, ADA_FILE.replace("2027-03-01", "2027-04-01")),
    ] {
        let mut world = World::with("[[feed]] += complete = true").await;
        world.drop_ada();
        world.until(when).await;
        let trigger =
            "CREATE TRIGGER meanwhile AFTER INSERT ON file BEGIN UPDATE hire SET revision = revision + 1; END";
        world.with_state(trigger.to_owned()).await;
        let before = world.hire("E1").await;
        world.drop_file("changed.csv", &file);
        let report = tick(world.work(), Feeds::Read).await.unwrap();
        assert!(report.files.is_empty() && report.feed_errors.len() == 1, "{what}: {report:?}");
        assert_eq!(world.hires().await.len(), 1, "{what}: nothing is written");
        assert_eq!(world.hire("E1").await, before, "{what}: nothing is written");
        world.with_state("DROP TRIGGER meanwhile".to_owned()).await;
        let report = tick(world.work(), Feeds::Read).await.unwrap();
        assert_eq!(report.files.len(), 1, "{what}: {report:?}");
        assert!(world.story().await.contains(&format!(" {what}: ")), "{what}\n{}", world.story().await);
        world.finish().await;
    }
}
