//! `man`: the manual pages, made from the same definition as `--help`.
//!
//! One page goes to standard output; `--out DIR` writes the page of every command, for packagers.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::end::{End, Trouble};
use super::out::Out;

/// Which pages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page of one command, as in `man hire show`; the main page when none is named.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    of: Vec<String>,
    /// Write the pages of all commands into this folder, which is made when it is missing.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes the pages.
pub fn man(args: &Args, command: clap::Command, out: Out) -> Result<End, Trouble> {
    // The version of the zone data says something about this machine, not about the program.
    let mut command = command.version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    command.build();
    match &args.out {
        Some(folder) => {
            let pages = pages(&command)?;
            write_all(folder, &pages).map_err(|error| {
                Trouble::Failed(format!("{}: {error}; name a folder that this user may write to", folder.display()))
            })?;
            out.lines([format!("{} pages are written to {}", pages.len(), folder.display())])?;
        }
        None => out.own_words(&page(&named(&command, &args.of)?)?)?,
    }
    Ok(End::Done)
}

/// A subcommand by its words.
fn named(command: &clap::Command, words: &[String]) -> Result<clap::Command, Trouble> {
    let mut found = command;
    for word in words {
        found = found.find_subcommand(word).ok_or_else(|| {
            let known: Vec<_> = found.get_subcommands().map(clap::Command::get_name).collect();
            let known = if known.is_empty() { "no commands below it".to_owned() } else { known.join(", ") };
            Trouble::Usage(format!("man {}: {} has {known}", words.join(" "), found.get_name()))
        })?;
    }
    Ok(found.clone())
}

/// File name and text of every page; `firstpass-hire-show.1` for `firstpass hire show`.
fn pages(command: &clap::Command) -> Result<Vec<(String, Vec<u8>)>, Trouble> {
    let mut pages = vec![(file_name(command), page(command)?)];
    for below in command.get_subcommands() {
        pages.extend(self::pages(below)?);
    }
    Ok(pages)
}

fn file_name(command: &clap::Command) -> String {
    format!("{}.1", command.get_display_name().unwrap_or(command.get_name()))
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Trouble> {
    let source = concat!("firstpass ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).source(source).manual("firstpass").date("");
    let mut text = Vec::new();
    page.render(&mut text)?;
    // What stands below the options in --help is one: with it, what the exit status means.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA", ".SH EXAMPLE");
    Ok(text.chars().map(in_roff).collect::<String>().into_bytes())
}

/// groff reads ASCII unless it is told otherwise (groff_char(7)).
fn in_roff(c: char) -> String {
    if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) }
}

fn write_all(folder: &Path, pages: &[(String, Vec<u8>)]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in pages {
        OpenOptions::new().write(true).create(true).truncate(true).open(folder.join(name))?.write_all(text)?;
    }
    Ok(())
}
