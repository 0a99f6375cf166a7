//! Calls that ended lately: a chunk that comes late is told from a stream that was never finished, and feedback finds its
//! trace.

use std::collections::{BTreeMap, VecDeque};

use crate::event::Timestamp;
use crate::id::{self, SpanId, TraceId};

/// How many are remembered.
const REMEMBERED: usize = 4096;

/// What is remembered of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its trace.
    pub trace: TraceId,
    /// When it began.
    pub start: Timestamp,
    /// Whether it was a stream that ended well.
    pub whole_stream: bool,
}

/// The calls, by hashes of their ids.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Each with the hash of where it went.
    calls: BTreeMap<Key, (SpanId, Ended)>,
    /// Their keys, the oldest first.
    order: VecDeque<Key>,
    /// How many there ever were.
    count: u64,
}

/// The hash of a call's id, and which of all calls it was.
type Key = (SpanId, u64);

impl Recent {
    /// Notes that a call of this id has ended, and where it went.
    pub fn remember(&mut self, id: &str, destination: &str, ended: Ended) {
        let key = (short(id), self.count);
        self.count += 1;
        self.calls.insert(key, (short(destination), ended));
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
    }

    /// Calls of this id that went there, the last one first.
    pub fn of(&self, id: &str, destination: &str) -> impl Iterator<Item = &Ended> {
        let destination = short(destination);
        let there = self.all(id).filter(move |(to, _)| *to == destination);
        there.map(|(_, ended)| ended)
    }

    /// The call of this id that ended last.
    pub fn last(&self, id: &str) -> Option<&Ended> {
        self.all(id).next().map(|(_, ended)| ended)
    }

    fn all(&self, id: &str) -> impl Iterator<Item = &(SpanId, Ended)> {
        let id = short(id);
        let calls = self.calls.range((id, 0)..=(id, u64::MAX));
        calls.rev().map(|(_, call)| call)
    }
}

fn short(text: &str) -> SpanId {
    id::span_id(&[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(start: Timestamp) -> Ended {
        Ended {
            trace: [1; 16],
            start,
            whole_stream: false,
        }
    }

    #[test]
    fn calls_are_found_by_id_and_destination_the_last_one_first() {
        let mut recent = Recent::default();
        for (start, destination) in [(1, "here"), (2, "there"), (3, "here")] {
            recent.remember("call", destination, ended(start));
        }
        recent.remember("another", "here", ended(4));
        let starts: Vec<_> = recent.of("call", "here").map(|ended| ended.start).collect();
        assert_eq!(starts, [3, 1]);
        assert_eq!(recent.last("call").map(|ended| ended.start), Some(3));
        assert!(recent.last("none").is_none());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        recent.remember("first", "here", ended(0));
        for start in 0..REMEMBERED as u64 {
            recent.remember("call", "here", ended(start));
        }
        assert!(recent.last("first").is_none());
        assert_eq!(recent.of("call", "here").count(), REMEMBERED);
        assert_eq!(
            (recent.calls.len(), recent.order.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
