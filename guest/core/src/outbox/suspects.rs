//! Batches that failed for what may be in them, without the server's saying so: a proxy that does not let a text pass, a
//! worker that crashes over one.
//!
//! Where others pass such a batch is split at once, and again, until the reason stands alone; a part of it goes behind
//! all others, and the server is left alone for no more than a moment each time. Where nothing has passed since, all may
//! be in vain: after some attempts, of one batch or of several, a few calls are tried alone. If one of those passes, the
//! rest is split.
//!
//! A call that stands alone is on trial. It is refused once it has been tried for `retry_max_elapsed_ms`, and so often
//! while others passed that it has not failed by chance: a server that fails over half of all that it is sent has to
//! fail over that call far more often than one that fails over nothing else.

use std::collections::VecDeque;
use std::time::Duration;

use super::batch::Batch;
use super::verdict::{Blame, Obstacle};
use super::{LaneId, Outbox, backoff};
use crate::report::Stats;

/// How many attempts a batch gets while nothing passes; and while others do, where the server is busy.
const ATTEMPTS: u32 = 3;
/// The same where something on the way does not let it pass: the waits between are long.
const ATTEMPTS_ON_THE_WAY: u32 = 2;
/// How many calls of a lane are tried alone to see whether anything passes.
const PROBES: usize = 4;
/// Each call on trial is sent no more often than lets so much time pass between any two of them.
const BETWEEN_TRIALS: Duration = Duration::from_millis(500);
/// Where no answer comes, trials take no more than one in so many parts of the time.
const SHARE_OF_TIME: u32 = 4;
/// What part of the queue calls on trial may take before it is urgent to be rid of them: one in so many bytes.
const TRIALS_SHARE: usize = 8;
/// The longest wait between two attempts then.
const URGENT: Duration = Duration::from_secs(2);

impl Outbox {
    /// A batch was sent in vain.
    pub(super) fn suspect(
        &mut self,
        now: Duration,
        id: LaneId,
        mut batch: Batch,
        obstacle: Obstacle,
        blame: Blame,
        stats: &mut Stats,
    ) {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return;
        };
        let Some(server) = self.servers.get_mut(lane.server) else {
            return;
        };
        stats.requests_failed += 1;
        server.judged.suspected(&batch);
        let in_a_row = server.judged.failed_in_a_row;
        let passing = batch.tried(now, server.judged);
        let others_pass = server.judged.others_pass(batch.others_passed);
        if others_pass {
            let random = &mut self.random;
            server
                .backoff
                .pause(now, obstacle.clone(), in_a_row, random);
        } else {
            server.failed(now, obstacle.clone(), &mut self.random);
        }
        let alone = Alone::of(&lane.ready);
        // Those on trial are to leave room for others, whatever time they may have.
        let delivery = &server.settings.delivery;
        let is_urgent = alone.bytes > delivery.queue_max_bytes / TRIALS_SHARE;
        let patience = if is_urgent {
            Duration::ZERO
        } else {
            delivery.retry_max_elapsed
        };
        if others_pass && batch.is_guilty(now, patience) {
            let (reason, attempts) = (obstacle.reason, batch.attempts);
            let reason =
                format!("{reason}; sent alone {attempts} times in vain while others were taken");
            return self.refused(batch, &reason, stats);
        }
        let parts = if others_pass {
            split(&mut batch, blame)
        } else {
            probe(&mut batch, blame, in_a_row, alone.probes)
        };
        if let Some([first, second]) = parts {
            lane.ready.push_front(first.suspected(others_pass));
            lane.ready.push_back(second.suspected(others_pass));
        } else {
            // Where nothing else is sent nobody learns anything.
            let (longest, between) = match (passing, is_urgent) {
                (false, false) => (backoff::LONGEST, BETWEEN_TRIALS),
                (false, true) => (backoff::LONGEST, Duration::ZERO),
                (true, true) => (URGENT, Duration::ZERO),
                (true, false) => (server.longest_wait(), BETWEEN_TRIALS),
            };
            let took = match blame {
                Blame::Time => server.settings.delivery.timeout,
                _ => Duration::ZERO,
            };
            let each = between.max(SHARE_OF_TIME * took);
            let wait = backoff::of_batch(batch.attempts, longest, &mut self.random);
            let wait = wait.max((alone.on_trial + 1) * each);
            batch.suspect |= others_pass;
            batch.waits = others_pass.then_some((now + wait, obstacle));
            lane.ready.push_back(batch);
        }
        self.give_back_old(now, id, stats);
    }

    /// Gives back calls that were sent in vain until so many bytes are free. The host may leave them alone for a while; here
    /// they would keep out those that nothing is wrong with.
    pub fn give_back_failing(&mut self, bytes: usize, stats: &mut Stats) {
        let mut free = 0;
        for index in 0..self.lanes.len() {
            while let Some(lane) = self.lanes.get_mut(index)
                && free < bytes
                && let Some(place) = lane.ready.iter().position(|batch| batch.attempts > 0)
                && let Some(batch) = lane.ready.remove(place)
            {
                free += batch.held();
                let reason =
                    "the queue is full (`queue_max_bytes`), and it was sent in vain before";
                self.give_back(batch.spans, reason, stats);
            }
        }
    }
}

/// The calls of a lane that are sent alone.
#[derive(Default)]
struct Alone {
    /// Those on trial, and what they take of the queue's bytes.
    on_trial: u32,
    bytes: usize,
    /// Those that are to show whether anything passes.
    probes: usize,
}

impl Alone {
    fn of(ready: &VecDeque<Batch>) -> Self {
        let mut alone = Self::default();
        for batch in ready.iter().filter(|batch| batch.is_alone()) {
            if batch.is_on_trial() {
                alone.on_trial += 1;
                alone.bytes += batch.held();
            } else {
                alone.probes += 1;
            }
        }
        alone
    }
}

/// The halves of a batch, while others pass.
fn split(batch: &mut Batch, blame: Blame) -> Option<[Batch; 2]> {
    // Who is busy may take it later.
    if blame == Blame::Server && batch.attempts < ATTEMPTS {
        return None;
    }
    batch.split_at(batch.spans.len() / 2)
}

/// A call to be tried alone and the others, while nothing passes, if it is time for that; so many are under way.
fn probe(batch: &mut Batch, blame: Blame, in_a_row: u32, probes: usize) -> Option<[Batch; 2]> {
    let attempts = match blame {
        Blame::Way | Blame::Time => ATTEMPTS_ON_THE_WAY,
        Blame::Batch | Blame::Server => ATTEMPTS,
    };
    let tried_enough = batch.attempts >= attempts;
    if !tried_enough && in_a_row <= attempts {
        None
    } else if probes < PROBES && probes.is_multiple_of(2) {
        batch.split_at(1)
    } else if probes < PROBES {
        // Those that fail may be the oldest, as when all others were delivered before a restart.
        let [rest, newest] = batch.split_at(batch.spans.len() - 1)?;
        Some([newest, rest])
    } else if tried_enough && blame == Blame::Batch {
        batch.split_at(batch.spans.len() / 2)
    } else {
        None
    }
}
