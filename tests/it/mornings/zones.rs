//! Zone data newer than the program: a law that came after the release (contract 5; F106, F107).
//!
//! A folder of zone data that nobody ever published lies where `TZDIR` points; it is compiled by
//! `zic`, and changed while the service runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;

use super::jumps::{POLL, SOON, Wall, sign_of_life};
use super::under_a_faked_clock;
use crate::world::{World, at, short_limits};

/// Rules as they are.
const BEFORE: &str = "Zone Europe/Berlin 1:00 - CET\nZone Europe/London 0:00 - GMT\n";
/// Berlin goes to Moscow's time, London to the middle of the Atlantic, on Sunday, 28 February 2027.
const AFTER: &str = "Zone Europe/Berlin 1:00 - CET 2027 Feb 28\n 3:00 - MSK\n\
    Zone Europe/London 0:00 - GMT 2027 Feb 28\n -2:00 - -02\n";

const HIRES: &str = "employee_id,user,start_date,start_time,zone\n\
    E1,ada.lovelace@contoso.example,2027-03-01,09:00,Europe/Berlin\n\
    E2,grace.hopper@contoso.example,2027-03-01,09:00,Europe/London\n\
    E3,alan.turing@contoso.example,2027-03-01,09:00,Asia/Kolkata\n";

fn has_zic() -> bool {
    Command::new("zic").arg("--version").output().is_ok_and(|out| out.status.success())
}

/// Zone data of a version, as a package would write them.
fn publish(folder: &Path, version: &str, rules: &str) {
    std::fs::create_dir_all(folder).unwrap();
    say_version(folder, version);
    compile(folder, rules);
}

fn say_version(folder: &Path, version: &str) {
    std::fs::write(folder.join("tzdata.zi"), format!("# version {version}\n")).unwrap();
}

fn compile(folder: &Path, rules: &str) {
    let source = folder.join("rules");
    std::fs::write(&source, rules).unwrap();
    let out = Command::new("zic").arg("-d").arg(folder).arg(&source).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn said(zones: &Path, world: &World, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_firstpass"))
        .args(args)
        .env("TZDIR", zones)
        .env("FIRSTPASS_CONFIG", world.dir.path().join("firstpass.toml"))
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test]
async fn both_versions_of_the_zone_data_are_shown() {
    if !has_zic() {
        eprintln!("skipped: there is no zic to make zone data with (Debian: libc-bin)");
        return;
    }
    let world = World::new().await;
    let zones = world.dir.path().join("zones");
    publish(&zones, "2099a", BEFORE);
    let bundled = firstpass::config::tz_versions().bundled;
    assert!(said(&zones, &world, &["--version"]).contains(&format!("system 2099a, bundled {bundled}")));
    let check = said(&zones, &world, &["check", "--offline"]);
    assert!(check.contains(&format!("2099a in {} are used (bundled: {bundled})", zones.display())), "{check}");
    publish(&zones, "2001a", BEFORE);
    let check = said(&zones, &world, &["check", "--offline"]);
    assert!(check.contains("2001a") && check.contains("older than the bundled"), "{check}");
    let none = PathBuf::from("/nowhere");
    let version = said(&none, &world, &["--version"]);
    assert!(!version.contains("2099a") && version.contains(bundled), "a TZDIR that is no folder counts for nothing");
    world.finish().await;
}

#[test]
fn f107_a_new_law_moves_the_letters_of_a_running_service() {
    if !has_zic() {
        eprintln!("skipped: there is no zic to make zone data with (Debian: libc-bin)");
        return;
    }
    let ahead = at("2027-02-28T20:00:00Z") - Clock::System.now();
    let from = format!("{:+.3}", ahead.as_seconds_f64());
    under_a_faked_clock("zones::a_law_in_the_last_night", &from, &[("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, under a faked clock"]
async fn a_law_in_the_last_night() {
    let mut wall = Wall::ours();
    let mut world = World::around(POLL, short_limits(), Clock::System);
    world.restart().await;
    let zones = world.dir.path().join("zones");
    publish(&zones, "2099a", BEFORE);
    let mut service = world.spawn_with(&[("TZDIR", zones.as_os_str())]);
    world.drop_file("hires.csv", HIRES);
    world.wait_for("the file", SOON, |world| world.log().contains("\"hires.csv\""));
    for (key, send) in [("E1", "2027-03-01T06:00:00Z"), ("E2", "2027-03-01T07:00:00Z"), ("E3", KOLKATA)] {
        assert_eq!(world.hire(key).await.send_utc.as_deref(), Some(send));
    }
    wall.jump(at("2027-03-01T01:45:00Z"));
    world.wait_for("Kolkata, which these data do not know", SOON, |world| world.code_letters().len() == 1);

    say_version(&zones, "2099b");
    wall.jump(at("2027-03-01T03:50:00Z"));
    world.wait_for("the new version", SOON, |world| world.log().contains("0 hires moved, from zone data 2099a"));
    compile(&zones, AFTER); // the zones come a moment later than the version
    wall.jump(at("2027-03-01T03:59:50Z"));
    world.wait_for("the new law", SOON, |world| world.log().contains("2 hires moved, from zone data 2099a"));
    for (key, send) in [("E1", "2027-03-01T04:00:00Z"), ("E2", "2027-03-01T09:00:00Z")] {
        assert_eq!(world.hire(key).await.send_utc.as_deref(), Some(send), "{key} by the new law");
    }
    letter(&world, "E1", "ada.lovelace", "2027-03-01T04:00:00Z", "2027-03-01T06:00:00Z");

    let late = at("2027-03-01T08:30:00Z");
    wall.jump(late);
    sign_of_life(&world, late).await;
    assert_eq!(world.code_letters().len(), 2, "seven in London came, by the old law only");
    wall.jump(at("2027-03-01T08:59:55Z"));
    letter(&world, "E2", "grace.hopper", "2027-03-01T09:00:00Z", "2027-03-01T11:00:00Z");

    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    assert_eq!(world.letters().len(), 3, "{}", world.story().await);
    let replanned = world.raw("SELECT 1 FROM event WHERE what = 'replanned' AND why LIKE '%zone data 2099b%'").await;
    assert_eq!(replanned.len(), 2, "each hire that moved has an event");
    world.finish().await;
}

/// 07:00 in Kolkata, by the bundled data.
const KOLKATA: &str = "2027-03-01T01:30:00Z";

/// The newest letter is about this hire, came in time, and the pass is valid from the start.
fn letter(world: &World, key: &str, name: &str, send: &str, start: &str) {
    let upn = format!("{name}@contoso.example");
    world.wait_for(&format!("the letter about {key}"), SOON, |world| world.passes(&upn).len() == 1);
    let pass = world.passes(&upn).remove(0);
    let found =
        |world: &World| world.code_letters().into_iter().find(|letter| letter.code() == Some(pass.code.clone()));
    world.wait_for(&format!("the letter about {key}"), SOON, |world| found(world).is_some());
    let at_once: DateTime<Utc> = found(world).unwrap().at;
    assert!(at(send) <= at_once && at_once < at(send) + TimeDelta::minutes(1), "{key}: {at_once}");
    assert_eq!(pass.start, at(start), "{key}");
}
