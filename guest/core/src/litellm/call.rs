//! From payload to [`Call`].

use std::borrow::Cow;

use super::{Payload, failure, scalar_text, some_text, usage};
use crate::call::{Attribute, Call, Exception, Inputs, Operation, Outcome, TraceData};
use crate::event::{Context, EventError, Timestamp};
use crate::id::{self, Parent};
use crate::json::Raw;

/// MLflow fails on times beyond this.
const LATEST: Timestamp = i64::MAX as Timestamp;

/// An ended call, as the hooks told of it.
pub struct Finished<'p, 'a> {
    /// The payload of the event that ended it.
    pub payload: &'p Payload<'a>,
    /// Of a stream: the payload of its first chunk, whose inputs count.
    pub opening: Option<&'p Payload<'a>>,
    /// Of a stream: what its chunks add up to, for when no complete response came.
    pub assembled: Option<Raw<'a>>,
    /// How it ended.
    pub ending: Ending,
    /// When it began, as the host says.
    pub start: Option<Timestamp>,
    /// When it ended, as the host says.
    pub end: Option<Timestamp>,
    /// The surroundings.
    pub context: &'p Context<'a>,
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
        request_model: some_text(kwargs.model).or_else(|| some_text(opening.kwargs.model)),
        response_model: response_text("model"),
        response_id: response_text("id"),
        provider: some_text(standard.and_then(|standard| standard.provider))
            .or_else(|| some_text(kwargs.provider)),
        finish_reasons: finish_reasons(response),
        usage: usage::usage(kwargs, response),
        cost: usage::cost(kwargs),
        attributes: attributes(payload, opening),
        trace: trace_data(payload, opening, context),
        children: Vec::new(),
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

/// Start and end: the host's word, else the standard logging object's; an end that is missing or
/// before the start becomes the start.
fn times(
    finished: &Finished<'_, '_>,
    repairs: &mut Vec<&'static str>,
) -> Result<(Timestamp, Timestamp), EventError> {
    let standard = finished.payload.kwargs.standard.as_ref();
    let start = finished
        .start
        .or_else(|| seconds(standard.and_then(|standard| standard.start_time)));
    let end = finished
        .end
        .or_else(|| seconds(standard.and_then(|standard| standard.end_time)));
    let Some(start) = start.or(end) else {
        let reason = "no time: neither a start nor an end time came with the event";
        return Err(EventError::InvalidPayload(reason.to_owned()));
    };
    if start > LATEST || end.is_some_and(|end| end > LATEST) {
        let reason = "time out of range: nanoseconds since 1970 below 2^63 expected";
        return Err(EventError::InvalidPayload(reason.to_owned()));
    }
    match end {
        Some(end) if end >= start => Ok((start, end)),
        Some(_) => {
            repairs.push("the end time was before the start time");
            Ok((start, start))
        }
        None => {
            repairs.push("the end time was missing");
            Ok((start, start))
        }
    }
}

/// litellm gives these times as floating-point seconds, good to the microsecond.
fn seconds(value: Option<Raw<'_>>) -> Option<Timestamp> {
    let microseconds = (value?.as_f64()? * 1e6).round();
    let in_range = microseconds > 0.0 && microseconds < (LATEST / 1000) as f64;
    in_range.then_some(microseconds as Timestamp * 1000)
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

/// The members of the span's inputs, in MlflowLogger's order. Of a stream, the first chunk's count.
fn inputs<'a>(
    opening: &Payload<'a>,
    payload: &Payload<'a>,
    operation: Operation,
) -> Vec<(&'static str, Raw<'a>)> {
    const OPTIONAL: [&str; 5] = ["functions", "tools", "stream", "tool_choice", "user"];
    let either =
        |pick: fn(&Payload<'a>) -> Option<Raw<'a>>| pick(opening).or_else(|| pick(payload));
    let messages = either(|payload| payload.kwargs.messages);
    let mut inputs = vec![("messages", messages.unwrap_or(Raw::NULL))];
    let input = either(|payload| payload.kwargs.input);
    let own_input =
        !matches!(operation, Operation::Chat | Operation::TextCompletion) || messages.is_none();
    if let (true, Some(input)) = (own_input, input) {
        inputs.push(("input", input));
    }
    let first = opening.kwargs.optional_params.named(OPTIONAL);
    let last = payload.kwargs.optional_params.named(OPTIONAL);
    for ((name, first), last) in OPTIONAL.into_iter().zip(first).zip(last) {
        let top = if name == "tools" {
            opening.kwargs.tools
        } else {
            None
        };
        if let Some(value) = first.or(last).or(top).filter(|value| value.is_truthy()) {
            inputs.push((name, value));
        }
    }
    if let Some(prediction) =
        either(|payload| payload.kwargs.prediction).filter(|value| value.is_truthy())
    {
        inputs.push(("prediction", prediction));
    }
    inputs
}

fn tools<'a>(payload: &Payload<'a>) -> Option<Raw<'a>> {
    let [tools] = payload.kwargs.optional_params.named(["tools"]);
    tools
        .or(payload.kwargs.tools)
        .filter(|tools| tools.is_truthy())
}

