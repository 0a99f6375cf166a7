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

/// What an input stands for.
pub struct Input<'a> {
    /// Where the request goes.
    pub path: &'static str,
    /// The response's `content-type`.
    pub media_type: &'static str,
    /// The response's status; 0: none came.
    pub status: u16,
    /// The response's `content-encoding`.
    pub encoding: &'static str,
    /// Settings that change what is kept.
    pub settings: &'static str,
    /// Into parts of how many bytes the response is split; 0: none.
    pub split: usize,
    /// How the call ends.
    pub end: End,
    /// The lines of the request's header fields.
    pub lines: &'a str,
    /// The request's header fields.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The request's body.
    pub request: &'a [u8],
    /// The response's body.
    pub response: &'a [u8],
}

/// How a call ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nobody says.
    Dropped,
    /// It fails, after a guardrail has said something.
    Failed,
    /// As it should.
    Finished,
}

impl<'a> Input<'a> {
    /// Reads it.
    pub fn read(data: &'a [u8]) -> Self {
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
        Self {
            path,
            media_type,
            status,
            encoding,
            settings,
            split: usize::from(last),
            end: match last % 8 {
                0 => End::Dropped,
                1 => End::Failed,
                _ => End::Finished,
            },
            lines,
            headers,
            request,
            response,
        }
    }

    /// The response's header fields.
    pub fn response_headers(&self) -> [(&'static str, &'static [u8]); 2] {
        [
            ("content-type", self.media_type.as_bytes()),
            ("content-encoding", self.encoding.as_bytes()),
        ]
    }
}

/// Runs an input.
pub fn run(data: &[u8]) {
    let input = Input::read(data);
    let whole = native(&input, None);
    // How much fits a bounded queue, and how much comes out of a broken encoding, depends on what came when.
    let is_bounded = input.settings.contains("queue_max_bytes");
    if input.split > 0 && !is_bounded && input.encoding.is_empty() {
        let pieces = native(&input, Some(input.split));
        assert_eq!(whole, pieces, "any split gives the same span");
    }
}

/// Runs an input in the core, with the response split or not, and returns what it sent.
pub fn native(input: &Input<'_>, split: Option<usize>) -> Vec<Span> {
    let mut logger = sink::logger(input.settings);
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: "POST",
        path: input.path,
        authority: None,
        provider: None,
        headers: input.headers.clone(),
        context: Context::default(),
        body: input.request,
    };
    let Ok(call) = logger.begin_call(NOW, &start) else {
        return sink::drain(&mut logger, &BTreeSet::new());
    };
    // Errors after the beginning say that the call was given up, and it is told of all the same.
    if input.status > 0 {
        let _ = logger.response_head(call, START + 1, input.status, &input.response_headers());
    }
    let response = input.response;
    for piece in response.chunks(split.unwrap_or(response.len()).max(1)) {
        let _ = logger.response_chunk(call, START + 2, piece);
    }
    match input.end {
        End::Dropped => logger.drop_call(NOW, call),
        End::Failed => {
            let said = Some(input.lines);
            let _ = logger.call_event(call, START + 2, Happening::Guardrail, said);
            let _ = logger.fail_call(NOW, call, START + 3, "kind", input.lines);
        }
        End::Finished => {
            let _ = logger.finish_call(NOW, call, START + 3);
        }
    }
    sink::drain(&mut logger, &BTreeSet::from([1]))
}
