//! One OTLP request: `ExportTraceServiceRequest` around spans that are encoded already, gzipped or not.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::protobuf as pb;

/// Field numbers, the same in `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.resource` and
/// `ScopeSpans.scope` (1), and in `ResourceSpans.scope_spans` and `ScopeSpans.spans` (2).
const FIRST: u32 = 1;
const SECOND: u32 = 2;

/// gzip's level, by measurement: see `docs/performance.md`.
pub const LEVEL: u32 = 3;

/// The request's body, not compressed. `service` is the resource's `service.name`: collectors expect
/// one, MLflow makes a tag of it on every trace.
pub fn body(service: Option<&str>, spans: &[&[u8]]) -> Vec<u8> {
    let head = head(service, spans);
    let mut body = Vec::with_capacity(head.len() + content_len(spans));
    body.extend_from_slice(&head);
    for span in spans {
        pb::bytes(&mut body, SECOND, span);
    }
    body
}

/// [`body`] as gzip, for `content-encoding: gzip`. The same spans give the same bytes.
pub fn gzipped(service: Option<&str>, spans: &[&[u8]]) -> Vec<u8> {
    let mut header = Vec::with_capacity(8);
    let out = Vec::with_capacity(content_len(spans) / 4 + 64);
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(out, Compression::new(LEVEL));
    // Writing to memory does not fail.
    let mut write = || {
        gzip.write_all(&head(service, spans))?;
        for span in spans {
            header.clear();
            pb::header(&mut header, SECOND, span.len());
            gzip.write_all(&header)?;
            gzip.write_all(span)?;
        }
        std::io::Result::Ok(())
    };
    let written = write();
    written.and_then(|()| gzip.finish()).unwrap_or_default()
}

/// Everything before the first span.
fn head(service: Option<&str>, spans: &[&[u8]]) -> Vec<u8> {
    let mut scope = Vec::new();
    pb::bytes(&mut scope, 1, env!("CARGO_PKG_NAME").as_bytes());
    pb::bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    let mut resource = Vec::new();
    if let Some(service) = service {
        super::Attributes::of_resource(&mut resource).string("service.name", service.as_bytes());
    }
    let scope_spans = pb::delimited_len(scope.len()) + content_len(spans);
    let resource_spans = pb::delimited_len(resource.len()) + pb::delimited_len(scope_spans);
    let mut head = Vec::with_capacity(160);
    pb::header(&mut head, FIRST, resource_spans);
    pb::bytes(&mut head, FIRST, &resource);
    pb::header(&mut head, SECOND, scope_spans);
    pb::bytes(&mut head, FIRST, &scope);
    head
}

fn content_len(spans: &[&[u8]]) -> usize {
    spans.iter().map(|span| pb::delimited_len(span.len())).sum()
}
