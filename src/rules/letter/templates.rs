//! Templates: which one a letter is written with, and how it is rendered.
//!
//! A template has three parts: the subject (the first line of the text file, `Subject: …`), the text
//! and the HTML. There are no filters, functions, macros or includes in them, only variables and
//! `if`, `for`, `set`: nothing that could reach outside, run long or grow large. [`FUEL`] and
//! [`PART_MAX`] hold even so.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use zeroize::Zeroizing;

use super::code::{put_code, readable};
use super::plain::one_line;
use super::review::{self, Fault};
use super::seen::visible;
use super::tongue::{Tongue, primary};
use super::values::{Kind, Values, of_pass, of_void};
use super::wrap::wrapped;
use super::{Letter, LetterError, PassLetter, VoidLetter, code::MARK};
use crate::rules::attempt::Code;

/// The code of letters that are only looked at: whoever reads it knows that it is none.
pub const INVENTED: &str = "INVENTED-CODE";
/// Steps of one part; a letter takes some hundred.
const FUEL: u64 = 20_000;
/// Bytes of one rendered part; ours have 5,000.
const PART_MAX: usize = 256 * 1024;
/// Nested loops and calls.
const DEPTH: usize = 32;

/// One file of an admin's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// `letter.de.html`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// All letters that can be written.
#[derive(Debug)]
pub struct Letters {
    own: Vec<Template>,
    built_in: Vec<Template>,
    /// The language of `letter.*`, and of rows that name none.
    usual: String,
    warnings: Vec<Fault>,
}

/// One letter in one language.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) kind: Kind,
    /// `None`: `letter.*`, for every language that has none of its own.
    pub(super) language: Option<String>,
    /// How its times are written.
    pub(super) tongue: Option<Tongue>,
    env: Environment<'static>,
}

/// What came out of a template, the code still a mark.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// The parts of a template, as the environment names them.
pub(super) const SUBJECT: &str = "subject.txt";
pub(super) const TEXT: &str = "text.txt";
pub(super) const HTML: &str = "body.html";

/// Every HTML part has the same frame: how it looks stands once, what it says stands in the language's file.
macro_rules! html {
    ($language:literal, $file:literal) => {
        concat!(
            "<!doctype html>\n<html lang=\"",
            $language,
            "\">\n",
            include_str!("head.html"),
            include_str!(concat!($language, "/", $file)),
            include_str!("foot.html")
        )
    };
}

const BUILT_IN: [(Kind, Tongue, &str, &str); 4] = [
    (Kind::Pass, Tongue::English, include_str!("en/letter.txt"), html!("en", "letter.html")),
    (Kind::Pass, Tongue::German, include_str!("de/letter.txt"), html!("de", "letter.html")),
    (Kind::Void, Tongue::English, include_str!("en/void.txt"), html!("en", "void.html")),
    (Kind::Void, Tongue::German, include_str!("de/void.txt"), html!("de", "void.html")),
];

/// `letter.de.html`, `void.txt`.
///
/// ```
/// use firstpass::rules::letter::{Kind, file_name};
/// assert_eq!(file_name(Kind::Pass, Some("de"), "html"), "letter.de.html");
/// assert_eq!(file_name(Kind::Void, None, "txt"), "void.txt");
/// ```
pub fn file_name(kind: Kind, language: Option<&str>, extension: &str) -> String {
    match language {
        Some(language) => format!("{}.{language}.{extension}", kind.stem()),
        None => format!("{}.{extension}", kind.stem()),
    }
}

impl Letters {
    /// The letters that come with the program; English for whoever names no language that we have.
    pub fn built_in() -> Self {
        Self::of(Vec::new(), "en")
    }

    /// The letters of an admin's own, and ours where there is none. `usual` is the language of
    /// `letter.*` and of rows that name none.
    ///
    /// # Errors
    /// Every fault of every file, with its line; never empty then.
    pub fn with(files: &[TemplateFile], usual: &str) -> Result<Self, Vec<Fault>> {
        let (own, warnings) = review::read(files, usual)?;
        Ok(Self { warnings, ..Self::of(own, usual) })
    }

