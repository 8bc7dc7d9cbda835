//! `sandbox --serve`: the model tenant and the model mail server alone, at real time, on fixed ports
//! of this machine, for the service of another process.
//!
//! What is decided here: the folder and its secrets are kept, so that settings which were pasted go on
//! working; passes are kept without their codes, as a tenant keeps them; users follow the small file.
//! Nothing is reachable from another machine, and the authority it makes may sign for this one only.
//! Reading order: [`home`], [`watched`], [`lines`], [`opening`], [`people`].

pub mod home;
pub mod lines;
pub mod opening;
pub mod people;
pub mod watched;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::end::{End, Trouble};
use super::super::out::Out;
use super::super::run::stop_on_signals;
use crate::clock::Clock;
use crate::config::Tls;
use crate::sandbox::mailbox::{Happened, ModelMailServer, Options};
use crate::sandbox::serve::faults::{GraphFault, MailFault};
use crate::sandbox::serve::today::{Today, today};
use crate::sandbox::serve::{example, kept};
use crate::sandbox::settings::{self, CA_FILE, CLIENT_SECRET_FILE, MAIL_PASSWORD_FILE, MAIL_USER, Places};
use crate::sandbox::story;
use crate::sandbox::tenant::{Kind, ModelTenant, Seen};
use crate::sandbox::tls::Ca;
use home::Home;
use lines::Line;
use watched::{Unusable, Watched};

/// The folder without a DIR.
const DIR: &str = "sandbox-serve";
/// Beside the settings: the key of the authority, so that `ca.pem` stays the same.
const CA_KEY: &str = "ca-key";
const SETTINGS: &str = "firstpass.toml";
const TENANT: &str = "tenant.toml";
const TODAY: &str = "today.csv";
const PASSES: &str = "passes.json";
/// How often the small file is looked at, and passes are written down.
const LOOK: Duration = Duration::from_secs(1);

/// How it serves.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With --serve")]
pub struct ServeArgs {
    /// Port of the model tenant on this machine; 0 is any free one.
    #[arg(long, value_name = "PORT", default_value_t = 18_443, requires = "serve")]
    tenant_port: u16,
    /// Port of the model mail server on this machine; 0 is any free one.
    #[arg(long, value_name = "PORT", default_value_t = 18_587, requires = "serve")]
    mail_port: u16,
    /// The file that says who is in the tenant and what goes wrong. Default: DIR/tenant.toml, made at the
    /// first start with every key explained.
    #[arg(long, value_name = "FILE", requires = "serve")]
    directory: Option<PathBuf>,
    /// Adds an account and a manager for every employee id of a CSV file of yours to the directory file.
    #[arg(long, value_name = "FILE", requires = "serve")]
    people: Option<PathBuf>,
    /// Domain of the accounts that --people makes up.
    #[arg(long, value_name = "DOMAIN", default_value = "contoso.example", requires = "people")]
    domain: String,
    /// A fault from the start, as in the directory file: "graph pass-create lost-answer", "mail login 535
    /// for 2m". May stand several times.
    #[arg(long, value_name = "FAULT", requires = "serve", value_parser = fault)]
    fault: Vec<AnyFault>,
}

/// Below `sandbox --help`.
pub const HOW: &str = "\
Example: firstpass sandbox /tmp/try

To see a morning soon with --serve:
  firstpass sandbox --serve                              # terminal 1
  firstpass --config sandbox-serve/firstpass.toml run    # terminal 2
  cp sandbox-serve/today.csv sandbox-serve/drop/         # terminal 3; letters come to sandbox-serve/letters
today.csv is written at each start: one hire at once, one in two minutes, one tomorrow. With a file of your
own: starts of today, and schedule.send_at a few minutes from now in the zone of the hires.";

/// A fault of either server.
#[derive(Debug, Clone)]
enum AnyFault {
    Graph(GraphFault),
    Mail(MailFault),
}

fn fault(text: &str) -> Result<AnyFault, String> {
    match text.trim().split_once(' ') {
        Some(("graph", rest)) => GraphFault::parse(rest.trim()).map(AnyFault::Graph),
        Some(("mail", rest)) => MailFault::parse(rest.trim()).map(AnyFault::Mail),
        Some(_) | None => Err("a fault begins with \"graph\" or \"mail\"".to_owned()),
    }
}

