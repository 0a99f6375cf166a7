//! What a receiver says it did not take, in an answer of 200: `ExportTraceServiceResponse` of opentelemetry-proto v1, file
//! `opentelemetry/proto/collector/trace/v1/trace_service.proto`.
//!
//! OTLP specification, "Partial Success": what was refused must not be sent again, and the receiver does not say which spans it
//! was.

/// `ExportTracePartialSuccess`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many spans were refused.
    pub rejected_spans: u64,
    /// Why, in the receiver's words.
    pub error_message: String,
}

/// Reads the body of an answer. What is no such message says nothing.
pub fn partial_success(body: &[u8]) -> Option<PartialSuccess> {
    let mut found = None;
    for_each_field(body, |field, value| {
        if let (1, Value::Bytes(message)) = (field, value) {
            let partial = found.get_or_insert_with(PartialSuccess::default);
            for_each_field(message, |field, value| match (field, value) {
                (1, Value::Integer(spans)) => partial.rejected_spans = spans,
                (2, Value::Bytes(text)) => {
                    partial.error_message = String::from_utf8_lossy(text).into_owned();
                }
                _ => {}
            });
        }
    });
    found
}

enum Value<'m> {
    Integer(u64),
    Bytes(&'m [u8]),
    Other,
}

/// Goes through a message's fields, as far as it is one.
fn for_each_field<'m>(mut message: &'m [u8], mut each: impl FnMut(u64, Value<'m>)) {
    while let Some((field, value)) = field(&mut message) {
        each(field, value);
    }
}

/// Takes a field off a message: its number and what it holds.
fn field<'m>(message: &mut &'m [u8]) -> Option<(u64, Value<'m>)> {
    let tag = varint(message)?;
    let value = match tag & 7 {
        0 => Value::Integer(varint(message)?),
        1 => skip(message, 8)?,
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            Value::Bytes(take(message, length)?)
        }
        5 => skip(message, 4)?,
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip<'m>(message: &mut &'m [u8], length: usize) -> Option<Value<'m>> {
    take(message, length).map(|_| Value::Other)
}

fn take<'m>(message: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}
