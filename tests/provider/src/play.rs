//! Transcripts that are played: a request with the header `x-mock-transcript: openai_chat/tools` is
//! answered with that transcript, whatever else it says. `x-mock-break: 3` breaks the connection off
//! after so many parts of it.

use hyper::HeaderMap;
use serde_json::json;
use transcripts::Transcript;

use crate::reply::Reply;

/// The transcript that a request asks for, if it asks for one.
pub(crate) fn reply(headers: &HeaderMap) -> Option<Reply> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let name = header("x-mock-transcript")?;
    let transcript = match Transcript::named(name) {
        Ok(transcript) => transcript,
        Err(error) => {
            return Some(Reply::Json(
                404,
                json!({"error": {"message": error.to_string()}}),
            ));
        }
    };
    let most = header("x-mock-break").and_then(|parts| parts.parse().ok());
    let mut parts = transcript.parts.clone();
    parts.truncate(most.unwrap_or(parts.len()));
    Some(Reply::Played {
        status: transcript.status(),
        headers: transcript.response_headers(),
        parts,
        broken: most.is_some(),
    })
}
