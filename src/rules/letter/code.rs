//! Where the code may stand, and how it gets there.
//!
//! Templates render with [`MARK`]; [`put_code`] replaces it in a buffer that is wiped, after it has
//! looked that the code stands exactly once and that no preview shows it.

use zeroize::Zeroizing;

use super::LetterError;
use super::plain::is_hidden;

/// Characters at the start of a part that never hold the code (contract 6).
pub const QUIET: usize = 100;
/// Graph's codes have 8 to 48 characters.
pub(super) const CODE_MAX: usize = 128;
/// Stands for the code while templates render: a private character that `plain` takes out of
/// every value, so only the template can write it.
pub(super) const MARK: char = '\u{F10FF}';

pub(super) fn readable(code: &str) -> Result<(), LetterError> {
    let bad = code.is_empty()
        || code.chars().count() > CODE_MAX
        || code.chars().any(|c| c.is_control() || c.is_whitespace() || is_hidden(c));
    if bad { Err(LetterError::CodeUnreadable) } else { Ok(()) }
}

/// Puts the code where the mark stands, in a buffer that never grows and is wiped when dropped.
/// `seen` is what a reader, and a preview, sees of the part.
pub(super) fn put_code(
    template: &str,
    part: &str,
    seen: &str,
    code: &str,
    escape: bool,
) -> Result<Zeroizing<String>, LetterError> {
    let template = || template.to_owned();
    let times = part.matches(MARK).count();
    let (Some((before, after)), 1) = (part.split_once(MARK), times) else {
        return Err(LetterError::CodeNotOnce { template: template(), times });
    };
    if !seen.contains(MARK) {
        return Err(LetterError::CodeHidden { template: template() });
    }
    let too_early = |text: &str| text.chars().take(QUIET).any(|c| c == MARK);
    let by_chance = |text: &str| text.chars().take(QUIET).collect::<String>().contains(code);
    if too_early(part) || too_early(seen) || by_chance(part) || by_chance(seen) {
        return Err(LetterError::CodeTooEarly { template: template() });
    }
    // `&#x27;` and `&quot;` are the longest of the escapes: six bytes for one.
    let mut whole = Zeroizing::new(String::with_capacity(part.len() + code.len() * 6));
    whole.push_str(before);
    for c in code.chars() {
        match c {
            '&' if escape => whole.push_str("&amp;"),
            '<' if escape => whole.push_str("&lt;"),
            '>' if escape => whole.push_str("&gt;"),
            '"' if escape => whole.push_str("&quot;"),
            '\'' if escape => whole.push_str("&#x27;"),
            plain => whole.push(plain),
        }
    }
    whole.push_str(after);
    Ok(whole)
}
