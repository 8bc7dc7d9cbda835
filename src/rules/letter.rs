//! Hire and pass in, the words of one letter out.
//!
//! The only file that looks inside a [`Code`], and it does so last: templates are rendered with a
//! mark where the code stands, and the code is put there afterwards, in a buffer that is wiped. So
//! no template engine ever holds it. The subject and the first [`QUIET`] characters of each part never
//! hold the code: they are what a locked phone shows.
//!
//! Reading order: the facts below, `code` (where the code may stand), `plain` (what becomes of names),
//! `seen` (what a reader sees of HTML), `moment` (times as people write them). Headers and encodings
//! are made in `mail/message.rs`.

mod code;
mod moment;
mod plain;
mod seen;

use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use zeroize::Zeroizing;

use super::attempt::Code;
use super::calendar::Zone;
use super::hire::MailAddress;
use code::{CODE_MAX, MARK, put_code, readable};
use moment::{day, moment};
use plain::name_or;
use seen::visible;

pub use code::QUIET;
pub use plain::plain;

/// A letter with a code that works.
#[derive(Debug, Clone)]
pub struct PassLetter {
    /// The one recipient.
    pub to: MailAddress,
    /// For the greeting, may be empty.
    pub manager_name: String,
    /// The feed's name for the hire, else the directory's; never empty in a good letter.
    pub hire_name: String,
    /// What the hire signs in as (UPN); empty leaves the line out.
    pub user: String,
    /// The start, in [`Self::zone`] (an instant).
    pub start: DateTime<Utc>,
    /// The hire's zone: every time in the letter is in it.
    pub zone: Zone,
    /// Usable from.
    pub valid_from: DateTime<Utc>,
    /// Usable until.
    pub valid_until: DateTime<Utc>,
    /// Made without a start: the code works from the moment the letter is read.
    pub usable_at_once: bool,
    /// Usable once; registration then ends 10 minutes after signing in.
    pub one_time: bool,
    /// An earlier letter held a code, which is worth nothing now.
    pub earlier: bool,
    /// `mail.help`: whom to ask.
    pub help: Option<String>,
    /// `hire-pass@domain`, with or without angle brackets; the same for the same pass.
    pub message_id: String,
}

/// A letter that says: the code you got is void.
#[derive(Debug, Clone)]
pub struct VoidLetter {
    /// Whoever got the letter with the code.
    pub to: MailAddress,
    /// For the greeting, may be empty.
    pub manager_name: String,
    /// As in the letter with the code.
    pub hire_name: String,
    /// What happens next.
    pub why: VoidWhy,
    /// `mail.help`: whom to ask.
    pub help: Option<String>,
    /// As in [`PassLetter::message_id`].
    pub message_id: String,
}

/// Why a code is void, and with that what happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoidWhy {
    /// The start was withdrawn: nothing follows.
    Cancelled,
    /// Another start: a new code follows that morning.
    Moved {
        /// The new start as [`super::calendar::local_text`] writes it.
        start: String,
    },
    /// Somebody else is the manager now and gets the new code.
    NewManager,
    /// Anything else: a new code follows if one is still due.
    Other,
}

/// Subject and bodies. Not `Debug`, `Clone` or `Serialize`: the bodies may hold a code.
pub struct Letter {
    /// The one recipient.
    pub to: MailAddress,
    /// One line, without a code.
    pub subject: String,
    /// `text/plain`, LF line ends.
    pub text: Zeroizing<String>,
    /// `text/html`, complete without images or anything remote.
    pub html: Zeroizing<String>,
    /// `hire-pass@domain`, without angle brackets.
    pub message_id: String,
}

/// Why there is no letter. A pass whose letter cannot be written must be deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// A template does not render.
    #[error("the template {template} does not render: {why}")]
    Template {
        /// The template's name.
        template: &'static str,
        /// minijinja's words; they hold no values.
        why: String,
    },
    /// A template shows the code never, or more than once.
    #[error("the template {template} must show the code exactly once, it does so {times} times")]
    CodeNotOnce {
        /// The template's name.
        template: &'static str,
        /// How often.
        times: usize,
    },
    /// The code would be seen without opening the letter.
    #[error("the code would stand in the subject or in the first {QUIET} characters of {template}")]
    CodeTooEarly {
        /// The template's name.
        template: &'static str,
    },
    /// Not something that can be read to a person.
    #[error("the code is empty, longer than {CODE_MAX} characters, or holds blanks or control characters")]
    CodeUnreadable,
}

