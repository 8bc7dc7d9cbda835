//! `check`, of people: the next hires of a feed, looked up in the directory.
//!
//! Shows that the feed's column for the account, the directory and the managers in it fit together
//! before a morning depends on it. Reads only; nobody's name or address is printed but those that the
//! admin needs to mend something.

use chrono::NaiveDate;
use futures_util::future::join_all;
use uuid::Uuid;

use super::advice::advice;
use super::findings::{Findings, Key};
use crate::config::TenantRules;
use crate::entra::Tenant;
use crate::rules::channel::{self, ChannelFacts, Named};
use crate::rules::guard::{self, Found, Refusal};
use crate::rules::hire::Hire;
use crate::rules::staged::{Batch, Verdict};
use crate::rules::verdict::Failure;

/// So many hires are looked up: enough to see a wrong column, few enough for Graph.
const MOST: usize = 20;
/// Side by side.
const AT_ONCE: usize = 4;

/// The next hires of a feed.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Where they stand, in words; empty: there was nothing to read.
    from: String,
    hires: Vec<Hire>,
}

impl Sample {
    /// Of a feed that could not be read, or has no file yet.
    pub(super) fn of_nothing() -> Self {
        Self::default()
    }

    pub(super) fn of(from: String) -> Self {
        Self { from, hires: Vec::new() }
    }

    /// Keeps those whose starts come next.
    pub(super) fn take(&mut self, batch: Batch) {
        let ahead = batch.rows.into_iter().filter(|row| row.verdict == Verdict::Added);
        self.hires.extend(ahead.filter_map(|row| row.facts).map(|(hire, _)| hire).filter(|hire| !hire.withdrawn));
        let when = |hire: &Hire| -> (NaiveDate, String) { (hire.start.date, hire.employee_id.clone()) };
        self.hires.sort_by_key(when);
        self.hires.truncate(MOST);
    }
}

/// What the directory says of one hire.
enum Looked {
    /// Account and manager are there, and the manager may be told.
    Both,
    NoAccount,
    /// The account is not one that gets a pass; whether there is a manager is not asked.
    Account(Refusal),
    /// The account is there; its manager is not, or may not be told.
    Manager(Refusal),
}

/// Looks them up.
pub(super) async fn of_people(client: &Tenant, rules: &TenantRules, feed: &str, sample: &Sample, found: &mut Findings) {
    let (what, from) = (format!("feed {feed}"), &sample.from);
    if sample.hires.is_empty() {
        if !from.is_empty() {
            found.note(Key::People, what, format!("{from} names no start ahead; nobody was looked up"));
        }
        return;
    }
    let domains = match client.domains().await {
        Ok(domains) => domains,
        Err(_told_there) => {
            let text = format!("nobody was looked up, since tenant {} does not say its domains", client.name());
            return found.note(Key::People, what, text);
        }
    };
    let mut looked = Vec::new();
    for some in sample.hires.chunks(AT_ONCE) {
        for (hire, answer) in
            some.iter().zip(join_all(some.iter().map(|hire| look(client, rules, hire, &domains))).await)
        {
            match answer {
                Ok(answer) => looked.push((hire, answer)),
                Err(failure) => {
                    let (id, advice) = (&hire.employee_id, advice(&failure, "User.Read.All"));
                    let text = format!("hire {id} could not be looked up: {failure}{advice}");
                    return found.wrong(Key::People, what, text);
                }
            }
        }
    }
    tell(&what, from, &looked, found);
}

async fn look(client: &Tenant, rules: &TenantRules, hire: &Hire, domains: &[String]) -> Result<Looked, Failure> {
    let account = match client.find_user(&hire.user, &hire.employee_id).await? {
        Found::None => return Ok(Looked::NoAccount),
        found @ (Found::One(_) | Found::Several) => match guard::account(found) {
            Ok(account) => account,
            Err(refusal) => return Ok(Looked::Account(refusal)),
        },
    };
    let facts = channel_facts(client, account.object_id, &hire.manager, domains).await?;
    Ok(channel::judge(&rules.channel, &facts).map_or_else(Looked::Manager, |_| Looked::Both))
}

/// What the channel's rules want to know.
pub(super) async fn channel_facts(
    client: &Tenant,
    hire: Uuid,
    named: &str,
    domains: &[String],
) -> Result<ChannelFacts, Failure> {
    let manager = client.manager_of(hire).await?;
    let named_as = named.to_owned();
    let named = if named.is_empty() { Named::Nobody } else { client.named_manager(named).await? };
    Ok(ChannelFacts { hire, manager, named, named_as, verified_domains: domains.to_vec() })
}

fn tell(what: &str, from: &str, looked: &[(&Hire, Looked)], found: &mut Findings) {
    let missing: Vec<&str> = looked
        .iter()
        .filter(|(_, looked)| matches!(looked, Looked::NoAccount))
        .map(|(hire, _)| hire.employee_id.as_str())
        .collect();
    let (all, accounts) = (looked.len(), looked.len() - missing.len());
    let managers = looked.iter().filter(|(_, looked)| matches!(looked, Looked::Both)).count();
    let counted =
        format!("of the next {all} hire(s) in {from}, {accounts} account(s) and {managers} manager(s) were found");
    if accounts == 0 {
        found.wrong(
            Key::People,
            what,
            format!(
                "{counted}; see that the column of `user` holds user principal names or object ids, or that accounts bear the employee ids of the feed"
            ),
        );
    } else {
        found.ok(Key::People, what, counted);
        if !missing.is_empty() {
            let text = format!(
                "no account yet for {}; provision them, or correct the user in the feed. firstpass looks again by itself",
                missing.join(", ")
            );
            found.note(Key::People, what, text);
        }
    }
    for (hire, answer) in looked {
        match answer {
            Looked::Both | Looked::NoAccount => {}
            Looked::Account(refusal) | Looked::Manager(refusal) => {
                let text = format!("hire {}: {}: {}", hire.employee_id, refusal.reason, refusal.what_to_do);
                found.wrong(Key::People, what, text);
            }
        }
    }
}
