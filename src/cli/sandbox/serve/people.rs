//! `--people FILE`: the feed reader over a file of one's own, and an account for everybody in it.
//!
//! Read under the first feed of the folder's settings, so `columns`, `zones` and formats can be tried
//! there. Whoever the small file knows is left as they are; the others are appended.

use std::path::Path;

use crate::cli::end::{Trouble, chain};
use crate::cli::open;
use crate::config::Settings;
use crate::feed::csv::{self, Rules, Unreadable};
use crate::rules::hire::Hire;
use crate::rules::staged::Verdict;
use crate::sandbox::serve::TenantFile;
use crate::sandbox::serve::people::{Added, added};

/// People in one small file; a model tenant needs no more.
const MOST: usize = 20_000;

/// Rows whose reason is told, one line each.
const MOST_TOLD: usize = 10;

/// Who is to be added, and sentences about it: how many, and which rows cannot be read.
pub fn of(
    feed_file: &Path,
    settings: &Path,
    known: &TenantFile,
    domain: &str,
) -> Result<(Added, Vec<String>), Trouble> {
    let (name, place) = (feed_file.display(), settings.display());
    let settings = Settings::load(settings, std::iter::empty())?;
    let (Some(feed), Some(tenant)) = (settings.feeds.first(), settings.tenants.first()) else {
        return Err(Trouble::Usage(
            "--people reads with the first [[feed]] of the settings, and there is none".to_owned(),
        ));
    };
    let file = std::fs::File::open(feed_file)
        .map_err(|error| Trouble::Failed(format!("{name}: {error}; name a CSV file that this user may read")))?;
    let again = file.try_clone().map_err(|error| Trouble::Failed(format!("{name}: {error}")))?;
    let (mut hires, mut bad): (Vec<Hire>, Vec<(u64, Option<String>)>) = (Vec::new(), Vec::new());
    let rules = Rules::of(feed, &tenant.rules);
    let reading = csv::read(file, &rules, open::now(), |batch| {
        for row in batch.rows {
            if matches!(row.verdict, Verdict::Bad | Verdict::BadPast) {
                bad.push((u64::try_from(row.line).unwrap_or_default(), None));
            }
            hires.extend(row.facts.map(|(hire, _)| hire));
        }
        hires.len() <= MOST
    });
    if hires.len() > MOST {
        return Err(Trouble::Failed(format!("{name} names more than {MOST} people; try with a part of it")));
    }
    let unreadable =
        |error: Unreadable| Trouble::Failed(format!("{name}: {} (the feed's settings are in {place})", chain(&error)));
    let reading = reading.map_err(unreadable)?;
    let in_all = bad.len();
    bad.truncate(MOST_TOLD);
    let rejected = csv::rejected(again, &rules, &reading.sha256, &bad, std::io::sink()).map_err(unreadable)?;
    let added = added(&hires, known, domain);
    let (accounts, managers) = (counted(added.n_hires, "account"), counted(added.n_managers, "manager"));
    let verb = if added.n_hires + added.n_managers == 1 { "is" } else { "are" };
    let mut told = vec![format!("{name}: {accounts} and {managers} {verb} added")];
    if in_all > 0 {
        told.push(format!("{name}: {} cannot be read", counted(in_all, "row")));
        told.extend(rejected.iter().map(|row| format!("{name}: {}", row.reject)));
    }
    if in_all > rejected.len() {
        told.push(format!("{name}: and {} more; `firstpass import --dry-run` has all", in_all - rejected.len()));
    }
    Ok((added, told))
}

/// `1 row`, `2 rows`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
