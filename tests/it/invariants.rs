//! The invariants of `faults.md`, asserted at the end of every story over the database, the
//! directory, the mailbox and the files. Their numbers stand in the messages; where else each number is
//! covered, and which have no subject here, stands in `numbers.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::rules::hire::{MailAddress, State};
use firstpass::sandbox::mailbox::ReceivedLetter;
use firstpass::sandbox::tenant::{Kind, ModelPass, Seen};
use sqlx::Row;
use uuid::Uuid;

use crate::world::World;

mod ends;
mod secrets;
mod starts;

pub(crate) use self::secrets::files_below;

/// `Retry-After` counts for so long at most.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

impl World {
    /// At noon the account has one live pass, the last letter holds its code, the hire is delivered, and
    /// no more than `most_letters` with a code went out.
    pub(crate) async fn ends_well(mut self, upn: &str, most_letters: usize, what: &str) {
        self.until("2027-03-01T12:00:00Z").await;
        let live = self.live_passes(upn);
        let story = self.story().await;
        assert_eq!(live.len(), 1, "{what}: one live pass at noon\n{story}");
        let letters = self.code_letters();
        let last = letters.last().unwrap_or_else(|| panic!("{what}: no letter\n{story}"));
        assert_eq!(last.code().unwrap(), live[0].code, "{what}: the last letter holds the live pass\n{story}");
        assert!(letters.len() <= most_letters, "{what}: {} letters\n{story}", letters.len());
        let delivered = self.hires().await.iter().any(|hire| hire.user == upn && hire.state == "delivered");
        assert!(delivered, "{what}\n{story}");
        self.finish().await;
    }

    /// The end of a story: the invariants over database, directory, mailbox and files.
    pub(crate) async fn finish(mut self) {
        Box::pin(self.invariants()).await;
        let story = self.story().await;
        if Box::pin(self.nothing_changes_again(&story)).await {
            Box::pin(self.invariants()).await;
        }
    }

    async fn invariants(&self) {
        let story = self.story().await;
        self.rows_are_accounted_for(&story).await;
        self.letters_are_right(&story).await;
        self.no_secret_at_rest(&story);
        self.events_hold_ids(&story);
        self.one_live_pass(&story);
        self.intents_have_outcomes(&story).await;
        self.posts_were_checked_and_on_time(&story).await;
        self.retry_after_is_honoured(&story);
        self.ends_are_ends(&story).await;
        crate::contract::check_journal(&self.tenant);
    }

    /// I1, I11, I12: each row ends somewhere, each hire has a state with a reason and a story.
    async fn rows_are_accounted_for(&self, story: &str) {
        for report in self.reports.iter().filter(|report| report.state == "taken") {
            let sum =
                report.added + report.changed + report.withdrawn + report.unchanged + report.past + report.rejected;
            assert_eq!(sum + report.twins, report.rows + report.vanished, "I1: {report:?}\n{story}");
            assert_eq!(u64::try_from(report.rejects.len()).unwrap(), report.rejected, "I1: {report:?}\n{story}");
        }
        for hire in self.hires().await {
            let state: State = hire.state.parse().unwrap();
            match state {
                State::Attention => {
                    assert!(hire.reason.is_some() && !hire.what_to_do.is_empty(), "I11: attention says why\n{story}");
                }
                State::Pending | State::Issuing | State::Sending => {
                    assert!(hire.next_try_utc.is_some(), "I1: {} waits for ever\n{story}", hire.employee_id);
                }
                State::Delivered => assert!(hire.mailed_to.is_some(), "I11: delivered to whom?\n{story}"),
                State::Held | State::Cancelled => {}
            }
            assert!(hire.tries <= 20, "I12: {} tries\n{story}", hire.tries);
        }
    }

