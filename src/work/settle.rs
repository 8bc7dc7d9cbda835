//! What is out there and should not be: unknown outcomes, condemned passes, watches.
//!
//! Settling comes first in every attempt and whatever the hire's state. It compares the pass rows
//! with the directory's list and ends what is unfinished: found by its marks, it is condemned and
//! deleted; not found at two looks ten minutes apart, it counts as not made. A code that no living
//! process holds is worth nothing, so its pass goes.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};
use uuid::Uuid;

use super::Work;
use super::attempt::{Attempt, Setback, Stop};
use super::check::looked_at_as;
use super::listed::{self, PERMISSION, list};
use super::stays;
use crate::rules::guard::{Found, ListedPass};
use crate::rules::hire::{Outcome, PassState, State};
use crate::rules::unsettled::{self, Cause, Intent, NotFound, Watched};
use crate::rules::verdict::Failure;
use crate::store::{Claimed, PassRow, Rest, StoreError};

/// What settling leaves.
pub(super) struct Settled {
    /// The hire's state, seen from its passes: one whose pass went is to be planned anew.
    pub(super) standing: State,
    /// When the next pass must be looked at.
    pub(super) watch: Option<DateTime<Utc>>,
    /// A pass row is unsettled until then at least: nothing may be issued.
    pub(super) blocked: Option<DateTime<Utc>>,
    /// Passes whose recipients must be told that the code is void.
    pub(super) owed: Vec<PassRow>,
    /// A pass that must go cannot be deleted: the sentence for a person.
    pub(super) stays: Option<String>,
}

/// A pass that must go.
pub(super) struct Torn {
    pub(super) pass_id: i64,
    pub(super) user: Uuid,
    pub(super) graph_id: String,
    /// Its recipient may hold a letter about it.
    pub(super) owes: bool,
    pub(super) cause: Cause,
}

/// What one pass row came to.
enum Left {
    /// Nothing out there any more.
    Nothing,
    /// A pass of an intent that counted as not made was out there, and is gone.
    CameLate,
    /// Nothing out there, and the recipient of this row must be told.
    Owed(Box<PassRow>),
    /// The letter was received and used.
    Received,
    /// Mailed and as wanted; look again then.
    Mailed(DateTime<Utc>),
    /// Mailed, and its story is over.
    Past,
    /// Unsettled until then at least.
    Blocked(DateTime<Utc>),
    /// So is this one, and a person must know.
    Stays(DateTime<Utc>, String),
}

/// Pause after a DELETE that did not work, by how often.
const DELETE_PAUSES_MIN: [i64; 4] = [1, 2, 5, 15];
/// Pause when a look at a mailed pass found it missing once.
const SECOND_LOOK: TimeDelta = TimeDelta::minutes(5);
/// So long after its end a mailed pass is still looked for in a list that is refused.
const NEVER_SEEN: TimeDelta = TimeDelta::days(1);

/// Ends what is unfinished.
pub(super) async fn settle(attempt: &mut Attempt<'_>) -> Result<Settled, Stop> {
    let standing = looked_at_as(attempt.hire().state);
    let mut settled = Settled { standing, watch: None, blocked: None, owed: Vec::new(), stays: None };
    let passes = std::mem::take(&mut attempt.claimed.passes);
    let mut came_late = false;
    for pass in passes {
        let left = match pass.state {
            // A late POST of our own has taken the place of what we mailed.
            PassState::Mailed if came_late => tear(attempt, &pass, true, Cause::LostAnswer).await?,
            // That late one must go first; until then nobody has a working code.
            PassState::Mailed if settled.blocked.is_some() => {
                settled.replan(&pass);
                continue;
            }
            PassState::Mailed
            | PassState::Intended
            | PassState::Issued
            | PassState::Mailing
            | PassState::Condemned
            | PassState::Gone
            | PassState::Over => settle_one(attempt, &pass).await?,
        };
        match left {
            Left::Nothing => {
                // Nothing is mailed while an older row is condemned: a mailed one behind it means that it came late.
                came_late |= pass.state == PassState::Condemned;
                settled.replan(&pass);
            }
            Left::CameLate => came_late = true,
            Left::Owed(row) => {
                settled.replan(&pass);
                settled.owed.push(*row);
            }
            Left::Received | Left::Past => settled.standing = State::Delivered,
            Left::Mailed(at) => {
                settled.standing = State::Delivered;
                settled.watch = Some(settled.watch.map_or(at, |watch| watch.min(at)));
            }
            Left::Blocked(at) => settled.block(&pass, at),
            Left::Stays(at, sentence) => {
                settled.block(&pass, at);
                settled.stays = Some(sentence);
            }
        }
    }
    Ok(settled)
}

