//! What a mail server's refusal means for the one who must act on it.
//!
//! One variant per thing the caller does differently (design 5). Texts quote the server, cut, on one
//! line, with addresses masked, and never a word of the letter or the password.

use std::error::Error;
use std::io;
use std::time::Duration;

use lettre::transport::smtp;

use crate::rules::words;

/// Why a letter did not go out, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFailure {
    /// Login, TLS or the sender is refused: the same for every letter, so mailing stops.
    #[error("{0}")]
    Stopped(String),
    /// A token is refused: the same with a new one, once, then as [`Self::Stopped`].
    #[error("{0}")]
    TokenRefused(String),
    /// Not now; nothing was accepted.
    #[error("{0}")]
    Unreachable(String),
    /// Not before so long; nothing was accepted.
    #[error("{why}")]
    Busy {
        /// What was said.
        why: String,
        /// The patience that was asked for.
        wait: Duration,
    },
    /// This recipient is refused for good.
    #[error("{0}")]
    RecipientRefused(String),
    /// This recipient is refused for now.
    #[error("{0}")]
    RecipientLater(String),
    /// This letter is refused for good; it was not accepted.
    #[error("{0}")]
    LetterRefused(String),
    /// This letter is refused for now; it was not accepted.
    #[error("{0}")]
    LetterLater(String),
    /// The connection was lost after the final dot, or Graph's answer to the letter: the same letter
    /// with the same Message-ID again, not before so long.
    #[error("{why}")]
    Lost {
        /// What was seen instead of an answer.
        why: String,
        /// Zero = at once.
        wait: Duration,
    },
}

/// How far a letter had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// TCP, implicit TLS, greeting, EHLO.
    Connect,
    /// STARTTLS and the handshake.
    Starttls,
    /// AUTH with a password.
    Login,
    /// AUTH with a token.
    Token,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, before a byte of the letter.
    Data,
    /// The letter, before its final dot was handed to the connection.
    Letter,
    /// The final dot was handed to the connection.
    Dot,
}

/// What went wrong at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server said no.
    Refused {
        /// Three digits.
        code: u16,
        /// Its words.
        words: String,
    },
    /// No TLS, or not with the right server.
    Tls(String),
    /// The connection failed, or what came was no answer.
    Network(String),
    /// Nothing came for so long.
    Silent(Duration),
    /// We cannot go on with this server, e.g. no common way to sign in.
    Unfit(String),
}

impl Trouble {
    /// lettre's errors say by `status` and by their sources what they are, hardly by their kind.
    pub(super) fn of(error: &smtp::Error) -> Self {
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(code) = error.status() {
            return Self::Refused { code: u16::from(code), words };
        }
        if let Some(tls) = tls_cause(error) {
            return Self::Tls(tls);
        }
        if error.is_client() {
            return Self::Unfit(words);
        }
        Self::Network(if words.is_empty() { error.to_string() } else { words })
    }