    /// I2, I15: one recipient, whom the directory named as the manager when the pass was asked for, and
    /// whom the pass row names.
    async fn letters_are_right(&self, story: &str) {
        let rows = self.raw("SELECT graph_id, recipient FROM pass WHERE message_id <> ''").await;
        let recipients: Vec<(Option<String>, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let admins: Vec<&str> = self.settings.notify.to.iter().map(MailAddress::as_str).collect();
        let journal = self.tenant.journal();
        for letter in self.letters() {
            assert_eq!(letter.to.len(), 1, "I2: one recipient\n{story}");
            let to = letter.to[0].as_str();
            if crate::notices::is_notice(&letter) {
                assert!(admins.contains(&to), "I2: a notice to {to}\n{story}");
                self.holds_no_code(&crate::notices::bodies(&letter), story);
                continue;
            }
            assert!(letter.encrypted, "I2: in the clear\n{story}");
            let known = recipients.iter().any(|(_, recipient)| recipient == to) || self.allow.restored;
            assert!(known, "I2, I15: {to} is nobody's recipient\n{story}");
            let Some(code) = letter.code() else { continue };
            let passes = self.tenant.all_passes();
            let Some((user, pass)) = passes.iter().find(|(_, pass)| pass.code == code) else {
                panic!("I2: the letter to {to} holds nobody's code\n{story}")
            };
            let of_row = recipients.iter().find(|(id, _)| id.as_deref() == Some(pass.id.as_str()));
            assert!(of_row.is_none_or(|(_, recipient)| recipient == to), "I15: not to {to}\n{story}");
            let named = manager_named(&journal, *user, pass);
            assert_eq!(named.map(str::to_lowercase), Some(to.to_lowercase()), "I2: to no manager\n{story}");
        }
        assert!(self.tenant.sent_items().is_empty(), "I3: a letter stays in Sent Items\n{story}");
    }

    /// I4, I5, I8: never two live passes of ours, no foreign one overridden, a live one was mailed.
    fn one_live_pass(&self, story: &str) {
        let now = self.clock.now();
        let mailed: Vec<String> = self.code_letters().iter().filter_map(ReceivedLetter::code).collect();
        let mut by_user: BTreeMap<Uuid, Vec<ModelPass>> = BTreeMap::new();
        for (user, pass) in self.tenant.all_passes() {
            by_user.entry(user).or_default().push(pass);
        }
        for passes in by_user.values() {
            for pass in passes {
                let by = passes.iter().find(|other| Some(&other.id) == pass.overridden_by.as_ref());
                let overridden_alive = by.is_some_and(|other| {
                    other.by_app && pass.until() > other.created && !pass.used && !self.allow.late_post
                });
                assert!(!overridden_alive || pass.by_app, "I8: a foreign pass was overridden\n{story}");
                assert!(!overridden_alive, "I4: a POST while a pass of ours was live\n{story}");
                if pass.by_app && pass.is_live(now) && !self.allow.unsettled {
                    assert!(mailed.contains(&pass.code), "I5: a live pass that nobody has\n{story}");
                }
            }
            let n_live = passes.iter().filter(|pass| pass.by_app && pass.is_live(now)).count();
            assert!(n_live <= 1, "I4: {n_live} live passes\n{story}");
        }
    }

    /// I6: every POST had a row before it, and every row came to an end.
    async fn intents_have_outcomes(&self, story: &str) {
        let n_posts = self.tenant.journal().iter().filter(|seen| seen.kind == Kind::PassCreate).count();
        let rows = self.raw("SELECT state, graph_id FROM pass").await;
        let written = n_posts <= rows.len() || self.allow.restored;
        assert!(written, "I6: {n_posts} POSTs, {} intents\n{story}", rows.len());
        if !self.allow.unsettled {
            for row in &rows {
                let state: String = row.get(0);
                assert!(["mailed", "gone", "over"].contains(&state.as_str()), "I6: a pass row is {state}\n{story}");
            }
        }
        let ours: Vec<String> = rows.iter().filter_map(|row| row.get::<Option<String>, _>(1)).collect();
        for (_, pass) in self.tenant.all_passes() {
            let live = pass.is_live(self.clock.now());
            assert!(
                !pass.by_app || !live || ours.contains(&pass.id) || self.allow.unsettled || self.allow.restored,
                "I6: an unknown pass\n{story}"
            );
        }
    }

    /// I12: after a Retry-After nothing is asked of Graph before its time, but for what was under way, the
    /// end of passes, and letters, which have a gate of their own.
    fn retry_after_is_honoured(&self, story: &str) {
        let journal = self.tenant.journal();
        let under_way = 3 * self.limits.at_once.max(1);
        for (n, seen) in journal.iter().enumerate().filter(|(_, seen)| seen.status == 429 && held_by_it(seen)) {
            let wait = wait_asked(seen);
            let early: Vec<&Seen> = journal[n + 1..]
                .iter()
                .filter(|later| held_by_it(later) && later.at >= seen.at && later.at - seen.at < wait)
                .collect();
            let first = early.iter().filter(|later| later.at == seen.at).count();
            assert!(first <= under_way, "I12: {first} requests right after 429\n{story}");
            let again = early.iter().find(|later| later.at > seen.at);
            assert!(again.is_none(), "I12: {again:?} before {} s were over\n{story}", wait.num_seconds());
        }
    }
}

/// What a tenant's gate holds back.
fn held_by_it(seen: &Seen) -> bool {
    !matches!(seen.kind, Kind::Token | Kind::PassDelete | Kind::SendMail)
}

/// Seconds or a date, bounded; at least a second without.
fn wait_asked(seen: &Seen) -> TimeDelta {
    let text = seen.retry_after.as_deref().unwrap_or_default();
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let until = DateTime::parse_from_rfc2822(text).ok().map(|until| until.with_timezone(&Utc) - seen.at);
    let asked = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok().or(Some(LONGEST_WAIT)));
    let asked = asked.or_else(|| until.and_then(|until| until.to_std().ok())).unwrap_or(Duration::from_secs(1));
    // The model's clock in hand has whole milliseconds.
    TimeDelta::milliseconds(i64::try_from(asked.min(LONGEST_WAIT).as_millis()).unwrap())
}

/// The address of the manager as the directory last named one before the pass was made.
fn manager_named<'a>(journal: &'a [Seen], user: Uuid, pass: &ModelPass) -> Option<&'a str> {
    let user = user.to_string();
    let made = journal.iter().position(|seen| {
        let answered = seen.answer.as_ref().and_then(|answer| answer["id"].as_str());
        seen.kind == Kind::PassCreate && seen.path.contains(&user) && answered == Some(pass.id.as_str())
    })?;
    let asked = journal[..made].iter().rev();
    let mut named = asked.filter(|seen| seen.kind == Kind::Manager && seen.path.contains(&user));
    named.find(|seen| seen.status == 200)?.answer.as_ref()?["mail"].as_str()
}
