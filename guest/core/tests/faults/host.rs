//! A host that logs, sends and keeps book, and finds fault with whatever should not be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use logger_core::event::{EventError, EventKey, Hook};
use logger_core::transport::{Request, Response, TransportError};
use logger_core::{FlushMode, Logger};
use proptest::sample::Index;
use serde_json::{Value as Json, json};

use crate::schedule::{Fault, Kind, Step};
use crate::server::{LARGEST, Server, calls, is_batch};
use crate::support::{Answer, answer, chunk, event, payload};

/// No wait is ever longer: the longest `Retry-After` that is taken.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// No wait after a failure is ever shorter.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// A server without faults has everything settled within this many requests and waits.
const ENOUGH: usize = 20_000;

/// What is logged, for as long as it has to be logged again.
struct Logged {
    call: String,
    hook: Hook,
    payload: Json,
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Delivered,
    Refused,
    Skipped,
}

pub struct Host {
    logger: Logger,
    concurrency: usize,
    /// Time that has passed, and by how much the clock lags behind.
    passed: Duration,
    behind: Duration,
    servers: [Server; 2],
    /// When each may be asked again, unless somebody mends what is wrong.
    not_before: [Duration; 2],
    to_mend: [bool; 2],
    queue_max: usize,
    in_flight: Vec<Request>,
    events: BTreeMap<EventKey, Logged>,
    /// To be logged, in order: fresh, refused for lack of room, or given back.
    to_log: VecDeque<EventKey>,
    /// What the logger holds.
    held: BTreeSet<EventKey>,
    ended: BTreeMap<EventKey, End>,
    /// Calls whose spans the server has taken or refused for good, as the logger was told.
    settled: BTreeSet<String>,
    streams: BTreeMap<u8, String>,
}

/// Settings that a host changes between: where to, how large batches are, and how patient it is.
fn settings(which: usize) -> Json {
    let experiment = json!({"experiment_name": "x"});
    let mut all = match which {
        0 => {
            json!({"tracking_uri": "http://0:5000", "batch_max_spans": 8, "queue_max_bytes": 1 << 20})
        }
        1 => {
            json!({"tracking_uri": "http://1:5000", "batch_max_spans": 3, "queue_max_bytes": 1 << 20})
        }
        2 => {
            json!({"tracking_uri": "http://0:5000", "retry_max_elapsed_ms": 1000, "queue_max_bytes": 65_536})
        }
        _ => {
            json!({"tracking_uri": "http://1:5000", "flush_interval_ms": 0, "queue_max_bytes": 65_536})
        }
    };
    all.as_object_mut()
        .unwrap()
        .extend(experiment.as_object().unwrap().clone());
    all
}

