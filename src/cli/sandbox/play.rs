//! The days: deeds from outside, ticks of the real worker, and what is seen after each.
//!
//! The clock stands still while work is in flight, and jumps to the next deed or the next hire that
//! is due. What is told is read from reports, events, letters and the model's passes; the story
//! itself claims nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::folder::Folder;
use super::narrator::{Kind, Narrator, Told};
use super::telling;
use crate::cli::end::Trouble;
use crate::cli::words::utc_text;
use crate::feed::FileReport;
use crate::rules::calendar::{Zone, local_text};
use crate::sandbox::cast::Person;
use crate::sandbox::mailbox::{ModelMailServer, ReceivedLetter};
use crate::sandbox::story::{self, Deed};
use crate::sandbox::table::Table;
use crate::sandbox::tenant::{Effect, Fault, Kind as Request, ModelPass, ModelTenant, ModelUser, Seen, When};
use crate::store::HireRow;
use crate::work::Work;
use crate::work::tick::{Feeds, tick};

/// A story that is longer than this does not come to its end.
const MOST_TICKS: usize = 5000;
/// Events in one tick; the sandbox has a handful.
const MOST_EVENTS: i64 = 500;

/// The play, and how far it has come.
pub struct Play<'a> {
    folder: &'a Folder,
    tenant: &'a ModelTenant,
    mail: &'a ModelMailServer,
    work: &'a Work,
    narrator: Narrator,
    /// Hires as they stood after the last tick, by employee id.
    hires: BTreeMap<String, HireRow>,
    /// The last event that was told.
    seq: i64,
    /// Letters that were told, by the order of their arrival.
    letters: BTreeSet<usize>,
    files: Vec<FileReport>,
    /// HR's table, when the feed is one.
    table: Option<Table>,
    /// The last request to the model tenant whose answer was told to be lost.
    lost: usize,
}

impl<'a> Play<'a> {
    /// Before the first moment.
    pub fn new(
        folder: &'a Folder,
        tenant: &'a ModelTenant,
        mail: &'a ModelMailServer,
        work: &'a Work,
        narrator: Narrator,
        table: Option<Table>,
    ) -> Self {
        let (hires, files) = (BTreeMap::new(), Vec::new());
        Self { folder, tenant, mail, work, narrator, hires, seq: 0, letters: BTreeSet::new(), files, table, lost: 0 }
    }

    /// What was told, and the files that were read.
    pub fn end(self) -> (Narrator, Vec<FileReport>) {
        (self.narrator, self.files)
    }

    /// From the first moment to the last.
    pub async fn run(&mut self) -> Result<(), Trouble> {
        let (_, until) = story::span();
        let mut moments = story::moments().into_iter().peekable();
        for _ in 0..MOST_TICKS {
            let now = self.work.clock.now();
            while let Some((_, deed)) = moments.next_if(|(at, _)| *at <= now) {
                self.perform(deed).await?;
            }
            let report = tick(self.work, Feeds::Read).await?;
            if let Some(error) = report.feed_errors.first() {
                return Err(Trouble::Failed(error.clone()));
            }
            // A table is read at every tick; the same rows again are no news.
            let is_news = |file: &FileReport| {
                self.table.is_none() || file.added + file.changed + file.withdrawn + file.new_rejects > 0
            };
            let files = report.files.into_iter().filter(is_news).collect();
            self.see(files).await?;
            let due = report.next_due.map(|at| at.max(now + TimeDelta::seconds(1)));
            match due.into_iter().chain(moments.peek().map(|(at, _)| *at)).min() {
                Some(at) if at <= until => self.work.clock.set(at),
                Some(_) | None => return Ok(()),
            }
        }
        Err(Trouble::Failed("the sandbox's days do not end; this is a fault of firstpass".to_owned()))
    }

