//! What the gateway counts, in Prometheus' terms.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

mod delivery;

pub(super) use delivery::{Fate, Gauges};

use delivery::Delivery;

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    failures: Family<Failure, Counter>,
    in_flight: Family<Upstream, Gauge>,
    first_byte: Family<Upstream, Histogram>,
    duration: Family<Upstream, Histogram>,
    reloads: Family<Reload, Counter>,
    delivery: Delivery,
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
            reloads: Family::default(),
            delivery: Delivery::default(),
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
            "reloads",
            "Configurations taken and refused",
            self.reloads.clone(),
        );
        self.delivery.register(r);
        self
    }

    /// What is counted of calls once they have ended.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The text that Prometheus reads.
    pub fn encode(&self, gauges: &Gauges) -> Result<String, std::fmt::Error> {
        self.delivery.show(gauges);
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

    /// A configuration was taken, or refused.
    pub fn reloaded(&self, taken: bool) {
        let taken = taken.to_string();
        self.reloads.get_or_create(&Reload { taken }).inc();
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
