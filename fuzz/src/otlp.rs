//! The encoder of OTLP, and what is read of answers, with prost and `opentelemetry-proto` as the oracle.

use logger_core::otlp::response::partial_success;
use logger_core::otlp::{SpanHead, SpanWriter, Status};
use logger_core::transport::retry_after;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::Bytes;

/// Runs an input.
pub fn run(data: &[u8]) {
    read(data);
    write(data);
}

/// What prost would have written so says the same here.
fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    retry_after(&text, Some(&text));
    let read = partial_success(data);
    let Ok(answer) = ExportTraceServiceResponse::decode(data) else {
        return;
    };
    if answer.encode_to_vec() == data {
        let expected = answer.partial_success;
        let expected = expected.map(|partial| {
            (
                partial.rejected_spans.cast_unsigned(),
                partial.error_message,
            )
        });
        assert_eq!(
            read.map(|read| (read.rejected_spans, read.error_message)),
            expected
        );
    }
}

fn write(data: &[u8]) {
    let mut input = Bytes(data);
    let mut number = || u64::from_le_bytes(std::array::from_fn(|_| input.byte()));
    let (start, end, id) = (number(), number(), number());
    let flags = input.byte();
    let parent = (flags & 1 == 1).then_some(id.to_be_bytes());
    let name = input.text().unwrap_or_default();
    let trace = [id.to_be_bytes(), start.to_be_bytes()].concat();
    let head = SpanHead {
        trace: trace.clone().try_into().unwrap_or_default(),
        span: end.to_be_bytes(),
        parent,
        name,
        start,
        end,
    };
    let mut writer = SpanWriter::new(&head);
    let (mut expected, mut events) = (Vec::new(), Vec::new());
    while !input.0.is_empty() {
        let kind = input.byte();
        let key = input.text().unwrap_or("key");
        let text = input.text().unwrap_or_default();
        let number = text
            .bytes()
            .fold(0_u64, |sum, byte| sum.rotate_left(7) ^ u64::from(byte));
        let mut attributes = writer.attributes();
        let value = match kind % 6 {
            0 => {
                attributes.int(key, number as i64);
                Some(Value::IntValue(number as i64))
            }
            1 => {
                let double = f64::from_bits(number);
                let double = if double.is_nan() { 0.5 } else { double };
                attributes.double(key, double);
                Some(Value::DoubleValue(double))
            }
            2 => {
                attributes.bool(key, number % 2 == 1);
                Some(Value::BoolValue(number % 2 == 1))
            }
            3 => {
                attributes.null(key);
                None
            }
            4 => {
                SpanWriter::write_event(&mut events, &mut Vec::new(), number, key, |to| {
                    to.text(key, text)
                });
                continue;
            }
            _ => {
                attributes.string(key, text.as_bytes());
                Some(Value::StringValue(text.to_owned()))
            }
        };
        expected.push((key, value));
    }
    writer.events(&events);
    let bytes = writer.finish(
        if flags & 2 == 2 {
            Status::Error
        } else {
            Status::Ok
        },
        flags,
    );
    let span = Span::decode(bytes.as_slice()).expect("protobuf");
    assert_eq!(span.trace_id, trace);
    assert_eq!(
        span.parent_span_id,
        parent.map(Vec::from).unwrap_or_default()
    );
    assert_eq!(span.name, name);
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (start, end)
    );
    assert_eq!(
        span.status.map(|status| status.code),
        Some(if flags & 2 == 2 { 2 } else { 1 })
    );
    assert_eq!(span.flags, u32::from(flags));
    let read: Vec<_> = span
        .attributes
        .iter()
        .map(|pair| {
            (
                pair.key.as_str(),
                pair.value.clone().and_then(|value| value.value),
            )
        })
        .collect();
    assert_eq!(read, expected);
}