impl Settled {
    /// A hire whose mailed pass went waits for a new one.
    fn replan(&mut self, pass: &PassRow) {
        let live_before = !matches!(pass.state, PassState::Gone | PassState::Over);
        if self.standing == State::Delivered && live_before {
            self.standing = State::Pending;
        }
    }

    /// Nothing may be issued before this row is settled.
    fn block(&mut self, pass: &PassRow, at: DateTime<Utc>) {
        self.replan(pass);
        self.blocked = Some(self.blocked.map_or(at, |blocked| blocked.max(at)));
        self.watch = Some(self.watch.map_or(at, |watch| watch.min(at)));
    }
}

async fn settle_one(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    match pass.state {
        PassState::Intended => unknown_outcome(attempt, pass).await,
        PassState::Issued => tear(attempt, pass, false, Cause::LostCode).await,
        PassState::Mailing => maybe_received(attempt, pass).await,
        PassState::Condemned => delete(attempt, pass).await,
        PassState::Mailed => mailed(attempt, pass).await,
        PassState::Gone | PassState::Over if pass.owes => Ok(Left::Owed(Box::new(pass.clone()))),
        PassState::Over if pass.graph_id.is_none() => late_post(attempt, pass).await,
        PassState::Gone | PassState::Over => Ok(Left::Nothing),
    }
}

/// The POST's answer was lost: was a pass made?
async fn unknown_outcome(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    let listed = list(attempt, pass).await?;
    let store = &attempt.work.store;
    let known = store.our_graph_ids(pass.user_id).await?;
    let now = attempt.now();
    if let Some(found) = unsettled::made_by(&intent_of(pass), &listed, &known, attempt.work.limits.graph_request) {
        if found.is_used() {
            store.received(&attempt.claimed, now, pass.id, &found.id).await?;
            return Ok(Left::Received);
        }
        let found = PassRow { graph_id: Some(found.id.clone()), ..pass.clone() };
        return tear(attempt, &found, false, Cause::LostAnswer).await;
    }
    attempt.clock_agrees().await?;
    let looks = pass.looks + 1;
    match unsettled::not_found(pass.made_at, looks, now) {
        NotFound::NotMade => {
            let why = "no pass of this intent was in the directory at two looks";
            store.not_made(&attempt.claimed, now, pass.id, true, why).await?;
            Ok(Left::Nothing)
        }
        NotFound::LookAgain(at) => {
            store.looked(&attempt.claimed, now, pass.id, looks, Some(at)).await?;
            Ok(Left::Blocked(at))
        }
    }
}

/// An intent that counted as not made: its POST may have been applied after all, and override ours.
async fn late_post(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    let listed = list(attempt, pass).await?;
    let store = &attempt.work.store;
    let ours = store.our_passes(attempt.now(), pass.user_id, pass.hire_id).await?;
    if ours.other.is_some_and(|other| other.graph_id.is_none()) {
        return Ok(Left::Nothing); // what is listed may be another hire's, made this moment
    }
    let Some(late) = unsettled::made_late_by(&intent_of(pass), &listed, &ours.ids) else { return Ok(Left::Nothing) };
    if !store.adopt(&attempt.claimed, attempt.now(), pass.id, &late.id, Cause::LostAnswer.as_str()).await? {
        return Ok(Left::Blocked(attempt.now() + TimeDelta::minutes(1)));
    }
    let key = attempt.key();
    warn!(event = "pass-came-late", hire = %key, "{key}: a pass of an unanswered request came late; it is deleted");
    match delete(attempt, &PassRow { graph_id: Some(late.id.clone()), looks: 0, ..pass.clone() }).await? {
        Left::Nothing => Ok(Left::CameLate),
        left @ (Left::CameLate
        | Left::Owed(_)
        | Left::Received
        | Left::Mailed(_)
        | Left::Past
        | Left::Blocked(_)
        | Left::Stays(..)) => Ok(left),
    }
}

