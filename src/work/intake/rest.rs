//! Where a file comes to rest, and what is written about it.
//!
//! Called after the state was written: everything here may be done again after a crash.

use std::io::{self, Seek};

use chrono::{DateTime, Utc};

use super::{Desk, IntakeError, Out};
use crate::feed::csv::Reading;
use crate::feed::folder::{Draft, Folder, FolderError, Place, Source, stamped, stem};
use crate::feed::report::FileReport;
use crate::feed::tidy::beside;
use crate::store::intake::{Counts, KnownFile, Taken};

impl Desk<'_> {
    /// A file that would change too much waits for a person.
    pub(super) async fn hold(
        &self,
        folder: &Folder,
        source: &Source,
        out: &Out<'_>,
        mut report: FileReport,
        taken: &Taken<'_>,
    ) -> Result<FileReport, IntakeError> {
        let (read_at, superseded) = self.note(out, taken, "held").await?;
        report.superseded = self.supersede(folder, superseded);
        "held".clone_into(&mut report.state);
        taken.why.clone_into(&mut report.why);
        if out.from.is_some() {
            self.rest(folder, out, Place::Held, read_at, &mut report)?;
        } else {
            self.keep_copy(folder, source, &mut report)?;
        }
        Ok(report)
    }

    /// `import` leaves the file where it is; what was judged waits as a copy.
    pub(super) fn keep_copy(
        &self,
        folder: &Folder,
        source: &Source,
        report: &mut FileReport,
    ) -> Result<(), IntakeError> {
        let name = stamped(&report.file, self.now, &report.sha256);
        let failed = |source| FolderError::Failed { what: format!("copying {}", report.file), source };
        let mut draft = folder.draft(Place::Held, &name)?;
        let mut file = source.again().map_err(failed)?;
        file.rewind().map_err(failed)?;
        io::copy(&mut file, &mut draft.file).map_err(failed)?;
        let name = folder.publish(draft, &name, &name)?;
        report.now_at = Place::Held.path(&name);
        self.write_report(folder, Place::Held, &name, report)
    }

    /// A file of which nothing was taken.
    pub(super) async fn unreadable(&self, out: &Out<'_>, sha256: &str, why: String) -> Result<FileReport, IntakeError> {
        let mut report = self.report(out, sha256, 0, &Counts::default());
        "rejected".clone_into(&mut report.state);
        report.why = why;
        report.dry_run = out.folder.is_none();
        let Some(folder) = out.folder else { return Ok(report) };
        let nothing = Reading { sha256: sha256.to_owned(), rows: 0, correction: false, rows_within_rows: false };
        let taken = self.taken(out, &nothing, Counts::default(), &report.why);
        let (read_at, _) = self.note(out, &taken, "rejected").await?;
        self.rest(folder, out, Place::Rejected, read_at, &mut report)?;
        Ok(report)
    }

    /// Writes row and event of a file that is not applied; once, also when it could not be moved then and
    /// each poll finds it again. When it was read, and the held files whose place it took.
    async fn note(
        &self,
        out: &Out<'_>,
        taken: &Taken<'_>,
        state: &'static str,
    ) -> Result<(DateTime<Utc>, Vec<KnownFile>), IntakeError> {
        let before = if out.left_over { self.store.noted(&self.feed.name, taken, state).await? } else { None };
        if let Some(read_at) = before.and_then(|before| DateTime::from_timestamp_millis(before.read_at)) {
            return Ok((read_at, Vec::new()));
        }
        let noted = self.store.note_file(self.now, &self.feed.name, &self.feed.tenant, taken, state).await?;
        Ok((self.now, noted))
    }

    pub(super) fn finish(
        &self,
        folder: &Folder,
        out: &Out<'_>,
        draft: Option<Draft>,
        report: &mut FileReport,
    ) -> Result<(), IntakeError> {
        if let Some(draft) = draft {
            let failed = |source| FolderError::Failed { what: format!("writing the rejects of {}", out.name), source };
            draft.dated(self.now).map_err(failed)?;
            let plain = format!("{}.rejected.csv", stem(out.name));
            let other = format!("{}.rejected.csv", beside(&stamped(out.name, self.now, &report.sha256)));
            report.rejected_at = Place::Rejected.path(&folder.publish(draft, &plain, &other)?);
        }
        self.rest(folder, out, Place::Done, self.now, report)
    }

    /// Moves the file to where it stays, under its name with time and short hash, its report beside it.
    pub(super) fn rest(
        &self,
        folder: &Folder,
        out: &Out<'_>,
        to: Place,
        read_at: DateTime<Utc>,
        report: &mut FileReport,
    ) -> Result<(), IntakeError> {
        report.read_utc = utc(read_at);
        let wanted = stamped(out.name, read_at, &report.sha256);
        let name = match out.from {
            // The source has them; we keep no copy of people's rows.
            Some((from, name)) if to == Place::Done && self.rules.reading => {
                folder.remove(from, name)?;
                wanted
            }
            Some((from, name)) => {
                let name = folder.put(from, name, to, &wanted)?;
                report.now_at = to.path(&name);
                name
            }
            None => wanted,
        };
        self.write_report(folder, to, &name, report)?;
        if let Some((Place::Held, held)) = out.from {
            folder.forget_held(held);
        }
        Ok(())
    }

    pub(super) fn write_report(
        &self,
        folder: &Folder,
        place: Place,
        name: &str,
        report: &FileReport,
    ) -> Result<(), IntakeError> {
        let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
        text.push('\n');
        folder.write(place, &format!("{}.report.json", beside(name)), &text)?;
        tracing::info!(
            event = "file-read",
            feed = self.feed.name,
            file = report.file,
            state = report.state,
            rows = report.rows,
            added = report.added,
            changed = report.changed,
            withdrawn = report.withdrawn,
            rejected = report.rejected,
            why = report.why,
            "a file of the feed was read"
        );
        Ok(())
    }

    /// Held files whose place a newer one took; their names. They may be gone: somebody may have tidied up.
    pub(super) fn supersede(&self, folder: &Folder, files: Vec<KnownFile>) -> Vec<String> {
        for file in &files {
            let why = "a newer file of the feed took its place";
            if let Err(error) = self.to_rejected(folder, file, "superseded", why) {
                tracing::warn!(event = "file-not-moved", feed = self.feed.name, file = file.file, %error, "a superseded file could not be moved");
            }
        }
        files.into_iter().map(|file| file.file).collect()
    }

    pub(super) fn to_rejected(
        &self,
        folder: &Folder,
        file: &KnownFile,
        state: &str,
        why: &str,
    ) -> Result<String, IntakeError> {
        let name = resting(file);
        let name = folder.put(Place::Held, &name, Place::Rejected, &name)?;
        let mut report = self.known_report(file);
        state.clone_into(&mut report.state);
        why.clone_into(&mut report.why);
        report.now_at = Place::Rejected.path(&name);
        self.write_report(folder, Place::Rejected, &name, &report)?;
        folder.forget_held(&resting(file));
        Ok(report.now_at)
    }

    pub(super) fn taken<'t>(&self, out: &Out<'t>, reading: &'t Reading, counts: Counts, why: &'t str) -> Taken<'t> {
        Taken {
            file: out.name,
            sha256: &reading.sha256,
            mapping: self.mapping.clone(),
            rows: reading.rows,
            counts,
            send_time: self.rules.schedule.send_at,
            held: out.held.map(|held| held.id),
            supersedes: supersedes(reading),
            by: out.by,
            why,
        }
    }

    pub(super) fn report(&self, out: &Out<'_>, sha256: &str, rows: u64, counts: &Counts) -> FileReport {
        FileReport {
            feed: self.feed.name.clone(),
            file: out.name.to_owned(),
            sha256: sha256.to_owned(),
            read_utc: utc(self.now),
            rows,
            added: counts.added,
            changed: counts.changed,
            vanished: counts.weight.vanished,
            withdrawn: counts.withdrawn,
            unchanged: counts.unchanged,
            past: counts.past,
            rejected: counts.rejected,
            twins: counts.twins,
            state: "taken".to_owned(),
            why: out.why.to_owned(),
            answered: !out.why.is_empty(),
            ..FileReport::default()
        }
    }

    pub(super) fn known_report(&self, file: &KnownFile) -> FileReport {
        FileReport {
            feed: self.feed.name.clone(),
            file: file.file.clone(),
            sha256: file.sha256.clone(),
            read_utc: DateTime::from_timestamp_millis(file.read_at).map(utc).unwrap_or_default(),
            rows: count(file.rows),
            added: count(file.added),
            changed: count(file.changed),
            withdrawn: count(file.withdrawn),
            unchanged: count(file.unchanged),
            past: count(file.past),
            rejected: count(file.rejected),
            state: file.state.clone(),
            ..FileReport::default()
        }
    }
}

/// A file without rows says nothing, and one of corrections nothing about the others.
pub(super) fn supersedes(reading: &Reading) -> bool {
    reading.rows > 0 && !reading.correction
}

pub(super) fn counts_of(report: &FileReport) -> Counts {
    Counts { unchanged: report.unchanged, past: report.past, rejected: report.rejected, ..Counts::default() }
}

pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(super) fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of a held file in `held/`.
pub(super) fn resting(file: &KnownFile) -> String {
    let read_at = DateTime::from_timestamp_millis(file.read_at).unwrap_or_default();
    stamped(&file.file, read_at, &file.sha256)
}
