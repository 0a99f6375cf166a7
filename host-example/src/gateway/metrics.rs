//! What the gateway counts, in Prometheus' terms.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::budget::Budget;
use crate::logger::Stats;

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    failures: Family<Failure, Counter>,
    in_flight: Family<Upstream, Gauge>,
    first_byte: Family<Upstream, Histogram>,
    duration: Family<Upstream, Histogram>,
    logged: Family<Settled, Counter>,
    waiting: Gauge,
    held_bytes: Gauge,
    restarts: Counter,
    reloads: Family<Reload, Counter>,
    requests_sent: Counter,
    requests_failed: Counter,
    bytes_sent: Counter,
}

/// What became of a call's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Fate {
    /// The server has it.
    Delivered,
    /// Refused for good.
    Refused,
    /// Left out on purpose, as by sampling.
    Skipped,
    /// There was no room for it.
    Dropped,
    /// Not delivered when the gateway ended.
    Undelivered,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Upstream {
    upstream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    upstream: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    upstream: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    taken: String,
}

/// The metrics of one upstream, looked up once a call.
pub(super) struct CallMetrics {
    metrics: Arc<Metrics>,
    upstream: String,
    in_flight: Gauge,
    first_byte: Histogram,
    duration: Histogram,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        let seconds = || Histogram::new(exponential_buckets(0.005, 2.0, 16));
        let metrics = Self {
            registry: Registry::with_prefix("gateway"),
            requests: Family::default(),
            failures: Family::default(),
            in_flight: Family::default(),
            first_byte: Family::new_with_constructor(seconds),
            duration: Family::new_with_constructor(seconds),
            logged: Family::default(),
            waiting: Gauge::default(),
            held_bytes: Gauge::default(),
            restarts: Counter::default(),
            reloads: Family::default(),
            requests_sent: Counter::default(),
            requests_failed: Counter::default(),
            bytes_sent: Counter::default(),
        };
        Arc::new(metrics.registered())
    }

    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register("requests", "Calls answered", self.requests.clone());
        r.register(
            "failures",
            "Calls that failed on the way",
            self.failures.clone(),
        );
        r.register("in_flight", "Calls under way", self.in_flight.clone());
        r.register(
            "first_byte_seconds",
            "Time from a request to the head of its response",
            self.first_byte.clone(),
        );
        r.register(
            "duration_seconds",
            "Time from a request to the end of its response",
            self.duration.clone(),
        );
        r.register(
            "logged",
            "What became of the calls' logs",
            self.logged.clone(),
        );
        r.register(
            "log_waiting",
            "Calls that wait to be logged",
            self.waiting.clone(),
        );
        r.register(
            "log_held_bytes",
            "Bytes of calls that are under way, waiting or not yet delivered",
            self.held_bytes.clone(),
        );
        r.register(
            "plugin_restarts",
            "Instances lost to a trap",
            self.restarts.clone(),
        );
        r.register(
            "reloads",
            "Configurations taken and refused",
            self.reloads.clone(),
        );
        r.register(
            "tracking_requests",
            "Requests sent to the tracking server",
            self.requests_sent.clone(),
        );
        r.register(
            "tracking_requests_failed",
            "Requests to the tracking server that are worth another try",
            self.requests_failed.clone(),
        );
        r.register(
            "tracking_bytes",
            "Bytes sent to the tracking server, as compressed",
            self.bytes_sent.clone(),
        );
        // From the first scrape on all are there, so that rates can be built.
        for fate in [
            Fate::Delivered,
            Fate::Refused,
            Fate::Skipped,
            Fate::Dropped,
            Fate::Undelivered,
        ] {
            let _ = self.logged.get_or_create(&Settled { fate });
        }
        self
    }

    /// The text that Prometheus reads.
    pub fn encode(&self, budget: &Budget) -> Result<String, std::fmt::Error> {
        self.held_bytes.set(signed(budget.held()));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The `content-type` of that text.
    pub const CONTENT_TYPE: &'static str = prometheus_text::CONTENT_TYPE;

    /// Those of a call to this upstream, which is under way from here on.
    pub fn call(self: &Arc<Self>, upstream: &str) -> CallMetrics {
        let labels = Upstream {
            upstream: upstream.to_owned(),
        };
        let in_flight = self.in_flight.get_or_create_owned(&labels);
        in_flight.inc();
        CallMetrics {
            metrics: self.clone(),
            in_flight,
            first_byte: self.first_byte.get_or_create_owned(&labels),
            duration: self.duration.get_or_create_owned(&labels),
            upstream: labels.upstream,
        }
    }

    /// A call's log has come to its end.
    pub fn settled(&self, fate: Fate) {
        self.logged.get_or_create(&Settled { fate }).inc();
    }

    /// So many calls wait.
    pub fn waiting(&self, calls: usize) {
        self.waiting.set(signed(calls));
    }

    /// An instance was lost.
    pub fn restarted(&self) {
        self.restarts.inc();
    }

    /// A configuration was taken, or refused.
    pub fn reloaded(&self, taken: bool) {
        let taken = taken.to_string();
        self.reloads.get_or_create(&Reload { taken }).inc();
    }

    /// What an instance has done since it was asked before, or since it was made.
    pub fn sent(&self, before: Option<&Stats>, now: &Stats) {
        let more = |counter: &Counter, count: fn(&Stats) -> u64| {
            counter.inc_by(count(now).saturating_sub(before.map_or(0, count)));
        };
        more(&self.requests_sent, |stats| stats.requests);
        more(&self.requests_failed, |stats| stats.requests_failed);
        more(&self.bytes_sent, |stats| stats.bytes_sent);
    }
}

impl CallMetrics {
    /// The client was or is being sent this status.
    pub fn answered(&self, status: u16, seconds: f64) {
        self.first_byte.observe(seconds);
        let upstream = self.upstream.clone();
        let labels = Answered { upstream, status };
        self.metrics.requests.get_or_create(&labels).inc();
    }

    /// The call has ended; `failure` is its kind.
    pub fn ended(&self, failure: Option<&str>, seconds: f64) {
        self.in_flight.dec();
        self.duration.observe(seconds);
        if let Some(kind) = failure {
            let labels = Failure {
                upstream: self.upstream.clone(),
                kind: kind.to_owned(),
            };
            self.metrics.failures.get_or_create(&labels).inc();
        }
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
