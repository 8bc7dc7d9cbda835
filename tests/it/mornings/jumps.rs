//! A host that was suspended, and clocks that were set (contract 5; F20, F21, F23). Timers run on: only
//! the wall clock jumps, as it does for a host that wakes up or is corrected.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;

use super::{libfaketime, under_a_faked_clock};
use crate::world::{World, at, short_limits};

/// Polls often enough for a test.
pub(super) const POLL: &str = "[schedule]\npoll = \"* * * * * *\"\n";
/// Real seconds in which a service that sleeps at most 15 has done what it was woken for.
pub(super) const SOON: u64 = 60;

/// The wall clock of everything that reads `file`.
pub(super) struct Wall {
    file: PathBuf,
    ahead: TimeDelta,
}

impl Wall {
    /// Of this process, too.
    pub(super) fn ours() -> Self {
        let file: PathBuf = std::env::var_os("FAKETIME_TIMESTAMP_FILE").expect("a faked clock").into();
        let ahead: f64 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        assert!(ahead > 0.0, "these stories lie ahead");
        Self { file, ahead: TimeDelta::from_std(Duration::from_secs_f64(ahead)).unwrap() }
    }

    /// Ahead of the real time by so much.
    fn set(&mut self, ahead: TimeDelta) {
        self.ahead = ahead;
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("{:+.3}", ahead.as_seconds_f64())).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }

    /// Jumps, for a process whose own clock this is.
    pub(super) fn jump(&mut self, to: DateTime<Utc>) {
        self.set(self.ahead + (to - Clock::System.now()));
    }
}

#[test]
fn f20_f23_a_suspended_host_sends_late_and_once_and_a_clock_set_back_sends_nothing_again() {
    let ahead = at("2027-02-28T22:00:00Z") - Clock::System.now();
    let from = format!("{:+.3}", ahead.as_seconds_f64());
    under_a_faked_clock("jumps::suspended_then_set_back", &from, &[("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, under a faked clock"]
async fn suspended_then_set_back() {
    let mut wall = Wall::ours();
    let mut world = World::around(POLL, short_limits(), Clock::System);
    world.restart().await;
    let mut service = world.spawn();
    world.drop_ada();
    world.wait_for("the file", SOON, |world| world.log().contains("\"hires.csv\""));
    wall.jump(at("2027-03-01T05:30:00Z"));
    world.drop_file("more.csv", MORE);
    world.wait_for("the second file", SOON, |world| world.log().contains("\"more.csv\""));
    assert_eq!(world.letters().len(), 0, "half past six in Berlin");

    let woken = at("2027-03-01T07:30:00Z"); // asleep from half past five to half past seven, UTC
    wall.jump(woken);
    world.wait_for("the late letter", SOON, |world| world.code_letters().len() == 1);
    let pass = world.passes("ada.lovelace@contoso.example").remove(0);
    assert_eq!(pass.start, at("2027-03-01T08:00:00Z"), "the start still lies ahead");
    let letter = &world.code_letters()[0];
    assert!(letter.at >= woken && letter.at < woken + TimeDelta::minutes(2), "{}", letter.at);

    sign_of_life(&world, woken).await;
    wall.jump(at("2027-03-01T06:30:00Z"));
    world.wait_for("the clock to be noticed", SOON, |world| world.log().contains("the clock went back"));
    // Files are read again at once, although the schedule's next moment seems to lie an hour ahead: one
    // after the other, as calls from before the jump may still read the first ones.
    let (now, upn) = (Clock::System.now(), "grace.hopper@contoso.example");
    for name in ["again.csv", "and-again.csv", "and-again-and-again.csv"] {
        world.drop_file(name, MORE);
        world.wait_for(name, SOON, |world| world.log().contains(&format!("\"{name}\"")));
    }
    world.drop_file(
        "today.csv",
        &format!("employee_id,user,start_date,start_time,zone\nE2,{upn},2027-03-01,06:00,Etc/UTC\n"),
    );
    world.wait_for("the letter of somebody new", SOON, |world| world.code_letters().len() == 2);
    assert!(world.code_letters()[1].at - now < TimeDelta::minutes(2));
    assert_eq!(world.passes("ada.lovelace@contoso.example").len(), 1, "no second pass");

    wall.jump(at("2027-03-01T12:00:30Z"));
    world.wait_for("the third letter", SOON, |world| world.code_letters().len() == 3);
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    assert_eq!(world.letters().len(), 3, "no second letter for anybody\n{}", world.story().await);
    world.finish().await;
}

/// The service has begun a tick at `at` or later.
pub(super) async fn sign_of_life(world: &World, at: DateTime<Utc>) {
    let began = Instant::now();
    while world.work().store.last_heartbeat().await.unwrap().is_none_or(|beat| beat < at) {
        assert!(began.elapsed() < Duration::from_secs(SOON), "no tick since {at}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Alan starts six hours after Ada.
const MORE: &str = "employee_id,user,start_date,start_time,zone\n\
    E3,alan.turing@contoso.example,2027-03-01,09:00,America/New_York\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_a_host_whose_clock_alone_is_wrong_reads_and_issues_nothing_until_it_is_right() {
    let Some(library) = libfaketime() else {
        eprintln!("skipped: libfaketime is not installed (Debian: libfaketime), so no clock can be set");
        return;
    };
    let mut world = World::around(POLL, short_limits(), Clock::System);
    world.restart().await;
    let mut wall = Wall { file: world.dir.path().join("clock"), ahead: TimeDelta::zero() };
    wall.set(TimeDelta::hours(26));
    let service = world.spawn_with(&[
        ("LD_PRELOAD", library.as_os_str()),
        ("FAKETIME_TIMESTAMP_FILE", wall.file.as_os_str()),
        ("FAKETIME_NO_CACHE", "1".as_ref()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ("NO_FAKE_STAT", "1".as_ref()),
    ]);
    world.drop_today(1);
    world.wait_for("the wrong clock to be told", SOON, |world| world.log().contains("min off Microsoft's"));
    assert!(world.dir.path().join("drop/today.csv").exists(), "by this clock the start was yesterday");
    assert!(world.hires().await.is_empty());
    let ahead = Clock::System.now() + TimeDelta::hours(25);
    let ticked = async {
        while world.work().store.last_heartbeat().await.unwrap().is_none_or(|at| at < ahead) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), ticked).await.expect("a tick by the clock that is ahead");

    wall.set(TimeDelta::zero());
    world.wait_for("the letter", SOON, |world| world.code_letters().len() == 1);
    wall.set(TimeDelta::hours(-1));
    world.wait_for("the clock to be noticed again", SOON, |world| {
        world.log().matches("the clock went back").count() == 2
    });
    wall.set(TimeDelta::hours(3));
    world.wait_for("the wrong clock to be told to the hire", SOON, |world| world.log().contains(" s off Microsoft's"));
    wall.set(TimeDelta::zero());
    drop(service);
    assert_eq!((world.letters().len(), world.passes("hire0@contoso.example").len()), (1, 1));
    world.finish().await;
}
