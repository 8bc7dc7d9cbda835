//! `import FILE --feed NAME`: takes one file in now and leaves it where it is.
//!
//! Under the same rules and the same brake as a dropped file. A dry run says what would change and
//! which rows would be rejected, and writes nothing.

use std::path::{Path, PathBuf};

use super::end::{End, Trouble, chain};
use super::out::{Fit, Out, grid};
use super::rhythm::answer;
use super::{open, progress};
use crate::config::{Feed, Settings, TenantRules};
use crate::feed::FileReport;
use crate::rules::intake::ChangeLine;
use crate::store::Store;
use crate::work::intake::{self, IntakeError};

/// What is taken in.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file.
    file: PathBuf,
    /// Under whose rules: the name of a feed in the settings.
    #[arg(long, value_name = "NAME")]
    feed: String,
    /// Print the changes and the rejected rows, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Changes, and rejects, that a terminal shows; a pipe gets more, and `--json` has the first 200,000.
const SHOWN: usize = 50;
const PIPED: usize = 1000;

/// Takes it in.
pub async fn import(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    let (feed, rules) = feed_named(&settings, &args.feed)?;
    if let Err(error) = std::fs::metadata(&args.file) {
        let file = args.file.display();
        return Err(Trouble::Failed(format!("{file}: {error}; name a file that this user may read")));
    }
    let missing = open::state_file(&settings).is_some_and(|file| !file.exists());
    let scratch = if args.dry_run && missing { Some(Scratch::make()?) } else { None };
    let store = match &scratch {
        Some(scratch) => scratch.state().await?,
        None if args.dry_run => Store::open_to_read(&settings.state.url).await?,
        None => open::state(&settings).await?,
    };
    let work = intake::import(&args.file, feed, rules, &store, open::now(), args.dry_run);
    let done = progress::watched("reading", out, work).await;
    store.close().await;
    let report = done?;
    if out.is_json() {
        out.document(&report)?;
    } else {
        out.paragraphs(lines(&report, args.dry_run, out))?;
    }
    Ok(if report.needs_a_person() { End::NeedsAPerson } else { End::Done })
}

/// The feed of that name with the rules of its tenant.
pub(super) fn feed_named<'a>(settings: &'a Settings, name: &str) -> Result<(&'a Feed, &'a TenantRules), Trouble> {
    let found = settings.feeds.iter().find(|feed| feed.name == name);
    found.and_then(|feed| Some((feed, &settings.tenant(&feed.tenant)?.rules))).ok_or_else(|| {
        let names: Vec<_> = settings.feeds.iter().map(|feed| feed.name.as_str()).collect();
        Trouble::Usage(format!("--feed {name}: the settings name {}", names.join(", ")))
    })
}

/// What became, or would become, of a file: a summary, a table of the changes, the rejects, what to do.
pub(super) fn lines(report: &FileReport, dry_run: bool, out: Out) -> Vec<String> {
    let most = if out.is_terminal() { SHOWN } else { PIPED };
    let mut lines = vec![summary(report, dry_run)];
    lines.extend(changes(report, most, out.width()));
    if !report.rejects.is_empty() {
        lines.push(String::new());
        lines.push("Rejected rows".to_owned());
        lines.extend(report.rejects.iter().take(most).map(|reject| format!("  {reject}")));
        let in_all = u64::try_from(report.rejects.len()).unwrap_or(u64::MAX);
        lines.extend(left_out(in_all, most, "rejected rows", 0));
    }
    let next = next(report, dry_run);
    if !next.is_empty() {
        lines.push(String::new());
        lines.extend(next);
    }
    lines
}

fn summary(report: &FileReport, dry_run: bool) -> String {
    if dry_run { format!("dry run: {report}") } else { report.to_string() }
}

const CHANGE_HEADS: [(&str, Fit); 5] = [
    ("LINE", Fit::Whole),
    ("HIRE", Fit::Cut(8)),
    ("NAME", Fit::Cut(12)),
    ("CHANGE", Fit::Whole),
    ("STARTS", Fit::Cut(16)),
];

