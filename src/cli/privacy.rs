//! What this process keeps from others on the machine (T20): files it makes are its own, and what is
//! in its memory stays there. No code ever lies on disk; a core dump would be such a place.

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Files 0600, no core dumps, memory closed to other processes of the same user. A system that does
/// not offer one of them goes without it.
pub(super) fn keep_to_ourselves() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