    /// A kept connection that shows this has died in its idle time.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Network(_) | Self::Silent(_) | Self::Refused { code: 421, .. } => true,
            Self::Refused { .. } | Self::Tls(_) | Self::Unfit(_) => false,
        }
    }

    /// Sorted by what to do next. `server` is `host:port`; words of `secrets` are never quoted.
    pub(super) fn sort(&self, step: Step, server: &str, secrets: &[&str]) -> MailFailure {
        let text = format!("the mail server {server} {}", self.sentence(step, secrets));
        let code = match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Tls(_) | Self::Network(_) | Self::Silent(_) | Self::Unfit(_) => None,
        };
        match step {
            Step::Token if matches!(self, Self::Refused { code: 500.., .. }) => MailFailure::TokenRefused(text),
            Step::Connect | Step::Starttls | Step::Login | Step::Token | Step::Sender => match self {
                Self::Refused { code: 500.., .. } | Self::Tls(_) | Self::Unfit(_) => MailFailure::Stopped(text),
                Self::Refused { .. } | Self::Network(_) | Self::Silent(_) => MailFailure::Unreachable(text),
            },
            _later if self.concerns_us() => MailFailure::Stopped(text),
            Step::Recipient => match code {
                Some(500..) => MailFailure::RecipientRefused(text),
                Some(421) | None => MailFailure::Unreachable(text),
                Some(_) => MailFailure::RecipientLater(text),
            },
            Step::Data => match code {
                Some(500..) => MailFailure::LetterRefused(text),
                Some(421) | None => MailFailure::Unreachable(text),
                Some(_) => MailFailure::LetterLater(text),
            },
            Step::Letter => MailFailure::Unreachable(text),
            Step::Dot => match code {
                Some(500..) => MailFailure::LetterRefused(text),
                Some(400..) => MailFailure::LetterLater(text),
                Some(_) | None => MailFailure::Lost { why: text, wait: Duration::ZERO },
            },
        }
    }

    /// Some servers say only at RCPT or DATA what they hold against our login or sender: authentication
    /// required (530, 535), bad sender (5.1.7, 5.1.8), no right to send as it (Exchange's 5.7.60).
    fn concerns_us(&self) -> bool {
        let Self::Refused { code, words } = self else { return false };
        let enhanced = words.split_whitespace().next().unwrap_or_default();
        matches!(code, 530 | 535) || (*code >= 500 && matches!(enhanced, "5.1.7" | "5.1.8" | "5.7.60"))
    }

    fn sentence(&self, step: Step, secrets: &[&str]) -> String {
        let remedy = match (step, self) {
            (_, Self::Tls(_)) => {
                "; check mail.smtp.host, mail.smtp.port and mail.smtp.tls, and name a private certificate authority in mail.smtp.ca_file"
            }
            (Step::Login, Self::Refused { code: 500.., words }) if passwords_ended(words) => {
                "; this server takes no passwords: write mail.smtp.auth = \"xoauth2\" or mail.via = \"graph\""
            }
            (Step::Login, Self::Refused { code: 500.., .. }) => {
                "; check mail.smtp.username and mail.smtp.password_file"
            }
            (Step::Token, Self::Refused { code: 500.., .. }) => {
                "; check that mail.smtp.username is the mailbox, that SMTP AUTH is enabled for it, and that the app may send as it (SMTP.SendAsApp)"
            }
            (Step::Token, Self::Unfit(_)) => "; mail.smtp.auth = \"xoauth2\" is for smtp.office365.com and its like",
            (Step::Login, Self::Unfit(_)) => "; check mail.smtp.auth and mail.smtp.tls",
            (Step::Sender, Self::Refused { code: 500.., .. }) => {
                "; check mail.from, and whether this login may send as it"
            }
            (
                Step::Connect | Step::Starttls | Step::Login | Step::Token | Step::Sender,
                Self::Refused { code: ..=499, .. },
            ) => "; by its number that is for now: ask again in some minutes, as the service does by itself",
            (Step::Connect, _) => "; check mail.smtp.host and mail.smtp.port",
            (Step::Starttls | Step::Login | Step::Token | Step::Sender, Self::Network(_) | Self::Silent(_)) => {
                "; ask again in some minutes, as the service does by itself; the server's own log says more"
            }
            _no_remedy => "",
        };
        let what = match self {
            Self::Refused { code, words } => format!("refused {}: {code} {}", step.name(), quoted(words, secrets)),
            Self::Tls(why) => format!("cannot be trusted: {}", quoted(why, secrets)),
            Self::Network(why) => format!("was lost at {}: {}", step.name(), quoted(why, secrets)),
            Self::Silent(time) => format!("said nothing for {} ms at {}", time.as_millis(), step.name()),
            Self::Unfit(why) => format!("does not fit at {}: {}", step.name(), quoted(why, secrets)),
        };
        what + remedy
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "the connection",
            Self::Starttls => "STARTTLS",
            Self::Login => "the login",
            Self::Token => "the login with a token",
            Self::Sender => "the sender",
            Self::Recipient => "the recipient",
            Self::Data | Self::Letter => "the letter",
            Self::Dot => "the end of the letter",
        }
    }
}

/// Exchange Online without passwords: for good (5.7.30), or for this tenant or mailbox (5.7.139).
fn passwords_ended(words: &str) -> bool {
    words.split_whitespace().next().is_some_and(|enhanced| matches!(enhanced, "5.7.30" | "5.7.139"))
}

/// A TLS error hides below an I/O error.
fn tls_cause(error: &smtp::Error) -> Option<String> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(tls.to_string());
        }
        source = cause.source();
    }
    None
}

/// A server's words are shown so far; more is a page of advice.
const WORDS_MAX: usize = 300;
/// Shorter words are no secrets.
const SECRET_MIN: usize = 6;

/// Foreign words on one line: addresses masked, words that stand in a secret left out.
fn quoted(words: &str, secrets: &[&str]) -> String {
    let mut line = String::new();
    for word in words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if bare.chars().count() >= SECRET_MIN && secrets.iter().any(|secret| secret.contains(bare)) {
            line.push('…');
        } else {
            words::mask_word(word, &mut line);
        }
        if line.chars().count() > WORDS_MAX {
            line = line.chars().take(WORDS_MAX).chain(['…']).collect();
            break;
        }
    }
    line
}