/// The templates.
pub struct Letters {
    env: Environment<'static>,
}

/// One letter's pair of templates.
struct Pair {
    text_name: &'static str,
    text: &'static str,
    html_name: &'static str,
    html: &'static str,
}

const PASS: Pair = Pair {
    text_name: "pass.txt",
    text: include_str!("letter/pass.txt"),
    html_name: "pass.html",
    html: include_str!("letter/pass.html"),
};

const VOID: Pair = Pair {
    text_name: "void.txt",
    text: include_str!("letter/void.txt"),
    html_name: "void.html",
    html: include_str!("letter/void.html"),
};

impl Letters {
    /// The letters that come with the program, in English.
    pub fn built_in() -> Self {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "txt")) => AutoEscape::None,
            Some(_) | None => AutoEscape::Html,
        });
        // Only delimiters can be wrong in a syntax, and these are the usual ones.
        env.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .unwrap_or_default(),
        );
        Self { env }
    }

    /// The letter with the code.
    ///
    /// # Errors
    /// [`LetterError`]; the pass must then be deleted, as nobody will ever learn its code.
    pub fn pass(&self, letter: &PassLetter, code: &Code) -> Result<Letter, LetterError> {
        let hire = name_or(&letter.hire_name, "your new colleague");
        let subject = if letter.earlier {
            format!("New sign-in code for {hire}, the earlier one is void")
        } else {
            format!("First sign-in of {hire}, start {}", day(letter.start, &letter.zone))
        };
        let values = context! {
            subject => &subject,
            manager => plain(&letter.manager_name),
            hire => &hire,
            user => plain(&letter.user),
            start => moment(letter.start, &letter.zone),
            valid_from => moment(letter.valid_from, &letter.zone),
            valid_until => moment(letter.valid_until, &letter.zone),
            at_once => letter.usable_at_once,
            one_time => letter.one_time,
            earlier => letter.earlier,
            help => letter.help.as_deref().map(plain).unwrap_or_default(),
            code => MARK.to_string(),
        };
        let (text, html) = self.render(&PASS, &values)?;
        let revealed = code.reveal();
        readable(revealed)?;
        if subject.contains(revealed) {
            return Err(LetterError::CodeTooEarly { template: "the subject" });
        }
        Ok(Letter {
            to: letter.to.clone(),
            subject,
            text: put_code(PASS.text_name, &text, &text, revealed, false)?,
            html: put_code(PASS.html_name, &html, &visible(&html), revealed, true)?,
            message_id: bare(&letter.message_id),
        })
    }

    /// The letter that says that an earlier code is void.
    ///
    /// # Errors
    /// [`LetterError::Template`] only.
    pub fn void(&self, letter: &VoidLetter) -> Result<Letter, LetterError> {
        let hire = name_or(&letter.hire_name, "your new colleague");
        let subject = format!("The sign-in code for {hire} is void");
        let (why, new_start) = match &letter.why {
            VoidWhy::Cancelled => ("cancelled", String::new()),
            VoidWhy::Moved { start } => ("moved", plain(start)),
            VoidWhy::NewManager => ("new-manager", String::new()),
            VoidWhy::Other => ("other", String::new()),
        };
        let values = context! {
            subject => &subject,
            manager => plain(&letter.manager_name),
            hire => &hire,
            why => why,
            new_start => new_start,
            help => letter.help.as_deref().map(plain).unwrap_or_default(),
        };
        let (text, html) = self.render(&VOID, &values)?;
        Ok(Letter {
            to: letter.to.clone(),
            subject,
            text: Zeroizing::new(text),
            html: Zeroizing::new(html),
            message_id: bare(&letter.message_id),
        })
    }

    fn render(&self, pair: &Pair, values: &Value) -> Result<(String, String), LetterError> {
        let one = |template: &'static str, source: &'static str| {
            self.env
                .render_named_str(template, source, values.clone())
                .map_err(|error| LetterError::Template { template, why: error.to_string() })
        };
        Ok((one(pair.text_name, pair.text)?, one(pair.html_name, pair.html)?))
    }
}

/// The Message-ID of a pass's letter: the same pass has the same one, whoever sends it how often.
///
/// ```
/// use firstpass::rules::letter::message_id;
/// assert_eq!(message_id(12, 34, "contoso.example"), "12-34@contoso.example");
/// ```
pub fn message_id(hire: i64, pass: i64, domain: &str) -> String {
    format!("{hire}-{pass}@{domain}")
}

fn bare(message_id: &str) -> String {
    message_id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

#[cfg(test)]
mod tests;
