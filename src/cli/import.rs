//! `import FILE --feed NAME`: takes one file in now and leaves it where it is.
//!
//! Under the same rules and the same brake as a dropped file. A dry run says what would change and
//! which rows would be rejected, and writes nothing.

use std::path::{Path, PathBuf};

use super::end::{End, Trouble, chain};
use super::out::Out;
use super::{open, patience};
use crate::config::{Feed, Settings, TenantRules};
use crate::feed::FileReport;
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

/// Lines of rejects and changes that are printed; `--json` has them all.
const MOST_LINES: usize = 1000;

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
        None => open::state(&settings).await?,
    };
    let work = intake::import(&args.file, feed, rules, &store, open::now(), args.dry_run);
    let done = patience::watched("reading", work).await;
    store.close().await;
    let report = done?;
    if out.is_json() {
        out.document(&report)?;
    } else {
        out.lines(lines(&report, args.dry_run))?;
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

/// What became, or would become, of a file.
pub(super) fn lines(report: &FileReport, dry_run: bool) -> Vec<String> {
    let mut lines = vec![report.to_string()];
    lines.extend(report.changes.iter().take(MOST_LINES).map(|change| match change.line {
        0 => format!("  {}: {}", change.employee_id, change.change),
        line => format!("  line {line}, {}: {}", change.employee_id, change.change),
    }));
    lines.extend(left_out(report.changes.len(), "changes"));
    lines.extend(report.rejects.iter().take(MOST_LINES).map(|reject| format!("  rejected {reject}")));
    lines.extend(left_out(report.rejects.len(), "rejected rows"));
    if !report.rejected_at.is_empty() {
        lines.push(format!("the rejected rows stand in {}; correct and drop that file again", report.rejected_at));
    }
    if report.state == "held" && !dry_run {
        lines
            .push("nothing was taken; `firstpass feed accept` lets it in, `firstpass feed refuse` does not".to_owned());
    }
    if dry_run {
        lines.push("dry run: nothing is written".to_owned());
    }
    lines
}

fn left_out(count: usize, what: &str) -> Option<String> {
    let more = count.checked_sub(MOST_LINES).filter(|more| *more > 0)?;
    Some(format!("  and {more} more {what}; --json has them all"))
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