/// One line each, and what changes from what to what below it.
fn changes(report: &FileReport, most: usize, width: Option<usize>) -> Vec<String> {
    let shown = report.changes.get(..most).unwrap_or(&report.changes);
    if shown.is_empty() {
        return Vec::new();
    }
    let rows: Vec<_> = shown.iter().map(change_cells).collect();
    let indented = grid(&CHANGE_HEADS, &rows, width.map(|width| width.saturating_sub(2)));
    let mut table = indented.into_iter().map(|line| format!("  {line}"));
    let mut lines = vec![String::new(), "Changes".to_owned()];
    lines.extend(table.next());
    for (line, change) in table.zip(shown) {
        lines.push(line);
        lines.extend(change.fields.iter().map(|field| {
            let or_nothing = |text: &str| if text.is_empty() { "(nothing)".to_owned() } else { text.to_owned() };
            format!("        {}: {} -> {}", field.field, or_nothing(&field.from), or_nothing(&field.to))
        }));
    }
    let in_all = report.added + report.changed + report.withdrawn;
    lines.extend(left_out(in_all, most, "changes", report.truncated));
    lines
}

fn change_cells(change: &ChangeLine) -> [String; 5] {
    // Whom the file no longer names stands on no line of it.
    let line = if change.line == 0 { "-".to_owned() } else { change.line.to_string() };
    let word = if change.what == "added" { "new" } else { &change.what };
    [line, change.employee_id.clone(), change.display_name.clone(), word.to_owned(), change.start.clone()]
}

/// How much of it the table leaves out, and how much `--json` leaves out as well.
fn left_out(in_all: u64, most: usize, what: &str, truncated: u64) -> Option<String> {
    let more = in_all.checked_sub(u64::try_from(most).unwrap_or(u64::MAX)).filter(|more| *more > 0)?;
    let json = match truncated {
        0 => "--json has all".to_owned(),
        _ => format!("--json has the first {}; divide the file to see the others", in_all.saturating_sub(truncated)),
    };
    Some(format!("  and {more} more {what}; {json}"))
}

/// What a person does next.
fn next(report: &FileReport, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if report.vanished > 0 {
        let n = report.vanished;
        let said = match (report.state.as_str(), dry_run) {
            ("taken", false) => {
                "no longer named by the file, and in attention: `firstpass hire list --state attention`"
            }
            (_, _) => "no longer named by the file, and would be in attention",
        };
        lines.push(format!("{n} of the changed {} {said}", if n == 1 { "is" } else { "are" }));
    }
    if !report.rejected_at.is_empty() {
        lines.push(format!("the rejected rows stand in {}; correct and drop that file again", report.rejected_at));
    }
    match (report.state.as_str(), dry_run) {
        ("held", true) => lines.push(format!(
            "the file would be held whole: {}. If that is right, import it without --dry-run and then {}{}. If not, nothing is lost: ask HR for the right file",
            report.why,
            format_args!("`firstpass feed accept {} --reason TEXT`", report.file),
            or_raise(report)
        )),
        ("held", false) => lines.push(format!("nothing was taken. {}", answer(&report.file))),
        (_, _) => {}
    }
    if dry_run {
        lines.push("nothing is written".to_owned());
    }
    lines
}

/// The key that held it, longest name first. No key lets a file in that names nobody.
fn or_raise(report: &FileReport) -> String {
    let key = ["max_changes_share", "max_changes", "max_new"].into_iter().find(|key| report.why.contains(key));
    key.map(|key| format!("; or raise {key} of feed {}", report.feed)).unwrap_or_default()
}

impl From<IntakeError> for Trouble {
    fn from(error: IntakeError) -> Self {
        Self::Failed(chain(&error))
    }
}

/// An empty state for a dry run where there is none yet, gone with this value.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn make() -> Result<Self, Trouble> {
        let folder = std::env::temp_dir().join(format!("firstpass-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder)
            .map_err(|error| Trouble::Failed(format!("{}: no place for a dry run: {error}", folder.display())))?;
        Ok(Self { folder })
    }

    async fn state(&self) -> Result<Store, Trouble> {
        let url = format!("sqlite:{}", self.folder.join("state.db").display());
        Ok(Store::open(&url, &crate::store::Open::default()).await?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind holds nothing.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_here_and_in_json() {
        assert_eq!(left_out(50, 50, "changes", 0), None);
        assert_eq!(left_out(51, 50, "changes", 0).unwrap(), "  and 1 more changes; --json has all");
        let line = left_out(230_000, 1000, "changes", 30_000).unwrap();
        assert_eq!(line, "  and 229000 more changes; --json has the first 200000; divide the file to see the others");
        let mut report = FileReport { added: 2, changed: 1, ..FileReport::default() };
        report.keep_changes(Vec::new());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["truncated"], 3);
        report.truncated = 0;
        assert!(serde_json::to_value(&report).unwrap().get("truncated").is_none(), "absent when nothing is left out");
    }
}
