//! A CSV file → staged rows, and again → the rows that were rejected.
//!
//! The file is read from an open descriptor, row by row, in bounded memory; nothing here writes the
//! state. What makes the whole file unreadable is an [`Unreadable`] with a sentence; what concerns
//! one row is a [`Bad`] row and the others go in. Read on in `rules::record`.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::guarded::{Guarded, hex};
use crate::config;
use crate::rules::calendar::{NoMorning, Schedule, first_look, morning};
use crate::rules::headers::{Columns, Field, HeaderError, LINE_COLUMN, REASON_COLUMN};
use crate::rules::hire::{Hire, Start};
use crate::rules::intake::{Age, first_seen, is_past};
use crate::rules::record::{Bad, Cells, FeedRules, HireRecord, Reject, parse};
use crate::rules::staged::{Batch, StagedRow, StagedStart, Verdict};

/// A feed names the people of one company; more rows than this is something else.
const ROWS: u64 = 1_000_000;
/// Rows handed on at once: a statement of this many is fast on both engines.
const BATCH: usize = 200;
/// Distinct starts remembered; a file that names more computes some twice.
const STARTS: usize = 20_000;

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
            },
            schedule: rules.schedule.clone(),
            age: Age { late_until: rules.schedule.late_until, recent: feed.recent },
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
}

impl Cells for csv::StringRecord {
    fn cell(&self, place: usize) -> &str {
        self.get(place).unwrap_or_default()
    }
    fn count(&self) -> usize {
        self.len()
    }
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
    let mut stager = Stager { rules, now, starts: HashMap::new(), next: 0, batch: Batch::default() };
    let mut count: u64 = 0;
    while let Some(line) = rows.advance()? {
        count += 1;
        if count > ROWS {
            return Err(Unreadable::File(format!("the file has more than {ROWS} rows; nothing was taken")));
        }
        let record = HireRecord { line, columns: &rows.columns, cells: &rows.record };
        stager.push(parse(&record, &rules.feed), line);
        if stager.batch.rows.len() >= BATCH && !take(std::mem::take(&mut stager.batch)) {
            return Err(Unreadable::File("reading was stopped".to_owned()));
        }
    }
    if !stager.batch.rows.is_empty() && !take(stager.batch) {
        return Err(Unreadable::File("reading was stopped".to_owned()));
    }
    let correction = !rows.columns.ours().is_empty();
    Ok(Reading { sha256: rows.finish(), rows: count, correction })
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
/// `firstpass_line` and `firstpass_reason`. A reason of `None` is what [`parse`] says of the row.
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
        let record = HireRecord { line, columns: &rows.columns, cells: &rows.record };
        let reject = why(&record, rules, reason.as_deref());
        let cells = others(&|place| rows.record.cell(place).to_owned(), rows.record.len());
        let mut digest = Sha256::new();
        for text in cells.iter().chain([&reject.field, &reject.reason]) {
            digest.update(text.as_bytes());
            digest.update([0]);
        }
        let mut row = vec![line.to_string(), said(&reject)];
        row.extend(cells);
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
    if reject.column.is_empty() { reject.reason.clone() } else { format!("{}: {}", reject.field, reject.reason) }
}

fn why(record: &HireRecord<'_>, rules: &Rules, reason: Option<&str>) -> Reject {
    let whole = |reason: &str| Reject {
        line: record.line,
        column: record.columns.header(Field::EmployeeId).to_owned(),
        field: Field::EmployeeId.as_str().to_owned(),
        reason: reason.to_owned(),
    };
    match (reason, parse(record, &rules.feed)) {
        (Some(reason), _) => whole(reason),
        (None, Err(bad)) => bad.reject,
        (None, Ok(hire)) => Reject {
            line: record.line,
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

/// The records of a file behind its header.
struct Rows {
    reader: csv::Reader<Guarded>,
    columns: Columns,
    record: csv::StringRecord,
}

impl Rows {
    fn open(file: File, rules: &Rules) -> Result<Self, Unreadable> {
        sniff(&file)?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(64 * 1024)
            .from_reader(Guarded::new(file)?);
        let mut rows = Self { reader, columns: Columns::default(), record: csv::StringRecord::new() };
        if rows.advance()?.is_none() {
            return Err(Unreadable::File("the file is empty: it has not even a header".to_owned()));
        }
        let headers: Vec<String> = rows.record.iter().map(str::to_owned).collect();
        if headers.iter().any(|header| header.chars().any(char::is_control)) {
            return Err(Unreadable::File(
                "the header has a control character; write the file anew as CSV in UTF-8".to_owned(),
            ));
        }
        only_commas(&headers)?;
        rows.columns = Columns::find(&headers, &rules.feed.columns)?;
        Ok(rows)
    }

    /// The next record that is not blank, and its line.
    fn advance(&mut self) -> Result<Option<u64>, Unreadable> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return self.whole().map(|()| None),
                Err(error) => return Err(self.broken(&error)),
            }
            let line = self.reader.get_mut().next_line();
            if self.record.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(Some(line));
            }
        }
    }

    fn whole(&self) -> Result<(), Unreadable> {
        match self.reader.get_ref().open_quote() {
            None => Ok(()),
            Some(line) => Err(Unreadable::File(format!(
                "a quote that opens in the record on line {line} never closes: the file seems to be cut off. Nothing was taken"
            ))),
        }
    }

    fn broken(&mut self, error: &csv::Error) -> Unreadable {
        if let Some(fault) = self.reader.get_ref().fault() {
            return Unreadable::File(fault.to_owned());
        }
        let line = self.reader.get_mut().next_line();
        match error.kind() {
            csv::ErrorKind::Utf8 { .. } => {
                Unreadable::File(format!("line {line} is not UTF-8; export the file as UTF-8. Nothing was taken"))
            }
            csv::ErrorKind::Io(source) => Unreadable::Io(io::Error::new(source.kind(), source.to_string())),
            _ => Unreadable::File(format!("line {line} is no CSV: {error}")),
        }
    }

    fn finish(self) -> String {
        self.reader.into_inner().sha256()
    }
}

