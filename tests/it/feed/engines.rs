//! One long story of a feed that must leave the same rows on SQLite and on PostgreSQL.

use firstpass::store::{Open, Store};
use firstpass::work::intake;

use super::{FeedDesk, at, roster, said};
use crate::pg;

const HEAD: &str = "WorkerID,FullName,HireDate,CountryCode,ManagerID,WorkerStatus";

async fn all(desk: &FeedDesk) -> Vec<String> {
    let mut rows = desk.hires().await;
    for question in [
        "SELECT employee_id || ' ' || display_name || ' ' || manager_ref || ' ' || zone || ' ' || what_to_do || ' ' || coalesce(CAST(start_at AS TEXT), '-')
             || ' ' || coalesce(CAST(window_from AS TEXT), '-') || ' ' || coalesce(CAST(look_at AS TEXT), '-') || ' ' || source_file || ':' || source_line
         FROM hire ORDER BY employee_id, engagement",
        "SELECT file || ' ' || rows || ' ' || added || ' ' || changed || ' ' || withdrawn || ' ' || unchanged || ' ' || past || ' ' || rejected || ' ' || state FROM file ORDER BY id",
        "SELECT what || ' ' || why || ' ' || by_whom FROM event ORDER BY seq",
        "SELECT feed || ' ' || employee_id FROM known_person ORDER BY employee_id",
        "SELECT digest FROM known_reject ORDER BY digest",
    ] {
        rows.extend(desk.ask(question).await);
    }
    rows
}

async fn story(mut desk: FeedDesk) -> Vec<String> {
    let mut told = Vec::new();
    let mut say = |report: firstpass::feed::FileReport| {
        told.push(format!("{report} new_rejects={}", report.new_rejects));
        told.extend(report.rejects.iter().map(ToString::to_string));
    };
    desk.feed.complete = true;
    let first = [
        "1,Ada,2027-03-01,DE,7,Active",
        "2,Ben,2027-03-01,GB,7,Active",
        "3,Cy,2027-03-01,US,7,Active",
        "4,Di,2027-03-01,IN,7,Active",
        "5,Old,2013-01-01,DE,7,Active",
        "6,Eve,03/04/2027,DE,7,Active",
        "7,Twin,2027-03-01,DE,7,Active",
        "7,Twin,2027-03-02,DE,7,Active",
        "8,Same,2027-03-01,JP,7,Active",
        "8,Same,2027-03-01,JP,7,Active",
        "Z,Fay,2027-03-01,DE,7,Active",
        "a,Gus,2027-03-01,DE,7,Active",
    ];
    say(desk.drop_file("a.csv", roster(HEAD, &first)).await);
    say(desk.drop_file("a.csv", roster(HEAD, &first)).await);
    desk.write_sql("UPDATE hire SET state = 'delivered', look_at = NULL WHERE employee_id IN ('4', '8')").await;
    let second = [
        "1,Ada,2027-03-08,DE,7,Active",
        "2,Ben,2027-03-01,GB,9,Active",
        "3,Cy,2027-03-01,GB,7,Active",
        "4,Di,2027-09-01,IN,7,Active",
        "5,Old,2013-01-01,DE,7,Active",
        "6,Eve,03/04/2027,DE,7,Active",
        "8,Same,2027-03-01,JP,7,Inactive",
        "9,Late,2027-01-30,DE,7,Active",
        "Z,Fay,2027-03-01,DE,7,No-show",
    ];
    let path = desk.dir.path().join("b.csv");
    std::fs::write(&path, roster(HEAD, &second)).unwrap();
    let dry = intake::import(&path, &desk.feed, &desk.rules, &desk.store, desk.now, true).await.unwrap();
    say(desk.drop_file("b.csv", roster(HEAD, &second)).await);
    let third = ["1,Ada,2027-03-08,DE,7,Active", "Z,Fay,2027-03-01,DE,7,Active", "a,Gus,2027-03-01,DE,7,Active"];
    say(desk.drop_file("c.csv", roster(HEAD, &third)).await);
    desk.feed.max_changes = 0;
    say(desk.drop_file("d.csv", roster(HEAD, &["1,Ada,2027-03-09,DE,7,Active"])).await);
    say(intake::accept(&said("d.csv", "yes", false), &desk.feed, &desk.rules, &desk.store, desk.now).await.unwrap());
    say(desk.drop_file("e.csv", format!("{HEAD}\n1,\"Ada")).await);
    told.extend(dry.changes.iter().map(|change| format!("{change:?}")));
    for now in ["2027-02-01T01:00:00Z", "2027-02-03T00:00:00Z", "2027-02-03T00:01:00Z"] {
        desk.upkeep_at(now).await;
    }
    told.push(format!("{:?}", desk.store.feed_watch("hr").await.unwrap()));
    told.push(desk.store.held_why(5).await.unwrap());
    told.extend(all(&desk).await);
    told
}

#[tokio::test]
async fn both_engines_take_a_feed_alike() {
    let on_sqlite = story(FeedDesk::new().await).await;
    insta::assert_snapshot!("a_long_story", on_sqlite.join("\n"));
    let Some(url) = pg::database().await else { return };
    let store = Store::open(&url, &Open::default()).await.unwrap();
    let on_postgres = story(FeedDesk::on(store, at("2027-02-01T00:00:00Z"))).await;
    assert_eq!(on_sqlite, on_postgres, "SQLite (left) and PostgreSQL (right) differ");
}
