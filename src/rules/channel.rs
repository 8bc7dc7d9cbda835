//! May the pass be told to this manager at this address?
//!
//! The address comes from the directory only, never out of a feed (T03). The feed's manager is a
//! cross-check (T04).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::guard::{BY_ITSELF, Refusal};
use super::headers::cut;
use super::hire::{MailAddress, Reason};

/// `[channel]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRules {
    /// Allowed mail domains; empty = the tenant's verified domains.
    pub domains: Vec<String>,
    /// What happens when the feed names somebody else than the directory.
    pub manager_mismatch: Mismatch,
}

/// `refuse | report`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mismatch {
    /// The hire goes to attention.
    Refuse,
    /// The directory's manager is taken, the difference is recorded.
    Report,
}

/// The manager as the directory has it (facts 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// Object id.
    pub object_id: Uuid,
    /// A user, or something that is no account.
    pub kind: ManagerKind,
    /// User principal name; empty for contacts.
    pub upn: String,
    /// Name for the letter's greeting, may be empty.
    pub display_name: String,
    /// `mail` as the directory has it.
    pub mail: Option<String>,
    /// `accountEnabled`; `None` counts as disabled.
    pub enabled: Option<bool>,
    /// BCP 47 tag, if the directory knows one.
    pub language: Option<String>,
}

/// What a manager entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerKind {
    /// An account of `userType` Member.
    Member,
    /// An account of `userType` Guest.
    Guest,
    /// An organisational contact, or anything else.
    Contact,
}

/// Whom the feed names, as far as the directory knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The feed names no manager.
    Nobody,
    /// An employee id that nobody has: reported only.
    UnknownEmployeeId,
    /// A UPN, mail or object id that nobody has.
    Unknown,
    /// These objects match.
    Objects(Vec<Uuid>),
}

/// What is asked about the way to the manager, read within the last minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// The hire's own object id.
    pub hire: Uuid,
    /// The directory's manager, if any.
    pub manager: Option<Manager>,
    /// The feed's manager.
    pub named: Named,
    /// The same as the feed writes it: HR finds it in its file.
    pub named_as: String,
    /// The tenant's verified domains, any case.
    pub verified_domains: Vec<String>,
}

/// Where one letter may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The manager's object id.
    pub manager_id: Uuid,
    /// The manager's user principal name.
    pub manager_upn: String,
    /// For the greeting, may be empty.
    pub manager_name: String,
    /// The one recipient.
    pub address: MailAddress,
    /// Differences that the settings only report.
    pub notes: Vec<String>,
}

/// May the manager be told, and where?
pub fn judge(rules: &ChannelRules, facts: &ChannelFacts) -> Result<Channel, Refusal> {
    let Some(manager) = &facts.manager else {
        return Err(Refusal::new(
            Reason::ManagerMissing,
            "the directory names no manager; set one on the account in Entra. firstpass looks again by itself",
        ));
    };
    let notes = cross_check(rules, facts, manager)?;
    let who = manager_name(manager);
    let unusable = |why: &str| {
        Refusal::new(Reason::ManagerUnusable, format!("the manager {who} {why}; correct the directory. {BY_ITSELF}"))
    };
    if manager.object_id == facts.hire {
        return Err(unusable("is the hire"));
    }
    match manager.kind {
        ManagerKind::Member => {}
        ManagerKind::Guest => return Err(unusable("is a guest")),
        ManagerKind::Contact => return Err(unusable("is a contact, not an account")),
    }
    if manager.enabled != Some(true) {
        return Err(unusable("is disabled"));
    }
    let mail =
        manager.mail.as_deref().filter(|mail| !mail.is_empty()).ok_or_else(|| unusable("has no mail address"))?;
    let address = MailAddress::parse(mail).map_err(|_| unusable("has a mail address that no letter can go to"))?;
    let allowed = if rules.domains.is_empty() { &facts.verified_domains } else { &rules.domains };
    if !allowed.iter().any(|domain| domain.eq_ignore_ascii_case(&address.domain())) {
        return Err(Refusal::new(
            Reason::ChannelDomain,
            format!(
                "the manager {who} has a mail address at {}, which is not an allowed domain; correct the address, or add the domain to channel.domains. {BY_ITSELF}",
                address.domain()
            ),
        ));
    }
    Ok(Channel {
        manager_id: manager.object_id,
        manager_upn: manager.upn.clone(),
        manager_name: manager.display_name.clone(),
        address,
        notes,
    })
}

/// UPN, or the object id of one who has none.
fn manager_name(manager: &Manager) -> String {
    if manager.upn.is_empty() { manager.object_id.to_string() } else { manager.upn.clone() }
}

/// Characters of the feed's manager in a sentence: a name, never a page.
const MOST_NAMED: usize = 100;

/// The feed's manager against the directory's.
fn cross_check(rules: &ChannelRules, facts: &ChannelFacts, manager: &Manager) -> Result<Vec<String>, Refusal> {
    let as_written = cut(&facts.named_as, MOST_NAMED);
    let difference = match &facts.named {
        Named::Nobody => return Ok(Vec::new()),
        Named::Objects(ids) if ids.as_slice() == [manager.object_id] => return Ok(Vec::new()),
        Named::UnknownEmployeeId => {
            return Ok(vec![format!(
                "the feed names a manager by the employee id {as_written}, which nobody in the directory has"
            )]);
        }
        Named::Unknown => format!("{as_written}, whom the directory does not know,"),
        Named::Objects(ids) if ids.is_empty() => format!("{as_written}, whom the directory does not know,"),
        Named::Objects(ids) if ids.len() > 1 => format!("{as_written}, which matches more than one account,"),
        Named::Objects(_) => as_written,
    };
    let sentence = format!("the feed names {difference} as manager, the directory {}", manager_name(manager));
    match rules.manager_mismatch {
        Mismatch::Report => Ok(vec![sentence]),
        Mismatch::Refuse => Err(Refusal::new(
            Reason::ManagerMismatch,
            format!("{sentence}; correct whichever is wrong. firstpass looks again by itself"),
        )),
    }
}