/// The letter may have been accepted, and the code is lost: used means received.
async fn maybe_received(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    let listed = list(attempt, pass).await?;
    if used(pass, &listed) {
        let id = pass.graph_id.as_deref().unwrap_or_default();
        attempt.work.store.received(&attempt.claimed, attempt.now(), pass.id, id).await?;
        return Ok(Left::Received);
    }
    tear(attempt, pass, true, Cause::LostCode).await
}

/// A mailed pass: is it still wanted, and what became of it?
async fn mailed(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    let now = attempt.now();
    let until = pass.until.unwrap_or(now);
    if now < until
        && let Some(cause) = no_longer_wanted(attempt, pass, now).await?
    {
        return tear(attempt, pass, true, cause).await;
    }
    if now >= until && unwanted(attempt, pass) == Some(Cause::Moved) && not_served(attempt, until) {
        return ended_unserved(attempt, pass).await;
    }
    match pass.look_at {
        Some(at) if at > now => Ok(Left::Mailed(at)),
        Some(_) | None => watch(attempt, pass, until).await,
    }
}

async fn no_longer_wanted(attempt: &Attempt<'_>, pass: &PassRow, now: DateTime<Utc>) -> Result<Option<Cause>, Stop> {
    if let Some(cause) = unwanted(attempt, pass) {
        return Ok(Some(cause));
    }
    let changed = pass.hire_revision != attempt.hire().revision;
    let due = pass.look_at.is_none_or(|at| at <= now);
    // Who the manager is counts until the pass can be used (F96); whose account it is, until it ends.
    let usable = pass.from.is_some_and(|from| from <= now);
    if !(changed || due && !usable) {
        return Ok(None);
    }
    let tenant = attempt.tenant();
    if changed {
        let found = tenant.find_user(&attempt.hire().user, &attempt.hire().employee_id).await;
        match answer(attempt, found).await? {
            Found::One(account) if account.object_id == pass.user_id => {}
            Found::One(_) => return Ok(Some(Cause::NewAccount)),
            Found::None | Found::Several => return Ok(None),
        }
    }
    if usable {
        return Ok(None);
    }
    let manager = answer(attempt, tenant.manager_of(pass.user_id).await).await?;
    Ok(manager.is_none_or(|manager| manager.object_id != pass.manager_id).then_some(Cause::NewManager))
}

fn unwanted(attempt: &Attempt<'_>, pass: &PassRow) -> Option<Cause> {
    let hire = attempt.hire();
    let wall = hire.start_date.and_time(hire.start_time);
    unsettled::unwanted(&attempt.wanted(State::Delivered), wall, pass.made_at, pass.start)
}

fn not_served(attempt: &Attempt<'_>, until: DateTime<Utc>) -> bool {
    let hire = attempt.hire();
    let wall = hire.start_date.and_time(hire.start_time);
    unsettled::not_served(&attempt.wanted(State::Delivered), wall, until)
}

/// The start moved while the pass lived, and nobody looked before it ended by itself: the hire waits for
/// a new one, from the same commit on.
async fn ended_unserved(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    // A list that is refused keeps nobody from the new start: the check that is due then says why.
    let listed = listed::look(attempt, pass).await?.unwrap_or_default();
    attempt.clock_agrees().await?;
    let was_used = used(pass, &listed);
    let outcome = if was_used { Outcome::Used } else { Outcome::Ended };
    let why = "the pass has ended, and the start is a later one now";
    attempt.work.store.over_unserved(&attempt.claimed, attempt.now(), pass.id, outcome, why).await?;
    Ok(Left::Nothing)
}

