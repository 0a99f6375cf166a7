//! From a captured call and the facts of its bodies to [`Call`].

use std::borrow::Cow;

use super::errors::Fault;
use super::facts::Facts;
use super::response::Streamed;
use super::{Ending, WireCall, headers, provider};
use crate::call::{Attribute, Call, Exception, Inputs, Operation, Outcome, TraceData};
use crate::event::{CLIENT_GONE, Context, Timestamp};
use crate::id::{Ids, Parent};
use crate::json::Raw;

/// A captured call that has ended, read.
pub(super) struct Read<'a> {
    /// Its ids.
    pub ids: Ids,
    /// When it ended.
    pub at: Timestamp,
    /// The surroundings.
    pub context: &'a Context<'a>,
    /// The request's body as JSON.
    pub inputs: Raw<'a>,
    /// The response's, or what a stream adds up to.
    pub outputs: Option<Raw<'a>>,
    /// The tools the model could call.
    pub tools: Option<Raw<'a>>,
    /// What was read out of them.
    pub facts: Facts<'a>,
    /// How it ended, as the host says.
    pub ending: &'a Ending<'a>,
    /// What a response or a stream's frame told of an error.
    pub fault: Option<Fault>,
    /// What a stream told of itself.
    pub stream: Option<Streamed>,
    /// What was put right on the way in.
    pub repairs: Vec<&'static str>,
}

/// Normalises a captured call.
pub(super) fn call<'a>(wire: &'a WireCall, read: Read<'a>) -> Call<'a> {
    let format = wire.format;
    let context = read.context;
    let end = read.at.max(wire.start);
    let mut repairs = read.repairs;
    if read.at < wire.start {
        repairs.push("the end time was before the start time");
    }
    let parent = context.traceparent.and_then(Parent::parse);
    if parent.is_none() && context.traceparent.is_some() {
        repairs.push("the traceparent was invalid and left out");
    }
    let mut attributes = attributes(wire, &read.facts, read.stream, end);
    let outcome = outcome(wire, read.ending, read.fault, read.stream.as_ref());
    if let Outcome::Failure(Some(exception)) = &outcome {
        attributes.push(("error.type", Attribute::Text(exception.kind.clone())));
    }
    let facts = read.facts;
    attributes.extend(facts.attributes);
    let model = facts
        .request_model
        .as_ref()
        .or(facts.response_model.as_ref());
    let provider = wire.provider.as_deref();
    Call {
        ids: read.ids,
        parent,
        name: name(wire, model),
        operation: format.operation,
        start: wire.start,
        end,
        outcome,
        inputs: Inputs::Whole(read.inputs),
        outputs: read.outputs,
        tools: read.tools,
        message_format: format.message_format.map(|own| match (own, provider) {
            ("openai", Some(provider)) => provider::openai_dialect(provider),
            _ => own,
        }),
        request_model: facts.request_model,
        response_model: facts.response_model,
        response_id: facts.response_id,
        provider: provider.map(Cow::Borrowed),
        finish_reasons: facts.finish_reasons,
        usage: facts.usage,
        cost: facts.cost,
        attributes,
        trace: TraceData {
            session: context.session.map(Cow::Borrowed).or(facts.session),
            user: context.user.map(Cow::Borrowed).or(facts.user),
            tags: tags(context, facts.tags),
            prompt: None,
        },
        children: Vec::new(),
        repairs,
    }
}

/// The request's own tags, and after them, so that they count, those of its surroundings.
fn tags<'a>(context: &Context<'a>, own: Vec<Cow<'a, str>>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let own = own.iter().map(|tag| headers::split_tag(tag));
    let own = own.map(|(key, value)| (Cow::Owned(key), Cow::Owned(value)));
    let told = context.tags.iter();
    let told = told.map(|&(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)));
    own.chain(told).collect()
}

/// `{operation} {model}`, as OpenTelemetry's conventions have it.
fn name<'a>(wire: &WireCall, model: Option<&Cow<'a, str>>) -> Cow<'a, str> {
    Cow::Owned(match (wire.format.verb, model) {
        ("", _) => format!("{} {}", wire.method, wire.path),
        (verb, Some(model)) => format!("{verb} {model}"),
        (verb, None) => verb.to_owned(),
    })
}

/// The host's word on how the call ended goes before the response's, but for a response that had told
/// of its error already, and for a client that left when a stream had told it that this is the end.
fn outcome<'a>(
    wire: &WireCall,
    ending: &Ending<'a>,
    fault: Option<Fault>,
    stream: Option<&Streamed>,
) -> Outcome<'a> {
    let exception = |kind, message| {
        Outcome::Failure(Some(Exception {
            kind,
            message,
            stacktrace: None,
        }))
    };
    match (fault, ending) {
        (Some(fault), _) => {
            let status = wire.response.status.filter(|status| *status >= 400);
            let unnamed = || status.map_or("error".to_owned(), |status| format!("HTTP {status}"));
            let kind = fault.kind.unwrap_or_else(unnamed);
            exception(
                Cow::Owned(kind),
                Cow::Owned(fault.message.unwrap_or_default()),
            )
        }
        (None, Ending::Failed { kind, .. })
            if *kind == CLIENT_GONE.0 && stream.is_some_and(|stream| stream.has_ended) =>
        {
            Outcome::Success
        }
        (None, Ending::Failed { kind, message }) => {
            exception(Cow::Borrowed(*kind), Cow::Borrowed(*message))
        }
        (None, Ending::Finished) => Outcome::Success,
    }
}

fn attributes<'a>(
    wire: &'a WireCall,
    facts: &Facts<'a>,
    stream: Option<Streamed>,
    end: Timestamp,
) -> Vec<(&'static str, Attribute<'a>)> {
    let text = |text: &'a str| Attribute::Text(Cow::Borrowed(text));
    let mut attributes = vec![
        ("http.request.method", text(&wire.method)),
        ("url.path", text(&wire.path)),
    ];
    if let Some(host) = &wire.host {
        attributes.push(("server.address", text(host)));
    }
    if let Some(status) = wire.response.status {
        let status = Attribute::Int(i64::from(status));
        attributes.push(("http.response.status_code", status));
    }
    if let Operation::Other = wire.format.operation
        && !wire.format.verb.is_empty()
    {
        attributes.push(("gen_ai.operation.name", text(wire.format.verb)));
    }
    if let Some(stream) = stream {
        let chunks = i64::try_from(stream.chunks).unwrap_or(i64::MAX);
        attributes.push(("llm_logger.chunk_count", Attribute::Int(chunks)));
        if let Some(first) = stream.first {
            let seconds = |span: Timestamp| span as f64 / 1e9;
            let waited = seconds(first.saturating_sub(wire.start));
            attributes.push((
                "gen_ai.response.time_to_first_chunk",
                Attribute::Double(waited),
            ));
            let output = facts.usage.map(|usage| usage.output - 1);
            if let Some(more @ 1..) = output {
                let each = seconds(end.saturating_sub(first)) / more as f64;
                let each = Attribute::Double(each);
                attributes.push(("gen_ai.server.time_per_output_token", each));
            }
        }
    }
    if let Ok(headers) = Raw::parse(&wire.headers) {
        attributes.push(("http.request.headers", Attribute::Headers(headers)));
    }
    attributes
}
