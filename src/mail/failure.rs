//! What a mail server's refusal means for the one who must act on it.
//!
//! One variant per thing the caller does differently (design 5). Texts quote the server, cut and
//! without control characters, and never a word of the letter or the password.

/// Why a letter did not go out, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFailure {
    /// Login, TLS or the sender is refused: the same for every letter, so mailing stops.
    #[error("{0}")]
    Stopped(String),
    /// Not now; nothing was accepted.
    #[error("{0}")]
    Unreachable(String),
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
    /// The connection was lost after the final dot: the same letter with the same Message-ID again.
    #[error("{0}")]
    Lost(String),
}
