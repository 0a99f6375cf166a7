//! Spans as OTLP protobuf, written straight into bytes: opentelemetry-proto v1, file
//! `opentelemetry/proto/trace/v1/trace.proto`.
//!
//! Written by hand because a span is write-once here: no message tree is built, nothing is measured
//! before it is written, and the module stays small inside the sandbox. The property tests in
//! `tests/otlp_oracle.rs` decode what comes out with `opentelemetry-proto`.

pub mod protobuf;
pub mod request;
pub mod response;
mod span;

pub use span::{Attributes, SpanHead, SpanWriter, Status};
