//! `mail preview`: every kind of letter as files, with an invented code.
//!
//! The words are those that a manager would get: the same templates, the same settings, the hire's
//! real facts when one is named. There is no code here that works, and none could be had.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use super::end::{End, Trouble, chain};
use super::open;
use super::out::Out;
use crate::config::{self, Mail, Settings, TenantRules};
use crate::rules::calendar::{self, Zone};
use crate::rules::hire::{MailAddress, Start};
use crate::rules::letter::{INVENTED, Letter, Letters, Moment, PassLetter, VoidLetter, VoidWhy, primary};
use crate::store::{HireRow, KeyText};

/// Which letters, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A hire on record, by employee id or tenant/employee-id; without it an invented one.
    key: Option<String>,
    /// The folder to write into; made when it is missing.
    #[arg(long, value_name = "DIR", default_value = "./preview")]
    out: PathBuf,
    /// One language instead of the hire's, or of all that there are letters in.
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<String>,
    /// Whose settings and templates, for an invented hire; the first tenant's when it is left out.
    #[arg(long, value_name = "TENANT", conflicts_with = "key")]
    tenant: Option<String>,
    /// Also the templates that come with firstpass, as a start for your own.
    #[arg(long)]
    templates: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

fn language(text: &str) -> Result<String, String> {
    let tag = primary(text);
    let good = (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_lowercase());
    if good { Ok(tag) } else { Err("write its two letters, as de or en".to_owned()) }
}

/// One file.
struct Page {
    name: String,
    letter: &'static str,
    language: String,
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'p> {
    file: PathBuf,
    letter: &'p str,
    language: &'p str,
    invented_code: bool,
}

/// Writes them.
pub async fn preview(args: &Args, config: &Path, out: Out) -> Result<End, Trouble> {
    let settings = open::settings(config)?;
    let (facts, mail) = match &args.key {
        Some(key) => {
            let hire = open::existing_state(&settings).await?.find_hire(&KeyText(key.clone())).await?;
            of_hire(&hire, &settings)?
        }
        None => invented(&settings, args.tenant.as_deref())?,
    };
    let letters = config::letters::letters(&mail)?;
    for unwise in letters.warnings() {
        tracing::warn!("{}", config::letters::sentence(&mail, unwise));
    }
    let languages = match (&args.language, args.key.is_some()) {
        (Some(one), _) => vec![one.clone()],
        (None, true) => vec![facts.language.clone()],
        (None, false) => letters.languages(),
    };
    let mut pages = Vec::new();
    let there_are = letters.languages();
    for language in languages {
        let asked = primary(&language);
        if !asked.is_empty() && !there_are.contains(&asked) {
            let shown = letters.language_of(&language).map_or_else(
                || "the letter that your templates have for every language".to_owned(),
                |shown| format!("the one in {shown}"),
            );
            tracing::warn!("there is no letter in {asked}: whoever has this language gets {shown}, as these files do");
        }
        pages.extend(of_language(&letters, &mail, &facts, &language)?);
    }
    if args.templates {
        pages.extend(Letters::sources().map(|file| Page {
            name: format!("templates/{}", file.name),
            letter: "template",
            language: file.name.split('.').nth(1).unwrap_or_default().to_owned(),
            bytes: file.text.into_bytes(),
        }));
    }
    if !args.dry_run {
        write_all(&args.out, &pages).map_err(|error| {
            Trouble::Failed(format!(
                "{}: {error}; name a folder that this user may write to with --out",
                args.out.display()
            ))
        })?;
    }
    say(args, &facts.hire_name, &pages, out)?;
    Ok(End::Done)
}

fn say(args: &Args, hire: &str, pages: &[Page], out: Out) -> io::Result<()> {
    let file = |page: &Page| args.out.join(&page.name);
    if out.is_json() {
        let line = |page| Line {
            file: file(page),
            letter: page.letter,
            language: &page.language,
            invented_code: holds_one(page),
        };
        return out.document(&pages.iter().map(line).collect::<Vec<_>>());
    }
    let would = if args.dry_run { "would be written" } else { "written" };
    let whose = if args.key.is_some() { "as it stands in the state" } else { "invented" };
    let mut lines =
        vec![format!("letters about {hire} ({whose}), {would}; {INVENTED} stands where the code would be:")];
    lines.extend(pages.iter().map(|page| format!("  {}", file(page).display())));
    out.lines(lines)
}

fn holds_one(page: &Page) -> bool {
    page.name.contains(INVENTED)
}

/// Every letter in one language: text, HTML, and the whole message.
fn of_language(letters: &Letters, mail: &Mail, facts: &PassLetter, language: &str) -> Result<Vec<Page>, Trouble> {
    let failed = |error: &dyn std::error::Error| Trouble::Failed(chain(error));
    let pass = PassLetter { language: language.to_owned(), ..facts.clone() };
    let at_once = PassLetter { usable_at_once: true, one_time: !facts.one_time, ..pass.clone() };
    let earlier = PassLetter { earlier: true, ..pass.clone() };
    let void = |why| VoidLetter {
        to: facts.to.clone(),
        manager_name: String::new(),
        hire_name: facts.hire_name.clone(),
        why,
        help: facts.help.clone(),
        language: language.to_owned(),
        message_id: facts.message_id.clone(),
    };
    let start = Moment::at(facts.start, &facts.zone);
    let mut pages = Vec::new();
    for (name, facts) in [("letter", &pass), ("letter-earlier", &earlier), ("letter-at-once", &at_once)] {
        let letter = letters.rehearse(facts).map_err(|error| failed(&error))?;
        pages.extend(of_letter(name, &format!(".{INVENTED}"), language, mail, &letter)?);
    }
    let whys = [
        ("void-cancelled", VoidWhy::Cancelled),
        ("void-moved", VoidWhy::Moved { start }),
        ("void-new-manager", VoidWhy::NewManager),
        ("void-other", VoidWhy::Other),
    ];
    for (name, why) in whys {
        let letter = letters.void(&void(why)).map_err(|error| failed(&error))?;
        pages.extend(of_letter(name, "", language, mail, &letter)?);
    }
    Ok(pages)
}

