//! Any table, written in any way that the contract knows, is read back the same; and no bytes whatever
//! make the reader panic, hang, or lose a row without a word (F28–F30, F38, F41, F42).

use std::collections::BTreeMap;
use std::io::Write as _;

use chrono::NaiveDate;
use encoding_rs::Encoding;
use firstpass::feed::csv::{Reading, Rules, Unreadable, read, rejected};
use firstpass::rules::dates::DateFormat;
use firstpass::rules::staged::StagedRow;
use proptest::prelude::*;

use super::{at, feed, rules};

fn reading_rules(label: &str, date_format: &str) -> Rules {
    let mut feed = feed("hr", "/nowhere".into());
    feed.encoding = Encoding::for_label(label.as_bytes());
    feed.date_format = DateFormat::parse(date_format).ok();
    Rules::of(&feed, &rules())
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn staged(bytes: &[u8], rules: &Rules) -> Result<(Reading, Vec<StagedRow>), Unreadable> {
    let mut rows = Vec::new();
    let reading = read(file(bytes), rules, at("2027-02-01T00:00:00Z"), |batch| {
        rows.extend(batch.rows);
        true
    })?;
    Ok((reading, rows))
}

/// How a table is written.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "what a writer of CSV may do or leave")]
struct Style {
    delimiter: char,
    end: &'static str,
    quote_all: bool,
    sep_line: bool,
    bom: bool,
    /// `""` is UTF-8.
    encoding: &'static str,
    date_format: &'static str,
    last_end: bool,
    blank_lines: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let dialect = (prop::sample::select(vec![',', ';', '\t', '|']), prop::sample::select(vec!["\n", "\r\n", "\r"]));
    let encoding = prop::sample::select(vec!["", "utf-16le", "utf-16be", "windows-1252", "gb18030", "shift_jis"]);
    let dates = prop::sample::select(vec!["", "%d/%m/%Y", "%m.%d.%Y", "%Y%m%d", "%e %B %Y"]);
    (dialect, encoding, dates, any::<[bool; 5]>()).prop_map(|((delimiter, end), encoding, date_format, flags)| Style {
        delimiter,
        end,
        quote_all: flags[0],
        sep_line: flags[1],
        // The others have none; without one, UTF-16 shows itself.
        bom: flags[2] && (encoding.is_empty() || encoding.starts_with("utf-16")),
        encoding,
        date_format,
        last_end: flags[3],
        blank_lines: flags[4],
    })
}

#[derive(Debug, Clone)]
struct Person {
    name: String,
    note: String,
    day: NaiveDate,
}

/// Letters that every encoding of the styles has, and what CSV makes hard.
fn person() -> impl Strategy<Value = Person> {
    let day = (0_u64..3000).prop_map(|n| NaiveDate::from_ymd_opt(2027, 2, 2).unwrap() + chrono::Days::new(n));
    let hard = r#"[a-zA-Z0-9 ,;|"'=+@._-]{0,30}"#;
    (hard, r#"[a-z ,;|"\t\r\n]{0,60}"#, day).prop_map(|(name, note, day)| Person {
        name: name.trim().to_owned(),
        note,
        day,
    })
}

impl Style {
    fn cell(&self, text: &str) -> String {
        let hard = text.contains([self.delimiter, '"', '\r', '\n']) || text.starts_with("sep=");
        if self.quote_all || hard { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    }

    fn row(&self, cells: &[&str]) -> String {
        cells.iter().map(|cell| self.cell(cell)).collect::<Vec<_>>().join(&self.delimiter.to_string())
    }

    /// The file, and the line of each person as an editor counts.
    fn write(&self, people: &[Person], odd: &str) -> (Vec<u8>, Vec<u64>) {
        let mut text = String::new();
        if self.sep_line {
            text = format!("sep={}{}", self.delimiter, self.end);
        }
        text += &self.row(&["Employee ID", "Notes, or; what|ever", "Display Name", "Hire Date", "Country"]);
        let mut lines = Vec::new();
        for (n, person) in people.iter().enumerate() {
            text += self.end;
            if self.blank_lines && n % 2 == 0 {
                text += self.end;
            }
            lines.push(count_lines(&text));
            let day = if self.date_format.is_empty() {
                person.day.to_string()
            } else {
                person.day.format(self.date_format).to_string()
            };
            text += &self.row(&[&format!("E{n}"), &person.note, &format!("{odd}{}", person.name), &day, "DE"]);
        }
        if self.last_end {
            text += self.end;
        }
        (self.encode(&text), lines)
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        let bom = if self.bom { "\u{feff}" } else { "" };
        let text = format!("{bom}{text}");
        match self.encoding {
            "" => text.into_bytes(),
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            label => {
                let (bytes, _, lost) = Encoding::for_label(label.as_bytes()).unwrap().encode(&text);
                assert!(!lost, "{label} {text:?}");
                bytes.into_owned()
            }
        }
    }

    /// A letter that is not ASCII and that the encoding has.
    fn odd(&self) -> &'static str {
        match self.encoding {
            "windows-1252" => "Zoë ",
            "shift_jis" => "表ソ ",
            _ => "李 Łż ",
        }
    }
}

