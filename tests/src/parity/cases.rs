//! The recorded cases: what litellm's own `MlflowLogger` was called with, and what MLflow then held.
//!
//! `tests/parity/cases` holds them as recorded. Here they become the lines that `replay` reads.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// One recorded case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The hook calls, as lines for `replay`.
    pub lines: Vec<Value>,
    /// Of each hook call, the caller's `optional_params` as the original left them behind.
    pub params_after: Vec<Value>,
    /// The traces that MLflow held.
    pub traces: Vec<Value>,
}

impl Case {
    /// Whether the calls were made within a caller's span.
    pub fn has_caller(&self) -> bool {
        let spans = self
            .traces
            .iter()
            .filter_map(|trace| trace["spans"].as_array());
        spans.flatten().any(|span| !span["parent_id"].is_null())
    }
}

/// All cases, by name.
pub fn cases() -> Result<Vec<Case>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("parity/cases");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let case = || -> Result<Case> { case(&serde_json::from_slice(&std::fs::read(&path)?)?) };
        cases.push(case().with_context(|| path.display().to_string())?);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn case(recorded: &Value) -> Result<Case> {
    let calls = recorded["event"]["calls"].as_array().context("no calls")?;
    let traces = match &recorded["traces"] {
        Value::Array(traces) => traces.clone(),
        _ => Some(&recorded["trace"])
            .filter(|trace| !trace.is_null())
            .cloned()
            .into_iter()
            .collect(),
    };
    let text = |key: &str| recorded[key].as_str().with_context(|| format!("no {key}"));
    let after = |call: &Value| plain(&call["optional_params_after_call"]);
    let mut case = Case {
        name: text("name")?.to_owned(),
        description: text("description")?.to_owned(),
        lines: calls.iter().map(line).collect::<Result<_>>()?,
        params_after: calls.iter().map(after).collect(),
        traces,
    };
    add_stacktraces(&mut case);
    Ok(case)
}

/// A recorded call as a line: `async_log_success_event` becomes hook `success`, and so on.
fn line(call: &Value) -> Result<Value> {
    let method = call["method"].as_str().context("no method")?;
    let hook = ["success", "failure", "stream"]
        .into_iter()
        .find(|hook| method.ends_with(&format!("log_{hook}_event")))
        .with_context(|| format!("unknown method {method}"))?;
    // Python's naive datetimes, which the recorder kept in UTC.
    let time = |key: &str| match plain(&call[key]) {
        Value::String(datetime) => json!(datetime + "Z"),
        other => other,
    };
    Ok(json!({
        "hook": hook,
        "kwargs": plain(&call["kwargs"]),
        "response_obj": plain(&call["response_obj"]),
        "start_time": time("start_time"),
        "end_time": time("end_time"),
    }))
}

/// A value without the recorder's marks: classes dropped, exceptions as `{type, message}`, datetimes
/// as text, `None` as null.
fn plain(value: &Value) -> Value {
    let Value::Object(members) = value else {
        return match value {
            Value::Array(items) => items.iter().map(plain).collect(),
            other => other.clone(),
        };
    };
    if let Some(datetime) = members.get("__datetime__") {
        return datetime.clone();
    }
    if members.contains_key("__object__") {
        return Value::Null;
    }
    if let Some(class) = members.get("__exception__") {
        return json!({"type": class, "message": members.get("str")});
    }
    let members = members.iter().filter(|(key, _)| *key != "__class__");
    let members: Map<_, _> = members
        .map(|(key, value)| (key.clone(), plain(value)))
        .collect();
    Value::Object(members)
}

/// A Python host has the live exception with its stack trace, which the recorder could keep only where
/// MLflow did: in the trace. Where `kwargs` does not carry it as text, it is taken from there.
fn add_stacktraces(case: &mut Case) {
    let traces = case.traces.iter();
    let stacktrace = traces
        .filter_map(|trace| trace.pointer("/spans/0/events/0/attributes/exception.stacktrace"))
        .next();
    for line in &mut case.lines {
        let told = line["kwargs"]["traceback_exception"].is_string();
        if let (false, Value::Object(exception)) = (told, &mut line["kwargs"]["exception"]) {
            let stacktrace = stacktrace.cloned().unwrap_or_default();
            exception.insert("stacktrace".to_owned(), stacktrace);
        }
    }
}
