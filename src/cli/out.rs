//! The only way to standard output: lines, tables and JSON documents.
//!
//! Data come from files and directories that others write, so nothing reaches a terminal before
//! [`escape`] has made it harmless (T38, F36). Never colours, never prompts.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where a command writes what it found.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    /// `json`: the command was asked for one JSON document.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// One JSON document is asked for, and nothing else may be written.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Somebody watches.
    pub fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Lines: a newline inside one is data and is shown as `\n`.
    pub fn lines<L: AsRef<str>>(self, lines: impl IntoIterator<Item = L>) -> io::Result<()> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        for line in lines {
            writeln!(stdout, "{}", escape(line.as_ref()).trim_end())?;
        }
        stdout.flush()
    }

    /// One JSON document.
    pub fn document(self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(document)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", escape_json(&text))?;
        stdout.flush()
    }

    /// A text made of nothing but our own words, as it is: a script, a manual page. Never data.
    pub fn own_words(self, text: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text)?;
        stdout.flush()
    }

    /// One JSON document in one line, for what goes on and on.
    pub fn record(self, record: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(record)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", escape_json(&text))?;
        stdout.flush()
    }

    /// How wide lines may be: the terminal's columns; `None` without one, where nobody wraps them.
    pub fn width(self) -> Option<usize> {
        if !self.is_terminal() {
            return None;
        }
        let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        // Some terminals do not say; and nothing can be read in fewer.
        Some(if columns == 0 { COLUMNS } else { columns.max(NARROWEST) })
    }

    /// Paragraphs: on a terminal each line is broken at blanks, see [`wrapped`]; without one it stays whole.
    pub fn paragraphs<L: AsRef<str>>(self, lines: impl IntoIterator<Item = L>) -> io::Result<()> {
        let Some(width) = self.width() else { return self.lines(lines) };
        self.lines(lines.into_iter().flat_map(|line| wrapped(&escape(line.as_ref()), width)))
    }

    /// Columns under their heads; says `nothing` instead of an empty table.
    pub fn table<const N: usize>(self, heads: [&str; N], rows: &[[String; N]], nothing: &str) -> io::Result<()> {
        self.fitted(heads.map(|head| (head, Fit::Whole)), rows, nothing)
    }

    /// The same, made to fit a terminal: columns give way as their [`Fit`] says. Whole without one.
    pub fn fitted<const N: usize>(
        self,
        columns: [(&str, Fit); N],
        rows: &[[String; N]],
        nothing: &str,
    ) -> io::Result<()> {
        if rows.is_empty() {
            return self.lines([nothing]);
        }
        self.lines(grid(&columns, rows, self.width()))
    }
}

/// How a column gives way where a table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does not.
    Whole,
    /// Its cells are cut, with `…`, down to so many columns.
    Cut(usize),
    /// It is left out; the one with the greatest number first.
    Last(u8),
}

