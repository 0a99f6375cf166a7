//! The formats that are read, a module each.
//!
//! A format is one file here and one line in [`ALL`]; a test fails where its fixtures or its line in
//! `docs/providers.md` are missing.

mod anthropic;
mod bedrock;
mod bedrock_invoke;
mod cohere_chat;
mod cohere_embed;
mod cohere_rerank;
mod gemini;
mod gemini_embed;
mod ollama;
mod ollama_embed;
mod openai_audio;
mod openai_chat;
mod openai_completions;
mod openai_embeddings;
mod openai_images;
mod openai_moderations;
mod openai_responses;
mod unknown;

use std::fmt;

use super::facts::Facts;
use super::reasoning::Marked;
use crate::call::{Operation, Usage};
use crate::json::Raw;

/// All formats. Of those whose paths fit, the first counts.
pub(super) const ALL: [&Format; 20] = [
    &openai_chat::FORMAT,
    &openai_completions::FORMAT,
    &openai_responses::FORMAT,
    &ollama::CHAT,
    &ollama::GENERATE,
    &ollama_embed::FORMAT,
    &openai_embeddings::FORMAT,
    &openai_images::FORMAT,
    &openai_audio::SPEECH,
    &openai_audio::TRANSCRIPTION,
    &openai_moderations::FORMAT,
    &anthropic::FORMAT,
    &gemini::FORMAT,
    &gemini_embed::FORMAT,
    &bedrock::FORMAT,
    &bedrock_invoke::FORMAT,
    &cohere_chat::FORMAT,
    &cohere_embed::FORMAT,
    &cohere_rerank::FORMAT,
    &unknown::FORMAT,
];

/// Ends of paths whose requests look like a call and are none: tokens are counted, jobs and threads
/// made.
const OTHERS: [&str; 10] = [
    "/count_tokens",
    "/count-tokens",
    ":countTokens",
    ":computeTokens",
    "/input_tokens",
    "/tokenize",
    "/threads",
    "/batches",
    ":batchGenerateContent",
    "/cachedContents",
];

/// The tokens that a response of any format counts, for callers that do not know which it is.
pub(crate) fn usage_of_any(response: Raw<'_>) -> Option<Usage> {
    let members = ["usage", "usageMetadata", "meta"];
    let [used, gemini, cohere] = response.fields(members);
    let of_usage = |used| {
        openai_chat::read_usage(used)
            .or_else(|| bedrock::usage(used))
            .or_else(|| cohere_chat::usage(used))
    };
    used.and_then(of_usage)
        .or_else(|| gemini.and_then(gemini::usage))
        .or_else(|| cohere.and_then(cohere_chat::usage))
}

/// What is documented of a format.
#[derive(Clone, Copy, Debug)]
pub struct FormatDoc {
    /// Its name.
    pub name: &'static str,
    /// The API.
    pub api: &'static str,
    /// The paths it is told from.
    pub paths: &'static str,
}

/// The formats that call capture reads.
pub fn formats() -> impl Iterator<Item = FormatDoc> {
    ALL.iter().map(|format| FormatDoc {
        name: format.name,
        api: format.doc.0,
        paths: format.doc.1,
    })
}

/// A provider's format.
pub(super) struct Format {
    /// Its name: that of its fixtures' folder and of its line in the documentation.
    pub name: &'static str,
    /// What is documented of it: the API, and its paths.
    pub doc: (&'static str, &'static str),
    /// Whose format it is, where nothing else tells who answers.
    pub home: Option<&'static str>,
    /// What kind of call it is.
    pub operation: Operation,
    /// The operation in a word, for the span's name.
    pub verb: &'static str,
    /// The format's name in MLflow, whose UI then shows a conversation.
    pub message_format: Option<&'static str>,
    /// Whether a request's path is one of its own.
    pub path: fn(&str) -> bool,
    /// Whether a request's body looks like one of its own, where the path tells nothing.
    pub body: fn(Raw<'_>) -> bool,
    /// Reads a request.
    pub request: for<'a> fn(&Asked<'a>, &mut Facts<'a>),
    /// Reads a response, or what a stream's frames add up to.
    pub response: for<'a> fn(Raw<'a>, &mut Facts<'a>),
    /// Begins to add a stream's frames up.
    pub assemble: fn() -> Box<dyn Assemble>,
    /// How it marks a model's reasoning, where members' names do not tell.
    pub reasoning: Option<Marked>,
    /// Whether the answer to a request of this path streams the elements of one JSON array.
    pub streams_array: fn(&str) -> bool,
}

impl fmt::Debug for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

/// A request, as formats read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The path, without the query.
    pub path: &'a str,
    /// The body as JSON.
    pub body: Raw<'a>,
}

/// Adds the frames of a stream up to the response that the call would have returned without
/// streaming.
pub(super) trait Assemble: fmt::Debug {
    /// Takes a frame in. Tells about how many bytes that takes.
    fn add(&mut self, event: &str, data: Raw<'_>) -> usize;

    /// The frame's data inside of what wraps it, where something does.
    fn unwrap(&self, _: Raw<'_>) -> Option<String> {
        None
    }

    /// What of a frame is shown as the chunks that came.
    fn chunks<'d>(&self, data: Raw<'d>) -> Vec<Raw<'d>> {
        vec![data]
    }

    /// Whether the answer has come to its end.
    fn is_complete(&self) -> bool;

    /// The response, as JSON.
    fn finish(self: Box<Self>) -> String;
}

