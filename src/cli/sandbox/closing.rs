//! The end of the play: how everybody stands, where things lie, what to try next.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::folder::Folder;
use super::narrator::broken;
use crate::cli::end::Trouble;
use crate::cli::out::Out;
use crate::cli::words::utc_text;
use crate::rules::hire::State;
use crate::sandbox::cast;
use crate::sandbox::mailbox::ModelMailServer;
use crate::sandbox::story::NEXT_FILE;
use crate::sandbox::tenant::ModelTenant;
use crate::store::ReviewRow;

/// Something that lies somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    what: &'static str,
    path: String,
}

/// Something to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Try {
    what: &'static str,
    command: String,
}

/// A pass that the model tenant made, without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassLine {
    employee_id: String,
    pass_id: String,
    made_utc: String,
    from_utc: String,
    until_utc: String,
    one_time: bool,
    used: bool,
    deleted_utc: Option<String>,
}

/// A letter that arrived, without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetterLine {
    at_utc: String,
    to: Vec<String>,
    subject: String,
    has_code: bool,
    file: String,
}

/// The first words.
pub fn opening(folder: &Folder) -> Vec<String> {
    vec![
        "The real worker against a model tenant and a model mail server on this machine, over real HTTPS and SMTP. The days around Monday, 1 March 2027: the clock jumps from moment to moment, and each is told in the time of the place where it happens. Everybody is invented.".to_owned(),
        format!("Everything lies in {}.", folder.dir().display()),
    ]
}

/// Where things lie.
pub fn places(folder: &Folder) -> Vec<Place> {
    let place = |what, path: &Path| Place { what, path: path.display().to_string() };
    vec![
        place("letters, as managers get them (they hold the codes; open one with a mail program)", &folder.letters()),
        place("drop folder of the HR files, with done/ and rejected/", &folder.drop()),
        place("settings that were used", &folder.settings()),
        place(
            "state, an SQLite file with the views review_hire, review_attention, review_event …",
            &folder.dir().join("state.db"),
        ),
    ]
}

/// What to try next; each of these commands works as it stands.
pub fn next(folder: &Folder) -> Vec<Try> {
    let firstpass = format!("{} --config {}", quoted(&our_name()), quoted(&folder.settings().display().to_string()));
    let next_file = quoted(&folder.dir().join(NEXT_FILE.0).display().to_string());
    let (grace, ada) = (cast::GRACE.employee_id, cast::ADA.employee_id);
    let a_try = |what, command: String| Try { what, command: format!("{firstpass} {command}") };
    vec![
        a_try("all hires", "hire list".to_owned()),
        a_try("why is Grace in attention?", format!("hire show {grace}")),
        a_try("what happened to Ada, whose start moved?", format!("hire show {ada}")),
        a_try("who starts when", "plan --from 2027-03-01 --days 3".to_owned()),
        a_try("what became of the files?", "feed list".to_owned()),
        a_try("what would a next file change?", format!("import {next_file} --feed hr --dry-run")),
        a_try("are the settings sound?", "check --offline".to_owned()),
        a_try("every setting in force", "config show".to_owned()),
    ]
}

/// As this program was called, when that was by a path; a shell finds it by its name otherwise.
pub(super) fn our_name() -> String {
    let name = std::env::args_os().next().and_then(|name| name.into_string().ok());
    name.filter(|name| name.contains('/')).unwrap_or_else(|| "firstpass".to_owned())
}

/// As a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Every pass that was made, oldest first.
pub fn passes(tenant: &ModelTenant) -> Vec<PassLine> {
    let ids = tenant.edit(|directory| directory.users.clone());
    let mut all = tenant.all_passes();
    all.sort_by_key(|(_, pass)| pass.created);
    let line = |(user, pass): (uuid::Uuid, crate::sandbox::tenant::ModelPass)| PassLine {
        employee_id: ids.get(&user).and_then(|user| user.employee_id.clone()).unwrap_or_default(),
        made_utc: utc_text(pass.created),
        from_utc: utc_text(pass.start),
        until_utc: utc_text(pass.until()),
        one_time: pass.one_time,
        used: pass.used,
        deleted_utc: pass.deleted_at.map(utc_text),
        pass_id: pass.id,
    };
    all.into_iter().map(line).collect()
}

/// Every letter that arrived, oldest first, with its file.
pub fn letters(folder: &Folder, mail: &ModelMailServer) -> Result<Vec<LetterLine>, Trouble> {
    let failed = |error: io::Error| Trouble::Failed(format!("{}: {error}", folder.letters().display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.letters()).map_err(failed)? {
        files.push(entry.map_err(failed)?.path().display().to_string());
    }
    // Their names begin with the time and a number, which counts up.
    files.sort();
    let line = |(letter, file): (crate::sandbox::mailbox::ReceivedLetter, String)| LetterLine {
        at_utc: utc_text(letter.at),
        subject: letter.header("Subject").unwrap_or_default(),
        has_code: letter.code().is_some(),
        to: letter.to,
        file,
    };
    Ok(mail.letters().into_iter().zip(files).map(line).collect())
}

/// Shows it all.
pub fn show(out: Out, hires: &[ReviewRow], places: &[Place], next: &[Try]) -> io::Result<()> {
    out.lines(["", "How everybody stands"])?;
    let cells: Vec<[String; 5]> = hires.iter().map(cells).collect();
    out.table(["HIRE", "NAME", "START", "STATE", "WHAT"], &cells, "nobody")?;
    out.lines(["", "Where things lie"])?;
    for place in places {
        out.lines([format!("  {}", place.path)])?;
        out.lines(broken(place.what, "      ", "      "))?;
    }
    out.lines(["", "What to try next"])?;
    for a_try in next {
        out.lines([format!("  # {}", a_try.what), format!("  {}", a_try.command)])?;
    }
    out.lines([""])?;
    let serve =
        "Your own feed, letters and schedule against the same models, at real time: `firstpass sandbox --serve`";
    out.lines(broken(serve, "", ""))?;
    Ok(())
}

fn cells(row: &ReviewRow) -> [String; 5] {
    let what = match &row.reason {
        Some(reason) => reason.clone(),
        None if row.state == State::Delivered.as_str() => {
            format!("pass {}", row.outcome.as_deref().unwrap_or("unused"))
        }
        None => String::new(),
    };
    [row.employee_id.clone(), row.display_name.clone(), row.start_local.clone(), row.state.clone(), what]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("sandbox/firstpass.toml"), "sandbox/firstpass.toml");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