/// What a file is that is no CSV in UTF-8, by its first bytes.
fn sniff(file: &File) -> Result<(), Unreadable> {
    let mut first = [0_u8; 4];
    let n = file.read_at(&mut first, 0)?;
    let first = first.get(..n).unwrap_or_default();
    let what = if first.starts_with(&[0xFF, 0xFE]) || first.starts_with(&[0xFE, 0xFF]) {
        "is UTF-16; export it as UTF-8"
    } else if first.starts_with(b"PK\x03\x04") {
        "is a zip archive or a workbook; export it as CSV"
    } else if first.starts_with(&[0x1F, 0x8B]) {
        "is a gzip archive; unpack it first"
    } else {
        return Ok(());
    };
    Err(Unreadable::File(format!("the file {what}. Nothing was taken")))
}

fn only_commas(headers: &[String]) -> Result<(), Unreadable> {
    let [only] = headers else { return Ok(()) };
    for (delimiter, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        if only.contains(delimiter) {
            return Err(Unreadable::File(format!(
                "the columns are separated by {name}; export the file with commas. Nothing was taken"
            )));
        }
    }
    Ok(())
}

/// The instants of a start: its number, and the start instant.
type Known = Result<(i64, Option<DateTime<Utc>>), NoMorning>;

struct Stager<'a> {
    rules: &'a Rules,
    now: DateTime<Utc>,
    starts: HashMap<Start, Known>,
    next: i64,
    batch: Batch,
}

impl Stager<'_> {
    fn push(&mut self, row: Result<Hire, Box<Bad>>, line: u64) {
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        let staged = match row {
            Ok(hire) => self.good(hire, line),
            Err(bad) => self.bad(bad.employee_id.unwrap_or_default(), bad.date, line),
        };
        self.batch.rows.push(staged);
    }

    fn good(&mut self, hire: Hire, line: i64) -> StagedRow {
        match self.instants(&hire.start) {
            Ok((start, start_at)) => {
                let verdict = first_seen(&hire, start_at, &self.rules.age, self.now).into();
                let (employee_id, alike) = (hire.employee_id.clone(), alike(&hire));
                StagedRow { line, employee_id, alike, verdict, facts: Some((hire, start)) }
            }
            Err(NoMorning::ZoneUnknown | NoMorning::NoSuchDay | NoMorning::OutOfRange) => {
                self.bad(hire.employee_id, Some(hire.start.date), line)
            }
        }
    }

    fn bad(&self, employee_id: String, date: Option<chrono::NaiveDate>, line: i64) -> StagedRow {
        let past = date.is_some_and(|date| is_past(date, None, &self.rules.age, self.now));
        let verdict = if past && !employee_id.is_empty() { Verdict::BadPast } else { Verdict::Bad };
        StagedRow { line, employee_id, alike: line, verdict, facts: None }
    }

    fn instants(&mut self, start: &Start) -> Known {
        if let Some(known) = self.starts.get(start) {
            return *known;
        }
        let known = self.compute(start);
        if self.starts.len() >= STARTS {
            self.starts.clear();
        }
        self.starts.insert(start.clone(), known);
        known
    }

    fn compute(&mut self, start: &Start) -> Known {
        let schedule = &self.rules.schedule;
        let morning = match morning(start, schedule.send_at) {
            Ok(morning) => Some(morning),
            Err(NoMorning::ZoneUnknown) if start.zone.is_none() => None,
            Err(error) => return Err(error),
        };
        let late = TimeDelta::from_std(schedule.late_until).unwrap_or(TimeDelta::MAX);
        self.next += 1;
        self.batch.starts.push(StagedStart {
            id: self.next,
            start: start.clone(),
            window_until: morning.as_ref().and_then(|morning| morning.start.checked_add_signed(late)),
            look_at: morning.as_ref().map(|morning| first_look(morning, schedule, self.now)),
            morning,
        });
        Ok((self.next, morning.map(|morning| morning.start)))
    }
}

/// Equal for rows whose fields say the same. Not keyed: who can write one row can write the other.
fn alike(hire: &Hire) -> i64 {
    let mut hasher = DefaultHasher::new();
    hire.hash(&mut hasher);
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}
