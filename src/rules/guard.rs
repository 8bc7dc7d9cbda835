//! May this account get a pass? Facts about the account and the tenant's policy in, an order or a
//! refusal out.
//!
//! A fact that could not be read never reaches this file: the caller turns it into `unanswered`
//! (I19). The order of the checks is the order in which an admin would want to hear of them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hire::{HireKey, PassState, Reason};

/// `[guard]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRules {
    /// Whether an account with registered methods may get a pass.
    pub registered_methods: Leave,
    /// Kinds of methods that do not count, as `phone` or `phoneAuthenticationMethod`.
    pub ignore_methods: Vec<String>,
    /// Whether a live pass that others made may be replaced.
    pub foreign_pass: ForeignPass,
}

/// `refuse | allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leave {
    /// The hire goes to attention.
    Refuse,
    /// The check is off.
    Allow,
}

/// `refuse | replace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForeignPass {
    /// The hire goes to attention until that pass is over.
    Refuse,
    /// Our pass overrides it.
    Replace,
}

/// `[pass]` of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassRules {
    /// Wanted life of a pass, from its start.
    pub lifetime: Duration,
    /// A policy that allows no more than this is `policy-lifetime`.
    pub shortest: Duration,
    /// Usable once.
    pub one_time: bool,
}

/// What a look for one object found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// Nobody.
    None,
    /// Exactly one.
    One(T),
    /// More than one, which is never chosen from.
    Several,
}

/// An account as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Object id.
    pub object_id: Uuid,
    /// User principal name.
    pub upn: String,
    /// The directory's name for the person, may be empty.
    pub display_name: String,
    /// `accountEnabled`; `None` when the directory does not say, which counts as disabled.
    pub enabled: Option<bool>,
    /// Member or guest.
    pub kind: AccountKind,
}

/// Whose account it is (facts 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// `userType` Member.
    Member,
    /// A guest whose methods are registered in this tenant.
    InternalGuest,
    /// A guest of another tenant, or a kind that we do not know.
    ExternalGuest,
}

/// One registered method: the type without namespace, e.g. `phoneAuthenticationMethod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method(pub String);

/// The tenant's TAP policy (facts 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `state` is `enabled`.
    pub enabled: bool,
    /// `minimumLifetimeInMinutes`.
    pub shortest_min: i64,
    /// `maximumLifetimeInMinutes`.
    pub longest_min: i64,
    /// All passes of the tenant are one-time.
    pub one_time: bool,
    /// `defaultLength`: characters of a code; `None` when the answer does not say.
    pub code_length: Option<i64>,
    /// Who may use a pass.
    pub include: Vec<Target>,
    /// Who may not; wins over `include`.
    pub exclude: Vec<Target>,
}

/// One include or exclude target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `all_users`.
    Everyone,
    /// A group's object id.
    Group(Uuid),
    /// A user's object id.
    User(Uuid),
    /// A kind that we do not know: includes nobody, excludes everybody.
    Unknown,
}

impl Policy {
    /// Groups whose membership must be known to answer [`Policy::covers`].
    pub fn groups(&self) -> Vec<Uuid> {
        let mut groups: Vec<Uuid> = self
            .include
            .iter()
            .chain(&self.exclude)
            .filter_map(|target| match target {
                Target::Group(id) => Some(*id),
                Target::Everyone | Target::User(_) | Target::Unknown => None,
            })
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Is the user, a member of `groups`, in scope?
    pub fn covers(&self, user: Uuid, groups: &[Uuid]) -> bool {
        let hits = |target: &Target, unknown: bool| match target {
            Target::Everyone => true,
            Target::Group(id) => groups.contains(id),
            Target::User(id) => *id == user,
            Target::Unknown => unknown,
        };
        self.include.iter().any(|target| hits(target, false)) && !self.exclude.iter().any(|target| hits(target, true))
    }
}

/// A pass as the directory lists it; its code is never in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPass {
    /// Graph's id of the pass.
    pub id: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// When it becomes usable.
    pub start: Option<DateTime<Utc>>,
    /// Life from `start`, minutes.
    pub lifetime_min: Option<i64>,
    /// Usable once.
    pub one_time: Option<bool>,
    /// `methodUsabilityReason`, an open set: `NotYetValid`, `EnabledByPolicy`, `Expired`, `OneTimeUsed` …
    pub usability: String,
}

