//! What is counted of a call's log, from the call's end to the server.

mod register;

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::logger::Stats;
use crate::spool::Usage;

/// What became of a call's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(in crate::gateway) enum Fate {
    /// The server has it.
    Delivered,
    /// Refused for good.
    Refused,
    /// Left out on purpose, as by sampling.
    Skipped,
    /// There was no room for it.
    Dropped,
    /// Not delivered when the gateway ended, and nowhere kept.
    Undelivered,
}

/// All fates.
const FATES: [Fate; 5] = [
    Fate::Delivered,
    Fate::Refused,
    Fate::Skipped,
    Fate::Dropped,
    Fate::Undelivered,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    fate: Fate,
}

/// What can be read off at any time.
pub(in crate::gateway) struct Gauges {
    /// Calls that no worker has.
    pub waiting: usize,
    /// Bytes of calls in memory.
    pub held_bytes: usize,
    /// Their bound.
    pub max_bytes: usize,
    /// The age of the oldest call that is not delivered.
    pub oldest: Option<Duration>,
    /// What the spool holds, and its bound.
    pub spool: Option<(Usage, u64)>,
    /// Something keeps calls from being written.
    pub trouble: bool,
    /// Dead letters cannot be written.
    pub letters_failing: bool,
    /// Refused calls whose letters could not be written yet.
    pub letters_waiting: usize,
}

/// The counters.
pub(in crate::gateway) struct Delivery {
    taken: Counter,
    logged: Family<Settled, Counter>,
    retried: Counter,
    cut: Counter,
    waiting: Gauge,
    held_bytes: Gauge,
    max_bytes: Gauge,
    oldest: Gauge,
    restarts: Counter,
    flushes: Histogram,
    requests_sent: Counter,
    requests_failed: Counter,
    bytes_sent: Counter,
    letters: Counter,
    letters_failed: Counter,
    letters_overwritten: Counter,
    letters_failing: Gauge,
    letters_waiting: Gauge,
    spool: SpoolMetrics,
}

struct SpoolMetrics {
    calls: Gauge,
    bytes: Gauge,
    max_bytes: Gauge,
    trouble: Gauge,
    recovered: Counter,
    written: Counter,
    unwritten: Counter,
    errors: Counter,
    damaged: Counter,
    appends: Histogram,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            taken: Counter::default(),
            logged: Family::default(),
            retried: Counter::default(),
            cut: Counter::default(),
            waiting: Gauge::default(),
            held_bytes: Gauge::default(),
            max_bytes: Gauge::default(),
            oldest: Gauge::default(),
            restarts: Counter::default(),
            flushes: Histogram::new(exponential_buckets(0.005, 2.0, 16)),
            requests_sent: Counter::default(),
            requests_failed: Counter::default(),
            bytes_sent: Counter::default(),
            letters: Counter::default(),
            letters_failed: Counter::default(),
            letters_overwritten: Counter::default(),
            letters_failing: Gauge::default(),
            letters_waiting: Gauge::default(),
            spool: SpoolMetrics {
                calls: Gauge::default(),
                bytes: Gauge::default(),
                max_bytes: Gauge::default(),
                trouble: Gauge::default(),
                recovered: Counter::default(),
                written: Counter::default(),
                unwritten: Counter::default(),
                errors: Counter::default(),
                damaged: Counter::default(),
                appends: Histogram::new(exponential_buckets(0.000_005, 4.0, 10)),
            },
        }
    }
}

impl Delivery {
    pub(super) fn show(&self, gauges: &Gauges) {
        self.waiting.set(signed(gauges.waiting));
        self.held_bytes.set(signed(gauges.held_bytes));
        self.max_bytes.set(signed(gauges.max_bytes));
        let oldest = gauges.oldest.map_or(0, |oldest| oldest.as_secs());
        self.oldest.set(signed(oldest));
        self.letters_failing.set(i64::from(gauges.letters_failing));
        self.letters_waiting.set(signed(gauges.letters_waiting));
        self.spool.trouble.set(i64::from(gauges.trouble));
        if let Some((usage, max_bytes)) = gauges.spool {
            self.spool.calls.set(signed(usage.entries));
            self.spool.bytes.set(signed(usage.bytes));
            self.spool.max_bytes.set(signed(max_bytes));
        }
    }

    /// A call has ended and is to be logged.
    pub fn taken(&self) {
        self.taken.inc();
    }

    /// A call's log has come to its end.
    pub fn settled(&self, fate: Fate) {
        self.logged.get_or_create(&Settled { fate }).inc();
    }

    /// Calls are given to an instance again.
    pub fn retried(&self, calls: usize) {
        self.retried.inc_by(calls as u64);
    }

    /// Something of a call is missing, since there was no memory for it.
    pub fn cut(&self) {
        self.cut.inc();
    }

    /// An instance was lost.
    pub fn restarted(&self) {
        self.restarts.inc();
    }

    /// What an instance has done since it was asked before, or since it was made, and how long its
    /// last flush took.
    pub fn flushed(&self, before: Option<&Stats>, now: &Stats, took: Duration) {
        let more = |counter: &Counter, count: fn(&Stats) -> u64| {
            let more = count(now).saturating_sub(before.map_or(0, count));
            counter.inc_by(more);
            more
        };
        more(&self.requests_failed, |stats| stats.requests_failed);
        more(&self.bytes_sent, |stats| stats.bytes_sent);
        if more(&self.requests_sent, |stats| stats.requests) > 0 {
            self.flushes.observe(took.as_secs_f64());
        }
    }

    /// A refused call was written down, or could not be.
    pub fn letter(&self, written: bool) {
        if written {
            self.letters.inc();
        } else {
            self.letters_failed.inc();
        }
    }

    /// So many letters made room for others.
    pub fn letters_overwritten(&self, letters: u64) {
        self.letters_overwritten.inc_by(letters);
    }

    /// The spool held calls when it was opened.
    pub fn recovered(&self, calls: usize) {
        self.spool.recovered.inc_by(calls as u64);
    }

    /// A call was written to the spool, for the first time or again.
    pub fn written(&self, again: bool, took: Duration) {
        if !again {
            self.spool.written.inc();
        }
        self.spool.appends.observe(took.as_secs_f64());
    }

    /// The spool did not take a call.
    pub fn unwritten(&self) {
        self.spool.unwritten.inc();
    }

    /// The spool's disk has failed.
    pub fn spool_failed(&self) {
        self.spool.errors.inc();
    }

    /// A call could not be read back.
    pub fn damaged(&self) {
        self.spool.damaged.inc();
    }
}

fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
