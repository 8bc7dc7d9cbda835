//! What the small file makes of the models: accounts, policy, domains, and the faults that wait.
//!
//! Ids follow from names, so that a restart or a new version of the file leaves everybody who they
//! were.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::faults::{GraphFault, MailFault, Often};
use super::file::{Group, Policy, TenantFile, User};
use crate::sandbox::mailbox::{self, ModelMailServer, Recipients};
use crate::sandbox::settings::MAIL_USER;
use crate::sandbox::tenant::{
    Directory, Fault, ModelContact, ModelDomain, ModelGroup, ModelPolicy, ModelTarget, ModelTenant, ModelUser,
};

/// Puts the file's tenant into the models; the registration of the app stays, and passes stay.
pub fn stage(file: &TenantFile, tenant: &ModelTenant, mail: &ModelMailServer) {
    tenant.edit(|directory| fill(file, directory));
    let refused: Vec<String> = file.mail.refuse.iter().map(|address| address.to_lowercase()).collect();
    mail.edit(|options| {
        options.recipients = if refused.is_empty() { Recipients::All } else { Recipients::Except(refused) };
    });
}

/// Sets all faults anew; those of before are forgotten.
pub fn set_faults(graph: &[GraphFault], mail: &[MailFault], tenant: &ModelTenant, server: &ModelMailServer) {
    tenant.heal();
    server.clear_faults();
    for fault in graph {
        let GraphFault { kind, when, effect, often, .. } = fault.clone();
        match often {
            Often::Always => tenant.fault_each(kind, when, effect),
            Often::For(time) => tenant.fault_until(end(tenant.now(), time), kind, when, effect),
            Often::Times(n) => {
                for _ in 0..n {
                    match kind {
                        Some(kind) => tenant.fault(Fault { kind, nth: 1, when, effect: effect.clone() }),
                        None => tenant.fault_any(1, when, effect.clone()),
                    }
                }
            }
        }
    }
    for fault in mail {
        let MailFault { verb, when, effect, often, .. } = fault.clone();
        let fault = mailbox::MailFault { verb, nth: 1, when, effect };
        match often {
            Often::Always => server.fault_until(DateTime::<Utc>::MAX_UTC, fault),
            Often::For(time) => server.fault_until(end(server.now(), time), fault),
            Often::Times(n) => (0..n).for_each(|_| server.fault(fault.clone())),
        }
    }
}

