//! `check --user`: the guards and the channel of one person, right now, and what would happen.
//!
//! The questions are those of `work/check.rs` in its order, and the same rules answer them; nothing is
//! kept, and nobody is told. A question that has no answer is a no there, and is one here.

use chrono::{DateTime, Utc};

use super::advice::advice;
use super::findings::{Findings, Key};
use super::people::channel_facts;
use crate::cli::words::next_sentence;
use crate::config::Tenant as Served;
use crate::entra::Tenant;
use crate::rules::channel;
use crate::rules::guard::{self, Account, AccountFacts, Found, OurPasses};
use crate::rules::hire::{State, UserRef};
use crate::rules::verdict::Failure;
use crate::store::{HireRow, Store};

/// Who is asked about, and where.
pub(super) struct Asked<'a> {
    pub(super) served: &'a Served,
    pub(super) client: &'a Tenant,
    /// `None`: there is no state yet.
    pub(super) store: Option<&'a Store>,
    /// As written: a user principal name, an object id, or an employee id.
    pub(super) name: &'a str,
    pub(super) now: DateTime<Utc>,
}

/// A question that has no answer, as the service would say it.
struct Unanswered(String);

/// Row ids begin at 1.
const NO_HIRE: i64 = 0;

/// Asks.
pub(super) async fn of_person(asked: &Asked<'_>, found: &mut Findings) {
    let what = format!("user {}", asked.name);
    let hire = match asked.store {
        Some(store) => store.hire_of_user(&asked.served.name, asked.name).await.ok().flatten(),
        None => None,
    };
    of_record(&what, hire.as_ref(), asked.now, found);
    match of_account(asked, &what, found).await {
        Ok(Some(account)) => {
            if let Err(Unanswered(text)) = of_guards(asked, &what, account.clone(), hire.as_ref(), found).await {
                found.wrong(Key::User, &what, text);
            }
            if let Err(Unanswered(text)) = of_channel(asked, &what, &account, hire.as_ref(), found).await {
                found.wrong(Key::User, &what, text);
            }
        }
        Ok(None) => {}
        Err(Unanswered(text)) => found.wrong(Key::User, what, text),
    }
}

fn of_record(what: &str, hire: Option<&HireRow>, now: DateTime<Utc>, found: &mut Findings) {
    match hire {
        Some(hire) => {
            let (id, state) = (&hire.employee_id, hire.state);
            let text = format!("on record as hire {id}, {state}: {}", next_sentence(hire, now));
            match state {
                State::Attention | State::Held | State::Cancelled => found.note(Key::User, what, text),
                State::Pending | State::Issuing | State::Sending | State::Delivered => {
                    found.ok(Key::User, what, text);
                }
            }
        }
        None => found.note(
            Key::User,
            what,
            "no hire on record names this account: nothing happens before a row of a feed does",
        ),
    }
}

async fn of_account(asked: &Asked<'_>, what: &str, found: &mut Findings) -> Result<Option<Account>, Unanswered> {
    let answer = asked.client.find_user(&UserRef::parse(asked.name), asked.name).await;
    let seen = answered("the account", "User.Read.All", answer)?;
    let account = match &seen {
        Found::One(account) => Some(account.clone()),
        Found::None | Found::Several => None,
    };
    match guard::account(seen) {
        Ok(account) => {
            found.ok(Key::User, what, format!("an enabled account of the tenant, object id {}", account.object_id));
        }
        Err(refusal) => found.wrong(Key::User, what, format!("{}: {}", refusal.reason, refusal.what_to_do)),
    }
    Ok(account)
}

async fn of_guards(
    asked: &Asked<'_>,
    what: &str,
    account: Account,
    hire: Option<&HireRow>,
    found: &mut Findings,
) -> Result<(), Unanswered> {
    let (client, rules, id) = (asked.client, &asked.served.rules, account.object_id);
    let held = answered("directory roles", "RoleManagement.Read.Directory", client.roles(id).await)?;
    let methods = answered("registered methods", "UserAuthenticationMethod.Read.All", client.methods(id).await)?;
    let policy = answered("the pass policy", "Policy.Read.AuthenticationMethod", client.policy().await)?;
    let groups = client.groups_of(id, &policy.groups()).await;
    let groups = answered("group membership", "GroupMember.Read.All", groups)?;
    let passes = answered("existing passes", "UserAuthMethod-TAP.ReadWrite.All", client.passes(id).await)?;
    let mut ours = match asked.store {
        Some(store) => store.our_passes(asked.now, id, hire.map_or(NO_HIRE, |hire| hire.id)).await.unwrap_or_default(),
        None => OurPasses::default(),
    };
    // Without a hire that was asked about, whoever has a pass is no rival.
    let has = if hire.is_none() { ours.other.take() } else { None };
    let n_passes = passes.iter().filter(|pass| pass.is_live(asked.now)).count();
    let facts = AccountFacts { account, methods, roles: held, passes, policy, groups };
    match guard::judge(&rules.guard, &rules.pass, &facts, &ours, asked.now) {
        Ok(order) => {
            let uses = if order.one_time { "usable once" } else { "usable several times" };
            let live = match (n_passes, has) {
                (0, _) => "has no live pass".to_owned(),
                (_, None) => "has a live pass that firstpass made".to_owned(),
                (_, Some(other)) => format!("has a live pass that firstpass made for {}", other.hire),
            };
            let text = format!("no guard objects; {live}; would get one of {} minutes, {uses}", order.lifetime_min);
            found.ok(Key::User, what, text);
            order.cuts.into_iter().for_each(|cut| found.note(Key::User, what, cut));
        }
        Err(refusal) => found.wrong(Key::User, what, format!("{}: {}", refusal.reason, refusal.what_to_do)),
    }
    Ok(())
}

async fn of_channel(
    asked: &Asked<'_>,
    what: &str,
    account: &Account,
    hire: Option<&HireRow>,
    found: &mut Findings,
) -> Result<(), Unanswered> {
    let (client, named) = (asked.client, hire.map(|hire| hire.manager_ref.as_str()).unwrap_or_default());
    let domains = answered("verified domains", "Organization.Read.All", client.domains().await)?;
    let facts = channel_facts(client, account.object_id, named, &domains).await;
    let facts = answered("the manager", "User.Read.All", facts)?;
    match channel::judge(&asked.served.rules.channel, &facts) {
        Ok(channel) => {
            let (address, manager) = (channel.address.as_str(), &channel.manager_upn);
            let text = format!("the directory names {manager} as manager; the letter would go to {address}");
            found.ok(Key::User, what, text);
            channel.notes.into_iter().for_each(|note| found.note(Key::User, what, note));
        }
        Err(refusal) => found.wrong(Key::User, what, format!("{}: {}", refusal.reason, refusal.what_to_do)),
    }
    Ok(())
}

fn answered<T>(check: &str, permission: &str, got: Result<T, Failure>) -> Result<T, Unanswered> {
    got.map_err(|failure| {
        let advice = advice(&failure, permission);
        Unanswered(format!("could not check {check} (permission {permission}): {failure}{advice}"))
    })
}
