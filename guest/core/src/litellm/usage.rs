//! Tokens and cost, from litellm's own accounting or else from the response.

use super::kwargs::Kwargs;
use crate::call::{Cost, Usage};
use crate::json::Raw;
use crate::wire;

/// The tokens a call used. None where nobody counted: absent is not zero.
pub(super) fn usage(kwargs: &Kwargs<'_>, response: Option<Raw<'_>>) -> Option<Usage> {
    let standard = kwargs.standard.as_ref();
    let counted = response.and_then(wire::usage_of_any);
    let standard = standard.and_then(|standard| {
        let (input, output) = (
            count(standard.prompt_tokens),
            count(standard.completion_tokens),
        );
        let total = count(standard.total_tokens);
        if input.is_none() && output.is_none() && total.is_none() {
            return None;
        }
        Some(whole(input, output, total, counted.unwrap_or_default()))
    });
    // litellm's own accounting may hold zeros, or leave out the cached tokens that the provider counts.
    match (standard, counted) {
        (Some(standard), Some(counted)) if counted.total > standard.total => Some(counted),
        (standard, counted) => standard.or(counted),
    }
}

/// Reads a `usage` object, in OpenAI's names of either API.
pub(crate) fn from_response(usage: Raw<'_>) -> Option<Usage> {
    let [
        prompt,
        completion,
        input,
        output,
        total,
        prompt_details,
        completion_details,
        input_details,
        output_details,
        cache_read,
        cache_creation,
    ] = super::kwargs::present(usage.fields([
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "input_tokens_details",
        "output_tokens_details",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ]));
    let (output, total) = (count(completion).or_else(|| count(output)), count(total));
    let (cache_read, cache_creation) = (count(cache_read), count(cache_creation));
    let mut whole_input = count(prompt);
    if whole_input.is_none() {
        whole_input = count(input);
        // Anthropic's API counts cached tokens apart from `input_tokens`, OpenAI's within.
        if let (Some(input), None) = (&mut whole_input, input_details) {
            *input = input
                .saturating_add(cache_read.unwrap_or(0))
                .saturating_add(cache_creation.unwrap_or(0));
        }
    }
    if whole_input.is_none() && output.is_none() && total.is_none() {
        return None;
    }
    let [cached, written, input_audio, input_image] = counts(
        prompt_details.or(input_details),
        [
            "cached_tokens",
            "cache_creation_tokens",
            "audio_tokens",
            "image_tokens",
        ],
    );
    let [reasoning, output_audio, output_image] = counts(
        completion_details.or(output_details),
        ["reasoning_tokens", "audio_tokens", "image_tokens"],
    );
    let details = Usage {
        cache_read: cache_read.or(cached),
        cache_creation: cache_creation.or(written),
        reasoning,
        input_audio,
        output_audio,
        input_image,
        output_image,
        ..Usage::default()
    };
    Some(whole(whole_input, output, total, details))
}

fn counts<const N: usize>(object: Option<Raw<'_>>, keys: [&str; N]) -> [Option<i64>; N] {
    object.map_or([None; N], |object| object.fields(keys).map(count))
}

/// A usage whose total is at least the sum of its parts: litellm gives 0 for embeddings.
fn whole(input: Option<i64>, output: Option<i64>, total: Option<i64>, details: Usage) -> Usage {
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let sum = input.saturating_add(output);
    Usage {
        input,
        output,
        total: total.unwrap_or(0).max(sum),
        ..details
    }
}

/// A count of tokens: a whole number that is not negative, or the text of one. MLflow refuses any other.
fn count(value: Option<Raw<'_>>) -> Option<i64> {
    let value = value?;
    let count = value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    count.filter(|count| *count >= 0)
}

/// What the call cost, as litellm says. It says 0 of failed calls, and in its standard logging object
/// of calls whose price it does not know: neither is a cost. A hit of its cache cost nothing, and saying
/// so keeps the server from computing a price. Of a failed call the standard logging object has the
/// last word: `kwargs` may still hold an earlier attempt's.
pub(super) fn cost(kwargs: &Kwargs<'_>, failed: bool) -> Option<Cost> {
    let standard = kwargs.standard.as_ref();
    let hit = standard
        .and_then(|standard| standard.cache_hit)
        .or(kwargs.cache_hit);
    if hit.is_some_and(is_true) {
        return Some(Cost::FREE);
    }
    let breakdown = standard
        .and_then(|standard| standard.cost_breakdown)
        .and_then(breakdown);
    let standard = dollars(standard.and_then(|standard| standard.response_cost));
    let settled = failed && standard.is_some();
    let own = dollars(kwargs.response_cost).filter(|_| !settled);
    let paid = |cost: &Cost| cost.total > 0.0;
    let known = breakdown
        .filter(paid)
        .or(standard.map(Cost::of_total).filter(paid))
        .or(own.map(Cost::of_total).filter(paid));
    let free = || (!failed && (own.is_some() || breakdown.is_some())).then_some(Cost::FREE);
    known.or_else(free)
}

/// litellm's `cost_breakdown`. Its total may hold more than the two shares, such as what tools cost.
fn breakdown(breakdown: Raw<'_>) -> Option<Cost> {
    let [input, output, total] = breakdown.fields(["input_cost", "output_cost", "total_cost"]);
    let total = dollars(total);
    match (dollars(input), dollars(output)) {
        (Some(input), Some(output)) => Some(Cost {
            total: total.unwrap_or(input + output),
            ..Cost::parts(input, output)
        }),
        _ => total.map(Cost::of_total),
    }
}

fn dollars(value: Option<Raw<'_>>) -> Option<f64> {
    let value = value?;
    let cost = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    cost.filter(|cost| cost.is_finite() && *cost >= 0.0)
}

/// A truth value, or Python's text of one.
fn is_true(value: Raw<'_>) -> bool {
    let text = value.as_str();
    value.as_bool() == Some(true) || text.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
