//! One call as it passed: what is kept of it until it has been logged.
//!
//! A call is recorded whole and handed on when it has ended, so that the request path sends one
//! message a call, what does not fit is a whole call, and a call can be logged again when an instance
//! is lost.
//!
//! Bodies are kept as the parts that came, each copied unless nobody else has it. A part that is shared with the connection is a
//! piece of the buffer that was read into, and keeps all of it: 8 KiB and more for an event of a stream
//! of 100 bytes, so that `queue.max_bytes` would bound a small share of the memory that is held. How
//! large the buffer is cannot be told from the part, so none is shared.

use std::borrow::Cow;

use hyper::body::Bytes;
use logger_core::event::truncation;
use serde::{Deserialize, Serialize};

use super::budget::Weight;
use crate::call::Timestamp;
use crate::pending::Keyed;
use crate::spool::Ticket;

pub(super) mod codec;
pub(super) mod written;

/// What an allocation takes beside what was asked for.
const ALLOCATION: usize = 16;
/// What a part that is kept takes beside its bytes: its place in a list that doubles when it is full.
pub(super) const PART: usize = 2 * size_of::<(Timestamp, Bytes)>() + ALLOCATION;

/// A call that has ended.
#[derive(Debug)]
pub(super) struct Record {
    /// What was known when it began.
    pub start: Start,
    /// When the request came.
    pub at: Timestamp,
    /// The request's body.
    pub request: Copied,
    /// The response's head, if one came.
    pub head: Option<Head>,
    /// The response's body.
    pub response: Copied,
    /// When it ended.
    pub ended: Timestamp,
    /// How it failed, if it did.
    pub failure: Option<Failed>,
    /// What it takes of the budget.
    pub weight: Weight,
    /// Where it is in the spool, if it is.
    pub ticket: Option<Ticket>,
    /// What is in the spool is not all of it: it was written when its end was foreseen, and went on.
    pub stale: bool,
    /// What it took of the budget before it was shed: it is in the spool alone.
    pub shed: usize,
}

/// What is known of a call when it begins, beside the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    /// The call's number in this process.
    pub key: u64,
    /// The call's own id: logged again under it, it is the same trace.
    pub call_id: String,
    /// The request's method.
    pub method: String,
    /// Its path with its query, as at the upstream, without credentials.
    pub path: String,
    /// Host and port of the upstream.
    pub authority: String,
    /// The provider's name, where the configuration tells it.
    pub provider: Option<String>,
    /// The caller's span.
    pub traceparent: Option<String>,
    /// The request's header fields, without credentials.
    pub headers: Fields,
}

/// Header fields.
pub(super) type Fields = Vec<(String, Vec<u8>)>;

/// What header fields take.
pub(super) fn bytes_of(fields: &Fields) -> usize {
    let field = size_of::<(String, Vec<u8>)>() + 2 * ALLOCATION;
    let fields = fields.iter();
    fields
        .map(|(name, value)| name.len() + value.len() + field)
        .sum()
}

/// A response's head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// When it came.
    pub at: Timestamp,
    /// The status.
    pub status: u16,
    /// The header fields, without credentials.
    pub headers: Fields,
}

/// How a call failed, where it did not end with a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failed {
    /// One word.
    pub kind: Cow<'static, str>,
    /// In words.
    pub message: String,
}

/// A body as far as it is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Copied {
    /// The parts, each with when it came.
    pub parts: Vec<(Timestamp, Bytes)>,
    /// Bytes that are kept.
    pub kept: usize,
    /// Bytes that came.
    pub came: u64,
}

impl Copied {
    /// A whole body, and how many bytes it takes. A part that nobody else has is not copied.
    pub fn of(parts: Vec<(Timestamp, Bytes)>) -> (Self, usize) {
        let mut body = Self::default();
        let mut takes = 0;
        let parts = parts.into_iter().filter(|(_, part)| !part.is_empty());
        let owned = parts.map(|(at, part)| {
            let mut part = Vec::from(part);
            if part.capacity() > 2 * part.len() {
                part.shrink_to_fit();
            }
            body.kept += part.len();
            takes += part.capacity() + PART;
            (at, Bytes::from(part))
        });
        body.parts = owned.collect();
        body.came = body.kept as u64;
        (body, takes)
    }

