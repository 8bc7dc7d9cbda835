//! `config init` and `config show`. Both come from the parser's own table of keys.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::end::{End, Trouble};
use super::open;
use super::out::Out;

/// What of the settings.
#[derive(Debug, Subcommand)]
pub enum Show {
    /// A commented example on standard output: `firstpass config init > firstpass.toml`.
    Init,
    /// Every setting in force and where it comes from; secrets are named, never shown.
    Show,
}

/// Does it.
pub fn show(what: &Show, config: &Path, out: Out) -> Result<End, Trouble> {
    match what {
        Show::Init => out.lines(crate::config::text::init().lines())?,
        Show::Show => in_force(config, out)?,
    }
    Ok(End::Done)
}

fn in_force(config: &Path, out: Out) -> Result<(), Trouble> {
    let settings = open::settings(config)?;
    if out.is_json() {
        let all: Vec<_> = settings
            .shown
            .iter()
            .map(|shown| json!({"key": shown.key, "value": shown.value, "source": shown.source}))
            .collect();
        return Ok(out.document(&all)?);
    }
    let rows: Vec<_> =
        settings.shown.iter().map(|shown| [shown.key.clone(), shown.value.clone(), shown.source.clone()]).collect();
    Ok(out.table(["KEY", "VALUE", "FROM"], &rows, "nothing is set")?)
}
