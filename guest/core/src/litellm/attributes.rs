//! What MLflow shows of a call beside inputs and outputs.

use super::call::Finished;
use super::proxy::Identity;
use super::times::seconds;
use super::{Payload, scalar_text};
use crate::call::Attribute;
use crate::event::Timestamp;
use crate::json::Raw;

/// MlflowLogger's own attributes under their names, then sampling parameters under OpenTelemetry's.
pub(super) fn attributes<'a>(
    payload: &Payload<'a>,
    opening: &Payload<'a>,
    identity: &Identity<'a>,
) -> Vec<(&'static str, Attribute<'a>)> {
    let kwargs = &payload.kwargs;
    let text = |value: Option<Raw<'a>>| match value.and_then(scalar_text) {
        Some(text) => Attribute::Text(text),
        None => Attribute::Null,
    };
    let json = |value: Option<Raw<'a>>| value.map_or(Attribute::Null, Attribute::Json);
    let mut attributes = Vec::with_capacity(32);
    attributes.extend([
        (
            "litellm_call_id",
            payload.call_id().map_or(Attribute::Null, Attribute::Text),
        ),
        ("call_type", text(kwargs.call_type)),
        ("model", text(kwargs.model)),
    ]);
    if let Some(standard) = &kwargs.standard {
        attributes.extend([
            (
                "api_base",
                text(standard.api_base.or(kwargs.litellm_params.api_base)),
            ),
            ("cache_hit", json(standard.cache_hit)),
            (
                "raw_llm_response",
                standard.response.map_or(Attribute::Null, Attribute::Output),
            ),
            ("response_cost", json(standard.response_cost)),
            ("saved_cache_cost", json(standard.saved_cache_cost)),
            ("request_tags", json(standard.request_tags)),
        ]);
        if let Some(provider) = standard.provider.or(kwargs.provider) {
            attributes.push(("custom_llm_provider", text(Some(provider))));
        }
    } else {
        attributes.extend([
            ("cache_hit", json(kwargs.cache_hit)),
            ("custom_llm_provider", text(kwargs.provider)),
            ("api_base", text(kwargs.litellm_params.api_base)),
            ("response_cost", json(kwargs.response_cost)),
        ]);
    }
    attributes.extend(identity.attributes());
    attributes.extend(sampling(opening));
    attributes
}

/// Sampling parameters: OpenTelemetry semantic conventions, GenAI spans.
fn sampling<'a>(payload: &Payload<'a>) -> impl Iterator<Item = (&'static str, Attribute<'a>)> {
    const NAMES: [(&str, &str); 11] = [
        ("temperature", "gen_ai.request.temperature"),
        ("top_p", "gen_ai.request.top_p"),
        ("top_k", "gen_ai.request.top_k"),
        ("max_tokens", "gen_ai.request.max_tokens"),
        ("n", "gen_ai.request.choice.count"),
        ("seed", "gen_ai.request.seed"),
        ("stop", "gen_ai.request.stop_sequences"),
        ("frequency_penalty", "gen_ai.request.frequency_penalty"),
        ("presence_penalty", "gen_ai.request.presence_penalty"),
        ("encoding_format", "gen_ai.request.encoding_formats"),
        ("stream", "gen_ai.request.stream"),
    ];
    let params = &payload.kwargs.optional_params;
    let values = params.named(NAMES.map(|(litellm, _)| litellm));
    let [completion] = params.named(["max_completion_tokens"]);
    let named = NAMES.into_iter().zip(values);
    named.filter_map(move |((litellm, name), value)| {
        // OpenAI's newer name of the same limit.
        let value = value.or(completion.filter(|_| litellm == "max_tokens"));
        value.map(|value| (name, Attribute::Json(value)))
    })
}

/// How a stream came: time to the first chunk and per output token in seconds, and how many chunks.
pub(super) fn streaming<'a>(
    finished: &Finished<'_, '_>,
    (start, end): (Timestamp, Timestamp),
    output_tokens: Option<i64>,
) -> Vec<(&'static str, Attribute<'a>)> {
    let kwargs = &finished.payload.kwargs;
    if finished.progress.is_none() && !kwargs.stream.is_some_and(Raw::is_truthy) {
        return Vec::new();
    }
    let told = || {
        let told = kwargs.standard.as_ref()?.completion_start_time;
        // litellm puts the end there where it does not know better.
        seconds(told).filter(|first| *first < end)
    };
    let first = finished
        .progress
        .and_then(|progress| progress.first)
        .or_else(told);
    let mut attributes = Vec::new();
    let as_seconds = |span: Timestamp| Attribute::Double(span as f64 / 1e9);
    if let Some(first) = first.filter(|first| (start..=end).contains(first)) {
        attributes.push((
            "gen_ai.response.time_to_first_chunk",
            as_seconds(first - start),
        ));
        if let Some(more @ 1..) = output_tokens.map(|tokens| tokens - 1) {
            let each = (end - first) as f64 / more as f64 / 1e9;
            attributes.push((
                "gen_ai.server.time_per_output_token",
                Attribute::Double(each),
            ));
        }
    }
    if let Some(progress) = finished.progress {
        let chunks = i64::try_from(progress.chunks).unwrap_or(i64::MAX);
        attributes.push(("llm_logger.chunk_count", Attribute::Int(chunks)));
    }
    attributes
}
