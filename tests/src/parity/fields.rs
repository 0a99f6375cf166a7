//! A trace and its one span of the logger, as named fields.
//!
//! Left out is what says nothing of the call: ids, where MLflow keeps its files, MLflow's own sizes and
//! versions, and the name, user and git checkout of the process that ran MLflow's client.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::traces::{Event, Span, Trace};

/// Values by the name of their field.
pub type Fields = BTreeMap<String, Value>;

/// Which attribute says whose call a span is of.
const CALL_ID: &str = "litellm_call_id";

/// Attributes that are fields under another name: the recordings hold the content as a span's inputs
/// and outputs alone.
const CONTENT: [&str; 2] = ["mlflow.spanInputs", "mlflow.spanOutputs"];

/// Tags that say where MLflow keeps a trace.
const PLACES: [&str; 2] = ["mlflow.artifactLocation", "mlflow.trace.spansLocation"];

/// A trace as the cases hold it.
pub fn recorded_form(trace: &Trace) -> Value {
    let info = &trace.info;
    json!({
        "info": {
            "trace_id": info.trace_id,
            "state": info.state,
            "request_time_ms": info.request_time_ms,
            "execution_duration_ms": info.duration_ms,
            "request_preview": info.request_preview,
            "response_preview": info.response_preview,
            "tags": info.tags,
            "trace_metadata": info.metadata,
            "token_usage": info.token_usage,
            "cost": info.cost,
        },
        "spans": trace.spans.iter().map(recorded_span).collect::<Vec<_>>(),
    })
}

fn recorded_span(span: &Span) -> Value {
    let event = |event: &Event| {
        json!({
            "name": event.name,
            "timestamp_ns": event.time_ns,
            "attributes": event.attributes,
        })
    };
    json!({
        "name": span.name,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "span_type": span.kind,
        "status": {"code": span.status, "description": span.status_description},
        "start_time_ns": span.start_ns,
        "end_time_ns": span.end_ns,
        "inputs": span.inputs,
        "outputs": span.outputs,
        "attributes": span.attributes,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
    })
}

/// The call that a trace, as the cases hold it, is about.
pub fn call_id(trace: &Value) -> Value {
    call_span(trace).map_or(Value::Null, |span| span["attributes"][CALL_ID].clone())
}

fn call_span(trace: &Value) -> Option<&Value> {
    let mut spans = trace["spans"].as_array()?.iter();
    spans.find(|span| span["attributes"].get(CALL_ID).is_some())
}

/// The fields of a trace as the cases hold it.
pub fn fields(trace: &Value) -> Fields {
    let mut fields = Fields::new();
    let Some(span) = call_span(trace) else {
        return fields;
    };
    trace_fields(trace, span, &mut fields);
    span_fields(trace, span, &mut fields);
    attributes(trace, span, &mut fields);
    events(span, &mut fields);
    fields
}

fn trace_fields(trace: &Value, span: &Value, fields: &mut Fields) {
    let info = &trace["info"];
    let metadata = &info["trace_metadata"];
    let mut set = |name: &str, value: &Value| fields.insert(format!("trace.{name}"), value.clone());
    set("state", &info["state"]);
    set("name", &info["tags"]["mlflow.traceName"]);
    set("session", &metadata["mlflow.trace.session"]);
    set("user", &metadata["mlflow.trace.user"]);
    set("token_usage", &info["token_usage"]);
    set("cost", &info["cost"]);
    set("spans", &json!(trace["spans"].as_array().map(Vec::len)));
    for (key, value) in info["tags"].as_object().into_iter().flatten() {
        if key != "mlflow.traceName" && !PLACES.contains(&key.as_str()) {
            set(&format!("tags.{key}"), value);
        }
    }
    // Under a caller's span these are the caller's.
    if span["parent_id"].is_null() {
        set("request", &span["inputs"]);
        set("response", &span["outputs"]);
        set("request_preview", &info["request_preview"]);
        set("response_preview", &info["response_preview"]);
        set("start", &info["request_time_ms"]);
        set("duration", &info["execution_duration_ms"]);
    }
}

fn span_fields(trace: &Value, span: &Value, fields: &mut Fields) {
    let mut set = |name: &str, value: &Value| fields.insert(format!("span.{name}"), value.clone());
    set("name", &span["name"]);
    set("type", &span["span_type"]);
    set("status", &span["status"]["code"]);
    set("description", &span["status"]["description"]);
    set("start", &span["start_time_ns"]);
    set("end", &span["end_time_ns"]);
    set("inputs", &span["inputs"]);
    set("outputs", &span["outputs"]);
    let mut others = trace["spans"].as_array().into_iter().flatten();
    let parent = others.find(|other| other["span_id"] == span["parent_id"]);
    set(
        "parent",
        &parent.map_or(Value::Null, |parent| parent["name"].clone()),
    );
}

fn attributes(trace: &Value, span: &Value, fields: &mut Fields) {
    for (key, value) in span["attributes"].as_object().into_iter().flatten() {
        if CONTENT.contains(&key.as_str()) {
            continue;
        }
        let is_own_id = *value == trace["info"]["trace_id"];
        let value = if is_own_id {
            json!("the trace's id")
        } else {
            value.clone()
        };
        fields.insert(format!("attributes.{key}"), value);
    }
}

/// Of each kind of event: its times, and its attributes one by one, in the order of the events.
fn events(span: &Value, fields: &mut Fields) {
    let mut names = Vec::new();
    for event in span["events"].as_array().into_iter().flatten() {
        let name = event["name"].as_str().unwrap_or_default();
        names.push(name);
        let mut push = |field: &str, value: &Value| {
            let values = fields.entry(format!("events.{name}.{field}"));
            if let Value::Array(values) = values.or_insert_with(|| json!([])) {
                values.push(value.clone());
            }
        };
        push("time", &event["timestamp_ns"]);
        for (key, value) in event["attributes"].as_object().into_iter().flatten() {
            push(key.strip_prefix("exception.").unwrap_or(key), value);
        }
    }
    fields.insert("events".to_owned(), json!(names));
}

/// Whether two values are the same, whether a number is written `0` or `0.0`.
pub fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| equal(value, other))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}
