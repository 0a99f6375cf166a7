//! What was logged and no report has named yet. It is kept until one does, so that it can be logged
//! again when an instance is lost.

use std::collections::{BTreeMap, BTreeSet};

/// Something that is logged under a key, and reported under it.
pub(crate) trait Keyed {
    /// The key.
    fn key(&self) -> u64;
    /// The bytes it takes.
    fn size(&self) -> usize;
}

/// Unreported events by key.
pub(crate) struct Pending<E> {
    events: BTreeMap<u64, E>,
    /// Those that no instance holds.
    unlogged: BTreeSet<u64>,
    bytes: usize,
}

impl<E> Default for Pending<E> {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            unlogged: BTreeSet::new(),
            bytes: 0,
        }
    }
}

impl<E: Keyed> Pending<E> {
    /// Takes an event that has not been logged yet.
    pub fn add(&mut self, event: E) {
        self.bytes += event.size();
        self.unlogged.insert(event.key());
        self.events.insert(event.key(), event);
    }

    /// Lets go of an event. None: there is no such event, as when a report names it twice.
    pub fn remove(&mut self, key: u64) -> Option<E> {
        let event = self.events.remove(&key)?;
        self.bytes -= event.size();
        self.unlogged.remove(&key);
        Some(event)
    }

    /// An instance holds the event now.
    pub fn logged(&mut self, key: u64) {
        self.unlogged.remove(&key);
    }

    /// No instance holds the event any more.
    pub fn unlogged(&mut self, key: u64) {
        if self.events.contains_key(&key) {
            self.unlogged.insert(key);
        }
    }

    /// No instance holds any event any more.
    pub fn all_unlogged(&mut self) {
        self.unlogged = self.events.keys().copied().collect();
    }

    /// The first events to be logged, within these bounds; at least one, if there is one.
    pub fn next_unlogged(&self, count: usize, bytes: usize) -> Vec<&E> {
        let mut sum = 0;
        let events = self.unlogged.iter().filter_map(|key| self.events.get(key));
        let within = events.take(count).take_while(|event| {
            let first = sum == 0;
            sum += event.size();
            first || sum <= bytes
        });
        within.collect()
    }

    /// The event, whoever holds it.
    pub fn get(&self, key: u64) -> Option<&E> {
        self.events.get(&key)
    }

    /// The event, if no instance holds it.
    pub fn unlogged_one(&self, key: u64) -> Option<&E> {
        let unlogged = self.unlogged.contains(&key);
        unlogged.then(|| self.events.get(&key)).flatten()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether some event is held by no instance.
    pub fn has_unlogged(&self) -> bool {
        !self.unlogged.is_empty()
    }

    /// The first event.
    pub fn first(&self) -> Option<&E> {
        self.events.values().next()
    }

    /// The last event that an instance holds.
    pub fn last_logged(&self) -> Option<u64> {
        let mut keys = self.events.keys().rev();
        keys.find(|key| !self.unlogged.contains(key)).copied()
    }

    /// All events, in the order of their keys. Their sizes are to stay.
    pub fn events_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut E> {
        self.events.values_mut()
    }

    /// The keys, in order.
    pub fn keys(&self) -> Vec<u64> {
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
