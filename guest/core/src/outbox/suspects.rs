//! Batches that failed for what may be in them, without the server's saying so: a proxy that does not let a text pass, a
//! worker that crashes over one.
//!
//! Such a batch goes behind all others. Where others pass it is split at once, and again, until the reason stands alone;
//! the server is left alone for no more than a moment each time. Where nothing has passed since, all may be in vain: after
//! some attempts, of one batch or of several, a few calls are tried alone. If one of those passes, the rest is split.

use std::time::Duration;

use super::batch::Batch;
use super::verdict::Obstacle;
use super::{LaneId, Outbox, backoff};
use crate::report::Stats;

/// How many attempts a batch gets while nothing passes, where the server failed over it.
const ATTEMPTS: u32 = 3;
/// The same where it does not let it pass: the waits between are long.
const ATTEMPTS_BLOCKED: u32 = 2;
/// After so many failures in a row nothing passes any more, whatever passed before.
const FAILURES_IN_A_ROW: u32 = 16;
/// How many calls of a lane are tried alone to see whether anything passes.
const PROBES: usize = 4;

impl Outbox {
    /// A batch was sent in vain. `faulty`: the server failed over it, so that it is split even where calls fail that are
    /// tried alone.
    pub(super) fn suspect(
        &mut self,
        now: Duration,
        id: LaneId,
        mut batch: Batch,
        obstacle: Obstacle,
        faulty: bool,
        stats: &mut Stats,
    ) {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return;
        };
        let Some(server) = self.servers.get_mut(lane.server) else {
            return;
        };
        stats.requests_failed += 1;
        // That one fails again which stands alone tells nothing new.
        let known = is_alone(&batch) && batch.attempts > 0;
        server.failed_in_a_row += u32::from(!known);
        let others_passed = batch.tried(now, server.passed);
        let others_pass = others_passed && server.failed_in_a_row <= FAILURES_IN_A_ROW;
        let probes = lane.ready.iter().filter(|batch| is_alone(batch)).count();
        let attempts = if faulty { ATTEMPTS } else { ATTEMPTS_BLOCKED };
        let half = batch.spans.len() / 2;
        let parts = match others_pass {
            true => batch.split_at(half),
            false if batch.attempts < attempts && server.failed_in_a_row <= attempts => None,
            false if probes < PROBES => batch.split_at(1),
            false if batch.attempts < attempts => None,
            false if faulty => batch.split_at(half),
            false => None,
        };
        match parts.map(|parts| parts.map(|part| part.suspected(others_pass))) {
            Some(parts) if others_pass => lane.ready.extend(parts),
            Some([first, second]) => {
                lane.ready.push_front(first);
                lane.ready.push_back(second);
            }
            None => {
                let until = now + backoff::of_batch(batch.attempts, &mut self.random);
                batch.waits = others_pass.then(|| (until, obstacle.clone()));
                lane.ready.push_back(batch);
            }
        }
        if others_pass {
            server.backoff.pause(now, obstacle, &mut self.random);
        } else {
            server.backoff.fail(now, obstacle, &mut self.random);
        }
        self.give_back_old(now, id, stats);
    }
}

/// Whether a call is sent alone, as it may be what is wrong.
fn is_alone(batch: &Batch) -> bool {
    batch.suspect && batch.spans.len() == 1
}
