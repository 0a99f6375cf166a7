//! Calls to log: the lines that `replay` reads, and beside each call what MLflow has to hold of it.
//!
//! The lines have the shape of litellm's callbacks: `kwargs` and `response_obj`.

mod sized;
mod trip;

use serde_json::{Value, json};

use crate::expect::Expected;

pub use sized::{chat_of, prose, stream_of};
pub use trip::{SESSION, conversation};

/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;

/// One call, told by one line, or of a stream by several.
#[derive(Clone, Debug)]
pub struct Call {
    /// The lines, in order.
    pub lines: Vec<Value>,
    /// What they have to become.
    pub expected: Expected,
}

/// Calls as a file for `replay`.
pub fn jsonl<'c>(calls: impl IntoIterator<Item = &'c Call>) -> String {
    let lines = calls.into_iter().flat_map(|call| &call.lines);
    lines.map(|line| format!("{line}\n")).collect()
}

/// The demo: a conversation, a chat call, a streamed call with tool calls, a failure, an embedding and a child of the
/// span that `traceparent` names. All of them ended shortly before `now`. `run` goes into the call ids,
/// so that each run makes traces of its own.
pub fn demo(run: &str, now: i64, traceparent: &str) -> Vec<Call> {
    let id = |name: &str| format!("{run}-{name}");
    let mut calls = conversation(&id("trip"), now - 20 * SECOND);
    calls.extend([
        chat(&id("chat"), now - 9 * SECOND),
        tool_stream(&id("stream"), now - 7 * SECOND),
        failure(&id("failure"), now - 5 * SECOND),
        embedding(&id("embedding"), now - 3 * SECOND),
        child(&id("child"), now - 2 * SECOND, traceparent),
    ]);
    calls
}

/// The days before `now` as a service may have had them: calls of all kinds, more of them on some days.
pub fn week(run: &str, now: i64) -> Vec<Call> {
    const HOUR: i64 = 3600 * SECOND;
    let mut calls = Vec::new();
    for day in 0..7 {
        for n in 0..2 + day * 5 % 7 {
            let id = |name: &str| format!("{run}-{day}-{n}-{name}");
            let at = now - (24 * day + n + 1) * HOUR;
            calls.push(chat(&id("chat"), at));
            calls.push(tool_stream(&id("stream"), at + 60 * SECOND));
            calls.push(embedding(&id("embedding"), at + 120 * SECOND));
            if (day + n) % 4 == 0 {
                calls.push(failure(&id("failure"), at + 180 * SECOND));
            }
        }
    }
    calls
}

/// A chat call with usage, cost, tags, session and user.
pub fn chat(id: &str, start_ns: i64) -> Call {
    let end_ns = start_ns + 812_345_678;
    let messages = json!([
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "What is the capital of Burkina Faso? 🌍"},
    ]);
    let response = json!({
        "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": start_ns / SECOND,
        "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": null,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Ouagadougou."},
        }],
        "usage": {"prompt_tokens": 25, "completion_tokens": 6, "total_tokens": 31},
    });
    let mut kwargs = kwargs(id, "completion", "gpt-4o-mini", &messages);
    kwargs["optional_params"] = json!({"temperature": 0.2, "user": "ada"});
    kwargs["response_cost"] = json!(7.35e-06);
    kwargs["standard_logging_object"] = json!({
        "id": id, "call_type": "completion", "custom_llm_provider": "openai", "cache_hit": null,
        "prompt_tokens": 25, "completion_tokens": 6, "total_tokens": 31, "response_cost": 7.35e-06,
        "cost_breakdown": {"input_cost": 3.75e-06, "output_cost": 3.6e-06, "total_cost": 7.35e-06},
        "request_tags": ["team:geography", "shift:night:late"], "api_base": "https://api.openai.com",
    });
    let mut line = line("success", kwargs, response.clone(), start_ns, end_ns);
    line["session"] = json!("geography-quiz");
    Call {
        lines: vec![line],
        expected: Expected {
            inputs: json!({"messages": messages, "user": "ada"}),
            outputs: response,
            tokens: Some([25, 6, 31]),
            total_cost: Some(7.35e-06),
            tags: vec![("team", "geography"), ("shift", "night:late")],
            session: Some("geography-quiz"),
            user: Some("ada"),
            ..Expected::success(id, "litellm-completion", "LLM", start_ns, end_ns)
        },
    }
}

