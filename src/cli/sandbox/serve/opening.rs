//! The first words of `sandbox --serve`: where everything is, what to paste, what to try.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::super::closing::{our_name, quoted};
use super::super::narrator::broken;
use super::home::Home;
use super::{SETTINGS, TODAY};
use crate::cli::out::Out;
use crate::sandbox::serve::today::Today;
use crate::sandbox::settings::{CA_FILE, CLIENT_SECRET_FILE, MAIL_PASSWORD_FILE, MAIL_USER, Places, to_paste};
use crate::sandbox::tenant::SIGN_IN;

/// What there is to say.
pub struct Opening<'a> {
    /// The folder.
    pub home: &'a Home,
    /// Where the servers are.
    pub places: &'a Places,
    /// The small file.
    pub directory: &'a Path,
    /// Users in it.
    pub users: usize,
    /// What `--people` did.
    pub people: Vec<String>,
    /// Faults that are set.
    pub faults: usize,
    /// A file to drop.
    pub today: Option<&'a Today>,
    /// Passes of an earlier start.
    pub passes: usize,
    /// The settings of an earlier start point to other ports.
    pub stale: bool,
}

/// The first record with `--json`.
#[derive(Debug, Serialize)]
struct Ready {
    what: &'static str,
    tenant: String,
    tenant_id: String,
    client_id: String,
    mail_server: String,
    mail_user: &'static str,
    settings: String,
    client_secret_file: String,
    password_file: String,
    ca_file: String,
    directory: String,
    users: usize,
    faults: usize,
    passes: usize,
    drop: String,
    letters: String,
    today: Option<String>,
    notes: Vec<String>,
}

/// Do these settings lead to the models?
pub fn points_here(settings: &str, places: &Places) -> bool {
    settings.contains(&format!("\"{}\"", places.origin)) && settings.contains(&format!("port = {}\n", places.mail_port))
}

impl Opening<'_> {
    /// Shows it; the last line says that the servers are ready.
    pub fn show(&self, out: Out) -> io::Result<()> {
        if out.is_json() {
            return out.record(&self.record());
        }
        out.lines(broken(
            "A model tenant and a model mail server, on this machine only, at real time. Nothing of it is Microsoft's, and no letter leaves this machine.",
            "",
            "",
        ))?;
        out.lines([""])?;
        self.places(out)?;
        for note in self.notes() {
            out.lines(broken(&note, "  ", "  "))?;
        }
        out.lines(["", "To paste into settings of your own, in place of [[tenant]] and [mail.smtp]", ""])?;
        out.lines(self.paste().lines().map(|line| format!("  {line}")))?;
        out.lines(["", "What to try, in another terminal"])?;
        for (what, command) in self.tries() {
            out.lines([format!("  # {what}"), format!("  {command}")])?;
        }
        if let Some(today) = self.today {
            out.lines(["", "What today.csv says"])?;
            out.lines(today.told.iter().flat_map(|told| broken(told, "  ", "      ")))?;
        }
        let Places { origin, mail_port, .. } = self.places;
        out.lines([
            "",
            &format!("ready: model tenant {origin}, model mail server localhost:{mail_port}; Ctrl-C ends"),
            "",
        ])
    }

    fn path(&self, name: &str) -> String {
        self.home.path(name).display().to_string()
    }

    fn places(&self, out: Out) -> io::Result<()> {
        let Places { origin, mail_port, .. } = self.places;
        let line = |what: &str, place: &str| format!("  {what:<18} {place}");
        out.lines([
            line("model tenant", origin),
            line("model mail server", &format!("localhost:{mail_port}, STARTTLS, user {MAIL_USER}")),
            line(
                "who is in it",
                &format!("{} ({} users); read again when it changes", self.directory.display(), self.users),
            ),
            line("settings", &self.path(SETTINGS)),
            line("drop folder", &self.path("drop")),
            line("letters", &self.path("letters")),
        ])?;
        out.lines(broken("the letters hold codes of the model's passes: that is what they are for, and no other file and no line here has one", "                     ", "                     "))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.people.clone();
        if self.faults > 0 {
            notes.push(format!("{} faults are set", self.faults));
        }
        if self.passes > 0 {
            notes.push(format!("{} passes of an earlier start are there, without their codes", self.passes));
        }
        if self.stale {
            notes.push(format!(
                "{} was written for other ports and is left as it is; correct login_url, graph_url and mail.smtp.port in it, or remove it",
                self.path(SETTINGS)
            ));
        }
        notes
    }

    /// With whole paths, so that it works from anywhere.
    fn paste(&self) -> String {
        let whole = std::path::absolute(self.home.dir()).unwrap_or_else(|_| self.home.dir().to_owned());
        to_paste(self.places, &format!("{}/", whole.display()))
    }

    fn tries(&self) -> Vec<(&'static str, String)> {
        let firstpass = format!("{} --config {}", quoted(&our_name()), quoted(&self.path(SETTINGS)));
        let mut tries = vec![("the service, against the models", format!("{firstpass} run"))];
        if self.today.is_some() {
            let (file, drop) = (quoted(&self.path(TODAY)), quoted(&format!("{}/", self.path("drop"))));
            tries.push(("a file with starts of today; letters come within minutes", format!("cp {file} {drop}")));
        }
        let page = format!("{}{}", self.places.origin, SIGN_IN);
        tries.push(("the hire's first sign-in: a page for a user and a code from a letter (the browser warns)", page));
        tries.push(("who starts when", format!("{firstpass} plan")));
        tries
    }

    fn record(&self) -> Ready {
        Ready {
            what: "ready",
            tenant: self.places.origin.clone(),
            tenant_id: self.places.tenant_id.to_string(),
            client_id: self.places.client_id.clone(),
            mail_server: format!("localhost:{}", self.places.mail_port),
            mail_user: MAIL_USER,
            settings: self.path(SETTINGS),
            client_secret_file: self.path(CLIENT_SECRET_FILE),
            password_file: self.path(MAIL_PASSWORD_FILE),
            ca_file: self.path(CA_FILE),
            directory: self.directory.display().to_string(),
            users: self.users,
            faults: self.faults,
            passes: self.passes,
            drop: self.path("drop"),
            letters: self.path("letters"),
            today: self.today.map(|_| self.path(TODAY)),
            notes: self.notes(),
        }
    }
}
