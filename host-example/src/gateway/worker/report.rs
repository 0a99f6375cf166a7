//! What a delivery report means for the calls that are held.

use std::time::Duration;

use tokio::time::Instant;

use super::{LONG, SHORTEST, Worker};
use crate::gateway::metrics::Fate;
use crate::gateway::sink::Sinks;
use crate::logger::DeliveryReport;

impl<F: Sinks> Worker<F> {
    pub(super) fn apply(&mut self, report: DeliveryReport) {
        let mut settled = false;
        for delivery in report.delivered {
            settled = true;
            self.traps = 0;
            self.suspects.delivered();
            for key in delivery.keys {
                self.settle(key, Fate::Delivered);
            }
        }
        for refusal in report.refused {
            settled = true;
            for key in refusal.keys {
                self.refuse(key, &refusal.reason);
            }
        }
        for skipped in report.skipped {
            settled = true;
            for key in skipped.keys {
                self.settle(key, Fate::Skipped);
            }
        }
        for returned in report.returned {
            settled = true;
            self.not_before = self.not_before.max(Instant::now() + LONG);
            for key in returned.keys {
                self.returned(key, &returned.reason);
            }
        }
        self.full &= !settled;
        match report.deferred {
            Some(deferral) => {
                let after = Duration::from_millis(deferral.after_ms).max(SHORTEST);
                self.not_before = Instant::now() + after;
                self.tell(Some(deferral.reason));
            }
            None if settled => self.tell(None),
            None => {}
        }
    }

    /// The plugin gives a call back after it has tried for long. Where others are delivered
    /// meanwhile, the fault is the call's.
    fn returned(&mut self, key: u64, reason: &str) {
        self.metrics.delivery().retried(1);
        if self.suspects.returned(key) {
            let reason =
                format!("given back again and again while others were delivered: {reason}");
            self.refuse(key, &reason);
        } else {
            self.held.unlogged(key);
        }
    }
}
