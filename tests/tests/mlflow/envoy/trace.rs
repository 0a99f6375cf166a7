//! Envoy's own tracing, and its compression.

use e2e::{Envoy, Mlflow};
use serde_json::json;

use super::stage::{call, chat, config, mlflow, post, traces};

const TYPE: &str = "type.googleapis.com/envoy";

/// Envoy sends its own spans to MLflow as well: then a call is a child of Envoy's.
#[test]
fn a_call_joins_the_trace_that_envoy_has_begun() {
    let experiment = "envoy-joined";
    // Envoy cannot look an experiment up: here it is there before.
    let mut first = config(experiment);
    first.settings(json!({"parent": "join"})).unwrap();
    let seen = experiment_id(experiment);
    first.http()["tracing"] = json!({
        "random_sampling": {"value": 100},
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": "gateway",
                "http_service": {
                    "http_uri": {"uri": format!("http://{}/v1/traces", mlflow()), "cluster": "mlflow", "timeout": "10s"},
                    "request_headers_to_add": [{"header": {"key": "x-mlflow-experiment-id", "value": seen}}],
                },
            },
        },
    });
    first.0["layered_runtime"]["layers"] = json!([
        {"name": "static", "static_layer": {"tracing.opentelemetry.min_flush_spans": 1}},
    ]);
    let envoy = Envoy::start(&first).unwrap();
    for _ in 0..5 {
        assert_eq!(post(&envoy, call(experiment, &chat("hello"))).status, 200);
    }
    envoy.reaches("delivered", 5).unwrap();
    envoy.counts("tracing.opentelemetry.spans_sent", 5).unwrap();
    for trace in traces(experiment, 5) {
        let mut names: Vec<_> = trace.spans.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names.len(), 2, "{names:?}");
        let root = trace.root().unwrap();
        let child = trace.children(root).next().unwrap();
        assert_eq!(child.name, "chat gpt-4o-mini");
    }
}

/// Makes an experiment, and returns its id.
fn experiment_id(name: &str) -> String {
    let url = format!(
        "{}/api/2.0/mlflow/experiments/create",
        Mlflow::shared().unwrap().uri()
    );
    let body = json!({"name": name}).to_string();
    let mut answer = ureq::post(url)
        .header("content-type", "application/json")
        .send(body)
        .unwrap();
    let answer = answer.body_mut().read_to_string().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["experiment_id"].as_str().unwrap().to_owned()
}

#[test]
fn what_envoy_has_compressed_is_read() {
    let experiment = "envoy-compressed";
    for (library, encoding) in [("gzip", "gzip"), ("brotli", "br")] {
        let mut config = config(experiment);
        let compressor = json!({
            "name": "compressor",
            "typed_config": {
                "@type": format!("{TYPE}.extensions.filters.http.compressor.v3.Compressor"),
                "compressor_library": {
                    "name": library,
                    "typed_config": {"@type": format!("{TYPE}.extensions.compression.{library}.compressor.v3.{}",
                        if library == "gzip" { "Gzip" } else { "Brotli" })},
                },
            },
        });
        // Responses pass the filters from the last to the first.
        let filters = config.http()["http_filters"].as_array_mut().unwrap();
        filters.insert(1, compressor);
        let envoy = Envoy::start(&config).unwrap();
        let said = format!("{encoding} {}", "lorem ipsum ".repeat(20));
        let request = call(experiment, &chat(&said)).header("accept-encoding", encoding);
        let answer = post(&envoy, request.header("x-mlflow-user", encoding));
        assert!(!answer.body.starts_with(b"{"), "it is compressed");
        envoy.reaches("delivered", 1).unwrap();
    }
    for trace in traces(experiment, 2) {
        let answered = trace.info.response_preview.unwrap();
        let user = &trace.info.metadata["mlflow.trace.user"];
        assert!(
            answered.starts_with(&format!("You said: {user} lorem")),
            "{answered}"
        );
    }
}
