//! Which versions of the time-zone data are in force, for `check`, `--version` and whoever plans anew
//! when they change.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::rules::calendar::bundled_tz_version;

/// Where Unix systems keep them; jiff looks at the same places, at `TZDIR` first.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// The version stands in the first bytes of each of these files.
const ENOUGH: u64 = 64;

/// Versions as IANA names them, `2026f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TzVersions {
    /// Of the system: `None` without zone data, `Some("unknown")` where the system does not say.
    pub system: Option<String>,
    /// Of the copy inside this program.
    pub bundled: &'static str,
    /// Where the system's data lie.
    pub folder: Option<PathBuf>,
    /// When that folder was written last, epoch seconds: it changes with data that name no version.
    pub written: Option<i64>,
}

/// The system's version (the one in force when there is one) and the bundled one.
pub fn tz_versions() -> TzVersions {
    versions_in(std::env::var_os("TZDIR").as_deref())
}

fn versions_in(named: Option<&OsStr>) -> TzVersions {
    let places = named.into_iter().map(Path::new).chain(FOLDERS.iter().map(Path::new));
    let folder = places.into_iter().find(|folder| folder.is_dir()).map(Path::to_path_buf);
    let system = folder.as_deref().map(|folder| {
        ["tzdata.zi", "+VERSION"]
            .iter()
            .find_map(|name| version_in(&folder.join(name)))
            .unwrap_or_else(|| "unknown".to_owned())
    });
    let written = folder.as_deref().and_then(|folder| folder.metadata().ok()).map(|folder| folder.mtime());
    TzVersions { system, bundled: bundled_tz_version(), folder, written }
}

impl TzVersions {
    /// What is in force, in words that differ when the data do: `2026f`, `bundled 2026e`.
    pub fn in_force(&self) -> String {
        match (&self.system, self.written) {
            (Some(version), _) if version.starts_with("20") => version.clone(),
            (Some(_), Some(written)) => format!("without a version, written {written}"),
            (Some(version), None) => version.clone(),
            (None, _) => format!("bundled {}", self.bundled),
        }
    }
}

/// `# version 2026f` or `2026f` in the first line.
fn version_in(file: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(ENOUGH).read_to_string(&mut text).ok()?;
    let word = text.lines().next()?.rsplit(' ').next()?;
    word.starts_with("20").then(|| word.to_owned())
}
