//! What litellm's proxy and router know of a call, and how a stream came.

mod support;

use logger_core::event::Hook;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use support::*;

fn logged(change: impl FnOnce(&mut Value)) -> Vec<Span> {
    let mut payload = payload("a");
    change(&mut payload);
    let mut logger = logger(json!({}));
    log(&mut logger, Hook::Success, 1, &payload).unwrap();
    spans(&mut logger)
}

#[test]
fn whose_call_it_was_is_told_and_searchable() {
    let spans = logged(|payload| {
        payload["kwargs"]["standard_logging_object"] = json!({
            "end_user": "eve", "model_group": "fast", "model_id": "d-1",
            "metadata": {
                "user_api_key_team_id": "t-1", "user_api_key_team_alias": "search",
                "user_api_key_alias": "k", "user_api_key_org_id": "o", "user_api_key_user_id": "ada",
            },
        });
    });
    for (key, value) in [
        ("litellm.team", "search"),
        ("litellm.team_id", "t-1"),
        ("litellm.key_alias", "k"),
        ("litellm.organization", "o"),
        ("litellm.user", "ada"),
        ("litellm.end_user", "eve"),
        ("litellm.deployment", "d-1"),
        ("mlflow.traceTag.litellm.team", "search"),
        ("mlflow.traceTag.litellm.model_group", "fast"),
        ("user.id", "eve"),
    ] {
        assert_eq!(attribute(&spans[0], key), Some(json!(value)), "{key}");
    }
}

#[test]
fn failed_attempts_and_guardrails_are_spans_of_their_own() {
    let spans = logged(|payload| {
        payload["kwargs"]["litellm_params"] = json!({"metadata": {"previous_models": [
            {"exception_type": "RateLimitError", "exception_string": "429", "model": "gpt-4o"},
        ]}});
        payload["kwargs"]["standard_logging_object"] = json!({"guardrail_information": [
            {
                "guardrail_name": "pii", "guardrail_status": "guardrail_intervened",
                "guardrail_response": {"masked": 2}, "start_time": 1767323045.2, "end_time": 1767323045.3,
            },
            {"guardrail_status": "guardrail_failed_to_respond"},
        ]});
    });
    let [call, attempt, pii, silent] = spans.as_slice() else {
        panic!("{} spans", spans.len());
    };
    for child in [attempt, pii, silent] {
        assert_eq!(
            (&child.trace_id, &child.parent_span_id),
            (&call.trace_id, &call.span_id)
        );
        assert_ne!(child.span_id, call.span_id);
    }
    assert_eq!(
        (attempt.name.as_str(), attempt.status.as_ref().unwrap().code),
        ("attempt gpt-4o", 2)
    );
    assert_eq!(attempt.events[0].name, "exception");
    assert_eq!(
        (pii.name.as_str(), pii.status.as_ref().unwrap().code),
        ("guardrail pii", 1)
    );
    assert_eq!(pii.start_time_unix_nano, 1_767_323_045_200_000_000);
    assert_eq!(attribute(pii, "mlflow.spanType"), Some(json!("GUARDRAIL")));
    assert_eq!(
        attribute(pii, "mlflow.spanOutputs"),
        Some(json!({"masked": 2}))
    );
    assert_eq!(silent.status.as_ref().unwrap().code, 2);
}

#[test]
fn a_prompt_with_its_version_is_linked() {
    let linked = logged(|payload| {
        payload["kwargs"]["prompt_id"] = json!("greet \"all\"");
        payload["kwargs"]["prompt_version"] = json!(3);
    });
    assert_eq!(
        attribute(&linked[0], "mlflow.linkedPrompts"),
        Some(json!([{"name": "greet \"all\"", "version": "3"}]))
    );
    let named = logged(|payload| payload["kwargs"]["prompt_id"] = json!("greet"));
    assert_eq!(
        attribute(&named[0], "gen_ai.prompt.name"),
        Some(json!("greet"))
    );
    assert_eq!(attribute(&named[0], "mlflow.linkedPrompts"), None);
}

#[test]
fn how_a_stream_came_is_measured() {
    let mut logger = logger(json!({}));
    for (key, at) in [(1, 250), (2, 500)] {
        let payload = chunk("s", "x").to_string();
        let mut event = event(Hook::Stream, key, &payload);
        event.time = Some(START + at * 1_000_000);
        logger.log(NOW, &event).unwrap();
    }
    log(&mut logger, Hook::Success, 3, &payload("s")).unwrap();
    let streamed = span(&mut logger);
    let number = |key| attribute(&streamed, key).and_then(|value| value.as_f64());
    assert_eq!(number("gen_ai.response.time_to_first_chunk"), Some(0.25));
    // 750 ms for the two tokens after the first.
    assert_eq!(number("gen_ai.server.time_per_output_token"), Some(0.375));
    assert_eq!(number("llm_logger.chunk_count"), Some(2.0));

    let told = logged(|payload| {
        payload["kwargs"]["stream"] = json!(true);
        payload["kwargs"]["standard_logging_object"] = json!({"completionStartTime": 1767323045.5});
    });
    let first = attribute(&told[0], "gen_ai.response.time_to_first_chunk").unwrap();
    assert!(
        (first.as_f64().unwrap() - 0.376_543).abs() < 1e-5,
        "{first}"
    );

    let plain = logged(|payload| {
        payload["kwargs"]["standard_logging_object"] = json!({"completionStartTime": 1767323045.5});
    });
    assert_eq!(
        attribute(&plain[0], "gen_ai.response.time_to_first_chunk"),
        None
    );
}

