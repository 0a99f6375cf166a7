//! One experiment's queue: spans that wait for others, and batches that are ready.

use std::collections::VecDeque;
use std::time::Duration;

use super::Due;
use super::backoff::Backoff;
use super::batch::Batch;
use super::lookup::Lookup;
use crate::event::EventKey;
use crate::id::TraceId;
use crate::settings::{Delivery, Experiment, Protocol};

/// A call's encoded spans and the events they came of.
#[derive(Debug)]
pub(super) struct Span {
    pub bytes: Vec<u8>,
    /// Those within it, which go with it.
    pub children: Vec<Vec<u8>>,
    pub trace: TraceId,
    pub keys: Vec<EventKey>,
}

impl Span {
    /// What it takes of the queue's bytes.
    pub fn held(&self) -> usize {
        self.size() + self.keys.len() * size_of::<EventKey>() + size_of::<Self>()
    }

    /// What it takes of a batch's bytes.
    fn size(&self) -> usize {
        self.bytes.len() + self.children.iter().map(Vec::len).sum::<usize>()
    }
}

#[derive(Debug)]
pub(super) struct Lane {
    pub server: usize,
    pub experiment: Experiment,
    /// Whether the settings name the experiment, and not an event.
    pub configured: bool,
    /// When it was last pushed to.
    pub used: Duration,
    pub lookup: Lookup,
    pub backoff: Backoff,
    pub ready: VecDeque<Batch>,
    /// Spans that wait for others, in order.
    filling: VecDeque<Span>,
    filling_bytes: usize,
    /// When the oldest of them came.
    filling_since: Duration,
}

impl Lane {
    pub fn new(
        server: usize,
        experiment: Experiment,
        configured: bool,
        protocol: Protocol,
    ) -> Self {
        Self {
            server,
            lookup: Lookup::new(&experiment, protocol),
            experiment,
            configured,
            used: Duration::ZERO,
            backoff: Backoff::default(),
            ready: VecDeque::new(),
            filling: VecDeque::new(),
            filling_bytes: 0,
            filling_since: Duration::ZERO,
        }
    }

    pub fn push(&mut self, now: Duration, span: Span) {
        self.used = now;
        if self.filling.is_empty() {
            self.filling_since = now;
        }
        self.filling_bytes += span.size();
        self.filling.push_back(span);
    }

    pub fn spans(&self) -> usize {
        let ready = self.ready.iter().map(|batch| batch.spans.len());
        self.filling.len() + ready.sum::<usize>()
    }

    /// Whether nothing waits in it.
    pub fn is_empty(&self) -> bool {
        self.filling.is_empty() && self.ready.is_empty()
    }

    /// Whether a span of the trace waits.
    pub fn holds(&self, trace: &TraceId) -> bool {
        self.filling.iter().any(|span| span.trace == *trace)
            || self.ready.iter().any(|batch| batch.holds(trace))
    }

    pub fn wait(&self, now: Duration) -> Duration {
        self.backoff.wait(now)
    }

    /// Makes batches of what is due.
    pub fn cut(&mut self, now: Duration, due: Due, delivery: &Delivery) {
        let old = now.saturating_sub(self.filling_since) >= delivery.flush_interval;
        let everything = due == Due::All || old;
        while self.is_full(delivery) || (everything && !self.filling.is_empty()) {
            let mut spans = Vec::new();
            let mut bytes = 0;
            while let Some(span) = self.filling.front() {
                bytes += span.size();
                let full = spans.len() >= delivery.batch_max_spans
                    || (bytes > delivery.batch_max_bytes && !spans.is_empty());
                if full {
                    break;
                }
                spans.extend(self.filling.pop_front());
            }
            let taken: usize = spans.iter().map(Span::size).sum();
            self.filling_bytes -= taken.min(self.filling_bytes);
            self.filling_since = now;
            self.ready.push_back(Batch::new(spans));
        }
    }

    fn is_full(&self, delivery: &Delivery) -> bool {
        self.filling.len() >= delivery.batch_max_spans
            || self.filling_bytes >= delivery.batch_max_bytes
    }

    /// In how long a batch is due; none if nothing waits.
    pub fn due_in(&self, now: Duration, delivery: &Delivery) -> Option<Duration> {
        if self.is_full(delivery) {
            return Some(Duration::ZERO);
        }
        let waited = now.saturating_sub(self.filling_since);
        let filling = (!self.filling.is_empty()).then_some(waited);
        let filling = filling.map(|waited| delivery.flush_interval.saturating_sub(waited));
        let ready = self.ready.iter().map(|batch| batch.wait(now));
        ready.chain(filling).min()
    }

    /// The first to go on of those that wait alone, where there is nothing else.
    pub fn waiting(&self, now: Duration) -> Option<&Batch> {
        let first = self.ready.iter().min_by_key(|batch| batch.wait(now));
        first.filter(|batch| !batch.wait(now).is_zero())
    }

    /// Puts two halves of a batch back where it was.
    pub fn put_back(&mut self, [first, second]: [Batch; 2]) {
        self.ready.push_front(second);
        self.ready.push_front(first);
    }

    /// Removes everything.
    pub fn take_all(&mut self) -> Vec<Span> {
        self.filling_bytes = 0;
        let ready = self.ready.drain(..).flat_map(|batch| batch.spans);
        ready.chain(self.filling.drain(..)).collect()
    }

    /// Removes the batches that were first sent longer ago than `patience`, but for those that wait alone: it is to be
    /// told yet which call is to blame.
    pub fn take_older(&mut self, now: Duration, patience: Duration) -> Vec<Span> {
        let (old, young) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|batch| {
                let tried = batch.first_tried.filter(|_| batch.waits.is_none());
                tried.is_some_and(|first| now.saturating_sub(first) >= patience)
            });
        self.ready = young;
        let old: VecDeque<Batch> = old;
        old.into_iter().flat_map(|batch| batch.spans).collect()
    }
}
