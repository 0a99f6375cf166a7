//! opentelemetry-rust's OTLP/HTTP exporter behind its batch processor.
//!
//! It is given the spans that the core makes of the same calls, ready: it decodes no payload, looks for no credentials and knows
//! no prices. So it has the lesser part of the work, the one that every way to MLflow has.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use cpu_time::ProcessTime;
use e2e::events::Call;
use opentelemetry::KeyValue;
use opentelemetry::trace::{
    Event, Span as _, SpanBuilder, Status, Tracer as _, TracerProvider as _,
};
use opentelemetry_otlp::{Compression, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::trace::v1 as trace;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};
use prost::Message;

use super::{Peer, Taken};
use crate::native;
use crate::workload::Workload;

/// Spans of a batch: as the core has it.
const BATCH: usize = 256;

/// A tracer whose spans go to MLflow.
pub struct Exporter {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Exporter {
    pub fn new(uri: &str) -> Result<Self> {
        let headers = [("x-mlflow-experiment-id".to_owned(), "0".to_owned())];
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{uri}/v1/traces"))
            .with_headers(headers.into())
            .with_compression(Compression::Gzip)
            .with_timeout(Duration::from_secs(60))
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_export_batch_size(BATCH)
            .with_max_queue_size(64 * BATCH);
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build());
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor.build())
            .build();
        let tracer = provider.tracer("bench");
        Ok(Self { provider, tracer })
    }

    /// A span from its beginning to its end, which hands it to the processor.
    fn record(&self, span: Ready) {
        let builder = SpanBuilder::from_name(span.name)
            .with_start_time(span.start)
            .with_attributes(span.attributes)
            .with_events(span.events);
        let mut recorded = self.tracer.build(builder);
        recorded.set_status(Status::Ok);
        recorded.end_with_timestamp(span.end);
    }
}

impl Peer for Exporter {
    fn name(&self) -> &'static str {
        "OpenTelemetry's exporter"
    }

    fn log(&mut self, calls: &[Call]) -> Result<Taken> {
        let spans = spans(calls)?;
        let (cpu, begun) = (ProcessTime::now(), Instant::now());
        for span in spans {
            self.record(span);
        }
        let caller = begun.elapsed();
        self.provider.force_flush()?;
        Ok(Taken {
            cpu: cpu.elapsed(),
            caller,
            wall: begun.elapsed(),
        })
    }
}

/// What a span is made of.
struct Ready {
    name: String,
    start: SystemTime,
    end: SystemTime,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
}

/// The spans that the core makes of the calls.
fn spans(calls: &[Call]) -> Result<Vec<Ready>> {
    let workload = Workload::of(calls);
    let mut ready = Vec::new();
    for body in native::bodies(&workload, BATCH)? {
        let request = ExportTraceServiceRequest::decode(&body[..])?;
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|spans| spans.scope_spans);
        ready.extend(scopes.flat_map(|scope| scope.spans).map(Ready::of));
    }
    Ok(ready)
}

impl Ready {
    fn of(span: trace::Span) -> Self {
        let event = |event: trace::span::Event| {
            let attributes = attributes(event.attributes);
            Event::new(event.name, time(event.time_unix_nano), attributes, 0)
        };
        Self {
            name: span.name,
            start: time(span.start_time_unix_nano),
            end: time(span.end_time_unix_nano),
            attributes: attributes(span.attributes),
            events: span.events.into_iter().map(event).collect(),
        }
    }
}

fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn attributes(attributes: Vec<common::KeyValue>) -> Vec<KeyValue> {
    use common::any_value::Value;
    let known = attributes.into_iter().filter_map(|attribute| {
        Some(match attribute.value?.value? {
            Value::StringValue(text) => KeyValue::new(attribute.key, text),
            Value::BoolValue(truth) => KeyValue::new(attribute.key, truth),
            Value::IntValue(number) => KeyValue::new(attribute.key, number),
            Value::DoubleValue(number) => KeyValue::new(attribute.key, number),
            // The core writes no others.
            _ => return None,
        })
    });
    known.collect()
}
