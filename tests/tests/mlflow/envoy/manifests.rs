//! The manifests for what is built on Envoy, and for Kong: not run here, but read, and their settings with them.

use std::path::{Path, PathBuf};

use e2e::{Mlflow, envoy, paths};
use logger_core::settings::{self, Settings};
use serde_json::Value;

fn documents(file: &str) -> Vec<Value> {
    envoy::documents(Mlflow::shared().unwrap().python(), &folder().join(file)).unwrap()
}

fn folder() -> PathBuf {
    paths::root().join("host-example/envoy")
}

/// The settings within a manifest; each has a `tracking_uri`.
fn found<'v>(value: &'v Value, settings: &mut Vec<&'v Value>) {
    if value.get("tracking_uri").is_some() {
        settings.push(value);
    }
    let members = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| value);
    let items = value.as_array().into_iter().flatten();
    for value in members.chain(items) {
        found(value, settings);
    }
}

#[test]
fn manifests_are_yaml_with_settings_that_are_taken() {
    for (file, kind) in [
        ("istio.yaml", "WasmPlugin"),
        ("envoy-gateway.yaml", "EnvoyExtensionPolicy"),
        ("higress.yaml", "WasmPlugin"),
    ] {
        let documents = documents(file);
        assert!(documents.iter().any(|one| one["kind"] == kind), "{file}");
        for document in &documents {
            for key in ["apiVersion", "kind", "metadata", "spec"] {
                assert!(!document[key].is_null(), "{file}: {key}");
            }
        }
        let mut settings = Vec::new();
        documents
            .iter()
            .for_each(|document| found(document, &mut settings));
        assert_eq!(settings.len(), 1, "{file}");
        let taken = Settings::parse_for_proxy(&settings[0].to_string(), |_| None);
        assert!(taken.is_ok(), "{file}: {taken:?}");
    }
}

#[test]
fn kongs_filter_chain_holds_settings_as_text() {
    let kong = documents("kong.yaml").swap_remove(0);
    let filter = &kong["services"][0]["filter_chains"][0]["filters"][0];
    assert_eq!(filter["name"], "mlflow_logger.proxy");
    let taken = Settings::parse_for_proxy(filter["config"].as_str().unwrap(), |_| None);
    assert!(taken.is_ok(), "{taken:?}");
}

#[test]
fn the_settings_that_only_proxies_have_are_documented() {
    let readme = folder().join("README.md");
    let readme = std::fs::read_to_string(Path::new(&readme)).unwrap();
    let all: Vec<_> = settings::all().map(|setting| setting.key).collect();
    let own = settings::of_proxy().filter(|setting| !all.contains(&setting.key));
    for setting in own {
        assert!(
            readme.contains(&format!("`{}`", setting.key)),
            "{}",
            setting.key
        );
    }
}
