//! Accounts and managers for everybody whom a feed names, so that one's own file runs at once.
//!
//! Pure: rows in, `[[user]]` entries out. Whoever the small file knows already is left as they are;
//! the accounts are plain ones, and what is to be odd about them is written by hand.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::file::TenantFile;
use crate::rules::hire::{Hire, UserRef};

/// Entries to append to the small file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// TOML.
    pub text: String,
    /// Accounts of hires in it.
    pub n_hires: usize,
    /// Accounts of managers in it.
    pub n_managers: usize,
}

/// The manager of everybody for whom the feed names none, at this domain.
const ANY_MANAGER: &str = "model.manager";

/// Entries for the rows whose employee id the file does not know.
///
/// ```
/// use firstpass::rules::hire::{Hire, Start, UserRef};
/// use firstpass::sandbox::serve::{TenantFile, people::added};
/// let start = Start { date: "2027-03-01".parse().unwrap(), time: "09:00:00".parse().unwrap(), zone: None };
/// let hire = Hire { employee_id: "7".into(), user: UserRef::ByEmployeeId, display_name: "Ada Berger".into(), start,
///                   manager: "9".into(), language: String::new(), withdrawn: false };
/// let added = added(&[hire], &TenantFile::default(), "contoso.example");
/// assert_eq!((added.n_hires, added.n_managers), (1, 1));
/// let file = TenantFile::parse(&added.text).unwrap();
/// assert_eq!(file.users[1].upn.get_ref(), "ada.berger@contoso.example");
/// assert_eq!(file.users[0].employee_id.as_deref(), Some("9"));
/// ```
pub fn added(hires: &[Hire], known: &TenantFile, domain: &str) -> Added {
    let mut names = Names::of(known, domain);
    let mut new: Vec<(&Hire, String)> = Vec::new();
    for hire in hires.iter().filter(|hire| !hire.withdrawn) {
        if names.by_id(&hire.employee_id).is_none() {
            let upn = names.upn_for(hire);
            names.ids.push((hire.employee_id.clone(), upn.clone()));
            new.push((hire, upn));
        }
    }
    let mut added = Added { n_hires: new.len(), ..Added::default() };
    let mut users = String::new();
    for (hire, upn) in new {
        let (manager, is_new) = names.manager_of(hire);
        if is_new {
            let id = (!hire.manager.contains('@')).then_some(hire.manager.as_str()).filter(|id| !id.is_empty());
            write_user(&mut added.text, &manager, id, "", &[]);
            added.n_managers += 1;
        }
        let mut more = vec![("manager", manager)];
        if let UserRef::ObjectId(id) = hire.user {
            more.push(("id", id.to_string()));
        }
        if !hire.language.is_empty() {
            more.push(("language", hire.language.clone()));
        }
        write_user(&mut users, &upn, Some(&hire.employee_id), &hire.display_name, &more);
    }
    added.text.push_str(&users);
    added
}

/// Who is known, and who was just made up.
struct Names {
    domain: String,
    /// Employee ids with UPNs.
    ids: Vec<(String, String)>,
    /// UPNs and contacts, in lower case.
    taken: BTreeSet<String>,
}

impl Names {
    fn of(known: &TenantFile, domain: &str) -> Self {
        let ids = known.users.iter().filter_map(|user| Some((user.employee_id.clone()?, user.upn.get_ref().clone())));
        let users = known.users.iter().map(|user| user.upn.get_ref());
        let contacts = known.contacts.iter().map(|contact| contact.mail.get_ref());
        let taken = users.chain(contacts).map(|name| name.to_lowercase()).collect();
        Self { domain: domain.to_owned(), ids: ids.collect(), taken }
    }

    fn by_id(&self, employee_id: &str) -> Option<String> {
        self.ids.iter().find(|(id, _)| id.eq_ignore_ascii_case(employee_id)).map(|(_, upn)| upn.clone())
    }

    fn upn_for(&mut self, hire: &Hire) -> String {
        let wanted = match &hire.user {
            UserRef::Upn(upn) => upn.clone(),
            UserRef::ObjectId(_) | UserRef::ByEmployeeId => {
                let name = plain(&hire.display_name);
                let name = if name.is_empty() { plain(&hire.employee_id) } else { name };
                format!("{}@{}", if name.is_empty() { "hire" } else { &name }, self.domain)
            }
        };
        self.free(&wanted)
    }

    /// The wanted name, with a number when somebody has it.
    fn free(&mut self, wanted: &str) -> String {
        let (name, domain) = wanted.split_once('@').unwrap_or((wanted, &self.domain));
        let numbered = (2..=self.taken.len() + 2).map(|n| format!("{name}{n}@{domain}"));
        let is_free = |upn: &String| !self.taken.contains(&upn.to_lowercase());
        let upn = std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| wanted.to_owned());
        self.taken.insert(upn.to_lowercase());
        upn
    }

    /// UPN of the manager, and whether they need an entry.
    fn manager_of(&mut self, hire: &Hire) -> (String, bool) {
        let named = hire.manager.as_str();
        let upn = match named {
            "" => format!("{ANY_MANAGER}@{}", self.domain),
            upn if upn.contains('@') => upn.to_owned(),
            id => match self.by_id(id) {
                // Whoever is named as their own manager is not.
                Some(upn) if !id.eq_ignore_ascii_case(&hire.employee_id) => upn,
                Some(_) => format!("{ANY_MANAGER}@{}", self.domain),
                None => {
                    let upn = self.free(&format!("manager.{}@{}", plain(id), self.domain));
                    self.ids.push((id.to_owned(), upn.clone()));
                    return (upn, true);
                }
            },
        };
        let is_new = self.taken.insert(upn.to_lowercase());
        (upn, is_new)
    }
}

/// Letters and digits of a name, in lower case, words joined by dots. What is not plain Latin is left out.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let word = |word: &str| word.chars().filter_map(latin).collect::<String>();
    words.map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(".")
}

fn latin(c: char) -> Option<char> {
    let lower = c.to_lowercase().next()?;
    match lower {
        'a'..='z' | '0'..='9' => Some(lower),
        'à'..='å' => Some('a'),
        'ç' => Some('c'),
        'è'..='ë' => Some('e'),
        'ì'..='ï' => Some('i'),
        'ñ' => Some('n'),
        'ò'..='ö' | 'ø' => Some('o'),
        'ù'..='ü' => Some('u'),
        'ß' => Some('s'),
        _ => None,
    }
}

fn write_user(text: &mut String, upn: &str, employee_id: Option<&str>, name: &str, more: &[(&str, String)]) {
    let id = employee_id.map(|id| ("employee_id", id.to_owned()));
    let name = Some(("display_name", name.to_owned())).filter(|(_, name)| !name.is_empty());
    let keys = [("upn", upn.to_owned())].into_iter().chain(id).chain(name).chain(more.iter().cloned());
    text.push_str("\n[[user]]\n");
    for (key, value) in keys {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} = {}", toml::Value::String(value));
    }
}