async fn watch(attempt: &Attempt<'_>, pass: &PassRow, until: DateTime<Utc>) -> Result<Left, Stop> {
    let listed = match listed::look(attempt, pass).await? {
        Ok(listed) => listed,
        // Whether it was used is never said; it has ended, and long ago.
        Err(_) if attempt.now() >= until + NEVER_SEEN && attempt.knows_the_time().await => Vec::new(),
        Err(why) => return Err(listed::refused(attempt, pass, &why)),
    };
    attempt.clock_agrees().await?; // a pass has not ended because our clock says so
    let store = &attempt.work.store;
    let (now, key) = (attempt.now(), attempt.key());
    let ours = store.our_passes(now, pass.user_id, pass.hire_id).await?;
    let id = pass.graph_id.as_deref().unwrap_or_default();
    let (outcome, why) = match unsettled::watched(id, until, &listed, &ours, now) {
        Watched::Unused => {
            let at = unsettled::next_watch(pass.mailed_at.unwrap_or(now), pass.from.unwrap_or(now), until, now);
            // Planned before that hour was over, and looked at after it: once.
            let hour = pass.from.unwrap_or(now) + unsettled::UNUSED_AFTER;
            if pass.one_time && hour <= now && pass.look_at.is_some_and(|planned| planned <= hour) {
                store.still_unused(&attempt.claimed, now, pass.id, at).await?;
            } else {
                store.looked(&attempt.claimed, now, pass.id, 0, Some(at)).await?;
            }
            return Ok(Left::Mailed(at));
        }
        Watched::Missing if pass.looks == 0 => {
            let at = now + SECOND_LOOK;
            store.looked(&attempt.claimed, now, pass.id, 1, Some(at)).await?;
            return Ok(Left::Mailed(at));
        }
        Watched::Used => (Outcome::Used, "the pass was used".to_owned()),
        Watched::Ended => (Outcome::Ended, "the pass has ended".to_owned()),
        Watched::ReplacedByOurs(other) => {
            warn!(event = "pass-replaced", hire = %key, "{key}: the pass of {other}, who has the same account, stands in the place of ours");
            (Outcome::Replaced, format!("the pass of {other}, who has the same account, stands in the place of ours"))
        }
        Watched::Replaced => {
            warn!(event = "pass-replaced", hire = %key, "{key}: somebody else's pass stands in the place of ours; firstpass does not fight it");
            (Outcome::Replaced, "somebody else's pass stands in the place of ours".to_owned())
        }
        Watched::Missing => {
            warn!(event = "pass-deleted-elsewhere", hire = %key, "{key}: our pass was deleted by somebody else");
            (Outcome::Deleted, "the pass was deleted by somebody else".to_owned())
        }
    };
    store.over(&attempt.claimed, now, pass.id, Some(outcome), &why).await?;
    Ok(Left::Past)
}

/// Condemns a pass row and deletes the pass.
async fn tear(attempt: &Attempt<'_>, pass: &PassRow, owes: bool, cause: Cause) -> Result<Left, Stop> {
    let store = &attempt.work.store;
    let condemned =
        store.condemn(&attempt.claimed, attempt.now(), pass.id, pass.graph_id.as_deref(), owes, cause.as_str()).await?;
    if !condemned {
        return Err(Stop::LetGo(None));
    }
    let key = attempt.key();
    info!(event = "pass-condemned", hire = %key, cause = cause.as_str(), "{key}: a pass must go ({cause})");
    let condemned = PassRow { owes: owes || pass.owes, looks: 0, cause: cause.as_str().to_owned(), ..pass.clone() };
    delete(attempt, &condemned).await
}

/// DELETE: 204 and 404 mean gone, at once, whatever a list says later.
async fn delete(attempt: &Attempt<'_>, pass: &PassRow) -> Result<Left, Stop> {
    let store = &attempt.work.store;
    let graph_id = pass.graph_id.as_deref().unwrap_or_default();
    let failure = match attempt.tenant().delete_pass(pass.user_id, graph_id).await {
        Ok(()) => {
            if !store.gone(&attempt.claimed, attempt.now(), pass.id).await? {
                return Err(Stop::LetGo(None));
            }
            return Ok(over_with(pass));
        }
        Err(failure) => failure,
    };
    let now = attempt.now();
    if end_of(pass).is_some_and(|end| end <= now) && attempt.knows_the_time().await {
        store.over(&attempt.claimed, now, pass.id, None, "it could not be deleted, and has ended").await?;
        return Ok(over_with(pass));
    }
    let minutes = usize::try_from(pass.looks).ok().and_then(|n| DELETE_PAUSES_MIN.get(n)).copied().unwrap_or(15);
    let at = now + TimeDelta::minutes(minutes);
    let stays = stays::not_deleted(attempt, pass, &failure, at).await?;
    let at = match attempt.setback(PERMISSION, &failure).await? {
        Setback::Waits(until, ..) => until.max(at),
        Setback::ThisHire(_) => at,
    };
    Ok(stays.map_or(Left::Blocked(at), |sentence| Left::Stays(at, sentence)))
}

fn over_with(pass: &PassRow) -> Left {
    if !pass.owes {
        return Left::Nothing;
    }
    // As the row stands now: nobody was told yet.
    Left::Owed(Box::new(PassRow { looks: 0, look_at: None, ..pass.clone() }))
}

