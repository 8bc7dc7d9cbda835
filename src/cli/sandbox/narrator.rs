//! How the story is shown: a timeline in colour at reading pace on a terminal, the same lines plain
//! and at once otherwise, nothing but the record for `--json`.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::cli::out::{self, COLUMNS, Out, escape};
use crate::config::environment;

/// What sort of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody outside does something: HR, an admin, a hire, the network.
    Outside,
    /// A file was read.
    File,
    /// A hire is on record.
    Hire,
    /// A row was rejected.
    Rejected,
    /// A change of a hire is on record.
    Changed,
    /// A pass was made.
    Pass,
    /// A letter arrived.
    Letter,
    /// A pass must go, or went.
    Gone,
    /// Whether a pass was made is unknown.
    Unknown,
    /// A hire needs a person.
    Attention,
    /// What became of a pass.
    Outcome,
    /// Anything else that is on record.
    Other,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// `2027-03-01T06:00:00Z`.
    pub at_utc: String,
    /// Where the hire is, else where the office is: `2027-03-01 07:00 Europe/Berlin`.
    pub at_local: String,
    /// What sort.
    pub kind: Kind,
    /// Whom it concerns, by employee id.
    pub employee_id: Option<String>,
    /// Who does it or whom it concerns, as people say.
    pub who: String,
    /// The sentence.
    pub text: String,
}

/// Between two lines, so that people can follow.
const PACE: Duration = Duration::from_millis(250);
/// Before a new moment, besides.
const PAUSE: Duration = Duration::from_millis(150);

/// Shows and remembers.
#[derive(Debug)]
pub struct Narrator {
    out: Out,
    colour: bool,
    told: Vec<Told>,
}

impl Narrator {
    /// Looks once at who is listening.
    pub fn new(out: Out) -> Self {
        let set = |wanted: &str| environment().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let plain =
            set("NO_COLOR").is_some_and(|value| !value.is_empty()) || set("TERM").is_some_and(|term| term == "dumb");
        Self { out, colour: out.is_terminal() && !plain, told: Vec::new() }
    }

    /// Everything so far.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The first words.
    pub fn open(&self, lines: &[String]) -> io::Result<()> {
        if self.out.is_json() { Ok(()) } else { self.out.lines(lines.iter().flat_map(|line| broken(line, "", ""))) }
    }

    /// Tells one thing.
    pub async fn tell(&mut self, told: Told) -> io::Result<()> {
        if !self.out.is_json() {
            let is_new_moment = self.told.last().is_none_or(|last| last.at_local != told.at_local);
            if is_new_moment && self.out.is_terminal() {
                tokio::time::sleep(PAUSE).await;
            }
            self.show(&told, is_new_moment)?;
            if self.out.is_terminal() {
                tokio::time::sleep(PACE).await;
            }
        }
        self.told.push(told);
        Ok(())
    }

    fn show(&self, told: &Told, is_new_moment: bool) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if is_new_moment {
            writeln!(stdout)?;
            let utc = told.at_utc.get(..16).unwrap_or_default().replace('T', " ");
            let (local, utc) = (self.painted("1", &escape(&told.at_local)), self.painted("2", &format!("({utc} UTC)")));
            writeln!(stdout, "{local}  {utc}")?;
        }
        let text = format!("{}: {}", told.who, told.text);
        for line in broken(&escape(&text), "  ", "      ") {
            writeln!(stdout, "{}", self.painted(colour(told.kind), &line))?;
        }
        stdout.flush()
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour && !colour.is_empty() { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The number of the terminal's colour; names of what happens, not of who does it.
fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Outside => "36",
        Kind::File | Kind::Hire | Kind::Changed | Kind::Other => "",
        Kind::Letter | Kind::Outcome => "32",
        Kind::Pass => "34",
        Kind::Gone | Kind::Unknown => "35",
        Kind::Rejected | Kind::Attention => "33",
    }
}

/// Lines of a story, as wide as a terminal usually is, with or without one.
pub(super) fn broken(text: &str, first: &str, others: &str) -> Vec<String> {
    out::broken(text, COLUMNS, first, others)
}
