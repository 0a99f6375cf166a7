//! Every category of `capture`, on every format and on the event hooks: what is not captured is nowhere.

mod support;

use std::collections::BTreeSet;

use logger_core::event::{CallStart, Context, Hook};
use serde_json::{Value, json};
use support::*;
use transcripts::Transcript;

/// A text of its own: what it marks can be found wherever it went.
fn marked(kind: &str, number: &mut usize) -> String {
    *number += 1;
    format!("{kind}{number:04}MARK")
}

/// What a text belongs to, by where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Tool,
    Reasoning,
}

const TOOLS: [&str; 14] = [
    "tools",
    "functions",
    "toolConfig",
    "tool_calls",
    "function_call",
    "tool_use",
    "toolUse",
    "functionCall",
    "functionResponse",
    "functionDeclarations",
    "tool_choice",
    "tool_plan",
    "input_json_delta",
    "partial_json",
];
const REASONING: [&str; 6] = [
    "reasoning_content",
    "reasoningContent",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
    "reasoning",
];
/// Facts of a call, which are no content.
const KEPT: [&str; 30] = [
    "type",
    "role",
    "object",
    "model",
    "id",
    "finish_reason",
    "stop_reason",
    "finishReason",
    "completionReason",
    "response_id",
    "metadata",
    "generation_id",
    "stopReason",
    "format",
    "media_type",
    "mimeType",
    "service_tier",
    "safety_identifier",
    "user",
    "user_id",
    "usage",
    "modelVersion",
    "responseId",
    "done_reason",
    "system_fingerprint",
    "item_id",
    "encoding_format",
    "embedding_types",
    "blockReason",
    "reason",
];

/// Marks the texts of a document by what they belong to.
fn mark(value: &mut Value, side: &str, part: Part, number: &mut usize) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| mark(item, side, part, number)),
        Value::Object(members) => {
            let kind = members
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let is_thought = members.get("thought") == Some(&json!(true));
            let is_tool_message =
                matches!(members.get("role").and_then(Value::as_str), Some("tool"));
            let part = if is_thought
                || kind.contains("reasoning")
                || kind.contains("thinking")
                || kind == "summary_text"
            {
                Part::Reasoning
            } else if kind.contains("function_call")
                || kind.contains("tool_use")
                || kind.starts_with("tool-")
                || is_tool_message
            {
                Part::Tool
            } else {
                part
            };
            for (name, member) in members {
                let of_name = match part {
                    _ if TOOLS.contains(&name.as_str()) => Part::Tool,
                    _ if REASONING.contains(&name.as_str()) && !member.is_object() => {
                        Part::Reasoning
                    }
                    part => part,
                };
                if !KEPT.contains(&name.as_str()) {
                    mark(member, side, of_name, number);
                }
            }
        }
        Value::String(text) => {
            let kind = match part {
                Part::Text => side,
                Part::Tool => "TOOL",
                Part::Reasoning => "REASON",
            };
            text.push_str(&marked(kind, number));
        }
        _ => {}
    }
}

/// The transcript with marks, and what is sent of it with these settings.
fn sent(transcript: &Transcript, settings: &Value) -> String {
    let mut number = 0;
    let mut is_request = true;
    let has_body = !transcript.about["request"]["body"].is_null();
    let edited = transcript.edited(&mut |value| {
        let side = if is_request && has_body {
            "ASKED"
        } else {
            "ANSWERED"
        };
        is_request = false;
        mark(value, side, Part::Text, &mut number);
    });
    let edited = edited.unwrap();
    let (fields, body) = edited.request();
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    fields.push(("x-note", b"HEADER0001MARK"));
    let mut logger = logger(settings.clone());
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: edited.method(),
        path: edited.request_path(),
        authority: edited.about["request"]["authority"].as_str(),
        provider: edited.about["request"]["provider"].as_str(),
        headers: fields,
        context: Context::default(),
        body: &body,
    };
    let call = logger.begin_call(NOW, &start).unwrap();
    let fields = edited.response_headers();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    logger
        .response_head(call, START + 1, edited.status().max(200), &fields)
        .unwrap();
    for part in &edited.parts {
        logger.response_chunk(call, START + 2, part).unwrap();
    }
    logger.finish_call(NOW, call, START + 3).unwrap();
    format!("{:?}", span(&mut logger))
}

