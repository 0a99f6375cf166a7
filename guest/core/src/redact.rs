//! Secrets and personal data in text: what is found is replaced by `[REDACTED]`.
//!
//! A secret is told by the fixed prefix that its issuer documents so that scanners can find it, by the name before
//! it, by the scheme it is used with, or by its looks next to words that tell it. Personal data is looked for where the
//! settings ask for it, with the checksum of what has one. A first pass over the text as it stands looks for the
//! few bytes that such things are recognised by, so that text without any costs little; only what it
//! suspects is unescaped and looked at closely. Every step takes time linear in the text.

mod credentials;
mod names;
mod pairs;
mod personal;
mod prefixes;
mod runs;
mod scan;
mod text;
mod values;

use std::ops::Range;

use regex_lite::Regex;

use crate::bytes;

pub use names::{Sensitivity, sensitivity};

/// What takes a secret's place.
pub const REDACTED: &str = "[REDACTED]";

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Detectors {
    /// API keys, access tokens, passwords and other credentials.
    pub secrets: bool,
    /// E-mail addresses.
    pub email: bool,
    /// Telephone numbers.
    pub phone: bool,
    /// Numbers of payment cards: ISO/IEC 7812, with Luhn's check digit.
    pub card: bool,
    /// Bank accounts: ISO 13616, with its check digits.
    pub iban: bool,
    /// What the settings describe, in linear time.
    pub patterns: Vec<Regex>,
}

impl Detectors {
    /// Well-known secrets and nothing else.
    pub fn secrets() -> Self {
        Self {
            secrets: true,
            ..Self::default()
        }
    }

    /// Whether nothing is looked for.
    pub fn is_idle(&self) -> bool {
        !self.secrets && !self.looks_for_more()
    }

    /// Whether more than secrets is looked for.
    pub fn looks_for_more(&self) -> bool {
        self.has_numbers() || self.email || !self.patterns.is_empty()
    }

    fn has_numbers(&self) -> bool {
        self.phone || self.card || self.iban
    }

    /// Whether [`redact`](Self::redact) may find something once the text is unescaped: quick, and never wrong where it
    /// says no. What has escapes is always looked at unescaped: each may hide a byte that something is recognised by, or
    /// moves a word further away from a secret than it is.
    pub fn may_find(&self, escaped: &str) -> bool {
        let bytes = escaped.as_bytes();
        if self.is_idle() || bytes.len() < 4 && self.patterns.is_empty() {
            return false;
        }
        !self.patterns.is_empty()
            || (self.has_numbers() && bytes.iter().any(u8::is_ascii_digit))
            || (self.email && memchr::memchr(b'@', bytes).is_some())
            || bytes::has(escaped.as_bytes(), b'\\')
            || (self.secrets && scan::suspects(bytes))
    }

    /// The text with everything that was found replaced; None if nothing was.
    pub fn redact(&self, text: &str) -> Option<String> {
        let found = self.find(text);
        if found.is_empty() {
            return None;
        }
        let mut redacted = String::with_capacity(text.len());
        let mut copied = 0;
        for range in found {
            redacted.push_str(text.get(copied..range.start).unwrap_or_default());
            redacted.push_str(REDACTED);
            copied = range.end;
        }
        redacted.push_str(text.get(copied..).unwrap_or_default());
        Some(redacted)
    }

    /// Where something was found, in order and apart.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        if self.secrets {
            scan::secrets(bytes, &mut found);
        }
        if self.email {
            personal::emails(bytes, &mut found);
        }
        if self.has_numbers() {
            personal::numbers(bytes, self, &mut found);
        }
        for pattern in &self.patterns {
            found.extend(pattern.find_iter(text).map(|found| found.range()));
        }
        found.retain(|range| text.get(range.clone()) != Some(REDACTED));
        apart(text, found)
    }
}

/// The ranges of a text in order, what overlaps joined, around whole characters.
pub(crate) fn apart(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    for range in &mut ranges {
        while range.end < text.len() && !text.is_char_boundary(range.end) {
            range.end += 1;
        }
        while range.start > 0 && !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
    }
    ranges.sort_unstable_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

#[cfg(test)]
mod tests;
