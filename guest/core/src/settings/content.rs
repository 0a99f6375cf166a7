//! What is in the traces.

use super::{Setting, read};

/// What is kept, replaced, cut and left out.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// What is kept, per category.
    pub capture: Capture,
    /// Whether well-known secrets are replaced.
    pub redact: bool,
    /// The longest string that is not cut, in bytes of UTF-8.
    pub max_value_bytes: Option<usize>,
    /// The share of traces that is kept, from 0 to 1.
    pub sample_ratio: f64,
    /// What a caller's `traceparent` means; none: as each hook has it.
    pub parent: Option<ParentMode>,
}

/// What is kept, per category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// What was asked.
    pub inputs: bool,
    /// What was answered.
    pub outputs: bool,
    /// The tools the model could call.
    pub tools: bool,
    /// The model's reasoning within outputs and chunks.
    pub reasoning: bool,
    /// An event a chunk of a stream.
    pub chunks: bool,
    /// The header fields of captured calls, credentials apart.
    pub headers: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            inputs: true,
            outputs: true,
            tools: true,
            reasoning: true,
            chunks: true,
            headers: false,
        }
    }
}

/// What a caller's `traceparent` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentMode {
    /// The parent is in MLflow: the call becomes its child, in its trace.
    Join,
    /// The parent is elsewhere: the call has a trace of its own that links the parent.
    Link,
}

pub(super) const TABLE: &[Setting] = &[
    Setting::new(
        "capture",
        "What is kept, as an object of truth values: `inputs`, `outputs`, `tools`, `reasoning`, \
         `chunks` (one event a streamed chunk), `headers` (of captured calls; credentials are never \
         kept). Categories left out keep their default.",
        |settings, value| {
            for (category, value) in read::members(value, "an object of truth values")? {
                let capture = &mut settings.content.capture;
                let slot = match category.as_str() {
                    "inputs" => &mut capture.inputs,
                    "outputs" => &mut capture.outputs,
                    "tools" => &mut capture.tools,
                    "reasoning" => &mut capture.reasoning,
                    "chunks" => &mut capture.chunks,
                    "headers" => &mut capture.headers,
                    other => {
                        return Err(format!(
                            "unknown category \"{}\"; the categories are inputs, outputs, tools, \
                             reasoning, chunks, headers",
                            other.escape_default()
                        ));
                    }
                };
                *slot = read::truth(value).map_err(|reason| format!("`{category}`: {reason}"))?;
            }
            Ok(())
        },
    )
    .default(
        r#"{"inputs":true,"outputs":true,"tools":true,"reasoning":true,"chunks":true,"headers":false}"#,
    ),
    Setting::new(
        "redact",
        "Whether API keys, access tokens and bearer credentials of well-known forms are replaced by \
         `[REDACTED]` wherever they occur.",
        |settings, value| {
            settings.content.redact = read::truth(value)?;
            Ok(())
        },
    )
    .default("true"),
    Setting::new(
        "max_value_bytes",
        "The longest string value kept whole, in bytes; longer ones are cut and say so. Left out: \
         nothing is cut.",
        |settings, value| {
            settings.content.max_value_bytes = Some(read::count(value, 64)?);
            Ok(())
        },
    ),
    Setting::new(
        "sample_ratio",
        "The share of traces that is kept, from 0 to 1. The decision follows from the trace id, so that \
         every call of a trace is decided alike.",
        |settings, value| {
            let ratio = value.as_f64().filter(|ratio| (0.0..=1.0).contains(ratio));
            settings.content.sample_ratio =
                ratio.ok_or_else(|| read::expected("a number from 0 to 1", value))?;
            Ok(())
        },
    )
    .default("1"),
    Setting::new(
        "parent",
        "What a caller's `traceparent` means: `\"join\"`, the call becomes a child in the caller's trace, \
         which has to be in MLflow; `\"link\"`, the call has a trace of its own that links the \
         caller's. Left out: event hooks join, call capture links.",
        |settings, value| {
            settings.content.parent = Some(match read::text(value)?.as_str() {
                "join" => ParentMode::Join,
                "link" => ParentMode::Link,
                other => return Err(format!("\"join\" or \"link\" expected, found \"{other}\"")),
            });
            Ok(())
        },
    ),
];