/// Lines of a table, the heads first; each row is one line, whatever `width` says.
pub fn grid<const N: usize>(columns: &[(&str, Fit); N], rows: &[[String; N]], width: Option<usize>) -> Vec<String> {
    let cells: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| escape(cell).into_owned())).collect();
    let widest: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, (head, _))| {
            let widths = cells.iter().filter_map(|row| row.get(place)).map(|cell| cell.width());
            widths.max().unwrap_or(0).max(head.width())
        })
        .collect();
    let fitted = width.map_or_else(|| widest.iter().copied().map(Some).collect(), |width| fit(columns, &widest, width));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let shown = |texts: Vec<&str>| -> Vec<String> {
        texts.into_iter().zip(&fitted).filter_map(|(text, width)| Some(cut(text, (*width)?))).collect()
    };
    table.set_header(shown(columns.iter().map(|(head, _)| *head).collect()));
    for row in &cells {
        table.add_row(shown(row.iter().map(String::as_str).collect()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The width of each column, `None` where it is left out. Between two columns are two blanks.
fn fit<const N: usize>(columns: &[(&str, Fit); N], widest: &[usize], width: usize) -> Vec<Option<usize>> {
    let mut fitted: Vec<Option<usize>> = widest.iter().copied().map(Some).collect();
    let total = |fitted: &[Option<usize>]| fitted.iter().flatten().map(|width| width + 2).sum::<usize>();
    let mut left_out: Vec<(u8, usize)> = columns
        .iter()
        .enumerate()
        .filter_map(|(place, (_, fit))| match fit {
            Fit::Last(order) => Some((*order, place)),
            Fit::Whole | Fit::Cut(_) => None,
        })
        .collect();
    left_out.sort_unstable();
    while total(&fitted) > width + 2 {
        let Some((_, place)) = left_out.pop() else { break };
        if let Some(width) = fitted.get_mut(place) {
            *width = None;
        }
    }
    while total(&fitted) > width + 2 {
        // The one that is farthest above what it needs gives one.
        let spare = |(place, (_, fit)): (usize, &(&str, Fit))| match (fit, fitted.get(place).copied().flatten()) {
            (Fit::Cut(least), Some(width)) if width > *least => Some((width - least, place)),
            (Fit::Whole | Fit::Cut(_) | Fit::Last(_), _) => None,
        };
        let Some((_, place)) = columns.iter().enumerate().filter_map(spare).max() else { break };
        if let Some(Some(width)) = fitted.get_mut(place) {
            *width -= 1;
        }
    }
    fitted
}

/// At most so many columns; wide characters count as the two that they take.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.width().unwrap_or(0) + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Makes control characters visible, and those that turn or hide text.
///
/// ```
/// use firstpass::cli::out::escape;
/// assert_eq!(escape("Zoë O'Neill"), "Zoë O'Neill");
/// assert_eq!(escape("a\u{1b}[2Jb\r\nc"), "a\\u{1b}[2Jb\\r\\nc");
/// assert_eq!(escape("abc\u{202e}fdp"), "abc\\u{202e}fdp");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// The same inside JSON, where only strings can hold such characters.
fn escape_json(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| acts(c) && c != '\n';
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            // All of them lie in the basic plane. Writing to a String cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// C0, DEL, C1; marks that change the direction of text; zero-width and line separators.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Columns of a terminal that nobody widened.
pub const COLUMNS: usize = 80;
/// Nothing can be read in fewer.
const NARROWEST: usize = 40;

/// A line in pieces of at most `width`, broken at blanks; the later ones stand two deeper.
///
/// ```
/// use firstpass::cli::out::wrapped;
/// assert_eq!(wrapped("  short", 80), ["  short"]);
/// let pieces = wrapped("  one two three four five six seven eight nine ten", 40);
/// assert_eq!(pieces, ["  one two three four five six seven", "    eight nine ten"]);
/// ```
pub fn wrapped(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = " ".repeat(line.len() - text.len());
    broken(text, width, &indent, &format!("{indent}  "))
}

/// A text in lines of at most `width` columns, broken at blanks, with what stands before the first line
/// and before the others.
pub fn broken(text: &str, width: usize, first: &str, others: &str) -> Vec<String> {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(others)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_a_terminal_and_stay_whole_without_one() {
        let columns = [("HIRE", Fit::Cut(4)), ("NAME", Fit::Cut(6)), ("STATE", Fit::Whole), ("MANAGER", Fit::Last(1))];
        let row = ["contoso/E1", "Ada Lovelace", "attention", "mia.manager@contoso.example"].map(str::to_owned);
        let lines = |width| grid(&columns, std::slice::from_ref(&row), width);
        assert_eq!(lines(None)[1], "contoso/E1  Ada Lovelace  attention  mia.manager@contoso.example");
        assert_eq!(lines(Some(80)), lines(None));
        assert_eq!(lines(Some(40)), ["HIRE        NAME          STATE", "contoso/E1  Ada Lovelace  attention"]);
        assert_eq!(lines(Some(30))[1], "contoso…  Ada Love…  attention");
        assert_eq!(lines(Some(10))[1], "con…  Ada L…  attention", "never less than it needs");
        let wide = ["E1".to_owned(), "山田太郎山田太郎".to_owned(), "pending".to_owned(), String::new()];
        assert_eq!(grid(&columns, &[wide], Some(24))[1], "E1    山田太郎…  pending");
    }

    #[test]
    fn json_stays_json_and_holds_no_control_characters() {
        let text = serde_json::to_string_pretty(&["a\u{9b}31m", "b\u{202e}c", "d\ne"]).unwrap();
        let safe = escape_json(&text);
        assert_eq!(safe, "[\n  \"a\\u009b31m\",\n  \"b\\u202ec\",\n  \"d\\ne\"\n]");
        let back: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, ["a\u{9b}31m", "b\u{202e}c", "d\ne"]);
    }
}
