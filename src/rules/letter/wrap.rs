//! Lines of the text part: short enough for every mail program that shows text.
//!
//! Templates are written with a paragraph on a line; a line that grew too long is broken at blanks,
//! and goes on below its own text: behind the dash of a list, behind the label of a table.

use textwrap::{Options, WordSeparator, WordSplitter};

/// Columns. RFC 5322 asks for no more.
pub(super) const WIDTH: usize = 78;

/// Breaks what is longer than [`WIDTH`]; words that are longer themselves, and the line that holds
/// `whole`, stay as they are.
pub(super) fn wrapped(text: &str, whole: char) -> String {
    let mut lines = String::with_capacity(text.len() + 64);
    for line in text.trim_end().lines() {
        let line = line.trim_end();
        if line.contains(whole) || line.chars().count() <= WIDTH {
            lines.push_str(line);
        } else {
            break_up(line, &mut lines);
        }
        lines.push('\n');
    }
    lines
}

fn break_up(line: &str, lines: &mut String) {
    let hang = hanging(line);
    let (lead, rest) = line.char_indices().nth(hang).map_or((line, ""), |(at, _)| line.split_at(at));
    let blanks = " ".repeat(hang);
    let options = Options::new(WIDTH)
        .initial_indent(lead)
        .subsequent_indent(&blanks)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    lines.push_str(&textwrap::fill(rest, options));
}

/// Where the text of a line begins: behind blanks, `- ` or `1. `, or a label with a colon and two blanks.
fn hanging(line: &str) -> usize {
    let text = line.trim_start();
    let blanks = line.chars().count() - text.chars().count();
    let word = text.split(' ').next().unwrap_or_default();
    let number = word.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    if number || matches!(word, "-" | "*" | "•") {
        return blanks + word.chars().count() + 1;
    }
    let label = text.split_once(":  ").map(|(label, rest)| {
        let gap = rest.chars().count() - rest.trim_start().chars().count();
        blanks + label.chars().count() + 3 + gap
    });
    label.filter(|column| *column <= WIDTH / 2).unwrap_or(blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_below_their_text() {
        let filler = "word ".repeat(20);
        for lead in ["", "  - ", "  12. ", "    Gültig ab:    ", "    "] {
            let text = wrapped(&format!("{lead}{filler}"), '#');
            let column = lead.chars().count();
            for (n, line) in text.lines().enumerate() {
                assert!(line.chars().count() <= WIDTH, "{line}");
                let blanks = line.chars().take_while(|c| *c == ' ').count();
                assert!(n == 0 || blanks == column, "{lead:?}: {text}");
            }
        }
    }

    #[test]
    fn nothing_else_changes() {
        let url = format!("https://contoso.example/{}", "x".repeat(100));
        for same in ["short\n\n  - a\n", &format!("{url}\n"), &format!("{} #\n", "code ".repeat(30).trim_end())] {
            assert_eq!(wrapped(same, '#'), same);
        }
        assert_eq!(wrapped("a  \n\n\n", '#'), "a\n");
    }
}