/// As an editor counts: CRLF, LF and CR each end a line.
fn count_lines(text: &str) -> u64 {
    let ends = text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count();
    u64::try_from(ends).unwrap() + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_table_in_any_dialect_and_encoding_is_read_back_the_same(
        style in style(),
        people in prop::collection::vec(person(), 0..12),
    ) {
        let (bytes, lines) = style.write(&people, style.odd());
        let rules = reading_rules(style.encoding, style.date_format);
        let (reading, rows) = staged(&bytes, &rules).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(usize::try_from(reading.rows), Ok(people.len()));
        prop_assert_eq!(rows.len(), people.len());
        for (n, (row, person)) in rows.iter().zip(&people).enumerate() {
            let (hire, _) = row.facts.as_ref().ok_or_else(|| TestCaseError::fail(format!("row {n} was rejected")))?;
            prop_assert_eq!(u64::try_from(row.line).unwrap(), lines[n]);
            prop_assert_eq!(&hire.employee_id, &format!("E{n}"));
            let name = format!("{}{}", style.odd(), person.name);
            prop_assert_eq!(hire.display_name.as_str(), name.trim());
            prop_assert_eq!(hire.start.date, person.day);
        }
    }

    #[test]
    fn any_bytes_lose_no_row(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        header in prop::sample::select(vec!["", "employee_id,start_date,zone\n", "sep=;\nWorkerID;HireDate;Country\r\n", "\u{feff}EMPID\tHIREDATE\r"]),
        label in prop::sample::select(vec!["", "windows-1252", "shift_jis", "utf-16le", "iso-2022-jp"]),
    ) {
        loses_no_row(&[header.as_bytes(), &bytes].concat(), &reading_rules(label, ""))?;
    }

    #[test]
    fn bytes_like_a_table_lose_no_row(
        text in r#"(([0-9]{1,2}|E1|2027-03-01|DE|"|""|,|;|\r|\n|\r\n|x|é){0,6},){0,30}"#,
        header in prop::sample::select(vec!["employee_id,start_date,country\n", "employee_id,start_date,country,\n"]),
    ) {
        loses_no_row(format!("{header}{text}").as_bytes(), &reading_rules("", ""))?;
    }
}

/// Rows read = rows staged, each on a line of its own; each bad one is in the file of rejected rows, and
/// that file, dropped again, is read with all of them.
fn loses_no_row(bytes: &[u8], rules: &Rules) -> Result<(), TestCaseError> {
    let (reading, rows) = match staged(bytes, rules) {
        Ok(read) => read,
        Err(unreadable) => {
            prop_assert!(!unreadable.to_string().is_empty());
            return Ok(());
        }
    };
    prop_assert_eq!(usize::try_from(reading.rows), Ok(rows.len()));
    prop_assert!(rows.is_sorted_by(|a, b| a.line < b.line));
    let seen: BTreeMap<i64, bool> = rows.iter().map(|row| (row.line, row.facts.is_some())).collect();
    let bad: Vec<(u64, Option<String>)> =
        seen.iter().filter(|(_, good)| !**good).map(|(line, _)| (u64::try_from(*line).unwrap(), None)).collect();
    let mut out = Vec::new();
    let found = rejected(file(bytes), rules, &reading.sha256, &bad, &mut out)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(
        found.iter().map(|row| row.reject.line).collect::<Vec<_>>(),
        bad.iter().map(|row| row.0).collect::<Vec<_>>()
    );
    if !bad.is_empty() {
        let (again, rows) = staged(&out, rules).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(again.correction);
        prop_assert_eq!(rows.len(), bad.len(), "{}", String::from_utf8_lossy(&out));
    }
    Ok(())
}
