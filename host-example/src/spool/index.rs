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
    /// What it takes of its segment.
    len: u32,
    /// When it was first written, in seconds since 1970.
    at: u32,
    state: State,
}

#[derive(Debug, Default)]
struct Segment {
    slots: Vec<Slot>,
    bytes: u64,
    /// Of the slots that are not done.
    live_bytes: u64,
    waiting: usize,
    taken: usize,
    aside: usize,
    /// No slot before this one waits.
    first_waiting: usize,
    /// All slots before this one are done.
    first_live: usize,
    /// Nothing more is appended.
    sealed: bool,
    /// Some slots were written before those in front of them, in another segment.
    unordered: bool,
}

impl Segment {
    fn is_over(&self) -> bool {
        self.sealed && self.live() == 0
    }

    fn live(&self) -> usize {
        self.waiting + self.taken + self.aside
    }

    /// Whether at least half of it is done, and somebody has the rest or comes back for it.
    fn is_sparse(&self) -> bool {
        let rest = self.taken + self.aside > 0 && self.waiting == 0;
        self.sealed && rest && self.live_bytes <= self.bytes / SPARSE
    }

    fn oldest(&mut self) -> Option<u32> {
        let rest = self.slots.get(self.first_live..)?;
        self.first_live += rest.iter().position(|slot| slot.state != State::Done)?;
        let rest = self.slots.get(self.first_live..)?;
        if !self.unordered {
            return rest.first().map(|slot| slot.at);
        }
        let live = rest.iter().filter(|slot| slot.state != State::Done);
        live.map(|slot| slot.at).min()
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

/// A segment is sparse where no more than one in so many of its bytes are not done.
const SPARSE: u64 = 2;

/// All entries of a spool.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: BTreeMap<u32, Segment>,
    /// Where entries are now that were moved, by the tickets that somebody has.
    moved: BTreeMap<Ticket, Ticket>,
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

    /// Adds an entry that takes so many bytes; those of a segment in order.
    pub fn add(&mut self, ticket: Ticket, len: u64, at: u64, state: State) {
        let Some(segment) = self.segments.get_mut(&ticket.segment) else {
            return;
        };
        let at = u32::try_from(at / 1000).unwrap_or(u32::MAX);
        segment.unordered |= segment.slots.last().is_some_and(|last| at < last.at);
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        segment.slots.push(Slot {
            offset: ticket.offset,
            len,
            at,
            state,
        });
        segment.live_bytes += u64::from(len);
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
        if state == State::Done {
            segment.live_bytes -= u64::from(slot.len);
            if !self.moved.is_empty() {
                self.moved.retain(|_, place| *place != ticket);
            }
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

    /// Where the entry is that has this ticket.
    pub fn place(&self, ticket: Ticket) -> Ticket {
        self.moved.get(&ticket).copied().unwrap_or(ticket)
    }

    /// The oldest sparse segment after this one, with its entries and when they were written.
    pub fn sparse(&self, after: u32) -> Option<(u32, Vec<(Ticket, u64)>)> {
        let mut segments = self.segments.range(after.checked_add(1)?..);
        let (number, segment) = segments.find(|(_, segment)| segment.is_sparse())?;
        let live = segment
            .slots
            .iter()
            .filter(|slot| slot.state != State::Done);
        let entries = live.map(|slot| {
            let (segment, offset) = (*number, slot.offset);
            (Ticket { segment, offset }, u64::from(slot.at) * 1000)
        });
        Some((*number, entries.collect()))
    }

    /// An entry is to be found in the place of another, which is a copy and taken. Where the first is done by now, so
    /// is the copy.
    pub fn move_to(&mut self, from: Ticket, to: Ticket) {
        let Some(state) = self.state(from) else {
            self.set(to, State::Done);
            return;
        };
        let mut known = self.moved.iter();
        let known = known.find_map(|(name, place)| (*place == from).then_some(*name));
        self.set(from, State::Done);
        self.set(to, state);
        if state != State::Done {
            self.moved.insert(known.unwrap_or(from), to);
        }
    }

    fn state(&self, ticket: Ticket) -> Option<State> {
        let slots = &self.segments.get(&ticket.segment)?.slots;
        let place = slots.binary_search_by_key(&ticket.offset, |slot| slot.offset);
        slots.get(place.ok()?).map(|slot| slot.state)
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
        self.moved.retain(|_, place| place.segment != number);
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
        let segments = self.segments.values_mut();
        let live = segments.filter(|segment| segment.live() > 0);
        live.filter_map(Segment::oldest).min()
    }
}
