//! What a host hands in: one firing of a hook, with what the host knows of its surroundings.
//!
//! The types mirror `wit/types.wit` and borrow from what the shell lifted.

/// Nanoseconds since the Unix epoch.
pub type Timestamp = u64;

/// The host's own number for something it logged; see `event-key` in `wit/types.wit`.
pub type EventKey = u64;

/// The tag of a trace whose bodies are not whole.
pub const TRUNCATED: &str = "truncated";

/// What is missing of a call's bodies, in words, for [`TRUNCATED`]; none: nothing is. Each has its name, how
/// many of its bytes were kept, and how many came.
pub fn truncation(bodies: [(&str, u64, u64); 2]) -> Option<String> {
    let cut = bodies.into_iter().filter(|(_, kept, came)| kept < came);
    let told = cut.map(|(name, kept, came)| format!("{name}: {kept} of {came} bytes"));
    let told = told.collect::<Vec<_>>().join(", ");
    (!told.is_empty()).then_some(told)
}

/// A call that ended because its client went away: kind and message.
pub const CLIENT_GONE: (&str, &str) = (
    "client-disconnected",
    "the client went away before the response had ended",
);

/// A call that ended because its upstream closed the connection: kind and message.
pub const UPSTREAM_GONE: (&str, &str) = (
    "connection-reset",
    "the upstream closed the connection in the middle of its response",
);

/// Which event hook fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// litellm's `log_success_event` and `async_log_success_event`.
    Success,
    /// litellm's `log_failure_event` and `async_log_failure_event`.
    Failure,
    /// litellm's `log_stream_event` and `async_log_stream_event`: one chunk.
    Stream,
    /// Feedback on a call.
    Feedback,
}

/// One firing of an event hook.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The hook that fired.
    pub hook: Hook,
    /// Comes back in the delivery report.
    pub key: EventKey,
    /// JSON text: an object with `kwargs` and `response_obj`.
    pub payload: &'a str,
    /// When the call began.
    pub start: Option<Timestamp>,
    /// When the call ended; of a chunk, when it came.
    pub end: Option<Timestamp>,
    /// When a chunk came, where known better than by `end`.
    pub time: Option<Timestamp>,
    /// The surroundings.
    pub context: Context<'a>,
}

/// What a host knows of the surroundings of a call.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// The caller's span: W3C Trace Context, section 3.2.
    pub traceparent: Option<&'a str>,
    /// The session of the trace.
    pub session: Option<&'a str>,
    /// The user of the trace.
    pub user: Option<&'a str>,
    /// Tags of the trace; the last of a key counts.
    pub tags: Vec<(&'a str, &'a str)>,
    /// The experiment's name, instead of the configured one.
    pub experiment: Option<&'a str>,
}

/// What a gateway knows when a call begins.
#[derive(Clone, Debug)]
pub struct CallStart<'a> {
    /// Comes back in the delivery report.
    pub key: EventKey,
    /// When the request came.
    pub at: Timestamp,
    /// The gateway's own id of the call.
    pub call_id: Option<&'a str>,
    /// The request's method.
    pub method: &'a str,
    /// The request's path with its query.
    pub path: &'a str,
    /// Host and port the request goes to.
    pub authority: Option<&'a str>,
    /// The provider, such as `openai`.
    pub provider: Option<&'a str>,
    /// Header fields: names in any case, values as sent.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The surroundings.
    pub context: Context<'a>,
    /// The request's body.
    pub body: &'a [u8],
}

/// Something that happened while a call was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The gateway tried again.
    Retry,
    /// The gateway went to another model or provider.
    Fallback,
    /// A guardrail gave its verdict.
    Guardrail,
    /// The answer came from a cache.
    CacheHit,
}

/// Why an event was not taken. The logger stays usable after each of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// There are no settings yet.
    #[error("not configured yet: `configure` comes first")]
    NotConfigured,
    /// The call has ended, or was given up to keep within `queue_max_bytes`.
    #[error("the call has already ended")]
    CallEnded,
    /// The payload is not what the hook documents.
    #[error("{0}")]
    InvalidPayload(String),
    /// The queue holds as many bytes as it may.
    #[error("the queue is full (`queue_max_bytes`): flush, then log again")]
    QueueFull,
}
