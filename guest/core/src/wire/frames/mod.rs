//! Framers: from bytes, split anywhere, to the frames of a streamed response.
//!
//! A framer keeps no more than the frame that has not ended, and hands each frame out with the bytes
//! that end it, so that it can be stamped with the time they came.

mod array;
mod aws;
mod lines;
mod sse;

use std::borrow::Cow;

use array::Array;
use aws::Aws;
use lines::Lines;
use sse::Sse;

/// One frame of a streamed response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'f> {
    /// The event's name, or empty.
    pub event: &'f str,
    /// Its data, which is JSON with most providers.
    pub data: Cow<'f, str>,
    /// Whether the framing itself calls it an error.
    pub is_error: bool,
    /// Whether the bytes ended within it.
    pub is_partial: bool,
}

impl<'f> Frame<'f> {
    fn message(event: &'f str, data: &'f [u8]) -> Self {
        Self {
            event,
            data: String::from_utf8_lossy(data),
            is_error: false,
            is_partial: false,
        }
    }
}

/// What takes frames.
type Sink<'s> = &'s mut dyn FnMut(Frame<'_>);

/// How frames follow each other.
#[derive(Debug)]
pub(super) enum Framer {
    /// Server-sent events.
    Sse(Sse),
    /// A JSON value a line.
    Lines(Lines),
    /// AWS's binary event stream.
    Aws(Aws),
    /// The elements of one JSON array.
    Array(Array),
}

impl Framer {
    /// The framer of a media type that is made for streams.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "text/event-stream" => Self::Sse(Sse::default()),
            "application/vnd.amazon.eventstream" => Self::Aws(Aws::default()),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/stream+json" => Self::Lines(Lines::default()),
            _ => return None,
        })
    }

    /// The framer of a streamed JSON array.
    pub fn array() -> Self {
        Self::Array(Array::default())
    }

    /// The framer of a stream whose media type says nothing, told from its first byte: no JSON begins
    /// like a field or a comment of server-sent events.
    pub fn of_first_byte(byte: u8) -> Option<Self> {
        match byte {
            b'd' | b'e' | b'i' | b'r' | b':' | 0xef => Some(Self::Sse(Sse::default())),
            b'{' => Some(Self::Lines(Lines::default())),
            _ => None,
        }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) {
        match self {
            Self::Sse(framer) => framer.push(bytes, sink),
            Self::Lines(framer) => framer.push(bytes, sink),
            Self::Aws(framer) => framer.push(bytes, sink),
            Self::Array(framer) => framer.push(bytes, sink),
        }
    }

    /// No more bytes will come.
    pub fn end(&mut self, sink: Sink<'_>) {
        match self {
            Self::Sse(framer) => framer.end(sink),
            Self::Lines(framer) => framer.end(sink),
            Self::Aws(_) => {}
            Self::Array(framer) => framer.end(sink),
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        match self {
            Self::Sse(framer) => framer.held(),
            Self::Lines(framer) => framer.held(),
            Self::Aws(framer) => framer.held(),
            Self::Array(framer) => framer.held(),
        }
    }

    /// Whether the bytes stopped making sense.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Aws(framer) if framer.is_broken())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Event, data, whether it is an error, whether it is partial.
    pub(super) type Owned = (String, String, bool, bool);

    /// The frames of `pieces`.
    pub(super) fn frames(mut framer: Framer, pieces: &[&[u8]]) -> Vec<Owned> {
        let mut frames = Vec::new();
        let mut take = |frame: Frame<'_>| {
            let event = frame.event.to_owned();
            frames.push((
                event,
                frame.data.into_owned(),
                frame.is_error,
                frame.is_partial,
            ));
        };
        for piece in pieces {
            framer.push(piece, &mut take);
        }
        framer.end(&mut take);
        frames
    }

    fn any_framer() -> impl Strategy<Value = u8> {
        0..4_u8
    }

    fn framer(kind: u8) -> Framer {
        match kind {
            0 => Framer::Sse(Sse::default()),
            1 => Framer::Lines(Lines::default()),
            2 => Framer::Aws(Aws::default()),
            _ => Framer::array(),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_split_give_the_same_frames(
            kind in any_framer(),
            bytes in proptest::collection::vec(
                prop_oneof![
                    prop::sample::select(b"\r\n:[]{}\",\\ data:event".to_vec()),
                    any::<u8>(),
                ],
                0..200,
            ),
            cuts in proptest::collection::vec(0..200_usize, 0..8),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            let mut before = 0;
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut - before);
                pieces.push(piece);
                (rest, before) = (tail, cut);
            }
            pieces.push(rest);
            prop_assert_eq!(frames(framer(kind), &[&bytes]), frames(framer(kind), &pieces));
        }
    }
}
