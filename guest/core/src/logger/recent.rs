//! Calls that ended lately: a chunk that comes late is told from a stream that was never finished, and feedback finds its
//! trace.

use std::collections::BTreeSet;

use crate::event::Timestamp;
use crate::id::{self, TraceId};

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

/// The calls, each in the place of the one that is forgotten for it: a ring. Ids whose hashes share a row are a chain, from
/// the last to the first; it ends at a call that is forgotten, as those before that are, too.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// In the order in which they ended, modulo [`REMEMBERED`].
    calls: Vec<Remembered>,
    /// The number of each row's last call, or [`NONE`].
    rows: Vec<Number>,
    /// How many there ever were.
    count: Number,
}

/// Which of all calls it was.
type Number = u64;

/// No call's number.
const NONE: Number = Number::MAX;

type Hash = u64;

#[derive(Debug)]
struct Remembered {
    number: Number,
    /// The hash of its id.
    id: Hash,
    /// The hash of where it went.
    destination: Hash,
    /// The call before it in its row, or [`NONE`].
    before: Number,
    /// Its trace has not arrived.
    is_lost: bool,
    ended: Ended,
}

impl Recent {
    /// Notes that a call of this id has ended, and where it went.
    pub fn remember(&mut self, id: &str, destination: &str, ended: Ended) {
        let number = self.count;
        self.count += 1;
        let id = short(id);
        self.rows.resize(REMEMBERED, NONE);
        let last = self.rows.get_mut(place(id));
        let call = Remembered {
            number,
            id,
            destination: short(destination),
            before: last.map_or(NONE, |last| std::mem::replace(last, number)),
            is_lost: false,
            ended,
        };
        match self.calls.get_mut(place(number)) {
            Some(oldest) => *oldest = call,
            None => self.calls.push(call),
        }
    }

    /// These traces have not arrived after all: what is told of their calls is as if nothing had been.
    pub fn forget(&mut self, traces: &BTreeSet<TraceId>) {
        if traces.is_empty() {
            return;
        }
        for call in &mut self.calls {
            call.is_lost |= traces.contains(&call.ended.trace);
        }
    }

    /// Calls of this id that went there, the last one first.
    pub fn of(&self, id: &str, destination: &str) -> impl Iterator<Item = &Ended> {
        let destination = short(destination);
        let there = self
            .all(id)
            .filter(move |call| call.destination == destination);
        there.map(|call| &call.ended)
    }

    /// The call of this id that ended last.
    pub fn last(&self, id: &str) -> Option<&Ended> {
        self.all(id).next().map(|call| &call.ended)
    }

    fn all(&self, id: &str) -> impl Iterator<Item = &Remembered> {
        let id = short(id);
        let last = self.rows.get(place(id)).and_then(|last| self.call(*last));
        let row = std::iter::successors(last, |call| self.call(call.before));
        row.filter(move |call| call.id == id && !call.is_lost)
    }

    /// The call of this number, unless it is forgotten.
    fn call(&self, number: Number) -> Option<&Remembered> {
        let call = self.calls.get(place(number));
        call.filter(|call| call.number == number)
    }
}

/// Where a number or a hash belongs.
fn place(number: u64) -> usize {
    number as usize % REMEMBERED
}

fn short(text: &str) -> Hash {
    u64::from_be_bytes(id::span_id(&[text.as_bytes()]))
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
        assert_eq!(recent.calls.len(), REMEMBERED);
    }
}
