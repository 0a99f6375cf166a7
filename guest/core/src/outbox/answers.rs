//! What the answers to lookups and batches lead to.

use std::time::Duration;

use super::batch::Batch;
use super::lane::Span;
use super::verdict::{Blame, Verdict, too_slow, verdict};
use super::{LaneId, Outbox, lookup};
use crate::report::{Cause, Delivery, Refusal, Stats};
use crate::settings::Protocol;
use crate::transport::{Response, TransportError};

/// Into how many parts a batch is split that got no answer in time though others did.
const PARTS: usize = 8;
/// How often a batch that comes too early is the next again.
const IN_FRONT: u32 = 3;

impl Outbox {
    pub(super) fn on_lookup(
        &mut self,
        now: Duration,
        id: LaneId,
        answer: &Result<Response, TransportError>,
        stats: &mut Stats,
    ) {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return;
        };
        let Some(server) = self.servers.get_mut(lane.server) else {
            return;
        };
        match lane
            .lookup
            .on_answer(answer, &server.settings.server, &lane.experiment)
        {
            Ok(()) => server.backoff.reset(now),
            // The experiment that an event asked for is that event's fault, and holds up no others.
            Err(lookup::Failure { obstacle, of_lane })
                if (of_lane || server.judged.all_pass())
                    && obstacle.cause == Cause::Misconfigured
                    && !lane.configured =>
            {
                let spans = lane.take_all();
                self.refused(Batch::new(spans), &obstacle.reason, stats);
            }
            Err(lookup::Failure { obstacle, of_lane }) => {
                stats.requests_failed += 1;
                if of_lane {
                    lane.backoff
                        .fail(now, obstacle, server.longest_wait(), &mut self.random);
                } else {
                    server.failed(now, obstacle, &mut self.random);
                }
                self.give_back_old(now, id, stats);
            }
        }
    }

    pub(super) fn on_batch(
        &mut self,
        now: Duration,
        id: LaneId,
        mut batch: Batch,
        answer: &Result<Response, TransportError>,
        stats: &mut Stats,
    ) {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return;
        };
        let Some(server) = self.servers.get_mut(lane.server) else {
            return;
        };
        let spans = batch.spans.len();
        match verdict(answer, &server.settings.server) {
            Verdict::Delivered => {
                server.passed(now, &batch);
                lane.backoff.reset(now);
                self.delivered(batch, stats);
            }
            Verdict::Refused(reason) => {
                server.passed(now, &batch);
                lane.backoff.reset(now);
                match batch.split_at(spans / 2) {
                    Some(halves) => lane.put_back(halves),
                    None => self.refused(batch, &reason, stats),
                }
            }
            Verdict::PartlyRefused(reason) => {
                server.passed(now, &batch);
                lane.backoff.reset(now);
                self.refused(batch, &reason, stats);
            }
            Verdict::InVain(obstacle, blame) => {
                self.suspect(now, id, batch, obstacle, blame, stats)
            }
            Verdict::Slow => {
                let obstacle = too_slow(&server.settings, spans);
                // What is known to be about one call of it says nothing of how many the server takes at a time.
                if !batch.brief {
                    server.too_slow_for(spans);
                }
                if spans == 1 {
                    return self.suspect(now, id, batch, obstacle, Blame::Time, stats);
                }
                stats.requests_failed += 1;
                server.judged.failed(&batch);
                batch.tried(now, server.judged);
                server.failed(now, obstacle, &mut self.random);
                batch.brief = match batch.brief {
                    true => server.judged.others_pass(batch.others_passed),
                    false => server.judged.all_pass(),
                };
                // Behind the others: it may be one call that takes all of the time. Each of its parts that holds it will
                // take long again, and the others will not.
                let parts = if batch.brief { PARTS } else { 2 };
                lane.ready.extend(batch.parts(parts));
                self.give_back_old(now, id, stats);
            }
            Verdict::Later(obstacle) => {
                stats.requests_failed += 1;
                server.judged.failed(&batch);
                batch.tried(now, server.judged);
                server.failed(now, obstacle, &mut self.random);
                // It may be said of this one alone.
                if batch.attempts > IN_FRONT {
                    lane.ready.push_back(batch);
                } else {
                    lane.ready.push_front(batch);
                }
                self.give_back_old(now, id, stats);
            }
            Verdict::NoExperiment(obstacle) => {
                stats.requests_failed += 1;
                lane.lookup = lookup::Lookup::new(&lane.experiment, Protocol::Mlflow);
                lane.backoff
                    .fail(now, obstacle, server.longest_wait(), &mut self.random);
                batch.tried(now, server.judged);
                lane.ready.push_front(batch);
                self.give_back_old(now, id, stats);
            }
        }
    }

    fn delivered(&mut self, batch: Batch, stats: &mut Stats) {
        for span in batch.spans {
            self.release(span.held());
            stats.spans_delivered += 1;
            self.report.delivered.push(Delivery {
                keys: span.keys,
                trace_id: span.trace,
            });
        }
    }

    pub(super) fn refused(&mut self, batch: Batch, reason: &str, stats: &mut Stats) {
        for span in batch.spans {
            self.release(span.held());
            stats.spans_refused += 1;
            self.report.refused.push(Refusal {
                keys: span.keys,
                reason: reason.to_owned(),
            });
        }
    }

    /// Gives back the batches of a lane that were tried for long enough.
    pub(super) fn give_back_old(&mut self, now: Duration, id: LaneId, stats: &mut Stats) {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return;
        };
        let Some(server) = self.servers.get(lane.server) else {
            return;
        };
        let patience = server.settings.delivery.retry_max_elapsed;
        let obstacle = lane.backoff.obstacle().or(server.backoff.obstacle());
        let reason = obstacle.map_or_else(String::new, |obstacle| obstacle.reason.clone());
        let old = lane.take_older(now, patience);
        self.give_back(old, &reason, stats);
    }

    pub(super) fn give_back(&mut self, spans: Vec<Span>, reason: &str, stats: &mut Stats) {
        for span in spans {
            self.release(span.held());
            stats.spans_returned += 1;
            self.given_back.insert(span.trace);
            self.report.returned.push(Refusal {
                keys: span.keys,
                reason: reason.to_owned(),
            });
        }
    }
}
