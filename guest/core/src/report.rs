//! What became of logged events, for the host to let go of them or to keep them.
//!
//! The types mirror `wit/types.wit`. A key that no list names is still held.

use std::time::Duration;

use crate::event::EventKey;

/// What became of events since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Stored by the server.
    pub delivered: Vec<Delivery>,
    /// Refused for good.
    pub refused: Vec<Refusal>,
    /// Left out on purpose.
    pub skipped: Vec<Refusal>,
    /// Given back undelivered after `retry_max_elapsed_ms`.
    pub returned: Vec<Refusal>,
    /// Set where sending stopped early.
    pub deferred: Option<Deferral>,
}

/// Events that made one span, and its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The events.
    pub keys: Vec<EventKey>,
    /// The trace's id: OTLP's 16 bytes.
    pub trace_id: [u8; 16],
}

/// Events that were not delivered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The events.
    pub keys: Vec<EventKey>,
    /// Why, in words.
    pub reason: String,
}

/// Why sending stopped early, and when it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// How long to wait.
    pub after: Duration,
    /// What went wrong and how to mend it.
    pub reason: String,
    /// What kind of obstacle it is.
    pub cause: Cause,
}

/// What keeps the logger from delivering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No answer came.
    Unreachable,
    /// The server answered that it cannot take anything now.
    Unavailable,
    /// The server answered that it takes nothing as things are set.
    Misconfigured,
}

/// Counts since the logger was made, and gauges of now; see `stats` in `wit/types.wit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events taken.
    pub events: u64,
    /// Events refused by the hooks.
    pub events_invalid: u64,
    /// Calls begun.
    pub calls: u64,
    /// Gauge: streams and calls that have not ended.
    pub open_calls: u64,
    /// Gauge: spans waiting.
    pub queued_spans: u64,
    /// Gauge: bytes held.
    pub queued_bytes: u64,
    /// Spans stored.
    pub spans_delivered: u64,
    /// Spans refused for good.
    pub spans_refused: u64,
    /// Spans left out on purpose.
    pub spans_skipped: u64,
    /// Spans given back.
    pub spans_returned: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed in a way worth another try.
    pub requests_failed: u64,
    /// Body bytes sent.
    pub bytes_sent: u64,
}
