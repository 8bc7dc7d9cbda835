//! Where accepted letters lie, also those that come without SMTP: from the model tenant's sendMail.

use std::io;
use std::sync::Weak;

use chrono::{DateTime, Utc};

use super::letter::ReceivedLetter;
use super::{Happened, Shared};

/// The mailboxes of a model mail server; they end with it.
#[derive(Clone)]
pub struct Mailroom(pub(super) Weak<Shared>);

impl Mailroom {
    /// Puts a letter there as if it had come by SMTP.
    ///
    /// # Errors
    /// When the server is gone, or its folder cannot be written.
    pub(in crate::sandbox) fn put(
        &self,
        at: DateTime<Utc>,
        from: &str,
        to: Vec<String>,
        raw: Vec<u8>,
    ) -> io::Result<()> {
        let shared = self.0.upgrade().ok_or_else(|| io::Error::other("there are no mailboxes any more"))?;
        let letter = ReceivedLetter {
            from: from.to_owned(),
            to,
            at,
            connection: 0,
            user: Some(from.to_owned()),
            encrypted: true,
            wire: raw.clone(),
            raw,
        };
        shared.keep(letter).map(drop)
    }
}

impl Shared {
    /// Keeps an accepted letter, and says how many there are now.
    pub(super) fn keep(&self, letter: ReceivedLetter) -> io::Result<usize> {
        let folder = self.options().folder;
        let mut state = self.lock();
        let number = state.letter_count + 1;
        let file = folder.as_ref().map(|folder| letter.write(folder, number)).transpose()?;
        state.tell(|| Happened::Letter { letter: letter.clone(), file });
        state.keep(letter);
        Ok(number)
    }
}
