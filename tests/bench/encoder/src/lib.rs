//! One span written twice: by `logger_core::otlp`, and as prost messages that are built and encoded.
//!
//! The exports are called by `cargo xtask bench` inside wasmtime. Each writes the span as often as it is
//! told and returns the bytes written, so that nothing can be left out.

mod messages;

use logger_core::otlp::{SpanHead, SpanWriter, Status};

const TRACE: [u8; 16] = [7; 16];
const SPAN: [u8; 8] = [9; 8];
const START: u64 = 1_767_323_045_123_456_789;
const END: u64 = START + 1_000_000_000;
const EVENTS: usize = 4;

/// What a chat call's span says: keys, and values of the lengths they have.
fn attributes() -> impl Iterator<Item = (&'static str, &'static str)> {
    const MESSAGES: &str = r#"{"messages":[{"role":"system","content":"You are terse."},{"role":"user","content":"What is the capital of Burkina Faso, and how many people live there?"}],"temperature":0.2}"#;
    const RESPONSE: &str = r#"{"id":"chatcmpl-123","object":"chat.completion","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Ouagadougou; about three million."}}],"usage":{"prompt_tokens":31,"completion_tokens":9,"total_tokens":40}}"#;
    [
        ("mlflow.spanType", "LLM"),
        ("mlflow.spanInputs", MESSAGES),
        ("mlflow.spanOutputs", RESPONSE),
        ("mlflow.llm.model", "gpt-4o-mini-2024-07-18"),
        ("mlflow.llm.provider", "openai"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        ("gen_ai.response.id", "chatcmpl-123"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.response.finish_reasons", "[\"stop\"]"),
        (
            "mlflow.chat.tokenUsage",
            r#"{"input_tokens":31,"output_tokens":9,"total_tokens":40}"#,
        ),
        ("litellm_call_id", "ceafb75a-2f8a-40bc-9000-f0aca5f64d10"),
        ("call_type", "acompletion"),
        ("raw_llm_response", RESPONSE),
        ("mlflow.traceTag.mlflow.traceName", "litellm-acompletion"),
    ]
    .into_iter()
}

/// Writes the span by hand.
pub fn by_hand() -> Vec<u8> {
    let mut span = SpanWriter::new(&SpanHead {
        trace: TRACE,
        span: SPAN,
        parent: None,
        name: "litellm-acompletion",
        start: START,
        end: END,
    });
    let mut writer = span.attributes();
    for (key, value) in attributes() {
        writer.string(key, value.as_bytes());
    }
    writer.int("mlflow.spanLogLevel", 20);
    writer.double("gen_ai.request.temperature", 0.2);
    let (mut events, mut scratch) = (Vec::new(), Vec::new());
    for _ in 0..EVENTS {
        SpanWriter::write_event(&mut events, &mut scratch, END, "streaming_chunk", |to| {
            to.string("delta", br#"{"role":"assistant","content":"Ouaga"}"#);
        });
    }
    span.events(&events);
    span.finish(Status::Ok, 1)
}

/// Builds the same span as messages and encodes them.
pub fn by_prost() -> Vec<u8> {
    messages::span(attributes()).into_bytes()
}

/// Writes the span `rounds` times by hand; returns the bytes written.
#[unsafe(no_mangle)]
pub extern "C" fn hand(rounds: u32) -> u64 {
    (0..rounds).map(|_| by_hand().len() as u64).sum()
}

/// Builds and encodes the span `rounds` times with prost; returns the bytes written.
#[unsafe(no_mangle)]
pub extern "C" fn prost(rounds: u32) -> u64 {
    (0..rounds).map(|_| by_prost().len() as u64).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_say_the_same() {
        use opentelemetry_proto::tonic::trace::v1::Span;
        use prost::Message;
        let read = |bytes: Vec<u8>| Span::decode(bytes.as_slice()).unwrap();
        assert_eq!(read(super::by_hand()), read(super::by_prost()));
    }
}
