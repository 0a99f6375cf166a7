//! Transcripts that are played: of every API that is not answered from the request itself, and of any
//! that the header `x-mock-transcript: openai_chat/tools` names, whatever else the request says.
//! `x-mock-break: 3` breaks the connection off after so many parts.

use hyper::HeaderMap;
use serde_json::{Value, json};
use transcripts::Transcript;

use crate::reply::Reply;

/// Ends of paths, and what is played there: whole, and streamed.
const APIS: [(&str, &str, &str); 19] = [
    (
        "/responses",
        "openai_responses/plain",
        "openai_responses/stream",
    ),
    (
        "/completions",
        "openai_completions/plain",
        "openai_completions/stream",
    ),
    (
        "/images/generations",
        "openai_images/plain",
        "openai_images/stream",
    ),
    (
        "/images/edits",
        "openai_images/plain",
        "openai_images/stream",
    ),
    (
        "/audio/speech",
        "openai_speech/plain",
        "openai_speech/stream",
    ),
    (
        "/audio/transcriptions",
        "openai_transcription/plain",
        "openai_transcription/stream",
    ),
    (
        "/moderations",
        "openai_moderations/plain",
        "openai_moderations/plain",
    ),
    (":embedContent", "gemini_embed/plain", "gemini_embed/plain"),
    ("/converse", "bedrock/plain", "bedrock/plain"),
    ("/converse-stream", "bedrock/stream", "bedrock/stream"),
    ("/invoke", "bedrock_invoke/plain", "bedrock_invoke/plain"),
    (
        "/invoke-with-response-stream",
        "bedrock_invoke/stream",
        "bedrock_invoke/stream",
    ),
    ("/v1/chat", "cohere_chat/v1", "cohere_chat/v1_stream"),
    ("/v2/chat", "cohere_chat/plain", "cohere_chat/stream"),
    ("/embed", "cohere_embed/plain", "cohere_embed/plain"),
    ("/rerank", "cohere_rerank/plain", "cohere_rerank/plain"),
    ("/api/chat", "ollama_chat/plain", "ollama_chat/stream"),
    (
        "/api/generate",
        "ollama_generate/stream",
        "ollama_generate/stream",
    ),
    ("/api/embed", "ollama_embed/plain", "ollama_embed/plain"),
];

/// The transcript that a request's header names, if one does.
pub(crate) fn named(headers: &HeaderMap) -> Option<Reply> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let name = header("x-mock-transcript")?;
    let most = header("x-mock-break").and_then(|parts| parts.parse().ok());
    Some(play(name, most))
}

/// The transcript of the API that a path is of, if it is of one of those.
pub(crate) fn of_path(path: &str, request: &Value) -> Option<Reply> {
    // Ollama streams unless told not to; the last whose end fits is the one: `/api/embed` is Ollama's.
    let streams = match &request["stream"] {
        Value::Null => path.ends_with("/api/chat") || request["stream_format"] == "sse",
        told => *told == true,
    };
    let mut fitting = APIS.iter().rev().filter(|(end, _, _)| path.ends_with(end));
    let (_, whole, stream) = fitting.next()?;
    Some(play(if streams { stream } else { whole }, None))
}

fn play(name: &str, most: Option<usize>) -> Reply {
    let transcript = match Transcript::named(name) {
        Ok(transcript) => transcript,
        Err(error) => {
            let error = json!({"message": error.to_string(), "type": "not_found"});
            return Reply::Json(404, json!({"error": error}));
        }
    };
    let mut parts = transcript.parts.clone();
    parts.truncate(most.unwrap_or(parts.len()));
    Reply::Played {
        status: transcript.status(),
        headers: transcript.response_headers(),
        parts,
        broken: most.is_some(),
    }
}
