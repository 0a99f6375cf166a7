//! Captured calls whose answer is a stream.

use logger_core::Logger;
use logger_core::event::{CallStart, Context};
use serde_json::{Value, json};

use super::{NOW, START};

/// Where chats are asked for.
pub const CHAT: &str = "/v1/chat/completions";

/// A captured call that streams these deltas.
pub fn stream(logger: &mut Logger, deltas: &[&str]) {
    let chunks = deltas
        .iter()
        .map(|delta| json!({"choices": [{"index": 0, "delta": {"content": delta}}]}));
    let body = br#"{"model":"m","messages":[],"stream":true}"#;
    answered(logger, &start(vec![], body), &chunks.collect::<Vec<_>>());
}

/// A captured call that streams these events.
pub fn answered(logger: &mut Logger, start: &CallStart<'_>, events: &[Value]) {
    let call = logger.begin_call(NOW, start).unwrap();
    logger
        .response_head(call, START, 200, &[("content-type", b"text/event-stream")])
        .unwrap();
    for event in events {
        logger
            .response_chunk(call, START + 1, format!("data: {event}\n\n").as_bytes())
            .unwrap();
    }
    logger.finish_call(NOW, call, START + 2).unwrap();
}

/// How a call begins.
pub fn start<'a>(headers: Vec<(&'a str, &'a [u8])>, body: &'a [u8]) -> CallStart<'a> {
    CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: "POST",
        path: CHAT,
        authority: None,
        provider: None,
        headers,
        context: Context::default(),
        body,
    }
}
