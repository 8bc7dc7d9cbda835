//! Words of others in sentences of ours: one line, addresses masked.
//!
//! Events, logs and messages quote servers and name people; none of them shows an address in clear.

/// One line without control characters; what stands before an `@` is left out.
///
/// ```
/// use firstpass::rules::words::masked;
/// assert_eq!(masked("550 <mia@contoso.example>:\r\n no mailbox"), "550 <…@contoso.example>: no mailbox");
/// assert_eq!(masked("an @ alone stays"), "an @ alone stays");
/// ```
pub fn masked(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        mask_word(word, &mut line);
    }
    line
}

/// An error with its causes, in one line.
///
/// ```
/// use firstpass::rules::words::chain;
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(chain(&error), "the disk is full");
/// ```
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        // Some errors say their source in their own text already.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}

/// `<mia@contoso.example>:` → `<…@contoso.example>:`
pub fn mask_word(word: &str, line: &mut String) {
    match word.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => {
            let before = local.rfind(|c| "<(\"'[,;:=".contains(c)).and_then(|at| local.get(..=at)).unwrap_or_default();
            line.push_str(before);
            line.push_str("…@");
            line.push_str(domain);
        }
        Some(_) | None => line.push_str(word),
    }
}
