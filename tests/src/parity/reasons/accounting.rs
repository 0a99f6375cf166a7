//! Tokens and dollars, and who answered.

use serde_json::{Value, json};

use super::{Difference, Reason};
use crate::parity::fields::equal;

pub(super) const REASONS: &[Reason] = &[
    Reason {
        id: "cache-hit",
        because: "a hit of litellm's cache costs nothing",
        detail: "The original leaves the cost to MLflow, which works it out from model and tokens: an answer from the cache \
                 shows the full price. Here it is zero.",
        explains: |d| {
            let free = json!({"input_cost": 0, "output_cost": 0, "total_cost": 0});
            is_cost(d) && *d.kwarg("/standard_logging_object/cache_hit") == true && d.holds(&free)
        },
    },
    Reason {
        id: "first-chunk",
        because: "a stream's attributes come from its end",
        detail: "`_handle_stream_event` reads the attributes at the first chunk, when litellm's standard logging object is not \
                 there yet: tokens, and with them MLflow's cost, tags and the raw response are lost. Here they are read when \
                 the stream ends.",
        explains: |d| {
            let told = |member: &str| d.kwarg(&format!("/standard_logging_object/{member}"));
            let right = match d.attribute() {
                Some("request_tags") => d.holds(told("request_tags")),
                Some("saved_cache_cost") => d.holds(told("saved_cache_cost")),
                Some("raw_llm_response") => d.holds(told("response")),
                _ => is_usage(d) && counts_add_up(d) || is_cost(d) && has_cost(d),
            };
            d.was_nothing()
                && d.first_kwarg("/standard_logging_object").is_null()
                && d.lines.len() > 1
                && right
        },
    },
    Reason {
        id: "usage-from-response",
        because: "the tokens are in the response",
        detail: "The original takes token counts from litellm's standard logging object alone. Where there is none, MLflow has \
                 neither tokens nor cost, though the response tells them.",
        explains: |d| {
            let no_standard = d.kwarg("/standard_logging_object").is_null();
            let right = is_usage(d) && counts_add_up(d) || is_cost(d) && has_cost(d);
            d.was_nothing() && no_standard && right
        },
    },
    Reason {
        id: "null-counts",
        because: "counts that are null are counted from the response",
        detail: "Where the standard logging object has null for its counts, the original sends them as they are. MLflow fails \
                 on them and works out neither tokens nor cost nor model. Here the response's counts stand in.",
        explains: |d| {
            let null = d.kwarg("/standard_logging_object/prompt_tokens").is_null();
            let model = d.attribute() == Some("mlflow.llm.model") && d.was_nothing();
            let right = is_usage(d) && counts_add_up(d)
                || is_cost(d) && has_cost(d)
                || model && is_model(d);
            null && !d.kwarg("/standard_logging_object").is_null() && right
        },
    },
    Reason {
        id: "zero-total",
        because: "the total is the sum",
        detail: "litellm may say 0 for an embedding's total, as in the genuine case `g_embedding`, and the original passes that \
                 on.",
        explains: |d| {
            is_usage(d)
                && counts_add_up(d)
                && d.recorded.is_some_and(|usage| usage["total_tokens"] == 0)
        },
    },
    Reason {
        id: "own-cost",
        because: "the cost is litellm's own",
        detail: "The original keeps litellm's `response_cost` as an attribute that MLflow does not read, and leaves the cost to \
                 MLflow, which works it out from its own table of prices, or has none for the model. Here MLflow shows \
                 what litellm says.",
        explains: |d| is_cost(d) && is_told_cost(d) && (shares_add_up(d) || d.was_nothing()),
    },
    Reason {
        id: "model",
        because: "MLflow is told the model",
        detail: "The original does not set `mlflow.llm.model`; MLflow finds a model only in outputs that name one. A call that \
                 fails, or makes images, has none. Here the model asked for stands in.",
        explains: |d| d.attribute() == Some("mlflow.llm.model") && d.was_nothing() && is_model(d),
    },
    Reason {
        id: "provider",
        because: "MLflow is told the provider",
        detail: "The original never sets `mlflow.llm.provider`, by which MLflow groups cost and usage and finds prices.",
        explains: |d| {
            d.attribute() == Some("mlflow.llm.provider") && d.was_nothing() && is_provider(d)
        },
    },
    Reason {
        id: "message-format",
        because: "MLflow is told the messages' format",
        detail: "The original never sets `mlflow.message.format`; MLflow's UI then has to guess how to draw the chat.",
        explains: |d| {
            let is_openai = d.held.and_then(serde_json::Value::as_str) == Some("openai");
            d.attribute() == Some("mlflow.message.format") && d.was_nothing() && is_openai
        },
    },
    Reason {
        id: "custom-provider",
        because: "the provider is always recorded",
        detail: "`_extract_attributes` keeps `custom_llm_provider` only where the standard logging object is missing.",
        explains: |d| {
            d.attribute() == Some("custom_llm_provider") && d.recorded.is_none() && is_provider(d)
        },
    },
    Reason {
        id: "chunk-count",
        because: "it says how many chunks came",
        detail: "The original does not count a stream's chunks.",
        explains: |d| {
            d.attribute() == Some("llm_logger.chunk_count") && d.holds(&json!(d.lines.len()))
        },
    },
    Reason {
        id: "identity",
        because: "it says whose call it was",
        detail: "The original records nothing of what litellm knows of the caller: end user, team, key alias, organisation, \
                 deployment. Here they are attributes.",
        explains: |d| {
            d.recorded.is_none()
                && d.attribute()
                    .is_some_and(|name| name.starts_with("litellm."))
        },
    },
    Reason {
        id: "gen-ai",
        because: "it is there under OpenTelemetry's standard name",
        detail: "The original records no sampling parameters, finish reasons, response ids, or kinds of tokens. Here they are \
                 attributes under the names of OpenTelemetry's conventions for generative AI, which dashboards and \
                 collectors know.",
        explains: |d| {
            d.recorded.is_none()
                && d.attribute()
                    .is_some_and(|name| name.starts_with("gen_ai."))
        },
    },
];

