//! What was asked and answered, when, and how it went.

use serde_json::{Value, json};

use super::Reason;

pub(super) const REASONS: &[Reason] = &[
    Reason {
        id: "exact-end",
        because: "the end is exact",
        detail: "The original computes `int(end_time.timestamp() * 1e9)`: a floating-point number of seconds is good to a few \
                 hundred nanoseconds. Here times are whole nanoseconds all the way.",
        explains: |d| {
            // Python's datetimes are good to the microsecond.
            let exact = d
                .recorded
                .and_then(Value::as_i64)
                .map(|end| (end + 500) / 1000 * 1000);
            d.field == "span.end" && d.held.and_then(Value::as_i64) == exact
        },
    },
    Reason {
        id: "duration",
        because: "it is nearer to the end less the start",
        detail: "MLflow works the duration out itself, in whole milliseconds: its client cuts the difference of start and end \
                 off, its OTLP endpoint cuts start and end off and takes the difference.",
        explains: |d| {
            let time = |field| d.held(field).as_i64();
            let off = |duration: Option<&Value>| -> Option<i64> {
                let exact = time("span.end")? - time("span.start")?;
                Some((duration?.as_i64()? * 1_000_000 - exact).abs())
            };
            d.field == "trace.duration" && off(d.held).is_some() && off(d.held) <= off(d.recorded)
        },
    },
    Reason {
        id: "event-times",
        because: "events have the time at which they happened",
        detail: "The original adds chunks and exceptions without a time, so MLflow's client stamps them with the wall clock \
                 of the moment of logging, which may be long after the call. Here a chunk has the time of its hook call, \
                 and an exception the end of the call.",
        explains: |d| {
            let is_time = d.field.starts_with("events.") && d.field.ends_with(".time");
            let wall_clock = |time: &Value| {
                time.as_str()
                    .is_some_and(|text| text.starts_with("<wall clock"))
            };
            // The recorded calls have one end for all chunks.
            let is_end = |time: &Value| time == d.held("span.end");
            is_time && every(d.recorded, wall_clock) && every(d.held, is_end)
        },
    },
    Reason {
        id: "chunk-deltas",
        because: "chunks hold their delta",
        detail: "`_add_chunk_events` writes `choice.delta.model_dump`, without the parentheses of a call: what is stored is the \
                 text of a Python method, `<bound method BaseModel.model_dump of Delta(…)>`. Here it is the delta as JSON.",
        explains: |d| {
            let is_method = |delta: &Value| {
                delta
                    .as_str()
                    .is_some_and(|text| text.contains("<bound method"))
            };
            let choices = d
                .lines
                .iter()
                .flat_map(|line| line["response_obj"]["choices"].as_array());
            let deltas: Vec<_> = choices
                .flatten()
                .map(|choice| choice["delta"].clone())
                .collect();
            let held = d.held.and_then(Value::as_array).into_iter().flatten();
            let parsed: Vec<_> = held.map(parsed).collect();
            d.field == "events.streaming_chunk.delta"
                && every(d.recorded, is_method)
                && parsed == deltas
        },
    },
    Reason {
        id: "text-exception",
        because: "a text has no stack trace",
        detail: "Where `kwargs.exception` is a text, MLflow's `SpanEvent.from_exception` stores the text's Python notation as \
                 the stack trace. Here there is none.",
        explains: |d| {
            d.field == "events.exception.stacktrace"
                && d.held.is_none()
                && d.kwarg("/exception").is_string()
        },
    },
    Reason {
        id: "log-level",
        because: "every failed call has the level ERROR",
        detail: "MLflow's client raises the level of a span only with an exception event, so a failure that comes without an \
                 exception keeps the level INFO, and a filter for errors does not find it.",
        explains: |d| {
            d.attribute() == Some("mlflow.spanLogLevel")
                && *d.held("trace.state") == "ERROR"
                && d.recorded == Some(&json!(20))
                && d.holds(&json!(40))
        },
    },
    Reason {
        id: "embedding-type",
        because: "embeddings have the span type EMBEDDING",
        detail: "`_get_span_type` looks for the call type `embeddings`; litellm says `embedding` and `aembedding`, which become \
                 LLM.",
        explains: |d| {
            matches!(d.field, "span.type" | "attributes.mlflow.spanType")
                && d.kwarg("/call_type")
                    .as_str()
                    .is_some_and(|kind| kind.ends_with("embedding"))
                && d.holds(&json!("EMBEDDING"))
        },
    },
    Reason {
        id: "call-type-none",
        because: "a call type of `None` is a completion",
        detail: "`kwargs.get(\"call_type\", \"completion\")` has a default for a call type that is missing, not for one that is \
                 `None`: the span is named `litellm-None`.",
        explains: |d| {
            matches!(d.field, "trace.name" | "span.name")
                && d.recorded == Some(&json!("litellm-None"))
                && d.holds(&json!("litellm-completion"))
        },
    },
    Reason {
        id: "own-input",
        because: "the input is kept as the caller gave it",
        detail: "`_construct_input` keeps only `messages`, into which litellm has put the texts of an embedding call. Here \
                 `input` stands beside them, as the caller passed it.",
        explains: |d| {
            let held = d.held.and_then(|held| held.get("input"));
            matches!(d.field, "trace.request" | "span.inputs")
                && held == Some(d.first_kwarg("/input"))
        },
    },
    Reason {
        id: "chat-tools",
        because: "MLflow is told the tools",
        detail: "`_extract_and_set_chat_attributes` imports `set_span_chat_messages`, which MLflow 3 no longer has, and returns \
                 at the `ImportError`: `mlflow.chat.tools` is never set, and MLflow shows no tools.",
        explains: |d| {
            let tools = d.first_kwarg("/optional_params/tools");
            d.attribute() == Some("mlflow.chat.tools") && d.was_nothing() && d.holds(tools)
        },
    },
    Reason {
        id: "caller-params",
        because: "the caller's `optional_params` stay as they were",
        detail: "`_construct_input` takes `functions`, `tools`, `stream`, `tool_choice` and `user` out of the caller's own \
                 dictionary with `pop`, so callbacks that run after it do not see them. The hooks here get the payload as \
                 text, which is theirs alone.",
        explains: |d| d.field == "caller.optional_params",
    },
];

fn every(values: Option<&Value>, holds: impl Fn(&Value) -> bool) -> bool {
    let values = values.and_then(Value::as_array);
    values.is_some_and(|values| !values.is_empty() && values.iter().all(holds))
}

/// MLflow shows JSON within an event's attribute as text.
fn parsed(text: &Value) -> Value {
    let parsed = text.as_str().map(serde_json::from_str);
    parsed.and_then(Result::ok).unwrap_or_default()
}