    /// Does what somebody outside does.
    async fn perform(&mut self, deed: Deed) -> Result<(), Trouble> {
        let (who, text) = match deed {
            Deed::Drop { text, .. } if self.table.is_some() => {
                self.put(text).await?;
                let n_rows = text.lines().count().saturating_sub(1);
                ("HR".to_owned(), format!("writes {n_rows} {} into the table", telling::rows(n_rows)))
            }
            Deed::Correct { wrong, right } if self.table.is_some() => {
                self.correct(wrong, right).await?;
                ("HR".to_owned(), format!("writes {right} for {wrong} in the table"))
            }
            Deed::Drop { name, text } => {
                self.drop_file(name, text)?;
                let n_rows = text.lines().count().saturating_sub(1);
                ("HR".to_owned(), format!("drops {name} with {n_rows} {}", telling::rows(n_rows)))
            }
            Deed::Correct { wrong, right } => {
                let rejected_at = self.files.iter().rev().map(|file| &file.rejected_at).find(|at| !at.is_empty());
                let Some(rejected_at) = rejected_at else { return Ok(()) };
                let name = rejected_at.rsplit('/').next().unwrap_or(rejected_at).to_owned();
                let corrected = self.folder.read_below_drop(rejected_at)?.replace(wrong, right);
                self.drop_file(&name, &corrected)?;
                ("HR".to_owned(), format!("writes {right} for {wrong} in the file of rejected rows and drops {name}"))
            }
            Deed::LoseAnswer => {
                let (kind, nth, when) = (Request::PassCreate, 1, When::After);
                self.tenant.fault(Fault { kind, nth, when, effect: Effect::Reset });
                ("network".to_owned(), "is about to lose the answer to a request for a pass".to_owned())
            }
            Deed::NewManager { of, is } => {
                self.tenant.edit(|directory| {
                    let manager = directory.find(is.upn).map(|user| user.id);
                    if let Some(user) = directory.user(of.upn) {
                        user.manager = manager;
                    }
                });
                ("admin".to_owned(), format!("makes {} the manager of {} in the directory", is.name, of.name))
            }
            Deed::SignIn(person) => return self.sign_in(person).await,
        };
        self.tell(Kind::Outside, None, who, text).await
    }

    async fn put(&self, text: &str) -> Result<(), Trouble> {
        match &self.table {
            Some(table) => table.put(text).await.map_err(|error| table_failed(&error)),
            None => Ok(()),
        }
    }

    async fn correct(&self, wrong: &str, right: &str) -> Result<(), Trouble> {
        match &self.table {
            Some(table) => table.correct(wrong, right).await.map_err(|error| table_failed(&error)),
            None => Ok(()),
        }
    }

    fn drop_file(&self, name: &str, text: &str) -> Result<(), Trouble> {
        self.folder.write(&format!("drop/{name}"), text)
    }

    /// With the code of the newest letter, as the manager hands it over.
    async fn sign_in(&mut self, person: Person) -> Result<(), Trouble> {
        let letters = self.mail.letters();
        let code = letters.iter().rev().filter(|letter| is_about(letter, person.name)).find_map(ReceivedLetter::code);
        let id = self.tenant.edit(|directory| directory.find(person.upn).map(|user| user.id));
        let text = match id.zip(code) {
            None => "has no letter and cannot sign in",
            Some((id, code)) if self.tenant.use_pass(id, &code) => "signs in with the code of the letter: it works",
            Some(_) => "signs in with the code of the letter: it does not work",
        };
        self.tell(Kind::Outside, Some(person.employee_id), person.name.to_owned(), text.to_owned()).await
    }

    /// Tells what the last tick did.
    async fn see(&mut self, files: Vec<FileReport>) -> Result<(), Trouble> {
        let store = &self.work.store;
        let rows = store.all_hires().await?;
        let mut before = std::mem::take(&mut self.hires);
        self.hires = rows.into_iter().map(|hire| (hire.employee_id.clone(), hire)).collect();
        for file in &files {
            self.tell(Kind::File, None, "firstpass".to_owned(), telling::file(file)).await?;
            for reject in &file.rejects {
                let text = telling::reject(reject, &file.rejected_at);
                self.tell(Kind::Rejected, None, "rejected".to_owned(), text).await?;
            }
        }
        self.files.extend(files);
        let new: Vec<HireRow> =
            self.hires.values().filter(|hire| before.remove(&hire.employee_id).is_none()).cloned().collect();
        for hire in new {
            self.tell_of(Kind::Hire, &hire, telling::new_hire(&hire)).await?;
        }
        for event in store.events(None, MOST_EVENTS).await? {
            if event.seq <= self.seq {
                continue;
            }
            self.seq = event.seq;
            let Some(hire) = event.employee_id.as_ref().and_then(|id| self.hires.get(id)).cloned() else { continue };
            if event.what == "intended" {
                self.lost_answer(&hire).await?;
            }
            if let Some((kind, text)) = telling::event(&event, &hire, &self.passes_of(&hire)) {
                let text = self.with_names(text);
                self.tell_of(kind, &hire, text).await?;
            }
            if matches!(event.what.as_str(), "delivered" | "told-void") {
                self.letter(&hire).await?;
            }
        }
        Ok(())
    }

