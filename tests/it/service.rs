//! The real binary with the real scheduler, at real time: ready, a file dropped, a letter, SIGTERM;
//! and SIGKILL at any moment (F1–F10, I17).
//!
//! Times of the machine are used, so the hires start in half an hour in a zone where it is about
//! noon now. Waits have bounds, and end when what is waited for has come.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Timelike};
use firstpass::clock::Clock;

use crate::world::{World, short_limits};

pub(crate) const SOON: &str = "[schedule]\nsend_at = \"00:00\"\npoll = \"* * * * * *\"\n";

fn real_world() -> World {
    World::around(SOON, short_limits(), Clock::System)
}

impl World {
    /// The service in a process of its own; its log goes to a file.
    pub(crate) fn spawn(&self) -> Service {
        self.spawn_with(&[])
    }

    /// With these variables besides.
    pub(crate) fn spawn_with(&self, more: &[(&str, &std::ffi::OsStr)]) -> Service {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_firstpass"))
            .arg("--config")
            .arg(self.dir.path().join("firstpass.toml"))
            .arg("run")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Service(child.unwrap())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Hires who start in half an hour, where it is about noon.
    pub(crate) fn drop_today(&self, n_hires: usize) {
        let now = self.clock.now();
        let east = 12 - i64::from(now.hour());
        let zone = if east >= 0 { format!("Etc/GMT-{east}") } else { format!("Etc/GMT+{}", -east) };
        let local = (now + TimeDelta::hours(east) + TimeDelta::minutes(30)).naive_utc();
        let mut file = "employee_id,user,start_date,start_time,zone\n".to_owned();
        for n in 0..n_hires {
            let upn = format!("hire{n}@contoso.example");
            self.person(&upn, &format!("Hire {n}"), &format!("H{n}"), Some("mia.manager@contoso.example"));
            let _ = writeln!(file, "H{n},{upn},{},{},{zone}", local.date(), local.time().format("%H:%M"));
        }
        self.drop_file("today.csv", &file);
    }

    pub(crate) fn wait_for(&self, what: &str, seconds: u64, done: impl Fn(&World) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < Duration::from_secs(seconds), "waited {seconds} s for {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends with the test, also with one that fails.
pub(crate) struct Service(Child);

impl Service {
    pub(crate) fn terminate(&self) {
        signal(self, "TERM");
    }

    pub(crate) fn hang_up(&self) {
        signal(self, "HUP");
    }

    pub(crate) fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.0.wait()
    }
}

impl Service {
    /// The most memory that was resident so far (Linux).
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(service: &Service, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(service.0.id().to_string()).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_file_becomes_a_letter_and_sigterm_ends_with_zero() {
    let mut world = real_world();
    let mut service = world.spawn();
    world.wait_for("ready", 20, |world| world.log().contains("ready"));
    world.drop_today(1);
    world.wait_for("the letter", 60, |world| world.code_letters().len() == 1);
    let second = Command::new(env!("CARGO_BIN_EXE_firstpass"))
        .arg("--config")
        .arg(world.dir.path().join("firstpass.toml"))
        .arg("run")
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1), "one service at a time: {}", String::from_utf8_lossy(&second.stderr));
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    let log = world.log();
    let code = world.code_letters()[0].code().unwrap();
    assert!(!log.contains(&code), "I3: the code is in the log");
    assert!(!log.contains("mia.manager@"), "addresses are masked in the log\n{log}");
    world.restart().await;
    assert_eq!(world.state("H0").await.0, "delivered");
    world.finish().await;
}

#[tokio::test]
async fn f1_to_f10_killed_at_any_moment() {
    const HIRES: usize = 12;
    // Fewer than the five claims without an outcome after which a hire pauses for an hour.
    const KILLS: u64 = 4;
    // The models' time: that of this machine, and at the end half an hour more.
    let mut world = World::around(SOON, short_limits(), Clock::hand(Clock::System.now()));
    let now = world.clock.now();
    let seed = u64::from(now.second() * 1000 + now.timestamp_subsec_millis());
    eprintln!("seed {seed}");
    world.drop_today(HIRES);
    for round in 0..KILLS {
        let mut service = world.spawn();
        let pause = 60
            + (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round * 1_442_695_040_888_963_407) >> 33)
                % 900;
        std::thread::sleep(Duration::from_millis(pause));
        signal(&service, "KILL");
        service.wait().unwrap();
        world.clock.set(Clock::System.now());
    }
    let n_ready = world.log().matches("\"ready\"").count();
    let mut service = world.spawn();
    world.wait_for("ready", 20, |world| world.log().matches("\"ready\"").count() > n_ready);
    let began = Instant::now();
    while !(0..HIRES).all(|n| live_and_told(&world, n)) && !(settled_but_for_lost_posts(&world, HIRES).await) {
        assert!(began.elapsed() < Duration::from_mins(2), "seed {seed}\n{}\n{}", world.story().await, world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.clock.set(Clock::System.now());
    }
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());

    // A POST that died with its process counts as not made after ten minutes, and is made again.
    world.restart().await;
    world.clock.set(Clock::System.now());
    let end = world.clock.now() + TimeDelta::minutes(12);
    world.until(&end.to_rfc3339()).await;
    for n in 0..HIRES {
        assert!(live_and_told(&world, n), "seed {seed}, hire {n}\n{}", world.story().await);
        assert_eq!(world.state(&format!("H{n}")).await.0, "delivered", "seed {seed}\n{}", world.story().await);
    }
    world.finish().await;
}

fn live_and_told(world: &World, n: usize) -> bool {
    let live = world.live_passes(&format!("hire{n}@contoso.example"));
    live.len() == 1 && world.code_letters().iter().any(|letter| letter.code().as_deref() == Some(live[0].code.as_str()))
}

/// Whoever was not told waits for the second look at a POST of an unknown outcome.
async fn settled_but_for_lost_posts(world: &World, n_hires: usize) -> bool {
    let looked = "SELECT 1 FROM hire h JOIN pass p ON p.hire_id = h.id
         WHERE h.claim_token IS NULL AND p.state = 'intended' AND p.looks > 0";
    let n_told = (0..n_hires).filter(|n| live_and_told(world, *n)).count();
    world.raw(looked).await.len() + n_told == n_hires
}
