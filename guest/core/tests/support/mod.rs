//! What the tests share: a logger with settings, and a server that answers as it is told.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod streamed;

use std::io::Read;
use std::time::Duration;

use logger_core::event::{Context, Event, EventError, EventKey, Hook};
use logger_core::report::Report;
use logger_core::transport::{Request, Response, TransportError};
use logger_core::{FlushMode, Logger};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value as Json, json};

pub const START: u64 = 1_767_323_045_123_456_789;
pub const SECOND: u64 = 1_000_000_000;
pub const NOW: Duration = Duration::from_secs(100);

pub type Answer = Result<Response, TransportError>;

/// A logger for experiment 1.
pub fn logger(settings: Json) -> Logger {
    let mut all = json!({"tracking_uri": "http://mlflow:5000", "experiment_id": "1"});
    all.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let mut logger = Logger::new(7);
    logger.configure(&all.to_string()).unwrap();
    logger
}

pub fn event<'a>(hook: Hook, key: EventKey, payload: &'a str) -> Event<'a> {
    Event {
        hook,
        key,
        payload,
        start: Some(START),
        end: Some(START + SECOND),
        time: None,
        context: Context::default(),
    }
}

pub fn log(
    logger: &mut Logger,
    hook: Hook,
    key: EventKey,
    payload: &Json,
) -> Result<(), EventError> {
    logger.log(NOW, &event(hook, key, &payload.to_string()))
}

pub fn success(logger: &mut Logger, key: EventKey, call: &str) {
    log(logger, Hook::Success, key, &payload(call)).unwrap();
}

/// A small chat call.
pub fn payload(call: &str) -> Json {
    json!({
        "kwargs": {
            "litellm_call_id": call,
            "call_type": "completion",
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": "What is 2+2?"}],
            "optional_params": {},
        },
        "response_obj": {
            "id": "chatcmpl-1",
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "4"}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
        },
    })
}

/// A chunk of a streamed call.
pub fn chunk(call: &str, content: &str) -> Json {
    json!({
        "kwargs": {"litellm_call_id": call, "stream": true, "messages": [{"role": "user", "content": "Hi"}]},
        "response_obj": {
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": content}}],
        },
    })
}

pub fn answer(status: u16, body: &str) -> Answer {
    Ok(Response {
        status,
        retry_after: None,
        body: body.into(),
    })
}

/// Sends what is due at `now` to a server, and gives back the report.
pub fn flush_at(
    logger: &mut Logger,
    now: Duration,
    mode: FlushMode,
    mut server: impl FnMut(&Request) -> Answer,
) -> Report {
    logger.prepare(now, mode);
    while let Some(request) = logger.poll_request(now) {
        let answer = server(&request);
        logger.on_response(now, request.id, answer);
    }
    logger.take_report(now)
}

/// Sends everything to a server that takes everything, and gives back the spans.
pub fn spans(logger: &mut Logger) -> Vec<Span> {
    let mut all = Vec::new();
    flush_at(logger, NOW, FlushMode::Close, |request| {
        all.extend(spans_of(request));
        answer(200, "")
    });
    all
}

/// The only span.
pub fn span(logger: &mut Logger) -> Span {
    let mut spans = spans(logger);
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

/// The spans in a request.
pub fn spans_of(request: &Request) -> Vec<Span> {
    let body = gunzip(&request.body);
    let body = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let resource_spans = body.resource_spans.into_iter();
    resource_spans
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

/// An attribute of a span, as MLflow reads it: strings that are JSON are JSON.
pub fn attribute(span: &Span, key: &str) -> Option<Json> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    Some(match pair.value.clone()?.value {
        None => Json::Null,
        Some(Value::StringValue(text)) => match serde_json::from_str(&text) {
            Ok(value @ (Json::Object(_) | Json::Array(_) | Json::String(_))) => value,
            _ => Json::from(text),
        },
        Some(Value::BoolValue(value)) => Json::from(value),
        Some(Value::IntValue(value)) => Json::from(value),
        Some(Value::DoubleValue(value)) => Json::from(value),
        Some(other) => panic!("unexpected value {other:?}"),
    })
}

/// The keys of what was delivered.
pub fn keys(report: &Report) -> Vec<u64> {
    report
        .delivered
        .iter()
        .flat_map(|delivery| delivery.keys.clone())
        .collect()
}
