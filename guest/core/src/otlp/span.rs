//! One `Span` message: head first, then attributes and events in the order they are given, the
//! status last.

use super::protobuf as pb;
use crate::event::Timestamp;
use crate::id::{SpanId, TraceId};

/// Field numbers of `Span`.
mod field {
    pub const TRACE_ID: u32 = 1;
    pub const SPAN_ID: u32 = 2;
    pub const PARENT_SPAN_ID: u32 = 4;
    pub const NAME: u32 = 5;
    pub const KIND: u32 = 6;
    pub const START: u32 = 7;
    pub const END: u32 = 8;
    pub const ATTRIBUTES: u32 = 9;
    pub const EVENTS: u32 = 11;
    pub const LINKS: u32 = 13;
    pub const STATUS: u32 = 15;
    pub const FLAGS: u32 = 16;
}

/// Field numbers of `Event`.
mod event_field {
    pub const TIME: u32 = 1;
    pub const NAME: u32 = 2;
    pub const ATTRIBUTES: u32 = 3;
}

/// Field numbers of `AnyValue`.
mod value_field {
    pub const STRING: u32 = 1;
    pub const BOOL: u32 = 2;
    pub const INT: u32 = 3;
    pub const DOUBLE: u32 = 4;
}

/// `SPAN_KIND_CLIENT`: a call to a remote service, as the OpenTelemetry GenAI conventions ask.
const KIND_CLIENT: u64 = 3;

/// What every span has.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead<'a> {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// The parent span within the trace; none for a root.
    pub parent: Option<SpanId>,
    /// The name.
    pub name: &'a str,
    /// Nanoseconds since the Unix epoch.
    pub start: Timestamp,
    /// Nanoseconds since the Unix epoch, not before `start`.
    pub end: Timestamp,
}

/// How the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `STATUS_CODE_OK`
    Ok,
    /// `STATUS_CODE_ERROR`
    Error,
}

/// Writes one span.
pub struct SpanWriter {
    out: Vec<u8>,
}

impl SpanWriter {
    /// Begins a span.
    pub fn new(head: &SpanHead<'_>) -> Self {
        let mut out = Vec::with_capacity(1024);
        pb::bytes(&mut out, field::TRACE_ID, &head.trace);
        pb::bytes(&mut out, field::SPAN_ID, &head.span);
        if let Some(parent) = &head.parent {
            pb::bytes(&mut out, field::PARENT_SPAN_ID, parent);
        }
        pb::bytes(&mut out, field::NAME, head.name.as_bytes());
        pb::integer(&mut out, field::KIND, KIND_CLIENT);
        pb::fixed64(&mut out, field::START, head.start);
        pb::fixed64(&mut out, field::END, head.end);
        Self { out }
    }

    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// The span's attributes.
    pub fn attributes(&mut self) -> Attributes<'_> {
        Attributes {
            out: &mut self.out,
            field: field::ATTRIBUTES,
        }
    }

    /// Appends events that [`write_event`](Self::write_event) wrote earlier.
    pub fn events(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }

    /// Writes an event to `out`, for [`events`](Self::events): a stream's events are encoded as they
    /// come, long before its span begins. `scratch` is cleared and used.
    pub fn write_event(
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
        time: Timestamp,
        name: &str,
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        scratch.clear();
        pb::fixed64(scratch, event_field::TIME, time);
        pb::bytes(scratch, event_field::NAME, name.as_bytes());
        attributes(&mut Attributes {
            out: scratch,
            field: event_field::ATTRIBUTES,
        });
        pb::bytes(out, field::EVENTS, scratch);
    }

    /// Adds a link to another trace's span.
    pub fn link(&mut self, trace: &TraceId, span: &SpanId, flags: u8) {
        let mut link = Vec::with_capacity(33);
        pb::bytes(&mut link, 1, trace);
        pb::bytes(&mut link, 2, span);
        pb::fixed32(&mut link, 6, u32::from(flags));
        pb::bytes(&mut self.out, field::LINKS, &link);
    }

    /// Ends the span.
    pub fn finish(mut self, status: Status, flags: u8) -> Vec<u8> {
        let code = match status {
            Status::Ok => 1,
            Status::Error => 2,
        };
        // The message `Status { code }`, being a tag and one small varint.
        pb::bytes(&mut self.out, field::STATUS, &[3 << 3, code]);
        pb::fixed32(&mut self.out, field::FLAGS, u32::from(flags));
        self.out
    }
}

/// Writes the attributes of a span or an event. Keys have to be unique within one.
pub struct Attributes<'o> {
    out: &'o mut Vec<u8>,
    field: u32,
}

impl<'o> Attributes<'o> {
    /// The attributes of a `Resource`.
    pub(super) fn of_resource(out: &'o mut Vec<u8>) -> Self {
        Self { out, field: 1 }
    }

    /// A string, taken as it is.
    ///
    /// MLflow parses strings that look like a JSON object, array or string: text from outside goes
    /// through [`text`](Self::text).
    pub fn string(&mut self, key: &str, value: &[u8]) {
        let len = pb::delimited_len(value.len());
        self.key_and_value(key, len);
        pb::bytes(self.out, value_field::STRING, value);
    }

    /// Text that MLflow is to show as that very text, whatever it looks like.
    pub fn text(&mut self, key: &str, value: &str) {
        if value.trim_start().starts_with(['{', '[', '"']) {
            let mut quoted = Vec::with_capacity(value.len() + 16);
            crate::json::write_str(value, &mut quoted);
            self.string(key, &quoted);
        } else {
            self.string(key, value.as_bytes());
        }
    }

    /// An integer.
    pub fn int(&mut self, key: &str, value: i64) {
        // Two's complement: a negative int64 takes ten bytes.
        self.key_and_value(key, 1 + pb::varint_len(value as u64));
        pb::integer(self.out, value_field::INT, value as u64);
    }

    /// A floating-point number; has to be finite, since JSON has no other.
    pub fn double(&mut self, key: &str, value: f64) {
        self.key_and_value(key, 9);
        pb::fixed64(self.out, value_field::DOUBLE, value.to_bits());
    }

    /// A truth value.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.key_and_value(key, 2);
        pb::integer(self.out, value_field::BOOL, u64::from(value));
    }

    /// An empty value, which MLflow shows as null.
    pub fn null(&mut self, key: &str) {
        self.key_and_value(key, 0);
    }

    /// The `KeyValue` up to and with the header of its `AnyValue`, whose content is `len` bytes.
    fn key_and_value(&mut self, key: &str, len: usize) {
        let content = pb::delimited_len(key.len()) + pb::delimited_len(len);
        pb::header(self.out, self.field, content);
        pb::bytes(self.out, 1, key.as_bytes());
        pb::header(self.out, 2, len);
    }
}
