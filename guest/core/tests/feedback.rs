//! Feedback: an assessment of a call's trace, sent after it.

mod support;

use std::time::Duration;

use logger_core::FlushMode;
use logger_core::event::Hook;
use logger_core::feedback::{Feedback, Judge, Source, Subject, Value};
use logger_core::report::Cause;
use serde_json::{Value as Json, json};
use support::*;

const MISSING: &str = r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Trace not found."}"#;

fn thumbs_up(subject: Subject<'_>) -> Feedback<'_> {
    Feedback {
        key: 9,
        subject,
        name: "helpful".into(),
        value: Value::Bool(true),
        rationale: Some("short \"and\" right".into()),
        source: Source {
            kind: Judge::Human,
            id: "ada".into(),
        },
        experiment: None,
    }
}

/// What was sent, in order, as path and body.
fn sent(logger: &mut logger_core::Logger) -> Vec<(String, Vec<u8>)> {
    let mut sent = Vec::new();
    flush_at(logger, NOW, FlushMode::All, |request| {
        sent.push((
            request.url.replace("http://mlflow:5000", ""),
            request.body.clone(),
        ));
        answer(200, "")
    });
    sent
}

#[test]
fn feedback_follows_its_trace() {
    let mut logger = logger(json!({}));
    success(&mut logger, 1, "a");
    logger
        .log_feedback(NOW, &thumbs_up(Subject::Call("a".into())))
        .unwrap();
    let mut traces = Vec::new();
    let mut paths = Vec::new();
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        if request.url.ends_with("/v1/traces") {
            traces.extend(
                spans_of(request)
                    .into_iter()
                    .map(|span| logger_core::id::hex(&span.trace_id)),
            );
        }
        paths.push(request.url.clone());
        answer(200, "")
    });
    assert_eq!(paths.len(), 2);
    let path = format!("/api/3.0/mlflow/traces/tr-{}/assessments", traces[0]);
    assert!(paths[1].ends_with(&path), "{paths:?}");
    let keys: Vec<_> = report
        .delivered
        .iter()
        .map(|delivery| delivery.keys.clone())
        .collect();
    assert_eq!(keys, [[1], [9]]);
    assert_eq!(logger.stats().queued_bytes, 0);
    assert_eq!(logger.next_wake(NOW), None);
}

#[test]
fn a_call_that_ended_long_ago_is_found_by_its_id() {
    let mut first = logger(json!({}));
    success(&mut first, 1, "a");
    let trace = logger_core::id::hex(&span(&mut first).trace_id);
    let mut later = logger(json!({}));
    later
        .log_feedback(NOW, &thumbs_up(Subject::Call("a".into())))
        .unwrap();
    let sent = sent(&mut later);
    assert!(sent[0].0.contains(&trace), "{sent:?}");
    let body: Json = serde_json::from_slice(&sent[0].1).unwrap();
    let id = body["assessment"]["assessment_id"].as_str().unwrap();
    assert!(id.len() == 34 && id.starts_with("a-"), "{id}");
    assert_eq!(
        body["assessment"],
        json!({
            "assessment_id": id, "assessment_name": "helpful", "feedback": {"value": true},
            "source": {"source_type": "HUMAN", "source_id": "ada"}, "rationale": "short \"and\" right",
        })
    );
}

#[test]
fn a_failed_call_is_found_while_it_is_remembered() {
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Failure, 1, &payload("a")).unwrap();
    logger
        .log_feedback(NOW, &thumbs_up(Subject::Call("a".into())))
        .unwrap();
    let mut trace = String::new();
    flush_at(&mut logger, NOW, FlushMode::All, |request| {
        if request.url.ends_with("/v1/traces") {
            trace = logger_core::id::hex(&spans_of(request)[0].trace_id);
        } else {
            assert!(request.url.contains(&trace));
        }
        answer(200, "")
    });
}

#[test]
fn the_same_feedback_twice_is_one_assessment() {
    let mut logger = logger(json!({}));
    let trace = "tr-4bf92f3577b34da6a3ce929d0e0e4736";
    for _ in 0..2 {
        logger
            .log_feedback(NOW, &thumbs_up(Subject::Trace(trace.into())))
            .unwrap();
    }
    let mut stored = std::collections::BTreeSet::new();
    let report = flush_at(&mut logger, NOW, FlushMode::All, |request| {
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        if stored.insert(body["assessment"]["assessment_id"].to_string()) {
            answer(200, "")
        } else {
            answer(
                500,
                r#"{"message":"Failed to create assessment due to a constraint violation."}"#,
            )
        }
    });
    assert_eq!((stored.len(), report.delivered.len()), (1, 2));
}

