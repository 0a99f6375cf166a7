//! The requests that lanes send: experiments looked up, batches delivered.

use std::time::Duration;

use super::{InFlight, LaneId, Outbox, batch, lookup};
use crate::otlp;
use crate::settings::{Protocol, Server};
use crate::transport::{Method, Request, RequestId};

/// What a span adds to the time its request may take.
const TIMEOUT_PER_SPAN: Duration = Duration::from_millis(50);
/// A small part of a batch that got no answer in time has one in so many parts of that time, unless it is one call alone.
const BRIEF: u32 = 4;

impl Outbox {
    /// What a lane sends next, if it can now.
    pub(super) fn request_of(&mut self, id: LaneId, now: Duration) -> Option<Request> {
        let lane = self.lanes.get_mut(id.0)?;
        let server = self.servers.get(lane.server)?;
        let has_due = lane.ready.iter().any(|batch| batch.wait(now).is_zero());
        if !has_due || lane.wait(now).max(server.backoff.wait(now)) > Duration::ZERO {
            return None;
        }
        let request = RequestId(self.next_request);
        let settings = &server.settings;
        let timeout = settings.delivery.timeout;
        let (request, in_flight) = match lane.lookup.step(&settings.server, &lane.experiment) {
            lookup::Step::Wait => return None,
            lookup::Step::Ask { method, url, body } => {
                let mut headers = vec![("accept", "application/json".to_owned())];
                if method == Method::Post {
                    headers.push(("content-type", "application/json".to_owned()));
                }
                let request = build(
                    request,
                    &settings.server,
                    method,
                    url,
                    headers,
                    body,
                    timeout,
                );
                (request, InFlight::Lookup(id))
            }
            lookup::Step::Known(experiment) => {
                let batch = batch::next(&mut lane.ready, now, server.fitting)?;
                let spans: Vec<&[u8]> = batch
                    .spans
                    .iter()
                    .flat_map(|span| std::iter::once(&span.bytes).chain(&span.children))
                    .map(Vec::as_slice)
                    .collect();
                let mut headers = vec![("content-type", "application/x-protobuf".to_owned())];
                if let Some(experiment) = experiment {
                    headers.push(("x-mlflow-experiment-id", experiment.to_owned()));
                }
                if let Some(run) = &settings.server.run_id {
                    headers.push(("x-mlflow-run-id", run.clone()));
                }
                let url = format!("{}/v1/traces", settings.server.tracking_uri);
                let spans_in = u32::try_from(spans.len()).unwrap_or(u32::MAX);
                let timeout = timeout + TIMEOUT_PER_SPAN.saturating_mul(spans_in);
                let is_part = batch.brief && batch.spans.len() > 1;
                let timeout = timeout / if is_part { BRIEF } else { 1 };
                let service = service_name(settings.server.protocol);
                let body = if settings.delivery.gzip {
                    headers.push(("content-encoding", "gzip".to_owned()));
                    otlp::request::gzipped(service, &spans)
                } else {
                    otlp::request::body(service, &spans)
                };
                let request = build(
                    request,
                    &settings.server,
                    Method::Post,
                    url,
                    headers,
                    body,
                    timeout,
                );
                (request, InFlight::Batch(id, batch))
            }
        };
        self.next_request += 1;
        self.in_flight.insert(request.id, in_flight);
        Some(request)
    }
}

/// See [`otlp::request::body`].
fn service_name(protocol: Protocol) -> Option<&'static str> {
    (protocol == Protocol::Otlp).then_some("llm-gateway")
}

/// A request with what the settings add to each.
pub(super) fn build(
    id: RequestId,
    server: &Server,
    method: Method,
    url: String,
    mut headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    timeout: Duration,
) -> Request {
    let entry = server.entry_fields();
    headers.extend(entry.map(|(name, value)| (name, value.to_owned())));
    Request {
        id,
        method,
        url,
        headers,
        extra_headers: server.headers.0.clone(),
        body,
        timeout,
    }
}