impl ListedPass {
    /// Neither expired nor used up, as far as the list says; what it does not say counts as live.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        !self.is_used() && self.usability != "Expired" && self.until().is_none_or(|until| until > now)
    }

    /// A one-time pass that was used.
    pub fn is_used(&self) -> bool {
        self.usability == "OneTimeUsed"
    }

    /// End of its life.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.start?.checked_add_signed(TimeDelta::try_minutes(self.lifetime_min?)?)
    }
}

/// Everything that is asked before a pass is made, read within the last minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// The account itself.
    pub account: Account,
    /// Registered methods of every kind.
    pub methods: Vec<Method>,
    /// Directory roles, held directly or through groups (ids or names).
    pub roles: Vec<String>,
    /// Passes in the directory.
    pub passes: Vec<ListedPass>,
    /// The tenant's policy.
    pub policy: Policy,
    /// Which of [`Policy::groups`] the account is in, transitively.
    pub groups: Vec<Uuid>,
}

/// What we have on record about passes of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurPasses {
    /// Graph's ids of all that we ever made for it, for whichever hire.
    pub ids: Vec<String>,
    /// One that another hire has.
    pub other: Option<OtherPass>,
}

/// A pass of the same account that we made, or may have made, for another hire; it is unsettled or live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherPass {
    /// Whose.
    pub hire: HireKey,
    /// Where it stands.
    pub state: PassState,
    /// Graph's id, once known.
    pub graph_id: Option<String>,
    /// Its end, once known.
    pub until: Option<DateTime<Utc>>,
}

/// A no with its reason and a sentence that says what to do. Holds ids, never names or addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word for scripts.
    pub reason: Reason,
    /// The sentence for people.
    pub what_to_do: String,
}

/// The end of a sentence about something that mends itself when its cause is gone.
pub const BY_ITSELF: &str = "firstpass looks again by itself";

impl Refusal {
    pub(crate) fn new(reason: Reason, what_to_do: impl Into<String>) -> Self {
        Self { reason, what_to_do: what_to_do.into() }
    }
}

/// What will be asked of Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Life from the start, minutes.
    pub lifetime_min: i64,
    /// Usable once.
    pub one_time: bool,
    /// What the policy changed in our wish, for the record.
    pub cuts: Vec<String>,
}

/// The account, or why there is none to serve.
pub fn account(found: Found<Account>) -> Result<Account, Refusal> {
    let account = match found {
        Found::One(account) => account,
        Found::None => {
            return Err(Refusal::new(
                Reason::UserMissing,
                "the directory has no such account; provision it, or correct the user in the feed. firstpass looks again by itself",
            ));
        }
        Found::Several => {
            return Err(Refusal::new(
                Reason::UserAmbiguous,
                "more than one account matches; name the user principal name or object id in the feed's user column. firstpass looks again by itself",
            ));
        }
    };
    match account.kind {
        AccountKind::Member | AccountKind::InternalGuest => {}
        AccountKind::ExternalGuest => {
            return Err(Refusal::new(
                Reason::UserExternal,
                "the account is an external guest, and Entra makes no passes for those; invite the person another way, then `firstpass hire cancel`; or correct the user in the feed",
            ));
        }
    }
    if account.enabled == Some(true) {
        Ok(account)
    } else {
        Err(Refusal::new(
            Reason::UserDisabled,
            "the account is disabled; enable it in Entra. firstpass looks again by itself",
        ))
    }
}

