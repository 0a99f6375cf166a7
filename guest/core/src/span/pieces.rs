//! Texts in pieces: put together by their place within the piece, and what is found in the whole is taken out of
//! each. The pieces are the chunks of a stream, or the elements of a list that a stream of no known format became.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use siphasher::sip::SipHasher13;

use crate::json::{Cleaned, Filter, Kind, Place, Raw, unescape, write_clean};
use crate::policy::{Policy, is_logprobs, tokens_of};
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

/// The texts of chunks that grow.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    texts: BTreeMap<u64, Growing>,
    /// Whether the chunks tell of their tokens beside the text.
    has_logprobs: bool,
    scratch: Vec<u8>,
}

impl Pieces {
    /// Adds the strings of a chunk of one of the answers under way.
    pub fn add(&mut self, policy: &mut Policy<'_>, answer: i64, chunk: usize, value: Raw<'_>) {
        let did = policy.did;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let mut collect = Collect {
            policy,
            pieces: self,
            answer,
            chunk,
            string: 0,
        };
        write_clean(value, &mut scratch, 0, &mut collect);
        policy.did = did;
        self.scratch = scratch;
    }

    /// What has to be hidden of them.
    pub fn masks(self, policy: &Policy<'_>) -> Masks {
        let mut masks = Masks::default();
        // A text that came as one piece is looked at when it is written; tokens tell it once more.
        let is_looked_at = |growing: &&Growing| self.has_logprobs || growing.pieces.len() > 1;
        for growing in self.texts.values().filter(is_looked_at) {
            let hidden = policy.hidden_ranges(&growing.text);
            masks.found |= !hidden.is_empty();
            growing.mask(&hidden, &mut masks.texts);
        }
        masks
    }
}

/// Appends a list as JSON, whose elements are the chunks of a stream that nothing put together.
pub(super) fn write_list(policy: &mut Policy<'_>, list: Raw<'_>, out: &mut Vec<u8>) -> Cleaned {
    let mut pieces = Pieces::default();
    pieces.add(policy, 0, 0, list);
    pieces.masks(policy).write(policy, 0, list, out)
}

/// What was found across chunks.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// What takes the place of strings that a secret goes through, by chunk and position within it.
    texts: BTreeMap<(usize, usize), String>,
    /// Whether anything was found, in pieces or not.
    found: bool,
}

impl Masks {
    /// Appends a chunk as JSON, with what the policy and what was found across chunks make of it.
    pub fn write(
        &self,
        policy: &mut Policy<'_>,
        chunk: usize,
        value: Raw<'_>,
        out: &mut Vec<u8>,
    ) -> Cleaned {
        let mut masked = Masked {
            policy,
            masks: self,
            chunk,
            string: 0,
        };
        write_clean(value, out, 0, &mut masked)
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
    pieces: &'c mut Pieces,
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
        let growing = self
            .pieces
            .texts
            .entry(whose(self.answer, place))
            .or_default();
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
        if !is_logprobs(escaped, value) {
            return self.policy.member(escaped, value);
        }
        // As where they are written: there they go as a whole if anything is found.
        self.pieces.has_logprobs = true;
        let growing = self.pieces.texts.entry(whose(self.answer, value));
        tokens_of(value.value(), &mut growing.or_default().text);
        Some(REDACTED)
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
    masks: &'c Masks,
    chunk: usize,
    string: usize,
}

impl Filter for Masked<'_, '_> {
    fn string<'t>(&mut self, escaped: &'t str, place: &Place<'t, '_>) -> Option<Cow<'t, str>> {
        let mask = self.masks.texts.get(&(self.chunk, self.string));
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
        if self.masks.found && is_logprobs(escaped, value) {
            self.policy.did.redacted += 1;
            return Some(REDACTED);
        }
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