/// The marks of a kind that a text holds.
fn marks(text: &str, kind: &str) -> BTreeSet<String> {
    let places = text.match_indices(kind);
    places
        .filter_map(|(at, _)| text.get(at..at + kind.len() + 8))
        .filter(|mark| mark.ends_with("MARK"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_not_captured_is_nowhere_in_any_format() {
    let mut seen = [0; 4];
    let mut told = Vec::new();
    for transcript in transcripts::all().unwrap() {
        let name = &transcript.name;
        let all = sent(&transcript, &json!({"capture": {"headers": true}}));
        // Of an error, what the provider answered is the exception as well.
        let failed = all.contains("name: \"exception\"");
        for (number, (category, kind)) in [
            ("inputs", "ASKED"),
            ("outputs", "ANSWERED"),
            ("tools", "TOOL"),
            ("reasoning", "REASON"),
        ]
        .into_iter()
        .enumerate()
        {
            if category == "outputs" && failed {
                continue;
            }
            let left = sent(
                &transcript,
                &json!({"capture": {"headers": true, category: false}}),
            );
            for mark in marks(&left, kind) {
                let at = left.find(&mark).unwrap_or(0);
                let around: String = left
                    .chars()
                    .skip(at.saturating_sub(150))
                    .take(180)
                    .collect();
                told.push(format!("{name}: {category}: {mark} in {around}"));
            }
            seen[number] += marks(&all, kind).len();
        }
        assert!(all.contains("HEADER0001MARK"), "{name}");
        let without = sent(&transcript, &json!({}));
        assert!(!without.contains("HEADER0001MARK"), "{name}");
        let chunks = sent(&transcript, &json!({"capture": {"chunks": false}}));
        assert!(!chunks.contains("streaming_chunk"), "{name}");
        if transcript.is_stream() && !failed {
            assert!(all.contains("streaming_chunk"), "{name}");
        }
    }
    assert!(told.is_empty(), "{} marks are told: {told:#?}", told.len());
    assert!(
        seen.iter().all(|seen| *seen > 20),
        "each category was met: {seen:?}"
    );
}

fn hooked(settings: Value, payload: &Value, hook: Hook) -> String {
    let mut logger = logger(settings);
    log(&mut logger, hook, 1, payload).unwrap();
    format!("{:?}", span(&mut logger))
}

#[test]
fn reasoning_of_event_hooks_is_replaced() {
    let mut payload = payload("a");
    payload["response_obj"]["choices"][0]["message"] = json!({
        "role": "assistant", "content": "4", "reasoning_content": "REASON0001MARK",
        "thinking_blocks": [{"type": "thinking", "thinking": "REASON0002MARK", "signature": "REASON0003MARK"},
                            {"type": "redacted_thinking", "data": "REASON0004MARK"}],
    });
    payload["response_obj"]["output"] = json!([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "REASON0005MARK"}]}]);
    payload["response_obj"]["content"] =
        json!([{"type": "thinking", "thinking": "REASON0006MARK"}]);
    payload["kwargs"]["messages"][0]["reasoning_content"] = json!("REASON0007MARK");
    payload["kwargs"]["standard_logging_object"] = json!({"response": payload["response_obj"]});
    let all = hooked(json!({}), &payload, Hook::Success);
    assert_eq!(marks(&all, "REASON").len(), 7);
    let left = hooked(
        json!({"capture": {"reasoning": false}}),
        &payload,
        Hook::Success,
    );
    assert!(marks(&left, "REASON").is_empty(), "{left}");
    let mut streamed = logger(json!({"capture": {"reasoning": false}}));
    let mut piece = chunk("a", "");
    piece["response_obj"]["choices"][0]["delta"]["reasoning_content"] = json!("REASON0008MARK");
    log(&mut streamed, Hook::Stream, 1, &piece).unwrap();
    assert!(!format!("{:?}", span(&mut streamed)).contains("REASON0008MARK"));
}

#[test]
fn tools_of_event_hooks_are_taken_out() {
    let mut payload = payload("a");
    payload["kwargs"]["optional_params"] = json!({
        "tools": [{"type": "function", "function": {"name": "TOOL0001MARK"}}],
        "tool_choice": {"type": "function", "function": {"name": "TOOL0002MARK"}},
    });
    payload["kwargs"]["messages"] = json!([
        {"role": "user", "content": "ASKED0001MARK"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "TOOL0003MARK", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "TOOL0004MARK"},
        {"role": "user", "content": [{"type": "tool_result", "content": "TOOL0005MARK"}]},
    ]);
    payload["response_obj"]["choices"][0]["message"]["tool_calls"] =
        json!([{"function": {"name": "TOOL0006MARK"}}]);
    payload["response_obj"]["choices"][0]["message"]["function_call"] =
        json!({"name": "TOOL0007MARK"});
    let left = hooked(
        json!({"capture": {"tools": false}}),
        &payload,
        Hook::Success,
    );
    assert!(marks(&left, "TOOL").is_empty(), "{left}");
    assert!(left.contains("ASKED0001MARK"));
    assert_eq!(
        marks(&hooked(json!({}), &payload, Hook::Success), "TOOL").len(),
        7
    );
}

#[test]
fn exceptions_and_raw_responses_do_not_repeat_what_is_not_captured() {
    let mut payload = payload("a");
    payload["kwargs"]["messages"][0]["content"] =
        json!("The merger with Initech closes on Friday, says Zoe");
    payload["kwargs"]["exception"] = json!({
        "type": "ContentPolicyViolationError",
        "message": "blocked: \"The merger with Initech closes on Friday, s...\"",
        "stacktrace": "Traceback\n  messages=[{'role': 'user', 'content': 'The merger with Initech closes on Friday, says Zoe'}]",
    });
    payload["kwargs"]["standard_logging_object"] = json!({"response": {"echo": "The merger with Initech closes on Friday, says Zoe", "text": "no"}});
    for hook in [Hook::Failure, Hook::Success] {
        let left = hooked(json!({"capture": {"inputs": false}}), &payload, hook);
        assert!(!left.contains("merger") && !left.contains("Zoe"), "{left}");
        assert!(hooked(json!({}), &payload, hook).contains("merger"));
    }
    let left = hooked(
        json!({"capture": {"inputs": false}}),
        &payload,
        Hook::Failure,
    );
    assert!(left.contains("blocked:") && left.contains("ContentPolicyViolationError"));

    payload["response_obj"]["choices"][0]["message"]["content"] =
        json!("{\"answer\": forty two point five");
    payload["kwargs"]["exception"]["message"] = json!("no JSON: {\"answer\": forty two point five");
    let left = hooked(
        json!({"capture": {"outputs": false}}),
        &payload,
        Hook::Failure,
    );
    assert!(
        !left.contains("forty two") && left.contains("no JSON"),
        "{left}"
    );
}
