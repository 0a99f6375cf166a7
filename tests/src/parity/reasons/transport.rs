//! Whose trace it is, and what comes of how it travels.

use serde_json::{Value, json};

use super::{Difference, Reason};

/// Over OTLP a tag travels as an attribute of this name and its key.
const TAG: &str = "mlflow.traceTag.";

pub(super) const REASONS: &[Reason] = &[
    Reason {
        id: "session-and-user",
        because: "MLflow is told session and user",
        detail: "The original leaves MLflow's session and user empty. Here they come from the payload (litellm's session id, \
                 the `user` parameter, the proxy's end user), so that MLflow shows conversations and users.",
        explains: |d| {
            let names = [
                "trace.session",
                "trace.user",
                "attributes.session.id",
                "attributes.user.id",
            ];
            names.contains(&d.field) && d.was_nothing() && d.held.is_some()
        },
    },
    Reason {
        id: "child-tags",
        because: "tags are kept under a caller's span, too",
        detail: "Under an active span the original drops the tags, since it only sets them where it starts a trace. Here they \
                 stay with the call's span.",
        explains: |d| {
            let parent = d.held("span.parent");
            tag(d).is_some() && d.recorded.is_none() && !parent.is_null() && is_request_tag(d)
        },
    },
    Reason {
        id: "tags-with-span",
        because: "tags and span are stored together or not at all",
        detail: "MLflow's client sends a trace's tags and its spans in two requests, either of which may fail alone. Here a tag \
                 travels with the root span, as the attribute `mlflow.traceTag.` and its key, which MLflow turns into the \
                 tag and keeps with the span.",
        explains: |d| {
            let tag = tag(d).map(|key| match key {
                "mlflow.traceName" => d.held("trace.name"),
                key => d.held(&format!("trace.tags.{key}")),
            });
            d.recorded.is_none() && tag.is_some_and(|tag| d.holds(tag))
        },
    },
    Reason {
        id: "empty-tag",
        because: "a tag without a key cannot be changed or deleted",
        detail: "A request tag such as `:v` becomes a tag with an empty key, which MLflow's API then refuses to change or delete, \
                 and which MLflow's OTLP endpoint does not store. Here it is left out; the span says so in \
                 `llm_logger.repairs` and holds it as it came in `request_tags`.",
        explains: |d| {
            let note = d.attribute() == Some("llm_logger.repairs") && d.recorded.is_none();
            let empty = d
                .all_recorded
                .is_some_and(|recorded| recorded.contains_key("trace.tags."));
            empty && (note || d.field == "trace.tags." && d.held.is_none())
        },
    },
    Reason {
        id: "start-copy",
        because: "nothing is stored twice",
        detail: "MLflow's client hands the start time to its own span processor as the attribute `mlflow.spanStartTimeNs` and \
                 leaves it behind: a copy of the span's start.",
        explains: |d| {
            let is_start = d.recorded == Some(d.held("span.start"));
            d.attribute() == Some("mlflow.spanStartTimeNs") && is_start && d.held.is_none()
        },
    },
];

fn tag<'a>(d: &Difference<'a>) -> Option<&'a str> {
    d.field.strip_prefix("attributes.")?.strip_prefix(TAG)
}

fn is_request_tag(d: &Difference<'_>) -> bool {
    let tags = d.kwarg("/standard_logging_object/request_tags").as_array();
    let value = d.held.and_then(Value::as_str).unwrap_or_default();
    let wanted = json!(format!("{}:{value}", tag(d).unwrap_or_default()));
    tags.is_some_and(|tags| tags.contains(&wanted))
}
