//! The logging of one worker thread: calls that pass, calls that wait, and the core's logger.
//!
//! Nothing here knows the proxy: `now` is handed in, requests are handed out. What may be held, open
//! calls, waiting ones and the core's queue together, is `queue_max_bytes`.

mod log;
pub mod numbers;

use std::collections::VecDeque;
use std::time::Duration;

use logger_core::event::Timestamp;
use logger_core::report::Report;
use logger_core::settings::{Proxy, Settings};
use logger_core::transport::{Request, RequestId, Response, TransportError};
use logger_core::{FlushMode, Logger};

use crate::gate::Gate;
use crate::pace::Pace;
use crate::record::{Body, Ended, Record};
use numbers::Numbers;

/// Requests under way at a time. More gain nothing: the server's time is what they share.
const IN_FLIGHT: usize = 4;

/// Calls that may wait to be read. Past half of them, not every call is logged: reading takes longer than
/// `worker_share` allows.
const BACKLOG: f64 = 4096.0;

/// What copying a call takes of a worker's time, beside reading it: as measured in Envoy.
const COPYING: Duration = Duration::from_micros(15);

/// The logging of one worker thread under one set of settings.
#[derive(Debug)]
pub struct Worker {
    /// What only a proxy is told.
    pub proxy: Proxy,
    logger: Logger,
    most: usize,
    gate: Gate,
    pace: Pace,
    waiting: VecDeque<Ended>,
    /// Bytes of open and of waiting calls.
    bytes: usize,
    open: usize,
    in_flight: usize,
    next_key: u64,
    closing: bool,
    counts: Numbers,
    tell: log::Tell,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// To send a request.
    Send(Request),
    /// Nothing: something was done, and there may be more.
    More,
    /// Nothing for now.
    Done,
}

impl Worker {
    /// One with nothing to do. `seed` makes ids.
    pub fn new(settings: Settings, seed: u64, now: Duration) -> Self {
        let proxy = settings.proxy.clone();
        let most = settings.delivery.queue_max_bytes;
        let mut logger = Logger::new(seed);
        logger.configure_with(settings);
        Self {
            pace: Pace::new(proxy.worker_share, now),
            proxy,
            logger,
            most,
            gate: Gate::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            open: 0,
            in_flight: 0,
            next_key: 0,
            closing: false,
            counts: Numbers::default(),
            tell: log::Tell::default(),
        }
    }

    /// Whether the call that comes is logged. If not, it passes and is counted.
    pub fn admits(&mut self) -> bool {
        self.counts.calls += 1;
        let bytes = self.held() as f64 / self.most.max(1) as f64;
        let calls = self.waiting.len() as f64 / BACKLOG;
        let admitted = self.gate.admit(bytes.max(calls));
        self.counts.dropped_full += u64::from(!admitted);
        admitted
    }

    /// A call that is logged has come.
    pub fn begin(&mut self, at: Timestamp, provider: Option<String>) -> Box<Record> {
        self.next_key += 1;
        self.open += 1;
        let record = Box::new(Record {
            key: self.next_key,
            started: at,
            provider,
            request: Body::default(),
            response: Body::default(),
            is_complete: false,
        });
        self.bytes += record.held();
        record
    }

    /// How much of a part of a body is to be copied.
    pub fn wants(&self, body: &Body, part: usize) -> usize {
        let room = self.most.saturating_sub(self.held());
        body.wants(part, room, self.proxy.log_body_bytes)
    }

    /// A part of a body has passed, of which this was copied.
    pub fn keep(&mut self, body: &mut Body, at: Timestamp, came: usize, copied: Vec<u8>) {
        self.bytes += body.add(at, came, copied);
    }

    /// What was copied of a body is of no use.
    pub fn discard(&mut self, body: &mut Body) {
        self.bytes = self.bytes.saturating_sub(body.held());
        *body = Body::default();
    }

    /// A call has ended, and waits.
    pub fn end(&mut self, ended: Ended) {
        self.open = self.open.saturating_sub(1);
        self.pace.spent(COPYING);
        self.bytes += ended.heads();
        self.waiting.push_back(ended);
    }

    /// A call has ended that is none to be logged.
    pub fn forget(&mut self, record: &Record) {
        self.open = self.open.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(record.held());
    }

    /// Until when to work, from `now` on; none: not now.
    pub fn slice(&mut self, now: Duration) -> Option<Duration> {
        let mode = match self.closing && self.waiting.is_empty() {
            true => FlushMode::All,
            false => FlushMode::Due,
        };
        self.logger.prepare(now, mode);
        self.pace.begin(now)
    }

    /// Does one piece of work.
    pub fn step(&mut self, now: Duration) -> Step {
        if self.in_flight < IN_FLIGHT
            && let Some(request) = self.logger.poll_request(now)
        {
            self.in_flight += 1;
            return Step::Send(request);
        }
        match self.waiting.pop_front() {
            Some(ended) => {
                self.bytes = self.bytes.saturating_sub(ended.held());
                self.log(now, ended);
                Step::More
            }
            None => Step::Done,
        }
    }

    /// The slice that began at `from` ended at `to`.
    pub fn worked(&mut self, from: Duration, to: Duration) {
        self.pace.spent(to.saturating_sub(from));
    }

    /// A request was answered, or not.
    pub fn answered(
        &mut self,
        now: Duration,
        request: RequestId,
        answer: Result<Response, TransportError>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.logger.on_response(now, request, answer);
    }

    /// In how long there is work to do; none: not before something comes.
    pub fn wake(&self, now: Duration) -> Option<Duration> {
        if !self.waiting.is_empty() || (self.closing && !self.is_empty()) {
            return Some(Duration::ZERO);
        }
        self.logger.next_wake(now)
    }

    /// Takes in what became of calls. What there is to tell people comes back.
    pub fn settle(&mut self, now: Duration) -> Vec<log::Line> {
        let report = self.logger.take_report(now);
        let Report {
            refused,
            returned,
            deferred,
            delivered,
            ..
        } = report;
        self.counts.dropped_undelivered += returned.len() as u64;
        let dropped = self.counts.dropped_full + self.counts.dropped_undelivered;
        let settled = !delivered.is_empty();
        self.tell.of(now, &refused, deferred, settled, dropped)
    }

    /// No more calls will come: all that waits is to be delivered.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// What is left cannot be delivered in time: how many calls are lost with it. They are counted as such.
    pub fn give_up(&mut self) -> u64 {
        let lost = self.waiting.len() as u64 + self.logger.stats().queued_spans;
        self.counts.dropped_undelivered += lost;
        lost
    }

    /// Whether nothing is left to be delivered.
    pub fn is_empty(&self) -> bool {
        let queued = self.logger.stats().queued_spans;
        self.open == 0 && self.waiting.is_empty() && self.in_flight == 0 && queued == 0
    }

    /// Counts, and gauges of now.
    pub fn numbers(&self) -> Numbers {
        let stats = self.logger.stats();
        Numbers {
            delivered: stats.spans_delivered,
            refused: stats.spans_refused,
            skipped: stats.spans_skipped,
            batches: stats.requests,
            retries: stats.requests_failed,
            bytes_sent: stats.bytes_sent,
            queued_bytes: self.held() as u64,
            queued_calls: self.waiting.len() as u64 + stats.queued_spans,
            open_calls: self.open as u64,
            in_flight: self.in_flight as u64,
            ..self.counts
        }
    }

    fn held(&self) -> usize {
        self.bytes + self.logger.held_bytes()
    }
}

#[cfg(test)]
mod tests;
