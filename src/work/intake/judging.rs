//! Read → stage → judge → brake → apply, for one file.

use std::io;
use std::sync::Arc;

use super::rest::{count, counts_of, supersedes, utc};
use super::{Desk, IntakeError, Out, ROUNDS};
use crate::feed::csv::{self, Reading, Unreadable};
use crate::feed::folder::{Draft, Place, Source};
use crate::feed::meter::METER;
use crate::feed::report::{CHANGES, FileReport, REJECTS};
use crate::rules::intake::brake;
use crate::rules::staged::Batch;
use crate::store::intake::{Applied, Counts, Staging, Taken};

impl Desk<'_> {
    /// The file that was taken last, read with the same settings: nothing to do (F31).
    pub(super) async fn repeated(&self, source: &Source, out: &Out<'_>) -> Result<Option<FileReport>, IntakeError> {
        let Some(last) = self.store.last_taken(&self.feed.name).await? else { return Ok(None) };
        let same =
            last.mapping == self.mapping && self.digest(source).await.ok().as_deref() == Some(last.sha256.as_str());
        if !same || !source.stood_still() {
            return Ok(None);
        }
        // Judged by a clock that was ahead: judged anew.
        if self.is_ahead(&last) {
            return Ok(None);
        }
        // Whether it takes the place of a held one stands in its rows.
        if !self.store.held_files(&self.feed.name).await?.is_empty() {
            return Ok(None);
        }
        let mut report = self.known_report(&last);
        out.name.clone_into(&mut report.file);
        report.read_utc = utc(self.now);
        (report.added, report.changed, report.withdrawn) = (0, 0, 0);
        report.unchanged += count(last.added) + count(last.changed) + count(last.withdrawn);
        "the same bytes as were taken last: nothing changed".clone_into(&mut report.why);
        let Some(folder) = out.folder else { return Ok(Some(report)) };
        let counts = counts_of(&report);
        let reading = Reading { sha256: last.sha256.clone(), rows: 0, correction: false, rows_within_rows: false };
        let taken = Taken { rows: report.rows, ..self.taken(out, &reading, counts, &report.why) };
        self.store.note_file(self.now, &self.feed.name, &self.feed.tenant, &taken, "taken").await?;
        self.rest(folder, out, Place::Done, self.now, &mut report)?;
        Ok(Some(report))
    }

    /// Stages, judges, applies and moves one file.
    ///
    /// `again`: a held file let in, or one that a crash left behind, for which the short way of [`Desk::repeated`] is not taken: its rejects are written anew.
    pub(super) async fn judge(&self, source: &Source, out: &Out<'_>, again: bool) -> Result<FileReport, IntakeError> {
        for _ in 0..ROUNDS {
            let (mut staging, reading) = match self.stage(source).await? {
                Ok(staged) => staged,
                // Our own disk's trouble says nothing about the rows: the next poll tries again.
                Err(why @ Unreadable::Io(_)) => {
                    return Err(IntakeError::File { file: out.name.to_owned(), why: why.to_string() });
                }
                Err(why) if source.stood_still() => {
                    let (why, sha256) = (why.to_string(), self.digest(source).await.unwrap_or_default());
                    out.is_what_was_held(&sha256)?;
                    return self.unreadable(out, &sha256, why).await;
                }
                Err(why) => return Err(IntakeError::File { file: out.name.to_owned(), why: why.to_string() }),
            };
            let done = self.settle(&mut staging, &reading, source, out, again).await;
            staging.close().await;
            if let Some(report) = done? {
                return Ok(report);
            }
        }
        Err(IntakeError::Restless(out.name.to_owned()))
    }

    pub(super) async fn settle(
        &self,
        staging: &mut Staging,
        reading: &Reading,
        source: &Source,
        out: &Out<'_>,
        again: bool,
    ) -> Result<Option<FileReport>, IntakeError> {
        out.is_what_was_held(&reading.sha256)?;
        let complete = self.feed.complete && !reading.correction && !reading.rows_within_rows;
        let counts = staging.judge(self.now, complete, reading.rows).await?;
        if counts.rejected > REJECTS {
            let why = format!(
                "{} rows would be rejected; the file is not what the settings say. Nothing was taken",
                counts.rejected
            );
            return self.unreadable(out, &reading.sha256, why).await.map(Some);
        }
        let mut report = self.report(out, &reading.sha256, reading.rows, &counts);
        if self.feed.complete && reading.rows_within_rows && report.why.is_empty() {
            "rows may lie inside of rejected ones, so nobody is taken for vanished".clone_into(&mut report.why);
        }
        let stop = if out.held.is_some() { None } else { brake(&self.brake, &counts.weight) };
        let draft = match out.folder {
            Some(folder) if counts.rejected > 0 && stop.is_none() => Some(folder.draft(Place::Rejected, out.name)?),
            Some(_) | None => None,
        };
        let digests = self.read_rejects(staging, reading, source, draft.as_ref(), &mut report).await;
        let digests = match (digests, out.folder, &draft) {
            (Ok(digests), _, _) => digests,
            (Err(error), Some(folder), Some(draft)) => {
                folder.discard(draft);
                return Err(error);
            }
            (Err(error), _, _) => return Err(error),
        };
        if !source.stood_still() {
            return Err(IntakeError::File {
                file: out.name.to_owned(),
                why: "it changed while it was read".to_owned(),
            });
        }
        let Some(folder) = out.folder else {
            report.keep_changes(staging.changes(CHANGES).await?);
            report.dry_run = true;
            if stop.is_some() { "held" } else { "taken" }.clone_into(&mut report.state);
            report.why = stop.unwrap_or_default();
            if supersedes(reading) {
                report.superseded = self.older_held(out).await?;
            }
            return Ok(Some(report));
        };
        if let Some(why) = stop {
            let taken = self.taken(out, reading, counts, &why);
            return self.hold(folder, source, out, report, &taken).await.map(Some);
        }
        staging.put_digests(&digests).await?;
        let applied = self.apply(staging, out, reading, counts, again).await?;
        let Some(applied) = applied else {
            if let Some(draft) = &draft {
                folder.discard(draft);
            }
            return Ok(None);
        };
        report.new_rejects = applied.new_rejects;
        report.superseded = self.supersede(folder, applied.superseded);
        self.finish(folder, out, draft, &mut report)?;
        Ok(Some(report))
    }

    /// Names of the held files whose place this one would take.
    async fn older_held(&self, out: &Out<'_>) -> Result<Vec<String>, IntakeError> {
        let held = self.store.held_files(&self.feed.name).await?;
        let older = held.into_iter().filter(|file| out.held.is_none_or(|held| file.id < held.id));
        Ok(older.map(|file| file.file).collect())
    }

    /// The transaction. A file that a crash left behind after its commit is not written twice (F12).
    pub(super) async fn apply(
        &self,
        staging: &mut Staging,
        out: &Out<'_>,
        reading: &Reading,
        counts: Counts,
        again: bool,
    ) -> Result<Option<Applied>, IntakeError> {
        let nothing = counts.added + counts.changed + counts.withdrawn == 0;
        if again && nothing && out.held.is_none() {
            let last = self.store.last_taken(&self.feed.name).await?;
            if last.is_some_and(|last| last.sha256 == reading.sha256 && last.mapping == self.mapping) {
                return Ok(Some(Applied { superseded: Vec::new(), new_rejects: 0 }));
            }
        }
        let why = match out.why {
            "" => format!(
                "{} rows: {} added, {} changed, {} withdrawn, {} unchanged, {} past, {} rejected",
                reading.rows,
                counts.added,
                counts.changed,
                counts.withdrawn,
                counts.unchanged,
                counts.past,
                counts.rejected
            ),
            reason => reason.to_owned(),
        };
        let taken = self.taken(out, reading, counts, &why);
        Ok(staging.apply(self.now, &taken).await?)
    }

    /// Reads the file on a thread of its own while the rows are staged here.
    pub(super) async fn stage(&self, source: &Source) -> Result<Result<(Staging, Reading), Unreadable>, IntakeError> {
        let file = match source.again() {
            Ok(file) => file,
            Err(error) => return Ok(Err(Unreadable::Io(error))),
        };
        let mut staging = Staging::open(self.store, &self.feed.name, &self.feed.tenant).await?;
        let (send, mut receive) = tokio::sync::mpsc::channel::<Batch>(8);
        let (rules, now) = (Arc::clone(&self.rules), self.now);
        let reading = tokio::task::spawn_blocking(move || {
            csv::read(file, &rules, now, |batch| send.blocking_send(batch).is_ok())
        });
        let mut broken = None;
        METER.begin(source.size());
        while let Some(batch) = receive.recv().await {
            METER.at(source.position());
            if let Err(error) = staging.put(batch).await {
                broken = Some(error);
                break;
            }
        }
        drop(receive);
        METER.end();
        let read = reading.await.unwrap_or_else(|error| Err(Unreadable::Io(io::Error::other(error))));
        if let Some(error) = broken {
            return Err(error.into());
        }
        match read {
            Ok(reading) => Ok(Ok((staging, reading))),
            Err(unreadable) => {
                staging.close().await;
                Ok(Err(unreadable))
            }
        }
    }

    /// The second reading: reasons for the report, rows for the draft.
    pub(super) async fn read_rejects(
        &self,
        staging: &mut Staging,
        reading: &Reading,
        source: &Source,
        draft: Option<&Draft>,
        report: &mut FileReport,
    ) -> Result<Vec<String>, IntakeError> {
        let lines = staging.rejects(REJECTS).await?;
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |why: String| IntakeError::File { file: report.file.clone(), why };
        let file = source.again().map_err(|error| failed(error.to_string()))?;
        let out: Box<dyn io::Write + Send> = match draft {
            Some(draft) => {
                Box::new(io::BufWriter::new(draft.file.try_clone().map_err(|error| failed(error.to_string()))?))
            }
            None => Box::new(io::sink()),
        };
        let (rules, sha256) = (Arc::clone(&self.rules), reading.sha256.clone());
        let read = tokio::task::spawn_blocking(move || csv::rejected(file, &rules, &sha256, &lines, out)).await;
        let read = read
            .unwrap_or_else(|error| Err(Unreadable::Io(io::Error::other(error))))
            .map_err(|error| failed(error.to_string()))?;
        let (rejects, digests) = read.into_iter().map(|row| (row.reject, row.digest)).unzip();
        report.rejects = rejects;
        Ok(digests)
    }
}
