//! The commands, as an admin meets them: the real binary, real settings, and what it prints.
//!
//! Hires start in 2037, so that "ahead" stays ahead; the state was brought there by the worker of
//! [`World`](crate::world::World) with its clock in hand, the binary looks at it with the real clock.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::world::World;

mod usage;
mod hires;
mod mail_test;
mod files;
mod running;
pub(crate) mod identity;
mod state;
mod pages;
pub(crate) mod terminal;
mod feeds;
mod privacy;

/// The Friday before Monday, 2 March 2037.
const FRIDAY: &str = "2037-02-27T12:00:00Z";
const HIRES: &str = "employee_id,user,display_name,start_date,zone,manager\n\
    E1,ada.lovelace@contoso.example,Ada Lovelace,2037-03-02,Europe/Berlin,mia.manager@contoso.example\n\
    E2,grace.hopper@contoso.example,Grace Hopper,2037-03-02,America/New_York,omar.okafor@contoso.example\n\
    E3,alan.turing@contoso.example,Alan Turing,2037-03-03,Asia/Kolkata,\n\
    E4,nobody.yet@contoso.example,Katherine Johnson,2037-03-02,Pacific/Auckland,\n";

/// What a command did.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstpass"));
    command.args(args).current_dir(dir).env_clear().env("FIRSTPASS_CONFIG", dir.join("firstpass.toml"));
    command
}

pub(crate) fn ran(output: &Output) -> Ran {
    Ran {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

/// Runs it while the model servers go on answering.
pub(crate) async fn firstpass(dir: &Path, args: &[&str]) -> Ran {
    let mut command = command(dir, args);
    tokio::task::spawn_blocking(move || ran(&command.output().unwrap())).await.unwrap()
}

/// Commands with what they printed, as one text.
async fn session(dir: &Path, commands: &[&[&str]]) -> String {
    let mut text = String::new();
    for args in commands {
        let ran = firstpass(dir, args).await;
        let (args, status) = (args.join(" "), ran.status);
        let _ = write!(text, "$ firstpass {args}\n{}{}[{status}]\n\n", ran.stdout, ran.stderr);
    }
    text
}

/// What differs from run to run and from machine to machine.
pub(crate) fn calm(dir: &Path) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&format!("(/private)?{}", dir.display()), "[DIR]");
    let moment = r"20[2-3][0-9]-[0-9-]{5}T[0-9:]{8}Z  20[2-3][0-9]-[0-9-]{5} [0-9:]{5} \S+";
    settings
        .add_filter(&format!("{moment}  (hold|release|cancel|retry): (.*) \\[[^\\]]+\\]"), "[NOW]  $1: $2 [OPERATOR]");
    settings.add_filter("next look 20[23].*", "next look [SOON]");
    settings.add_filter(r"\b[0-9a-f]{12}\b", "[SHA256]");
    settings.add_filter(r"20[2-3][0-9]-[0-9-]{5} [0-9:]{5}Z", "[MINUTE]");
    settings.add_filter(r"20[2-3][0-9]-[0-9-]{5}T[0-9:]{8}Z", "[INSTANT]");
    settings.add_filter(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "[ID]");
    settings.bind_to_scope()
}

/// A weekend before Monday: Ada is well, Grace has a phone registered, nobody made Katherine's account.
async fn weekend() -> World {
    let mut world = World::new().await;
    world.set(FRIDAY);
    world.change("grace.hopper@contoso.example", |user| user.methods.push("phoneAuthenticationMethod".to_owned()));
    world.drop_file("hires.csv", HIRES);
    world.tick().await;
    world
}

/// A second tenant whose secret nobody wrote, and its feed.
pub(crate) const OTHER_TENANT: &str = r#"
[[tenant]]
name = "fabrikam"
tenant_id = "22222222-2222-3333-4444-555555555555"
client_id = "33333333-2222-3333-4444-555555555555"
client_secret_file = "secret-of-fabrikam"

[[feed]]
name = "fabrikam-hr"
tenant = "fabrikam"
kind = "csv"
folder = "drop-fabrikam"
"#;
