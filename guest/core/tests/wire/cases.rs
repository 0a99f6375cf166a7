//! The cases, sent through a logger, and the span that comes of each as JSON.

use std::time::Duration;

use logger_core::event::{CallStart, Context};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};
use transcripts::Transcript;

use crate::support::{START, attribute, logger, span};

pub const MILLISECOND: u64 = 1_000_000;
const NOW: Duration = Duration::from_secs(100);

/// How a response comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coming<'c> {
    /// Nanoseconds between its parts.
    pub step: u64,
    /// Its `content-encoding`.
    pub encoding: Option<&'c str>,
    /// Whether the connection broke off.
    pub broken: bool,
}

/// All cases, in the order of their names.
pub fn all() -> Vec<Transcript> {
    transcripts::all().unwrap()
}

/// The span of a response whose pieces come at once.
pub fn at_once<P: AsRef<[u8]>>(case: &Transcript, pieces: &[P]) -> Value {
    run(case, pieces, Coming::default())
}

/// The span of a response.
pub fn run<P: AsRef<[u8]>>(case: &Transcript, pieces: &[P], coming: Coming<'_>) -> Value {
    let settings = case.about["settings"].as_object().cloned();
    let mut logger = logger(Value::Object(settings.unwrap_or_default()));
    let request = &case.about["request"];
    let (headers, body) = case.request();
    let start = CallStart {
        key: 1,
        at: START,
        call_id: Some("call-1"),
        method: case.method(),
        path: case.request_path(),
        authority: request["authority"].as_str(),
        provider: request["provider"].as_str(),
        headers: fields(&headers),
        context: Context::default(),
        body: &body,
    };
    let call = logger.begin_call(NOW, &start).unwrap();
    let mut at = START + 50 * MILLISECOND;
    if case.status() != 0 {
        let mut headers = case.response_headers();
        let encoding = coming.encoding.iter();
        headers.extend(encoding.map(|name| ("content-encoding".to_owned(), (*name).to_owned())));
        let fields = fields(&headers);
        logger
            .response_head(call, at, case.status(), &fields)
            .unwrap();
    }
    for piece in pieces {
        at += coming.step;
        logger.response_chunk(call, at, piece.as_ref()).unwrap();
    }
    at = START + 1000 * MILLISECOND;
    let failure = &case.about["failure"];
    let text = |key: &str| failure[key].as_str().unwrap();
    let ended = if coming.broken {
        logger.fail_call(NOW, call, at, "connection-reset", "it broke off")
    } else if failure.is_null() {
        logger.finish_call(NOW, call, at)
    } else {
        logger.fail_call(NOW, call, at, text("kind"), text("message"))
    };
    ended.unwrap();
    assert_eq!(logger.stats().open_calls, 0);
    readable(&span(&mut logger))
}

fn fields(headers: &[(String, String)]) -> Vec<(&str, &[u8])> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

/// Bytes in pieces that end at these places.
pub fn split<'b>(body: &'b [u8], cuts: &[proptest::sample::Index]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut before = 0;
    for cut in cuts.into_iter().chain([body.len()]) {
        pieces.push(&body[before..cut]);
        before = cut;
    }
    pieces
}

/// A span, as a person reads it: attributes as MLflow reads them, times in milliseconds from the call's
/// start.
fn readable(span: &Span) -> Value {
    let attributes: Map<_, _> = span
        .attributes
        .iter()
        .map(|pair| (pair.key.clone(), attribute(span, &pair.key).unwrap()))
        .collect();
    let after = |time: u64| (time - START) as f64 / MILLISECOND as f64;
    let events: Vec<_> = span
        .events
        .iter()
        .map(|event| {
            let shown = Span {
                attributes: event.attributes.clone(),
                ..Span::default()
            };
            let attributes: Map<_, _> = event
                .attributes
                .iter()
                .map(|pair| (pair.key.clone(), attribute(&shown, &pair.key).unwrap()))
                .collect();
            json!({"name": event.name, "after_ms": after(event.time_unix_nano), "attributes": attributes})
        })
        .collect();
    let status = match span.status.as_ref().map_or(0, |status| status.code) {
        1 => "OK",
        2 => "ERROR",
        _ => "UNSET",
    };
    json!({
        "name": span.name,
        "status": status,
        "ended_after_ms": after(span.end_time_unix_nano),
        "attributes": attributes,
        "events": events,
        "links": span.links.len(),
    })
}
