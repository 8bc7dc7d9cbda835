//! `/metrics`: what a scrape says before and after real mornings, what it must never say, and the files
//! that are made from its names (alert rules, dashboard, reference).

use std::collections::{BTreeMap, BTreeSet};

use firstpass::serve::metrics::{Form, Metrics};

use crate::world::World;

mod files;
mod grafana;
mod mornings;
mod promtool;
mod service;
mod silence;

/// One answer of `/metrics`, by name and labels.
pub(crate) struct Scrape {
    pub(crate) text: String,
    /// Values without their fractions.
    samples: Vec<(String, BTreeMap<String, String>, i64)>,
}

/// What the service says now.
pub(crate) async fn scrape(world: &World) -> Scrape {
    let metrics = Metrics::beginning(world.clock.now());
    Scrape::read(metrics.text(world.work(), Form::Text).await)
}

impl Scrape {
    /// Of the older text form; label values hold no comma or quote here.
    fn read(text: String) -> Self {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
                let (name, value) = label.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            let whole = value.split('.').next().unwrap();
            (name.to_owned(), labels.collect(), whole.parse().unwrap())
        };
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
        Self { text, samples }
    }

    /// The one series of that name with (at least) these labels: `state=pending tenant=contoso`.
    pub(crate) fn value(&self, name: &str, labels: &str) -> i64 {
        let found: Vec<i64> = self.matching(name, labels);
        assert!(found.len() <= 1, "{name} {labels} is no single series:\n{}", self.text);
        found.first().copied().unwrap_or_else(|| panic!("no series {name} {labels}:\n{}", self.text))
    }

    /// The sum of all series of that name with these labels; 0 when there is none.
    pub(crate) fn sum(&self, name: &str, labels: &str) -> i64 {
        self.matching(name, labels).iter().sum()
    }

    fn matching(&self, name: &str, labels: &str) -> Vec<i64> {
        let wanted: Vec<(&str, &str)> = labels.split_whitespace().map(|label| label.split_once('=').unwrap()).collect();
        let has = |of: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, value)| of.get(*name).is_some_and(|found| found == value))
        };
        let same = self.samples.iter().filter(|(known, of, _)| known == name && has(of));
        same.map(|(_, _, value)| *value).collect()
    }

    /// Every name that a query may use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.samples.iter().map(|(name, _, _)| name.clone()).collect()
    }

    /// Names as `# TYPE` has them: histograms once.
    pub(crate) fn families(&self) -> BTreeSet<String> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}