impl Host {
    pub fn new(concurrency: usize) -> Self {
        let mut host = Self {
            logger: Logger::new(7),
            concurrency,
            passed: Duration::from_secs(100_000),
            behind: Duration::ZERO,
            servers: Default::default(),
            not_before: Default::default(),
            to_mend: Default::default(),
            queue_max: 0,
            in_flight: Vec::new(),
            events: BTreeMap::new(),
            to_log: VecDeque::new(),
            held: BTreeSet::new(),
            ended: BTreeMap::new(),
            settled: BTreeSet::new(),
            streams: BTreeMap::new(),
        };
        host.configure(0);
        host
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Log(kind, size) => self.call(kind, size),
            Step::Stream { stream, ends } => self.stream(stream, ends),
            Step::Feedback(about) => self.feedback(about),
            Step::Flush(mode) => self.flush(mode),
            Step::Answer(which, fault) => {
                if !self.in_flight.is_empty() {
                    let request = self.in_flight.remove(which.index(self.in_flight.len()));
                    self.answer(request, fault);
                    self.report();
                }
            }
            Step::Advance(by) => self.passed += by,
            Step::SetBack(by) => self.behind += by,
            Step::Configure(which) => self.configure(which.index(4)),
        }
        self.log();
    }

    fn now(&self) -> Duration {
        self.passed - self.behind
    }

    fn configure(&mut self, which: usize) {
        let settings = settings(which);
        self.queue_max = usize::try_from(settings["queue_max_bytes"].as_u64().unwrap()).unwrap();
        self.logger.configure(&settings.to_string()).unwrap();
        let server = which % 2;
        if self.to_mend[server] {
            self.not_before[server] = Duration::ZERO;
        }
    }

    fn call(&mut self, kind: Kind, size: usize) {
        let number = self.events.len();
        let (name, size) = match kind {
            Kind::Good => ("good", size),
            Kind::Poison => ("poison", size),
            Kind::Oversized => ("oversized", size + LARGEST),
        };
        let call = format!("{name}-{number}");
        let mut payload = payload(&call);
        payload["response_obj"]["choices"][0]["message"]["content"] = "x".repeat(size).into();
        self.add(call, Hook::Success, payload);
    }

    fn stream(&mut self, stream: u8, ends: bool) {
        let number = self.events.len();
        let call = self
            .streams
            .entry(stream)
            .or_insert_with(|| format!("stream-{number}"))
            .clone();
        let mut payload = chunk(&call, "word ");
        if ends {
            self.streams.remove(&stream);
            payload = crate::support::payload(&call);
            payload["kwargs"]["stream"] = true.into();
            payload["kwargs"]["complete_streaming_response"] = payload["response_obj"].clone();
            self.add(call, Hook::Success, payload);
        } else {
            self.add(call, Hook::Stream, payload);
        }
    }

    fn feedback(&mut self, about: Index) {
        let mut calls = self
            .events
            .values()
            .filter(|logged| logged.hook == Hook::Success);
        let count = calls.clone().count();
        if count > 0
            && let Some(logged) = calls.nth(about.index(count))
        {
            let payload = json!({"name": "helpful", "value": true, "call_id": logged.call});
            let call = format!("feedback-{}", logged.call);
            self.add(call, Hook::Feedback, payload);
        }
    }

    fn add(&mut self, call: String, hook: Hook, payload: Json) {
        let key = self.events.len() as EventKey;
        self.events.insert(
            key,
            Logged {
                call,
                hook,
                payload,
            },
        );
        self.to_log.push_back(key);
    }

    /// Logs what waits, as far as there is room.
    fn log(&mut self) {
        while let Some(key) = self.to_log.front().copied() {
            let logged = &self.events[&key];
            let text = logged.payload.to_string();
            let now = self.now();
            match self.logger.log(now, &event(logged.hook, key, &text)) {
                Ok(()) => assert!(self.held.insert(key)),
                Err(EventError::QueueFull) => break,
                Err(error) => panic!("event {key} is refused by its hook: {error}"),
            }
            self.to_log.pop_front();
        }
        let held = usize::try_from(self.logger.stats().queued_bytes).unwrap();
        // Settings may have lowered the bound below what is held. One event may pass it by what encoding
        // adds to its payload.
        assert!(
            held <= self.queue_max.max(1 << 20) + 4096,
            "{held} bytes are held"
        );
    }

    fn flush(&mut self, mode: FlushMode) {
        let now = self.now();
        self.logger.prepare(now, mode);
        self.poll();
        self.report();
    }

    /// Takes requests as long as there is room and the logger has some.
    fn poll(&mut self) {
        let now = self.now();
        while self.in_flight.len() < self.concurrency {
            let Some(request) = self.logger.poll_request(now) else {
                // Whatever is due would have been sent.
                assert_ne!(self.logger.next_wake(now), Some(Duration::ZERO), "it spins");
                break;
            };
            self.check_sent(&request);
            self.in_flight.push(request);
        }
    }

    fn check_sent(&self, request: &Request) {
        let not_before = self.not_before[server_of(request)];
        assert!(
            self.passed >= not_before,
            "sent {:?} too early",
            not_before - self.passed
        );
        if !is_batch(request) {
            return;
        }
        for (_, call) in calls(request) {
            // What of a stream comes after its end was reported is another span's upsert.
            let once = !call.starts_with("stream");
            assert!(
                !once || !self.settled.contains(&call),
                "{call} is sent after its end"
            );
            let under_way = self.in_flight.iter().filter(|other| is_batch(other));
            let twice = under_way
                .flat_map(calls)
                .any(|(_, other)| once && other == call);
            assert!(!twice, "{call} is sent twice at a time");
        }
    }

    fn answer(&mut self, request: Request, fault: Option<Fault>) {
        let server = server_of(&request);
        let spans = if is_batch(&request) {
            calls(&request)
        } else {
            Vec::new()
        };
        let answer = match fault {
            Some(Fault::Status(status, after)) => {
                self.failed(&request, status, after);
                Ok(Response {
                    status,
                    retry_after: after.map(|seconds| seconds.to_string()),
                    body: b"fault".into(),
                })
            }
            Some(Fault::TooMany(status)) if spans.len() > 1 => answer(status, "fault"),
            Some(Fault::Connect) => {
                self.lost(server, TransportError::Connect("refused".to_owned()))
            }
            Some(Fault::Lost { timeout, served }) => {
                if served {
                    // The logger never hears what it said.
                    let _ = self.servers[server].answer(&request);
                }
                let error = match timeout {
                    true => TransportError::Timeout(request.timeout),
                    false => TransportError::Other("the connection broke".to_owned()),
                };
                self.lost(server, error)
            }
            Some(Fault::TooMany(_)) | None => self.servers[server].answer(&request),
        };
        let status = answer.as_ref().map(|answer| answer.status);
        if matches!(status, Ok(200)) || (matches!(status, Ok(400 | 413 | 422)) && spans.len() == 1)
        {
            self.settled.extend(spans.into_iter().map(|(_, call)| call));
        }
        let now = self.now();
        self.logger.on_response(now, request.id, answer);
    }

    /// An answer is not what it should be: how long is the server to be left alone?
    fn failed(&mut self, request: &Request, status: u16, after: Option<u64>) {
        let misconfigured = matches!(status, 302 | 401 | 403 | 404 | 501);
        let asked = after.filter(|_| !misconfigured).map(Duration::from_secs);
        let wait = asked.unwrap_or_default().clamp(SHORTEST_WAIT, LONGEST_WAIT);
        self.leave_alone(server_of(request), wait, misconfigured);
    }

    fn lost(&mut self, server: usize, error: TransportError) -> Answer {
        self.leave_alone(server, SHORTEST_WAIT, false);
        Err(error)
    }

    fn leave_alone(&mut self, server: usize, wait: Duration, to_mend: bool) {
        self.to_mend[server] = to_mend;
        let until = &mut self.not_before[server];
        *until = (*until).max(self.passed + wait);
    }

    /// Reads the report, and checks that the logger says when to call it again.
    fn report(&mut self) {
        let now = self.now();
        let report = self.logger.take_report(now);
        for delivery in report.delivered {
            for key in delivery.keys {
                let stored = self
                    .servers
                    .iter()
                    .any(|server| server.traces.contains_key(delivery.trace_id.as_slice()));
                assert!(stored, "event {key} is nowhere");
                self.end(key, End::Delivered);
            }
        }
        for refusal in report.refused {
            refusal
                .keys
                .into_iter()
                .for_each(|key| self.end(key, End::Refused));
        }
        for refusal in report.skipped {
            refusal
                .keys
                .into_iter()
                .for_each(|key| self.end(key, End::Skipped));
        }
        for refusal in report.returned {
            for key in refusal.keys {
                assert!(
                    self.held.remove(&key),
                    "event {key} is given back and was not held"
                );
                self.to_log.push_back(key);
            }
        }
        if let Some(deferral) = report.deferred {
            assert!(deferral.after <= LONGEST_WAIT, "{deferral:?}");
            assert!(!deferral.reason.is_empty());
        }
        let wake = self.logger.next_wake(now);
        if !self.held.is_empty() && self.in_flight.is_empty() {
            let wake = wake.expect("events are held and nothing is under way");
            assert!(
                wake <= LONGEST_WAIT.max(Duration::from_secs(15 * 60)),
                "{wake:?}"
            );
        }
    }

    fn end(&mut self, key: EventKey, end: End) {
        assert!(
            self.held.remove(&key),
            "event {key} is {end:?} and was not held"
        );
        let before = self.ended.insert(key, end);
        assert_eq!(before, None, "event {key} is {end:?}");
    }

    /// The faults are over: everything has to end, at the times that the logger asks for.
    pub fn settle(&mut self) {
        for _ in 0..ENOUGH {
            self.log();
            while let Some(request) = self.in_flight.pop() {
                self.answer(request, None);
                self.report();
            }
            let mode = if self.to_log.is_empty() {
                FlushMode::Close
            } else {
                FlushMode::Due
            };
            self.flush(mode);
            if self.in_flight.is_empty() {
                if self.held.is_empty() && self.to_log.is_empty() {
                    return;
                }
                let now = self.now();
                self.passed += self.logger.next_wake(now).unwrap_or(Duration::from_secs(1));
            }
        }
        panic!(
            "after {ENOUGH} rounds without faults, {:?} are still held",
            self.held
        );
    }

    /// Exactly the good calls are stored, and they were reported so; a stream's events may have been left
    /// out where its end had come without them.
    pub fn check_what_is_stored(&self) {
        let stored: BTreeSet<_> = self
            .servers
            .iter()
            .flat_map(|server| server.traces.values())
            .collect();
        for (key, logged) in &self.events {
            let end = self.ended[key];
            let call = &logged.call;
            match (logged.hook, call.split('-').next().unwrap()) {
                // The trace may have come too late, or have gone to another server.
                (Hook::Feedback, _) => assert!(matches!(end, End::Delivered | End::Refused)),
                (_, "good") => {
                    assert_eq!(end, End::Delivered, "{call}");
                    assert!(stored.contains(call));
                }
                (_, "stream") => {
                    assert!(
                        matches!(end, End::Delivered | End::Skipped),
                        "{call}: {end:?}"
                    );
                    assert!(stored.contains(call));
                }
                _ => {
                    assert_eq!(end, End::Refused, "{call}");
                    assert!(!stored.contains(call));
                }
            }
        }
        let stats = self.logger.stats();
        assert_eq!(
            (stats.queued_bytes, stats.queued_spans, stats.open_calls),
            (0, 0, 0)
        );
        assert_eq!(self.logger.next_wake(self.now()), None);
    }
}

/// The servers are called by their number.
fn server_of(request: &Request) -> usize {
    usize::from(request.url.starts_with("http://1"))
}