/// May the account get a pass, and which? `ours` is asked of the state after `facts` were read.
pub fn judge(
    rules: &GuardRules,
    wish: &PassRules,
    facts: &AccountFacts,
    ours: &OurPasses,
    now: DateTime<Utc>,
) -> Result<Order, Refusal> {
    if let Some(role) = facts.roles.first() {
        return Err(Refusal::new(
            Reason::UserPrivileged,
            format!(
                "the account holds the directory role {role}, directly or through a group; firstpass never makes passes for role holders. Onboard this person by hand, then `firstpass hire cancel`"
            ),
        ));
    }
    // Whatever `foreign_pass` says: this one is in the hands of somebody whom we wrote to.
    if let Some(other) = &ours.other {
        return Err(two_hires(other));
    }
    if rules.registered_methods == Leave::Refuse
        && let Some(method) = facts.methods.iter().find(|method| counts(method, &rules.ignore_methods))
    {
        return Err(Refusal::new(
            Reason::UserRegistered,
            format!(
                "the account already has a {}: somebody signed in before. Find out who registered it, then remove it. {BY_ITSELF}",
                method.0
            ),
        ));
    }
    let order = within_policy(wish, &facts.policy, facts)?;
    if rules.foreign_pass == ForeignPass::Refuse
        && let Some(pass) = facts.passes.iter().find(|pass| pass.is_live(now) && !ours.ids.contains(&pass.id))
    {
        return Err(Refusal::new(
            Reason::ForeignPass,
            format!(
                "pass {} of this account is live and was not made by firstpass; delete it in Entra, or let it end. firstpass looks again by itself",
                pass.id
            ),
        ));
    }
    Ok(order)
}

/// Two hires, one account: whoever came first has the pass.
fn two_hires(other: &OtherPass) -> Refusal {
    let has = match other.until.filter(|_| other.state == PassState::Mailed) {
        Some(until) => {
            format!("has a live pass for this account, until {}", until.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        None => "has a pass for this account that is under way or not gone yet".to_owned(),
    };
    Refusal::new(
        Reason::UserAmbiguous,
        format!(
            "two hires name one account: {} {has}. Find out which row is right, and withdraw the other in the feed or `firstpass hire cancel` it; a pass that is cancelled is deleted, and the other hire gets one. {BY_ITSELF}",
            other.hire
        ),
    )
}

/// Password, e-mail and passes never count; unknown kinds do.
fn counts(method: &Method, ignored: &[String]) -> bool {
    const NEVER: [&str; 3] =
        ["passwordAuthenticationMethod", "emailAuthenticationMethod", "temporaryAccessPassAuthenticationMethod"];
    let short = method.0.strip_suffix("AuthenticationMethod").unwrap_or(&method.0);
    !NEVER.contains(&method.0.as_str())
        && !ignored.iter().any(|name| name.eq_ignore_ascii_case(&method.0) || name.eq_ignore_ascii_case(short))
}

fn within_policy(wish: &PassRules, policy: &Policy, facts: &AccountFacts) -> Result<Order, Refusal> {
    if !policy.enabled {
        return Err(Refusal::new(
            Reason::PolicyOff,
            "the tenant's Temporary Access Pass policy is off; enable it under Authentication methods in Entra. firstpass looks again by itself",
        ));
    }
    if !policy.covers(facts.account.object_id, &facts.groups) {
        return Err(Refusal::new(
            Reason::PolicyScope,
            "the tenant's Temporary Access Pass policy does not include this account; add it to an included group. firstpass looks again by itself",
        ));
    }
    life(wish, policy)
}

/// What of our wish the policy's bounds leave, whoever it is for; `check` says it beforehand.
///
/// # Errors
/// `policy-lifetime`.
pub fn life(wish: &PassRules, policy: &Policy) -> Result<Order, Refusal> {
    let minutes = |duration: Duration| i64::try_from(duration.as_secs() / 60).unwrap_or(i64::MAX);
    let (wished, shortest) = (minutes(wish.lifetime), minutes(wish.shortest));
    if policy.longest_min <= shortest || wished < policy.shortest_min {
        return Err(Refusal::new(
            Reason::PolicyLifetime,
            format!(
                "the tenant's policy allows lives from {} to {} minutes, the settings ask for {wished} and at least {shortest}; change [pass] or the policy. {BY_ITSELF}",
                policy.shortest_min, policy.longest_min
            ),
        ));
    }
    let mut cuts = Vec::new();
    if wished > policy.longest_min {
        cuts.push(format!("life cut from {wished} to {} minutes by the tenant's policy", policy.longest_min));
    }
    if policy.one_time && !wish.one_time {
        cuts.push("one-time use, because the tenant's policy demands it".to_owned());
    }
    Ok(Order { lifetime_min: wished.min(policy.longest_min), one_time: wish.one_time || policy.one_time, cuts })
}
