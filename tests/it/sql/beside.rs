//! A database feed in the running service: its troubles are told once and stand in the lists, and a
//! slow source delays no letter.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use firstpass::clock::Clock;
use firstpass::work::tick::{Feeds, tick};

use super::Hr;
use super::proxy::{Mode, Proxy};
use crate::service::SOON;
use crate::world::{World, short_limits};

const TABLE: &str = "CREATE TABLE starters (employee_id VARCHAR(20), hire_date VARCHAR(10), zone VARCHAR(40));
    INSERT INTO starters VALUES ('E2', '2027-03-01', 'America/Chicago')";

pub(super) fn feed(more: &str) -> String {
    format!(
        "[[feed]]\nname = \"db\"\ntenant = \"contoso\"\nkind = \"sql\"\nurl_file = \"hr-url\"\n\
         query = \"SELECT employee_id, hire_date, zone FROM starters\"\n{more}\n"
    )
}

pub(crate) fn url(world: &World, url: &str) {
    let file = world.dir.path().join("hr-url");
    std::fs::write(&file, url).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn firstpass(world: &World, args: &'static [&'static str]) -> Output {
    let settings = world.dir.path().join("firstpass.toml");
    let run = move || Command::new(env!("CARGO_BIN_EXE_firstpass")).arg("--config").arg(settings).args(args).output();
    tokio::task::spawn_blocking(run).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_database_that_is_down_is_told_once_and_read_when_it_is_back() {
    let hr = Hr::sqlite();
    hr.run(TABLE).await;
    let mut world = World::with(&feed("")).await;
    url(&world, "sqlite:/no/such/hr.db");
    for _ in 0..3 {
        let report = world.tick().await;
        assert_eq!(report.feed_errors.len(), 1);
    }
    let told = world.raw("SELECT why FROM event WHERE what = 'feed-stopped'").await;
    assert_eq!(told.len(), 1, "told once\n{}", world.story().await);
    let list = firstpass(&world, &["feed", "list"]).await;
    let list = String::from_utf8(list.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(list.contains("feed db is not read since") && list.contains("/no/such/hr.db"), "{list}");
    let check = firstpass(&world, &["check"]).await;
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains("WRONG feed db: the database cannot be reached") && check.status.code() == Some(1), "{said}");

    url(&world, &hr.url);
    assert_eq!(world.tick().await.feed_errors.len(), 0);
    assert_eq!(world.raw("SELECT 1 FROM event WHERE what = 'feed-resumed'").await.len(), 1);
    assert_eq!(world.raw("SELECT 1 FROM gate").await.len(), 0);
    let check = firstpass(&world, &["check"]).await;
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains("note  feed db: SQLite") && said.contains("this user may write to the file"), "{said}");
    assert!(said.contains("ok    feed db: the query returned 1 rows"), "{said}");
    world.until("2027-03-01T18:00:00Z").await;
    assert_eq!(world.code_letters().len(), 1, "{}", world.story().await);
    world.finish().await;
}

#[tokio::test]
async fn run_once_says_what_it_could_not_read_and_sends_all_the_same() {
    let world = World::around(&format!("{SOON}{}", feed("timeout = \"30s\"")), short_limits(), Clock::System);
    let Some(hr) = Hr::postgres().await else { return };
    hr.run(TABLE).await;
    let proxy = Proxy::before(&hr.address());
    proxy.set(Mode::Drop(0));
    url(&world, &hr.through(proxy.port));
    world.drop_today(1);
    let settings = world.dir.path().join("firstpass.toml");
    let store = world.store().await;
    store.close().await;
    let run = move || {
        Command::new(env!("CARGO_BIN_EXE_firstpass")).arg("--config").arg(settings).args(["run", "--once"]).output()
    };
    let ran = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("stopped: feed/db: the database cannot be reached").count(), 1, "{said}");
    assert_eq!(world.code_letters().len(), 1, "{said}");
}

#[tokio::test]
async fn a_source_that_never_answers_delays_no_letter() {
    let Some(hr) = Hr::postgres().await else { return };
    hr.run(TABLE).await;
    let world = World::around(&format!("{SOON}{}", feed("timeout = \"2m\"")), short_limits(), Clock::System);
    let proxy = Proxy::before(&hr.address());
    proxy.set(Mode::Stall(0));
    url(&world, &hr.through(proxy.port));
    let mut service = world.spawn();
    world.wait_for("ready", 20, |world| world.log().contains("ready"));
    world.drop_today(1);
    let began = std::time::Instant::now();
    world.wait_for("the letter", 25, |world| world.code_letters().len() == 1);
    eprintln!("the letter came after {:?} beside a source that says nothing", began.elapsed());
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
}

/// What the settings of this machine say is another matter: here a tick reads, as the commands do.
#[tokio::test]
async fn ticks_of_the_service_leave_the_feeds_to_their_bells() {
    let hr = Hr::sqlite();
    hr.run(TABLE).await;
    let world = World::with(&feed("")).await;
    url(&world, &hr.url);
    tick(world.work(), Feeds::Leave).await.unwrap();
    assert_eq!(world.hires().await.len(), 0);
}
