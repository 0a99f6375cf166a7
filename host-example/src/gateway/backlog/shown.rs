//! What is shown of the backlog: gauges, and what happens often told once a second.

use std::time::{Duration, SystemTime};

use super::Backlog;
use crate::gateway::metrics::{Fate, Gauges};

impl Backlog {
    /// What can be read off at any time.
    pub fn gauges(&self) -> Gauges {
        let disk = self.disk.as_ref();
        let usage = disk.map(|disk| disk.spool.usage());
        let waiting = self.lock();
        let here = waiting.calls.front();
        let here = here.map(|call| SystemTime::UNIX_EPOCH + Duration::from_nanos(call.ended));
        let oldest = [here, usage.and_then(|usage| usage.oldest)];
        let oldest = oldest.into_iter().flatten().min();
        Gauges {
            waiting: waiting.calls.len() + usage.map_or(0, |usage| usage.waiting),
            held_bytes: self.budget.held(),
            max_bytes: self.budget.most(),
            // A clock that was set back makes nothing older than it is.
            oldest: oldest.and_then(|oldest| SystemTime::now().duration_since(oldest).ok()),
            spool: disk
                .zip(usage)
                .map(|(disk, usage)| (usage, disk.spool.max_bytes())),
            trouble: self.trouble().is_some(),
        }
    }

    pub(super) fn lose(&self, calls: usize, why: &str) {
        for _ in 0..calls {
            self.metrics.delivery().settled(Fate::Dropped);
        }
        if let Some(told) = self.lost.count(calls as u64, || why.to_owned()) {
            self.tell_lost(told);
        }
    }

    pub(super) fn tell_lost(&self, (calls, why): (u64, String)) {
        tracing::warn!(calls, "calls were not logged: {why}");
    }

    pub(super) fn tell_cut(&self, (calls, why): (u64, String)) {
        tracing::warn!(calls, "calls are logged without all of their bodies: {why}");
    }

    pub(super) fn tell_refused(&self, (calls, reason): (u64, String)) {
        match &self.letters {
            Some(letters) => tracing::warn!(
                calls,
                "calls cannot be logged and are in {}: {reason}",
                letters.path().display()
            ),
            None => tracing::warn!(calls, "calls cannot be logged: {reason}"),
        }
    }
}
