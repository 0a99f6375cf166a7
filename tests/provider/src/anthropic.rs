//! Anthropic's messages.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::reply::{Reply, named};
use crate::{answer, pieces, said, tokens};

const ID: &str = "msg_mock0001";
const TOOL: &str = "toolu_mock0001";

/// `POST /v1/messages`
pub(crate) fn messages(request: &Value) -> Reply {
    let model = request["model"].as_str().unwrap_or_default();
    let failure = Failure::of(model);
    if let Some(failure) = failure.filter(|failure| *failure != Failure::Midway) {
        return error(failure);
    }
    let said = said(&request["messages"]);
    let tool = request["tools"].as_array().and_then(|tools| tools.first());
    let (block, reason, output) = match tool {
        Some(tool) => (
            json!({"type": "tool_use", "id": TOOL, "name": tool["name"], "input": {"query": said}}),
            "tool_use",
            12,
        ),
        None => {
            let text = answer(&said);
            let count = tokens(&text);
            (json!({"type": "text", "text": text}), "end_turn", count)
        }
    };
    let usage = json!({
        "input_tokens": tokens(&said),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    });
    let message = json!({
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": null,
        "usage": usage,
    });
    if request["stream"] != true {
        return Reply::Json(200, message);
    }
    let reply = Reply::Events {
        events: events(message).iter().map(named).collect(),
        broken: false,
    };
    match failure {
        Some(_) => reply.broken(4),
        None => reply,
    }
}

/// A message as the events that build it up.
fn events(mut message: Value) -> Vec<Value> {
    let block = message["content"][0].take();
    let reason = message["stop_reason"].take();
    let output = message["usage"]["output_tokens"].take();
    message["content"] = json!([]);
    message["usage"]["output_tokens"] = json!(1);
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let (empty, deltas): (Value, Vec<Value>) = if block["type"] == "tool_use" {
        let mut empty = block.clone();
        empty["input"] = json!({});
        let input = block["input"].to_string();
        let part = |json: &str| delta(json!({"type": "input_json_delta", "partial_json": json}));
        (empty, pieces(&input).map(part).collect())
    } else {
        let text = block["text"].as_str().unwrap_or_default();
        let part = |text: &str| delta(json!({"type": "text_delta", "text": text}));
        (
            json!({"type": "text", "text": ""}),
            pieces(text).map(part).collect(),
        )
    };
    let mut events = vec![
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "ping"}),
    ];
    events.extend(deltas);
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": output},
    }));
    events.push(json!({"type": "message_stop"}));
    events
}

fn error(failure: Failure) -> Reply {
    let (status, kind, message) = match failure {
        Failure::Unauthorized => (401, "authentication_error", "invalid x-api-key"),
        Failure::RateLimited => (
            429,
            "rate_limit_error",
            "This request would exceed your rate limit.",
        ),
        Failure::Overloaded => (529, "overloaded_error", "Overloaded"),
        Failure::Broken | Failure::Midway => (500, "api_error", "Internal server error"),
    };
    let error = json!({"type": kind, "message": message});
    Reply::Json(
        status,
        json!({"type": "error", "error": error, "request_id": "req_mock0001"}),
    )
}
