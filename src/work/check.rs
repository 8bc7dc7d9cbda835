//! Guard and channel, asked right now: reads only, nothing is kept from an earlier look.
//!
//! Every question is answered or the check has failed (I19): there is no default answer here.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::attempt::{Attempt, Setback, Stop, unanswered};
use super::wording;
use crate::rules::attempt::{Cleared, PassAsk};
use crate::rules::channel::{self, ChannelFacts, Named};
use crate::rules::guard::{self, Account, AccountFacts, Refusal};
use crate::rules::hire::State;
use crate::rules::next::{self, Wanted};
use crate::rules::verdict::Failure;
use crate::store::Seen;

/// A start less than this ahead is "now" (contract 5).
const AHEAD: TimeDelta = TimeDelta::seconds(60);

/// Asks everything, in the order in which an admin wants to hear of it.
pub(super) async fn check(attempt: &mut Attempt<'_>, wanted: &Wanted) -> Result<Cleared, Stop> {
    let at = attempt.now();
    let (tenant, rules) = (attempt.tenant(), &attempt.served.rules);
    let employee_id = attempt.hire().employee_id.clone();

    let user = attempt.hire().user.clone();
    let found =
        answer(attempt, wanted, "the account", "User.Read.All", tenant.find_user(&user, &employee_id).await).await?;
    let account = or_refused(attempt, wanted, guard::account(found))?;
    let id = account.object_id;
    attempt.seen = Some(Seen { user_upn: account.upn.clone(), manager_upn: String::new(), channel: String::new() });

    let facts = account_facts(attempt, wanted, account).await?;
    let ours = attempt.work.store.our_passes(attempt.now(), id, attempt.hire().id).await?;
    let order = or_refused(attempt, wanted, guard::judge(&rules.guard, &rules.pass, &facts, &ours, attempt.now()))?;

    let facts_of_channel = channel_facts(attempt, wanted, id).await?;
    if let Some(manager) = &facts_of_channel.manager {
        attempt.seen = Some(Seen {
            user_upn: facts.account.upn.clone(),
            manager_upn: manager.upn.clone(),
            channel: manager.mail.clone().unwrap_or_default(),
        });
    }
    let channel = or_refused(attempt, wanted, channel::judge(&rules.channel, &facts_of_channel))?;

    attempt.reached().await?;
    attempt.clock_agrees().await?;
    let ask = PassAsk {
        user: id,
        start: start_to_ask(wanted, attempt.now()),
        lifetime_min: order.lifetime_min,
        one_time: order.one_time,
    };
    let notes = order.cuts.into_iter().chain(channel.notes.iter().cloned()).collect();
    let cleared = Cleared::new(facts.account, ask, channel, notes, at);
    or_refused(attempt, wanted, wording::rehearse(attempt, &cleared))?;
    Ok(cleared)
}

async fn account_facts(attempt: &Attempt<'_>, wanted: &Wanted, account: Account) -> Result<AccountFacts, Stop> {
    let (tenant, id) = (attempt.tenant(), account.object_id);
    let roles =
        answer(attempt, wanted, "directory roles", "RoleManagement.Read.Directory", tenant.roles(id).await).await?;
    let methods = tenant.methods(id).await;
    let methods = answer(attempt, wanted, "registered methods", "UserAuthenticationMethod.Read.All", methods).await?;
    let policy = tenant.policy().await;
    let policy = answer(attempt, wanted, "the pass policy", "Policy.Read.AuthenticationMethod", policy).await?;
    let groups = tenant.groups_of(id, &policy.groups()).await;
    let groups = answer(attempt, wanted, "group membership", "GroupMember.Read.All", groups).await?;
    let passes = tenant.passes(id).await;
    let passes = answer(attempt, wanted, "existing passes", "UserAuthMethod-TAP.ReadWrite.All", passes).await?;
    Ok(AccountFacts { account, methods, roles, passes, policy, groups })
}

async fn channel_facts(attempt: &Attempt<'_>, wanted: &Wanted, hire: Uuid) -> Result<ChannelFacts, Stop> {
    let tenant = attempt.tenant();
    let manager = answer(attempt, wanted, "the manager", "User.Read.All", tenant.manager_of(hire).await).await?;
    let named = match attempt.hire().manager_ref.as_str() {
        "" => Named::Nobody,
        text => {
            answer(attempt, wanted, "the feed's manager", "User.Read.All", tenant.named_manager(text).await).await?
        }
    };
    let domains = tenant.domains().await;
    let verified_domains = answer(attempt, wanted, "verified domains", "Organization.Read.All", domains).await?;
    Ok(ChannelFacts { hire, manager, named, named_as: attempt.hire().manager_ref.clone(), verified_domains })
}

/// An answer, or what its absence means.
async fn answer<T>(
    attempt: &Attempt<'_>,
    wanted: &Wanted,
    check: &str,
    permission: &str,
    got: Result<T, Failure>,
) -> Result<T, Stop> {
    attempt.work.pulse.step();
    let failure = match got {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    match attempt.setback(permission, &failure).await? {
        Setback::Waits(until, reason, why) => Err(Stop::Rest(attempt.wait(reason, &why, until))),
        Setback::ThisHire(why) => or_refused(attempt, wanted, Err(unanswered(check, permission, &why))),
    }
}

/// A yes, or how the hire stands after the no.
pub(super) fn or_refused<T>(attempt: &Attempt<'_>, wanted: &Wanted, judged: Result<T, Refusal>) -> Result<T, Stop> {
    judged.map_err(|refusal| Stop::Rest(next::after_refusal(wanted, refusal.reason, refusal.what_to_do, attempt.now())))
}

/// `startDateTime`, whole seconds, or nothing when the start is not a minute ahead.
fn start_to_ask(wanted: &Wanted, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let start = wanted.morning.as_ref()?.start;
    (start - now >= AHEAD).then_some(start)
}

/// The state in which a hire is looked at that was on its way.
pub(super) fn looked_at_as(state: State) -> State {
    match state {
        State::Issuing | State::Sending => State::Pending,
        State::Pending | State::Delivered | State::Attention | State::Held | State::Cancelled => state,
    }
}