/// The server's words on success, as a receipt shows them.
pub(super) fn receipt_words(words: &str, secrets: &[&str]) -> String {
    quoted(words, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, words: &str) -> Trouble {
        Trouble::Refused { code, words: words.to_owned() }
    }

    #[test]
    fn what_each_answer_means_f56_f57() {
        use MailFailure as F;
        let sort = |code, words: &str, step| refused(code, words).sort(step, "mx:587", &[]);
        assert!(matches!(sort(421, "busy", Step::Connect), F::Unreachable(_)));
        assert!(matches!(sort(554, "go away", Step::Connect), F::Stopped(_)));
        assert!(matches!(sort(454, "no TLS now", Step::Starttls), F::Unreachable(_)));
        assert!(matches!(sort(535, "5.7.8 no", Step::Login), F::Stopped(_)));
        assert!(matches!(sort(454, "4.7.0 later", Step::Login), F::Unreachable(_)));
        assert!(matches!(sort(553, "5.7.1 not owned", Step::Sender), F::Stopped(_)));
        assert!(matches!(sort(451, "4.3.0 later", Step::Sender), F::Unreachable(_)));
        assert!(matches!(sort(550, "5.1.1 unknown", Step::Recipient), F::RecipientRefused(_)));
        assert!(matches!(sort(450, "4.2.0 greylisted", Step::Recipient), F::RecipientLater(_)));
        assert!(matches!(sort(421, "bye", Step::Recipient), F::Unreachable(_)));
        assert!(matches!(sort(530, "5.7.0 sign in", Step::Recipient), F::Stopped(_)));
        assert!(matches!(sort(554, "5.6.0 spam", Step::Dot), F::LetterRefused(_)));
        assert!(matches!(sort(550, "5.7.60 no right to send as", Step::Dot), F::Stopped(_)));
        assert!(matches!(sort(451, "4.7.1 later", Step::Dot), F::LetterLater(_)));
        assert!(matches!(sort(421, "bye", Step::Dot), F::LetterLater(_)));
        let lost = Trouble::Network("reset".to_owned());
        assert!(matches!(lost.sort(Step::Data, "mx:587", &[]), F::Unreachable(_)));
        assert!(matches!(lost.sort(Step::Letter, "mx:587", &[]), F::Unreachable(_)));
        assert!(matches!(lost.sort(Step::Dot, "mx:587", &[]), F::Lost { wait: Duration::ZERO, .. }));
        assert!(matches!(sort(535, "5.7.3 Authentication unsuccessful", Step::Token), F::TokenRefused(_)));
        assert!(matches!(sort(454, "4.7.0 Temporary server error", Step::Token), F::Unreachable(_)));
    }

    #[test]
    fn words_of_a_server_are_quoted_safely() {
        assert_eq!(quoted("5.1.1 <mia@contoso.example>: unknown", &[]), "5.1.1 <…@contoso.example>: unknown");
        assert_eq!(quoted("a\r\nb\u{1b}[2J c", &[]), "a b [2J c");
        assert_eq!(quoted("found K7x9-Qp2m in it", &["Code: K7x9-Qp2m\n"]), "found … in it");
        assert!(quoted(&"x y ".repeat(500), &[]).chars().count() <= WORDS_MAX + 1);
    }

    #[test]
    fn sentences_name_the_remedy() {
        let text = |trouble: Trouble, step| trouble.sort(step, "mx.contoso.example:587", &[]).to_string();
        let all = [
            text(refused(535, "5.7.8 authentication failed"), Step::Login),
            text(refused(550, "5.7.30 Basic authentication is not supported for Client Submission."), Step::Login),
            text(refused(535, "5.7.3 Authentication unsuccessful [FR0P281CA0001]"), Step::Token),
            text(Trouble::Unfit("it does not offer XOAUTH2".to_owned()), Step::Token),
            text(refused(550, "5.1.1 <mia@contoso.example> unknown"), Step::Recipient),
            text(refused(553, "5.7.1 not owned by user"), Step::Sender),
            text(Trouble::Tls("invalid peer certificate: UnknownIssuer".to_owned()), Step::Connect),
            text(Trouble::Network("Connection refused (os error 111)".to_owned()), Step::Connect),
            text(Trouble::Silent(Duration::from_secs(30)), Step::Connect),
            text(Trouble::Network("incomplete response".to_owned()), Step::Dot),
            text(refused(454, "4.7.0 Temporary authentication failure"), Step::Login),
            text(refused(421, "4.3.2 Service not available"), Step::Connect),
            text(Trouble::Silent(Duration::from_secs(30)), Step::Sender),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
