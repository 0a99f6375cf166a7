//! From [`Call`] to the bytes of OTLP spans, as MLflow wants them.
//!
//! Attribute names beginning with `mlflow.` are those that MLflow's OTLP ingest reads
//! (`mlflow/tracing/constant.py`); names beginning with `gen_ai.` are OpenTelemetry's semantic
//! conventions for generative AI.

mod attributes;
mod children;
mod chunks;
mod pieces;
mod provider;
mod trace_data;

use crate::call::{Call, Cost, Exception, Outcome};
use crate::event::Timestamp;
use crate::id::{Parent, TraceId};
use crate::otlp::{SpanHead, SpanWriter, Status};
use crate::policy::{Echo, Policy};
use crate::settings::ParentMode;
use attributes::Encoder;
pub use chunks::ChunkLog;

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

/// Encodes a call. `cost` is what it cost in the end; `chunks` are a stream's; `parent` says what a caller's
/// `traceparent` means.
pub fn encode(
    call: &Call<'_>,
    cost: Option<Cost>,
    chunks: &ChunkLog,
    parent: ParentMode,
    policy: &mut Policy<'_>,
) -> Encoded {
    let joined = call.parent.filter(|_| parent == ParentMode::Join);
    let linked = call.parent.filter(|_| parent == ParentMode::Link);
    let trace = trace_of(call, parent);
    introduce(call, policy);
    let mut events = Vec::new();
    chunks.write(&mut events, policy);
    let mut exception = Vec::new();
    let status = write_outcome(&mut exception, &call.outcome, call.end, policy);
    let mut span = SpanWriter::new(&SpanHead {
        trace,
        span: call.ids.span,
        parent: joined.map(|parent| parent.span),
        name: &policy.text(&call.name),
        start: call.start,
        end: call.end,
    });
    span.reserve(content_len(call) + events.len());
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
    span.events(&events);
    span.events(&exception);
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

/// About how many bytes the span says what was asked and answered in.
fn content_len(call: &Call<'_>) -> usize {
    let inputs = call.inputs.documents();
    let outputs = call.outputs.into_iter();
    inputs
        .into_iter()
        .chain(outputs)
        .map(|raw| raw.text().len())
        .sum()
}

/// Makes the policy acquainted with what the call's other texts must not tell.
fn introduce(call: &Call<'_>, policy: &mut Policy<'_>) {
    let capture = policy.content().capture;
    if policy.content().user_hash_key.is_some() {
        for user in call.users() {
            policy.know_user(&user);
        }
    }
    let is_told = call.outputs.is_some() || matches!(call.outcome, Outcome::Failure(_));
    if (capture.inputs && capture.outputs) || !is_told {
        return;
    }
    let mut echo = Echo::default();
    if !capture.inputs {
        for inputs in call.inputs.documents() {
            echo.add(inputs);
        }
    }
    // The body of an error is what the exception says.
    if let (false, false, Some(outputs)) = (capture.outputs, call.is_refused(), call.outputs) {
        echo.add(outputs);
    }
    policy.know_unsaid(echo.ready());
}

/// The exception event of a failure, and the status.
fn write_outcome(
    out: &mut Vec<u8>,
    outcome: &Outcome<'_>,
    at: Timestamp,
    policy: &mut Policy<'_>,
) -> Status {
    match outcome {
        Outcome::Success => Status::Ok,
        Outcome::Failure(exception) => {
            if let Some(exception) = exception {
                write_exception(out, exception, at, policy);
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

fn write_exception(
    out: &mut Vec<u8>,
    exception: &Exception<'_>,
    at: Timestamp,
    policy: &mut Policy<'_>,
) {
    SpanWriter::write_event(out, &mut Vec::new(), at, "exception", |attributes| {
        let kind = policy.telling(&exception.kind);
        attributes.string("exception.type", kind.as_bytes());
        let message = policy.telling(&exception.message);
        attributes.string("exception.message", message.as_bytes());
        if let Some(stacktrace) = &exception.stacktrace {
            let stacktrace = policy.telling(stacktrace);
            attributes.string("exception.stacktrace", stacktrace.as_bytes());
        }
    });
}
