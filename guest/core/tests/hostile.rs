//! Bad input: an error that says what is wrong, or a readable span; never a panic, never a lost
//! neighbour.

mod support;

use logger_core::FlushMode;
use logger_core::event::{Context, Event, EventError, Hook};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;

fn refused(payload: &str) -> String {
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "before");
    let error = logger
        .log(NOW, &event(Hook::Success, 2, payload))
        .unwrap_err();
    success(&mut logger, 3, "after");
    assert_eq!(spans(&mut logger).len(), 2, "the neighbours arrive");
    assert!(matches!(error, EventError::InvalidPayload(_)));
    error.to_string()
}

#[test]
fn what_is_no_payload_is_refused_with_the_reason() {
    for (payload, reason) in [
        ("", "not JSON"),
        (
            "{\"kwargs\": {}",
            "not JSON: expected `,` or `}` at line 1 column 14",
        ),
        ("[1,2]", "an object with `kwargs` expected, an array found"),
        ("\"text\"", "a string found"),
        ("{}", "`kwargs` is missing"),
        (
            "{\"kwargs\": null}",
            "`kwargs`: an object expected, null found",
        ),
        (
            "{\"kwargs\": [1]}",
            "`kwargs`: an object expected, an array found",
        ),
    ] {
        let told = refused(payload);
        assert!(told.contains(reason), "{payload}: {told}");
    }
}

#[test]
fn wrong_types_cost_the_member_and_not_the_event() {
    let wrong = json!({
        "kwargs": {
            "litellm_call_id": {"a": 1}, "call_type": 7, "model": ["m"], "messages": "hello",
            "optional_params": [1], "litellm_params": "x", "standard_logging_object": "y",
            "stream": "no", "exception": 5, "user": {},
        },
        "response_obj": 42,
    });
    for hook in [Hook::Success, Hook::Failure] {
        let mut logger = logger(json!({}));
        log(&mut logger, hook, 1, &wrong).unwrap();
        let span = span(&mut logger);
        assert_eq!(
            attribute(&span, "mlflow.spanInputs").unwrap()["messages"],
            "hello"
        );
        assert_eq!(attribute(&span, "mlflow.spanOutputs"), Some(json!(42)));
        assert_eq!(attribute(&span, "mlflow.chat.tokenUsage"), None);
    }
}

#[test]
fn what_mlflow_cannot_read_is_kept_as_text_and_marked() {
    let deep = "[".repeat(2000) + &"]".repeat(2000);
    let payload = format!(
        r#"{{"kwargs":{{"litellm_call_id":"a","messages":[{{"content":"\ud800 lone"}},{deep}],
            "optional_params":{{"seed":99999999999999999999}}}},"response_obj":{{"n":-99999999999999999999,"x":NaN}}}}"#
    );
    let mut logger = logger(json!({}));
    logger.log(NOW, &event(Hook::Success, 1, &payload)).unwrap();
    let span = span(&mut logger);
    let inputs = attribute(&span, "mlflow.spanInputs").unwrap();
    assert_eq!(inputs["messages"][0]["content"], "\u{fffd} lone");
    assert_eq!(
        attribute(&span, "mlflow.spanOutputs"),
        Some(json!({"n": "-99999999999999999999", "x": "NaN"}))
    );
    assert_eq!(
        attribute(&span, "gen_ai.request.seed"),
        Some(json!("99999999999999999999"))
    );
    let repairs = attribute(&span, "llm_logger.repairs").unwrap();
    assert_eq!(repairs.as_array().unwrap().len(), 3, "{repairs}");
}

#[test]
fn times_are_put_right_or_refused() {
    let payload = payload("a").to_string();
    let span_of = |start, end| {
        let mut logger = logger(json!({}));
        let event = Event {
            start,
            end,
            ..event(Hook::Success, 1, &payload)
        };
        logger.log(NOW, &event).map(|()| span(&mut logger))
    };
    for (start, end) in [
        (Some(START), Some(START - 1)),
        (Some(START), None),
        (None, Some(START)),
    ] {
        let span = span_of(start, end).unwrap();
        assert_eq!(
            (span.start_time_unix_nano, span.end_time_unix_nano),
            (START, START)
        );
    }
    for (start, end) in [
        (None, None),
        (Some(1 << 63), None),
        (Some(1), Some(u64::MAX)),
    ] {
        assert!(span_of(start, end).is_err());
    }
}

