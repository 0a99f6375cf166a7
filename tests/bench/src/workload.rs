//! The events that are measured.

use e2e::events::{self, Call};
use logger_core::event::Hook;
use serde_json::Value;

/// Bytes of a KiB.
pub const KIB: usize = 1024;

/// When the calls begin: a round number, long ago.
const BEGIN: i64 = 1_790_000_000 * events::SECOND;

/// Calls of one kind.
pub struct Workload {
    /// What they are, in words.
    pub name: String,
    /// How many calls the events tell of.
    pub calls: usize,
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
    /// So many calls, each made from its id and its beginning.
    pub fn new(name: impl Into<String>, calls: usize, call: impl Fn(&str, i64) -> Call) -> Self {
        let name = name.into();
        let made = (0..calls as i64).map(|n| call(&format!("{name} {n}"), BEGIN + n));
        Self {
            events: made.flat_map(|call| call.lines).map(Event::of).collect(),
            name,
            calls,
        }
    }

    /// Calls that were made.
    pub fn of(calls: &[Call]) -> Self {
        let lines = calls.iter().flat_map(|call| call.lines.clone());
        Self {
            name: "calls".to_owned(),
            calls: calls.len(),
            events: lines.map(Event::of).collect(),
        }
    }

    /// The size of all payloads.
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.payload.len()).sum()
    }

    /// The size of one in the mean.
    pub fn bytes_each(&self) -> usize {
        self.bytes() / self.events.len().max(1)
    }
}

impl Event {
    /// A line that `replay` would read.
    pub fn of(line: Value) -> Self {
        Self {
            hook: match line["hook"].as_str() {
                Some("failure") => Hook::Failure,
                Some("stream") => Hook::Stream,
                _ => Hook::Success,
            },
            start: line["start_time"].as_u64().unwrap_or_default(),
            end: line["end_time"].as_u64().unwrap_or_default(),
            payload: line.to_string(),
        }
    }
}
