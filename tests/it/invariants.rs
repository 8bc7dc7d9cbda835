//! The invariants of `faults.md`, asserted at the end of every story over the database, the
//! directory, the mailbox and the files. Their numbers stand in the messages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::rules::hire::{MailAddress, State};
use firstpass::sandbox::mailbox::ReceivedLetter;
use firstpass::sandbox::tenant::{Kind, ModelPass};
use sqlx::Row;
use uuid::Uuid;

use crate::world::{CLIENT_SECRET, MAIL_PASSWORD, World, at};

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
    pub(crate) async fn finish(self) {
        let story = self.story().await;
        self.rows_are_accounted_for(&story).await;
        self.letters_are_right(&story).await;
        self.no_secret_at_rest(&story);
        self.one_live_pass(&story);
        self.intents_have_outcomes(&story).await;
        self.posts_were_checked_and_on_time(&story).await;
        self.retry_after_is_honoured(&story);
        crate::contract::check_journal(&self.tenant);
    }

    /// I1, I11, I12: each row ends somewhere, each hire has a state with a reason and a story.
    async fn rows_are_accounted_for(&self, story: &str) {
        for report in &self.reports {
            let sum =
                report.added + report.changed + report.withdrawn + report.unchanged + report.past + report.rejected;
            if report.state == "taken" {
                assert!(sum <= report.rows, "I1: {report:?}\n{story}");
            }
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

    /// I2, I15: one recipient, who is the manager that the pass row names.
    async fn letters_are_right(&self, story: &str) {
        let recipients: Vec<String> =
            self.raw("SELECT recipient FROM pass").await.iter().map(|row| row.get::<String, _>(0)).collect();
        let admins: Vec<&str> = self.settings.notify.to.iter().map(MailAddress::as_str).collect();
        for letter in self.letters() {
            assert_eq!(letter.to.len(), 1, "I2: one recipient\n{story}");
            if crate::notices::is_notice(&letter) {
                assert!(admins.contains(&letter.to[0].as_str()), "I2: a notice to {}\n{story}", letter.to[0]);
                self.holds_no_code(&crate::notices::bodies(&letter), story);
                continue;
            }
            assert!(recipients.contains(&letter.to[0]), "I2, I15: {} is nobody's recipient\n{story}", letter.to[0]);
            assert!(letter.encrypted, "I2: in the clear\n{story}");
        }
        assert!(self.tenant.sent_items().is_empty(), "I3: a letter stays in Sent Items\n{story}");
    }

    /// I3, promise 4: what admins are told never holds a code.
    pub(crate) fn holds_no_code(&self, text: &str, story: &str) {
        for (_, pass) in self.tenant.all_passes() {
            assert!(!text.contains(&pass.code), "I3: a code is told to admins\n{story}");
        }
    }

    /// I3: no code and no secret in any file, the secret files themselves excepted.
    fn no_secret_at_rest(&self, story: &str) {
        let mut needles: Vec<String> = self.tenant.all_passes().into_iter().map(|(_, pass)| pass.code).collect();
        needles.push(CLIENT_SECRET.to_owned());
        needles.push(MAIL_PASSWORD.to_owned());
        for path in files_below(self.dir.path()) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("secret-")) {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for needle in &needles {
                let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
                assert!(!found, "I3: a secret lies in {}\n{story}", path.display());
            }
        }
        for needle in &needles {
            assert!(!story.contains(needle.as_str()), "I3: a secret lies in the events");
        }
        let people: Vec<(String, String)> = self.tenant.edit(|directory| {
            directory.users.values().map(|user| (user.upn.clone(), user.display_name.clone())).collect()
        });
        for line in story.lines().take_while(|line| line.contains(" UTC ")) {
            let named = people.iter().find(|(upn, name)| line.contains(upn.as_str()) || line.contains(name.as_str()));
            assert!(named.is_none(), "events hold ids, never names or addresses: {line}");
        }
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
        assert!(n_posts <= rows.len(), "I6: {n_posts} POSTs, {} intents\n{story}", rows.len());
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
                !pass.by_app || !live || ours.contains(&pass.id) || self.allow.unsettled,
                "I6: an unknown pass\n{story}"
            );
        }
    }

    /// I7, I9, I10, I19: before each POST the guard's questions were answered within a minute; no
    /// POST before the send time; the start is the hire's or left out.
    async fn posts_were_checked_and_on_time(&self, story: &str) {
        let journal = self.tenant.journal();
        let hires = self.hires().await;
        let users: BTreeMap<String, Uuid> = self
            .tenant
            .edit(|directory| directory.users.values().map(|user| (user.upn.to_lowercase(), user.id)).collect());
        for (n, post) in journal.iter().enumerate().filter(|(_, seen)| seen.kind == Kind::PassCreate) {
            for kind in
                [Kind::User, Kind::Manager, Kind::Methods, Kind::Roles, Kind::Policy, Kind::Domains, Kind::PassList]
            {
                let asked = journal[..n].iter().rev().any(|seen| {
                    seen.kind == kind && (200..300).contains(&seen.status) && post.at - seen.at <= TimeDelta::minutes(1)
                });
                assert!(asked, "I7, I19: POST #{n} without an answered {kind:?}\n{story}");
            }
            let owner = users.iter().find(|(_, id)| post.path.contains(&id.to_string())).map(|(upn, _)| upn.clone());
            let sends: Vec<DateTime<Utc>> = hires
                .iter()
                .filter(|hire| owner.as_deref() == Some(hire.user.to_lowercase().as_str()))
                .filter_map(|hire| hire.send_utc.as_deref().map(at))
                .collect();
            // A start that moved after its POST leaves a POST before the new morning.
            assert!(
                sends.is_empty() || sends.iter().any(|send| *send <= post.at) || story.contains(" moved: "),
                "I10: a POST at {} before its morning {sends:?}\n{story}",
                post.at
            );
            if let Some(start) = post.body.as_ref().and_then(|body| body.get("startDateTime")).and_then(|s| s.as_str())
            {
                assert!(start.ends_with('Z') && at(start) > post.at, "I9: start {start} at {}\n{story}", post.at);
            }
        }
        for (_, pass) in self.tenant.all_passes().into_iter().filter(|(_, pass)| pass.by_app) {
            assert!(pass.until() - pass.created <= TimeDelta::hours(24), "I9: usable for more than a day\n{story}");
        }
    }

    /// I12: after a Retry-After nothing is asked of Graph before its time.
    fn retry_after_is_honoured(&self, story: &str) {
        let journal = self.tenant.journal();
        for (n, seen) in journal.iter().enumerate().filter(|(_, seen)| seen.status == 429) {
            let next = journal[n + 1..].iter().find(|later| later.kind != Kind::Token && later.at > seen.at);
            let at_once = journal[n + 1..]
                .iter()
                .filter(|later| later.kind != Kind::Token && later.at == seen.at && later.kind != Kind::PassDelete)
                .count();
            assert!(at_once <= 3 * self.limits.at_once.max(1), "I12: {at_once} requests right after 429\n{story}");
            if let Some(next) = next {
                assert!(next.at - seen.at >= TimeDelta::seconds(1), "I12: asked again at once\n{story}");
            }
        }
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
