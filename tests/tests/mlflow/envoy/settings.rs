//! Settings that are refused, and those that lead nowhere.

use e2e::Envoy;
use serde_json::json;

use super::stage::{call, chat, config, post};

#[test]
fn wrong_settings_keep_envoy_from_starting_and_are_named() {
    let mut wrong = config("envoy-wrong");
    wrong.settings(json!({"experiment-name": "x"})).unwrap();
    let error = Envoy::start(&wrong).unwrap_err().to_string();
    assert!(
        error.contains("`experiment-name`: unknown setting; did you mean `experiment_name`?"),
        "{error}"
    );
    let mut wrong = config("envoy-wrong");
    wrong.settings(json!({"worker_share": 2})).unwrap();
    let (valid, said) = Envoy::validate(&wrong).unwrap();
    assert!(!valid, "{said}");
    assert!(said.contains("`worker_share`: a number above 0"), "{said}");
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let mut lost = config("envoy-lost");
    lost.settings(json!({"cluster": "moon"})).unwrap();
    let envoy = Envoy::start(&lost).unwrap();
    let answer = post(&envoy, call("envoy-lost", &chat("hello")));
    assert_eq!(answer.status, 200);
    envoy.reaches("retries", 1).unwrap();
    let log = envoy.log();
    assert!(
        log.contains(
            "the proxy has no cluster \"moon\": name one that reaches `tracking_uri` (`cluster`)"
        ),
        "{log}"
    );
    assert_eq!(envoy.metric("delivered").unwrap(), 0);
    assert_eq!(envoy.metric("queued_calls").unwrap(), 1);
}
