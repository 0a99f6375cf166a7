//! Spans on their way to the server: queue, batches, requests, answers.
//!
//! A *lane* leads to one experiment of one server. Spans queue in their lane until a batch is due; a
//! batch goes out as one request, and what the answer means decides: delivered, tried again, split in
//! two, refused. An obstacle on the server's side holds all lanes of that server, one on the
//! experiment's side holds that lane alone.

mod answers;
mod backoff;
mod feedback;
mod lane;
mod lookup;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::EventKey;
use crate::otlp;
use crate::report::{Deferral, Refusal, Report, Stats};
use crate::settings::{Experiment, Protocol, Settings};
use crate::span::Encoded;
use crate::transport::{Method, Request, RequestId, Response, TransportError};
use backoff::Backoff;
use lane::{Batch, Lane, Span};
use verdict::Obstacle;

/// What a span adds to the time its request may take.
const TIMEOUT_PER_SPAN: Duration = Duration::from_millis(50);

/// Names a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneId(usize);

/// How much is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Full batches and old spans.
    Some,
    /// Everything.
    All,
}

/// The queue and what is under way.
#[derive(Debug)]
pub struct Outbox {
    servers: Vec<Server>,
    lanes: Vec<Lane>,
    feedback: feedback::Queue,
    in_flight: BTreeMap<RequestId, InFlight>,
    next_request: u64,
    random: u64,
    report: Report,
    bytes: usize,
}

/// A server under one set of settings.
#[derive(Debug)]
struct Server {
    settings: Settings,
    backoff: Backoff,
}

#[derive(Debug)]
enum InFlight {
    Lookup(LaneId),
    Batch(LaneId, Batch),
    Feedback(feedback::Assessment),
}

impl Outbox {
    /// An empty outbox; `seed` spreads the waiting times of many hosts.
    pub fn new(seed: u64) -> Self {
        Self {
            servers: Vec::new(),
            lanes: Vec::new(),
            feedback: feedback::Queue::new(),
            in_flight: BTreeMap::new(),
            next_request: 0,
            random: seed | 1,
            report: Report::default(),
            bytes: 0,
        }
    }

    /// From now on lanes lead to this server. What is queued stays bound to where it was.
    pub fn configure(&mut self, settings: Settings) {
        self.servers.push(Server {
            settings,
            backoff: Backoff::default(),
        });
    }

    /// The lane to an experiment of the server last configured.
    pub fn lane(&mut self, experiment: &Experiment) -> LaneId {
        let server = self.servers.len().saturating_sub(1);
        let known = self
            .lanes
            .iter()
            .position(|lane| lane.server == server && lane.experiment == *experiment);
        LaneId(known.unwrap_or_else(|| {
            let protocol = self
                .servers
                .get(server)
                .map(|server| server.settings.server.protocol);
            self.lanes.push(Lane::new(
                server,
                experiment.clone(),
                protocol.unwrap_or_default(),
            ));
            self.lanes.len() - 1
        }))
    }

