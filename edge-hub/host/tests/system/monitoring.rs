//! What `/metrics` says, and what dashboard, alerts and documentation believe that it says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    client::Client,
    harness::{RedisServer, Site, eventually, free_port},
};

const DASHBOARD: &str = include_str!("../../../../deploy/grafana/dashboard.json");
const ALERTS: &str = include_str!("../../../../deploy/prometheus/alerts.yaml");
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

/// Given by whoever scrapes.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// The series of one figure: labels with their values.
type Series = Vec<BTreeMap<String, String>>;

/// All figures of a page by the names of their samples, which a histogram has three of.
struct Page {
    samples: BTreeMap<String, Series>,
    /// Names with their types.
    types: BTreeMap<String, String>,
}

impl Page {
    /// Reads the text format, and holds it to what Prometheus asks of it.
    fn parse(text: &str) -> Self {
        let mut page = Self {
            samples: BTreeMap::new(),
            types: BTreeMap::new(),
        };
        let mut explained = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a name and a sentence");
                assert!(help.ends_with('.') && explained.insert(name), "{line}");
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a type");
                assert!(explained.contains(name), "no HELP before {line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                page.types.insert(name.to_owned(), kind.to_owned());
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').expect("a sample and a value");
            value
                .parse::<f64>()
                .unwrap_or_else(|_| panic!("no number: {line}"));
            let (name, labels) = match sample.strip_suffix('}') {
                None => (sample, BTreeMap::new()),
                Some(sample) => {
                    let (name, labels) = sample.split_once('{').expect("labels");
                    (name, pairs(labels).collect())
                }
            };
            assert!(page.kind(name).is_some(), "no TYPE before {line}");
            let series = page.samples.entry(name.to_owned()).or_default();
            assert!(!series.contains(&labels), "twice: {line}");
            series.push(labels);
        }
        page
    }

    fn kind(&self, sample: &str) -> Option<&str> {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| sample.strip_suffix(part))
            .filter(|base| {
                self.types
                    .get(*base)
                    .is_some_and(|kind| kind == "histogram")
            });
        self.types.get(base.unwrap_or(sample)).map(String::as_str)
    }

    fn has_label(&self, sample: &str, label: &str) -> bool {
        SCRAPED.contains(&label)
            || self.samples[sample]
                .iter()
                .all(|series| series.contains_key(label))
    }

    /// Whether a query asks for what there is. Answers with the samples that it names.
    fn check(&self, query: &str) -> Vec<String> {
        let mut named = Vec::new();
        for (at, _) in query.match_indices("clustertalk_") {
            let rest = &query[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
            assert!(self.samples.contains_key(name), "no {name} for {query}");
            let selector = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            for (label, value) in selector
                .into_iter()
                .flat_map(|(selector, _)| pairs(selector))
            {
                assert!(
                    self.has_label(name, &label),
                    "{name} has no label {label}: {query}"
                );
                let is_there = |series: &BTreeMap<_, _>| series.get(&label) == Some(&value);
                let is_fixed = !SCRAPED.contains(&label.as_str());
                assert!(
                    !is_fixed || self.samples[name].iter().any(is_there),
                    "{name} has no {label}={value}: {query}"
                );
            }
            named.push(name.to_owned());
        }
        for group in query.split("by (").skip(1) {
            let (labels, _) = group.split_once(')').expect("its end");
            for label in labels.split(',').map(str::trim) {
                let has = named.iter().any(|name| self.has_label(name, label));
                assert!(has, "nothing has the label {label}: {query}");
            }
        }
        named
    }
}

/// `a="b",c=~"d"` as pairs.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split("\",").map(move |pair| {
        let (name, value) = pair.split_once('=').expect("a label");
        let value = value.trim_start_matches('~').trim_matches('"');
        (name.trim().to_owned(), value.to_owned())
    })
}

async fn page() -> Page {
    let redis = RedisServer::start().await;
    // Nobody listens there.
    let webhook = format!("--webhook-url=http://127.0.0.1:{}", free_port());
    let secret = "--webhook-secret=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let edge = Site::new().edge_with(&redis, &[&webhook, secret]).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "m1", "hello").await;
    let text = eventually("a heartbeat", async || {
        let page = edge.metrics().await;
        page.contains("heartbeat_age").then_some(page)
    })
    .await;
    assert_eq!(
        edge.metric("clustertalk_moderation_verdicts_total{action=\"allow\"}")
            .await,
        1
    );
    assert!(edge.metric("clustertalk_redis_command_seconds_count").await > 1);
    Page::parse(&text)
}

#[tokio::test]
async fn dashboard_alerts_and_documentation_know_the_figures_that_there_are() {
    let page = page().await;

    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    for target in targets.flatten() {
        let query = target["expr"].as_str().expect("a query");
        let named = page.check(query);
        assert!(!named.is_empty(), "{query}");
        let legend = target["legendFormat"].as_str().expect("a legend");
        for label in legend.split("{{").skip(1) {
            let (label, _) = label.split_once("}}").expect("its end");
            let is_kept = query.contains("by (") && query.contains(label);
            assert!(is_kept, "{legend} has no {label} in {query}");
        }
    }
    for variable in dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
    {
        page.check(variable["query"].as_str().expect("a query"));
    }
    for name in page.types.keys() {
        let is_explained = OPERATIONS.contains(&format!("| `{name}"));
        assert!(is_explained, "docs/operations.md has no {name}");
    }

    let alerts: Vec<&str> = ALERTS
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("expr: "))
        .collect();
    assert_eq!(alerts.len(), ALERTS.matches("- alert: ").count());
    let named: usize = alerts.iter().map(|query| page.check(query).len()).sum();
    assert!(named >= alerts.len());
    for name in OPERATIONS.split("| `clustertalk_").skip(1) {
        let end = name.find(['`', '{']).expect("its end");
        let name = format!("clustertalk_{}", &name[..end]);
        assert!(page.types.contains_key(&name), "there is no {name}");
    }
}
