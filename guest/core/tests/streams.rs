//! Streams: many events, one span.

mod support;

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::event::{Context, Hook};
use serde_json::{Value, json};
use support::*;

fn message(span: &opentelemetry_proto::tonic::trace::v1::Span) -> Value {
    attribute(span, "mlflow.spanOutputs").unwrap()["choices"][0]["message"].clone()
}

#[test]
fn chunks_and_their_ending_are_one_span() {
    for hook in [Hook::Stream, Hook::Success] {
        let mut logger = logger(json!({}));
        for (key, text) in [(1, "Hel"), (2, "lo")] {
            let payload = chunk("s", text).to_string();
            let mut event = event(hook, key, &payload);
            event.time = Some(START + key * 1000);
            logger.log(NOW, &event).unwrap();
        }
        let mut last = chunk("s", "!");
        last["kwargs"]["complete_streaming_response"] = payload("s")["response_obj"].clone();
        log(&mut logger, hook, 3, &last).unwrap();
        assert_eq!(logger.stats().open_calls, 0);

        let mut delivered = Vec::new();
        let mut all = Vec::new();
        let report = flush_at(&mut logger, NOW, FlushMode::Close, |request| {
            all.extend(spans_of(request));
            answer(200, "")
        });
        delivered.extend(report.delivered);
        assert_eq!(delivered.len(), 1);
        assert_eq!(delivered[0].keys, [1, 2, 3]);
        let span = &all[0];
        assert_eq!(
            message(span)["content"],
            "4",
            "the complete response counts"
        );
        assert_eq!(
            attribute(span, "mlflow.spanInputs").unwrap()["messages"][0]["content"],
            "Hi"
        );
        let times: Vec<_> = span
            .events
            .iter()
            .map(|event| event.time_unix_nano)
            .collect();
        assert_eq!(times, [START + 1000, START + 2000, START + SECOND]);
        assert!(
            span.events
                .iter()
                .all(|event| event.name == "streaming_chunk")
        );
        assert!(format!("{:?}", span.events[0]).contains("Hel"));
    }
}

#[test]
fn a_success_without_the_whole_response_has_what_the_chunks_add_up_to() {
    let mut logger = logger(json!({}));
    let pieces = [
        json!({"role": "assistant", "content": "Let me "}),
        json!({"content": "see.", "reasoning_content": "hm"}),
        json!({"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "f", "arguments": "{\"a\""}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c1", "function": {"name": "g", "arguments": "{}"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
    ];
    for (key, delta) in (0..).zip(&pieces) {
        let mut chunk = chunk("s", "");
        chunk["response_obj"]["choices"][0]["delta"] = delta.clone();
        log(&mut logger, Hook::Stream, key, &chunk).unwrap();
    }
    let mut last = chunk("s", "");
    last["response_obj"]["choices"] = json!([]);
    last["response_obj"]["usage"] =
        json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    log(&mut logger, Hook::Stream, 9, &last).unwrap();
    let mut end = chunk("s", "");
    end["response_obj"] = Value::Null;
    log(&mut logger, Hook::Success, 10, &end).unwrap();
    let span = span(&mut logger);
    assert_eq!(
        message(&span),
        json!({
            "role": "assistant", "content": "Let me see.", "reasoning_content": "hm",
            "tool_calls": [
                {"type": "function", "id": "c0", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"type": "function", "id": "c1", "function": {"name": "g", "arguments": "{}"}},
            ],
        })
    );
    assert_eq!(
        attribute(&span, "mlflow.chat.tokenUsage").unwrap()["total_tokens"],
        3
    );
    assert_eq!(span.status.unwrap().code, 1);
}

#[test]
fn a_failed_stream_is_one_span_with_what_had_come() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Stream, 1, &chunk("s", "par")).unwrap();
    let mut failed = payload("s");
    failed["response_obj"] = Value::Null;
    failed["kwargs"]["exception"] = json!("connection lost");
    log(&mut logger, Hook::Failure, 2, &failed).unwrap();
    let span = span(&mut logger);
    assert_eq!(message(&span)["content"], "par");
    assert_eq!(span.status.unwrap().code, 2);
    let names: Vec<_> = span
        .events
        .iter()
        .map(|event| event.name.as_str())
        .collect();
    assert_eq!(names, ["streaming_chunk", "exception"]);
}

