//! A CSV file → staged rows, and again → the rows that were rejected.
//!
//! The file is read from an open descriptor, row by row, in bounded memory; nothing here writes the
//! state. What makes the whole file unreadable is an [`Unreadable`] with a sentence; what concerns
//! one row is a rejected row and the others go in. Read on in `rows` (bytes → records), then in
//! `rules::record` (records → hires) and `stager`.

use std::fs::File;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use encoding_rs::Encoding;
use sha2::{Digest, Sha256};

use super::guarded::hex;
use super::rows::{NOT_A_ROW, Rows};
use super::stager::Stager;
use crate::config;
use crate::rules::calendar::Schedule;
use crate::rules::flaw::Flaw;
use crate::rules::headers::{Field, HeaderError, LINE_COLUMN, REASON_COLUMN};
use crate::rules::hire::{Hire, Start};
use crate::rules::intake::Age;
use crate::rules::record::{Bad, FeedRules, HireRecord, Reject};
use crate::rules::staged::Batch;

/// A feed names the people of one company; more rows than this is something else.
const ROWS: u64 = 1_000_000;

/// Why a whole file cannot be read. The text is a sentence for the admin.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file itself: encoding, shape, size.
    #[error("{0}")]
    File(String),
    /// The headers.
    #[error(transparent)]
    Headers(#[from] HeaderError),
    /// The disk.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// What is needed to judge a row.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Columns, zones, defaults.
    pub feed: FeedRules,
    /// Send time, late_until, ready check.
    pub schedule: Schedule,
    /// What is past.
    pub age: Age,
    /// Of files that are neither UTF-8 nor have a BOM.
    pub encoding: Option<&'static Encoding>,
    /// The file is ours: the rows of a query.
    pub reading: bool,
}

impl Rules {
    /// As the settings say for this feed and its tenant.
    pub fn of(feed: &config::Feed, rules: &config::TenantRules) -> Self {
        Self {
            feed: FeedRules {
                columns: feed.columns.clone(),
                zones: feed.zones.iter().map(|(place, zone)| (place.trim().to_lowercase(), zone.clone())).collect(),
                zone: rules.zone.clone(),
                start_at: rules.schedule.start_at,
                date_format: feed.date_format.clone(),
            },
            schedule: rules.schedule.clone(),
            age: Age { late_until: rules.schedule.late_until, recent: feed.recent },
            encoding: feed.encoding,
            reading: false,
        }
    }
}

/// What a reading saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Of all bytes, hex.
    pub sha256: String,
    /// Data rows, twins and rejected ones too.
    pub rows: u64,
    /// Rejected rows dropped again: never a whole list.
    pub correction: bool,
    /// Rows may lie inside of a rejected one: no whole list, either.
    pub rows_within_rows: bool,
}

/// Reads a whole file; `take` gets its rows in batches and says whether to go on.
///
/// # Errors
/// [`Unreadable`]: nothing of the file may be used.
pub fn read(
    file: File,
    rules: &Rules,
    now: DateTime<Utc>,
    mut take: impl FnMut(Batch) -> bool,
) -> Result<Reading, Unreadable> {
    let mut rows = Rows::open(file, rules)?;
    let mut stager = Stager::new(rules, now);
    let mut count: u64 = 0;
    while let Some(line) = rows.advance()? {
        count += 1;
        if count > ROWS {
            return Err(Unreadable::File(format!("the file has more than {ROWS} rows; nothing was taken")));
        }
        stager.push(rows.judge(line, &rules.feed), line);
        if let Some(batch) = stager.full()
            && !take(batch)
        {
            return Err(stopped());
        }
    }
    let rows_within_rows = stager.rows_within_rows;
    if let Some(batch) = stager.rest()
        && !take(batch)
    {
        return Err(stopped());
    }
    let correction = !rows.columns.ours().is_empty();
    Ok(Reading { sha256: rows.finish(), rows: count, correction, rows_within_rows })
}

/// The digest of a file, as [`Reading::sha256`] has it.
///
/// # Errors
/// [`Unreadable`].
pub fn digest(file: File, rules: &Rules) -> Result<String, Unreadable> {
    let mut rows = Rows::open(file, rules)?;
    while rows.advance()?.is_some() {}
    Ok(rows.finish())
}

