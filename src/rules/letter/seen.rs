//! What a reader sees of an HTML part: for the rules that the code is text in the body and stands in
//! no preview, and for what a mail program would fetch.

/// Elements whose content is never shown as text.
const SILENT: [&str; 5] = ["head", "style", "script", "title", "template"];

/// The text of the body: without tags, comments and styles, an entity as one character, blanks folded.
pub(super) fn visible(html: &str) -> String {
    let mut seen = String::new();
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        if c == '<' {
            let (tag, after) = tag(rest);
            let name = tag_name(tag);
            rest = if SILENT.contains(&name.as_str()) { behind_end_of(&name, after) } else { after };
        } else if c == '&' {
            let (shown, after) = entity(rest);
            push(shown, &mut seen);
            rest = after;
        } else {
            push(c, &mut seen);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    seen
}

fn push(c: char, seen: &mut String) {
    if !c.is_whitespace() {
        seen.push(c);
    } else if !seen.is_empty() && !seen.ends_with(' ') {
        seen.push(' ');
    }
}

/// A tag or comment from its `<` to its end, and what stands behind it.
fn tag(from: &str) -> (&str, &str) {
    let end = if from.starts_with("<!--") {
        from.find("-->").map(|at| at + 3)
    } else {
        let mut quote = None;
        from.char_indices().find_map(|(at, c)| {
            match (quote, c) {
                (None, '>') => return Some(at + 1),
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None | Some(_), _) => {}
            }
            None
        })
    };
    from.split_at_checked(end.unwrap_or(from.len())).unwrap_or((from, ""))
}

/// `style` of `<style …>`; empty for end tags and comments.
fn tag_name(tag: &str) -> String {
    tag.chars().skip(1).take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn behind_end_of<'h>(name: &str, html: &'h str) -> &'h str {
    let end = format!("</{name}");
    let lower = html.to_ascii_lowercase();
    lower.find(&end).and_then(|at| html.get(at..)).map_or("", |from| tag(from).1)
}

/// The longest entity worth looking for.
const ENTITY: usize = 32;

fn entity(from: &str) -> (char, &str) {
    let known = from
        .char_indices()
        .skip(1)
        .take(ENTITY)
        .take_while(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '#' | ';'))
        .find(|(_, c)| *c == ';');
    let Some((at, _)) = known else { return ('&', from.get(1..).unwrap_or_default()) };
    let shown = match from.get(..=at) {
        Some("&nbsp;") => ' ',
        Some(_) | None => '?',
    };
    (shown, from.get(at + 1..).unwrap_or_default())
}

/// What a mail program would fetch or run, in lower case, and what it is.
const FETCHED: [(&str, &str); 14] = [
    ("<script", "a script"),
    ("javascript:", "a script"),
    ("<img", "a picture"),
    ("background=", "a picture"),
    ("url(", "remote content in a style"),
    ("@import", "a remote style"),
    ("<link", "a remote style"),
    ("<iframe", "a frame"),
    ("<object", "an object"),
    ("<embed", "an object"),
    ("<video", "a film"),
    ("<audio", "a sound"),
    ("<form", "a form"),
    ("http-equiv", "a header of its own"),
];

/// Lines (from 1) that hold something that mail programs block or strip, and what it is.
pub(super) fn fetched(html: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (n, line) in html.lines().enumerate() {
        let line = line.to_ascii_lowercase();
        found.extend(FETCHED.iter().find(|(word, _)| line.contains(word)).map(|(_, what)| (n + 1, *what)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_text_of_the_body() {
        let html = "<!doctype html><html><head><title>T</title><style>p > b {}</style></head>\n<body class=\"a>b\">\
                    <!-- no > one --> <p>One&nbsp;&amp;\n two</p><style>x{}</style>three &c</body></html>";
        assert_eq!(visible(html).trim(), "One ? twothree &c");
    }

    #[test]
    fn broken_html_ends() {
        for html in ["<", "<p", "<!--", "&", "&amp", "a<b", "<style>", "<p class='", "ü<ü>&ü;"] {
            visible(html);
        }
        assert_eq!(visible("plain"), "plain");
    }

    #[test]
    fn what_is_fetched_is_named_with_its_line() {
        let html = "<p>\n<IMG src='x'>\n<td style=\"background:URL(x)\">\n<a href=\"https://aka.ms\">x</a>";
        assert_eq!(fetched(html), [(2, "a picture"), (3, "remote content in a style")]);
    }
}
