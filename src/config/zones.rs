//! Which versions of the time-zone data are in force, for `check` and `--version`.

use std::io::Read;
use std::path::Path;

use crate::rules::calendar::bundled_tz_version;

/// Where Unix systems keep them; jiff looks at the same places.
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
}

/// The system's version (the one in force when there is one) and the bundled one.
pub fn tz_versions() -> TzVersions {
    let system = FOLDERS.iter().map(Path::new).find(|folder| folder.is_dir()).map(|folder| {
        ["tzdata.zi", "+VERSION"]
            .iter()
            .find_map(|name| version_in(&folder.join(name)))
            .unwrap_or_else(|| "unknown".to_owned())
    });
    TzVersions { system, bundled: bundled_tz_version() }
}

/// `# version 2026f` or `2026f` in the first line.
fn version_in(file: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(ENOUGH).read_to_string(&mut text).ok()?;
    let word = text.lines().next()?.rsplit(' ').next()?;
    word.starts_with("20").then(|| word.to_owned())
}
