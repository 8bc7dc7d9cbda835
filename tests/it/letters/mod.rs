//! Letters of an admin's own, letters to look at, and letters in a browser.

use firstpass::rules::letter::{Letters, TemplateFile};

mod manual;
mod pictures;
mod preview;
mod stories;
mod templates;

/// A small letter that is in order.
const TEXT: &str = "Subject: Code for {{ hire }}, {{ start_date }}\n\nDear {{ manager }},\n\n\
    this is the letter about {{ hire }}, who starts on {{ start }}. Please hand the code over yourself.\n\n\
    Code:\n\n    {{ code }}\n\nFrom {{ valid_from }} until {{ valid_until }}.\n\
    {% if one_time %}Once.{% else %}Often.{% endif %}\n{% if earlier %}The earlier code is void.{% endif %}\n";
const HTML: &str = "<!doctype html>\n<html><head><title>{{ subject }}</title></head>\n<body>\n<p>Dear {{ manager }},</p>\n\
    <p>this is the letter about {{ hire }}, who starts on {{ start }}. Please hand the code over yourself.</p>\n\
    <p><code>{{ code }}</code></p>\n<p>From {{ valid_from }} until {{ valid_until }}.\n\
    {% if one_time %}Once.{% else %}Often.{% endif %}\n{% if earlier %}The earlier code is void.{% endif %}</p>\n</body></html>\n";

fn file(name: &str, text: &str) -> TemplateFile {
    TemplateFile { name: name.to_owned(), text: text.to_owned() }
}

/// The faults, one on a line; or the warnings, marked as such.
fn judged(files: &[TemplateFile]) -> String {
    let lines = |faults: &[firstpass::rules::letter::Fault], mark: &str| {
        faults.iter().map(|one| format!("{mark}{}:{}: {}\n", one.file, one.line, one.text)).collect::<Vec<_>>().concat()
    };
    match Letters::with(files, "en") {
        Ok(letters) if letters.warnings().is_empty() => "in order\n".to_owned(),
        Ok(letters) => lines(letters.warnings(), "warning: "),
        Err(faults) => lines(&faults, ""),
    }
}
