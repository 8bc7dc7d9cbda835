//! The passes of the model tenant, as Microsoft documents them (facts 1): one per account, a new one
//! overrides, the code is shown once, usability follows from the clock and the policy.
//!
//! Nothing is forgotten: deleted and overridden passes stay in the history, so that a test can count
//! how many were live at a moment.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, stamp};
use super::directory::{Directory, ModelUser, OneTimeDemand};
use super::faults::Echo;

/// Answers to POST show `createdDateTime` so much later than GET does for the same pass (facts 1.3).
const POST_SHOWS_LATER: TimeDelta = TimeDelta::milliseconds(175);
/// A start so far in the past still counts as now.
const PAST_START: TimeDelta = TimeDelta::minutes(1);
/// Punctuation that a code may hold; the documents show `+` and `!`, the others try the letter's escaping.
const MARKS: &[u8] = b"+!&<>#%*?@";
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// One pass that was ever made. Its `Debug` hides the code, and so does what is written of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ModelPass {
    /// Graph's id.
    pub id: String,
    /// The secret; empty when it was read back.
    #[serde(skip)]
    pub code: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it becomes usable.
    pub start: DateTime<Utc>,
    /// Life from the start, minutes.
    pub lifetime_min: i64,
    /// Usable once.
    pub one_time: bool,
    /// Signed in with.
    pub used: bool,
    /// When it was deleted or overridden.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Id of the pass that overrode it.
    pub overridden_by: Option<String>,
    /// Made through the API by the app, not by an admin.
    pub by_app: bool,
}

impl fmt::Debug for ModelPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelPass")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("start", &self.start)
            .field("lifetime_min", &self.lifetime_min)
            .field("one_time", &self.one_time)
            .field("used", &self.used)
            .field("deleted_at", &self.deleted_at)
            .field("overridden_by", &self.overridden_by)
            .field("by_app", &self.by_app)
            .finish_non_exhaustive()
    }
}

impl ModelPass {
    /// End of its life.
    pub fn until(&self) -> DateTime<Utc> {
        TimeDelta::try_minutes(self.lifetime_min)
            .and_then(|life| self.start.checked_add_signed(life))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Could be used at `now`, or later: neither deleted, nor over, nor used up.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.deleted_at.is_none_or(|at| at > now) && now < self.until() && !(self.one_time && self.used)
    }

    /// `methodUsabilityReason` at `now`.
    fn usability(&self, user: &ModelUser, directory: &Directory, now: DateTime<Utc>) -> &'static str {
        if self.one_time && self.used {
            "OneTimeUsed"
        } else if now >= self.until() {
            "Expired"
        } else if !directory.in_scope(user) {
            "DisabledByPolicy"
        } else if now < self.start {
            "NotYetValid"
        } else {
            "EnabledByPolicy"
        }
    }

    /// As Graph lists it: without the code.
    pub(super) fn listed(&self, user: &ModelUser, directory: &Directory, now: DateTime<Utc>) -> Value {
        let reason = self.usability(user, directory, now);
        json!({
            "id": self.id,
            "temporaryAccessPass": null,
            "createdDateTime": stamp(self.created),
            "startDateTime": stamp(self.start),
            "lifetimeInMinutes": self.lifetime_min,
            "isUsableOnce": self.one_time,
            "isUsable": reason == "EnabledByPolicy",
            "methodUsabilityReason": reason,
        })
    }

    /// As the answer to POST shows it: with the code.
    pub(super) fn shown(&self, user: &ModelUser, directory: &Directory, now: DateTime<Utc>) -> Value {
        let mut shown = self.listed(user, directory, now);
        if let Some(members) = shown.as_object_mut() {
            members.insert("temporaryAccessPass".into(), json!(self.code));
            members.insert("createdDateTime".into(), json!(stamp(self.created + POST_SHOWS_LATER)));
        }
        shown
    }
}

/// What a POST asks for; every field may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) lifetime_min: Option<i64>,
    pub(super) one_time: Option<bool>,
}

