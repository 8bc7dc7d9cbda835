//! I7, I9, I10, I19: each POST was checked, asked for the hire's own start, and came in time.
//!
//! The start that was in force at a POST is read from the events (a move says from where to where) and made
//! an instant here, not taken from what the program computed.

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::sandbox::tenant::{Kind, Seen};
use sqlx::Row;

use crate::world::{World, at};

/// A start on record.
struct Start {
    start: DateTime<Utc>,
    send: DateTime<Utc>,
}

/// A pass row and the hire that it was intended for.
struct Intent {
    hire_id: i64,
    user: String,
    made_at: DateTime<Utc>,
    /// `2027-03-01 09:00 Europe/Berlin`
    civil: String,
    send_time: String,
    tenant: String,
}

/// What happened to a hire.
struct Told {
    at: DateTime<Utc>,
    what: String,
    why: String,
}

impl World {
    pub(super) async fn posts_were_checked_and_on_time(&self, story: &str) {
        let journal = self.tenant.journal();
        let intents = self.intents().await;
        for (n, post) in journal.iter().enumerate().filter(|(_, seen)| seen.kind == Kind::PassCreate) {
            let Some(intent) = intent_of(&intents, post) else {
                assert!(self.allow.restored, "I6: a POST at {} without an intent\n{story}", post.at);
                continue;
            };
            was_checked(&journal[..n], post, &intent.user, story);
            let told = self.told(intent.hire_id).await;
            self.was_in_time(post, intent, &told, story);
            self.was_within_the_policy(&journal[..n], post, story);
        }
        for (_, pass) in self.tenant.all_passes().into_iter().filter(|(_, pass)| pass.by_app) {
            assert!(pass.until() - pass.created <= TimeDelta::hours(24), "I9: usable for more than a day\n{story}");
        }
    }

    /// I9, I10.
    fn was_in_time(&self, post: &Seen, intent: &Intent, told: &[Told], story: &str) {
        let (may_be, skew) = (starts_in_force(intent, told, post.at), self.tenant.edit(|d| d.skew.abs()));
        if may_be.is_empty() {
            return;
        }
        let retries: Vec<DateTime<Utc>> =
            told.iter().filter(|told| told.what == "retry" && told.at <= post.at).map(|told| told.at).collect();
        let late_until = self.late_until(&intent.tenant);
        let asked = post.body.as_ref().and_then(|body| body.get("startDateTime")).and_then(|start| start.as_str());
        let right = |wanted: &Start| match asked {
            Some(asked) => asked.ends_with('Z') && at(asked) == wanted.start && at(asked) > post.at - skew,
            None => wanted.start - post.at < TimeDelta::minutes(1) + skew,
        };
        let in_force: Vec<String> = may_be.iter().map(|start| start.start.to_rfc3339()).collect();
        assert!(may_be.iter().any(right), "I9: {asked:?} asked at {} for {in_force:?}\n{story}", post.at);
        let not_early = |wanted: &Start| wanted.send <= post.at + skew;
        assert!(
            may_be.iter().any(not_early),
            "I10: a POST at {} before its morning; starts {in_force:?}\n{story}",
            post.at
        );
        let not_late = |wanted: &Start| post.at - skew <= wanted.start + late_until;
        let tried_again = retries.iter().any(|retry| post.at - skew <= *retry + late_until);
        assert!(
            may_be.iter().any(not_late) || tried_again,
            "I10: a POST at {}, so long after {in_force:?}\n{story}",
            post.at
        );
    }

    /// I9: no longer than the settings wish and the policy, as it was last read, allows.
    fn was_within_the_policy(&self, before: &[Seen], post: &Seen, story: &str) {
        let Some(body) = &post.body else { return };
        let lifetime = body["lifetimeInMinutes"].as_i64().unwrap_or(i64::MAX);
        let wished = self.settings.tenants.iter().map(|tenant| tenant.rules.pass.lifetime.as_secs() / 60).max();
        let wished = wished.and_then(|most| i64::try_from(most).ok()).unwrap_or(0);
        assert!(lifetime <= wished, "I9: {lifetime} minutes, the settings wish {wished}\n{story}");
        let policy = before.iter().rev().find(|seen| seen.kind == Kind::Policy && seen.status == 200);
        let Some(policy) = policy.and_then(|seen| seen.answer.as_ref()) else { return };
        let most = policy["maximumLifetimeInMinutes"].as_i64().unwrap_or(i64::MAX);
        assert!(lifetime <= most, "I9: {lifetime} minutes, the policy allows {most}\n{story}");
        let once = policy["isUsableOnce"] == true;
        assert!(!once || body["isUsableOnce"] == true, "I9: the policy demands one-time passes\n{story}");
    }