#[test]
fn sampling_parameters_have_their_standard_names() {
    let spans = logged(|payload| {
        payload["kwargs"]["optional_params"] = json!({"temperature": 0.5, "max_completion_tokens": 9, "stop": ["a", "b"], "n": 2, "stream": false});
    });
    for (key, value) in [
        ("gen_ai.request.temperature", json!(0.5)),
        ("gen_ai.request.max_tokens", json!(9)),
        ("gen_ai.request.stop_sequences", json!(["a", "b"])),
        ("gen_ai.request.choice.count", json!(2)),
        ("gen_ai.request.stream", json!(false)),
    ] {
        assert_eq!(attribute(&spans[0], key), Some(value), "{key}");
    }
}

#[test]
fn cached_tokens_are_counted_once() {
    let usage = |usage: Value| {
        let spans = logged(|payload| payload["response_obj"]["usage"] = usage);
        attribute(&spans[0], "mlflow.chat.tokenUsage").unwrap()
    };
    // OpenAI: within. Anthropic: apart. litellm's form of Anthropic's: within.
    assert_eq!(
        usage(
            json!({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}})
        ),
        json!({"input_tokens": 100, "output_tokens": 5, "total_tokens": 105, "cache_read_input_tokens": 60})
    );
    assert_eq!(
        usage(json!({
            "input_tokens": 10, "output_tokens": 5,
            "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30,
        })),
        json!({
            "input_tokens": 100, "output_tokens": 5, "total_tokens": 105,
            "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30,
        })
    );
    assert_eq!(
        usage(json!({
            "prompt_tokens": 100, "completion_tokens": 5, "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 30,
        })),
        json!({
            "input_tokens": 100, "output_tokens": 5, "total_tokens": 105,
            "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30,
        })
    );
}

#[test]
fn null_details_and_zeros_do_not_hide_counts() {
    let spans = logged(|payload| {
        payload["response_obj"]["usage"] = json!({
            "input_tokens": 10, "output_tokens": 5, "input_tokens_details": null,
            "cache_read_input_tokens": 90, "prompt_tokens_details": null,
        });
        payload["kwargs"]["standard_logging_object"] =
            json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    });
    let usage = attribute(&spans[0], "mlflow.chat.tokenUsage").unwrap();
    assert_eq!(
        usage,
        json!({"input_tokens": 100, "output_tokens": 5, "total_tokens": 105, "cache_read_input_tokens": 90})
    );
}

#[test]
fn a_callers_metadata_names_session_and_user() {
    let sessions = [
        json!({"mlflow.trace.session": "s", "mlflow.trace.user": "u"}),
        json!({"session_id": "s", "trace_user_id": "u"}),
        json!({"requester_metadata": {"session_id": "s", "user_id": "u"}}),
    ];
    for metadata in sessions {
        let spans = logged(|payload| {
            payload["kwargs"]["litellm_params"] = json!({"metadata": metadata});
        });
        for (key, value) in [("session.id", "s"), ("user.id", "u")] {
            let found = attribute(&spans[0], key);
            assert_eq!(found, Some(json!(value)), "{key} of {metadata}");
        }
    }
}

#[test]
fn usage_is_read_in_the_form_of_any_provider() {
    let responses = [
        json!({"usage": {"prompt_tokens": "9", "completion_tokens": "3"}}),
        json!({"usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 0}}),
        json!({"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3}}),
        json!({"usage": {"inputTokens": 9, "outputTokens": 3}}),
        json!({"meta": {"tokens": {"input_tokens": 9, "output_tokens": 3}}}),
    ];
    for response in responses {
        let spans = logged(|payload| {
            payload["kwargs"]["call_type"] = "pass_through_endpoint".into();
            payload["response_obj"] = response.clone();
        });
        let usage = attribute(&spans[0], "mlflow.chat.tokenUsage").unwrap_or_default();
        let counts = [
            &usage["input_tokens"],
            &usage["output_tokens"],
            &usage["total_tokens"],
        ];
        assert_eq!(counts, [9, 3, 12], "{response}");
    }
}

#[test]
fn a_cost_and_a_hit_of_the_cache_may_be_texts() {
    let cost = |cache_hit: &str| {
        let spans = logged(|payload| {
            payload["kwargs"]["response_cost"] = "0.25".into();
            payload["kwargs"]["cache_hit"] = cache_hit.into();
        });
        attribute(&spans[0], "mlflow.llm.cost").unwrap_or_default()["total_cost"].as_f64()
    };
    assert_eq!((cost("False"), cost("True")), (Some(0.25), Some(0.0)));
}
