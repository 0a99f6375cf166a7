//! A response's body from its file: what it is, and the parts in which it would come.

use serde_json::Value;

use crate::aws;

/// The media type of a body of this kind.
pub(crate) fn media_type(kind: &str) -> &'static str {
    match kind {
        "sse" => "text/event-stream; charset=utf-8",
        "ndjson" => "application/x-ndjson",
        "events.json" => "application/vnd.amazon.eventstream",
        "txt" => "text/html",
        "bin" => "application/octet-stream",
        _ => "application/json",
    }
}

/// The parts of a body of this kind.
pub(crate) fn of(kind: &str, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
    let split = |bytes: Vec<u8>, end: &str| {
        let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        let pieces = text.split_inclusive(end);
        Ok(pieces.map(|piece| piece.as_bytes().to_vec()).collect())
    };
    match kind {
        "sse" => split(bytes, "\n\n"),
        "ndjson" => split(bytes, "\n"),
        "events.json" => {
            let events: Vec<Value> =
                serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            Ok(events.iter().map(aws::message).collect())
        }
        _ => Ok(vec![bytes]),
    }
}