    fn of(own: Vec<Template>, usual: &str) -> Self {
        let ours = |(kind, tongue, text, html): (Kind, Tongue, &str, &str)| {
            let (subject, body) = split_subject(text)?;
            Template::new(kind, Some(tongue.code().to_owned()), Some(tongue), [&subject, &body, html]).ok()
        };
        let built_in = BUILT_IN.into_iter().filter_map(ours).collect();
        Self { own, built_in, usual: primary(usual), warnings: Vec::new() }
    }

    /// What is allowed in an admin's own templates, and still unwise.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// The languages that there are letters in, built in or of the admin's own, by their codes.
    pub fn languages(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.own.iter().chain(&self.built_in).filter_map(|template| template.language.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The language of the letter with the code that a hire of this language gets; `None`: one that an admin wrote
    /// for all.
    ///
    /// ```
    /// use firstpass::rules::letter::Letters;
    /// assert_eq!(Letters::built_in().language_of("de-AT").as_deref(), Some("de"));
    /// assert_eq!(Letters::built_in().language_of("fr").as_deref(), Some("en"));
    /// ```
    pub fn language_of(&self, language: &str) -> Option<String> {
        self.choose(Kind::Pass, language).ok().and_then(|template| template.language.clone())
    }

    /// Source texts of the letters that come with the program, by file name.
    ///
    /// ```
    /// use firstpass::rules::letter::Letters;
    /// assert!(Letters::sources().any(|file| file.name == "letter.de.txt" && file.text.starts_with("Subject: ")));
    /// ```
    pub fn sources() -> impl Iterator<Item = TemplateFile> {
        BUILT_IN.into_iter().flat_map(|(kind, tongue, text, html)| {
            [("txt", text), ("html", html)].map(|(extension, text)| TemplateFile {
                name: file_name(kind, Some(tongue.code()), extension),
                text: text.to_owned(),
            })
        })
    }

    /// The letter with the code.
    ///
    /// # Errors
    /// [`LetterError`]; the pass must then be deleted, as nobody will ever learn its code.
    pub fn pass(&self, letter: &PassLetter, code: &Code) -> Result<Letter, LetterError> {
        self.with_code(letter, code.reveal())
    }

    /// The same letter with [`INVENTED`] instead of a code: to try it before there is one, or to look at it.
    ///
    /// # Errors
    /// [`LetterError`], as [`Self::pass`] would have it.
    pub fn rehearse(&self, letter: &PassLetter) -> Result<Letter, LetterError> {
        self.with_code(letter, INVENTED)
    }

    fn with_code(&self, letter: &PassLetter, code: &str) -> Result<Letter, LetterError> {
        let template = self.choose(Kind::Pass, &letter.language)?;
        let rendered = template.render(of_pass(letter, template.tongue))?;
        readable(code)?;
        if rendered.subject.contains(code) {
            return Err(LetterError::CodeTooEarly { template: "the subject".to_owned() });
        }
        let (text, html) = template.put_code(&rendered, code)?;
        Ok(Letter {
            to: letter.to.clone(),
            subject: rendered.subject,
            text,
            html,
            message_id: bare(&letter.message_id),
        })
    }

    /// The letter that says that an earlier code is void. Where an admin's own fails on these facts, ours
    /// is taken: whoever holds a dead code is told.
    ///
    /// # Errors
    /// [`LetterError::Template`] only.
    pub fn void(&self, letter: &VoidLetter) -> Result<Letter, LetterError> {
        let write = |template: &Template| template.render(of_void(letter, template.tongue));
        let Rendered { subject, text, html } = match write(self.choose(Kind::Void, &letter.language)?) {
            Ok(rendered) => rendered,
            Err(error) => self.ours(Kind::Void, &primary(&letter.language)).map_or(Err(error), write)?,
        };
        Ok(Letter {
            to: letter.to.clone(),
            subject,
            text: Zeroizing::new(text),
            html: Zeroizing::new(html),
            message_id: bare(&letter.message_id),
        })
    }

    /// Contract 6: `letter.<lang>.*`, else `letter.*`, else ours in that language, else in the usual one.
    fn choose(&self, kind: Kind, language: &str) -> Result<&Template, LetterError> {
        let asked = match primary(language) {
            none if none.is_empty() => self.usual.clone(),
            asked => asked,
        };
        let find = |among, language| find(among, kind, language);
        let own = |language| find(&self.own, language);
        let ours = |language| find(&self.built_in, Some(language));
        own(Some(&asked))
            .or_else(|| own(None))
            .or_else(|| ours(&asked))
            .or_else(|| own(Some(&self.usual)))
            .or_else(|| self.ours(kind, &self.usual))
            .ok_or_else(|| LetterError::Template {
                template: kind.stem().to_owned(),
                line: None,
                why: "it is missing".to_owned(),
            })
    }

    /// The one that comes with the program: in that language, else in the usual one, else in English.
    fn ours(&self, kind: Kind, language: &str) -> Option<&Template> {
        [language, &self.usual, Tongue::English.code()]
            .into_iter()
            .find_map(|language| find(&self.built_in, kind, Some(language)))
    }
}

fn find<'a>(among: &'a [Template], kind: Kind, language: Option<&str>) -> Option<&'a Template> {
    among.iter().find(|template| template.kind == kind && template.language.as_deref() == language)
}

