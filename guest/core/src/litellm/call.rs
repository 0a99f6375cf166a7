//! From payload to [`Call`].

use std::borrow::Cow;

use super::attributes::{attributes, streaming};
use super::inputs::{inputs, tools};
use super::proxy::{self, Identity};
use super::times::times;
use super::trace::trace_data;
use super::{Payload, failure, some_text, usage};
use crate::call::{Call, Exception, Inputs, Operation, Outcome};
use crate::event::{Context, EventError, Timestamp};
use crate::id::{self, Parent};
use crate::json::Raw;

/// An ended call, as the hooks told of it.
pub struct Finished<'p, 'a> {
    /// The payload of the event that ended it.
    pub payload: &'p Payload<'a>,
    /// Of a stream: the payload of its first chunk, whose inputs count.
    pub opening: Option<&'p Payload<'a>>,
    /// Of a stream: what its chunks add up to, for when no complete response came.
    pub assembled: Option<Raw<'a>>,
    /// Of a stream: how it came.
    pub progress: Option<Progress>,
    /// How it ended.
    pub ending: Ending,
    /// When it began, as the host says.
    pub start: Option<Timestamp>,
    /// When it ended, as the host says.
    pub end: Option<Timestamp>,
    /// The surroundings.
    pub context: &'p Context<'a>,
}

/// How a stream came.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When its first chunk came, as far as known.
    pub first: Option<Timestamp>,
    /// How many chunks came.
    pub chunks: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The success hook was called.
    Success,
    /// The failure hook was called.
    Failure,
    /// No hook was called before the logger was closed.
    Cancelled,
}

/// Normalises an ended call. Refused is only one that has no time at all. `destination` names where
/// the trace goes: part of what identifies it.
pub fn call<'a>(finished: &Finished<'_, 'a>, destination: &str) -> Result<Call<'a>, EventError> {
    let Finished {
        payload, context, ..
    } = *finished;
    let kwargs = &payload.kwargs;
    let opening = finished.opening.unwrap_or(payload);
    let mut repairs = Vec::new();
    let (start, end) = times(finished, &mut repairs)?;
    let parent = context.traceparent.and_then(Parent::parse);
    if parent.is_none() && context.traceparent.is_some() {
        repairs.push("the traceparent was invalid and left out");
    }
    let response = payload
        .complete_response()
        .or_else(|| payload.whole_response())
        .or(finished.assembled)
        .or(payload.response);
    let call_type = some_text(kwargs.call_type).or_else(|| some_text(opening.kwargs.call_type));
    let operation = operation(call_type.as_deref());
    let standard = kwargs.standard.as_ref();
    let response_text = |key| some_text(response.and_then(|response| response.get(key)));
    let outcome = match finished.ending {
        Ending::Success => Outcome::Success,
        Ending::Failure => Outcome::Failure(failure::exception(kwargs)),
        Ending::Cancelled => Outcome::Failure(Some(cancelled())),
    };
    let identity = Identity::new(kwargs);
    let usage = usage::usage(kwargs, response);
    let mut attributes = attributes(payload, opening, &identity);
    let output_tokens = usage.map(|usage| usage.output);
    attributes.extend(streaming(finished, (start, end), output_tokens));
    Ok(Call {
        ids: ids(finished, start, destination),
        parent,
        name: name(call_type),
        operation,
        start,
        end,
        outcome,
        inputs: Inputs::Members(inputs(opening, payload, operation)),
        outputs: response,
        tools: tools(opening).or_else(|| tools(payload)),
        // litellm gives every provider's chat in OpenAI's form.
        message_format: (operation == Operation::Chat).then_some("openai"),
        request_model: some_text(kwargs.model).or_else(|| some_text(opening.kwargs.model)),
        response_model: response_text("model"),
        response_id: response_text("id"),
        provider: some_text(standard.and_then(|standard| standard.provider))
            .or_else(|| some_text(kwargs.provider)),
        finish_reasons: finish_reasons(response),
        usage,
        cost: usage::cost(kwargs, finished.ending != Ending::Success),
        attributes,
        trace: trace_data(payload, opening, &identity, context),
        children: proxy::children(kwargs, start),
        repairs,
    })
}

/// The call id makes the call; without one, all that is known of it. A failure's start is part of what
/// it is, because litellm retries under one call id: a failed attempt must not take the place of the
/// next one, nor of the success that follows.
fn ids(finished: &Finished<'_, '_>, start: Timestamp, destination: &str) -> id::Ids {
    let destination = destination.as_bytes();
    let start = start.to_be_bytes();
    let call_id = finished.payload.call_id();
    match (&call_id, finished.ending) {
        (Some(call_id), Ending::Success) => success_ids(destination, call_id),
        (Some(call_id), _) => id::derive(&[destination, call_id.as_bytes(), b"failure", &start]),
        (None, ending) => {
            let ending: &[u8] = match ending {
                Ending::Success => b"success",
                Ending::Failure | Ending::Cancelled => b"failure",
            };
            id::derive(&[
                destination,
                finished.payload.text.as_bytes(),
                ending,
                &start,
            ])
        }
    }
}

/// The ids of a call that succeeded, from its call id.
pub(crate) fn success_ids(destination: &[u8], call_id: &str) -> id::Ids {
    id::derive(&[destination, call_id.as_bytes()])
}

fn name(call_type: Option<Cow<'_, str>>) -> Cow<'static, str> {
    match call_type.as_deref() {
        None => Cow::Borrowed("litellm-completion"),
        Some(call_type) => Cow::Owned(format!("litellm-{call_type}")),
    }
}

/// litellm's call types; those with a leading `a` are the asynchronous ones.
fn operation(call_type: Option<&str>) -> Operation {
    match call_type.unwrap_or("completion") {
        "completion" | "acompletion" | "responses" | "aresponses" | "anthropic_messages" => {
            Operation::Chat
        }
        "text_completion" | "atext_completion" => Operation::TextCompletion,
        "embedding" | "aembedding" | "embeddings" | "aembeddings" => Operation::Embeddings,
        "rerank" | "arerank" => Operation::Rerank,
        _ => Operation::Other,
    }
}

fn finish_reasons(response: Option<Raw<'_>>) -> Vec<Cow<'_, str>> {
    let choices = response.and_then(|response| response.get("choices"));
    let choices = choices.into_iter().flat_map(Raw::items);
    choices
        .filter_map(|choice| some_text(choice.get("finish_reason")))
        .collect()
}

fn cancelled() -> Exception<'static> {
    Exception {
        kind: Cow::Borrowed("Cancelled"),
        message: Cow::Borrowed(
            "the stream was not finished: no success or failure was logged for it",
        ),
        stacktrace: None,
    }
}
