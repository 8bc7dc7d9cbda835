//! What is made from the names of the metrics: alert rules, their tests, the dashboard, the reference.
//! A name that the service does not have is a typo that nobody would see, for such a query is just empty.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use serde_json::Value;

use super::silence::eventful;
use super::{Scrape, scrape};

/// Lines of alert rules, and each `expr` of them.
pub(super) const RULES: &str = "deploy/prometheus/firstpass.rules.yml";
const RULE_TESTS: &str = "deploy/prometheus/firstpass.test.yml";
const REFERENCE: &str = "deploy/metrics.md";

pub(super) fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A scrape in which every metric stands, the one of certificates too.
async fn full() -> Scrape {
    let eventful_world = eventful().await;
    let mut scrape = scrape(&eventful_world).await;
    eventful_world.finish().await;
    let (mut world, _) = crate::rotation::by_certificate(20);
    world.restart().await;
    let certificate = super::scrape(&world).await;
    let ends = certificate.value("firstpass_certificate_expiry_timestamp_seconds", "tenant=contoso");
    assert_eq!(ends, (world.clock.now() + TimeDelta::days(20)).timestamp());
    let lines: Vec<&str> = certificate.text.lines().filter(|line| line.contains("firstpass_certificate")).collect();
    scrape = Scrape::read(format!("{}{}\n", scrape.text, lines.join("\n")));
    scrape
}

/// Words that look like names of ours in a query.
fn named(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("firstpass_") || *word == "process_start_time_seconds")
        .map(str::to_owned)
        .collect()
}

/// Each alert with its query.
fn alerts() -> BTreeMap<String, String> {
    let rules = text(RULES);
    let after = |key: &str| {
        let lines = rules.lines().map(str::trim_start);
        lines.filter_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned()).collect::<Vec<_>>()
    };
    let (names, queries) = (after("- alert:"), after("expr:"));
    assert_eq!(names.len(), queries.len());
    assert_eq!(rules.matches("description:").count(), names.len(), "each alert says what to do");
    assert_eq!(rules.matches("severity: ").count(), names.len());
    names.into_iter().zip(queries).collect()
}

pub(super) fn dashboard() -> Value {
    serde_json::from_str(&text("deploy/grafana/firstpass.json")).unwrap()
}

/// Every query of the dashboard, those of its variables too.
pub(super) fn panel_queries() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rules_and_dashboard_name_what_the_service_has() {
    let names = full().await.names();
    let mut queries: Vec<(String, String)> = alerts().into_iter().collect();
    queries.extend(panel_queries().into_iter().map(|query| ("the dashboard".to_owned(), query)));
    let dashboard = dashboard();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            queries.push(("a variable of the dashboard".to_owned(), query.to_owned()));
        }
    }
    assert!(queries.len() > 50, "{}", queries.len());
    for (whose, query) in queries {
        for name in named(&query) {
            assert!(names.contains(&name), "{whose}: the service has no {name}: {query}\n{names:?}");
        }
    }
}

#[tokio::test]
async fn the_reference_has_every_metric_and_no_other() {
    let (families, reference) = (full().await.families(), text(REFERENCE));
    let listed: BTreeSet<String> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.starts_with("firstpass_") || name == "process_start_time_seconds")
        .collect();
    assert_eq!(listed, families, "{REFERENCE} (left), /metrics (right)");
}

#[test]
fn every_alert_has_a_test_that_sees_it_fire_and_one_that_does_not() {
    let tests = text(RULE_TESTS);
    for alert in alerts().keys() {
        let mut fires = 0;
        let mut silent = 0;
        for part in tests.split("alertname: ").skip(1).filter(|part| part.starts_with(&format!("{alert}\n"))) {
            if part.lines().nth(1).is_some_and(|line| line.contains("exp_alerts: []")) {
                silent += 1;
            } else {
                fires += 1;
            }
        }
        assert!(fires >= 1 && silent >= 2, "{alert}: fires in {fires} tests, is silent in {silent}");
    }
    for alert in alerts().keys() {
        assert!(text(REFERENCE).contains(&format!("`{alert}`")), "{REFERENCE} does not list {alert}");
    }
}

/// As Grafana itself writes it: no panel over another, no id twice, no source but the chosen one.
#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    assert_eq!(dashboard["id"], Value::Null, "one that is imported has none");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {}", panel["title"]);
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies over another panel", panel["title"]);
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{} says nothing", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
    }
    let names: Vec<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance", "tenant"]);
}
