//! The events that are measured.

use e2e::events::{self, Call};
use logger_core::event::Hook;

/// Events of one kind.
pub struct Workload {
    /// What they are, in words.
    pub name: &'static str,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// One event, as a hook takes it.
pub struct Event {
    /// The hook.
    pub hook: Hook,
    /// Its payload.
    pub payload: String,
    /// When the call began.
    pub start: u64,
    /// When the event came.
    pub end: u64,
}

impl Workload {
    /// The size of all payloads.
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.payload.len()).sum()
    }
}

/// A workload of each kind, with so many calls.
pub fn all(calls: i64) -> Vec<Workload> {
    vec![
        workload("chat call", calls, events::chat),
        workload("chat call of 64 KB", calls / 8, |id, start| {
            long_chat(id, start, 64 * 1024)
        }),
        workload(
            "stream with tool calls, each chunk",
            calls / 4,
            events::tool_stream,
        ),
        workload("failed call", calls, events::failure),
        workload("embedding", calls, events::embedding),
    ]
}

fn workload(name: &'static str, calls: i64, call: impl Fn(&str, i64) -> Call) -> Workload {
    let calls =
        (0..calls).map(|n| call(&format!("{name} {n}"), 1_790_000_000 * events::SECOND + n));
    let events = calls.flat_map(|call| call.lines).map(|line| Event {
        hook: match line["hook"].as_str() {
            Some("failure") => Hook::Failure,
            Some("stream") => Hook::Stream,
            _ => Hook::Success,
        },
        start: line["start_time"].as_u64().unwrap_or_default(),
        end: line["end_time"].as_u64().unwrap_or_default(),
        payload: line.to_string(),
    });
    Workload {
        name,
        events: events.collect(),
    }
}

/// A chat call with a long conversation before it.
fn long_chat(id: &str, start: i64, bytes: usize) -> Call {
    let mut call = events::chat(id, start);
    let turn = "The quick brown fox \"jumps\" over the lazy dog.\n".repeat(20);
    let messages = &mut call.lines[0]["kwargs"]["messages"];
    if let Some(messages) = messages.as_array_mut() {
        for n in 0..bytes / turn.len() {
            let role = ["user", "assistant"][n % 2];
            messages.push(serde_json::json!({"role": role, "content": turn}));
        }
    }
    call
}
