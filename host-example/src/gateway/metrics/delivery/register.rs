//! The names of what is counted.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Delivery, FATES, Settled};

impl Delivery {
    pub(in crate::gateway::metrics) fn register(&self, r: &mut Registry) {
        let mut add = |name: &str, help: &str, metric: &Counter| {
            r.register(name, help, metric.clone());
        };
        add(
            "log_calls",
            "Calls that ended and are to be logged",
            &self.taken,
        );
        add(
            "log_retried",
            "Calls given to an instance again: after a trap, or given back by one",
            &self.retried,
        );
        add(
            "log_cut",
            "Calls logged without all of their bodies, as `queue.max_bytes` was used up",
            &self.cut,
        );
        add(
            "plugin_restarts",
            "Instances lost to a trap",
            &self.restarts,
        );
        add(
            "tracking_requests",
            "Requests sent to the tracking server",
            &self.requests_sent,
        );
        add(
            "tracking_requests_failed",
            "Requests to the tracking server that are worth another try",
            &self.requests_failed,
        );
        add(
            "tracking_bytes",
            "Bytes sent to the tracking server, as compressed",
            &self.bytes_sent,
        );
        add(
            "dead_letters",
            "Refused calls that were written to the file of dead letters",
            &self.letters,
        );
        add(
            "dead_letters_failed",
            "Refused calls that could not be written there at once",
            &self.letters_failed,
        );
        add(
            "dead_letters_overwritten",
            "Those that made room for others, as `dead_letter.max_bytes` was reached",
            &self.letters_overwritten,
        );
        let spool = &self.spool;
        add(
            "spool_recovered",
            "Calls that the spool held when the gateway started",
            &spool.recovered,
        );
        add(
            "spool_written",
            "Calls written to the spool",
            &spool.written,
        );
        add(
            "spool_unwritten",
            "Calls that the spool did not take, and that are in memory alone",
            &spool.unwritten,
        );
        add(
            "spool_errors",
            "Failures of the spool's disk",
            &spool.errors,
        );
        add(
            "spool_damaged",
            "Calls that could not be read back from the spool",
            &spool.damaged,
        );
        let mut add = |name: &str, help: &str, metric: &Gauge| {
            r.register(name, help, metric.clone());
        };
        add(
            "log_waiting",
            "Calls that wait to be logged, in memory and in the spool",
            &self.waiting,
        );
        add(
            "log_held_bytes",
            "Bytes of calls in memory that are under way, waiting or not yet delivered",
            &self.held_bytes,
        );
        add(
            "log_held_max_bytes",
            "What they may be: `queue.max_bytes`",
            &self.max_bytes,
        );
        add(
            "dead_letters_failing",
            "1 while the file of dead letters cannot be written",
            &self.letters_failing,
        );
        add(
            "dead_letters_waiting",
            "Refused calls that could not be written there yet",
            &self.letters_waiting,
        );
        add("spool_calls", "Calls in the spool", &spool.calls);
        add("spool_bytes", "Bytes of the spool's files", &spool.bytes);
        add(
            "spool_max_bytes",
            "What they may be: `spool.max_bytes`; 0 without a spool",
            &spool.max_bytes,
        );
        add(
            "spool_failing",
            "1 while the spool's disk does not take calls",
            &spool.trouble,
        );
        r.register_with_unit(
            "log_oldest",
            "Age of the oldest call that is not delivered",
            Unit::Seconds,
            self.oldest.clone(),
        );
        r.register(
            "flush_seconds",
            "Time a delivery took in which something was sent",
            self.flushes.clone(),
        );
        r.register(
            "spool_append_seconds",
            "Time that writing a call to the spool took",
            spool.appends.clone(),
        );
        r.register(
            "logged",
            "What became of the calls' logs",
            self.logged.clone(),
        );
        // From the first scrape on all are there, so that rates can be built.
        for fate in FATES {
            let _ = self.logged.get_or_create(&Settled { fate });
        }
    }
}