fn finish_reasons(response: Option<Raw<'_>>) -> Vec<Cow<'_, str>> {
    let choices = response.and_then(|response| response.get("choices"));
    let choices = choices.into_iter().flat_map(Raw::items);
    choices
        .filter_map(|choice| some_text(choice.get("finish_reason")))
        .collect()
}

/// MlflowLogger's own attributes under their names, then sampling parameters under OpenTelemetry's.
fn attributes<'a>(
    payload: &Payload<'a>,
    opening: &Payload<'a>,
) -> Vec<(&'static str, Attribute<'a>)> {
    let kwargs = &payload.kwargs;
    let text = |value: Option<Raw<'a>>| match value.and_then(scalar_text) {
        Some(text) => Attribute::Text(text),
        None => Attribute::Null,
    };
    let json = |value: Option<Raw<'a>>| value.map_or(Attribute::Null, Attribute::Json);
    let mut attributes = vec![
        (
            "litellm_call_id",
            payload.call_id().map_or(Attribute::Null, Attribute::Text),
        ),
        ("call_type", text(kwargs.call_type)),
        ("model", text(kwargs.model)),
    ];
    if let Some(standard) = &kwargs.standard {
        attributes.extend([
            (
                "api_base",
                text(standard.api_base.or(kwargs.litellm_params.api_base)),
            ),
            ("cache_hit", json(standard.cache_hit)),
            (
                "custom_llm_provider",
                text(standard.provider.or(kwargs.provider)),
            ),
            (
                "raw_llm_response",
                standard.response.map_or(Attribute::Null, Attribute::Output),
            ),
            ("response_cost", json(standard.response_cost)),
            ("saved_cache_cost", json(standard.saved_cache_cost)),
            ("request_tags", json(standard.request_tags)),
        ]);
    } else {
        attributes.extend([
            ("cache_hit", json(kwargs.cache_hit)),
            ("custom_llm_provider", text(kwargs.provider)),
            ("api_base", text(kwargs.litellm_params.api_base)),
            ("response_cost", json(kwargs.response_cost)),
        ]);
    }
    attributes.extend(sampling(opening));
    attributes
}

/// Sampling parameters: OpenTelemetry semantic conventions, GenAI spans.
fn sampling<'a>(payload: &Payload<'a>) -> impl Iterator<Item = (&'static str, Attribute<'a>)> {
    const NAMES: [(&str, &str); 10] = [
        ("temperature", "gen_ai.request.temperature"),
        ("top_p", "gen_ai.request.top_p"),
        ("top_k", "gen_ai.request.top_k"),
        (
            "max_completion_tokens",
            "gen_ai.request.max_completion_tokens",
        ),
        ("max_tokens", "gen_ai.request.max_tokens"),
        ("n", "gen_ai.request.choice.count"),
        ("seed", "gen_ai.request.seed"),
        ("stop", "gen_ai.request.stop_sequences"),
        ("frequency_penalty", "gen_ai.request.frequency_penalty"),
        ("presence_penalty", "gen_ai.request.presence_penalty"),
    ];
    let values = payload
        .kwargs
        .optional_params
        .named(NAMES.map(|(litellm, _)| litellm));
    let named = NAMES.into_iter().zip(values);
    named.filter_map(|((_, name), value)| value.map(|value| (name, Attribute::Json(value))))
}

fn trace_data<'a>(
    payload: &Payload<'a>,
    opening: &Payload<'a>,
    context: &Context<'a>,
) -> TraceData<'a> {
    let kwargs = &payload.kwargs;
    let standard = kwargs.standard.as_ref();
    let metadata = kwargs.litellm_params.metadata;
    let request_tags = standard.and_then(|standard| standard.request_tags);
    let mut tags: Vec<_> = request_tags
        .into_iter()
        .flat_map(Raw::items)
        .filter_map(request_tag)
        .collect();
    let context_tags = context.tags.iter();
    tags.extend(context_tags.map(|&(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))));
    let [user_param] = opening.kwargs.optional_params.named(["user"]);
    TraceData {
        session: context
            .session
            .map(Cow::Borrowed)
            .or_else(|| some_text(kwargs.litellm_params.session_id))
            .or_else(|| some_text(metadata.and_then(|metadata| metadata.get("session_id")))),
        user: context
            .user
            .map(Cow::Borrowed)
            .or_else(|| some_text(user_param))
            .or_else(|| some_text(kwargs.user))
            .or_else(|| some_text(standard.and_then(|standard| standard.end_user))),
        tags,
        experiment: context.experiment.map(Cow::Borrowed),
    }
}

/// litellm's tags are `key:value`, split at the first colon; one without a colon has no value.
fn request_tag(tag: Raw<'_>) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let trimmed = |text: &str| Cow::Owned(text.trim().to_owned());
    let tag = scalar_text(tag)?;
    Some(match tag.split_once(':') {
        Some((key, value)) => (trimmed(key), trimmed(value)),
        None => (trimmed(&tag), Cow::Borrowed("")),
    })
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