#[test]
fn feedback_on_a_trace_that_never_comes_is_refused_in_the_end() {
    let mut logger = logger(json!({"retry_max_elapsed_ms": 60_000}));
    logger
        .log_feedback(NOW, &thumbs_up(Subject::Call("a".into())))
        .unwrap();
    success(&mut logger, 1, "other");
    let mut now = NOW;
    loop {
        let report = flush_at(&mut logger, now, FlushMode::All, |request| {
            if request.url.ends_with("/v1/traces") {
                answer(200, "")
            } else {
                answer(404, MISSING)
            }
        });
        if let Some(refusal) = report.refused.first() {
            assert_eq!(refusal.keys, [9]);
            assert!(
                refusal.reason.contains("Trace not found"),
                "{}",
                refusal.reason
            );
            break;
        }
        let deferral = report.deferred.unwrap();
        assert_eq!(deferral.cause, Cause::Unavailable);
        assert!(
            deferral.reason.contains("waits for its trace"),
            "{}",
            deferral.reason
        );
        now += deferral.after;
    }
    assert!(now - NOW >= Duration::from_secs(20));
}

#[test]
fn what_is_no_feedback_is_refused() {
    let mut logger = logger(json!({}));
    for subject in [Subject::Trace("tr-1".into()), Subject::Call(" ".into())] {
        assert!(logger.log_feedback(NOW, &thumbs_up(subject)).is_err());
    }
    let nan = Feedback {
        value: Value::Number(f64::NAN),
        ..thumbs_up(Subject::Call("a".into()))
    };
    assert!(logger.log_feedback(NOW, &nan).is_err());
    let unnamed = Feedback {
        name: "".into(),
        ..thumbs_up(Subject::Call("a".into()))
    };
    assert!(logger.log_feedback(NOW, &unnamed).is_err());

    let mut otlp = support::logger(json!({"protocol": "otlp"}));
    otlp.log_feedback(NOW, &thumbs_up(Subject::Call("a".into())))
        .unwrap();
    let report = flush_at(&mut otlp, NOW, FlushMode::All, |_| {
        panic!("nothing to send")
    });
    assert!(report.refused[0].reason.contains("protocol"));
}

#[test]
fn feedback_comes_as_an_event_too() {
    for (payload, expected) in [
        (
            json!({"kwargs": {"litellm_call_id": "a"}, "name": "score", "value": 0.5, "source": "ada"}),
            json!({"value": 0.5, "type": "HUMAN", "id": "ada"}),
        ),
        (
            json!({
                "call_id": "a", "name": "score", "value": "good", "rationale": "r",
                "source": {"type": "llm_judge", "id": "gpt"},
            }),
            json!({"value": "good", "type": "LLM_JUDGE", "id": "gpt"}),
        ),
        (
            json!({"call_id": "a", "name": "score", "value": true}),
            json!({"value": true, "type": "HUMAN", "id": "default"}),
        ),
    ] {
        let mut logger = logger(json!({}));
        log(&mut logger, Hook::Feedback, 1, &payload).unwrap();
        let sent = sent(&mut logger);
        let body: Json = serde_json::from_slice(&sent[0].1).unwrap();
        let assessment = &body["assessment"];
        let source = &assessment["source"];
        let found = json!({
            "value": assessment["feedback"]["value"], "type": source["source_type"], "id": source["source_id"],
        });
        assert_eq!(found, expected);
    }
    let mut logger = logger(json!({}));
    for (payload, told) in [
        (json!({"name": "n", "value": 1}), "litellm_call_id"),
        (json!({"call_id": "a", "value": 1}), "`name`"),
        (json!({"call_id": "a", "name": "n", "value": []}), "`value`"),
        (
            json!({"call_id": "a", "name": "n", "value": 1, "source": {"type": "GOD"}}),
            "`source.type`",
        ),
    ] {
        let error = log(&mut logger, Hook::Feedback, 1, &payload).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn secrets_in_feedback_are_replaced() {
    let mut logger = logger(json!({}));
    let told = Feedback {
        value: Value::Text("see sk-0123456789abcdef".into()),
        rationale: Some("Bearer 0123456789abcdef".into()),
        ..thumbs_up(Subject::Call("a".into()))
    };
    logger.log_feedback(NOW, &told).unwrap();
    let sent = sent(&mut logger);
    let body = String::from_utf8(sent[0].1.clone()).unwrap();
    assert!(
        !body.contains("0123456789abcdef") && body.matches("[REDACTED]").count() == 2,
        "{body}"
    );
}
