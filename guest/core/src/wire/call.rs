//! From a captured call to [`Call`].

use std::borrow::Cow;

use super::{Ending, WireCall};
use crate::call::{Attribute, Call, Exception, Inputs, Operation, Outcome, TraceData, Usage};
use crate::event::{Context, Timestamp};
use crate::id::{Ids, Parent};
use crate::json::{Kind, Raw};
use crate::litellm::usage;

/// Normalises a captured call; `inputs` and `outputs` are its bodies as JSON.
pub(super) fn call<'a>(
    wire: &'a WireCall,
    ids: Ids,
    at: Timestamp,
    ending: &Ending<'a>,
    (inputs, outputs): (Raw<'a>, Option<Raw<'a>>),
    context: &Context<'a>,
) -> Call<'a> {
    let text = |raw: Option<Raw<'a>>| raw.and_then(Raw::as_str).filter(|text| !text.is_empty());
    let operation = operation(&wire.path);
    let request_model = text(inputs.get("model"));
    let last = outputs.and_then(last_event);
    let name = match (operation.gen_ai_name(), &request_model) {
        (Some(operation), Some(model)) => Cow::Owned(format!("{operation} {model}")),
        _ => Cow::Owned(format!("{} {}", wire.method, wire.path)),
    };
    let mut repairs = Vec::new();
    if wire.request.missing + wire.response.missing > 0 {
        repairs.push("bodies were cut to keep within `queue_max_bytes`");
    }
    if at < wire.start {
        repairs.push("the end time was before the start time");
    }
    Call {
        ids,
        parent: context.traceparent.and_then(Parent::parse),
        name,
        operation,
        start: wire.start,
        end: at.max(wire.start),
        outcome: outcome(wire, ending, outputs),
        inputs: Inputs::Whole(inputs),
        outputs,
        tools: inputs.get("tools").filter(|tools| tools.is_truthy()),
        response_model: last.and_then(|last| text(last.get("model"))),
        response_id: last.and_then(|last| text(last.get("id"))),
        request_model,
        provider: wire.provider.as_deref().map(Cow::Borrowed),
        finish_reasons: Vec::new(),
        usage: outputs.and_then(used),
        cost: None,
        attributes: attributes(wire),
        trace: TraceData {
            session: context.session.map(Cow::Borrowed),
            user: context.user.map(Cow::Borrowed).or(text(inputs.get("user"))),
            tags: context
                .tags
                .iter()
                .map(|&(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)))
                .collect(),
            prompt: None,
        },
        children: Vec::new(),
        repairs,
    }
}

fn operation(path: &str) -> Operation {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| path.ends_with(suffix));
    if ends(&["/chat/completions", "/responses", "/messages", "/chat"]) {
        Operation::Chat
    } else if ends(&["/completions"]) {
        Operation::TextCompletion
    } else if ends(&["/embeddings", "/embed"]) {
        Operation::Embeddings
    } else if ends(&["/rerank"]) {
        Operation::Rerank
    } else {
        Operation::Other
    }
}

fn outcome<'a>(wire: &WireCall, ending: &Ending<'a>, outputs: Option<Raw<'a>>) -> Outcome<'a> {
    if let Ending::Failed { kind, message } = ending {
        return Outcome::Failure(Some(Exception {
            kind: Cow::Borrowed(kind),
            message: Cow::Borrowed(message),
            stacktrace: None,
        }));
    }
    match wire.status {
        Some(status @ 400..) => {
            let error = outputs.and_then(|outputs| outputs.get("error"));
            let message = error.map(|error| error.get("message").unwrap_or(error));
            Outcome::Failure(Some(Exception {
                kind: Cow::Owned(format!("HTTP {status}")),
                message: message.and_then(Raw::as_str).unwrap_or_default(),
                stacktrace: None,
            }))
        }
        _ => Outcome::Success,
    }
}

/// The response, or the last of a stream's events.
fn last_event(outputs: Raw<'_>) -> Option<Raw<'_>> {
    match outputs.kind() {
        Kind::Array => outputs.items().last(),
        _ => Some(outputs),
    }
}

fn used(outputs: Raw<'_>) -> Option<Usage> {
    let usage = |event: Raw<'_>| event.get("usage").and_then(usage::from_response);
    match outputs.kind() {
        Kind::Array => outputs.items().filter_map(usage).last(),
        _ => usage(outputs),
    }
}

fn attributes(wire: &WireCall) -> Vec<(&'static str, Attribute<'_>)> {
    let mut attributes = vec![
        (
            "http.request.method",
            Attribute::Text(Cow::Borrowed(wire.method.as_str())),
        ),
        (
            "url.path",
            Attribute::Text(Cow::Borrowed(wire.path.as_str())),
        ),
    ];
    if let Some(status) = wire.status {
        let status = Attribute::Int(i64::from(status));
        attributes.push(("http.response.status_code", status));
    }
    if let Some(first) = wire.first_byte {
        let seconds = first.saturating_sub(wire.start) as f64 / 1e9;
        attributes.push((
            "gen_ai.response.time_to_first_chunk",
            Attribute::Double(seconds),
        ));
    }
    if let Ok(headers) = Raw::parse(&wire.headers) {
        attributes.push(("http.request.headers", Attribute::Headers(headers)));
    }
    attributes
}
