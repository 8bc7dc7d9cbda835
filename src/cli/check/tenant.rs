//! `check`, of a tenant: the token and what it may do, the clock, the pass policy, the domains, and
//! who guards the registration of sign-in methods.
//!
//! Asks for a token and reads; nothing is made or changed. What Graph says is quoted, the token never.

use chrono::TimeDelta;

use super::advice::advice;
use super::findings::{Findings, Key};
use crate::config::{Tenant as Served, TenantRules};
use crate::entra::Tenant;
use crate::entra::access::READS_ACCESS;
use crate::rules::channel::ChannelRules;
use crate::rules::guard::{self, BY_ITSELF, PassRules, Policy, Target};
use crate::rules::permission::{self, Review};
use crate::rules::registration::{AccessPolicy, Registration, judge};
use crate::rules::verdict::Failure;
use crate::work::CLOCK_TOLERANCE;

/// A clock that is off by this much is on its way to the bound.
const CLOCK_DRIFTS: TimeDelta = TimeDelta::seconds(30);
/// A list in a sentence has so many names.
const MOST_NAMES: usize = 10;

/// Asks; a tenant that gives no token is asked nothing more.
pub(super) async fn of_tenant(served: &Served, client: &Tenant, found: &mut Findings) {
    let what = format!("tenant {}", served.name);
    let held = match client.permissions().await {
        Ok(held) => held,
        Err(failure) => {
            of_clock(&what, client, found);
            let text = format!("{failure}{}", reach(served, &failure));
            return found.wrong(Key::Token, what, text);
        }
    };
    found.ok(Key::Token, &what, "Microsoft takes the credential and gives a token for Graph");
    let policy = client.policy().await;
    // Groups that cannot be known may be there: then what they need is not said to be missing.
    let groups = policy.as_ref().is_ok_and(|policy| !policy.groups().is_empty());
    of_permissions(&what, &held, &permission::review(&held, groups), found);
    of_clock(&what, client, found);
    match policy {
        Ok(policy) => of_policy(&what, &served.rules.pass, &policy, found),
        Err(failure) => {
            let advice = advice(&failure, "Policy.Read.AuthenticationMethod");
            found.wrong(Key::Policy, &what, format!("the pass policy cannot be read: {failure}{advice}"));
        }
    }
    of_domains(&what, &served.rules, client, found).await;
    of_registration(&what, &held, client, found).await;
}

/// A host that cannot be reached has no words of its own.
fn reach(served: &Served, failure: &Failure) -> String {
    match failure {
        Failure::NotSent(_) => {
            let mut hosts = vec![served.login_url.origin().ascii_serialization()];
            hosts.push(served.graph_url.origin().ascii_serialization());
            hosts.dedup();
            let hosts = hosts.join(" and ");
            format!("; let this host reach {hosts}, and name a private certificate authority in tenant.ca_file")
        }
        Failure::Throttled { .. } | Failure::Refused(_) | Failure::Unauthorized(_) | Failure::Unknown { .. } => {
            advice(failure, "")
        }
    }
}

fn of_permissions(what: &str, held: &[String], review: &Review<'_>, found: &mut Findings) {
    let list = if held.is_empty() { "no permission".to_owned() } else { named(held.iter().cloned()) };
    if review.missing.is_empty() {
        found.ok(Key::Permissions, what, format!("nothing that is needed is missing: the token holds {list}"));
    } else {
        found.note(Key::Permissions, what, format!("the token holds {list}"));
    }
    for (missing, for_what) in &review.missing {
        found.wrong(
            Key::Permissions,
            what,
            format!(
                "the app lacks {missing}, which is needed {for_what}; add it in Entra as an application permission of Microsoft Graph, and grant admin consent"
            ),
        );
    }
    for (held, danger, included) in &review.beyond {
        let instead = match (*held, included.as_slice()) {
            ("Mail.Send", _) => {
                " (for mail.via = \"graph\" give it \"Application Mail.Send\" in Exchange Online, for the one mailbox)"
                    .to_owned()
            }
            (_, []) => String::new(),
            (_, least) => format!(" (what firstpass needs of it is in {})", least.join(", ")),
        };
        found.wrong(
            Key::Excess,
            what,
            format!("the app holds {held}, which is more than needed: {danger}; remove it in Entra{instead}"),
        );
    }
    for (held, included) in &review.wide {
        let instead = if included.is_empty() {
            "it can be removed in Entra".to_owned()
        } else {
            format!("{} would do", included.join(", "))
        };
        found.note(Key::Excess, what, format!("the app holds {held}, which reads more than needed; {instead}"));
    }
}

