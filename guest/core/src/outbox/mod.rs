//! Spans on their way to the server: queue, batches, requests, answers.
//!
//! A *lane* leads to one experiment of one server. Spans queue in their lane until a batch is due; a
//! batch goes out as one request, and what the answer means decides: delivered, tried again, split in
//! two, refused. An obstacle on the server's side holds all lanes of that server, one on the
//! experiment's side holds that lane alone.

mod answers;
mod backoff;
mod batch;
mod clock;
mod feedback;
mod judged;
mod lane;
mod lookup;
mod requests;
mod suspects;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::EventKey;
use crate::id::TraceId;
use crate::report::{Deferral, Refusal, Report, Stats};
use crate::settings::{Experiment, Protocol, Settings};
use crate::span::Encoded;
use crate::transport::{Request, RequestId, Response, TransportError};
use backoff::Backoff;
use batch::Batch;
use clock::Clock;
use judged::Judged;
use lane::{Lane, Span};
use verdict::Obstacle;

/// So many lanes are kept though nothing waits in them, with what is known of their experiments.
const LANES_KEPT: usize = 64;

/// How soon to come back to what waits alone, at the latest.
const SOON: Duration = Duration::from_secs(1);

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
    clock: Clock,
    servers: Vec<Server>,
    /// The one last configured.
    server: usize,
    lanes: Vec<Lane>,
    /// The lane that is asked first for the next request: each in turn, so that none waits for ever.
    next_lane: usize,
    feedback: feedback::Queue,
    in_flight: BTreeMap<RequestId, InFlight>,
    next_request: u64,
    random: u64,
    report: Report,
    /// Traces that were given back since somebody asked.
    given_back: BTreeSet<TraceId>,
    bytes: usize,
}

/// A server under one set of settings.
#[derive(Debug)]
struct Server {
    settings: Settings,
    backoff: Backoff,
    judged: Judged,
    /// How many spans lately fitted into a request that it answered in time.
    fitting: usize,
}

