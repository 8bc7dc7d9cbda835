//! `completions SHELL`: what a shell completes, made from the same definition as `--help`.

use clap_complete::Shell;

use super::end::{End, Trouble};
use super::out::Out;

/// For which shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Writes the script to standard output.
pub fn completions(args: &Args, mut command: clap::Command, out: Out) -> Result<End, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "firstpass", &mut script);
    out.own_words(&script)?;
    Ok(End::Done)
}
