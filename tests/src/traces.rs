//! Traces as MLflow's own client reads them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::python::Python;

/// How much of each trace to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The trace alone.
    Infos,
    /// The trace with all of its spans.
    Spans,
}

/// A trace.
#[derive(Clone, Debug, Deserialize)]
pub struct Trace {
    /// The experiment it belongs to.
    pub experiment_id: String,
    /// The experiment's name.
    pub experiment: String,
    /// What MLflow knows of the whole.
    pub info: Info,
    /// Its spans, the root first among those that began together.
    pub spans: Vec<Span>,
}

/// What MLflow knows of a trace as a whole.
#[derive(Clone, Debug, Deserialize)]
pub struct Info {
    /// `tr-` and 32 hexadecimal digits.
    pub trace_id: String,
    /// `OK`, `ERROR` or `IN_PROGRESS`.
    pub state: String,
    /// When the root began.
    pub request_time_ms: i64,
    /// How long the root took.
    pub duration_ms: Option<i64>,
    /// The request in short.
    pub request_preview: Option<String>,
    /// The response in short.
    pub response_preview: Option<String>,
    /// Tags, MLflow's own among them.
    pub tags: BTreeMap<String, String>,
    /// Metadata, such as session and user.
    pub metadata: BTreeMap<String, String>,
    /// Token counts over all spans.
    pub token_usage: Option<BTreeMap<String, i64>>,
    /// Cost over all spans, in US dollars.
    pub cost: Option<BTreeMap<String, f64>>,
}

/// A span.
#[derive(Clone, Debug, Deserialize)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The parent's `span_id`; none for the root.
    pub parent_id: Option<String>,
    /// MLflow's span type, such as `LLM`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `OK`, `ERROR` or `UNSET`.
    pub status: String,
    /// The status in words.
    pub status_description: String,
    /// When it began.
    pub start_ns: i64,
    /// When it ended.
    pub end_ns: Option<i64>,
    /// What went in.
    pub inputs: Value,
    /// What came out.
    pub outputs: Value,
    /// Everything else that was recorded, by name.
    pub attributes: BTreeMap<String, Value>,
    /// What happened meanwhile, in order.
    pub events: Vec<Event>,
}

/// Something that happened within a span.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// When.
    pub time_ns: i64,
    /// What was recorded of it.
    pub attributes: BTreeMap<String, Value>,
}

impl Trace {
    /// The span without a parent.
    pub fn root(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.parent_id.is_none())
    }

    /// The spans right below one.
    pub fn children<'t>(&'t self, parent: &'t Span) -> impl Iterator<Item = &'t Span> {
        let is_child = |span: &&Span| span.parent_id.as_ref() == Some(&parent.span_id);
        self.spans.iter().filter(is_child)
    }
}

impl Span {
    /// An attribute that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }
}

/// Reads the traces of experiments, one after the other, oldest first. An experiment that is not
/// there has none.
pub fn read(
    python: &Python,
    uri: &str,
    experiments: &[impl AsRef<str>],
    detail: Detail,
) -> Result<Vec<Trace>> {
    let mut command = python.script("read_traces.py");
    let names: Vec<_> = experiments.iter().map(AsRef::as_ref).collect();
    command.arg(uri).args(&names);
    if detail == Detail::Infos {
        command.arg("--no-spans");
    }
    let output = command.output().context("MLflow's client does not start")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "MLflow's client cannot read the traces of {names:?}:\n{}",
            errors.trim()
        );
    }
    let lines = output.stdout.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice(line)
                .with_context(|| format!("unexpected: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}
