//! The commands of contract 2: words in, texts or JSON out, an exit status at the end.
//!
//! [`main`] is all that `main.rs` calls. Each command group has a file: [`run`], [`check`], [`plan`],
//! [`import`], [`feed`], [`hire`] (with [`story`] for `hire show`), [`config`]. [`out`] is the only
//! way to a terminal, [`end`] the only place that knows exit statuses. No command ever prints the
//! code of a pass: none of them can get hold of one.

pub mod check;
pub mod cohort;
pub mod completions;
pub mod config;
pub mod end;
pub mod feed;
pub mod health;
pub mod hire;
pub mod import;
mod logs;
pub mod mail;
pub mod mail_test;
pub mod man;
pub mod notify;
pub mod open;
pub mod out;
pub mod plan;
pub mod preview;
mod privacy;
mod progress;
mod reload;
pub mod run;
pub mod sandbox;
pub mod state;
pub mod story;

/// What they say of hires and feeds, notices say, too.
pub use crate::work::{standing as rhythm, words};

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{DEFAULT_PATH, tz_versions};
use crate::heap::heap;
use end::{End, Trouble};
use out::Out;

/// Makes a Microsoft Entra Temporary Access Pass on each hire's start morning and mails it to the manager.
#[derive(Debug, Parser)]
#[command(name = "firstpass", version = VERSION.as_str(), max_term_width = 100, disable_help_subcommand = true)]
struct Args {
    /// The settings.
    #[arg(long, global = true, value_name = "FILE", env = "FIRSTPASS_CONFIG", hide_env_values = true, default_value = DEFAULT_PATH, help_heading = EVERYWHERE)]
    config: PathBuf,
    /// One JSON document instead of text; for `run`, logs as JSON.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// More in the log, on stderr: -v, -vv. FIRSTPASS_LOG sets a filter of its own.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = EVERYWHERE)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
const EVERYWHERE: &str = "Everywhere";

/// What can be asked for.
#[derive(Debug, Subcommand)]
enum Command {
    /// The service: reads feeds, sends on time, until SIGTERM. With --once: what is due now.
    #[command(
        after_help = "Example: firstpass run --once --json\n\nExit status: 0 done, or ended by SIGTERM; with --once 1 when a hire needs a person, a file is held,\nrows were rejected, or a tenant, the mail server or the clock stops us; 78 settings unusable."
    )]
    Run(run::Args),
    /// Plays some days in fast time with a model tenant and mail server; nothing to set up. With --serve:
    /// the models alone, at real time.
    #[command(after_help = sandbox::serve::HOW)]
    Sandbox(sandbox::Args),
    /// Is the running service alive? For containers: asks its port, or the state when there is none.
    #[command(
        after_help = "Example: firstpass health --json\n\nExit status: 0 its loops moved lately and its state can be written; 1 not, or nobody runs; 78 settings\nunusable. Microsoft, mail and lateness have no part in it: /readyz speaks of them."
    )]
    Health,
    /// Every setting, file, permission and connection, one line each with the fix. Changes nothing.
    #[command(
        after_help = "Example: firstpass check --user ada.lovelace@contoso.example\n\nExit status: 0 all is well, 1 something is wrong, 78 settings unusable."
    )]
    Check(check::Args),
    /// Who starts when, and what will happen at which instant.
    #[command(after_help = "Example: firstpass plan --from monday --days 1")]
    Plan(plan::Args),
    /// Takes one file in now and leaves it where it is.
    #[command(
        after_help = "Example: firstpass import hires.csv --feed hr --dry-run\n\nExit status: 0 taken (or would be), 1 rows are rejected or the file is (would be) held."
    )]
    Import(import::Args),
    /// Files of the feeds: what became of them, and the answer to a held one.
    #[command(subcommand)]
    Feed(feed::Act),
    /// Review hires and act on them; every act is recorded with its reason and the operator.
    #[command(subcommand)]
    Hire(hire::Act),
    /// Letters: look at them before anybody gets one, and try their way.
    #[command(subcommand)]
    Mail(mail::Act),
    /// The state database: look through it, copy it, bring its tables up to date.
    #[command(subcommand)]
    State(state::Act),
    /// What admins are told: try it, or read today's digest.
    #[command(subcommand)]
    Notify(notify::Act),
    /// The settings: a commented example, what is in force, every key.
    #[command(subcommand)]
    Config(config::Show),
    /// What a shell completes, on standard output.
    #[command(after_help = "Example: firstpass completions bash > /usr/share/bash-completion/completions/firstpass")]
    Completions(completions::Args),
    /// Manual pages: one on standard output, or all of them into a folder.
    #[command(after_help = "Example: firstpass man --out /usr/share/man/man1")]
    Man(man::Args),
}

/// Our version and those of the time-zone data, for `--version`.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let zones = tz_versions();
    let system = zones.system.as_deref().unwrap_or("none");
    format!("{}\ntime-zone data: system {system}, bundled {}", env!("CARGO_PKG_VERSION"), zones.bundled)
});

/// Does what the arguments of this process ask for.
pub fn main() -> ExitCode {
    privacy::keep_to_ourselves();
    let args = Args::parse();
    let out = Out::new(args.json);
    // One thread: the work waits for answers nearly all the time. What may block (SQLite, folders, notices) has
    // threads of its own, and each further worker would cost the idle service room.
    let ended = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let ended = runtime.block_on(go(args, out));
            runtime.shutdown_timeout(THREADS_END);
            ended
        }
        Err(source) => Err(Trouble::Failed(format!("no threads to work with: {source}"))),
    };
    end::exit(ended)
}

/// A call into a folder that hangs must not keep the process alive.
const THREADS_END: Duration = Duration::from_secs(1);

async fn go(args: Args, out: Out) -> Result<End, Trouble> {
    logs::start(args.command.log_level(), args.verbose, args.json);
    let config = args.config.as_path();
    // The service need not carry the room that the largest command wants.
    match args.command {
        Command::Run(run) => heap(|| run::run(&run, config, out)).await,
        Command::Sandbox(args) => heap(|| sandbox::sandbox(&args, out)).await,
        Command::Check(check) => heap(|| check::check(&check, config, out)).await,
        Command::Health => heap(|| health::health(config, out)).await,
        Command::Plan(plan) => heap(|| plan::plan(&plan, config, out)).await,
        Command::Import(import) => heap(|| import::import(&import, config, out)).await,
        Command::Feed(act) => heap(|| feed::act(act, config, out)).await,
        Command::Hire(act) => heap(|| hire::act(act, config, out)).await,
        Command::Mail(act) => heap(|| mail::act(act, config, out)).await,
        Command::State(act) => heap(|| state::act(act, config, out)).await,
        Command::Notify(act) => heap(|| notify::act(act, config, out)).await,
        Command::Config(show) => config::show(&show, config, out),
        Command::Completions(args) => completions::completions(&args, Args::command(), out),
        Command::Man(args) => man::man(&args, Args::command(), out),
    }
}

impl Command {
    /// The service tells what it does; the other commands only what went wrong.
    fn log_level(&self) -> logs::Level {
        match self {
            Self::Run(run) if !run.once => logs::Level::Info,
            // It shows trouble on purpose, and tells of it in its own words.
            Self::Sandbox(_) | Self::Check(_) => logs::Level::Error,
            Self::Run(_)
            | Self::Health
            | Self::Plan(_)
            | Self::Import(_)
            | Self::Feed(_)
            | Self::Hire(_)
            | Self::Mail(_)
            | Self::State(_)
            | Self::Notify(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_) => logs::Level::Warn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
