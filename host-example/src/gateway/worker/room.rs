//! How much a worker may hold.
//!
//! Half of the memory that calls may take is shared by the workers; the other half is for calls that are under way. With a
//! spool, what is beyond a worker's share is on the disk alone once the plugin has it.

use std::time::Duration;

use tokio::time::Instant;

use super::{LONG, Worker};
use crate::gateway::sink::Sinks;

/// After so long without anything's being settled, what is held keeps out no others.
const STALLED: Duration = Duration::from_secs(5);

impl<F: Sinks> Worker<F> {
    /// The bytes that may be held. A reload may change them.
    fn most(&self) -> usize {
        self.backlog.budget().most() / self.share
    }

    /// Nothing of what is held is taken: it may be for what is in it, and then it is in the way of others.
    pub(super) fn stalls(&self) -> bool {
        self.settled_at.elapsed() >= STALLED
    }

    /// Whether one more call may be held.
    pub(super) fn has_room(&self) -> bool {
        let most = self.most();
        let asks_soon = self.not_before <= Instant::now() + LONG;
        let most = match (self.stalls(), self.backlog.is_spooled()) {
            // Memory holds no more of them than before.
            (true, true) if asks_soon => usize::MAX,
            (true, true) => 2 * most,
            (true, false) => most + most / 2,
            (false, _) => most,
        };
        !self.full && self.held.bytes() < most
    }

    /// Has memory hold no more than it may: what is beyond it is in the spool alone until it is needed again, as
    /// when the instance is lost. So one large call, or a bound that was lowered, takes nothing from the calls
    /// that are under way.
    pub(super) fn shed(&mut self) {
        let mut beyond = self.held.bytes().saturating_sub(self.most());
        for record in self.held.events_mut().rev() {
            if beyond == 0 {
                return;
            }
            beyond = beyond.saturating_sub(record.shed);
            if beyond > 0 && !record.is_shed() && record.written().is_some() {
                beyond = beyond.saturating_sub(record.weight.bytes());
                record.shed();
            }
        }
    }

    /// Has a call that was shed be in memory again.
    pub(super) fn restore(&mut self, key: u64) {
        let Some(shed) = self.held.remove(key) else {
            return;
        };
        match self.backlog.restore(&shed) {
            Some(record) => self.held.add(record),
            None => self.suspects.forget(key),
        }
    }
}