impl Server {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            backoff: Backoff::default(),
            judged: Judged::default(),
            fitting: usize::MAX,
        }
    }

    /// It has taken a batch, or refused it for what is in it.
    fn passed(&mut self, now: Duration, batch: &Batch) {
        let spans = batch.spans.len();
        self.backoff.reset(now);
        self.judged.passed(batch);
        if spans >= self.fitting {
            let more = self.fitting.saturating_add(self.fitting.div_ceil(4));
            let whole = more >= self.settings.delivery.batch_max_spans;
            self.fitting = if whole { usize::MAX } else { more };
        }
    }

    /// It can take nothing now.
    fn failed(&mut self, now: Duration, obstacle: Obstacle, random: &mut u64) {
        self.backoff
            .fail(now, obstacle, self.longest_wait(), random);
    }

    fn longest_wait(&self) -> Duration {
        backoff::longest(self.settings.delivery.retry_max_elapsed)
    }

    /// It has not judged a batch of so many spans in time.
    fn too_slow_for(&mut self, spans: usize) {
        self.fitting = self.fitting.min((spans / 2).max(1));
    }
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
            clock: Clock::default(),
            servers: Vec::new(),
            server: 0,
            lanes: Vec::new(),
            next_lane: 0,
            feedback: feedback::Queue::new(),
            in_flight: BTreeMap::new(),
            next_request: 0,
            random: seed | 1,
            report: Report::default(),
            given_back: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// From now on lanes lead to this server. What is queued stays bound to where it was, and goes there
    /// as the settings say from now on: with credentials that somebody has mended.
    pub fn configure(&mut self, settings: Settings) {
        let mut servers = self.servers.iter();
        let known = servers.position(|known| known.settings.server.is_place_of(&settings.server));
        self.server = known.unwrap_or(self.servers.len());
        if let Some(server) = self.servers.get_mut(self.server) {
            server.settings = settings;
            server.backoff.mended();
            let lanes = self.lanes.iter_mut();
            let lanes = lanes.filter(|lane| lane.server == self.server);
            lanes.for_each(|lane| lane.backoff.mended());
        } else {
            self.servers.push(Server::new(settings));
        }
    }

    /// The lane to an experiment of the server last configured.
    pub fn lane(&mut self, experiment: &Experiment) -> LaneId {
        let server = self.server;
        let settings = self
            .servers
            .get(server)
            .map(|server| &server.settings.server);
        let configured = settings.is_some_and(|settings| settings.experiment == *experiment);
        let mut lanes = self.lanes.iter_mut().enumerate();
        let known = lanes.find(|(_, lane)| lane.server == server && lane.experiment == *experiment);
        if let Some((index, lane)) = known {
            lane.configured |= configured;
            return LaneId(index);
        }
        let protocol = settings.map_or_else(Protocol::default, |settings| settings.protocol);
        let lane = Lane::new(server, experiment.clone(), configured, protocol);
        if let Some(id) = self.spare_lane()
            && let Some(spare) = self.lanes.get_mut(id.0)
        {
            *spare = lane;
            return id;
        }
        self.lanes.push(lane);
        LaneId(self.lanes.len() - 1)
    }

    /// The lane that has gone unused for longest, where there are many: those whom calls name their experiments may name
    /// ever new ones.
    fn spare_lane(&self) -> Option<LaneId> {
        if self.lanes.len() < LANES_KEPT {
            return None;
        }
        let lanes = self.lanes.iter().enumerate();
        let spare = lanes.filter(|(index, lane)| {
            !lane.configured && lane.is_empty() && !self.is_in_flight(LaneId(*index))
        });
        let oldest = spare.min_by_key(|(_, lane)| lane.used);
        oldest.map(|(index, _)| LaneId(index))
    }

    fn is_in_flight(&self, id: LaneId) -> bool {
        self.in_flight.values().any(|request| match request {
            InFlight::Lookup(lane) | InFlight::Batch(lane, _) => *lane == id,
            InFlight::Feedback(_) => false,
        })
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
        let now = self.clock.tick(now);
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

    /// The traces that were given back since the last time.
    pub fn take_given_back(&mut self) -> BTreeSet<TraceId> {
        std::mem::take(&mut self.given_back)
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
        let now = self.clock.tick(now);
        for lane in &mut self.lanes {
            if let Some(server) = self.servers.get(lane.server) {
                lane.cut(now, due, &server.settings.delivery);
            }
        }
    }

    /// The next request to send, if one can go out now. Further ones may follow before it is answered.
    pub fn poll_request(&mut self, now: Duration, stats: &mut Stats) -> Option<Request> {
        let now = self.clock.tick(now);
        let request = self.poll_lanes(now).or_else(|| self.poll_feedback(now))?;
        stats.requests += 1;
        stats.bytes_sent += request.body.len() as u64;
        Some(request)
    }

    fn poll_lanes(&mut self, now: Duration) -> Option<Request> {
        let lanes = self.lanes.len();
        (0..lanes).find_map(|turn| {
            let index = (self.next_lane + turn) % lanes;
            let request = self.request_of(LaneId(index), now)?;
            self.next_lane = index + 1;
            Some(request)
        })
    }

    /// Takes in what came of a request.
    pub fn on_response(
        &mut self,
        now: Duration,
        request: RequestId,
        answer: Result<Response, TransportError>,
        stats: &mut Stats,
    ) {
        let now = self.clock.tick(now);
        match self.in_flight.remove(&request) {
            Some(InFlight::Lookup(lane)) => self.on_lookup(now, lane, &answer, stats),
            Some(InFlight::Batch(lane, batch)) => self.on_batch(now, lane, batch, &answer, stats),
            Some(InFlight::Feedback(assessment)) => {
                self.on_feedback(now, assessment, &answer, stats);
            }
            None => {}
        }
    }

    /// In how long there is something to do: zero if there is now, none if nothing waits but for answers.
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        let now = self.clock.time(now);
        let lanes = self.lanes.iter().filter(|lane| !lane.lookup.is_asked());
        let lanes = lanes.filter_map(|lane| {
            let server = self.servers.get(lane.server)?;
            let due = lane.due_in(now, &server.settings.delivery)?;
            Some(due.max(server.backoff.wait(now)).max(lane.wait(now)))
        });
        let lanes = lanes.min();
        self.feedback_wake(now, lanes).or(lanes)
    }

    /// What became of events since the last time, and what holds up the rest.
    pub fn take_report(&mut self, now: Duration) -> Report {
        let now = self.clock.tick(now);
        let mut report = std::mem::take(&mut self.report);
        let lanes = self.lanes.iter().filter(|lane| !lane.ready.is_empty());
        let obstacles = lanes.filter_map(|lane| {
            let server = self.servers.get(lane.server)?;
            let all = lane.backoff.obstacle().or(server.backoff.obstacle());
            // What waits alone is no reason to leave the server alone: those who ask are to come back soon.
            let alone = lane.waiting(now).and_then(|batch| batch.waits.as_ref());
            let soon = alone.map(|(until, _)| until.saturating_sub(now).min(SOON));
            let obstacle = all.or(alone.map(|(_, obstacle)| obstacle))?;
            let after = lane.wait(now).max(server.backoff.wait(now));
            Some(Deferral {
                after: after.max(soon.unwrap_or_default()),
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