    /// Tells the oldest letter about a hire that was not told.
    async fn letter(&mut self, hire: &HireRow) -> Result<(), Trouble> {
        let arrived = self.mail.letters();
        let is_next =
            |n: usize, letter: &ReceivedLetter| !self.letters.contains(&n) && is_about(letter, &hire.display_name);
        let Some((n, letter)) = arrived.iter().enumerate().find(|(n, letter)| is_next(*n, letter)) else {
            return Ok(());
        };
        self.letters.insert(n);
        self.tell_of(Kind::Letter, hire, telling::letter(letter)).await
    }

    /// Tells that the answer to the request for a pass did not come, if so.
    async fn lost_answer(&mut self, hire: &HireRow) -> Result<(), Trouble> {
        let Some(id) = self.id_of(hire).map(|id| id.to_string()) else { return Ok(()) };
        let journal = self.tenant.journal();
        let is_lost = |seen: &&Seen| {
            seen.n > self.lost && seen.kind == Request::PassCreate && seen.status == 0 && seen.path.contains(&id)
        };
        let Some(seen) = journal.iter().find(is_lost) else { return Ok(()) };
        self.lost = seen.n;
        self.tell_of(Kind::Unknown, hire, telling::lost_answer(seen)).await
    }

    fn id_of(&self, hire: &HireRow) -> Option<Uuid> {
        self.tenant.edit(|directory| directory.find(&hire.user_upn).map(|user| user.id))
    }

    /// Sentences on record name accounts by object id; people know them by name.
    fn with_names(&self, text: String) -> String {
        let named = |text: String, user: &ModelUser| text.replace(&user.id.to_string(), &user.upn);
        self.tenant.edit(|directory| directory.users.values().fold(text, named))
    }

    /// What the model tenant has made for the hire, ever.
    fn passes_of(&self, hire: &HireRow) -> Vec<ModelPass> {
        self.id_of(hire).map(|id| self.tenant.passes(id)).unwrap_or_default()
    }

    async fn tell_of(&mut self, kind: Kind, hire: &HireRow, text: String) -> Result<(), Trouble> {
        self.tell(kind, Some(&hire.employee_id), hire.display_name.clone(), text).await
    }

    async fn tell(&mut self, kind: Kind, employee_id: Option<&str>, who: String, text: String) -> Result<(), Trouble> {
        let now = self.work.clock.now();
        let of_hire = employee_id.and_then(|id| self.hires.get(id)).map(|hire| hire.zone.as_str());
        // What is for admins is told where they sit, in the moment of its file.
        let is_for_admins = matches!(kind, Kind::Hire | Kind::Changed | Kind::Attention);
        let zone = of_hire.filter(|_| !is_for_admins).unwrap_or(story::OFFICE);
        let told = Told {
            at_utc: utc_text(now),
            at_local: at(now, zone),
            kind,
            employee_id: employee_id.map(str::to_owned),
            who,
            text,
        };
        Ok(self.narrator.tell(told).await?)
    }
}

fn table_failed(error: &sqlx::Error) -> Trouble {
    Trouble::Failed(format!("the table of the sandbox cannot be written: {error}"))
}

/// Subjects name the hire.
fn is_about(letter: &ReceivedLetter, name: &str) -> bool {
    letter.header("Subject").is_some_and(|subject| subject.contains(name))
}

fn at(now: DateTime<Utc>, zone: &str) -> String {
    match Zone::parse(zone) {
        Ok(zone) => local_text(now, &zone),
        Err(_) => now.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}
