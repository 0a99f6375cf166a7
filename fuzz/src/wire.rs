//! Call capture: every format's decoder, any split of the response.
//!
//! An input is six bytes that pick path, media type, status, encoding, settings and split, the request's
//! header fields as lines, the request's body and the response's body, each ended by 0xff.

use std::collections::BTreeSet;

use logger_core::event::{CallStart, Context, Happening};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::Bytes;
use crate::sink::{self, NOW, SETTINGS, START};

/// Paths of every format.
pub const PATHS: [&str; 22] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/moderations",
    "/v1/messages",
    "/v1beta/models/gemini-2.0-flash:generateContent",
    "/v1beta/models/gemini-2.0-flash:streamGenerateContent",
    "/v1beta/models/text-embedding-004:batchEmbedContents",
    "/model/anthropic.claude-3/converse",
    "/model/anthropic.claude-3/converse-stream",
    "/model/anthropic.claude-3/invoke-with-response-stream",
    "/v2/chat",
    "/v2/embed",
    "/v2/rerank",
    "/anything/else",
];

/// Media types of responses.
pub const MEDIA_TYPES: [&str; 8] = [
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "",
    "text/html",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
];

const STATUSES: [u16; 4] = [200, 429, 500, 0];
const ENCODINGS: [&str; 6] = ["", "gzip", "deflate", "br", "zstd", "nonsense"];

/// Runs an input.
pub fn run(data: &[u8]) {
    let whole = spans(data, None);
    let mut input = Bytes(data);
    let [_, _, _, encoding, settings, split]: [u8; 6] = std::array::from_fn(|_| input.byte());
    // How much fits a bounded queue, and how much comes out of a broken encoding, depends on what came when.
    let is_bounded = SETTINGS[usize::from(settings) % SETTINGS.len()].contains("queue_max_bytes");
    let is_encoded = !ENCODINGS[usize::from(encoding) % ENCODINGS.len()].is_empty();
    if split > 0 && !is_bounded && !is_encoded {
        let pieces = spans(data, Some(usize::from(split)));
        assert_eq!(whole, pieces, "any split gives the same span");
    }
}

fn spans(data: &[u8], split: Option<usize>) -> Vec<Span> {
    let mut input = Bytes(data);
    let path = input.pick(&PATHS);
    let media_type = input.pick(&MEDIA_TYPES);
    let status = input.pick(&STATUSES);
    let encoding = input.pick(&ENCODINGS);
    let settings = input.pick(&SETTINGS);
    let last = input.byte();
    let lines = input.text().unwrap_or_default();
    let (request, response) = (input.part(), input.0);
    let mut headers: Vec<(&str, &[u8])> = lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    headers.push(("content-type", b"application/json"));
    let mut logger = sink::logger(settings);
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: "POST",
        path,
        authority: None,
        provider: None,
        headers,
        context: Context::default(),
        body: request,
    };
    let Ok(call) = logger.begin_call(NOW, &start) else {
        return sink::drain(&mut logger, &BTreeSet::new());
    };
    // Errors after the beginning say that the call was given up, and it is told of all the same.
    if status > 0 {
        let headers = [
            ("content-type", media_type.as_bytes()),
            ("content-encoding", encoding.as_bytes()),
        ];
        let _ = logger.response_head(call, START + 1, status, &headers);
    }
    for piece in response.chunks(split.unwrap_or(response.len()).max(1)) {
        let _ = logger.response_chunk(call, START + 2, piece);
    }
    match last % 8 {
        0 => logger.drop_call(NOW, call),
        1 => {
            let _ = logger.call_event(call, START + 2, Happening::Guardrail, Some(lines));
            let _ = logger.fail_call(NOW, call, START + 3, "kind", lines);
        }
        _ => {
            let _ = logger.finish_call(NOW, call, START + 3);
        }
    }
    sink::drain(&mut logger, &BTreeSet::from([1]))
}
