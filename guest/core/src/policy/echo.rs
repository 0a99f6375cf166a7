//! What is not captured and yet repeated: an exception quotes the prompt, a provider sends it back.
//!
//! A quotation may be cut, escaped or wrapped, so pieces are looked for: what a text has in common with what is not
//! captured, if it is long enough, and short texts as a whole word. Every piece that long holds a whole block of those
//! that what is not captured is cut into, so the blocks are what is looked up.

use std::borrow::Cow;
use std::ops::Range;

use super::NOT_CAPTURED;
use crate::json::{Filter, KeepAll, Kind, Place, Raw, unescape, write_clean};
use crate::redact::apart;

/// How many bytes in common make a quotation.
const PIECE: usize = 16;

/// How long a block is: half a piece, so that every piece holds a whole one.
const BLOCK: usize = PIECE / 2;

/// How many places of one block are looked at.
const PLACES: usize = 8;

/// The shortest text that is looked for as a whole.
const SHORTEST: usize = 4;

/// How many short texts are looked for.
const MOST: usize = 256;

/// Members whose values are names of things and no content.
const NAMES: [&str; 12] = [
    "format",
    "id",
    "index",
    "mime_type",
    "mimeType",
    "media_type",
    "model",
    "name",
    "object",
    "role",
    "tool_choice",
    "type",
];

/// Texts that are not to be repeated.
#[derive(Debug, Default)]
pub struct Echo {
    /// The texts, one after the other, apart by a byte that is in none.
    texts: Vec<u8>,
    /// Their blocks and where they stand, in order once [`ready`](Self::ready) was called.
    blocks: Vec<([u8; BLOCK], usize)>,
    /// Those too short to be cut into pieces.
    short: Vec<String>,
}

impl Echo {
    /// Adds the texts of a document.
    pub fn add(&mut self, document: Raw<'_>) {
        if document.kind() == Kind::String {
            return self.add_text(&document.as_str().unwrap_or_default());
        }
        write_clean(document, &mut Vec::new(), 0, &mut Collect(self));
    }

    /// Adds a text.
    pub fn add_text(&mut self, text: &str) {
        let text = text.trim();
        if text.len() >= PIECE {
            self.texts.extend_from_slice(text.as_bytes());
            self.texts.push(0xff);
        } else if text.len() >= SHORTEST
            && self.short.len() < MOST
            && !self.short.iter().any(|known| known == text)
        {
            self.short.push(text.to_owned());
        }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.short.is_empty()
    }

    /// The text without what it repeats; None if it repeats nothing.
    pub fn without(&self, text: &str) -> Option<String> {
        let repeated = self.repeated(text);
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for range in &repeated {
            out.push_str(text.get(copied..range.start).unwrap_or_default());
            out.push_str(NOT_CAPTURED);
            copied = range.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        (!repeated.is_empty()).then_some(out)
    }

    /// What a text repeats, in order and apart.
    pub fn repeated(&self, text: &str) -> Vec<Range<usize>> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut found = self.pieces(text.as_bytes());
        for short in &self.short {
            let places = memchr::memmem::find_iter(text.as_bytes(), short.as_bytes());
            let places = places.map(|at| at..at + short.len());
            found.extend(places.filter(|range| is_apart(text, range)));
        }
        apart(text, found)
    }

    /// Ends the adding.
    pub fn ready(mut self) -> Self {
        let blocks = self.texts.chunks_exact(BLOCK).enumerate();
        let blocks =
            blocks.filter_map(|(number, block)| Some((block.try_into().ok()?, number * BLOCK)));
        self.blocks = blocks.collect();
        self.blocks.sort_unstable();
        self
    }

    /// What the text and the texts have in common.
    fn pieces(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(window) = text.get(at..at + BLOCK) {
            match self.in_common(text, at, window) {
                Some(range) => {
                    at = range.end.max(at + 1);
                    found.push(range);
                }
                None => at += 1,
            }
        }
        found
    }

    /// The longest piece around the window at `at` that the texts have as well, if it is long enough.
    fn in_common(&self, text: &[u8], at: usize, window: &[u8]) -> Option<Range<usize>> {
        let first = self
            .blocks
            .partition_point(|(block, _)| &block[..] < window);
        let places = self.blocks.iter().skip(first).take(PLACES);
        let places = places.take_while(|(block, _)| block == window);
        let pieces = places.map(|(_, place)| {
            let same = |(a, b): &(&u8, &u8)| a == b && **a != 0xff;
            let (head, tail) = text.split_at_checked(at).unwrap_or_default();
            let (our_head, our_tail) = self.texts.split_at_checked(*place).unwrap_or_default();
            let before = head
                .iter()
                .rev()
                .zip(our_head.iter().rev())
                .take_while(same)
                .count();
            let after = tail.iter().zip(our_tail).take_while(same).count();
            at - before..at + after
        });
        pieces
            .max_by_key(Range::len)
            .filter(|piece| piece.len() >= PIECE)
    }
}

/// Whether no letter or digit joins on to a range.
fn is_apart(text: &str, range: &Range<usize>) -> bool {
    let before = text
        .get(..range.start)
        .and_then(|before| before.chars().next_back());
    let after = text.get(range.end..).and_then(|after| after.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// Collects the texts of a document.
struct Collect<'e>(&'e mut Echo);

impl Filter for Collect<'_> {
    fn string<'s>(&mut self, escaped: &'s str, place: &Place<'s, '_>) -> Option<Cow<'s, str>> {
        let is_name = place.name().is_some_and(|name| NAMES.contains(&name));
        if !is_name || escaped.len() >= 2 * PIECE {
            self.0.add_text(&unescape(escaped));
        }
        None
    }

    fn member(&mut self, escaped: &str, place: &Place<'_, '_>) -> Option<&'static str> {
        KeepAll.member(escaped, place)
    }

    fn name<'s>(&mut self, escaped: &'s str) -> Option<Cow<'s, str>> {
        KeepAll.name(escaped)
    }

    fn number(&mut self, number: &str) -> Option<&'static str> {
        KeepAll.number(number)
    }

    fn value(&mut self, place: &Place<'_, '_>) -> Option<&'static str> {
        KeepAll.value(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_found_cut_or_escaped() {
        let mut echo = Echo::default();
        let document = r#"{"messages":[{"role":"user","content":"The merger with Initech closes\non Friday"},{"content":"Zanzibar"}]}"#;
        echo.add(Raw::parse(document).unwrap());
        let echo = echo.ready();
        for (text, told) in [
            (
                "blocked: 'The merger with Initech closes\\non Friday'",
                "blocked: '[not captured]\\non Friday'",
            ),
            (
                "near \"merger with Initech\u{2026}\"",
                "near \"[not captured]\u{2026}\"",
            ),
            ("about Zanzibar, user", "about [not captured], user"),
        ] {
            assert_eq!(echo.without(text).as_deref(), Some(told));
        }
        for text in ["rate limit reached for user", "Zanzibaris", ""] {
            assert_eq!(echo.without(text), None);
        }
    }
}
