//! `mail`: letters without a hire that waits for them. Read on in [`super::preview`] and
//! [`super::mail_test`].

use std::path::Path;

use clap::Subcommand;

use super::end::{End, Trouble};
use super::mail_test;
use super::out::Out;
use super::preview;

/// What of letters.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Writes the letters as files, with an invented code, to look at them before anybody gets one.
    #[command(
        after_help = "Example: firstpass mail preview --language de --out /tmp/letters\n\nExit status: 0 written, 1 a letter cannot be written, 78 settings or templates unusable."
    )]
    Preview(preview::Args),
    /// Sends a test letter without a pass, and says step by step what was done.
    #[command(
        after_help = "Example: firstpass mail test me@contoso.example\n\nExit status: 0 accepted, 1 it was not, with the step that failed and the fix, 78 settings unusable."
    )]
    Test(mail_test::Args),
}

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    match act {
        Act::Preview(args) => preview::preview(&args, config, out).await,
        Act::Test(args) => mail_test::test(&args, config, out).await,
    }
}
