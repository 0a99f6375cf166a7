//! What a delivery report means for the calls that are held.

use std::time::Duration;

use tokio::time::Instant;

use super::{LONG, SHORTEST, Worker};
use crate::gateway::metrics::Fate;
use crate::gateway::record::Record;
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
            self.metrics.delivery().retried(returned.keys.len());
            for key in returned.keys {
                if !self.full || !self.leave(key) {
                    self.held.unlogged(key);
                }
            }
        }
        self.full &= !settled;
        if settled {
            self.settled_at = Instant::now();
        }
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

    /// Leaves a call that the plugin has no room for in the spool for a while. False: it is not there.
    fn leave(&mut self, key: u64) -> bool {
        let ticket = self.held.get(key).and_then(Record::written);
        let left = ticket.is_some_and(|ticket| self.backlog.leave(ticket));
        if left {
            self.remove(key);
        }
        left
    }
}
