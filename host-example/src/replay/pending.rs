//! Events that no report has named yet. They are kept until one does, so that they can be logged
//! again when an instance is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::recorded::Recorded;

/// Unreported events by line.
#[derive(Default)]
pub(super) struct Pending {
    events: BTreeMap<u64, Recorded>,
    /// Those that no instance holds.
    unlogged: BTreeSet<u64>,
    bytes: usize,
}

impl Pending {
    /// Takes an event that has not been logged yet.
    pub fn add(&mut self, event: Recorded) {
        self.bytes += event.size();
        self.unlogged.insert(event.line);
        self.events.insert(event.line, event);
    }

    /// Lets go of an event and tells its size. None: there is no such event, as when a report
    /// names it twice.
    pub fn remove(&mut self, line: u64) -> Option<usize> {
        let size = self.events.remove(&line)?.size();
        self.bytes -= size;
        self.unlogged.remove(&line);
        Some(size)
    }

    /// An instance holds the event now.
    pub fn logged(&mut self, line: u64) {
        self.unlogged.remove(&line);
    }

    /// No instance holds the event any more.
    pub fn unlogged(&mut self, line: u64) {
        if self.events.contains_key(&line) {
            self.unlogged.insert(line);
        }
    }

    /// No instance holds any event any more.
    pub fn all_unlogged(&mut self) {
        self.unlogged = self.events.keys().copied().collect();
    }

    /// The first events to be logged, within these bounds; at least one, if there is one.
    pub fn next_unlogged(&self, count: usize, bytes: usize) -> Vec<&Recorded> {
        let mut sum = 0;
        let events = self
            .unlogged
            .iter()
            .filter_map(|line| self.events.get(line));
        let within = events.take(count).take_while(|event| {
            let first = sum == 0;
            sum += event.size();
            first || sum <= bytes
        });
        within.collect()
    }

    /// The last event that an instance holds.
    pub fn last_logged(&self) -> Option<u64> {
        let mut lines = self.events.keys().rev();
        lines.find(|line| !self.unlogged.contains(line)).copied()
    }

    /// The lines, in order.
    pub fn lines(&self) -> Vec<u64> {
        self.events.keys().copied().collect()
    }

    /// Whether all is settled.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
