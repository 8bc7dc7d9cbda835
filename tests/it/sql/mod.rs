//! Stories of a feed that is a query: real PostgreSQL, MariaDB and SQLite databases, a real state,
//! and the time in hand. A machine without a server says what it skips.

pub(crate) mod beside;
mod changes;
mod examples;
mod failures;
mod marks;
mod million;
#[cfg(feature = "odbc")]
mod odbc;
mod proxy;
mod rights;
mod servers;
mod silence;
mod taken;
mod told;
mod trust;
mod types;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use firstpass::config::{FeedKind, SecretFile, Sql};
use firstpass::feed::FileReport;

use self::servers::Hr;
use crate::feed::FeedDesk;

/// A desk whose feed asks this database.
async fn desk(hr: &Hr, query: &str) -> FeedDesk {
    let mut desk = FeedDesk::new().await;
    ask(&mut desk, hr.by_odbc.as_ref().unwrap_or(&hr.url), query);
    desk
}

/// From here on the feed asks another database, or something else.
fn ask(desk: &mut FeedDesk, url: &str, query: &str) {
    let file = desk.dir.path().join("hr-database-url");
    std::fs::write(&file, url).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.feed.folder = desk.dir.path().join("feeds").join("hr");
    desk.feed.kind = FeedKind::Sql(Sql {
        url_file: SecretFile::new("feed.url_file", "hr-database-url", None, desk.dir.path()),
        query: query.to_owned(),
        timeout: Duration::from_secs(20),
        max_rows: 100_000,
        watermark: None,
        watermark_from: "1970-01-01 00:00:00".to_owned(),
        own_folder: true,
    });
}

fn sql(desk: &mut FeedDesk) -> &mut Sql {
    match &mut desk.feed.kind {
        FeedKind::Sql(sql) => sql,
        FeedKind::Csv => panic!("no query"),
    }
}

/// One reading, one report.
async fn read(desk: &mut FeedDesk) -> FileReport {
    let mut reports = desk.poll().await;
    assert_eq!(reports.len(), 1, "one reading, one report");
    reports.remove(0)
}

/// What keeps the feed from being read.
async fn stopped(desk: &mut FeedDesk) -> String {
    match desk.try_poll().await {
        Err(error) => error.to_string(),
        Ok(reports) => panic!("the feed was read: {reports:?}"),
    }
}
