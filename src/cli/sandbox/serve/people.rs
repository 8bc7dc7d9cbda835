//! `--people FILE`: the feed reader over a file of one's own, and an account for everybody in it.
//!
//! Read under the first feed of the folder's settings, so `columns`, `zones` and formats can be tried
//! there. Whoever the small file knows is left as they are; the others are appended.

use std::path::Path;

use crate::cli::end::{Trouble, chain};
use crate::cli::open;
use crate::config::Settings;
use crate::feed::csv::{self, Rules};
use crate::rules::hire::Hire;
use crate::rules::staged::Verdict;
use crate::sandbox::serve::TenantFile;
use crate::sandbox::serve::people::{Added, added};

/// People in one small file; a model tenant needs no more.
const MOST: usize = 20_000;

/// Who is to be added, and a sentence about it.
pub fn of(feed_file: &Path, settings: &Path, known: &TenantFile, domain: &str) -> Result<(Added, String), Trouble> {
    let (name, place) = (feed_file.display(), settings.display());
    let settings = Settings::load(settings, std::iter::empty())?;
    let (Some(feed), Some(tenant)) = (settings.feeds.first(), settings.tenants.first()) else {
        return Err(Trouble::Usage(
            "--people reads with the first [[feed]] of the settings, and there is none".to_owned(),
        ));
    };
    let file = std::fs::File::open(feed_file)
        .map_err(|error| Trouble::Failed(format!("{name}: {error}; name a CSV file that this user may read")))?;
    let mut hires: Vec<Hire> = Vec::new();
    let mut bad = 0_usize;
    let reading = csv::read(file, &Rules::of(feed, &tenant.rules), open::now(), |batch| {
        for row in batch.rows {
            bad += usize::from(matches!(row.verdict, Verdict::Bad | Verdict::BadPast));
            hires.extend(row.facts.map(|(hire, _)| hire));
        }
        hires.len() <= MOST
    });
    if hires.len() > MOST {
        return Err(Trouble::Failed(format!("{name} names more than {MOST} people; try with a part of it")));
    }
    reading
        .map_err(|error| Trouble::Failed(format!("{name}: {} (the feed's settings are in {place})", chain(&error))))?;
    let added = added(&hires, known, domain);
    let left_out =
        if bad == 0 { String::new() } else { format!(", {bad} rows cannot be read (`firstpass import` says why)") };
    let told = format!("{name}: {} accounts and {} managers are added{left_out}", added.n_hires, added.n_managers);
    Ok((added, told))
}
