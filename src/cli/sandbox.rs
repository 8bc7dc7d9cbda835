//! `sandbox`: the real worker plays some days in fast time against a model tenant and a model mail
//! server on this machine. No account, no network, nothing to set up.
//!
//! HTTPS, SMTP, files and state are real; the time is a clock in hand that jumps from moment to
//! moment. Reading order: [`folder`] (where it plays), [`play`] (the days), [`telling`] (what is seen
//! as sentences), [`narrator`] (how they are shown), [`closing`] (what is left to look at).
//!
//! [`serve`] is the other half: the models alone, at real time, for the service of another process.

pub mod closing;
pub mod folder;
pub mod narrator;
pub mod play;
pub mod serve;
pub mod telling;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::end::{End, Trouble, chain};
use super::out::Out;
use crate::clock::Clock;
use crate::config::{Limits, Settings, Tls};
use crate::feed::FileReport;
use crate::sandbox::mailbox::{ModelMailServer, Options};
use crate::sandbox::settings::{self, MAIL_USER, Places};
use crate::sandbox::table::{self, Table};
use crate::sandbox::tenant::ModelTenant;
use crate::sandbox::tls::Ca;
use crate::sandbox::{cast, story};
use crate::store::{Filter, Open, ReviewRow, Store, View};
use crate::work::Work;
use folder::Folder;
use narrator::{Narrator, Told};
use play::Play;

/// Where it plays.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A new or empty folder, or one of an earlier sandbox. Default: sandbox, where what an earlier play
    /// left is replaced; with --serve: sandbox-serve, where everything is kept.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The model tenant and mail server alone, at real time, until Ctrl-C or SIGTERM, for trying your own
    /// feed, letters and schedule.
    #[arg(long)]
    serve: bool,
    /// Where the story's hires come from: files in a drop folder, or a table of a SQLite database.
    #[arg(long, value_name = "KIND", value_parser = ["csv", "sql"], default_value = "csv", conflicts_with = "serve")]
    feed: String,
    #[command(flatten)]
    serving: serve::ServeArgs,
}

/// Where a play goes without a DIR.
const DIR: &str = "sandbox";

/// What `sandbox --json` prints. No code is in it: codes are in the letters.
#[derive(Debug, Serialize)]
struct Played<'a> {
    dir: String,
    /// Everything that happened, in order.
    story: &'a [Told],
    /// Rows of the view `review_hire`.
    hires: &'a [ReviewRow],
    files: &'a [FileReport],
    passes: Vec<closing::PassLine>,
    letters: Vec<closing::LetterLine>,
    places: Vec<closing::Place>,
    next: Vec<closing::Try>,
}

/// Plays.
pub async fn sandbox(args: &Args, out: Out) -> Result<End, Trouble> {
    if args.serve {
        return serve::serve(args.dir.as_deref(), &args.serving, out).await;
    }
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(DIR));
    let folder = Folder::prepare(&dir)?;
    let (from, _) = story::span();
    let clock = Clock::hand(from);
    let table = (args.feed == "sql").then(|| Table::below(folder.dir()));
    let (tenant, mail) = stage(&folder, &clock, table.as_ref())?;
    let settings = Settings::load(&folder.settings(), std::iter::empty())?;
    let store = Store::open(&settings.state.url, &Open::default()).await?;
    let lock = store.lock()?;
    // One after the other, so that the story is the same every time.
    let limits = Limits { at_once: 1, ..Limits::default() };
    let work = Work::new(Arc::new(settings), limits, store, clock.clone())
        .map_err(|error| Trouble::Settings(chain(&error)))?;

    let narrator = Narrator::new(out);
    narrator.open(&closing::opening(&folder))?;
    let mut play = Play::new(&folder, &tenant, &mail, &work, narrator, table);
    play.run().await?;
    let (narrator, files) = play.end();
    let hires = work.store.review(View::Hire, &Filter::default()).await?;
    work.stop().await?;
    work.store.close().await;
    drop(lock);

    let (places, next) = (closing::places(&folder), closing::next(&folder));
    if out.is_json() {
        out.document(&Played {
            dir: dir.display().to_string(),
            story: narrator.told(),
            hires: &hires,
            files: &files,
            passes: closing::passes(&tenant),
            letters: closing::letters(&folder, &mail)?,
            places,
            next,
        })?;
    } else {
        closing::show(out, &hires, &places, &next)?;
    }
    Ok(End::Done)
}

/// The models, and the settings that point at them.
fn stage(folder: &Folder, clock: &Clock, table: Option<&Table>) -> Result<(ModelTenant, ModelMailServer), Trouble> {
    let failed = |error| Trouble::Failed(format!("the model servers cannot be started: {error}"));
    let ca = Ca::new().map_err(failed)?;
    let tenant = ModelTenant::start(&ca, clock.clone(), 0).map_err(failed)?;
    tenant.edit(cast::enrol);
    let password = uuid::Uuid::new_v4().simple().to_string();
    let options = Options {
        tls: Tls::Starttls,
        users: vec![(MAIL_USER.to_owned(), password.clone())],
        folder: Some(folder.letters()),
        clock: clock.clone(),
        ..Options::default()
    };
    let mail = ModelMailServer::start(&ca, options, 0).map_err(failed)?;
    let (tenant_id, client_id, secret) =
        tenant.edit(|directory| (directory.tenant_id, directory.client_id.clone(), directory.client_secret.clone()));
    let origin = tenant.origin().origin().ascii_serialization();
    let places = Places { tenant_id, client_id, origin, mail_port: mail.port() };
    let text = settings::text(&places, &story::SITES);
    if let Some(table) = table {
        folder.write("firstpass.toml", &settings::of_a_table(&text))?;
        folder.write(table::URL_FILE, &table.url().map_err(failed)?)?;
    } else {
        folder.write("firstpass.toml", &text)?;
    }
    folder.write(settings::CLIENT_SECRET_FILE, &secret)?;
    folder.write(settings::MAIL_PASSWORD_FILE, &password)?;
    folder.write(settings::CA_FILE, ca.pem())?;
    let (name, text) = story::NEXT_FILE;
    folder.write(name, text)?;
    Ok((tenant, mail))
}
