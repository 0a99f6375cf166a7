//! OpenAI's chat completions and embeddings.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::reply::Reply;
use crate::{answer, pieces, said, tokens};

const CREATED: u64 = 1_764_020_000;
const ID: &str = "chatcmpl-mock0001";
const CALL: &str = "call_mock0001";

/// `POST /v1/chat/completions`
pub(crate) fn chat(request: &Value) -> Reply {
    let model = request["model"].as_str().unwrap_or_default();
    let failure = Failure::of(model);
    if let Some(failure) = failure.filter(|failure| *failure != Failure::Midway) {
        return error(failure);
    }
    let said = said(&request["messages"]);
    let wants_tool = request["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    let message = if wants_tool {
        Message::Tool(&request["tools"][0]["function"]["name"], &said)
    } else {
        Message::Text(answer(&said))
    };
    let usage = usage(tokens(&said), message.tokens());
    if request["stream"] != true {
        return Reply::Json(200, whole(model, &message, &usage));
    }
    let wants_usage = request["stream_options"]["include_usage"] == true;
    let reply = Reply::done(chunks(model, &message, wants_usage.then_some(usage)));
    match failure {
        Some(_) => reply.broken(3),
        None => reply,
    }
}

/// `POST /v1/embeddings`
pub(crate) fn embeddings(request: &Value) -> Reply {
    let model = request["model"].as_str().unwrap_or_default();
    if let Some(failure) = Failure::of(model) {
        return error(failure);
    }
    let inputs = match &request["input"] {
        Value::Array(inputs) => inputs.clone(),
        input => vec![input.clone()],
    };
    let count: u64 = inputs
        .iter()
        .map(|input| tokens(input.as_str().unwrap_or_default()))
        .sum();
    let vectors = inputs.iter().enumerate().map(|(index, input)| {
        let length = input.as_str().unwrap_or_default().len() as f64;
        json!({"object": "embedding", "index": index, "embedding": [length / 100.0, 0.25, -0.5]})
    });
    Reply::Json(
        200,
        json!({
            "object": "list",
            "data": vectors.collect::<Vec<_>>(),
            "model": model,
            "usage": {"prompt_tokens": count, "total_tokens": count},
        }),
    )
}

enum Message<'a> {
    Text(String),
    /// A call of this tool, with what was said as its argument.
    Tool(&'a Value, &'a str),
}

impl Message<'_> {
    fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => tokens(text),
            Self::Tool(..) => 12,
        }
    }

    fn finish_reason(&self) -> &'static str {
        match self {
            Self::Text(_) => "stop",
            Self::Tool(..) => "tool_calls",
        }
    }
}

fn arguments(said: &str) -> String {
    json!({"query": said}).to_string()
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}

fn whole(model: &str, message: &Message<'_>, usage: &Value) -> Value {
    let said = match message {
        Message::Text(text) => json!({"role": "assistant", "content": text, "refusal": null}),
        Message::Tool(name, said) => json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "tool_calls": [{
                "id": CALL,
                "type": "function",
                "function": {"name": name, "arguments": arguments(said)},
            }],
        }),
    };
    json!({
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{
            "index": 0,
            "message": said,
            "logprobs": null,
            "finish_reason": message.finish_reason(),
        }],
        "usage": usage,
        "system_fingerprint": "fp_mock",
    })
}

fn chunks(model: &str, message: &Message<'_>, usage: Option<Value>) -> Vec<Value> {
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": ID,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "system_fingerprint": "fp_mock",
            "choices": choices,
            "usage": usage,
        })
    };
    let delta = |delta: Value, finish_reason: Value| {
        let choice =
            json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        chunk(json!([choice]), Value::Null)
    };
    let mut chunks = match message {
        Message::Text(text) => {
            let first = json!({"role": "assistant", "content": "", "refusal": null});
            let mut chunks = vec![delta(first, Value::Null)];
            chunks.extend(pieces(text).map(|piece| delta(json!({"content": piece}), Value::Null)));
            chunks
        }
        Message::Tool(name, said) => {
            let begin = json!({"role": "assistant", "content": null, "tool_calls": [{
                "index": 0, "id": CALL, "type": "function",
                "function": {"name": name, "arguments": ""},
            }]});
            let more = |piece: &str| {
                let call = json!({"index": 0, "function": {"arguments": piece}});
                delta(json!({"tool_calls": [call]}), Value::Null)
            };
            let mut chunks = vec![delta(begin, Value::Null)];
            chunks.extend(pieces(&arguments(said)).map(more));
            chunks
        }
    };
    chunks.push(delta(json!({}), message.finish_reason().into()));
    chunks.extend(usage.map(|usage| chunk(json!([]), usage)));
    chunks
}

fn error(failure: Failure) -> Reply {
    let (status, message, kind, code) = match failure {
        Failure::Unauthorized => (
            401,
            "Incorrect API key provided.",
            "invalid_request_error",
            "invalid_api_key".into(),
        ),
        Failure::RateLimited => (
            429,
            "Rate limit reached for requests",
            "requests",
            "rate_limit_exceeded".into(),
        ),
        Failure::Overloaded => (
            503,
            "The engine is currently overloaded, please try again later",
            "server_error",
            Value::Null,
        ),
        Failure::Broken | Failure::Midway => (
            500,
            "The server had an error while processing your request",
            "server_error",
            Value::Null,
        ),
    };
    Reply::Json(
        status,
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
    )
}