impl Template {
    /// Parses subject, text and HTML. The error comes with the part's name in the environment.
    pub(super) fn new(
        kind: Kind,
        language: Option<String>,
        tongue: Option<Tongue>,
        [subject, text, html]: [&str; 3],
    ) -> Result<Self, (&'static str, minijinja::Error)> {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|name| if name == HTML { AutoEscape::Html } else { AutoEscape::None });
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(DEPTH);
        // Only delimiters can be wrong in a syntax, and these are the usual ones.
        env.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .unwrap_or_default(),
        );
        for (part, source) in [(SUBJECT, subject), (TEXT, text), (HTML, html)] {
            env.add_template_owned(part, source.to_owned()).map_err(|error| (part, error))?;
        }
        Ok(Self { kind, language, tongue, env })
    }

    /// The file that a part came from.
    pub(super) fn file_of(&self, part: &str) -> String {
        file_name(self.kind, self.language.as_deref(), if part == HTML { "html" } else { "txt" })
    }

    /// Names that a part asks for and does not set itself.
    pub(super) fn asks_for(&self, part: &str) -> Vec<String> {
        let asked = self.env.get_template(part).map(|template| template.undeclared_variables(false));
        let mut asked: Vec<String> = asked.unwrap_or_default().into_iter().collect();
        asked.sort();
        asked
    }

    /// Subject, text and HTML. The subject never sees the code.
    pub(super) fn render(&self, mut values: Values) -> Result<Rendered, LetterError> {
        let code = values.remove("code");
        let subject = one_line(&self.render_part(SUBJECT, &values)?);
        values.insert("subject".to_owned(), Value::from(subject.as_str()));
        values.extend(code.map(|code| ("code".to_owned(), code)));
        let text = self.render_part(TEXT, &values)?;
        let text = wrapped(text.trim_start_matches('\n'), MARK);
        Ok(Rendered { subject, text, html: self.render_part(HTML, &values)? })
    }

    fn render_part(&self, part: &str, values: &Values) -> Result<String, LetterError> {
        let failed = |error: &minijinja::Error| LetterError::Template {
            template: self.file_of(part),
            line: error.line(),
            why: review::in_words(error),
        };
        let template = self.env.get_template(part).map_err(|error| failed(&error))?;
        let mut paper = Paper(Vec::new());
        template.render_captured_to(Value::from_pairs(values.clone()), &mut paper).map_err(|error| failed(&error))?;
        // minijinja writes whole pieces of text.
        Ok(String::from_utf8_lossy(&paper.0).into_owned())
    }

    /// The text and the HTML with the code in them.
    pub(super) fn put_code(
        &self,
        rendered: &Rendered,
        code: &str,
    ) -> Result<(Zeroizing<String>, Zeroizing<String>), LetterError> {
        let Rendered { text, html, .. } = rendered;
        Ok((
            put_code(&self.file_of(TEXT), text, text, code, false)?,
            put_code(&self.file_of(HTML), html, &visible(html), code, true)?,
        ))
    }
}

/// Takes [`PART_MAX`] bytes and no more.
struct Paper(Vec<u8>);

impl io::Write for &mut Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PART_MAX {
            return Err(io::Error::other(format!("grows past {} KiB", PART_MAX / 1024)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The subject's template, and the text's with as many lines as the file has.
pub(super) fn split_subject(text: &str) -> Option<(String, String)> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (label, subject) = first.split_once(':')?;
    label.trim().eq_ignore_ascii_case("subject").then(|| (subject.trim().to_owned(), format!("\n{rest}")))
}

fn bare(message_id: &str) -> String {
    message_id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}
