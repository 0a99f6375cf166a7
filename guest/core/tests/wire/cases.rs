//! The cases: read from their folders, sent through a logger, and the span that comes of it as JSON.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logger_core::event::{CallStart, Context};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};

use crate::support::{START, attribute, logger, span};

const MILLISECOND: u64 = 1_000_000;
const NOW: Duration = Duration::from_secs(100);

/// One case.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub format: String,
    pub path: PathBuf,
    about: Value,
    /// The response's body as it came, frame by frame.
    response: Vec<Vec<u8>>,
    /// What its file's name says that it is.
    kind: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

pub fn folder(name: &str) -> PathBuf {
    root().join(name)
}

/// All cases, in the order of their names.
pub fn all() -> impl Iterator<Item = Case> {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let formats = folders(&root()).into_iter();
    let cases = formats.flat_map(move |format| folders(&format));
    cases.map(|path| Case::read(&path))
}

impl Case {
    fn read(path: &Path) -> Self {
        let part = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let format = part(path.parent().unwrap());
        let about = fs::read_to_string(path.join("case.json"))
            .unwrap_or_else(|error| panic!("{}: case.json: {error}", path.display()));
        let mut response = Vec::new();
        let mut kind = String::new();
        for candidate in ["json", "sse", "ndjson", "txt", "bin", "events.json"] {
            if let Ok(bytes) = fs::read(path.join(format!("response.{candidate}"))) {
                response = frames(candidate, bytes);
                kind = candidate.to_owned();
            }
        }
        Self {
            name: format!("{format}/{}", part(path)),
            format,
            path: path.to_owned(),
            about: serde_json::from_str(&about).unwrap(),
            response,
            kind,
        }
    }

    /// Whether the response streams.
    pub fn is_stream(&self) -> bool {
        let path = self.about["request"]["path"].as_str().unwrap();
        matches!(self.kind.as_str(), "sse" | "ndjson" | "events.json")
            || (path.contains(":stream") && self.status() == 200)
    }

    fn status(&self) -> u16 {
        self.about["response"]["status"].as_u64().unwrap_or(200) as u16
    }

    /// The response's body, as it would come.
    pub fn frames(&self) -> Vec<&[u8]> {
        self.response.iter().map(Vec::as_slice).collect()
    }

    /// The response's body.
    pub fn body(&self) -> Vec<u8> {
        self.response.concat()
    }

    /// The span of a response that comes in these pieces, a millisecond after the other.
    pub fn span(&self, pieces: &[&[u8]]) -> Value {
        self.run(pieces, MILLISECOND)
    }

    /// The span of a response whose pieces come at once.
    pub fn span_at_once(&self, pieces: &[&[u8]]) -> Value {
        self.run(pieces, 0)
    }

    fn run(&self, pieces: &[&[u8]], step: u64) -> Value {
        let settings = self.about["settings"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let mut logger = logger(Value::Object(settings));
        let request = &self.about["request"];
        let mut headers = pairs(&request["headers"]);
        let body = match (&request["body"], request["raw_body"].as_str()) {
            (_, Some(raw)) => raw.as_bytes().to_vec(),
            (Value::Null, None) => Vec::new(),
            (body, None) => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                body.to_string().into_bytes()
            }
        };
        let fields: Vec<_> = headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_bytes()))
            .collect();
        let start = CallStart {
            key: 1,
            at: START,
            call_id: Some("call-1"),
            method: request["method"].as_str().unwrap_or("POST"),
            path: request["path"].as_str().unwrap(),
            authority: request["authority"].as_str(),
            provider: request["provider"].as_str(),
            headers: fields,
            context: Context::default(),
            body: &body,
        };
        let call = logger.begin_call(NOW, &start).unwrap();
        let mut at = START + 50 * MILLISECOND;
        if self.status() != 0 {
            let mut headers = pairs(&self.about["response"]["headers"]);
            if !headers.iter().any(|(name, _)| name == "content-type") {
                headers.push(("content-type".to_owned(), media_type(&self.kind).to_owned()));
            }
            let fields: Vec<_> = headers
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_bytes()))
                .collect();
            logger
                .response_head(call, at, self.status(), &fields)
                .unwrap();
        }
        for piece in pieces {
            at += step;
            logger.response_chunk(call, at, piece).unwrap();
        }
        at = START + 1000 * MILLISECOND;
        match &self.about["failure"] {
            Value::Null => logger.finish_call(NOW, call, at).unwrap(),
            failure => {
                let text = |key: &str| failure[key].as_str().unwrap();
                logger
                    .fail_call(NOW, call, at, text("kind"), text("message"))
                    .unwrap();
            }
        }
        assert_eq!(logger.stats().open_calls, 0);
        readable(&span(&mut logger))
    }
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

fn pairs(headers: &Value) -> Vec<(String, String)> {
    let headers = headers.as_object().cloned().unwrap_or_default();
    let text = |value: Value| value.as_str().unwrap().to_owned();
    headers
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

fn media_type(kind: &str) -> &'static str {
    match kind {
        "sse" => "text/event-stream; charset=utf-8",
        "ndjson" => "application/x-ndjson",
        "events.json" => "application/vnd.amazon.eventstream",
        "txt" => "text/html",
        "bin" => "application/octet-stream",
        _ => "application/json",
    }
}

/// The pieces in which a body of this kind would come.
fn frames(kind: &str, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let split = |end: &str| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.split_inclusive(end)
            .map(|piece| piece.as_bytes().to_vec())
            .collect()
    };
    match kind {
        "sse" => split("\n\n"),
        "ndjson" => split("\n"),
        "events.json" => {
            let events: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
            events.iter().map(event_stream_message).collect()
        }
        _ => vec![bytes],
    }
}

/// A message of AWS's event stream: `{"headers": {…}, "payload": …}`.
fn event_stream_message(event: &Value) -> Vec<u8> {
    let checksum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let mut fields = Vec::new();
    for (name, value) in event["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        fields.push(name.len() as u8);
        fields.extend_from_slice(name.as_bytes());
        fields.push(7);
        fields.extend_from_slice(&(value.len() as u16).to_be_bytes());
        fields.extend_from_slice(value.as_bytes());
    }
    let payload = event["payload"].to_string();
    let mut message = ((16 + fields.len() + payload.len()) as u32)
        .to_be_bytes()
        .to_vec();
    message.extend_from_slice(&(fields.len() as u32).to_be_bytes());
    message.extend_from_slice(&checksum(&message));
    message.extend_from_slice(&fields);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&checksum(&message));
    message
}