fn end(now: DateTime<Utc>, time: std::time::Duration) -> DateTime<Utc> {
    let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(time).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// An object id that follows from a name, in any case.
pub fn id_of(kind: &str, name: &str) -> Uuid {
    let digest = Sha256::digest(format!("firstpass sandbox {kind} {}", name.to_lowercase()));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn group_id(name: &str) -> Uuid {
    Uuid::parse_str(name).unwrap_or_else(|_| id_of("group", name))
}

fn fill(file: &TenantFile, directory: &mut Directory) {
    directory.organization.clone_from(&file.tenant.organization);
    directory.permissions.clone_from(&file.tenant.permissions);
    directory.secret_expired = file.tenant.secret_expired;
    directory.list_lag = file.graph.list_lag.0;
    directory.skew = TimeDelta::from_std(file.graph.clock_ahead.0).unwrap_or_default();
    // A token's end is real here, as time is.
    directory.tokens_expire = true;
    directory.contacts = file
        .contacts
        .iter()
        .map(|contact| {
            let mail = contact.mail.get_ref();
            let id = id_of("contact", mail);
            (id, ModelContact { id, display_name: contact.display_name.clone(), mail: Some(mail.clone()) })
        })
        .collect();
    let ids = ids(file);
    directory.users = file.users.iter().map(|user| account(user, &ids)).map(|user| (user.id, user)).collect();
    // The mailbox that sends is always there, and a role in Exchange Online lets the app use it.
    if directory.find(MAIL_USER).is_none() {
        let sender = ModelUser { id: id_of("user", MAIL_USER), ..ModelUser::member(MAIL_USER, "Onboarding") };
        directory.add(sender);
    }
    directory.may_send_as =
        std::iter::once(MAIL_USER).chain(file.mail.send_as.iter().map(String::as_str)).map(str::to_owned).collect();
    directory.groups = groups(file);
    directory.policy = policy(&file.policy, &ids);
    directory.domains = domains(file);
}

/// Object ids by UPN and, for contacts, by mail; in lower case. Whoever is both is meant as the account.
fn ids(file: &TenantFile) -> BTreeMap<String, Uuid> {
    let contacts =
        file.contacts.iter().map(|contact| contact.mail.get_ref()).map(|mail| (mail, id_of("contact", mail)));
    let users = file.users.iter().map(|user| (user.upn.get_ref(), own_id(user)));
    contacts.chain(users).map(|(name, id)| (name.to_lowercase(), id)).collect()
}

fn own_id(user: &User) -> Uuid {
    user.id.unwrap_or_else(|| id_of("user", user.upn.get_ref()))
}

fn account(user: &User, ids: &BTreeMap<String, Uuid>) -> ModelUser {
    let upn = user.upn.get_ref();
    let name = user.display_name.as_deref().unwrap_or_else(|| upn.split('@').next().unwrap_or_default());
    let made = if user.guest { ModelUser::external_guest(upn, name) } else { ModelUser::member(upn, name) };
    ModelUser {
        id: own_id(user),
        employee_id: user.employee_id.clone(),
        enabled: user.enabled,
        mail: user.mail.clone().or_else(|| Some(upn.clone())).filter(|mail| !mail.is_empty()),
        preferred_language: user.language.clone(),
        manager: user.manager.as_ref().and_then(|manager| ids.get(&manager.get_ref().to_lowercase())).copied(),
        methods: user.methods.iter().map(|method| method.0.clone()).collect(),
        roles: user.roles.iter().map(|role| role.0.clone()).collect(),
        groups: user.groups.iter().map(|group| group_id(group)).collect(),
        ..made
    }
}

fn groups(file: &TenantFile) -> BTreeMap<Uuid, ModelGroup> {
    let plain =
        file.users.iter().flat_map(|user| &user.groups).chain(file.groups.iter().flat_map(|group| &group.groups));
    let named = |name: &String| (group_id(name), ModelGroup { display_name: name.clone(), ..ModelGroup::default() });
    let mut groups: BTreeMap<Uuid, ModelGroup> = plain.map(named).collect();
    groups.extend(file.groups.iter().map(|Group { name, roles, groups }| {
        let made = ModelGroup {
            display_name: name.get_ref().clone(),
            roles: roles.iter().map(|role| role.0.clone()).collect(),
            groups: groups.iter().map(|group| group_id(group)).collect(),
        };
        (group_id(name.get_ref()), made)
    }));
    groups
}

fn policy(policy: &Policy, ids: &BTreeMap<String, Uuid>) -> ModelPolicy {
    let minutes = |time: std::time::Duration| i64::try_from(time.as_secs() / 60).unwrap_or(i64::MAX);
    let target = |name: &String| match name.as_str() {
        "everyone" => ModelTarget::Everyone,
        name => match ids.get(&name.to_lowercase()) {
            Some(id) => ModelTarget::User(*id),
            None => ModelTarget::Group(group_id(name)),
        },
    };
    ModelPolicy {
        enabled: policy.enabled,
        shortest_min: minutes(policy.shortest.0),
        longest_min: minutes(policy.longest.0),
        default_min: minutes(policy.usual.0),
        length: policy.length.clamp(8, 48),
        one_time: policy.one_time,
        include: policy.include.iter().map(target).collect(),
        exclude: policy.exclude.iter().map(target).collect(),
    }
}

/// The domains that the file names, else those of its people.
fn domains(file: &TenantFile) -> Vec<ModelDomain> {
    let names = file.tenant.domains.clone().unwrap_or_else(|| domains_of_people(file));
    let domain =
        |(n, name): (usize, &String)| ModelDomain { default: n == 0, initial: n == 0, ..ModelDomain::verified(name) };
    names.iter().enumerate().map(domain).collect()
}

fn domains_of_people(file: &TenantFile) -> Vec<String> {
    let own = file.users.iter().filter(|user| !user.guest);
    let addresses = own.flat_map(|user| [Some(user.upn.get_ref()), user.mail.as_ref()].into_iter().flatten());
    let found: BTreeSet<String> =
        addresses.filter_map(|address| address.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase()).collect();
    found.into_iter().collect()
}
