//! By which character the columns of a file are separated.
//!
//! Decided by the header alone, the only row whose words are known: the delimiter under which most
//! of them are headers that mean something. A first line `sep=;`, as Excel reads and some systems
//! write it, decides by itself and is no row. Read on in `rules::headers`.

use std::collections::BTreeMap;

use super::csv::Unreadable;
use crate::rules::headers::{LINE_COLUMN, is_known};

/// What may stand between two columns; the first wins where nothing else decides.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Blank lines looked past in search of the header.
const BLANK: usize = 100;

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between two columns.
    pub(crate) delimiter: u8,
    /// The first line is `sep=…`.
    pub(crate) sep_line: bool,
}

impl Dialect {
    /// Of the files that we write ourselves.
    pub(crate) const OURS: Self = Self { delimiter: b',', sep_line: false };
}

/// Looks at the start of the decoded file; `named` is `columns` of the feed.
///
/// # Errors
/// [`Unreadable`]: a `sep=` line that names something else.
pub(crate) fn recognise(head: &[u8], named: &BTreeMap<String, String>) -> Result<Dialect, Unreadable> {
    if let Some(named) = separator(first_line(head)) {
        return match DELIMITERS.into_iter().find(|known| named.first() == Some(known)) {
            Some(delimiter) => Ok(Dialect { delimiter, sep_line: true }),
            None => Err(Unreadable::File(
                "the first line says sep= and names no delimiter that is known; write sep=, or sep=; or leave that line out. \
                 Nothing was taken"
                    .to_owned(),
            )),
        };
    }
    if let Some(delimiter) = ours(head) {
        return Ok(Dialect { delimiter, sep_line: false });
    }
    let delimiter = DELIMITERS.into_iter().rev().max_by_key(|delimiter| score(head, *delimiter, named)).unwrap_or(b',');
    Ok(Dialect { delimiter, sep_line: false })
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

/// `sep=;`, `"sep=;"` or `sep=;;;;`, in any case: what stands behind the sign.
fn separator(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (word, rest) = (line.get(..4)?, line.get(4..)?);
    let rest = rest.strip_suffix(b"\"").unwrap_or(rest);
    // A header that only begins so (`sep=arate,…`) is none.
    let alike = rest.iter().all(|byte| Some(byte) == rest.first());
    (word.eq_ignore_ascii_case(b"sep=") && alike).then_some(rest)
}

/// What stands behind the first header of a file of rejected rows: no other header of it may decide.
fn ours(head: &[u8]) -> Option<u8> {
    let head = head.strip_prefix(b"\"").unwrap_or(head).strip_prefix(LINE_COLUMN.as_bytes())?;
    let next = head.strip_prefix(b"\"").unwrap_or(head).first()?;
    DELIMITERS.iter().copied().find(|delimiter| delimiter == next)
}

/// How many headers are known, then how many there are at all.
fn score(head: &[u8], delimiter: u8, named: &BTreeMap<String, String>) -> (usize, usize) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
    let mut record = csv::ByteRecord::new();
    for _ in 0..BLANK {
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            break;
        }
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        let known = record.iter().filter(|cell| is_known(&String::from_utf8_lossy(cell), named)).count();
        return (known, record.len());
    }
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> char {
        char::from(recognise(head.as_bytes(), &[("site".to_owned(), "Wo, genau".to_owned())].into()).unwrap().delimiter)
    }

    #[test]
    fn the_delimiter_under_which_most_headers_are_known() {
        assert_eq!(of("WorkerID,HireDate"), ',');
        assert_eq!(of("WorkerID;HireDate\n1;2027-03-01"), ';');
        assert_eq!(of("WorkerID\tHireDate\r\n"), '\t');
        assert_eq!(of("WorkerID|HireDate"), '|');
        assert_eq!(of("\"Name, first\";\"a,b,c,d,e\";WorkerID;HireDate"), ';');
        assert_eq!(of("Notes a,b,c,d;WorkerID;HireDate"), ';');
        assert_eq!(of("\"Worker;ID\",\"Hire|Date\",x"), ',');
        assert_eq!(of("Wo, genau;Personalnummer"), ';');
        assert_eq!(of("\n;;;\nWorkerID;HireDate\n"), ';');
        assert_eq!(of("\"firstpass_line\",\"firstpass_reason\",\"x;WorkerID;HireDate;City;Zone;Site\""), ',');
        assert_eq!(of("firstpass_line;firstpass_reason;WorkerID;HireDate"), ';', "saved again by a spreadsheet");
        assert_eq!(of("a;b;c"), ';', "for the sentence about unknown headers");
        assert_eq!(of("a"), ',');
        assert_eq!(of(""), ',');
    }

    #[test]
    fn excels_first_line_decides() {
        for (line, delimiter) in [("sep=;", b';'), ("SEP=|", b'|'), ("\"sep=\t\"", b'\t'), ("sep=,", b',')] {
            let found = recognise(format!("{line}\r\nWorkerID,HireDate;x").as_bytes(), &BTreeMap::new()).unwrap();
            assert_eq!(found, Dialect { delimiter, sep_line: true });
        }
        assert!(recognise(b"sep=:\n", &BTreeMap::new()).is_err());
        assert!(recognise(b"sep=\n", &BTreeMap::new()).is_err());
        assert!(!recognise(b"sep=arate,WorkerID", &BTreeMap::new()).unwrap().sep_line);
    }
}
