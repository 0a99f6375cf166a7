//! Calls that have ended and wait to be logged.
//!
//! The request path pushes and never waits: where there is no room, the oldest call makes room. Workers
//! take, and say of each call how it was settled. This is where a spool on disk has its place: between
//! `push` and `settle` a call is owed to the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::budget::{Budget, Weight};
use super::metrics::{Fate, Metrics};
use super::record::Record;

/// How often a loss is told.
const TELL: Duration = Duration::from_secs(1);

/// The queue between the request path and the workers.
pub(super) struct Backlog {
    waiting: Mutex<Waiting>,
    more: Notify,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Record>,
    closed: bool,
    /// Calls lost since that was last told.
    lost: u64,
    told: Option<Instant>,
}

impl Backlog {
    /// An empty one.
    pub fn new(budget: Arc<Budget>, metrics: Arc<Metrics>) -> Self {
        Self {
            waiting: Mutex::default(),
            more: Notify::new(),
            budget,
            metrics,
        }
    }

    /// The budget that all calls share.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Has a call's weight grow, at the expense of the oldest that wait. False: all that is held is
    /// under way, or with a worker.
    pub fn make_room(&self, weight: &mut Weight, bytes: usize) -> bool {
        while !weight.grow(bytes) {
            if bytes > self.budget.most() || !self.drop_oldest() {
                return false;
            }
        }
        true
    }

    /// A call has ended.
    pub fn push(&self, record: Record) {
        let mut waiting = self.lock();
        if waiting.closed {
            self.lose(&mut waiting);
            return;
        }
        waiting.calls.push_back(record);
        self.show(&waiting);
        drop(waiting);
        self.more.notify_one();
    }

    /// A call was lost before it could be pushed.
    pub fn count_lost(&self) {
        self.lose(&mut self.lock());
    }

    /// The next call, when there is one. None: there will be none.
    pub async fn take(&self) -> Option<Record> {
        loop {
            let more = self.more.notified();
            {
                let mut waiting = self.lock();
                if let Some(record) = waiting.calls.pop_front() {
                    self.show(&waiting);
                    // One notification may stand for several calls.
                    if !waiting.calls.is_empty() {
                        self.more.notify_one();
                    }
                    return Some(record);
                }
                if waiting.closed {
                    return None;
                }
            }
            more.await;
        }
    }

    /// A worker is done with a call.
    pub fn settle(&self, fate: Fate) {
        self.metrics.settled(fate);
    }

    /// No more calls will come; those that wait are still taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_waiters();
    }

    fn drop_oldest(&self) -> bool {
        let mut waiting = self.lock();
        let oldest = waiting.calls.pop_front();
        if oldest.is_some() {
            self.show(&waiting);
            self.lose(&mut waiting);
        }
        oldest.is_some()
    }

    fn lose(&self, waiting: &mut Waiting) {
        self.metrics.settled(Fate::Dropped);
        waiting.lost += 1;
        if waiting.told.is_none_or(|told| told.elapsed() >= TELL) {
            tracing::warn!(
                calls = waiting.lost,
                "calls were not logged: `queue.max_bytes` ({}) is used up; is MLflow reachable and fast enough?",
                self.budget.most()
            );
            waiting.lost = 0;
            waiting.told = Some(Instant::now());
        }
    }

    fn show(&self, waiting: &Waiting) {
        self.metrics.waiting(waiting.calls.len());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests;
