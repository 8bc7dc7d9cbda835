//! Two faults in one morning (F116), and faults while another is being mended (F117, F119, F120).

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use firstpass::sandbox::mailbox::{self, MailFault, Verb};
use firstpass::sandbox::tenant::{Effect, Fault, Kind, When};
use firstpass::store::{Open, Store};
use firstpass::work::Work;
use firstpass::work::tick::{Feeds, tick};

use crate::crash::{ADA, monday_morning};
use crate::world::World;

/// A fault that is there from the morning on.
struct Trouble {
    number: &'static str,
    begin: fn(&World),
}

/// F17 is a statement that the state refuses; F25 is a worker that stands still for longer than a lease.
const TROUBLES: [Trouble; 7] = [
    Trouble { number: "F4", begin: |world| post(world, When::After, Effect::Hold) },
    Trouble {
        number: "F8",
        begin: |world| {
            let (verb, when) = (Verb::Dot, mailbox::When::After);
            world.mail.fault(MailFault { verb, nth: 1, when, effect: mailbox::Effect::Hold });
        },
    },
    Trouble { number: "F25", begin: |world| post(world, When::Before, Effect::Hold) },
    Trouble {
        number: "F56",
        begin: |world| {
            for nth in 1..=6 {
                let effect = mailbox::Effect::Reply(451, "4.3.0 later".to_owned());
                world.mail.fault(MailFault { verb: Verb::Dot, nth, when: mailbox::When::Before, effect });
            }
        },
    },
    Trouble { number: "F99", begin: |world| post(world, When::After, Effect::Reset) },
    Trouble {
        number: "F101",
        begin: |world| world.tenant.edit(|directory| directory.list_lag = Duration::from_mins(5)),
    },
    Trouble {
        number: "F104",
        begin: |world| {
            let broken = Effect::graph_error(500, "internalServerError", "oops");
            let until = world.clock.now() + TimeDelta::minutes(25);
            world.tenant.fault_until(until, Some(Kind::PassDelete), When::Before, broken);
        },
    },
];

fn post(world: &World, when: When, effect: Effect) {
    world.tenant.fault(Fault { kind: Kind::PassCreate, nth: 1, when, effect });
}

impl World {
    /// A tick in a runtime of its own, which dies as soon as an answer is held back. Whether it did.
    async fn tick_until_held(&mut self) -> bool {
        let (tenant, mail) = (self.tenant.clone(), self.mail.clone());
        self.crash_when(async move {
            tokio::select! {
                () = tenant.held() => {}
                () = mail.held() => {}
            }
        })
        .await
    }
}

/// F16, F17: the state takes no more of this kind, for one tick.
const FULL: [&str; 3] =
    ["INSERT ON pass", "UPDATE ON pass WHEN NEW.state = 'issued'", "UPDATE ON pass WHEN NEW.state = 'gone'"];

#[tokio::test]
async fn f116_every_pair_of_faults_in_one_morning() {
    for (n, first) in TROUBLES.iter().enumerate() {
        for second in &TROUBLES[n + 1..] {
            let mut world = monday_morning().await;
            (first.begin)(&world);
            (second.begin)(&world);
            while world.tick_until_held().await {}
            world.tenant.release();
            world.ends_well(ADA, 3, &format!("{} and {}", first.number, second.number)).await;
        }
    }
}

#[tokio::test]
async fn f116_every_fault_and_a_full_disk() {
    for trouble in &TROUBLES {
        for statement in FULL {
            let mut world = monday_morning().await;
            (trouble.begin)(&world);
            let sql =
                format!("CREATE TRIGGER disk_full BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'disk is full'); END");
            world.with_state(sql).await;
            full_tick(&mut world).await;
            world.with_state("DROP TRIGGER disk_full".to_owned()).await;
            world.tenant.release();
            world.ends_well(ADA, 3, &format!("{} while {statement} finds the disk full", trouble.number)).await;
        }
    }
}

/// A tick that may end with the state's refusal, or with the process behind an answer that is held back.
async fn full_tick(world: &mut World) {
    world.work = None;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (settings, limits, clock) = (Arc::clone(&world.settings), world.limits.clone(), world.clock.clone());
    let worker = runtime.spawn(async move {
        let store = Store::open(&settings.state.url, &Open::default()).await.unwrap();
        let work = Work::new(settings, limits, store, clock).unwrap();
        let _ = tick(&work, Feeds::Leave).await;
    });
    tokio::select! {
        () = world.tenant.held() => {}
        () = world.mail.held() => {}
        ended = worker => ended.unwrap(),
    }
    tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await.unwrap();
    world.restart().await;
}

#[tokio::test]
async fn f119_a_stop_while_the_delete_fails_leaves_it_to_the_next_process() {
    let mut world = monday_morning().await;
    let later = mailbox::Effect::Reply(451, "4.3.0 later".to_owned());
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 1, when: mailbox::When::Before, effect: later.clone() });
    world.mail.fault(MailFault { verb: Verb::Dot, nth: 2, when: mailbox::When::Before, effect: later });
    world.tenant.fault_each(Some(Kind::PassDelete), When::Before, Effect::graph_error(500, "x", "y"));
    world.tick().await;
    assert_eq!((world.live_passes(ADA).len(), world.work().n_in_hand().await), (1, 1), "{}", world.story().await);
    world.work().stop().await.unwrap();
    assert_eq!(world.live_passes(ADA).len(), 1, "it could not be deleted\n{}", world.story().await);
    assert!(world.letters().is_empty(), "{}", world.story().await);
    world.restart().await;
    world.until("2027-03-01T06:20:00Z").await;
    assert!(world.letters().is_empty(), "nothing new before the old one is gone\n{}", world.story().await);
    world.tenant.heal();
    world.ends_well(ADA, 1, "a stop while the DELETE fails").await;
}

#[tokio::test]
async fn f120_a_clock_that_jumps_while_a_morning_is_made_up_for() {
    let mut world = World::with("[mail] += per_minute = 1").await;
    world.drop_file(
        "hires.csv",
        "employee_id,user,start_date,zone\n\
         E1,ada.lovelace@contoso.example,2027-03-01,Europe/Berlin\n\
         E2,grace.hopper@contoso.example,2027-03-01,Europe/Berlin\n\
         E3,alan.turing@contoso.example,2027-03-01,Europe/Berlin\n",
    );
    world.tick().await;
    world.work = None;
    world.set("2027-03-01T09:00:00Z");
    world.restart().await;
    world.tick().await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    for wrong in ["2027-02-28T09:00:00Z", "1970-01-01T00:00:00Z"] {
        // Graph's clock goes on; only ours is wrong.
        let right = world.clock.now();
        world.set(wrong);
        world.tenant.edit(|directory| directory.skew = right - crate::world::at(wrong));
        for _ in 0..3 {
            let _ = tick(world.work(), Feeds::Leave).await;
        }
        assert_eq!(world.tenant.count(Kind::PassCreate), 1, "{wrong}\n{}", world.story().await);
        world.clock.set(right);
        world.tenant.edit(|directory| directory.skew = TimeDelta::zero());
    }
    world.until("2027-03-01T12:00:00Z").await;
    assert_eq!(world.code_letters().len(), 3, "{}", world.story().await);
    world.finish().await;
}