/// Serves until it is told to end.
pub async fn serve(dir: Option<&Path>, args: &ServeArgs, out: Out) -> Result<End, Trouble> {
    let stop = stop_on_signals()?;
    let home = Home::prepare(dir.unwrap_or(Path::new(DIR)))?;
    let models = Models::start(&home, args)?;
    let stale = home.read(SETTINGS)?.is_some_and(|text| !opening::points_here(&text, &models.places));
    home.keep(SETTINGS, || Ok(settings::served(&models.places, &story::SITES)))?;
    let (path, told) = directory_file(&home, args)?;
    let watched = Watched::open(&path)?;
    let more = more_faults(&args.fault);
    watched.set(&models.tenant, &models.mail, &more);
    let n_passes = match home.read(PASSES)? {
        Some(text) => kept::remember(&text, &models.tenant).map_err(|error| {
            Trouble::Failed(format!("{}: {error}; remove it to begin without passes", home.path(PASSES).display()))
        })?,
        None => 0,
    };
    let file = today(watched.file(), models.tenant.now());
    if let Some(Today { text, .. }) = &file {
        home.replace(TODAY, text)?;
    }
    let opening = opening::Opening {
        home: &home,
        places: &models.places,
        directory: &path,
        users: watched.file().users.len(),
        people: told,
        faults: watched.file().graph.faults.len() + watched.file().mail.faults.len() + args.fault.len(),
        today: file.as_ref(),
        passes: n_passes,
        stale,
    };
    opening.show(out)?;
    let mut service = Service { home: &home, models: &models, watched, out, unsaved: false };
    tokio::select! {
        ended = service.run() => ended?,
        () = stop.cancelled() => {}
    }
    service.save()?;
    service
        .tell(&Line::own(models.tenant.now(), "ended; settings and passes are kept for the next start".to_owned()))?;
    Ok(End::Done)
}

/// The file that says who there is: made when there is none, and with people appended if so asked.
fn directory_file(home: &Home, args: &ServeArgs) -> Result<(PathBuf, Vec<String>), Trouble> {
    let path = args.directory.clone().unwrap_or_else(|| home.path(TENANT));
    if args.directory.is_none() {
        let with_people = args.people.is_none();
        home.keep(TENANT, || Ok(if with_people { example::with_people() } else { example::without_people() }))?;
    }
    let Some(feed_file) = &args.people else { return Ok((path, Vec::new())) };
    let known = Watched::open(&path)?;
    let (added, told) = people::of(feed_file, &home.path(SETTINGS), known.file(), &args.domain)?;
    if !added.text.is_empty() {
        append(&path, &added.text).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok((path, told))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(path)?, text.as_bytes())
}

fn more_faults(faults: &[AnyFault]) -> (Vec<GraphFault>, Vec<MailFault>) {
    let (mut graph, mut mail) = (Vec::new(), Vec::new());
    for fault in faults {
        match fault {
            AnyFault::Graph(fault) => graph.push(fault.clone()),
            AnyFault::Mail(fault) => mail.push(fault.clone()),
        }
    }
    (graph, mail)
}

impl From<Unusable> for Trouble {
    fn from(unusable: Unusable) -> Self {
        Self::Settings(unusable.to_string())
    }
}

/// Both servers, and what leads to them.
struct Models {
    tenant: ModelTenant,
    mail: ModelMailServer,
    places: Places,
}