    /// Keeps a part, or its beginning where `room` is less. Once cut, nothing more is kept.
    pub fn add(&mut self, at: Timestamp, part: &Bytes, room: usize) {
        let whole = !self.is_cut();
        self.came += part.len() as u64;
        let kept = if whole { part.len().min(room) } else { 0 };
        if kept > 0 {
            self.kept += kept;
            self.parts.push((at, Bytes::copy_from_slice(&part[..kept])));
        }
    }

    /// Whether some of the body is missing.
    pub fn is_cut(&self) -> bool {
        self.came > self.kept as u64
    }

    /// The parts as one.
    pub fn whole(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.kept);
        for (_, part) in &self.parts {
            whole.extend_from_slice(part);
        }
        whole
    }
}

impl Record {
    /// Where all of it is in the spool, if it is.
    pub fn written(&self) -> Option<Ticket> {
        self.ticket.filter(|_| !self.stale)
    }

    /// Lets go of what is in the spool as well. Of calls that are written.
    pub fn shed(&mut self) {
        self.shed += self.weight.release();
        self.request = Copied::default();
        self.response = Copied::default();
        self.head = None;
        self.start.headers = Vec::new();
    }

    /// Whether it is in the spool alone.
    pub fn is_shed(&self) -> bool {
        self.shed > 0
    }

    /// What is missing of the bodies, in words; none: nothing is.
    pub fn cuts(&self) -> Option<String> {
        let body = |name, body: &Copied| (name, body.kept as u64, body.came);
        truncation([
            body("request", &self.request),
            body("response", &self.response),
        ])
    }
}

impl Keyed for Record {
    fn key(&self) -> u64 {
        self.start.key
    }

    fn size(&self) -> usize {
        self.weight.bytes() + self.shed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_body_keeps_its_beginning_and_tells_its_length() {
        let mut body = Copied::default();
        body.add(1, &Bytes::from_static(b"hello "), 8);
        assert!(!body.is_cut());
        body.add(2, &Bytes::from_static(b"world"), 2);
        body.add(3, &Bytes::from_static(b"!"), 1);
        assert_eq!(body.whole(), b"hello wo");
        assert_eq!((body.kept, body.came, body.is_cut()), (8, 12, true));
    }

    #[test]
    fn a_part_keeps_nothing_of_the_buffer_that_it_came_in() {
        let buffer = Bytes::from(vec![b'x'; 8192]);
        let mut body = Copied::default();
        for at in 0..10 {
            body.add(at, &buffer.slice(..100), usize::MAX);
        }
        assert_eq!(body.kept, 1000);
        assert!(buffer.is_unique());
    }

    #[test]
    fn a_part_that_nobody_else_has_is_taken_as_it_is() {
        let large = vec![b'x'; 8192];
        let place = large.as_ptr();
        let (body, takes) = Copied::of(vec![(1, Bytes::new()), (2, large.into())]);
        assert_eq!(body.parts.len(), 1);
        assert_eq!(body.parts[0].1.as_ptr(), place);
        assert_eq!((body.kept, body.came, takes), (8192, 8192, 8192 + PART));
    }

    #[test]
    fn a_piece_of_a_buffer_keeps_nothing_else_of_it() {
        for end in [100, 8192] {
            let buffer = Bytes::from(vec![b'x'; 8192]);
            let shared = vec![(1, buffer.slice(end - 100..end))];
            let (body, takes) = Copied::of(shared.clone());
            assert_eq!((body.kept, takes), (100, 100 + PART));
            // The last that has the buffer may take it, and gives back what it does not need.
            drop((buffer, body));
            let (body, takes) = Copied::of(shared);
            assert_eq!((body.whole(), takes), (vec![b'x'; 100], 100 + PART));
        }
    }
}