    /// Queues a call's spans.
    pub fn push(&mut self, lane: LaneId, now: Duration, encoded: Encoded, keys: Vec<EventKey>) {
        let span = Span {
            bytes: encoded.span,
            children: encoded.children,
            trace: encoded.trace,
            keys,
        };
        self.bytes += span.held();
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            lane.push(now, span);
        }
    }

    /// Notes events that are left out on purpose.
    pub fn skip(&mut self, keys: Vec<EventKey>, reason: &str) {
        let reason = reason.to_owned();
        self.report.skipped.push(Refusal { keys, reason });
    }

    /// Notes events that turned out to be of no use.
    pub fn refuse(&mut self, keys: Vec<EventKey>, reason: String) {
        self.report.refused.push(Refusal { keys, reason });
    }

    /// Notes that bytes are held no more.
    fn release(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Spans held.
    pub fn spans(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(Lane::spans).sum();
        let in_flight = self.in_flight.values().map(|request| match request {
            InFlight::Lookup(_) | InFlight::Feedback(_) => 0,
            InFlight::Batch(_, batch) => batch.spans.len(),
        });
        lanes + in_flight.sum::<usize>()
    }

    /// Makes batches of what is due.
    pub fn cut(&mut self, now: Duration, due: Due) {
        for lane in &mut self.lanes {
            if let Some(server) = self.servers.get(lane.server) {
                lane.cut(now, due, &server.settings.delivery);
            }
        }
    }

    /// The next request to send, if one can go out now. Further ones may follow before it is answered.
    pub fn poll_request(&mut self, now: Duration, stats: &mut Stats) -> Option<Request> {
        let request = (0..self.lanes.len())
            .find_map(|index| self.request_of(LaneId(index), now))
            .or_else(|| self.poll_feedback(now))?;
        stats.requests += 1;
        stats.bytes_sent += request.body.len() as u64;
        Some(request)
    }

    fn request_of(&mut self, id: LaneId, now: Duration) -> Option<Request> {
        let lane = self.lanes.get_mut(id.0)?;
        let server = self.servers.get(lane.server)?;
        if lane.ready.is_empty() || lane.wait(now).max(server.backoff.wait(now)) > Duration::ZERO {
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
                let batch = lane.ready.pop_front()?;
                let spans: Vec<&[u8]> = batch
                    .spans
                    .iter()
                    .flat_map(|span| std::iter::once(&span.bytes).chain(&span.children))
                    .map(Vec::as_slice)
                    .collect();
                let mut headers = vec![
                    ("content-type", "application/x-protobuf".to_owned()),
                    ("content-encoding", "gzip".to_owned()),
                ];
                if let Some(experiment) = experiment {
                    headers.push(("x-mlflow-experiment-id", experiment.to_owned()));
                }
                if let Some(run) = &settings.server.run_id {
                    headers.push(("x-mlflow-run-id", run.clone()));
                }
                let url = format!("{}/v1/traces", settings.server.tracking_uri);
                let spans_in = u32::try_from(spans.len()).unwrap_or(u32::MAX);
                let timeout = timeout + TIMEOUT_PER_SPAN.saturating_mul(spans_in);
                let body = otlp::request::gzipped(service_name(settings.server.protocol), &spans);
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

    /// Takes in what came of a request.
    pub fn on_response(
        &mut self,
        now: Duration,
        request: RequestId,
        answer: Result<Response, TransportError>,
        stats: &mut Stats,
    ) {
        match self.in_flight.remove(&request) {
            Some(InFlight::Lookup(lane)) => self.on_lookup(now, lane, &answer, stats),
            Some(InFlight::Batch(lane, batch)) => self.on_batch(now, lane, batch, &answer, stats),
            Some(InFlight::Feedback(assessment)) => {
                self.on_feedback(now, assessment, &answer, stats);
            }
            None => {}
        }
    }

    /// In how long there is something to do: zero if there is now, none if nothing waits.
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        self.lanes
            .iter()
            .filter_map(|lane| {
                let server = self.servers.get(lane.server)?;
                let due = lane.due_in(now, &server.settings.delivery)?;
                Some(due.max(server.backoff.wait(now)).max(lane.wait(now)))
            })
            .chain(self.feedback_wake(now))
            .min()
    }

    /// What became of events since the last time, and what holds up the rest.
    pub fn take_report(&mut self, now: Duration) -> Report {
        let mut report = std::mem::take(&mut self.report);
        let lanes = self.lanes.iter().filter(|lane| !lane.ready.is_empty());
        let obstacles = lanes.filter_map(|lane| {
            let server = self.servers.get(lane.server)?;
            let after = lane.wait(now).max(server.backoff.wait(now));
            let obstacle = lane.backoff.obstacle().or(server.backoff.obstacle())?;
            Some(Deferral {
                after,
                reason: obstacle.reason.clone(),
                cause: obstacle.cause,
            })
        });
        report.deferred = obstacles
            .chain(self.deferred_feedback(now))
            .min_by_key(|deferral| deferral.after);
        report
    }
}

/// See [`otlp::request::body`].
fn service_name(protocol: Protocol) -> Option<&'static str> {
    (protocol == Protocol::Otlp).then_some("llm-gateway")
}

fn build(
    id: RequestId,
    server: &crate::settings::Server,
    method: Method,
    url: String,
    mut headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    timeout: Duration,
) -> Request {
    if let Some(credentials) = &server.credentials.0 {
        headers.push(("authorization", credentials.clone()));
    }
    if let Some(workspace) = &server.workspace {
        headers.push(("x-mlflow-workspace", workspace.clone()));
    }
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
