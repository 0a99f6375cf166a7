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
    /// The hook calls, as lines for `replay`.
    pub lines: Vec<Value>,
    /// The traces that MLflow held.
    pub traces: Vec<Value>,
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
    let calls = recorded["event"]["calls"].as_array();
    let traces = match &recorded["traces"] {
        Value::Array(traces) => traces.clone(),
        _ => Some(&recorded["trace"])
            .filter(|trace| !trace.is_null())
            .cloned()
            .into_iter()
            .collect(),
    };
    Ok(Case {
        name: recorded["name"].as_str().context("no name")?.to_owned(),
        lines: calls
            .context("no calls")?
            .iter()
            .map(line)
            .collect::<Result<_>>()?,
        traces,
    })
}

/// A recorded call as a line: `async_log_success_event` becomes hook `success`, and so on.
fn line(call: &Value) -> Result<Value> {
    let method = call["method"].as_str().context("no method")?;
    let hook = ["success", "failure", "stream"]
        .into_iter()
        .find(|hook| method.ends_with(&format!("log_{hook}_event")))
        .with_context(|| format!("unknown method {method}"))?;
    let time = |key: &str| match &call[key] {
        Value::Null => Value::Null,
        recorded => recorded["epoch_ns_as_logger_computes"].clone(),
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
/// as text.
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
    if let Some(class) = members.get("__exception__") {
        return json!({"type": class, "message": members.get("str")});
    }
    let members = members.iter().filter(|(key, _)| *key != "__class__");
    let members: Map<_, _> = members
        .map(|(key, value)| (key.clone(), plain(value)))
        .collect();
    Value::Object(members)
}