#[test]
fn five_megabytes_are_a_call_like_any_other() {
    let mut large = payload("a");
    let text = "lorem ipsum ".repeat(450_000);
    large["kwargs"]["messages"][0]["content"] = json!(text);
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "before");
    log(&mut logger, Hook::Success, 2, &large).unwrap();
    success(&mut logger, 3, "after");
    let all = spans(&mut logger);
    assert_eq!(all.len(), 3);
    let inputs = attribute(&all[1], "mlflow.spanInputs").unwrap();
    assert_eq!(inputs["messages"][0]["content"], text);
}

/// JSON that looks somewhat like a payload, so that decoding gets far.
fn odd_payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z:\"\\\\{\\[é]{0,12}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "kwargs",
        "response_obj",
        "litellm_call_id",
        "call_type",
        "model",
        "messages",
        "input",
        "optional_params",
        "litellm_params",
        "standard_logging_object",
        "stream",
        "choices",
        "delta",
        "message",
        "tool_calls",
        "function",
        "index",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "cost_breakdown",
        "input_cost",
        "output_cost",
        "request_tags",
        "exception",
        "object",
        "complete_streaming_response",
        "response",
        "startTime",
        "id",
        "text",
        "finish_reason",
    ]);
    leaf.prop_recursive(6, 80, 8, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((key.clone(), inner), 0..8).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_a_span_or_an_error(
        events in prop::collection::vec(
            (odd_payload(), odd_payload(), 0..3_u8, any::<[Option<u64>; 3]>(), any::<[Option<String>; 4]>()),
            1..12,
        ),
        settings in prop::sample::select(vec![
            "{}", r#"{"max_value_bytes":64,"capture":{"reasoning":false}}"#, r#"{"parent":"link","redact":false}"#,
        ]),
    ) {
        let mut logger = logger(serde_json::from_str(settings).unwrap());
        let mut taken = Vec::new();
        for (key, (kwargs, response, hook, [start, end, time], texts)) in (0..).zip(&events) {
            let payload = json!({"kwargs": kwargs, "response_obj": response}).to_string();
            let hook = [Hook::Success, Hook::Failure, Hook::Stream][usize::from(*hook)];
            let [traceparent, session, user, tag] = texts;
            let context = Context {
                traceparent: traceparent.as_deref(),
                session: session.as_deref(),
                user: user.as_deref(),
                tags: tag.iter().map(|tag| (tag.as_str(), tag.as_str())).collect(),
                experiment: None,
            };
            let event = Event { hook, key, payload: &payload, start: *start, end: *end, time: *time, context };
            if logger.log(NOW, &event).is_ok() {
                taken.push(key);
            }
        }
        let mut named = Vec::new();
        let report = flush_at(&mut logger, NOW, FlushMode::Close, |request| {
            for span in spans_of(request) {
                prop_assert_span(&span);
            }
            answer(200, "")
        });
        named.extend(report.delivered.into_iter().flat_map(|delivery| delivery.keys));
        named.extend(report.refused.into_iter().flat_map(|refusal| refusal.keys));
        named.extend(report.skipped.into_iter().flat_map(|refusal| refusal.keys));
        named.sort_unstable();
        prop_assert_eq!(named, taken, "every event that was taken is reported, once");
        prop_assert_eq!(logger.stats().queued_bytes, 0);
        prop_assert_eq!(logger.stats().open_calls, 0);
    }

    #[test]
    fn whatever_text_comes_is_refused_or_logged(payload in any::<String>()) {
        let mut logger = logger(json!({}));
        let _ = logger.log(NOW, &event(Hook::Success, 1, &payload));
        spans(&mut logger);
    }
}

/// What MLflow refuses or fails over.
fn prop_assert_span(span: &opentelemetry_proto::tonic::trace::v1::Span) {
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    assert!(span.end_time_unix_nano < 1 << 63);
    let mut keys: Vec<_> = span.attributes.iter().map(|pair| &pair.key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "attribute keys are unique");
    if let Some(usage) = attribute(span, "mlflow.chat.tokenUsage") {
        let counts = usage.as_object().unwrap().values();
        assert!(
            counts.into_iter().all(|count| count.as_u64().is_some()),
            "{usage}"
        );
    }
}
