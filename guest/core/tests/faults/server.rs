//! A server that upserts: MLflow as it was measured to answer, without faults of its own.

use std::collections::{BTreeMap, BTreeSet};

use logger_core::transport::{Method, Request};
use serde_json::json;

use crate::support::{Answer, answer, attribute, gunzip, spans_of};

/// Requests larger than this, uncompressed, are refused with 413.
pub const LARGEST: usize = 20_000;

#[derive(Default)]
pub struct Server {
    /// Calls by their trace.
    pub traces: BTreeMap<Vec<u8>, String>,
    assessments: BTreeSet<Vec<u8>>,
    has_experiment: bool,
}

impl Server {
    pub fn answer(&mut self, request: &Request) -> Answer {
        if request.url.contains("/experiments/get-by-name") {
            return self.experiment();
        }
        if request.url.ends_with("/experiments/create") {
            self.has_experiment = true;
            return answer(200, r#"{"experiment_id":"7"}"#);
        }
        if let Some(trace) = assessed(request) {
            return self.assess(&trace, request);
        }
        assert!(request.url.ends_with("/v1/traces") && request.method == Method::Post);
        self.ingest(request)
    }

    fn experiment(&self) -> Answer {
        if self.has_experiment {
            answer(
                200,
                r#"{"experiment":{"experiment_id":"7","lifecycle_stage":"active"}}"#,
            )
        } else {
            answer(404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST"}"#)
        }
    }

    /// All or nothing.
    fn ingest(&mut self, request: &Request) -> Answer {
        assert!(
            request
                .headers
                .contains(&("x-mlflow-experiment-id", "7".to_owned()))
        );
        if gunzip(&request.body).len() > LARGEST {
            return answer(413, "too large");
        }
        let calls = calls(request);
        if calls.iter().any(|(_, call)| call.starts_with("poison")) {
            return answer(422, r#"{"detail":"no"}"#);
        }
        self.traces.extend(calls);
        answer(200, "")
    }

    fn assess(&mut self, trace: &str, request: &Request) -> Answer {
        let known = self
            .traces
            .keys()
            .any(|known| logger_core::id::hex(known) == trace);
        if !known {
            return answer(404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST"}"#);
        }
        if self.assessments.insert(request.body.clone()) {
            answer(200, "{}")
        } else {
            answer(
                500,
                &json!({"message": "UNIQUE constraint violation"}).to_string(),
            )
        }
    }
}

/// The trace that a request gives feedback on.
fn assessed(request: &Request) -> Option<String> {
    let (_, rest) = request.url.split_once("/api/3.0/mlflow/traces/tr-")?;
    rest.strip_suffix("/assessments").map(str::to_owned)
}

/// The calls in a batch, by their trace.
pub fn calls(request: &Request) -> Vec<(Vec<u8>, String)> {
    let spans = spans_of(request).into_iter();
    spans
        .map(|span| {
            let id = attribute(&span, "litellm_call_id").unwrap();
            (span.trace_id, id.as_str().unwrap().to_owned())
        })
        .collect()
}

/// Whether a request sends spans.
pub fn is_batch(request: &Request) -> bool {
    request.url.ends_with("/v1/traces")
}