/// A streamed call: text, then two tool calls in pieces, then the whole as litellm assembles it.
pub fn tool_stream(id: &str, start_ns: i64) -> Call {
    let end_ns = start_ns + 1_500_000_001;
    let messages = json!([{"role": "user", "content": "Weather in Paris and Oslo?"}]);
    let tools = json!([{"type": "function", "function": {
        "name": "get_weather", "description": "Weather by city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }}]);
    let optional = json!({"stream": true, "tools": tools, "tool_choice": "auto"});
    let mut open = kwargs(id, "acompletion", "gpt-4o", &messages);
    open["stream"] = json!(true);
    open["optional_params"] = optional.clone();

    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": format!("chatcmpl-{id}"), "object": "chat.completion.chunk",
            "created": start_ns / SECOND, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let call = |index: u32, id: Value, name: Value, arguments: &str| {
        json!({"tool_calls": [{
            "index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments},
        }]})
    };
    let deltas = [
        json!({"role": "assistant", "content": "Let me "}),
        json!({"content": "look."}),
        call(0, json!("call_paris"), json!("get_weather"), ""),
        call(0, Value::Null, Value::Null, "{\"city\":"),
        call(0, Value::Null, Value::Null, "\"Paris\"}"),
        call(1, json!("call_oslo"), json!("get_weather"), ""),
        call(1, Value::Null, Value::Null, "{\"city\":\"Oslo\"}"),
    ];
    let mut times: Vec<_> = (1..=deltas.len() as i64 + 1)
        .map(|n| start_ns + 300_000_000 + n * 100_000_007)
        .collect();
    let mut lines: Vec<_> = deltas
        .into_iter()
        .zip(&times)
        .map(|(delta, time)| {
            let chunk = chunk(delta, Value::Null);
            let mut line = line("stream", open.clone(), chunk, start_ns, *time);
            line["time"] = json!(time);
            line
        })
        .collect();

    let whole_call = |id: &str, arguments: &str| {
        json!({"id": id, "type": "function",
               "function": {"name": "get_weather", "arguments": arguments}})
    };
    let whole = json!({
        "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": start_ns / SECOND,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Let me look.",
            "tool_calls": [
                whole_call("call_paris", "{\"city\":\"Paris\"}"),
                whole_call("call_oslo", "{\"city\":\"Oslo\"}"),
            ],
        }}],
        "usage": {"prompt_tokens": 58, "completion_tokens": 41, "total_tokens": 99},
    });
    let mut close = open;
    close["complete_streaming_response"] = whole.clone();
    lines.push(line("success", close, whole.clone(), start_ns, end_ns));
    times.pop();
    Call {
        lines,
        expected: Expected {
            inputs: json!({
                "messages": messages, "tools": tools, "stream": true, "tool_choice": "auto",
            }),
            outputs: whole,
            tokens: Some([58, 41, 99]),
            chunk_times: times,
            ..Expected::success(id, "litellm-acompletion", "LLM", start_ns, end_ns)
        },
    }
}

/// A call that the provider refused.
pub fn failure(id: &str, start_ns: i64) -> Call {
    let end_ns = start_ns + 120_000_000;
    let messages = json!([{"role": "user", "content": "Write me a very long poem."}]);
    let message = "litellm.RateLimitError: 429 slow down, try again in 20 s";
    let mut kwargs = kwargs(id, "completion", "claude-3-5-sonnet-20241022", &messages);
    kwargs["custom_llm_provider"] = json!("anthropic");
    kwargs["exception"] = json!({
        "type": "litellm.exceptions.RateLimitError", "message": message,
        "stacktrace": "Traceback (most recent call last):\n  File \"poem.py\", line 3, in <module>",
    });
    Call {
        lines: vec![line("failure", kwargs, Value::Null, start_ns, end_ns)],
        expected: Expected {
            inputs: json!({"messages": messages}),
            outputs: Value::Null,
            status: "ERROR",
            exception: Some(("RateLimitError", message)),
            ..Expected::success(id, "litellm-completion", "LLM", start_ns, end_ns)
        },
    }
}

/// An embedding of two texts.
pub fn embedding(id: &str, start_ns: i64) -> Call {
    let end_ns = start_ns + 45_000_000;
    let texts = json!(["hello world", "grüß dich, Welt"]);
    let response = json!({
        "object": "list", "model": "text-embedding-3-small",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.125, -0.25, 0.5]},
            {"object": "embedding", "index": 1, "embedding": [0.0, 0.75, -0.0625]},
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9},
    });
    let kwargs = kwargs(id, "embedding", "text-embedding-3-small", &texts);
    Call {
        lines: vec![line("success", kwargs, response.clone(), start_ns, end_ns)],
        expected: Expected {
            inputs: json!({"messages": texts}),
            outputs: response,
            tokens: Some([9, 0, 9]),
            ..Expected::success(id, "litellm-embedding", "EMBEDDING", start_ns, end_ns)
        },
    }
}

/// A chat call within somebody else's span.
pub fn child(id: &str, start_ns: i64, traceparent: &str) -> Call {
    let mut call = chat(id, start_ns);
    for line in &mut call.lines {
        line["traceparent"] = json!(traceparent);
    }
    let mut parts = traceparent.split('-').skip(1).map(str::to_owned);
    call.expected.parent = parts.next().zip(parts.next());
    // These are a trace's, and the trace is the parent's.
    call.expected.tags.clear();
    call.expected.session = None;
    call.expected.user = None;
    call
}

fn kwargs(id: &str, call_type: &str, model: &str, messages: &Value) -> Value {
    json!({
        "litellm_call_id": id, "call_type": call_type, "model": model, "messages": messages,
        "optional_params": {}, "stream": false, "custom_llm_provider": "openai", "cache_hit": null,
        "litellm_params": {"api_base": "https://api.openai.com", "metadata": {}},
    })
}

fn line(hook: &str, kwargs: Value, response: Value, start_ns: i64, end_ns: i64) -> Value {
    json!({
        "hook": hook, "kwargs": kwargs, "response_obj": response,
        "start_time": start_ns, "end_time": end_ns,
    })
}