fn stopped() -> Unreadable {
    Unreadable::File("reading was stopped".to_owned())
}

/// A rejected row on its second reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// For the report.
    pub reject: Reject,
    /// Equal as long as row and reason stay the same, wherever the row stands.
    pub digest: String,
}

/// Reads the file again and writes the rows of `lines` (sorted) as they came behind the two columns
/// `firstpass_line` and `firstpass_reason`. A reason of `None` is what [`crate::rules::record::parse`] says of the row.
///
/// Every cell is quoted and no cell is changed, also one that a spreadsheet would take for a formula
/// (F46): the file must be the data when it is dropped again. The text in front is ours and never
/// begins with a formula's sign.
///
/// # Errors
/// [`Unreadable`], also when the bytes are not those of the first reading.
pub fn rejected(
    file: File,
    rules: &Rules,
    sha256: &str,
    lines: &[(u64, Option<String>)],
    out: impl Write,
) -> Result<Vec<Rejected>, Unreadable> {
    let mut rows = Rows::open(file, rules)?;
    let ours = rows.columns.ours().to_vec();
    let mut out = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).flexible(true).from_writer(out);
    let others = |cells: &dyn Fn(usize) -> String, count: usize| -> Vec<String> {
        (0..count).filter(|place| !ours.contains(place)).map(cells).collect()
    };
    let headers = rows.columns.headers().to_vec();
    let mut head = vec![LINE_COLUMN.to_owned(), REASON_COLUMN.to_owned()];
    head.extend(others(&|place| headers.get(place).cloned().unwrap_or_default(), headers.len()));
    out.write_record(&head).map_err(io::Error::other)?;

    let mut found = Vec::with_capacity(lines.len());
    let mut wanted = lines.iter().peekable();
    while let Some(line) = rows.advance()? {
        let Some((_, reason)) = wanted.next_if(|(wanted, _)| *wanted == line) else { continue };
        let record = HireRecord { line, columns: &rows.columns, cells: &rows.cells() };
        let mut reject = why(&record, rows.judge(line, &rules.feed), reason.as_deref());
        if rules.reading {
            super::sql::of_a_row(&mut reject, &record);
        }
        let cells = others(&|place| record.cells.cell(place).to_owned(), record.cells.count());
        let mut digest = Sha256::new();
        for text in cells.iter().chain([&reject.field, &reject.reason]) {
            digest.update(text.as_bytes());
            digest.update([0]);
        }
        let mut row = vec![line.to_string(), said(&reject)];
        row.extend(cells);
        if rows.flaw.as_ref().is_some_and(Flaw::is_marked) {
            row.resize(row.len().max(head.len()), String::new());
            row.push(NOT_A_ROW.to_owned());
        }
        out.write_record(&row).map_err(io::Error::other)?;
        found.push(Rejected { reject, digest: hex(&digest.finalize()) });
    }
    out.flush()?;
    drop(out);
    if rows.finish() != sha256 || wanted.peek().is_some() {
        return Err(Unreadable::File("the file changed while it was read".to_owned()));
    }
    Ok(found)
}

fn said(reject: &Reject) -> String {
    let place = if reject.field.is_empty() { &reject.column } else { &reject.field };
    if place.is_empty() { reject.reason.clone() } else { format!("{place}: {}", reject.reason) }
}

fn why(record: &HireRecord<'_>, judged: Result<Hire, Box<Bad>>, reason: Option<&str>) -> Reject {
    let whole = |reason: &str| Reject {
        line: record.line,
        employee_id: None,
        column: record.columns.header(Field::EmployeeId).to_owned(),
        field: Field::EmployeeId.as_str().to_owned(),
        reason: reason.to_owned(),
    };
    match (reason, judged) {
        (Some(reason), _) => whole(reason),
        (None, Err(bad)) => bad.reject,
        (None, Ok(hire)) => Reject {
            line: record.line,
            employee_id: None,
            column: record.columns.header(Field::StartDate).to_owned(),
            field: Field::StartDate.as_str().to_owned(),
            reason: no_such_day(&hire.start),
        },
    }
}

fn no_such_day(start: &Start) -> String {
    let zone = start.zone.as_ref().map_or("", |zone| zone.as_str());
    format!("the day {} cannot be served in {zone}: its clocks have no such day, or it lies too far away", start.date)
}
