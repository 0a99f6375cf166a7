//! One call as it passed: copied by the request path, read when there is time.

use logger_core::event::{EventKey, Timestamp, truncation};

use crate::ending::Failed;
use crate::head;

/// What a call takes beside its bodies.
const OVERHEAD: usize = 1024;
/// What a part of a body takes beside its bytes.
const PART: usize = 32;

/// What a header field takes beside its bytes.
const FIELD: usize = 48;

/// A call under way.
#[derive(Debug)]
pub struct Record {
    /// Its number.
    pub key: EventKey,
    /// When its request came.
    pub started: Timestamp,
    /// Who answers it, where the settings tell.
    pub provider: Option<String>,
    /// The request's body.
    pub request: Body,
    /// The response's body.
    pub response: Body,
    /// Whether the response came to its end.
    pub is_complete: bool,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ended {
    /// What was copied of it.
    pub record: Box<Record>,
    /// The request's head, as it went to the upstream.
    pub request: head::Request,
    /// The response's head.
    pub response: head::Response,
    /// When it ended.
    pub at: Timestamp,
    /// How it failed, if it did.
    pub failed: Option<Failed>,
}

impl Ended {
    /// Bytes held.
    pub fn held(&self) -> usize {
        self.record.held() + self.heads()
    }

    /// Bytes of both heads.
    pub fn heads(&self) -> usize {
        let fields = self.request.fields.iter().chain(&self.response.fields);
        fields
            .map(|(name, value)| name.len() + value.len() + FIELD)
            .sum()
    }
}

/// A body as far as it is kept.
#[derive(Debug, Default)]
pub struct Body {
    /// The parts, each with when it came.
    pub parts: Vec<(Timestamp, Vec<u8>)>,
    kept: usize,
    came: u64,
}

impl Body {
    /// How much of a part that comes is to be kept, `room` bytes being free and `most` the longest body that
    /// is kept. Once cut, nothing more is.
    pub fn wants(&self, part: usize, room: usize, most: usize) -> usize {
        if self.is_cut() {
            return 0;
        }
        let room = room.saturating_sub(PART);
        part.min(room).min(most.saturating_sub(self.kept))
    }

    /// A part has come, of which this is kept. The bytes it takes.
    pub fn add(&mut self, at: Timestamp, came: usize, kept: Vec<u8>) -> usize {
        self.came += came as u64;
        if kept.is_empty() {
            return 0;
        }
        let bytes = kept.len();
        self.kept += bytes;
        self.parts.push((at, kept));
        bytes + PART
    }

    /// How many bytes came that are not kept.
    pub fn missing(&self) -> u64 {
        self.came.saturating_sub(self.kept as u64)
    }

    /// Whether some of it is missing.
    fn is_cut(&self) -> bool {
        self.missing() > 0
    }

    /// The parts as one.
    pub fn whole(&mut self) -> Vec<u8> {
        match self.parts.as_mut_slice() {
            [] => Vec::new(),
            [(_, only)] => std::mem::take(only),
            parts => {
                let parts = parts.iter().map(|(_, part)| part.as_slice());
                parts.collect::<Vec<_>>().concat()
            }
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.kept + self.parts.len() * PART
    }
}

impl Record {
    /// Bytes held.
    pub fn held(&self) -> usize {
        OVERHEAD + self.request.held() + self.response.held()
    }

    /// What is missing of the bodies, in words; none: nothing is.
    pub fn truncation(&self) -> Option<String> {
        let body = |name, body: &Body| (name, body.kept as u64, body.came);
        truncation([
            body("request", &self.request),
            body("response", &self.response),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(body: &mut Body, bytes: &[u8], room: usize, most: usize) {
        let wanted = body.wants(bytes.len(), room, most);
        body.add(1, bytes.len(), bytes[..wanted].to_vec());
    }

    #[test]
    fn a_long_body_keeps_its_beginning() {
        let mut body = Body::default();
        for part in [&b"hello "[..], b"world", b"!"] {
            push(&mut body, part, 1000, 8);
        }
        assert_eq!((body.kept, body.came), (8, 12));
        assert_eq!(body.whole(), b"hello wo");
    }

    #[test]
    fn where_there_is_no_room_for_a_part_no_later_one_is_kept() {
        let mut body = Body::default();
        push(&mut body, b"hello", PART + 5, 100);
        push(&mut body, b" my", PART, 100);
        push(&mut body, b" world", 1000, 100);
        assert_eq!(body.held(), 5 + PART);
        assert_eq!(body.whole(), b"hello");
        assert_eq!(body.came, 14);
    }
}
