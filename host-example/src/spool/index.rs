//! Which entries there are, where, and who has them: what a spool keeps in memory, 16 bytes an entry.

use std::collections::BTreeMap;

use super::Ticket;

/// Who has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody.
    Waiting,
    /// Somebody in this process.
    Taken,
    /// Nobody, and somebody will come back for it.
    Aside,
    /// It is done.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    offset: u32,
    /// When it was written, in seconds since 1970.
    at: u32,
    state: State,
}

#[derive(Debug, Default)]
struct Segment {
    slots: Vec<Slot>,
    bytes: u64,
    waiting: usize,
    taken: usize,
    aside: usize,
    /// No slot before this one waits.
    first_waiting: usize,
    /// All slots before this one are done.
    first_live: usize,
    /// Nothing more is appended.
    sealed: bool,
}

impl Segment {
    fn is_over(&self) -> bool {
        self.sealed && self.live() == 0
    }

    fn live(&self) -> usize {
        self.waiting + self.taken + self.aside
    }

    fn count(&mut self, state: State) -> Option<&mut usize> {
        match state {
            State::Waiting => Some(&mut self.waiting),
            State::Taken => Some(&mut self.taken),
            State::Aside => Some(&mut self.aside),
            State::Done => None,
        }
    }
}

/// All entries of a spool.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: BTreeMap<u32, Segment>,
    bytes: u64,
    waiting: usize,
    live: usize,
}

impl Index {
    /// A segment has begun, with that many bytes.
    pub fn begin(&mut self, number: u32, bytes: u64) {
        let segment = self.segments.entry(number).or_default();
        segment.bytes += bytes;
        self.bytes += bytes;
    }

    /// A segment's files have grown.
    pub fn grow(&mut self, number: u32, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// Adds an entry; those of a segment in order.
    pub fn add(&mut self, ticket: Ticket, at: u64, state: State) {
        let Some(segment) = self.segments.get_mut(&ticket.segment) else {
            return;
        };
        segment.slots.push(Slot {
            offset: ticket.offset,
            at: u32::try_from(at / 1000).unwrap_or(u32::MAX),
            state,
        });
        if let Some(count) = segment.count(state) {
            *count += 1;
        }
        self.waiting += usize::from(state == State::Waiting);
        self.live += usize::from(state != State::Done);
    }

    /// Nothing more is appended to a segment. True: it is over.
    pub fn seal(&mut self, number: u32) -> bool {
        let segment = self.segments.get_mut(&number);
        segment.is_some_and(|segment| {
            segment.sealed = true;
            segment.is_over()
        })
    }

    /// Takes the oldest entry that waits, if it is older than this one.
    pub fn take_before(&mut self, limit: Option<Ticket>) -> Option<Ticket> {
        let (number, segment) = self
            .segments
            .iter_mut()
            .find(|(_, segment)| segment.waiting > 0)?;
        let rest = segment.slots.get(segment.first_waiting..)?;
        let place = rest.iter().position(|slot| slot.state == State::Waiting)?;
        segment.first_waiting += place;
        let slot = segment.slots.get(segment.first_waiting)?;
        let ticket = Ticket {
            segment: *number,
            offset: slot.offset,
        };
        if limit.is_some_and(|limit| limit < ticket) {
            return None;
        }
        self.set(ticket, State::Taken);
        Some(ticket)
    }

    /// Gives an entry to somebody, to nobody, or has it be done. Answers whether it was not done
    /// before.
    pub fn set(&mut self, ticket: Ticket, state: State) -> bool {
        let Some(segment) = self.segments.get_mut(&ticket.segment) else {
            return false;
        };
        let found = segment
            .slots
            .binary_search_by_key(&ticket.offset, |slot| slot.offset);
        let Some((place, slot)) = found
            .ok()
            .and_then(|place| Some((place, segment.slots.get_mut(place)?)))
        else {
            return false;
        };
        let before = std::mem::replace(&mut slot.state, state);
        if before == State::Done {
            slot.state = State::Done;
            return false;
        }
        if state == State::Waiting {
            segment.first_waiting = segment.first_waiting.min(place);
        }
        if let Some(count) = segment.count(before) {
            *count -= 1;
        }
        if let Some(count) = segment.count(state) {
            *count += 1;
        }
        self.waiting -= usize::from(before == State::Waiting);
        self.waiting += usize::from(state == State::Waiting);
        self.live -= usize::from(state == State::Done);
        true
    }

    /// All segments, the oldest first.
    pub fn numbers(&self) -> Vec<u32> {
        self.segments.keys().copied().collect()
    }

    /// Whether there is such a segment.
    pub fn has(&self, number: u32) -> bool {
        self.segments.contains_key(&number)
    }

    /// Whether nothing more will be read of a segment.
    pub fn is_over(&self, number: u32) -> bool {
        self.segments.get(&number).is_some_and(Segment::is_over)
    }

    /// Lets go of a segment, and answers how many entries of it nobody had.
    pub fn remove(&mut self, number: u32) -> usize {
        let Some(segment) = self.segments.remove(&number) else {
            return 0;
        };
        self.bytes -= segment.bytes;
        self.waiting -= segment.waiting;
        self.live -= segment.live();
        segment.waiting + segment.aside
    }

    /// The oldest segment that can be dropped whole: nobody has anything of it.
    pub fn droppable(&self) -> Option<u32> {
        let mut segments = self.segments.iter();
        let found = segments.find(|(_, segment)| segment.sealed && segment.taken == 0);
        found.map(|(number, _)| *number)
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Entries that are not done.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Entries that are to be taken.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// When the oldest entry that is not done was written, in seconds since 1970.
    pub fn oldest(&mut self) -> Option<u32> {
        let mut segments = self.segments.values_mut();
        let segment = segments.find(|segment| segment.live() > 0)?;
        let rest = segment.slots.get(segment.first_live..)?;
        let place = rest.iter().position(|slot| slot.state != State::Done)?;
        segment.first_live += place;
        segment.slots.get(segment.first_live).map(|slot| slot.at)
    }
}