fn is_usage(d: &Difference<'_>) -> bool {
    matches!(
        d.field,
        "trace.token_usage" | "attributes.mlflow.chat.tokenUsage"
    )
}

fn is_cost(d: &Difference<'_>) -> bool {
    matches!(d.field, "trace.cost" | "attributes.mlflow.llm.cost")
}

/// Whether the counts are the response's and add up.
fn counts_add_up(d: &Difference<'_>) -> bool {
    let usage = &d.held("span.outputs")["usage"];
    let held = d.held.unwrap_or(&Value::Null);
    let count = |name: &str| held[name].as_i64();
    equal(&held["input_tokens"], &usage["prompt_tokens"])
        && equal(&held["output_tokens"], &usage["completion_tokens"])
        && count("input_tokens")
            .zip(count("output_tokens"))
            .map(|(input, output)| input + output)
            == count("total_tokens")
}

/// Whether it is a cost in shares, and what litellm said where it said something.
fn has_cost(d: &Difference<'_>) -> bool {
    let untold = told_costs(d).iter().all(|told| told.is_null());
    shares_add_up(d) && (untold || is_told_cost(d))
}

/// Whether the total is what litellm said.
fn is_told_cost(d: &Difference<'_>) -> bool {
    let total = d.held.map(|cost| &cost["total_cost"]);
    let told = |total: &Value| told_costs(d).iter().any(|told| equal(told, total));
    total.is_some_and(|total| total.is_number() && told(total))
}

fn told_costs<'a>(d: &'a Difference<'_>) -> [&'a Value; 2] {
    let pointers = ["/standard_logging_object/response_cost", "/response_cost"];
    pointers.map(|pointer| d.kwarg(pointer))
}

/// Whether input and output make the total.
fn shares_add_up(d: &Difference<'_>) -> bool {
    let dollars = |name: &str| d.held.and_then(|cost| cost[name].as_f64()).unwrap_or(0.0);
    let total = dollars("total_cost");
    total > 0.0 && (dollars("input_cost") + dollars("output_cost") - total).abs() <= total * 1e-9
}

fn is_model(d: &Difference<'_>) -> bool {
    let answered = &d.held("span.outputs")["model"];
    d.holds(if answered.is_null() {
        d.kwarg("/model")
    } else {
        answered
    })
}

/// Whether it is the provider as litellm says it, if only in the model's name.
fn is_provider(d: &Difference<'_>) -> bool {
    let told = [
        "/standard_logging_object/custom_llm_provider",
        "/custom_llm_provider",
    ];
    let told = told.map(|pointer| d.kwarg(pointer).as_str());
    let model = d.kwarg("/model").as_str().unwrap_or_default();
    let prefix = model.split_once('/').map(|(provider, _)| provider);
    let mut known = told.into_iter().chain([prefix]).flatten();
    known.any(|provider| d.holds(&json!(provider)))
}