    fn late_until(&self, tenant: &str) -> TimeDelta {
        let rules = self.settings.tenants.iter().filter(|served| served.name == tenant || served.name.is_empty());
        let late = rules.map(|served| served.rules.schedule.late_until).next().unwrap_or_default();
        TimeDelta::from_std(late).unwrap()
    }

    async fn intents(&self) -> Vec<Intent> {
        let sql = "SELECT p.hire_id, p.user_id, p.made_at, h.start_date, h.start_time, h.zone, h.send_time, h.tenant
             FROM pass p JOIN hire h ON h.id = p.hire_id ORDER BY p.id";
        let intent = |row: &sqlx::sqlite::SqliteRow| Intent {
            hire_id: row.get(0),
            user: row.get(1),
            made_at: DateTime::from_timestamp_millis(row.get(2)).unwrap(),
            civil: format!(
                "{} {} {}",
                row.get::<String, _>(3),
                row.get::<String, _>(4).get(..5).unwrap_or_default(),
                row.get::<String, _>(5)
            ),
            send_time: row.get(6),
            tenant: row.get(7),
        };
        self.raw(sql).await.iter().map(intent).collect()
    }

    async fn told(&self, hire_id: i64) -> Vec<Told> {
        let rows = self.raw("SELECT hire_id, at, what, why FROM event WHERE hire_id IS NOT NULL ORDER BY seq").await;
        rows.iter()
            .filter(|row| row.get::<i64, _>(0) == hire_id)
            .map(|row| Told {
                at: DateTime::from_timestamp_millis(row.get(1)).unwrap(),
                what: row.get(2),
                why: row.get(3),
            })
            .collect()
    }
}

/// I7, I19: the guard's questions about this account were answered within a minute before.
fn was_checked(before: &[Seen], post: &Seen, user: &str, story: &str) {
    for kind in [Kind::User, Kind::Manager, Kind::Methods, Kind::Roles, Kind::Policy, Kind::Domains, Kind::PassList] {
        let about_them = |seen: &Seen| match kind {
            Kind::Manager | Kind::Methods | Kind::Roles | Kind::PassList => seen.path.contains(user),
            _ => true,
        };
        let asked = before.iter().rev().any(|seen| {
            seen.kind == kind
                && about_them(seen)
                && (200..300).contains(&seen.status)
                && post.at - seen.at <= TimeDelta::minutes(1)
        });
        assert!(asked, "I7, I19: a POST at {} without an answered {kind:?}\n{story}", post.at);
    }
}

/// The pass row that was written for this POST: the account's, and the nearest in time.
fn intent_of<'a>(intents: &'a [Intent], post: &Seen) -> Option<&'a Intent> {
    let theirs = intents.iter().filter(|intent| post.path.contains(&intent.user));
    theirs.min_by_key(|intent| (post.at - intent.made_at).abs())
}

/// The start that the hire had at that instant; more than one when it changed right then, none when
/// the events do not say.
fn starts_in_force(intent: &Intent, told: &[Told], now: DateTime<Utc>) -> Vec<Start> {
    let mut may_be: Vec<String> = Vec::new();
    // A service that was given other zone data than this test has: only it knows what they say.
    let ours = format!("zone data {},", firstpass::config::tz_versions().in_force());
    if told.iter().any(|told| told.what == "replanned" && !told.why.contains(&ours)) {
        return Vec::new();
    }
    for change in told.iter().filter(|told| told.at >= now) {
        let before = match change.what.as_str() {
            "moved" => change.why.strip_prefix("start moved from ").and_then(|why| why.split(" to ").next()),
            "returned" | "replanned" => return Vec::new(),
            _ => continue,
        };
        may_be.extend(before.map(str::to_owned));
        if change.at > now {
            return resolved(&may_be, &intent.send_time);
        }
    }
    may_be.push(intent.civil.clone());
    resolved(&may_be, &intent.send_time)
}

fn resolved(civil: &[String], send_time: &str) -> Vec<Start> {
    let instant = |day: &str, time: &str, zone: &str| {
        let zone = jiff::tz::TimeZone::get(zone).ok()?;
        let wall: jiff::civil::DateTime = format!("{day}T{time}").parse().ok()?;
        let instant = zone.to_ambiguous_zoned(wall).compatible().ok()?;
        DateTime::from_timestamp_millis(instant.timestamp().as_millisecond())
    };
    let start = |civil: &String| {
        let mut words = civil.splitn(3, ' ');
        let (day, time, zone) = (words.next()?, words.next()?, words.next()?);
        let start = instant(day, time, zone)?;
        let send = instant(day, send_time, zone)?;
        Some(Start { start, send: if send < start { send } else { start } })
    };
    civil.iter().filter_map(start).collect()
}
