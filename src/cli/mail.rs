//! `mail`: letters without a hire that waits for them. Read on in [`super::preview`].

use std::path::Path;

use clap::Subcommand;

use super::end::{End, Trouble};
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
}

/// Does it.
pub async fn act(act: Act, config: &Path, out: Out) -> Result<End, Trouble> {
    match act {
        Act::Preview(args) => preview::preview(&args, config, out).await,
    }
}