impl Order {
    /// Reads a POST's body; a wrong type is a 400, unknown members are ignored.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Answer> {
        let wrong = |what: &str| Answer::error(400, "badRequest", &format!("Invalid {what} specified."));
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
            return Err(Answer::error(400, "badRequest", "Unable to read JSON request payload."));
        };
        let start = match members.get("startDateTime") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let text = value.as_str().ok_or_else(|| wrong("StartDateTime"))?;
                let at = DateTime::parse_from_rfc3339(text).map_err(|_| wrong("StartDateTime"))?;
                Some(at.to_utc())
            }
        };
        let lifetime_min = match members.get("lifetimeInMinutes") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_i64().ok_or_else(|| wrong("LifetimeInMinutes"))?),
        };
        let one_time = match members.get("isUsableOnce") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_bool().ok_or_else(|| wrong("IsUsableOnce"))?),
        };
        Ok(Self { start, lifetime_min, one_time })
    }
}

/// All passes that were ever made, by account, oldest first.
#[derive(Debug, Default)]
pub(super) struct Passes(BTreeMap<Uuid, Vec<ModelPass>>);

impl Passes {
    /// The history of an account.
    pub(super) fn of(&self, user: Uuid) -> &[ModelPass] {
        self.0.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every account that ever had one.
    pub(super) fn all(&self) -> &BTreeMap<Uuid, Vec<ModelPass>> {
        &self.0
    }

    /// What a list shows: at most one, and the truth of `lag` ago.
    pub(super) fn visible(&self, user: Uuid, lag: Duration, now: DateTime<Utc>) -> Option<&ModelPass> {
        let then = TimeDelta::from_std(lag).ok().and_then(|lag| now.checked_sub_signed(lag)).unwrap_or(now);
        let seen = |pass: &&ModelPass| pass.created <= then && pass.deleted_at.is_none_or(|at| at > then);
        self.of(user).iter().rev().find(seen)
    }

    /// Makes a pass, or says why not, with the checks that the documents and observations name. The
    /// words are known; where no source gives the status (facts 1.7), it is 400, or 403 for the policy.
    pub(super) fn create(
        &mut self,
        now: DateTime<Utc>,
        directory: &Directory,
        user: &ModelUser,
        order: Order,
        echo: Option<&Echo>,
    ) -> Result<ModelPass, Answer> {
        let refused = |message: &str| Answer::error(400, "badRequest", message);
        if user.is_external() {
            return Err(refused("Temporary Access Pass cannot be added to an external guest user."));
        }
        if !directory.in_scope(user) {
            return Err(Answer::error(403, "accessDenied", OUT_OF_SCOPE));
        }
        let policy = &directory.policy;
        let lifetime_min = order.lifetime_min.unwrap_or(policy.default_min);
        if lifetime_min < policy.shortest_min || lifetime_min > policy.longest_min {
            return Err(Answer::error_twice(
                400,
                "badRequest",
                &format!(
                    "Invalid LifetimeInMinutes specified. The valid range between {} and {}.",
                    policy.shortest_min, policy.longest_min
                ),
            ));
        }
        let asked_once = order.one_time.unwrap_or(policy.one_time);
        if policy.one_time && !asked_once && directory.one_time_demand == OneTimeDemand::Refuse {
            return Err(refused("Invalid IsUsableOnce specified. The policy allows one-time passes only."));
        }
        let start = order.start.unwrap_or(now);
        if directory.past_start_refused && start < now - PAST_START {
            return Err(refused("Invalid StartDateTime specified. It lies in the past."));
        }
        let live = self.of(user.id).last().is_some_and(|pass| pass.is_live(now));
        if directory.existing_refused && live {
            return Err(refused("A Temporary Access Pass already exists for the user."));
        }
        let mut pass = ModelPass {
            id: Uuid::new_v4().to_string(),
            code: code(policy.length),
            created: now - odd_fraction(),
            start: start.max(now),
            lifetime_min,
            one_time: asked_once || policy.one_time,
            used: false,
            deleted_at: None,
            overridden_by: None,
            by_app: true,
        };
        if let Some(echo) = echo {
            echo.bend(&mut pass);
        }
        self.put(now, user.id, pass.clone());
        Ok(pass)
    }

    /// Puts a pass in, which overrides the one that is there.
    pub(super) fn put(&mut self, now: DateTime<Utc>, user: Uuid, pass: ModelPass) {
        let history = self.0.entry(user).or_default();
        for old in history.iter_mut().filter(|old| old.deleted_at.is_none()) {
            old.deleted_at = Some(now);
            old.overridden_by = Some(pass.id.clone());
        }
        history.push(pass);
    }

    /// Puts a pass of an earlier run into the history, as it was.
    pub(super) fn remember(&mut self, user: Uuid, pass: ModelPass) {
        self.0.entry(user).or_default().push(pass);
    }

    /// Deletes a pass; `false` when there is none of that id (any more).
    pub(super) fn delete(&mut self, now: DateTime<Utc>, user: Uuid, id: &str) -> bool {
        let mut history = self.0.get_mut(&user).into_iter().flatten();
        match history.find(|pass| pass.id.eq_ignore_ascii_case(id) && pass.deleted_at.is_none()) {
            Some(pass) => {
                pass.deleted_at = Some(now);
                true
            }
            None => false,
        }
    }

    /// Signs in: `true` when the code opens the door at `now`.
    pub(super) fn sign_in(&mut self, now: DateTime<Utc>, directory: &Directory, user: &ModelUser, code: &str) -> bool {
        let mut history = self.0.get_mut(&user.id).into_iter().flatten();
        let Some(pass) = history.find(|pass| pass.code == code && pass.deleted_at.is_none()) else { return false };
        let opens =
            pass.usability(user, directory, now) == "EnabledByPolicy" && (pass.one_time || !directory.policy.one_time);
        pass.used |= opens;
        opens
    }
}

/// The words for a user outside the policy's targets, or a policy that is off (facts 1.7).
const OUT_OF_SCOPE: &str = "Converged UserCredentialPolicy does not allow creating or updating this authentication method. AuthMethodType [TemporaryAccessPass].";

/// A fraction below a millisecond, in steps of 100 ns: the service's instants have seven digits.
pub(super) fn odd_fraction() -> TimeDelta {
    let [high, low, ..] = *Uuid::new_v4().as_bytes();
    TimeDelta::nanoseconds((i64::from(u16::from_be_bytes([high, low])) % 9_998 + 1) * 100)
}

/// A random code with a mark among its letters and digits.
pub(super) fn code(length: usize) -> String {
    let random = || Uuid::new_v4().into_bytes().into_iter().filter(|byte| byte & 0xF0 != 0x40);
    let pick = |from: &'static [u8], byte: u8| from.get(usize::from(byte) % from.len()).copied().map(char::from);
    let bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| random()).chain(random()).take(length + 2).collect();
    let mark_at = bytes.last().map_or(0, |byte| usize::from(*byte) % length.max(1));
    let place = |(n, byte): (usize, u8)| pick(if n == mark_at { MARKS } else { LETTERS }, byte);
    bytes.into_iter().take(length).enumerate().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_policys_length_and_a_mark() {
        for length in [8, 12, 48] {
            let code = code(length);
            assert_eq!(code.chars().count(), length);
            assert_eq!(code.bytes().filter(|byte| MARKS.contains(byte)).count(), 1, "{code}");
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let now = DateTime::UNIX_EPOCH;
        let user = ModelUser::member("kim@contoso.example", "Kim");
        let order = Order { start: None, lifetime_min: None, one_time: None };
        let pass = Passes::default().create(now, &Directory::default(), &user, order, None).unwrap();
        assert!(!format!("{pass:?}").contains(&pass.code));
    }
}
