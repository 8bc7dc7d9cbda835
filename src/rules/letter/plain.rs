//! What becomes of names before they stand in a letter.
//!
//! Names come from HR and directories. They are values, never template text; control characters, line
//! breaks and direction overrides are taken out of them here, and so is the mark of the code.

/// A name in a letter is cut here: the directory allows 256, a line of a letter does not.
pub(super) const NAME_MAX: usize = 100;

/// A value from HR or a directory as one line of text: no control characters, line breaks or direction
/// overrides, at most 100 characters.
///
/// ```
/// use firstpass::rules::letter::plain;
/// assert_eq!(plain(" Ada\r\nBcc: x@evil.example\u{202e} "), "Ada Bcc: x@evil.example");
/// ```
pub fn plain(value: &str) -> String {
    let line = one_line(value);
    if line.chars().count() <= NAME_MAX {
        return line;
    }
    line.chars().take(NAME_MAX.saturating_sub(1)).chain(['…']).collect()
}

/// One line of text, however long: what a header can hold.
pub(super) fn one_line(value: &str) -> String {
    let mut line = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_whitespace() || c.is_control() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !is_hidden(c) {
            line.push(c);
        }
    }
    line.trim().to_owned()
}

/// Characters that change how a line reads without being seen, and the private ones (the mark of the code).
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
}
