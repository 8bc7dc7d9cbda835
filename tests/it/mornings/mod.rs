//! Real mornings: the real binary with its real scheduler under a faked clock (libfaketime), through
//! nights in which the clocks change, a host that was suspended, a clock that was set back, and zone
//! data that are newer than the program.
//!
//! The models must share the faked time with the binary: each story runs in a process of its own,
//! this test binary again with libfaketime preloaded, and the service is its child.

use std::path::PathBuf;
use std::process::Command;

mod jumps;
mod nights;
mod pace;
mod zones;

/// Where Debian and others put the library for programs with threads.
pub(crate) fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let near = ["/usr/lib", "/usr/local/lib", "/usr/lib64"].map(PathBuf::from);
    let mut places = folders.filter(|path| path.is_dir()).chain(near);
    places.find_map(|place| Some(place.join("faketime/libfaketimeMT.so.1")).filter(|library| library.exists()))
}

/// Runs the ignored test `story` in a process whose clock starts at `from` (UTC), with these
/// variables besides.
fn under_a_faked_clock(story: &str, from: &str, more: &[(&str, &str)]) {
    let Some(library) = libfaketime() else {
        eprintln!("skipped: libfaketime is not installed (Debian: libfaketime), so mornings cannot be played");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clock");
    std::fs::write(&file, from).unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("mornings::{story}"), "--ignored", "--nocapture"])
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("NO_FAKE_STAT", "1")
        .envs([("TZ", "UTC"), ("LC_ALL", "C"), ("FIRSTPASS_LOG", "info,sqlx=error")])
        .envs(more.iter().copied())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}