fn intent_of(pass: &PassRow) -> Intent {
    Intent { made_at: pass.made_at, start: pass.start, lifetime_min: pass.lifetime_min, one_time: pass.one_time }
}

/// When a pass ends, or would have ended, by itself.
pub(super) fn end_of(pass: &PassRow) -> Option<DateTime<Utc>> {
    pass.until.or_else(|| Some(pass.start.unwrap_or(pass.made_at) + TimeDelta::try_minutes(pass.lifetime_min)?))
}

/// Condemns and deletes a pass that this attempt made; a failed DELETE is left to the next claim.
pub(super) async fn tear_up(attempt: &Attempt<'_>, torn: Torn) -> Result<(), Stop> {
    let store = &attempt.work.store;
    let now = attempt.now();
    let condemned =
        store.condemn(&attempt.claimed, now, torn.pass_id, Some(&torn.graph_id), torn.owes, torn.cause.as_str()).await;
    if !matches!(condemned, Ok(true)) {
        delete_unwritten(attempt, &torn).await;
        return Err(Stop::LetGo(condemned.err()));
    }
    match attempt.tenant().delete_pass(torn.user, &torn.graph_id).await {
        Ok(()) => {
            store.gone(&attempt.claimed, attempt.now(), torn.pass_id).await?;
        }
        Err(failure) => {
            let at = now + TimeDelta::minutes(1);
            store.looked(&attempt.claimed, now, torn.pass_id, 1, Some(at)).await?;
            let key = attempt.key();
            warn!(event = "pass-not-deleted", hire = %key, "{key}: a pass could not be deleted yet: {failure}");
        }
    }
    Ok(())
}

/// Our database cannot say so, but the pass must go: the row is settled when it can be written again.
pub(super) async fn delete_unwritten(attempt: &Attempt<'_>, torn: &Torn) {
    let key = attempt.key();
    if let Err(failure) = attempt.tenant().delete_pass(torn.user, &torn.graph_id).await {
        warn!(event = "pass-not-deleted", hire = %key, "{key}: the state cannot be written and a pass could not be deleted: {failure}");
    }
}

/// The hire waits for its unsettled pass.
pub(super) fn wait_until_settled(attempt: &Attempt<'_>, settled: &Settled) -> Stop {
    let at = settled.blocked.unwrap_or_else(|| attempt.now());
    let mut standstill = attempt.keep(settled.standing, at);
    if standstill.state == State::Pending {
        standstill.state = State::Issuing;
    }
    Stop::Rest(standstill)
}

/// The first look at an unknown outcome comes soon: most lists do not lag.
pub(super) fn first_look_at_unknown(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(15)
}

/// A hire of a tenant that the settings no longer serve rests until they do.
pub(super) async fn leave_to_its_tenant(work: &Work, claimed: Claimed) -> Result<(), StoreError> {
    let now = work.clock.now();
    let hire = &claimed.hire;
    let rest = Rest {
        state: looked_at_as(hire.state),
        reason: hire.reason,
        what_to_do: format!(
            "no enabled [[tenant]] is named {}; add it to the settings, or cancel the hire",
            hire.tenant
        ),
        why: "its tenant is not in the settings".to_owned(),
        look_at: Some(now + TimeDelta::hours(1)),
        seen: None,
    };
    work.store.rest(claimed, now, rest).await.map(|_| ())
}

/// An answer, or the hire as it stands, looked at again later.
async fn answer<T>(attempt: &Attempt<'_>, got: Result<T, Failure>) -> Result<T, Stop> {
    let failure = match got {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    let at = match attempt.setback(PERMISSION, &failure).await? {
        Setback::Waits(until, reason, why) => return Err(Stop::Rest(attempt.wait(reason, &why, until))),
        Setback::ThisHire(_) => attempt.now() + TimeDelta::minutes(1),
    };
    let key = attempt.key();
    warn!(event = "passes-not-seen", hire = %key, "{key}: its passes could not be looked at: {failure}");
    let mut standstill = attempt.keep(attempt.hire().state, at);
    standstill.state = attempt.hire().state;
    Err(Stop::Rest(standstill))
}

fn used(pass: &PassRow, listed: &[ListedPass]) -> bool {
    listed.iter().any(|found| Some(&found.id) == pass.graph_id.as_ref() && found.is_used())
}