#[test]
fn an_unfinished_stream_is_cancelled_at_the_end_or_when_it_falls_silent() {
    for close in [true, false] {
        let mut logger = logger(json!({}));
        let open = chunk("s", "par").to_string();
        let mut event = event(Hook::Stream, 1, &open);
        event.context = Context {
            session: Some("s-1"),
            ..Context::default()
        };
        logger.log(NOW, &event).unwrap();
        let wait = logger.next_wake(NOW).unwrap();
        assert!(wait > Duration::from_secs(60));
        let mut all = Vec::new();
        let (now, mode) = if close {
            (NOW, FlushMode::Close)
        } else {
            (NOW + wait, FlushMode::All)
        };
        let report = flush_at(&mut logger, now, mode, |request| {
            all.extend(spans_of(request));
            answer(200, "")
        });
        assert_eq!(report.delivered[0].keys, [1]);
        assert_eq!(all[0].status.as_ref().unwrap().code, 2);
        assert_eq!(message(&all[0])["content"], "par");
        assert_eq!(attribute(&all[0], "session.id"), Some(json!("s-1")));
        assert!(format!("{:?}", all[0].events).contains("Cancelled"));
        assert_eq!(logger.stats().queued_bytes, 0);
    }
}

#[test]
fn a_chunk_that_comes_after_its_calls_end_makes_no_trace() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Stream, 1, &chunk("s", "a")).unwrap();
    success(&mut logger, 2, "s");
    log(&mut logger, Hook::Stream, 3, &chunk("s", "late")).unwrap();
    let report = flush_at(&mut logger, NOW, FlushMode::Close, |_| answer(200, ""));
    assert_eq!(report.delivered.len(), 1);
    assert_eq!(report.skipped[0].keys, [3]);
}

#[test]
fn a_chunk_that_names_no_call_is_refused() {
    let mut logger = logger(json!({}));
    let mut chunk = chunk("s", "a");
    chunk["kwargs"]
        .as_object_mut()
        .unwrap()
        .remove("litellm_call_id");
    log(&mut logger, Hook::Stream, 1, &chunk).unwrap();
    chunk["response_obj"].as_object_mut().unwrap().remove("id");
    let error = log(&mut logger, Hook::Stream, 2, &chunk).unwrap_err();
    assert!(error.to_string().contains("litellm_call_id"), "{error}");
}

#[test]
fn a_final_response_alone_is_a_call_like_any_other() {
    let mut logger = logger(json!({}));
    let mut payload = payload("s");
    payload["kwargs"]["stream"] = json!(true);
    log(&mut logger, Hook::Success, 1, &payload).unwrap();
    let span = span(&mut logger);
    assert!(span.events.is_empty());
    assert_eq!(message(&span)["content"], "4");
}

#[test]
fn a_streams_cost_per_chunk_does_not_grow() {
    let mut logger = logger(json!({}));
    let chunk = chunk("s", "word ");
    let held = |logger: &logger_core::Logger| logger.stats().queued_bytes;
    log(&mut logger, Hook::Stream, 0, &chunk).unwrap();
    let first = held(&logger);
    log(&mut logger, Hook::Stream, 1, &chunk).unwrap();
    let step = held(&logger) - first;
    for key in 2..1000 {
        log(&mut logger, Hook::Stream, key, &chunk).unwrap();
    }
    assert_eq!(held(&logger), first + 999 * step);
}

#[test]
fn the_end_of_a_stream_told_twice_keeps_its_chunks() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Stream, 1, &chunk("s", "a")).unwrap();
    success(&mut logger, 2, "s");
    success(&mut logger, 3, "s");
    let mut all = Vec::new();
    let report = flush_at(&mut logger, NOW, FlushMode::Close, |request| {
        all.extend(spans_of(request));
        answer(200, "")
    });
    assert_eq!((all.len(), all[0].events.len()), (1, 1));
    assert_eq!(report.skipped[0].keys, [3]);
}

