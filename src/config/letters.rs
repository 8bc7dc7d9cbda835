//! The folder of `mail.templates`: read once, at the start, and looked at as a whole.
//!
//! What stands in it is judged by [`crate::rules::letter`]; here are only its files: which ones count,
//! how large they may be, and that nobody else can write them, since a template sees every code.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Mail, Problem, SettingsError};
use crate::rules::letter::{Fault, Letters, TemplateFile};

/// Ours have 6 KiB; mail programs cut letters far below this.
const LARGEST: u64 = 64 * 1024;
/// Files in the folder, others among them; there are few languages.
const MOST: usize = 1000;

/// The letters that these settings ask for: the folder's, and ours where it has none.
///
/// # Errors
/// [`SettingsError`] with every problem of the folder and its templates, as `FILE:LINE` and the remedy.
pub fn letters(mail: &Mail) -> Result<Letters, SettingsError> {
    let Some(folder) = &mail.templates else {
        return Letters::with(&[], &mail.language).map_err(|faults| told(Path::new(""), &faults));
    };
    let files = read(folder).map_err(|problems| SettingsError { problems })?;
    Letters::with(&files, &mail.language).map_err(|faults| told(folder, &faults))
}

/// A fault with the path of its file: `/etc/firstpass/letters/letter.de.html:12: …`.
pub fn sentence(mail: &Mail, fault: &Fault) -> String {
    let folder = mail.templates.as_deref().unwrap_or(Path::new(""));
    problem(folder, fault).to_string()
}

fn problem(folder: &Path, fault: &Fault) -> Problem {
    Problem { place: format!("{}:{}", folder.join(&fault.file).display(), fault.line), text: fault.text.clone() }
}

fn told(folder: &Path, faults: &[Fault]) -> SettingsError {
    SettingsError { problems: faults.iter().map(|fault| problem(folder, fault)).collect() }
}

fn read(folder: &Path) -> Result<Vec<TemplateFile>, Vec<Problem>> {
    let of = |path: &Path, text: String| Problem { place: path.display().to_string(), text };
    let unreadable = |error: std::io::Error| {
        vec![of(
            folder,
            format!("mail.templates: the folder cannot be read ({error}); mend that, or leave the key out"),
        )]
    };
    let open_to_all = fs::metadata(folder).map_err(unreadable)?.mode() & 0o0002 != 0;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.take(MOST) {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && (matches!(name.rsplit('.').next(), Some("txt" | "html"))) {
            names.push(name);
        }
    }
    names.sort();
    let mut problems = Vec::new();
    if open_to_all {
        problems.push(of(
            folder,
            "everybody can write into this folder, and a template sees every code; chmod o-w".to_owned(),
        ));
    }
    let mut files = Vec::new();
    for name in names {
        match text(&folder.join(&name)) {
            Ok(text) => files.push(TemplateFile { name, text }),
            Err(why) => problems.push(of(&folder.join(&name), why)),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// The file's text with LF line ends, without a byte order mark.
fn text(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read ({error})");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.mode() & 0o002 != 0 {
        return Err("everybody can write this file, and a template sees every code; chmod o-w".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(format!("is larger than {} KiB; a letter is much shorter", LARGEST / 1024));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is no UTF-8 text; save it as UTF-8".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n"))
}