fn of_letter(
    name: &'static str,
    mark: &str,
    language: &str,
    mail: &Mail,
    letter: &Letter,
) -> Result<[Page; 3], Trouble> {
    let message = crate::mail::eml(open::now(), mail, letter).map_err(|error| Trouble::Failed(chain(&error)))?;
    let text = format!("Subject: {}\n\n{}", letter.subject, *letter.text).into_bytes();
    let dot = if language.is_empty() { "" } else { "." };
    Ok([("txt", text), ("html", letter.html.as_bytes().to_vec()), ("eml", message.to_vec())].map(
        |(extension, bytes)| Page {
            name: format!("{name}{dot}{language}{mark}.{extension}"),
            letter: name,
            language: language.to_owned(),
            bytes,
        },
    ))
}

/// The facts of a hire on record. What is asked of the directory only when a letter is due stands as
/// far as the last look brought it.
fn of_hire(hire: &HireRow, settings: &Settings) -> Result<(PassLetter, Mail), Trouble> {
    let no = |what: &str| Trouble::Failed(format!("{}/{}: {what}", hire.tenant, hire.employee_id));
    let tenant = settings.tenant(&hire.tenant).ok_or_else(|| no("its tenant stands no more in the settings"))?;
    let zone = Zone::parse(&hire.zone).map_err(|_| no("its zone is unknown (zone-unknown); correct its row first"))?;
    let start = hire.start_at.ok_or_else(|| no("its start has no instant; correct its row first"))?;
    let to = MailAddress::parse(&hire.channel).unwrap_or(stand_in()?);
    let name = if hire.display_name.is_empty() { hire.user_upn.clone() } else { hire.display_name.clone() };
    let facts = PassLetter {
        to,
        manager_name: hire.manager_upn.clone(),
        hire_name: if name.is_empty() { hire.employee_id.clone() } else { name },
        user: hire.user_upn.clone(),
        zone,
        language: hire.language.clone(),
        ..from_start(start, &tenant.rules, &tenant.mail)?
    };
    Ok((facts, tenant.mail.clone()))
}

/// Somebody who starts next Monday.
fn invented(settings: &Settings, tenant: Option<&str>) -> Result<(PassLetter, Mail), Trouble> {
    let tenant = match tenant {
        Some(name) => settings.tenant(name),
        None => settings.tenants.first(),
    };
    let tenant = tenant.ok_or_else(|| {
        let names: Vec<&str> = settings.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        Trouble::Usage(format!("--tenant: the settings name {}", names.join(", ")))
    })?;
    let zone = match &tenant.rules.zone {
        Some(zone) => zone.clone(),
        None => Zone::parse("Europe/Berlin").map_err(|error| Trouble::Failed(chain(&error)))?,
    };
    let today = open::now().date_naive();
    let ahead = 7 - u64::from(today.weekday().num_days_from_monday());
    let date = today.checked_add_days(Days::new(ahead)).unwrap_or(today);
    let start = Start { date, time: tenant.rules.schedule.start_at, zone: Some(zone.clone()) };
    let start = calendar::morning(&start, NaiveTime::MIN).map_err(|error| Trouble::Failed(chain(&error)))?.start;
    Ok((PassLetter { zone, ..from_start(start, &tenant.rules, &tenant.mail)? }, tenant.mail.clone()))
}

fn stand_in() -> Result<MailAddress, Trouble> {
    MailAddress::parse("manager@contoso.example").map_err(|error| Trouble::Failed(chain(&error)))
}

/// An invented hire's facts, with the tenant's own settings.
fn from_start(start: DateTime<Utc>, rules: &TenantRules, mail: &Mail) -> Result<PassLetter, Trouble> {
    let life = TimeDelta::from_std(rules.pass.lifetime).unwrap_or_default();
    Ok(PassLetter {
        to: stand_in()?,
        manager_name: "Mia Chen".to_owned(),
        hire_name: "Ada Lovelace".to_owned(),
        user: "ada.lovelace@contoso.example".to_owned(),
        start,
        zone: Zone::parse("Etc/UTC").map_err(|error| Trouble::Failed(chain(&error)))?,
        valid_from: start,
        valid_until: start.checked_add_signed(life).unwrap_or(start),
        usable_at_once: false,
        one_time: rules.pass.one_time,
        earlier: false,
        help: mail.help.clone(),
        language: String::new(),
        message_id: format!("preview@{}", mail.from.address.domain()),
    })
}

/// Never follows a link that lies where a file is to go.
fn write_all(folder: &Path, pages: &[Page]) -> io::Result<()> {
    let no_links = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    for page in pages {
        let path = folder.join(&page.name);
        // A real hire's name and a manager's address stand in them.
        DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap_or(folder))?;
        let mut open = OpenOptions::new();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).custom_flags(no_links).open(&path)?;
        file.write_all(&page.bytes)?;
    }
    Ok(())
}
