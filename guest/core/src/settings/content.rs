//! What is in the traces.

use super::redaction::{self, Redaction};
use super::{Setting, read};
use crate::policy::UserKey;

/// What is kept, replaced, cut and left out.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// What is kept, per category.
    pub capture: Capture,
    /// What is replaced.
    pub redact: Redaction,
    /// What becomes of images, sound and files.
    pub media: Media,
    /// The key of the hashes that stand for users, where they do.
    pub user_hash_key: Option<UserKey>,
    /// The longest string that is not cut, in bytes of UTF-8.
    pub max_value_bytes: Option<usize>,
    /// The share of traces that is kept, from 0 to 1.
    pub sample_ratio: f64,
    /// Whether failed calls are kept, whatever the share.
    pub sample_errors: bool,
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

/// What becomes of images, sound and files in Base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// They are carried as they are.
    #[default]
    Keep,
    /// Type, size and digest take their place.
    Describe,
}

impl Media {
    /// Whether they are described.
    pub fn is_described(self) -> bool {
        self == Self::Describe
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
    redaction::SETTING,
    Setting::new(
        "media",
        "What becomes of images, sound and files in Base64: `\"describe\"`, their type, size and SHA-256 take their place; \
         `\"keep\"`, they are carried as they are.",
        |settings, value| {
            settings.content.media = match read::text(value)?.as_str() {
                "describe" => Media::Describe,
                "keep" => Media::Keep,
                other => return Err(format!("\"describe\" or \"keep\" expected, found \"{other}\"")),
            };
            Ok(())
        },
    )
    .default(r#""describe""#),
    Setting::new(
        "user_hash_key",
        "A key of at least 16 characters: users are told by a hash (HMAC-SHA256) and never by name, in the trace's user and \
         wherever a request, a tag, a header field or a text names them. The same key gives the same hashes. Left out: \
         users are told by name.",
        |settings, value| {
            let key = read::text(value)?;
            if key.len() < 16 {
                return Err("at least 16 characters expected: a short key could be guessed".to_owned());
            }
            settings.content.user_hash_key = Some(UserKey::new(&key));
            Ok(())
        },
    )
    .secret(),
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
        "The share of traces that is kept, from 0 to 1. A call with a caller follows the caller's `sampled` flag; otherwise \
         the decision follows from the trace id, so that every call of a trace is decided alike. With 1 everything is \
         kept.",
        |settings, value| {
            let ratio = value.as_f64().filter(|ratio| (0.0..=1.0).contains(ratio));
            settings.content.sample_ratio =
                ratio.ok_or_else(|| read::expected("a number from 0 to 1", value))?;
            Ok(())
        },
    )
    .default("1"),
    Setting::new(
        "sample_errors",
        "Whether failed calls are kept where `sample_ratio` would leave them out.",
        |settings, value| {
            settings.content.sample_errors = read::truth(value)?;
            Ok(())
        },
    )
    .default("false"),
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
