//! Is an admin's own template good? Looked at before any hire is, with invented facts of every kind.
//!
//! A fault keeps the service from starting: the template does not parse or render, names a variable
//! that there is not, does not end, shows the code never, twice, too early or outside the body, or
//! lets a name become markup. What is only unwise is a warning.

use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind};

use super::seen::fetched;
use super::templates::{HTML, INVENTED, SUBJECT, TEXT, Template, TemplateFile, file_name, split_subject};
use super::tongue::{Moment, Tongue};
use super::values::{Kind, Values, of_pass, of_void};
use super::{LetterError, PassLetter, QUIET, VoidLetter, VoidWhy};
use crate::rules::calendar::Zone;
use crate::rules::hire::MailAddress;

/// What is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `letter.de.html`.
    pub file: String,
    /// From 1, as an editor counts.
    pub line: usize,
    /// What is wrong and what to do.
    pub text: String,
}

fn is_html(file: &str) -> bool {
    file.rsplit('.').next() == Some("html")
}

/// A file's place: kind, language, extension.
type Place = (Kind, Option<String>, &'static str);

/// All templates with what is unwise about them, or all faults.
pub(super) fn read(files: &[TemplateFile], usual: &str) -> Result<(Vec<Template>, Vec<Fault>), Vec<Fault>> {
    let (mut own, mut warnings, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts: BTreeMap<String, &str> = BTreeMap::new();
    let mut places = Vec::new();
    for file in files {
        match place(&file.name) {
            Ok((kind, language, extension)) => {
                texts.insert(file_name(kind, language.as_deref(), extension), &file.text);
                if !places.contains(&(kind, language.clone())) {
                    places.push((kind, language));
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    for (kind, language) in places {
        let [text, html] = ["txt", "html"].map(|extension| file_name(kind, language.as_deref(), extension));
        match (texts.get(&text), texts.get(&html)) {
            (Some(text), Some(html)) => match template(kind, language.as_deref(), usual, text, html) {
                Ok((template, unwise)) => {
                    own.push(template);
                    warnings.extend(unwise);
                }
                Err(found) => faults.extend(found),
            },
            (None, _) => {
                faults.push(fault(&html, 1, format!("{text} is missing: a letter has a text and an HTML part")));
            }
            (_, None) => {
                faults.push(fault(&text, 1, format!("{html} is missing: a letter has a text and an HTML part")));
            }
        }
    }
    if faults.is_empty() { Ok((own, warnings)) } else { Err(faults) }
}

fn fault(file: &str, line: usize, text: String) -> Fault {
    Fault { file: file.to_owned(), line, text }
}

/// `letter.de.html` → its kind, language and extension.
fn place(name: &str) -> Result<Place, Fault> {
    let wrong = |text: String| Err(fault(name, 1, text));
    let mut words: Vec<&str> = name.split('.').collect();
    let extension = match words.pop() {
        Some("txt") => "txt",
        Some("html") => "html",
        Some(_) | None => return wrong("is neither .txt nor .html".to_owned()),
    };
    let stems = Kind::ALL.map(Kind::stem);
    let stem = words.first().copied().unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.stem() == stem) else {
        let near = nearest(stem, stems.iter().copied()).unwrap_or_default();
        let rest = name.strip_prefix(stem).unwrap_or_default();
        let names = stems.map(|stem| format!("{stem}.{extension} and {stem}.LANGUAGE.{extension}")).join(", ");
        return wrong(format!("is no letter of firstpass; did you mean {near}{rest}? Names are {names}"));
    };
    match words.get(1..).unwrap_or_default() {
        [] => Ok((kind, None, extension)),
        [language] if (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase()) => {
            Ok((kind, Some((*language).to_owned()), extension))
        }
        [language] => wrong(format!(
            "{language:?} is no language: write its two or three small letters, without a region, as {stem}.de.{extension}"
        )),
        _ => wrong(format!("has too many dots; write {stem}.LANGUAGE.{extension}")),
    }
}

fn nearest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(known, word);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

fn template(
    kind: Kind,
    language: Option<&str>,
    usual: &str,
    text: &str,
    html: &str,
) -> Result<(Template, Vec<Fault>), Vec<Fault>> {
    let name = |extension| file_name(kind, language, extension);
    let (text_name, html_name) = (name("txt"), name("html"));
    let Some((subject, body)) = split_subject(text) else {
        return Err(vec![fault(
            &text_name,
            1,
            "the first line must be the subject, as Subject: First sign-in of {{ hire }}".to_owned(),
        )]);
    };
    let tongue = Tongue::of(language.unwrap_or(usual));
    let sources = [subject.as_str(), body.as_str(), html];
    let template = Template::new(kind, language.map(str::to_owned), tongue, sources).map_err(|(part, error)| {
        let name = if part == HTML { &html_name } else { &text_name };
        vec![fault(name, error.line().unwrap_or(1), in_words(&error))]
    })?;
    let mut faults = Vec::new();
    for (part, source) in [SUBJECT, TEXT, HTML].into_iter().zip(sources) {
        faults.extend(unknown(&template, part, source));
    }
    if faults.is_empty() {
        faults.extend(trial(&template, &body, html));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut warnings: Vec<Fault> = [TEXT, HTML].into_iter().flat_map(|part| untold(&template, part)).collect();
    warnings.extend(fetched(html).into_iter().map(|(line, what)| {
        fault(
            &html_name,
            line,
            format!("holds {what}: mail programs block it, and it tells others that the letter was opened"),
        )
    }));
    Ok((template, warnings))
}

/// minijinja's words, and ours where they say more.
pub(super) fn in_words(error: &Error) -> String {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::OutOfFuel => "takes too many steps: a loop in a loop?".to_owned(),
        ErrorKind::WriteFailure => {
            let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("{source}; a letter is much shorter")
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
            format!("{detail}; templates have variables, if, for and set, and nothing else")
        }
        _ => detail,
    }
}

/// Variables that there are not.
fn unknown(template: &Template, part: &str, source: &str) -> Vec<Fault> {
    let known = template.kind.variables();
    let mut faults = Vec::new();
    for name in template.asks_for(part) {
        let text = match (part, name.as_str()) {
            (SUBJECT, "code") => {
                "the code must not stand in the subject: it is seen without opening the letter".to_owned()
            }
            (SUBJECT, "subject") => "the subject cannot hold itself".to_owned(),
            _ if known.contains(&name) => continue,
            _ => {
                let near = nearest(&name, known.iter().map(String::as_str)).unwrap_or_default();
                format!("there is no variable {name:?} here; did you mean {near:?}?")
            }
        };
        faults.push(fault(&template.file_of(part), line_of(source, &name), text));
    }
    faults
}

/// The line on which a variable first stands between `{` and `}`.
fn line_of(source: &str, name: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut inside = false;
    let mut rest = source;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        match rest.get(..2) {
            Some("{{" | "{%") => inside = true,
            Some("}}" | "%}") => inside = false,
            Some(_) | None => {}
        }
        if is_word(c) {
            let word: &str = rest.split(|c| !is_word(c)).next().unwrap_or(rest);
            if inside && word == name {
                return line;
            }
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        line += usize::from(c == '\n');
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    1
}

/// Renders every kind of facts; the first fault of each file.
fn trial(template: &Template, text: &str, html: &str) -> Vec<Fault> {
    let (pass, void) = samples();
    let values: Vec<Values> = match template.kind {
        Kind::Pass => pass.iter().map(|letter| of_pass(letter, template.tongue)).collect(),
        Kind::Void => void.iter().map(|letter| of_void(letter, template.tongue)).collect(),
    };
    let mut faults: Vec<Fault> = Vec::new();
    for values in values {
        let Err(found) = one_trial(template, values) else { continue };
        let (file, line, said) = match found {
            LetterError::Template { template, line, why } => {
                let line = line.or_else(|| Some(line_of(html, "autoescape")).filter(|_| is_html(&template)));
                (template, Some(line.unwrap_or(1)), why)
            }
            LetterError::CodeNotOnce { template, times: 0 } => {
                (template, None, "does not show the code; write {{ code }} where it shall stand".to_owned())
            }
            LetterError::CodeNotOnce { template, times } => {
                (template, None, format!("shows the code {times} times; once is enough"))
            }
            LetterError::CodeHidden { template } => (
                template,
                None,
                "must show the code as text in the body, not in an attribute, a comment or the head".to_owned(),
            ),
            LetterError::CodeTooEarly { template } => (
                template,
                None,
                format!("shows the code within the first {QUIET} characters, which a locked phone shows; move it down"),
            ),
            LetterError::CodeUnreadable => continue,
        };
        let source = if is_html(&file) { html } else { text };
        let line = line.unwrap_or_else(|| line_of(source, "code"));
        if !faults.iter().any(|known| known.file == file) {
            faults.push(fault(&file, line, said));
        }
    }
    faults
}

/// What names hold in a trial; in the letter it must not be markup.
const MARKUP: &str = "<firstpass>";

fn one_trial(template: &Template, values: Values) -> Result<(), LetterError> {
    let rendered = template.render(values)?;
    if rendered.subject.is_empty() {
        let why = "the subject is empty".to_owned();
        return Err(LetterError::Template { template: template.file_of(SUBJECT), line: Some(1), why });
    }
    if rendered.html.contains(MARKUP) {
        let why = "puts a name into the letter without escaping it, so a name could become markup; take autoescape out"
            .to_owned();
        let line = None;
        return Err(LetterError::Template { template: template.file_of(HTML), line, why });
    }
    match template.kind {
        Kind::Pass => template.put_code(&rendered, INVENTED).map(drop),
        Kind::Void => Ok(()),
    }
}

/// Contract 6 says what a letter shows.
fn untold(template: &Template, part: &str) -> Vec<Fault> {
    let asked = template.asks_for(part);
    let told = |name: &str| {
        asked.iter().any(|asked| asked.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
    };
    let missing = template.kind.must_tell().iter().filter(|(name, _)| !told(name));
    missing
        .map(|(name, what)| fault(&template.file_of(part), 1, format!("does not say {what}; use {{{{ {name} }}}}")))
        .collect()
}

/// Invented facts: every yes with every no, with short names and with such as try to be markup.
pub(super) fn samples() -> (Vec<PassLetter>, Vec<VoidLetter>) {
    let (Ok(to), Ok(zone)) = (MailAddress::parse("a@b.example"), Zone::parse("Etc/UTC")) else {
        return (Vec::new(), Vec::new());
    };
    let (mut pass, mut void) = (Vec::new(), Vec::new());
    for n in 0..64_u32 {
        let bit = |place: u32| n >> place & 1 == 1;
        // Each weekday: a template may have words of its own for them.
        let at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(i64::from(n % 7));
        let name = |there: bool| if there { MARKUP.to_owned() } else { String::new() };
        let help = bit(3).then(|| MARKUP.to_owned());
        pass.push(PassLetter {
            to: to.clone(),
            manager_name: name(bit(4)),
            hire_name: if bit(4) { MARKUP.to_owned() } else { "A".to_owned() },
            user: name(bit(5)),
            start: at,
            zone: zone.clone(),
            valid_from: at,
            valid_until: at,
            usable_at_once: bit(0),
            one_time: bit(1),
            earlier: bit(2),
            help: help.clone(),
            language: String::new(),
            message_id: "a@b.example".to_owned(),
        });
        let start = Moment::at(at, &zone);
        let why = match n % 4 {
            0 => VoidWhy::Cancelled,
            1 => VoidWhy::Moved { start },
            2 => VoidWhy::NewManager,
            _ => VoidWhy::Other,
        };
        void.push(VoidLetter {
            to: to.clone(),
            manager_name: name(bit(4)),
            hire_name: if bit(5) { MARKUP.to_owned() } else { "A".to_owned() },
            why,
            help,
            language: String::new(),
            message_id: "a@b.example".to_owned(),
        });
    }
    (pass, void)
}
