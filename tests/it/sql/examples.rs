//! The examples of `deploy/feeds`, as they stand, on real servers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use firstpass::config::Settings;
use firstpass::work::intake;

use super::Hr;
use crate::feed::FeedDesk;

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/feeds").join(name)).unwrap()
}

/// Tables, view, settings and query of one example; the hires it brings.
async fn hires(hr: &Hr, tables: &str, feed: &str) -> Vec<String> {
    hr.run(&text(tables)).await;
    let mut desk = FeedDesk::new().await;
    let dir = desk.dir.path();
    let least = "[[tenant]]\nname = \"contoso\"\ntenant_id = \"11111111-2222-3333-4444-555555555555\"\n\
        client_id = \"66666666-7777-8888-9999-000000000000\"\nclient_secret_file = \"s\"\n\
        [state]\nurl = \"sqlite:other.db\"\n[mail]\nfrom = \"a@contoso.example\"\n[mail.smtp]\nhost = \"localhost\"\nauth = \"none\"\n";
    std::fs::write(dir.join("firstpass.toml"), format!("{least}{}", text(feed))).unwrap();
    let settings = Settings::load(&dir.join("firstpass.toml"), std::iter::empty()).unwrap();
    let feed = settings.feeds[0].clone();
    for name in ["hr-database-url", "workday-landing-url", "successfactors-replica-url"] {
        std::fs::write(dir.join(name), &hr.url).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    desk.feed = feed;
    desk.now = crate::feed::at("2027-02-20T00:00:00Z");
    let report = intake::poll(&desk.feed, &desk.rules, &desk.store, &mut desk.eyes, desk.now).await.unwrap().remove(0);
    assert_eq!((report.state.as_str(), report.rejected), ("taken", 0), "{report:?}");
    let again = intake::poll(&desk.feed, &desk.rules, &desk.store, &mut desk.eyes, desk.now).await.unwrap();
    assert!(again.iter().all(|again| again.added + again.changed + again.withdrawn == 0), "{again:?}");
    desk.ask("SELECT employee_id || ' ' || display_name || ', ' || start_local || ' ' || state FROM review_hire ORDER BY employee_id").await
}

#[tokio::test]
async fn a_plain_employees_table() {
    let Some(hr) = Hr::postgres().await else { return };
    assert_eq!(
        hires(&hr, "employees.postgres.sql", "employees.toml").await,
        [
            "0000042 Ada Lovelace, 2027-03-01 09:00 Europe/Berlin pending",
            "0000043 Grace Hopper, 2027-03-01 09:00 America/Chicago pending"
        ]
    );
}

#[tokio::test]
async fn a_landing_table_of_workday() {
    let Some(hr) = Hr::postgres().await else { return };
    assert_eq!(
        hires(&hr, "workday.postgres.sql", "workday.toml").await,
        [
            "21001 Ada Lovelace, 2027-03-01 09:00 Europe/Berlin pending",
            "21002 Grace Hopper, 2027-03-01 09:00 America/Chicago pending"
        ]
    );
}

#[tokio::test]
async fn a_replica_of_successfactors() {
    for hr in [Hr::mariadb().await, Hr::mysql().await].into_iter().flatten() {
        assert_eq!(
            hires(&hr, "successfactors.mysql.sql", "successfactors.toml").await,
            [
                "0007001 Ada Lovelace, 2027-03-01 09:00 Europe/Berlin pending",
                "0007002 Grace Hopper, 2027-03-01 09:00 America/Chicago pending"
            ],
            "{}",
            hr.engine
        );
    }
}
