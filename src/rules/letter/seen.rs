//! What a reader sees of an HTML part, for the rule that no preview shows the code.

/// What a reader sees of an HTML part: what stands behind `<body`, without tags, blanks folded.
pub(super) fn visible(html: &str) -> String {
    let body = html.find("<body").and_then(|at| html.get(at..)).unwrap_or(html);
    let mut seen = String::new();
    let mut in_tag = false;
    for c in body.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            c if c.is_whitespace() => {
                if !seen.ends_with(' ') && !seen.is_empty() {
                    seen.push(' ');
                }
            }
            c => seen.push(c),
        }
    }
    seen
}
