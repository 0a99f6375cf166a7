//! The spans within a call's: attempts that failed before it, guardrails that judged it.

use super::attributes::Encoder;
use super::write_outcome;
use crate::call::{Call, Child};
use crate::id::{self, TraceId};
use crate::otlp::{SpanHead, SpanWriter};
use crate::policy::{Policy, Root};

/// Encodes a call's children, whose ids follow from its own.
pub(super) fn encode(
    call: &Call<'_>,
    trace: TraceId,
    flags: u8,
    policy: &mut Policy<'_>,
) -> Vec<Vec<u8>> {
    let mut encoded = Vec::with_capacity(call.children.len());
    for (number, child) in (0_u64..).zip(&call.children) {
        let id = id::derive(&[&call.ids.span, b"child", &number.to_be_bytes()]).span;
        let mut span = SpanWriter::new(&SpanHead {
            trace,
            span: id,
            parent: Some(call.ids.span),
            name: &policy.text(&child.name),
            start: child.start,
            end: child.end,
        });
        attributes(&mut span, child, policy);
        let mut exception = Vec::new();
        let status = write_outcome(&mut exception, &child.outcome, child.end, policy);
        span.events(&exception);
        encoded.push(span.finish(status, flags));
    }
    encoded
}

fn attributes(span: &mut SpanWriter, child: &Child<'_>, policy: &mut Policy<'_>) {
    let capture = policy.content().capture;
    let mut encoder = Encoder {
        attributes: span.attributes(),
        policy,
        repairs: Vec::new(),
        scratch: Vec::new(),
    };
    encoder
        .attributes
        .string("mlflow.spanType", child.span_type.as_bytes());
    if let (true, Some(inputs)) = (capture.inputs, child.inputs) {
        encoder.document("mlflow.spanInputs", Root::Inputs, inputs);
    }
    if let (true, Some(outputs)) = (capture.outputs, child.outputs) {
        encoder.document("mlflow.spanOutputs", Root::Outputs, outputs);
    }
    encoder.others(&child.attributes);
}
