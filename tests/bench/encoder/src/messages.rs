//! As much of `opentelemetry/proto/trace/v1/trace.proto` as the span needs, as prost messages.

use prost::{Message, Oneof};

use crate::{END, EVENTS, SPAN, START, TRACE};

/// A span.
#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<Event>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3, 4")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

impl Span {
    /// The span's encoding.
    pub fn into_bytes(self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

/// The span with these attributes, two numbers and the events.
pub fn span(attributes: impl Iterator<Item = (&'static str, &'static str)>) -> Span {
    let text = |(key, value): (&str, &str)| pair(key, Value::Text(value.to_owned()));
    let mut attributes: Vec<_> = attributes.map(text).collect();
    attributes.push(pair("mlflow.spanLogLevel", Value::Int(20)));
    attributes.push(pair("gen_ai.request.temperature", Value::Double(0.2)));
    let event = || Event {
        time_unix_nano: END,
        name: "streaming_chunk".to_owned(),
        attributes: vec![text(("delta", r#"{"role":"assistant","content":"Ouaga"}"#))],
    };
    Span {
        trace_id: TRACE.to_vec(),
        span_id: SPAN.to_vec(),
        name: "litellm-acompletion".to_owned(),
        kind: 3,
        start_time_unix_nano: START,
        end_time_unix_nano: END,
        attributes,
        events: (0..EVENTS).map(|_| event()).collect(),
        status: Some(Status { code: 1 }),
        flags: 1,
    }
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}
