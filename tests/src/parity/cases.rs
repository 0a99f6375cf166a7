//! The recorded cases: what litellm's own `MlflowLogger` was called with, and what MLflow then held.
//!
//! `tests/parity/cases` holds them as recorded. Here they become the lines that `replay` reads.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::ordered::Json;

/// One recorded case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The hook calls, as lines for `replay`.
    pub lines: Vec<Value>,
    /// The same lines as text, as Python writes it.
    pub texts: Vec<String>,
    /// Of each hook call, the caller's `optional_params` as the original left them behind.
    pub params_after: Vec<Value>,
    /// The traces that MLflow held.
    pub traces: Vec<Value>,
}

impl Case {
    /// Whether the calls were made within a caller's span.
    pub fn has_caller(&self) -> bool {
        let traces = self.traces.iter();
        let spans = traces.filter_map(|trace| trace["spans"].as_array());
        spans.flatten().any(|span| !span["parent_id"].is_null())
    }
}

/// All cases, by name.
pub fn cases() -> Result<Vec<Case>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("parity/cases");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let case = || -> Result<Case> { case(serde_json::from_slice(&std::fs::read(&path)?)?) };
        cases.push(case().with_context(|| path.display().to_string())?);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

/// A case's file.
#[derive(Deserialize)]
struct Recorded {
    name: String,
    description: String,
    event: RecordedEvent,
    trace: Option<Value>,
    traces: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct RecordedEvent {
    calls: Vec<RecordedCall>,
}

#[derive(Deserialize)]
struct RecordedCall {
    method: String,
    kwargs: Json,
    response_obj: Json,
    start_time: Json,
    end_time: Json,
    optional_params_after_call: Json,
}

fn case(recorded: Recorded) -> Result<Case> {
    let one = || recorded.trace.into_iter().collect();
    let traces: Vec<Value> = recorded.traces.unwrap_or_else(one);
    let mut case = Case {
        name: recorded.name,
        description: recorded.description,
        lines: Vec::new(),
        texts: Vec::new(),
        params_after: Vec::new(),
        traces,
    };
    let stacktrace = case
        .traces
        .iter()
        .find_map(|trace| trace.pointer("/spans/0/events/0/attributes/exception.stacktrace"));
    let stacktrace = stacktrace.cloned();
    for call in recorded.event.calls {
        let after = plain(call.optional_params_after_call.clone());
        let line = line(call, stacktrace.as_ref())?;
        case.lines.push(serde_json::to_value(&line)?);
        case.texts.push(line.to_string());
        case.params_after.push(serde_json::to_value(after)?);
    }
    Ok(case)
}

/// A recorded call as a line: `async_log_success_event` becomes hook `success`, and so on.
fn line(call: RecordedCall, stacktrace: Option<&Value>) -> Result<Json> {
    let is_called = |hook: &&str| call.method.ends_with(&format!("log_{hook}_event"));
    let hooks = ["success", "failure", "stream"];
    let hook = hooks.into_iter().find(is_called);
    let hook = hook.with_context(|| format!("unknown method {}", call.method))?;
    let mut kwargs = plain(call.kwargs);
    add_stacktrace(&mut kwargs, stacktrace);
    // Python's naive datetimes, which the recorder kept in UTC.
    let time = |recorded| match plain(recorded) {
        Json::Scalar(Value::String(datetime)) => Json::from(&*format!("{datetime}Z")),
        other => other,
    };
    let members = [
        ("hook", Json::from(hook)),
        ("kwargs", kwargs),
        ("response_obj", plain(call.response_obj)),
        ("start_time", time(call.start_time)),
        ("end_time", time(call.end_time)),
    ];
    let members = members.into_iter();
    Ok(Json::Object(
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    ))
}

/// A value without the recorder's marks: classes dropped, exceptions as `{type, message}`, datetimes
/// as text, `None` as null.
fn plain(mut value: Json) -> Json {
    if let Some(datetime) = value.get_mut("__datetime__") {
        return datetime.clone();
    }
    if value.get_mut("__object__").is_some() {
        return Json::Scalar(Value::Null);
    }
    if let Some(class) = value.get_mut("__exception__").cloned() {
        let message = value.get_mut("str").cloned();
        let message = message.unwrap_or(Json::Scalar(Value::Null));
        return Json::Object(vec![("type".into(), class), ("message".into(), message)]);
    }
    match value {
        Json::Scalar(_) => value,
        Json::Array(items) => Json::Array(items.into_iter().map(plain).collect()),
        Json::Object(members) => {
            let members = members.into_iter().filter(|(key, _)| key != "__class__");
            Json::Object(members.map(|(key, value)| (key, plain(value))).collect())
        }
    }
}

/// A Python host has the live exception with its stack trace, which the recorder could keep only where
/// MLflow did: in the trace. Where `kwargs` does not carry it as text, it is taken from there.
fn add_stacktrace(kwargs: &mut Json, stacktrace: Option<&Value>) {
    let told = kwargs.get_mut("traceback_exception").is_some();
    if let (false, Some(Json::Object(exception)), Some(stacktrace)) =
        (told, kwargs.get_mut("exception"), stacktrace)
    {
        exception.push(("stacktrace".to_owned(), Json::Scalar(stacktrace.clone())));
    }
}