/// The format of a call: told from the path, then from whose the call is, then from the body.
///
/// Whose the call is only tells where the path does not, since providers serve each other's formats.
pub(super) fn tell(
    method: &str,
    path: &str,
    provider: Option<&str>,
    body: Raw<'_>,
) -> &'static Format {
    let asks = !["GET", "HEAD", "DELETE", "OPTIONS"]
        .iter()
        .any(|other| method.eq_ignore_ascii_case(other));
    if !asks || OTHERS.iter().any(|end| path.ends_with(end)) {
        return &unknown::FORMAT;
    }
    let of_path = |format: &&&Format| (format.path)(path);
    let of_provider =
        |format: &&&Format| format.home.is_some() && format.home == provider && (format.body)(body);
    let of_body = |format: &&&Format| (format.body)(body);
    let mut found = ALL.iter().find(of_path);
    found = found.or_else(|| ALL.iter().find(of_provider));
    found = found.or_else(|| ALL.iter().find(of_body));
    found.copied().unwrap_or(&unknown::FORMAT)
}

/// The format of this name, and otherwise the unknown one.
#[cfg(test)]
fn named(name: &str) -> &'static Format {
    let found = ALL.iter().find(|format| format.name == name);
    found.copied().unwrap_or(&unknown::FORMAT)
}

/// The part of a path after `marker`, up to the next `/` or `:`, without percent-encoding: where
/// several providers name the model.
fn path_part(path: &str, marker: &str) -> Option<String> {
    let rest = path.split_once(marker)?.1;
    // A model's name may hold a colon, of which an action's is the last.
    let part = rest.split('/').next()?;
    let part = super::headers::percent_decoded(part);
    (!part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, provider: Option<&str>, body: &str) -> &'static str {
        tell("POST", path, provider, Raw::parse(body).unwrap()).name
    }

    #[test]
    fn paths_tell_formats() {
        for (path, name) in [
            ("/v1/chat/completions", "openai_chat"),
            ("/openai/deployments/gpt/chat/completions", "openai_chat"),
            ("/v1beta/openai/chat/completions", "openai_chat"),
            ("/v1/completions", "openai_completions"),
            ("/v1/responses", "openai_responses"),
            ("/v1/embeddings", "openai_embeddings"),
            ("/v1/images/edits", "openai_images"),
            ("/v1/audio/speech", "openai_speech"),
            ("/v1/audio/translations", "openai_transcription"),
            ("/v1/moderations", "openai_moderations"),
            ("/v1/messages", "anthropic"),
            ("/v1/threads/t/messages", "unknown"),
            ("/v1/messages/count_tokens", "unknown"),
            (
                "/v1/projects/p/publishers/anthropic/models/claude:streamRawPredict",
                "anthropic",
            ),
            ("/v1beta/models/gemini-2.0-flash:generateContent", "gemini"),
            (
                "/v1beta/models/gemini-2.0-flash:streamGenerateContent",
                "gemini",
            ),
            (
                "/v1beta/models/text-embedding-004:batchEmbedContents",
                "gemini_embed",
            ),
            ("/model/amazon.nova-lite-v1%3A0/converse-stream", "bedrock"),
            ("/model/anthropic.claude/invoke", "bedrock_invoke"),
            ("/v2/chat", "cohere_chat"),
            ("/v2/embed", "cohere_embed"),
            ("/v2/rerank", "cohere_rerank"),
            ("/api/chat", "ollama_chat"),
            ("/api/generate", "ollama_generate"),
            ("/api/embed", "ollama_embed"),
            ("/v1/batches", "unknown"),
        ] {
            assert_eq!(told(path, None, "{}"), name, "{path}");
        }
    }

    #[test]
    fn providers_and_bodies_tell_where_paths_do_not() {
        let messages = r#"{"model":"m","messages":[],"max_tokens":1}"#;
        assert_eq!(told("/x", Some("anthropic"), messages), "anthropic");
        assert_eq!(told("/x", Some("openai"), messages), "openai_chat");
        assert_eq!(told("/x", None, messages), "openai_chat");
        assert_eq!(told("/x", None, r#"{"contents":[]}"#), "gemini");
        assert_eq!(told("/x", None, r#"{"a":1}"#), "unknown");
        // Providers serve each other's formats.
        assert_eq!(
            told("/v1/chat/completions", Some("gemini"), messages),
            "openai_chat"
        );
        // What looks like a call is not always one.
        for path in ["/v1/messages/count_tokens", "/tokenize", "/v1/threads"] {
            assert_eq!(told(path, Some("anthropic"), messages), "unknown", "{path}");
        }
        let count = "/v1beta/models/m:countTokens";
        assert_eq!(told(count, Some("gemini"), r#"{"contents":[]}"#), "unknown");
        assert_eq!(
            tell("GET", "/v1/responses", None, Raw::NULL).name,
            "unknown"
        );
        assert_eq!(named("gemini").name, "gemini");
    }
}
