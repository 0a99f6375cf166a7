//! The server that takes what a logger sends, and what has to hold of it.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use logger_core::transport::{Request, Response};
use logger_core::{FlushMode, Logger};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The only server there is.
pub const SERVER: &str = "http://mlflow:5000";

/// The time.
pub const NOW: Duration = Duration::from_secs(100);

/// A start time.
pub const START: u64 = 1_767_323_045_123_456_789;

/// A logger with these settings more.
pub fn logger(more: &str) -> Logger {
    let mut logger = Logger::new(7);
    logger
        .configure(&settings(SERVER, more))
        .expect("the settings are sound");
    logger
}

/// Settings that name a server, and these besides.
pub fn settings(server: &str, more: &str) -> String {
    format!("{{\"tracking_uri\":\"{server}\",\"experiment_id\":\"1\"{more}}}")
}

/// What MLflow's REST API answers of experiments.
pub const EXPERIMENT: &str = r#"{"experiment":{"experiment_id":"7"},"experiment_id":"7"}"#;

/// Settings that change what is kept, to pick one of.
pub const SETTINGS: [&str; 6] = [
    "",
    r#","max_value_bytes":64,"capture":{"reasoning":false,"headers":true}"#,
    r#","capture":{"inputs":false,"tools":false},"parent":"join""#,
    r#","capture":{"outputs":false},"redact":false,"queue_max_bytes":65536"#,
    r#","redact":{"email":true,"phone":true,"card":true,"iban":true,"patterns":["a+b","[0-9]{3,9}"]},"client_experiments":true"#,
    r#","redact":{"paths":["/messages/*/content","/outputs/0","/inputs/model"]},"user_hash_key":"0123456789abcdef","media":"keep""#,
];

/// Ends everything and takes it. All that was `taken` has to be told of once, and nothing may be left.
pub fn drain(logger: &mut Logger, taken: &BTreeSet<u64>) -> Vec<Span> {
    logger.prepare(NOW, FlushMode::Close);
    let mut spans = Vec::new();
    while let Some(request) = logger.poll_request(NOW) {
        let (status, body) = answer(&request, &mut spans);
        let response = Response {
            status,
            retry_after: None,
            body: body.into(),
        };
        logger.on_response(NOW, request.id, Ok(response));
    }
    let report = logger.take_report(NOW);
    let mut told: Vec<u64> = report
        .delivered
        .iter()
        .flat_map(|one| one.keys.clone())
        .collect();
    for refusals in [&report.refused, &report.skipped, &report.returned] {
        told.extend(refusals.iter().flat_map(|one| one.keys.clone()));
    }
    told.sort_unstable();
    assert_eq!(
        told,
        Vec::from_iter(taken.iter().copied()),
        "told of once, all that was taken"
    );
    let stats = logger.stats();
    assert_eq!(
        (stats.queued_bytes, stats.open_calls),
        (0, 0),
        "nothing is left"
    );
    for span in &spans {
        check(span);
    }
    spans
}

fn answer(request: &Request, spans: &mut Vec<Span>) -> (u16, &'static str) {
    assert!(
        request.url.starts_with(&format!("{SERVER}/")),
        "only the server is asked: {}",
        request.url
    );
    let plain = |text: &str| text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    assert!(plain(&request.url), "a URL on one line: {:?}", request.url);
    for value in request.headers.iter().map(|(_, value)| value) {
        assert!(
            !value.contains(['\r', '\n']),
            "a header on one line: {value:?}"
        );
    }
    if request.url.contains("/api/2.0/") {
        return (200, EXPERIMENT);
    }
    if !request.url.ends_with("/v1/traces") {
        serde_json::from_slice::<serde_json::Value>(&request.body).expect("a REST body is JSON");
        return (200, "{}");
    }
    spans.extend(self::spans(&request.body));
    (200, "")
}

/// The spans of a body that was sent to MLflow.
pub fn spans(body: &[u8]) -> Vec<Span> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).expect("gzip");
    let batch = ExportTraceServiceRequest::decode(plain.as_slice()).expect("protobuf");
    let resources = batch.resource_spans.into_iter();
    resources
        .flat_map(|one| one.scope_spans)
        .flat_map(|one| one.spans)
        .collect()
}

/// What MLflow refuses or fails over.
fn check(span: &Span) {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    assert!(span.trace_id.len() == 16 && span.trace_id != [0; 16]);
    assert!(span.span_id.len() == 8 && span.span_id != [0; 8]);
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    assert!(span.end_time_unix_nano < 1 << 63);
    let mut keys: Vec<_> = span.attributes.iter().map(|pair| &pair.key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "attribute keys are unique");
    for pair in &span.attributes {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        if let Some(Value::StringValue(text)) = value
            && text.starts_with(['{', '['])
        {
            let parsed = serde_json::from_str::<serde_json::Value>(text);
            assert!(parsed.is_ok(), "{}: {text}", pair.key);
        }
    }
}
