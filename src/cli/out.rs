//! The only way to standard output: lines, tables and JSON documents.
//!
//! Data come from files and directories that others write, so nothing reaches a terminal before
//! [`escape`] has made it harmless (T38, F36). Never colours, never prompts.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

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

    /// Columns under their heads; says `nothing` instead of an empty table.
    pub fn table<const N: usize>(self, heads: [&str; N], rows: &[[String; N]], nothing: &str) -> io::Result<()> {
        if rows.is_empty() {
            return self.lines([nothing]);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(heads);
        for row in rows {
            table.add_row(row.iter().map(|cell| escape(cell).into_owned()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.lines(table.lines())
    }
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

/// A line in pieces of at most [`COLUMNS`], broken at blanks, the later ones indented two deeper than it.
///
/// ```
/// use firstpass::cli::out::wrapped;
/// assert_eq!(wrapped("  short"), ["  short"]);
/// let pieces = wrapped(&format!("  {} end", "word ".repeat(16).trim_end()));
/// assert_eq!(pieces[1], "    word end");
/// assert!(pieces.iter().all(|piece| piece.chars().count() <= 80));
/// ```
pub fn wrapped(line: &str) -> Vec<String> {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let mut pieces = vec![];
    let mut piece = " ".repeat(indent);
    let mut empty = true;
    for word in line.trim_start().split(' ') {
        if !empty && piece.chars().count() + 1 + word.chars().count() > COLUMNS {
            pieces.push(std::mem::replace(&mut piece, " ".repeat(indent + 2)));
            empty = true;
        }
        if !empty {
            piece.push(' ');
        }
        piece.push_str(word);
        empty = false;
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_holds_no_control_characters() {
        let text = serde_json::to_string_pretty(&["a\u{9b}31m", "b\u{202e}c", "d\ne"]).unwrap();
        let safe = escape_json(&text);
        assert_eq!(safe, "[\n  \"a\\u009b31m\",\n  \"b\\u202ec\",\n  \"d\\ne\"\n]");
        let back: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, ["a\u{9b}31m", "b\u{202e}c", "d\ne"]);
    }
}
