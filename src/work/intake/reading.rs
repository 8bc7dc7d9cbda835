//! One reading of an HR database: its rows on disk, then the same way as a dropped file.
//!
//! The rows lie in `work/` until they are on record, and in `held/` when they would change too much;
//! a reading that was taken leaves its report and its rejected rows, for the source has the rest.
//! The same rows again (in any order) change nothing and leave no new file. The watermark goes no
//! further than what is on record: not past a held reading, and not past a rejected row.

use std::fs::File;
use std::io;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::{Desk, IntakeError, Out, US};
use crate::config::Sql;
use crate::feed::folder::{Folder, Place, Source};
use crate::feed::guarded::hex;
use crate::feed::report::FileReport;
use crate::feed::sql::{self, Ask, Room, Rows, SqlError};
use crate::rules::watermark::believable;
use crate::store::intake::KnownFile;

/// Two machines' clocks may differ by so much without one being wrong.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(2);

impl Desk<'_> {
    /// Asks the database once.
    pub(super) async fn read_database(&self, sql: &Sql) -> Result<Vec<FileReport>, IntakeError> {
        let folder = self.folder()?;
        self.finish_left_over(&folder).await?;
        let since = self.since(sql).await?;
        let name = reading_name(&self.feed.name);
        let draft = folder.draft(Place::Work, &name)?;
        let rows = match self.ask(sql, since.as_deref(), &draft.file).await {
            Ok(rows) => rows,
            Err(error) => {
                folder.discard(&draft);
                return Err(error.into());
            }
        };
        if rows.rows == 0 {
            folder.discard(&draft);
            return self.nothing(sql).await;
        }
        let known = self.store.last_file(&self.feed.name).await?;
        let same = |known: &KnownFile| known.sha256 == rows.digest && known.mapping == self.mapping;
        if let Some(known) = known.filter(|known| same(known) && !self.is_ahead(known)) {
            folder.discard(&draft);
            return Ok(vec![self.read_again(&known).await?]);
        }
        let name = folder.publish(draft, &name, &name)?;
        let source =
            folder.read(Place::Work, &name).map_err(|why| IntakeError::File { file: Place::Work.path(&name), why })?;
        let from = Some((Place::Work, name.as_str()));
        let out = Out { folder: Some(&folder), from, name: &name, held: None, left_over: false, by: US, why: "" };
        let report = self.judge(&source, &out, false).await?;
        if report.state == "taken" {
            self.advance(sql, &rows, &source, &report).await?;
        }
        Ok(vec![report])
    }

    async fn ask(&self, sql: &Sql, since: Option<&str>, out: &File) -> Result<Rows, SqlError> {
        let ask = Ask { sql, columns: &self.feed.columns, since, now: self.now };
        let rows = sql::read(&ask, out.try_clone()?).await?;
        // A held reading must outlive this machine's power; waiting for the disk is not for the ticks.
        let out = out.try_clone()?;
        let synced = tokio::task::spawn_blocking(move || out.sync_data()).await;
        synced.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Ok(rows)
    }

    /// What a crash left: a reading that is on record already gets its report and rejected rows; any
    /// other is made anew.
    async fn finish_left_over(&self, folder: &Folder) -> Result<(), IntakeError> {
        for name in folder.in_work()? {
            if !is_reading(&self.feed.name, &name) {
                let back = folder.put(Place::Work, &name, Place::Drop, &name)?;
                tracing::warn!(
                    event = "feed-file-stray",
                    feed = self.feed.name,
                    file = back,
                    "a file that no reading wrote lay in work; it lies in the drop folder again"
                );
                continue;
            }
            let last = self.store.last_taken(&self.feed.name).await?;
            if let (Ok(source), Some(last)) = (folder.read(Place::Work, &name), last)
                && last.mapping == self.mapping
                && self.digest(&source).await.ok().as_deref() == Some(last.sha256.as_str())
            {
                let from = Some((Place::Work, name.as_str()));
                let out = Out { folder: Some(folder), from, name: &name, held: None, left_over: true, by: US, why: "" };
                self.judge(&source, &out, true).await?;
            } else {
                folder.remove(Place::Work, &name)?;
            }
        }
        Ok(())
    }

    /// No row: nothing new for a feed that reads changes, and no good sign for any other.
    async fn nothing(&self, sql: &Sql) -> Result<Vec<FileReport>, IntakeError> {
        if sql.watermark.is_none() {
            return Err(SqlError::Empty.into());
        }
        if let Some(last) = self.store.last_taken(&self.feed.name).await? {
            self.store.read_again(self.now, last.id).await?;
        }
        Ok(Vec::new())
    }

    /// The rows are those of the newest reading: taken, held, refused or rejected, they stay so.
    async fn read_again(&self, known: &KnownFile) -> Result<FileReport, IntakeError> {
        self.store.read_again(self.now, known.id).await?;
        let mut report = self.known_report(known);
        (report.added, report.changed, report.withdrawn) = (0, 0, 0);
        if report.state == "taken" {
            report.unchanged = report.rows.saturating_sub(report.past + report.rejected);
            report.read_utc = super::rest::utc(self.now);
        }
        "the same rows as at the last reading: nothing changed".clone_into(&mut report.why);
        Ok(report)
    }

    /// What is bound to the query: the watermark on record, or the first one when the settings that
    /// it was read with are others.
    async fn since(&self, sql: &Sql) -> Result<Option<String>, IntakeError> {
        if sql.watermark.is_none() {
            return Ok(None);
        }
        if self.store.last_file(&self.feed.name).await?.is_some_and(|last| self.is_ahead(&last)) {
            return Ok(Some(sql.watermark_from.clone()));
        }
        let kept = self.store.watermark(&self.feed.name).await?;
        let fingerprint = self.fingerprint(sql)?;
        let kept = kept
            .as_deref()
            .and_then(|kept| kept.split_once(' '))
            .filter(|(with, mark)| *with == fingerprint && believable(mark, self.now));
        Ok(Some(kept.map_or_else(|| sql.watermark_from.clone(), |(_, mark)| mark.to_owned())))
    }

    async fn advance(&self, sql: &Sql, rows: &Rows, source: &Source, report: &FileReport) -> Result<(), IntakeError> {
        if let Some(beyond) = &rows.beyond {
            tracing::warn!(
                event = "watermark-odd",
                feed = self.feed.name,
                value = beyond,
                "a watermark lies in the future, or is no time, number or version; the feed's watermark does not go past it, correct that row"
            );
        }
        let (Some(watermark), Some(newest)) = (&sql.watermark, &rows.newest) else { return Ok(()) };
        let mut mark = newest.clone();
        if report.rejected > 0 {
            let failed = |error: io::Error| IntakeError::File { file: report.file.clone(), why: error.to_string() };
            let positions: Vec<u64> = report.rejects.iter().map(|reject| reject.line).collect();
            let (file, watermark, newest) = (source.again().map_err(failed)?, watermark.clone(), newest.clone());
            let room = tokio::task::spawn_blocking(move || sql::room(file, &watermark, &positions, &newest)).await;
            match room.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)? {
                Room::Free => {}
                Room::UpTo(before) => mark = before,
                Room::No => return Ok(()),
            }
        }
        let value = format!("{} {mark}", self.fingerprint(sql)?);
        Ok(self.store.set_watermark(&self.feed.name, &value).await?)
    }

    /// Read by a clock that was ahead: what it judged by that clock is judged anew.
    pub(super) fn is_ahead(&self, known: &KnownFile) -> bool {
        known.read_at > (self.now + CLOCKS_DIFFER).timestamp_millis()
    }

    /// Of what decides which rows the query returns and how they are read.
    fn fingerprint(&self, sql: &Sql) -> Result<String, IntakeError> {
        let place = sql::target(sql)?.place;
        let text = format!("{} {place} {} {:?} {}", self.mapping, sql.query, sql.watermark, sql.watermark_from);
        Ok(hex(Sha256::digest(text.as_bytes()).get(..8).unwrap_or_default()))
    }
}

/// How every reading of a feed is called; time and digest tell them apart.
pub(super) fn reading_name(feed: &str) -> String {
    format!("{feed}.reading.csv")
}

/// Whether a reading of this feed made the name: [`reading_name`], also with a number.
fn is_reading(feed: &str, name: &str) -> bool {
    let number = name
        .strip_prefix(feed)
        .and_then(|rest| rest.strip_prefix(".reading"))
        .and_then(|rest| rest.strip_suffix(".csv"));
    number.is_some_and(|number| {
        number.is_empty()
            || number.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_reading_wrote_is_thrown_away() {
        assert!(is_reading("hr", &reading_name("hr")) && is_reading("hr", "hr.reading-2.csv"));
        for other in
            ["hr.csv", "hires.csv", "hr.reading-.csv", "hr.reading-x.csv", "hr2.reading.csv", "hr.reading.csv.gz"]
        {
            assert!(!is_reading("hr", other), "{other}");
        }
    }
}
