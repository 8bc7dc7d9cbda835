//! A round of notices has an end, however slow those are who take them: news are gathered in between,
//! and what was not reached stays due (F60).

use std::time::Duration;

use firstpass::sandbox::mailbox::{Effect, MailFault, Verb, When};

use super::receiver::Answer;
use super::{Desk, count};

/// So long a round begins new tries.
const ROUND: Duration = Duration::from_millis(500);
const UNTRIED: &str = "SELECT count(*) FROM notice WHERE tries = 0";

impl Desk {
    /// A new worker, whose rounds begin no try after so long.
    async fn with_rounds_of(&mut self, round: Duration) {
        self.world.limits.notices = round;
        self.world.restart().await;
    }
}

#[tokio::test]
async fn f60_slow_receivers_end_the_round_and_what_was_not_reached_stays_due() {
    let mut desk = Desk::new("").await;
    desk.with_rounds_of(Duration::ZERO).await;
    desk.world.drop_file("bad.csv", "employee_id,start_date\nE1,2027-04-31\n");
    desk.world.tick().await;
    desk.told().await;
    assert_eq!((count(&desk.world, UNTRIED).await, desk.hook.seen().len()), (2, 0), "made, and its time is over");
    three_of_each(&desk).await;

    desk.with_rounds_of(ROUND).await;
    desk.hook.answers(&[Answer::Silence(ROUND * 2)]);
    let late = MailFault { verb: Verb::Dot, nth: 1, when: When::Before, effect: Effect::Delay(ROUND * 2) };
    desk.world.mail.fault(late);
    let told = desk.round().await;
    assert_eq!((told.taken, told.left), (2, true), "one each: {told:?}");
    assert_eq!(count(&desk.world, UNTRIED).await, 4, "the others were not begun");
    let told = desk.round().await;
    assert_eq!((told.taken, told.left), (4, false), "{told:?}");
    assert_eq!((desk.hook.seen().len(), desk.mails().len()), (3, 3));
    desk.finish().await;
}

/// As if more had happened: each notice three times.
async fn three_of_each(desk: &Desk) {
    let path = desk.world.settings.state.url.trim_start_matches("sqlite:").to_owned();
    let state = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap();
    let more = "INSERT INTO notice (uid, target, cause, body, made_at, tries, next_at)
                SELECT uid || n.i, target, cause, body, made_at, tries, next_at
                FROM notice, (SELECT 1 AS i UNION ALL SELECT 2) AS n";
    sqlx::query(more).execute(&state).await.unwrap();
    state.close().await;
}