fn of_clock(what: &str, client: &Tenant, found: &mut Findings) {
    let Some(skew) = client.skew() else { return };
    let off = skew.abs();
    let text = format!("this host's clock and Microsoft's differ by {} s", off.num_seconds());
    let fix = "check time synchronisation (`timedatectl`)";
    if off > CLOCK_TOLERANCE {
        found.wrong(Key::Clock, what, format!("{text}; nothing is issued until it is right: {fix}"));
    } else if off > CLOCK_DRIFTS {
        let most = CLOCK_TOLERANCE.num_seconds();
        found.note(Key::Clock, what, format!("{text}; at more than {most} s nothing is issued: {fix}"));
    } else {
        found.ok(Key::Clock, what, text);
    }
}

fn of_policy(what: &str, wish: &PassRules, policy: &Policy, found: &mut Findings) {
    if !policy.enabled {
        found.wrong(
            Key::Policy,
            what,
            "the Temporary Access Pass policy is off; enable it in Entra under Authentication methods",
        );
    }
    match guard::life(wish, policy) {
        Err(refusal) => {
            let text = refusal.what_to_do.trim_end_matches(BY_ITSELF).trim_end_matches(['.', ' ']);
            found.wrong(Key::Policy, what, text);
        }
        Ok(order) => {
            let uses = if order.one_time { "usable once" } else { "usable several times" };
            let length =
                policy.code_length.map_or_else(String::new, |length| format!(", codes of {length} characters"));
            let bounds = format!("the policy allows {} to {} minutes", policy.shortest_min, policy.longest_min);
            found.ok(
                Key::Policy,
                what,
                format!("{bounds}{length}; passes are made for {} minutes, {uses}", order.lifetime_min),
            );
            for cut in order.cuts {
                found.note(Key::Policy, what, format!("{cut}; change [pass] or the policy if that is not meant"));
            }
        }
    }
    of_scope(what, policy, found);
}

/// Who may use a pass at all.
fn of_scope(what: &str, policy: &Policy, found: &mut Findings) {
    let left_out = match policy.exclude.as_slice() {
        [] => String::new(),
        some => format!(", without {}", targets(some)),
    };
    if policy.include.is_empty() {
        let text = "the pass policy includes nobody; include everybody, or a group of the hires".to_owned();
        return found.wrong(Key::Scope, what, text);
    }
    let who = if policy.include.contains(&Target::Everyone) {
        "everybody".to_owned()
    } else {
        format!("only {}", targets(&policy.include))
    };
    if policy.exclude.iter().any(|target| matches!(target, Target::Everyone | Target::Unknown)) {
        let text = "the pass policy excludes everybody, or a kind of target that firstpass does not know; correct its exclusions".to_owned();
        return found.wrong(Key::Scope, what, text);
    }
    let text = format!("the pass policy includes {who}{left_out}");
    if who == "everybody" {
        found.ok(Key::Scope, what, text);
    } else {
        let text = format!("{text}; a hire outside gets no pass (policy-scope)");
        found.note(Key::Scope, what, text);
    }
}

fn targets(targets: &[Target]) -> String {
    let words = targets.iter().map(|target| match target {
        Target::Everyone => "everybody".to_owned(),
        Target::Group(id) => format!("members of group {id}"),
        Target::User(id) => format!("user {id}"),
        Target::Unknown => "a target of a kind that firstpass does not know".to_owned(),
    });
    named(words)
}

