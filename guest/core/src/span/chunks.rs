//! The chunks of a stream: kept as they came, and written as span events when the call has ended.
//!
//! A secret may come in pieces, each of which looks like nothing. So the texts that grow over the chunks are put
//! together first, by their place within the chunk, and what is found in the whole is taken out of its pieces.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use siphasher::sip::SipHasher13;

use crate::event::Timestamp;
use crate::json::{Filter, Kind, Place, Raw, unescape, write_clean};
use crate::otlp::SpanWriter;
use crate::policy::{self, Policy, Root};
use crate::redact::REDACTED;

/// Members that say what a chunk is and do not grow.
const CONSTANT: [&str; 9] = [
    "created",
    "finish_reason",
    "id",
    "item_id",
    "model",
    "object",
    "role",
    "system_fingerprint",
    "type",
];

/// Members that tell whose piece a text is.
const POSITIONS: [&str; 4] = ["index", "output_index", "content_index", "type"];

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
            BTreeMap::new()
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
                let mut masked = Masked {
                    policy,
                    masks: &masks,
                    chunk: number,
                    string: 0,
                };
                shown(bytes, masked.policy.content().capture, |delta| {
                    write_clean(delta, &mut json, 0, &mut masked);
                });
            }
            SpanWriter::write_event(out, &mut scratch, at, "streaming_chunk", |attributes| {
                attributes.string("delta", &json);
            });
        }
        policy.within(Root::Other);
    }

    /// What takes the place of strings that a secret goes through, by chunk and position within it.
    fn masks(&self, policy: &mut Policy<'_>) -> BTreeMap<(usize, usize), String> {
        let mut texts: BTreeMap<u64, Growing> = BTreeMap::new();
        let did = policy.did;
        let mut scratch = Vec::new();
        let chunks = self.entries.iter().enumerate();
        for (chunk, entry) in chunks.filter(|(_, entry)| entry.at.is_some()) {
            let bytes = self.bytes.get(entry.range.clone()).unwrap_or_default();
            let mut collect = Collect {
                policy,
                texts: &mut texts,
                answer: entry.answer,
                chunk,
                string: 0,
            };
            scratch.clear();
            shown(bytes, collect.policy.content().capture, |delta| {
                write_clean(delta, &mut scratch, 0, &mut collect);
            });
        }
        policy.did = did;
        let mut masks = BTreeMap::new();
        for growing in texts.values().filter(|growing| growing.pieces.len() > 1) {
            let hidden = policy.hidden_ranges(&growing.text);
            growing.mask(&hidden, &mut masks);
        }
        masks
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

/// A text that came in pieces.
#[derive(Debug, Default)]
struct Growing {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    chunk: usize,
    string: usize,
    range: Range<usize>,
}

impl Growing {
    /// Adds the new texts of the pieces that something goes through that has to be hidden.
    fn mask(
        &self,
        hidden: &[(Range<usize>, &'static str)],
        masks: &mut BTreeMap<(usize, usize), String>,
    ) {
        if hidden.is_empty() {
            return;
        }
        for piece in &self.pieces {
            let mut new = String::new();
            let mut at = piece.range.start;
            let mut is_changed = false;
            let overlaps = |range: &Range<usize>| {
                range.start < piece.range.end && piece.range.start < range.end
            };
            for (range, instead) in hidden.iter().filter(|(range, _)| overlaps(range)) {
                new.push_str(self.text.get(at..range.start.max(at)).unwrap_or_default());
                // It is told once, in the piece where it begins.
                if range.start >= piece.range.start {
                    new.push_str(instead);
                }
                at = range.end.min(piece.range.end);
                is_changed = true;
            }
            if is_changed {
                new.push_str(self.text.get(at..piece.range.end).unwrap_or_default());
                masks.insert((piece.chunk, piece.string), new);
            }
        }
    }
}

/// Collects the texts of chunks that grow.
struct Collect<'c, 's> {
    policy: &'c mut Policy<'s>,
    texts: &'c mut BTreeMap<u64, Growing>,
    answer: i64,
    chunk: usize,
    string: usize,
}

impl Filter for Collect<'_, '_> {
    fn string<'t>(&mut self, escaped: &'t str, place: &Place<'t, '_>) -> Option<Cow<'t, str>> {
        let string = self.string;
        self.string += 1;
        if place.name().is_some_and(|name| CONSTANT.contains(&name)) {
            return None;
        }
        let growing = self.texts.entry(whose(self.answer, place)).or_default();
        let start = growing.text.len();
        growing.text.push_str(&unescape(escaped));
        growing.pieces.push(Piece {
            chunk: self.chunk,
            string,
            range: start..growing.text.len(),
        });
        None
    }

    fn member(&mut self, escaped: &str, value: &Place<'_, '_>) -> Option<&'static str> {
        self.policy.member(escaped, value)
    }

    fn name<'t>(&mut self, _: &'t str) -> Option<Cow<'t, str>> {
        None
    }

    fn number(&mut self, _: &str) -> Option<&'static str> {
        None
    }

    fn value(&mut self, place: &Place<'_, '_>) -> Option<&'static str> {
        self.policy.value(place)
    }
}

/// Which text a string is a piece of: by the way to it, and by what the objects on it say of their position.
fn whose(answer: i64, place: &Place<'_, '_>) -> u64 {
    let mut hasher = SipHasher13::new();
    answer.hash(&mut hasher);
    for step in place.steps() {
        if let crate::json::Step::Member(name) = step {
            name.hash(&mut hasher);
        }
    }
    for object in place.objects() {
        for position in object.fields(POSITIONS).into_iter().flatten() {
            let is_told = matches!(position.kind(), Kind::Number | Kind::String);
            position.text().hash(&mut hasher);
            is_told.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The policy, and what was found across pieces.
struct Masked<'c, 's> {
    policy: &'c mut Policy<'s>,
    masks: &'c BTreeMap<(usize, usize), String>,
    chunk: usize,
    string: usize,
}

impl Filter for Masked<'_, '_> {
    fn string<'t>(&mut self, escaped: &'t str, place: &Place<'t, '_>) -> Option<Cow<'t, str>> {
        let mask = self.masks.get(&(self.chunk, self.string));
        self.string += 1;
        match mask {
            Some(mask) => {
                self.policy.did.redacted += 1;
                Some(Cow::Owned(self.policy.text(mask).into_owned()))
            }
            None => self.policy.string(escaped, place),
        }
    }

    fn member(&mut self, escaped: &str, value: &Place<'_, '_>) -> Option<&'static str> {
        self.policy.member(escaped, value)
    }

    fn name<'t>(&mut self, escaped: &'t str) -> Option<Cow<'t, str>> {
        self.policy.name(escaped)
    }

    fn number(&mut self, number: &str) -> Option<&'static str> {
        self.policy.number(number)
    }

    fn value(&mut self, place: &Place<'_, '_>) -> Option<&'static str> {
        self.policy.value(place)
    }
}