#[test]
fn a_stream_under_the_id_of_a_failed_attempt_is_its_own() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Failure, 1, &payload("s")).unwrap();
    let retried = chunk("s", "again").to_string();
    let mut event = event(Hook::Stream, 2, &retried);
    event.start = Some(START + SECOND);
    logger.log(NOW, &event).unwrap();
    let report = flush_at(&mut logger, NOW, FlushMode::Close, |_| answer(200, ""));
    assert_eq!((report.delivered.len(), report.skipped.len()), (2, 0));
}

#[test]
fn a_last_chunk_by_the_success_hook_ends_what_came_by_the_stream_hook() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Stream, 1, &chunk("s", "to ")).unwrap();
    log(&mut logger, Hook::Success, 2, &chunk("s", "end")).unwrap();
    assert_eq!(logger.stats().open_calls, 0);
    let span = span(&mut logger);
    assert_eq!(span.status.as_ref().unwrap().code, 1);
    assert_eq!(message(&span)["content"], "to end");
}

#[test]
fn streams_of_other_apis_keep_all_that_came() {
    let event = |kind: &str, more: Value| {
        let mut event = json!({"type": kind});
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"kwargs": {"litellm_call_id": "s", "stream": true, "call_type": "responses"}, "response_obj": event})
    };
    let whole = json!({"id": "r", "object": "response", "output": [], "usage": {"input_tokens": 3, "output_tokens": 2}});
    for hook in [Hook::Stream, Hook::Success] {
        let mut logger = logger(json!({}));
        for (key, text) in [(1, "Hel"), (2, "lo")] {
            let delta = event("response.output_text.delta", json!({"delta": text}));
            log(&mut logger, hook, key, &delta).unwrap();
        }
        let mut cut_short = support::logger(json!({}));
        for (key, text) in [(1, "Hel"), (2, "lo")] {
            let delta = event("response.output_text.delta", json!({"delta": text}));
            log(&mut cut_short, hook, key, &delta).unwrap();
        }
        log(
            &mut logger,
            hook,
            3,
            &event("response.completed", json!({"response": whole})),
        )
        .unwrap();
        let ended = span(&mut logger);
        assert_eq!(attribute(&ended, "mlflow.spanOutputs"), Some(whole.clone()));
        assert_eq!(
            attribute(&ended, "mlflow.chat.tokenUsage").unwrap()["total_tokens"],
            5
        );
        assert_eq!(ended.status.as_ref().unwrap().code, 1);
        let outputs = attribute(&span(&mut cut_short), "mlflow.spanOutputs")
            .unwrap()
            .to_string();
        assert!(
            outputs.contains("Hel") && outputs.contains("lo\""),
            "{outputs}"
        );
    }
}

#[test]
fn the_same_call_id_in_another_experiment_is_another_call() {
    let mut logger = logger(json!({"experiment_id": null, "experiment_name": "x"}));
    log(&mut logger, Hook::Stream, 1, &chunk("s", "a")).unwrap();
    success(&mut logger, 2, "s");
    for (hook, key, payload) in [
        (Hook::Success, 3, payload("s")),
        (Hook::Stream, 4, chunk("s", "b")),
    ] {
        let text = payload.to_string();
        let mut event = event(hook, key, &text);
        event.context.experiment = Some(if key == 3 { "y" } else { "z" });
        logger.log(NOW, &event).unwrap();
    }
    let report = flush_at(&mut logger, NOW, FlushMode::Close, |request| {
        let known = r#"{"experiment":{"experiment_id":"7"}}"#;
        answer(
            200,
            if request.url.contains("get-by-name") {
                known
            } else {
                ""
            },
        )
    });
    assert_eq!((report.delivered.len(), report.skipped.len()), (3, 0));
}
