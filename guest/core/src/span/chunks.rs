//! The chunks of a stream: kept as they came, and written as span events when the call has ended.
//!
//! A secret may come in pieces, each of which looks like nothing: [`pieces`](super::pieces) puts them together first.

use std::ops::Range;

use super::pieces::{Masks, Pieces};
use crate::event::Timestamp;
use crate::json::Raw;
use crate::otlp::SpanWriter;
use crate::policy::{self, Policy, Root};
use crate::redact::REDACTED;

/// What happened while a call was under way, in its order.
#[derive(Debug, Default)]
pub struct ChunkLog {
    /// Chunks as JSON, and events that are encoded already, one after the other.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    range: Range<usize>,
    /// Which of the answers under way a chunk is a piece of.
    answer: i64,
    /// When a chunk came; none for an encoded event.
    at: Option<Timestamp>,
}

impl ChunkLog {
    /// Adds a chunk of one of the answers that a call gives.
    pub fn push(&mut self, at: Timestamp, answer: i64, delta: Raw<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(delta.text().as_bytes());
        self.entries.push(Entry {
            range: start..self.bytes.len(),
            answer,
            at: Some(at),
        });
    }

    /// Adds an event that `write` encodes.
    pub fn event(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.entries.push(Entry {
            range: start..self.bytes.len(),
            answer: 0,
            at: None,
        });
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Appends all as span events: chunks as `streaming_chunk` with `delta`, as litellm's `MlflowLogger` names them.
    pub(super) fn write(&self, out: &mut Vec<u8>, policy: &mut Policy<'_>) {
        // Paths into outputs hide all of them; what is left to hide is what they repeat.
        policy.within(Root::Outputs);
        let hides_all = policy.has_paths(Root::Outputs);
        let masks = if policy.looks_across_pieces() && !hides_all {
            self.masks(policy)
        } else {
            Masks::default()
        };
        let (mut scratch, mut json) = (Vec::new(), Vec::new());
        for (number, entry) in self.entries.iter().enumerate() {
            let bytes = self.bytes.get(entry.range.clone()).unwrap_or_default();
            let Some(at) = entry.at else {
                out.extend_from_slice(bytes);
                continue;
            };
            json.clear();
            if hides_all {
                crate::json::write_str(REDACTED, &mut json);
            } else {
                shown(bytes, policy.content().capture, |delta| {
                    masks.write(policy, number, delta, &mut json);
                });
            }
            SpanWriter::write_event(out, &mut scratch, at, "streaming_chunk", |attributes| {
                attributes.string("delta", &json);
            });
        }
        policy.within(Root::Other);
    }

    /// What was found in the texts that grow over the chunks.
    fn masks(&self, policy: &mut Policy<'_>) -> Masks {
        let mut pieces = Pieces::default();
        let chunks = self.entries.iter().enumerate();
        for (chunk, entry) in chunks.filter(|(_, entry)| entry.at.is_some()) {
            let bytes = self.bytes.get(entry.range.clone()).unwrap_or_default();
            shown(bytes, policy.content().capture, |delta| {
                pieces.add(policy, entry.answer, chunk, delta);
            });
        }
        pieces.masks(policy)
    }
}

/// Hands a chunk on, without what is not captured.
fn shown(bytes: &[u8], capture: crate::settings::Capture, mut show: impl FnMut(Raw<'_>)) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let delta = Raw::parse(text).unwrap_or(Raw::NULL);
    match policy::hide(delta, capture) {
        Some(hidden) => show(Raw::parse(&hidden).unwrap_or(Raw::NULL)),
        None => show(delta),
    }
}
