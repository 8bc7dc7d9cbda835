//! What the running program keeps from others on the machine (T20, F76, F77): the plain binary, started
//! with open hands, seen through `/proc`.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstpass::clock::Clock;

use crate::service::SOON;
use crate::world::{World, short_limits};

/// `nobody`, where the tests are run by root: root may read everything, so it shows nothing.
const NOBODY: u32 = 65534;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// `run` under a shell that lets core dumps and everybody's files be, by somebody who is not root.
    fn start(world: &World) -> Self {
        let dir = world.dir.path();
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\""]);
        if is_root(dir) {
            give_to_nobody(dir);
            command.uid(NOBODY).gid(NOBODY).arg(in_reach_of_nobody(dir));
        } else {
            command.arg(env!("CARGO_BIN_EXE_firstpass"));
        }
        let log = std::fs::File::create(dir.join("log")).unwrap();
        command.arg("--config").arg(dir.join("firstpass.toml")).arg("run").current_dir(dir);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }
}

fn is_root(dir: &Path) -> bool {
    std::fs::metadata(dir).unwrap().uid() == 0
}

fn give_to_nobody(dir: &Path) {
    std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give_to_nobody(&path);
        } else {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// The build may lie where nobody else may go.
fn in_reach_of_nobody(dir: &Path) -> std::path::PathBuf {
    let copy = dir.join("firstpass-of-the-test");
    std::fs::copy(env!("CARGO_BIN_EXE_firstpass"), &copy).unwrap();
    std::os::unix::fs::chown(&copy, Some(NOBODY), Some(NOBODY)).unwrap();
    copy
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o777
}

#[tokio::test]
async fn t20_f76_f77_files_memory_and_dumps_are_its_own() {
    if !Path::new("/proc/self/limits").exists() {
        eprintln!("skipped: no /proc here (Linux)");
        return;
    }
    let world = World::around(SOON, short_limits(), Clock::System);
    let running = Running::start(&world);
    world.wait_for("ready", 30, |world| world.log().contains("ready"));
    world.drop_today(1);
    world.wait_for("the letter", 60, |world| world.code_letters().len() == 1);

    let limits = std::fs::read_to_string(running.proc("limits")).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max core")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "T20, F76: no core dump\n{limits}");
    let owner = std::fs::metadata(running.proc("status")).unwrap().uid();
    let memory = std::fs::metadata(running.proc("mem")).unwrap().uid();
    assert_eq!((memory, owner), (0, 0), "T20, F77: a process that is not dumpable belongs to root in /proc");
    let status = std::fs::read_to_string(running.proc("status")).unwrap();
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert!(!of("Uid:").starts_with("0\t"), "somebody who is not root\n{status}");
    assert_eq!(of("Umask:"), "0077", "T20: what it makes is its own");

    let dir = world.dir.path();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    let done = std::fs::read_dir(dir.join("drop/done")).unwrap().map(|entry| entry.unwrap().path());
    let reports: Vec<_> = done.filter(|path| path.to_string_lossy().ends_with(".report.json")).collect();
    assert!(!reports.is_empty(), "the report lies beside its file");
    for report in reports {
        assert_eq!(mode(&report), 0o600, "{}", report.display());
    }
    let mut files = vec![dir.to_owned()];
    while let Some(path) = files.pop() {
        let ours = !["log", "firstpass-of-the-test", "ca.pem", "firstpass.toml", "drop"]
            .iter()
            .any(|name| path == dir.join(name) || path == dir);
        let dropped = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("today"));
        let report = path.to_string_lossy().ends_with(".report.json");
        assert!(
            !ours || (dropped && !report) || mode(&path).trailing_zeros() >= 6,
            "{} is open to others",
            path.display()
        );
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
