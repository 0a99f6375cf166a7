//! What is shown of the backlog: gauges, and what happens often told once a second.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use super::Backlog;
use crate::gateway::metrics::{Fate, Gauges};

impl Backlog {
    /// What can be read off at any time.
    pub fn gauges(&self) -> Gauges {
        let disk = self.disk.as_ref();
        let usage = disk.map(|disk| disk.spool.usage());
        let waiting = self.lock();
        let held = self.held_since.lock();
        let held = held.iter().map(|since| since.load(Relaxed));
        let held = held.filter(|since| *since > 0);
        let here = held.chain(waiting.calls.front().map(|call| call.ended));
        let here = here.chain(self.refused.oldest());
        let here = here.min();
        let here = here.map(|ended| SystemTime::UNIX_EPOCH + Duration::from_nanos(ended));
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
            trouble: disk.is_some_and(|disk| disk.trouble().is_some()),
            letters_failing: self.refused.trouble().is_some(),
            letters_waiting: self.refused.waiting().0,
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
}
