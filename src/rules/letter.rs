//! Hire and pass in, the words of one letter out.
//!
//! The only room that looks inside a code, and it does so last: templates are rendered with a
//! mark where the code stands, and the code is put there afterwards, in a buffer that is wiped. So
//! no template engine ever holds it. The subject and the first [`QUIET`] characters of each part never
//! hold the code: they are what a locked phone shows.
//!
//! Reading order: the facts below, `templates` (facts and templates → letter), `values` (what a template
//! can say), `tongue` (languages, times), `code` (where the code may stand), `review` (is an admin's
//! own template good?), `plain`, `seen`, `wrap`. Headers and encodings are made in `mail/message.rs`.

mod code;
mod plain;
mod review;
mod seen;
mod templates;
mod tongue;
mod values;
mod wrap;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::calendar::Zone;
use super::hire::MailAddress;

pub use code::QUIET;
pub use plain::plain;
pub use review::Fault;
pub use templates::{INVENTED, Letters, TemplateFile, file_name};
pub use tongue::{Moment, Tongue, primary};
pub use values::Kind;

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
    /// BCP 47 tag of the hire's row, may be empty.
    pub language: String,
    /// `pass.hire-row.digest@domain`, with or without angle brackets; the same for the same pass.
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
    /// As in [`PassLetter::language`].
    pub language: String,
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
        /// The new start.
        start: Moment,
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
    /// `pass.hire-row.digest@domain`, without angle brackets.
    pub message_id: String,
}

/// Why there is no letter. A pass whose letter cannot be written must be deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// A template does not render.
    #[error("the template {template}{} does not render: {why}", at_line(*.line))]
    Template {
        /// File name.
        template: String,
        /// From 1, where it is known.
        line: Option<usize>,
        /// minijinja's words; they hold no values.
        why: String,
    },
    /// A template shows the code never, or more than once.
    #[error("the template {template} must show the code exactly once, it does so {times} times")]
    CodeNotOnce {
        /// File name.
        template: String,
        /// How often.
        times: usize,
    },
    /// The code stands in an attribute, a comment or the head.
    #[error("the template {template} does not show the code as text in the body")]
    CodeHidden {
        /// File name.
        template: String,
    },
    /// The code would be seen without opening the letter.
    #[error("the code would stand in the subject or in the first {QUIET} characters of {template}")]
    CodeTooEarly {
        /// File name.
        template: String,
    },
    /// Not something that can be read to a person.
    #[error("the code is empty, longer than {} characters, or holds blanks or control characters", code::CODE_MAX)]
    CodeUnreadable,
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

/// So much of a digest tells passes apart: 64 bits.
const TELLS_APART: usize = 8;

/// The Message-ID of a pass's letter: the same pass has the same one, whoever sends it how often, and no
/// other has it. Row numbers alone begin anew in another state (after a restore, beside another installation with
/// one sender domain), and servers drop a letter whose id they have seen; so a digest of Graph's id of the
/// pass stands in it, which is text of others and may hold anything.
///
/// ```
/// use firstpass::rules::letter::message_id;
/// let id = message_id(12, 34, "4f8a5c0e", "contoso.example");
/// assert_eq!(id, message_id(12, 34, "4f8a5c0e", "contoso.example"));
/// assert_ne!(id, message_id(12, 34, "0c9d2b7a", "contoso.example"));
/// assert!(id.starts_with("12-34.") && id.ends_with("@contoso.example"));
/// ```
pub fn message_id(hire: i64, pass: i64, graph_id: &str, domain: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(graph_id.as_bytes());
    let mut short = String::with_capacity(2 * TELLS_APART);
    for byte in digest.iter().take(TELLS_APART) {
        let _ = write!(short, "{byte:02x}");
    }
    format!("{hire}-{pass}.{short}@{domain}")
}

#[cfg(test)]
mod tests;
