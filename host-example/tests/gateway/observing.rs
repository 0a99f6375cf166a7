//! The documentation, the dashboard and the alerts name the metrics that there are, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use rustix::process::Signal;

use crate::play::{Answer, Gateway, Mlflow, Upstream, get, post};

/// The metrics that a text names, parts of histograms under their own name.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_name(c));
    let names = words.filter(|word| word.starts_with("gateway_"));
    let whole = names.map(|name| name.strip_suffix("_bucket").unwrap_or(name));
    whole.map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(docs.join(path)).unwrap()
}

/// The metrics that are there once everything has happened that has labels, as they are asked for.
async fn metrics() -> BTreeSet<String> {
    let upstream = Upstream::json("{}").await;
    let mlflow = Mlflow::start().await;
    let gone = Upstream::start(|conversation| async move { drop(conversation) }).await;
    let gone = format!(
        "[[upstream]]\nprefix = \"/gone\"\nbase_url = \"{}\"",
        gone.url
    );
    let gateway = Gateway::start(&Gateway::config(&upstream.url, &mlflow, &gone, "")).await;
    for path in ["/up/x", "/gone/x"] {
        Answer::of(post(&gateway.address, path, "{}").await).await;
    }
    gateway.signal(Signal::HUP);
    gateway.said("the configuration was reloaded").await;
    let answer = get(&gateway.metrics, "/metrics").await;
    let types = answer
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| match line.split_once(' ').unwrap() {
        (name, "counter") if !name.ends_with("_total") => format!("{name}_total"),
        (name, _) => name.to_owned(),
    });
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_on_the_dashboard() {
    let metrics = metrics().await;
    assert_eq!(named(&read("delivery.md")), metrics);
    assert_eq!(named(&read("grafana/delivery.json")), metrics);
    let alerts = named(&read("grafana/alerts.yml"));
    assert!(alerts.is_subset(&metrics), "{alerts:?}");
}

#[test]
fn the_dashboard_is_json_whose_panels_ask_for_something() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("grafana/delivery.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(!panels.is_empty());
    for panel in panels {
        assert!(
            panel["targets"][0]["expr"].is_string(),
            "{}",
            panel["title"]
        );
    }
}
