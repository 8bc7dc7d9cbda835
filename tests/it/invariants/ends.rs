//! I14, I16, I17: what is over stays over, and neither a restart nor the same file again changes anything.

use std::collections::{BTreeMap, BTreeSet};

use firstpass::clock::Clock;
use firstpass::feed::FileReport;
use firstpass::work::tick::{Feeds, tick};
use sqlx::Row;

use crate::world::World;

/// How a pass row ends.
const ENDS: [&str; 7] = ["gone", "over", "used", "ended", "replaced", "deleted", "not-made"];
/// What may be said about a row that ended: its recipient is told.
const AFTERWARDS: [&str; 3] = ["told-void", "void-not-told", "unused"];
/// After these a person or the feed wants something else.
const WANTED_ANEW: [&str; 8] = ["retry", "release", "cancel", "hold", "moved", "returned", "amended", "withdrawn"];
/// Outcomes behind which nobody gets another pass unless somebody asks for it.
const OUTCOMES: [&str; 4] = ["used", "ended", "replaced", "deleted"];

impl World {
    /// I16, read from the events.
    pub(super) async fn ends_are_ends(&self, story: &str) {
        let rows = self.raw("SELECT hire_id, what, why FROM event WHERE hire_id IS NOT NULL ORDER BY seq").await;
        let mut ended: BTreeMap<i64, String> = BTreeMap::new();
        let mut finished: BTreeMap<i64, String> = BTreeMap::new();
        // Behind their letter: an outcome of that pass says nothing about the new start.
        let mut moved: BTreeSet<i64> = BTreeSet::new();
        for row in rows {
            let (hire, what, why): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
            match what.as_str() {
                "moved" => drop(moved.insert(hire)),
                "delivered" => drop(moved.remove(&hire)),
                _ => {}
            }
            if WANTED_ANEW.contains(&what.as_str()) {
                finished.remove(&hire);
            }
            if what == "cancelled" {
                finished.insert(hire, what.clone());
            }
            if ["intended", "issued", "mailing", "delivered", "pending"].contains(&what.as_str())
                && let Some(end) = finished.get(&hire)
            {
                // A hire that rests as pending after its cancellation was taken back is wanted anew above.
                panic!("I16: {what} ({why}) after {end}, and nobody asked for it\n{story}");
            }
            let Some(pass) = pass_row(&why) else { continue };
            match ended.get(&pass).map(String::as_str) {
                // The POST of an intent that counted as not made came late.
                Some("not-made" | "over") if what == "condemned" => {
                    ended.remove(&pass);
                }
                Some(end) => {
                    assert!(AFTERWARDS.contains(&what.as_str()), "I16: pass row {pass} is {what} after {end}\n{story}");
                }
                None => {}
            }
            if ENDS.contains(&what.as_str()) {
                ended.insert(pass, what.clone());
            }
            if OUTCOMES.contains(&what.as_str()) && !moved.contains(&hire) {
                finished.insert(hire, what);
            }
        }
    }

    /// I14, I17: a new process that is handed the last file once more finds everything as it was. Whether
    /// that could be tried.
    pub(super) async fn nothing_changes_again(&mut self, story: &str) -> bool {
        let by_hand = self.allow.unsettled || self.allow.by_hand;
        if self.work.is_none() || by_hand || matches!(self.clock, Clock::System) {
            return false;
        }
        // What is due at this very moment is done first, by the process that is there.
        if self.ticked().await.is_none() || self.work().n_in_hand().await > 0 {
            return false;
        }
        let before = self.what_stands().await;
        let file = self.last_taken().await;
        self.restart().await;
        if let Some((name, bytes)) = &file {
            std::fs::write(self.dir.path().join("drop").join(name), bytes).unwrap();
        }
        let Some(reports) = self.ticked().await else { return false };
        let after = self.what_stands().await;
        assert_eq!(before, after, "I14, I17: a restart and the last file again changed something\n{story}");
        if let Some((name, _)) = &file {
            let report = reports.iter().find(|report| report.file == *name);
            let report = report.unwrap_or_else(|| panic!("I14: {name} was left in the drop folder\n{story}"));
            let changes = report.added + report.changed + report.withdrawn;
            assert_eq!((report.state.as_str(), changes), ("taken", 0), "I14: {report:?}\n{story}");
        }
        true
    }

    /// A tick, unless the story broke what it needs.
    async fn ticked(&mut self) -> Option<Vec<FileReport>> {
        let work = std::sync::Arc::clone(self.work());
        tick(&work, Feeds::Read).await.ok().map(|report| report.files)
    }

    /// What the feed and admins want, and where each hire and pass stands.
    async fn what_stands(&self) -> Vec<String> {
        let hires = "SELECT id || ' ' || employee_id || ' ' || revision || ' ' || feed_status || ' ' || operator_status
                || ' ' || state || ' ' || coalesce(reason, '') || ' ' || tries || ' ' || coalesce(start_at, 0)
             FROM hire ORDER BY id";
        let passes = "SELECT id || ' ' || state || ' ' || coalesce(graph_id, '') || ' ' || coalesce(outcome, '')
                || ' ' || owes || ' ' || recipient FROM pass ORDER BY id";
        let mut stands: Vec<String> = self.raw(hires).await.iter().map(|row| row.get(0)).collect();
        stands.extend(self.raw(passes).await.iter().map(|row| row.get::<String, _>(0)));
        stands
    }

    /// The file that the one feed took last, when it still lies in `done/` and nothing else waits.
    async fn last_taken(&self) -> Option<(String, Vec<u8>)> {
        let [feed] = self.settings.feeds.as_slice() else { return None };
        let rows = self.raw("SELECT file, sha256, feed, state FROM file ORDER BY id").await;
        let last = rows.iter().rfind(|row| row.get::<String, _>(3) == "taken")?;
        let (name, sha256): (String, String) = (last.get(0), last.get(1));
        if last.get::<String, _>(2) != feed.name || rows.last()?.get::<String, _>(3) != "taken" {
            return None;
        }
        let folder = self.dir.path().join("drop");
        let waits = std::fs::read_dir(&folder).ok()?.flatten().any(|entry| entry.path().is_file());
        let done = std::fs::read_dir(folder.join("done")).ok()?.flatten().map(|entry| entry.path());
        let kept = done.filter(|path| path.to_string_lossy().contains(sha256.get(..8).unwrap_or(&sha256)));
        let kept = kept.filter(|path| path.extension().is_some_and(|end| end != "json")).max()?;
        if waits { None } else { Some((name, std::fs::read(kept).ok()?)) }
    }
}

/// The pass row that an event speaks of.
fn pass_row(why: &str) -> Option<i64> {
    let (_, behind) = why.split_once("pass row ").or_else(|| why.split_once("(row "))?;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