impl Models {
    fn start(home: &Home, args: &ServeArgs) -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::Failed(format!("the model servers cannot be started: {error}"));
        let random = || Ok(uuid::Uuid::new_v4().simple().to_string());
        let had_key = home.read(CA_KEY)?.is_some();
        let key = home.keep(CA_KEY, || Ca::new_key().map_err(failed))?;
        let ca = Ca::kept(&key).map_err(|error| {
            Trouble::Failed(format!("{}: {error}; remove it and {CA_FILE}", home.path(CA_KEY).display()))
        })?;
        // The certificate is signed anew each time, but one of the same key is as good as another.
        if had_key {
            drop(home.keep(CA_FILE, || Ok(ca.pem().to_owned()))?);
        } else {
            home.replace(CA_FILE, ca.pem())?;
        }
        let secret = home.keep(CLIENT_SECRET_FILE, random)?;
        let password = home.keep(MAIL_PASSWORD_FILE, random)?;
        let tenant = ModelTenant::start(&ca, Clock::System, args.tenant_port)
            .map_err(|error| port_trouble(&error, args.tenant_port, "--tenant-port"))?;
        tenant.edit(|directory| secret.trim().clone_into(&mut directory.client_secret));
        let options = Options {
            tls: Tls::Starttls,
            users: vec![(MAIL_USER.to_owned(), password.trim().to_owned())],
            folder: Some(home.path("letters")),
            clock: Clock::System,
            ..Options::default()
        };
        let mail = ModelMailServer::start(&ca, options, args.mail_port)
            .map_err(|error| port_trouble(&error, args.mail_port, "--mail-port"))?;
        // Letters may come by Graph, and logins by token.
        tenant.mail_goes_to(&mail);
        mail.takes_tokens_of(&tenant);
        let (tenant_id, client_id) = tenant.edit(|directory| (directory.tenant_id, directory.client_id.clone()));
        let origin = tenant.origin().origin().ascii_serialization();
        let places = Places { tenant_id, client_id, origin, mail_port: mail.port() };
        Ok(Self { tenant, mail, places })
    }
}

fn port_trouble(error: &io::Error, port: u16, option: &str) -> Trouble {
    let next = port.saturating_add(1);
    match error.kind() {
        io::ErrorKind::AddrInUse => Trouble::Failed(format!(
            "port {port} of this machine is in use; end what uses it (another `firstpass sandbox --serve`?), or choose another: `{option} {next}`"
        )),
        io::ErrorKind::PermissionDenied => {
            Trouble::Failed(format!("port {port} is not for this user; choose one from 1024 on: `{option} 18443`"))
        }
        _ => Trouble::Failed(format!("port {port} of this machine cannot be opened: {error}")),
    }
}

/// What goes on until the end.
struct Service<'a> {
    home: &'a Home,
    models: &'a Models,
    watched: Watched,
    out: Out,
    /// Passes were made or deleted since they were written down.
    unsaved: bool,
}

impl Service<'_> {
    /// Tells what the models see, and follows the small file. Ends only when the output is gone.
    async fn run(&mut self) -> Result<(), Trouble> {
        let mut requests: mpsc::Receiver<Seen> = self.models.tenant.watch();
        let mut letters: mpsc::Receiver<Happened> = self.models.mail.watch();
        let mut look = tokio::time::interval(LOOK);
        let folder = self.home.path("letters").display().to_string();
        loop {
            tokio::select! {
                Some(seen) = requests.recv() => {
                    let tenant = &self.models.tenant;
                    let upn = |id| tenant.edit(|directory| directory.users.get(&id).map(|user| user.upn.clone()));
                    let line = lines::request(&seen, upn);
                    // A pass is made, deleted, or signed in with.
                    self.unsaved |= line.pass.is_some() || seen.kind == Kind::Other;
                    self.tell(&line)?;
                }
                Some(happened) = letters.recv() => self.tell(&lines::mail(&happened, self.models.mail.now(), &folder))?,
                _ = look.tick() => self.look()?,
            }
        }
    }

    fn look(&mut self) -> Result<(), Trouble> {
        let Models { tenant, mail, .. } = self.models;
        if let Some(told) = self.watched.again(tenant, mail) {
            self.tell(&Line::own(tenant.now(), told))?;
        }
        self.save()
    }

    fn save(&mut self) -> Result<(), Trouble> {
        if std::mem::take(&mut self.unsaved) {
            let text = kept::text(&self.models.tenant).map_err(|error| Trouble::Failed(error.to_string()))?;
            self.home.replace(PASSES, &text)?;
        }
        Ok(())
    }

    fn tell(&self, line: &Line) -> Result<(), Trouble> {
        if self.out.is_json() {
            self.out.record(line)?;
        } else {
            self.out.lines([line.shown()])?;
        }
        Ok(())
    }
}