/// A list that stays a line.
fn named(words: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = words.collect();
    let more = all.len().saturating_sub(MOST_NAMES);
    let shown = all.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

async fn of_domains(what: &str, rules: &TenantRules, client: &Tenant, found: &mut Findings) {
    let verified = match client.domains().await {
        Ok(verified) => verified,
        Err(failure) => {
            let advice = advice(&failure, "Organization.Read.All");
            let text = format!("the verified domains cannot be read: {failure}{advice}");
            return found.wrong(Key::Domains, what, text);
        }
    };
    let shown = named(verified.iter().map(|name| name.to_lowercase()));
    let ChannelRules { domains, .. } = &rules.channel;
    if domains.is_empty() {
        return found.ok(Key::Domains, what, format!("letters go to addresses at the verified domains: {shown}"));
    }
    let foreign: Vec<&String> =
        domains.iter().filter(|domain| !verified.iter().any(|known| known.eq_ignore_ascii_case(domain))).collect();
    let own = named(domains.iter().map(|name| name.to_lowercase()));
    if foreign.is_empty() {
        found.ok(Key::Domains, what, format!("letters go to addresses at {own} only (channel.domains)"));
    } else {
        let foreign = named(foreign.into_iter().cloned());
        found.note(
            Key::Domains,
            what,
            format!("channel.domains lets letters go to {foreign}, which is no verified domain of the tenant ({shown}); see that it is meant"),
        );
    }
}

/// Who has nothing but a hire's first password could register before the hire does.
async fn of_registration(what: &str, held: &[String], client: &Tenant, found: &mut Findings) {
    const LOOK: &str =
        "in Entra under Conditional Access look for a policy with the user action \"Register security information\"";
    if !held.iter().any(|role| READS_ACCESS.contains(&role.as_str())) {
        let text = format!(
            "whether a policy guards the registration of sign-in methods is not asked (it would need Policy.Read.All); {LOOK}"
        );
        return found.note(Key::Registration, what, text);
    }
    let policies = match client.access_policies().await {
        Ok(policies) => policies,
        Err(failure) => {
            let text = format!("policies of Conditional Access cannot be read ({failure}); {LOOK}");
            return found.note(Key::Registration, what, text);
        }
    };
    let list = |policies: &[&AccessPolicy]| {
        named(policies.iter().map(|policy| {
            let who = if policy.everybody { "everybody" } else { "some accounts" };
            format!("{:?} (asks {who} for {})", policy.name, policy.asks.join(", "))
        }))
    };
    let judged = judge(&policies);
    if let Registration::Guarded(by) = &judged {
        let blocks = by.iter().filter(|policy| policy.asks.iter().any(|control| control == "block"));
        let blocks: Vec<String> = blocks.map(|policy| format!("{:?}", policy.name)).collect();
        if !blocks.is_empty() {
            let blocks = named(blocks.into_iter());
            let text = format!(
                "{blocks} blocks the registration of sign-in methods, perhaps at some places only; see that hires can register where they start"
            );
            found.note(Key::Registration, what, text);
        }
    }
    match judged {
        Registration::Guarded(by) if by.iter().any(|policy| policy.everybody) => {
            found.ok(
                Key::Registration,
                what,
                format!("the registration of sign-in methods is guarded by {}", list(&by)),
            );
        }
        Registration::Guarded(by) => {
            let text = format!(
                "the registration of sign-in methods is guarded for some only, by {}; see that hires are among them",
                list(&by)
            );
            found.note(Key::Registration, what, text);
        }
        Registration::Reported(by) => {
            let text =
                format!("{} would guard the registration of sign-in methods, and only reports; enforce it", list(&by));
            found.note(Key::Registration, what, text);
        }
        Registration::Open => {
            let text = format!(
                "no policy of Conditional Access guards the registration of sign-in methods: who learns a hire's first password can register before the hire. Make one for the user action \"Register security information\" that asks for MFA, which a pass satisfies ({} policies were read)",
                policies.len()
            );
            found.note(Key::Registration, what, text);
        }
    }
}
