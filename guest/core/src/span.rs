//! From [`Call`] to the bytes of OTLP spans, as MLflow wants them.
//!
//! Attribute names beginning with `mlflow.` are those that MLflow's OTLP ingest reads
//! (`mlflow/tracing/constant.py`); names beginning with `gen_ai.` are OpenTelemetry's semantic
//! conventions for generative AI.

mod attributes;
mod children;
mod provider;
mod trace_data;

use crate::call::{Call, Cost, Exception, Outcome};
use crate::event::Timestamp;
use crate::id::{Parent, TraceId};
use crate::json::{Raw, write_clean};
use crate::otlp::{SpanHead, SpanWriter, Status};
use crate::policy::Policy;
use crate::settings::ParentMode;
use attributes::Encoder;

/// The attribute that lists what was put right, replaced or cut.
const REPAIRS: &str = "llm_logger.repairs";

/// The levels that MLflow's own client gives its spans, after Python's `logging`.
const LEVEL_INFO: i64 = 20;
const LEVEL_ERROR: i64 = 40;

/// A call's span and those within it, encoded.
#[derive(Debug)]
pub struct Encoded {
    /// OTLP's `Span` message of the call.
    pub span: Vec<u8>,
    /// Those of what happened within it.
    pub children: Vec<Vec<u8>>,
    /// The trace they belong to.
    pub trace: TraceId,
}

/// Encodes a call. `cost` is what it cost in the end; `events` are a stream's, encoded by [`write_chunk`]; `parent` says what a caller's
/// `traceparent` means.
pub fn encode(
    call: &Call<'_>,
    cost: Option<Cost>,
    events: &[u8],
    parent: ParentMode,
    policy: &mut Policy<'_>,
) -> Encoded {
    let joined = call.parent.filter(|_| parent == ParentMode::Join);
    let linked = call.parent.filter(|_| parent == ParentMode::Link);
    let trace = trace_of(call, parent);
    let mut span = SpanWriter::new(&SpanHead {
        trace,
        span: call.ids.span,
        parent: joined.map(|parent| parent.span),
        name: &policy.text(&call.name),
        start: call.start,
        end: call.end,
    });
    let mut encoder = Encoder {
        attributes: span.attributes(),
        policy,
        repairs: call.repairs.clone(),
        scratch: Vec::new(),
    };
    encoder.content(call);
    encoder.model(call);
    encoder.accounting(call.usage, cost);
    encoder.others(&call.attributes);
    encoder.trace_data(call, joined.is_none());
    encoder.marks();
    span.events(events);
    let status = write_outcome(&mut span, &call.outcome, call.end, policy);
    if let Some(Parent {
        trace,
        span: id,
        flags,
    }) = linked
    {
        span.link(&trace, &id, flags);
    }
    let flags = joined.map_or(1, |parent| parent.flags);
    Encoded {
        span: span.finish(status, flags),
        children: children::encode(call, trace, flags, policy),
        trace,
    }
}

/// The exception event of a failure, and the status.
fn write_outcome(
    span: &mut SpanWriter,
    outcome: &Outcome<'_>,
    at: Timestamp,
    policy: &mut Policy<'_>,
) -> Status {
    match outcome {
        Outcome::Success => Status::Ok,
        Outcome::Failure(exception) => {
            if let Some(exception) = exception {
                write_exception(span, exception, at, policy);
            }
            Status::Error
        }
    }
}

/// The trace that a call's span belongs to.
pub fn trace_of(call: &Call<'_>, parent: ParentMode) -> TraceId {
    match call.parent {
        Some(caller) if parent == ParentMode::Join => caller.trace,
        _ => call.ids.trace,
    }
}

/// Writes the event of one streamed chunk's choice to `out`: `streaming_chunk` with `delta`, as
/// litellm's `MlflowLogger` names them. `scratch` is used as it likes.
pub fn write_chunk(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    at: Timestamp,
    delta: Raw<'_>,
    policy: &mut Policy<'_>,
) {
    SpanWriter::write_event(out, scratch, at, "streaming_chunk", |attributes| {
        let mut json = Vec::with_capacity(delta.text().len());
        write_clean(delta, &mut json, 0, policy);
        attributes.string("delta", &json);
    });
}

fn write_exception(
    span: &mut SpanWriter,
    exception: &Exception<'_>,
    at: Timestamp,
    policy: &mut Policy<'_>,
) {
    let mut event = Vec::new();
    SpanWriter::write_event(&mut event, &mut Vec::new(), at, "exception", |attributes| {
        attributes.string("exception.type", exception.kind.as_bytes());
        let message = policy.text(&exception.message);
        attributes.string("exception.message", message.as_bytes());
        if let Some(stacktrace) = &exception.stacktrace {
            let stacktrace = policy.text(stacktrace);
            attributes.string("exception.stacktrace", stacktrace.as_bytes());
        }
    });
    span.events(&event);
}
