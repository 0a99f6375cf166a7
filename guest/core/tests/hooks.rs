//! From the event hooks to spans: what a call's span says.

mod support;

use logger_core::event::{Context, Hook};
use logger_core::{FlushMode, Logger, id};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use support::*;

fn logged(hook: Hook, payload: &Value) -> Span {
    let mut logger = logger(json!({}));
    log(&mut logger, hook, 1, payload).unwrap();
    span(&mut logger)
}

fn with_context(logger: &mut Logger, context: Context<'_>) {
    let payload = payload("a").to_string();
    let mut event = event(Hook::Success, 1, &payload);
    event.context = context;
    logger.log(NOW, &event).unwrap();
}

#[test]
fn a_chat_call() {
    let span = logged(Hook::Success, &payload("a"));
    assert_eq!(span.name, "litellm-completion");
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (START, START + SECOND)
    );
    assert_eq!(span.status.as_ref().unwrap().code, 1);
    assert!(span.parent_span_id.is_empty() && span.events.is_empty() && span.links.is_empty());
    for (key, value) in [
        ("mlflow.spanType", json!("LLM")),
        (
            "mlflow.spanInputs",
            json!({"messages": [{"role": "user", "content": "What is 2+2?"}]}),
        ),
        ("mlflow.spanOutputs", payload("a")["response_obj"].clone()),
        (
            "mlflow.chat.tokenUsage",
            json!({"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}),
        ),
        ("mlflow.llm.model", json!("gpt-4o-mini-2024-07-18")),
        (
            "mlflow.traceTag.mlflow.traceName",
            json!("litellm-completion"),
        ),
        ("litellm_call_id", json!("a")),
        ("gen_ai.request.model", json!("gpt-4o-mini")),
        ("gen_ai.response.finish_reasons", json!(["stop"])),
    ] {
        assert_eq!(attribute(&span, key), Some(value), "{key}");
    }
    assert_eq!(attribute(&span, "llm_logger.repairs"), None);
}

#[test]
fn attribute_keys_are_unique() {
    let mut payload = payload("a");
    payload["kwargs"]["standard_logging_object"] =
        json!({"request_tags": ["a:1", "a:2", "mlflow.traceName:named"], "response": {}});
    let span = logged(Hook::Success, &payload);
    let mut keys: Vec<_> = span.attributes.iter().map(|pair| &pair.key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert_eq!(attribute(&span, "mlflow.traceTag.a"), Some(json!("2")));
    assert_eq!(
        attribute(&span, "mlflow.traceTag.mlflow.traceName"),
        Some(json!("named"))
    );
}

#[test]
fn the_same_event_gives_the_same_bytes_and_another_call_another_span() {
    let (one, two) = (
        logged(Hook::Success, &payload("a")),
        logged(Hook::Success, &payload("a")),
    );
    assert_eq!(one, two);
    let other = logged(Hook::Success, &payload("b"));
    assert_ne!(
        (&one.trace_id, &one.span_id),
        (&other.trace_id, &other.span_id)
    );

    // A failed attempt of the same call is not the success that follows.
    let failed = logged(Hook::Failure, &payload("a"));
    assert_ne!(one.trace_id, failed.trace_id);

    // Nor is the same call in another experiment.
    let mut logger = logger(json!({"experiment_id": "2"}));
    success(&mut logger, 1, "a");
    assert_ne!(one.trace_id, span(&mut logger).trace_id);
}

#[test]
fn calls_without_an_id_are_told_apart_by_what_they_say_and_when() {
    let mut payload = payload("a");
    payload["kwargs"]
        .as_object_mut()
        .unwrap()
        .remove("litellm_call_id");
    let mut logger = logger(json!({}));
    let text = payload.to_string();
    for (key, later) in [(1, 0), (2, 0), (3, 1)] {
        let mut event = event(Hook::Success, key, &text);
        event.start = Some(START + later);
        logger.log(NOW, &event).unwrap();
    }
    let ids: Vec<_> = spans(&mut logger)
        .into_iter()
        .map(|span| span.span_id)
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn a_failure_carries_its_exception() {
    let mut failed = payload("a");
    failed["response_obj"] = Value::Null;
    failed["kwargs"]["exception"] = json!({"type": "litellm.exceptions.RateLimitError", "message": "429 slow down", "stacktrace": "at x"});
    let span = logged(Hook::Failure, &failed);
    assert_eq!(span.status.as_ref().unwrap().code, 2);
    assert_eq!(span.events.len(), 1);
    let event = &span.events[0];
    assert_eq!(
        (event.name.as_str(), event.time_unix_nano),
        ("exception", START + SECOND)
    );
    let values: Vec<_> = event
        .attributes
        .iter()
        .map(|pair| format!("{:?}", pair.value.as_ref().unwrap().value.as_ref().unwrap()))
        .collect();
    assert!(
        values[0].contains("\"RateLimitError\"") && values[2].contains("at x"),
        "{values:?}"
    );
    assert_eq!(attribute(&span, "mlflow.spanOutputs"), None);

    failed["kwargs"]["exception"] = json!("boom");
    let span = logged(Hook::Failure, &failed);
    assert!(format!("{:?}", span.events[0].attributes).contains("boom"));
}

#[test]
fn a_traceparent_makes_a_child_or_a_link() {
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = || Context {
        traceparent: Some(caller),
        ..Context::default()
    };
    let mut joined = logger(json!({}));
    with_context(&mut joined, context());
    let joined = span(&mut joined);
    assert_eq!(
        joined.trace_id,
        0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()
    );
    assert_eq!(
        joined.parent_span_id,
        0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()
    );
    assert_eq!(attribute(&joined, "mlflow.traceTag.mlflow.traceName"), None);

    let mut linked = logger(json!({"parent": "link"}));
    with_context(&mut linked, context());
    let linked = span(&mut linked);
    assert!(linked.parent_span_id.is_empty());
    assert_eq!(linked.links[0].trace_id, joined.trace_id);
    assert_ne!(linked.trace_id, joined.trace_id);

    let mut broken = logger(json!({}));
    with_context(
        &mut broken,
        Context {
            traceparent: Some("nonsense"),
            ..Context::default()
        },
    );
    let broken = span(&mut broken);
    assert!(broken.parent_span_id.is_empty());
    assert!(
        attribute(&broken, "llm_logger.repairs")
            .unwrap()
            .to_string()
            .contains("traceparent")
    );
}

#[test]
fn the_host_says_session_user_and_tags() {
    let mut logger = logger(json!({}));
    let long = "ü".repeat(5000);
    let context = Context {
        session: Some("s-1"),
        user: Some(&long),
        tags: vec![
            ("team", "ml"),
            ("team", "ai"),
            ("long", &long),
            ("", "x"),
            ("mlflow.trace.spansLocation", "x"),
        ],
        ..Context::default()
    };
    with_context(&mut logger, context);
    let span = span(&mut logger);
    let length = |key| {
        attribute(&span, key)
            .unwrap()
            .as_str()
            .unwrap()
            .chars()
            .count()
    };
    assert_eq!(attribute(&span, "session.id"), Some(json!("s-1")));
    assert_eq!(length("user.id"), 250);
    assert_eq!(attribute(&span, "mlflow.traceTag.team"), Some(json!("ai")));
    assert_eq!(length("mlflow.traceTag.long"), 4096);
    assert!(
        !span
            .attributes
            .iter()
            .any(|pair| pair.key.contains("spansLocation") || pair.key.ends_with("Tag."))
    );
    assert_eq!(
        attribute(&span, "llm_logger.repairs")
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn what_is_not_captured_is_nowhere() {
    let mut payload = payload("a");
    payload["kwargs"]["optional_params"]["tools"] =
        json!([{"type": "function", "function": {"name": "t00l"}}]);
    payload["kwargs"]["standard_logging_object"] = json!({"response": {"content": "4nswer"}});
    payload["response_obj"]["choices"][0]["message"]["content"] = json!("4nswer");
    for (category, secret) in [("tools", "t00l"), ("outputs", "4nswer"), ("inputs", "2+2")] {
        for (captured, found) in [(true, true), (false, false)] {
            let mut logger = logger(json!({"capture": {category: captured}}));
            log(&mut logger, Hook::Success, 1, &payload).unwrap();
            let span = format!("{:?}", span(&mut logger));
            assert_eq!(span.contains(secret), found, "{category}");
        }
    }
}

#[test]
fn sampling_decides_by_the_trace_and_is_reported() {
    let mut logger = logger(json!({"sample_ratio": 0.25}));
    for key in 0..1000 {
        success(&mut logger, key, &key.to_string());
    }
    let report = flush_at(&mut logger, NOW, FlushMode::All, |_| answer(200, ""));
    let kept = report.delivered.len();
    assert!((180..320).contains(&kept), "{kept}");
    assert_eq!(report.skipped.len(), 1000 - kept);
    let full = id::derive(&[b"x"]).trace;
    assert!(id::is_sampled(&full, 1.0) && !id::is_sampled(&full, 0.0));
}

#[test]
fn nothing_is_taken_before_the_settings() {
    let mut logger = Logger::new(1);
    let error = log(&mut logger, Hook::Success, 1, &payload("a")).unwrap_err();
    assert!(error.to_string().contains("configure"));
}
