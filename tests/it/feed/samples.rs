//! Microsoft's own sample files for inbound provisioning, read as they are (issue: judged by what
//! others made). The folder is `FIRSTPASS_FEEDS`; without it the stories are skipped.

use std::path::PathBuf;

use firstpass::clock::Clock;
use firstpass::feed::FileReport;

use super::FeedDesk;
use crate::world::{World, at, short_limits};

const FILES: [&str; 5] =
    ["csv-with-1000-records.csv", "contractorData.csv", "employeeData.csv", "internData.csv", "csv-with-2-records.csv"];

fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("FIRSTPASS_FEEDS").unwrap_or_else(|| "../shared/feeds".into());
    let folder = PathBuf::from(folder).join("microsoft-csv2scim");
    folder.exists().then_some(folder)
}

fn figures(report: &FileReport) -> String {
    let reasons: std::collections::BTreeMap<&str, usize> =
        report.rejects.iter().fold([].into(), |mut counted, reject| {
            *counted.entry(reject.reason.as_str()).or_default() += 1;
            counted
        });
    let reasons: Vec<String> = reasons.iter().map(|(reason, n)| format!("\n  {n} × {reason}")).collect();
    format!("{report}{}", reasons.concat())
}

#[tokio::test]
async fn full_rosters_of_long_ago_are_past_and_change_nothing() {
    let Some(folder) = samples() else {
        println!("skipped: no sample feeds at FIRSTPASS_FEEDS");
        return;
    };
    let mut desk = FeedDesk::new().await;
    let mut told = Vec::new();
    for name in FILES {
        told.push(figures(&desk.drop_file(name, std::fs::read(folder.join(name)).unwrap()).await));
    }
    insta::assert_snapshot!("microsoft_past", told.join("\n"));
    assert!(desk.hires().await.is_empty());
}

/// The same bytes in July 2022: who starts then is found by employee id, though `UserID` names nobody;
/// `UK` is a country of one zone. Many ids stand in two unlike rows, which are rejected.
#[tokio::test]
async fn in_their_own_summer_people_are_found_by_employee_id_and_get_their_pass() {
    let Some(folder) = samples() else {
        println!("skipped: no sample feeds at FIRSTPASS_FEEDS");
        return;
    };
    let mut world = World::around("", short_limits(), Clock::hand(at("2022-07-08T12:00:00Z")));
    world.restart().await;
    world.person("boss.one@contoso.example", "Boss One", "1979", None);
    world.person("boss.two@contoso.example", "Boss Two", "1078", None);
    world.person("boss.three@contoso.example", "Boss Three", "1872", None);
    world.person("amii.elephus@contoso.example", "Amii Elephus", "1726", Some("boss.one@contoso.example"));
    world.person("danny.august@contoso.example", "Danny August", "1458", Some("boss.two@contoso.example"));
    world.person("vevay.cullin@contoso.example", "Vevay Cullin", "1634", Some("boss.three@contoso.example"));
    for name in FILES {
        std::fs::copy(folder.join(name), world.dir.path().join("drop").join(name)).unwrap();
        world.tick().await;
        world.pass_time(chrono::TimeDelta::minutes(1));
    }
    let told: Vec<String> = world.reports.iter().map(figures).collect();
    world.until("2022-09-02T12:00:00Z").await;
    let letters: Vec<String> = world
        .code_letters()
        .iter()
        .map(|letter| format!("{} to {}", letter.at.format("%Y-%m-%d %H:%M:%SZ"), letter.to.join(", ")))
        .collect();
    let hires: Vec<String> = world
        .hires()
        .await
        .iter()
        .map(|hire| {
            format!("{} {} {} {}", hire.employee_id, hire.start_local, hire.state, hire.reason.as_deref().unwrap_or(""))
        })
        .collect();
    insta::assert_snapshot!(
        "microsoft_summer",
        format!("{}\n\n{}\n\n{}", told.join("\n"), letters.join("\n"), hires.join("\n"))
    );
    assert_eq!(letters.len(), 3, "{}", world.story().await);
    world.finish().await;
}
