//! Names that members are looked for by.
//!
//! A payload has a hundred members, and those who look for some of them go past all others. So of each name an outline
//! is noted while the document is validated, and most members are told to be none of those that are looked for by a bit
//! of it, without their name's being looked at.

use super::scan;
use super::strings::unescape;

/// What most names differ in: length, first and last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline(u32);

impl Outline {
    /// That of a name with escapes, which may be any. No text begins with this byte.
    pub const ESCAPED: Self = Self(u32::MAX);

    /// That of a name without escapes.
    #[inline(always)]
    pub fn of(name: &[u8]) -> Self {
        let [first, last] = [name.first(), name.last()].map(|byte| byte.copied().unwrap_or(0));
        Self((name.len() as u32) << 16 | u32::from(first) << 8 | u32::from(last))
    }

    /// That of a name as it stands between its quotes.
    pub fn of_key(key: &str) -> Self {
        if scan::is_plain(key) {
            Self::of(key.as_bytes())
        } else {
            Self::ESCAPED
        }
    }

    /// One bit of 64, by multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    #[inline(always)]
    fn bit(self) -> u64 {
        1 << (self.0.wrapping_mul(0x9E37_79B1) >> 26)
    }
}

/// The names of some members.
#[derive(Clone, Copy)]
pub(super) struct Names<'n> {
    names: &'n [&'n str],
    /// The bits of their outlines.
    bits: u64,
}

impl<'n> Names<'n> {
    #[inline(always)]
    pub fn new(names: &'n [&'n str]) -> Self {
        let bits = names.iter().map(|name| Outline::of(name.as_bytes()).bit());
        Self {
            names,
            bits: bits.fold(Outline::ESCAPED.bit(), |all, bit| all | bit),
        }
    }

    /// Whether a name with this outline may be one of them: never wrong where it says no.
    #[inline(always)]
    pub fn may_have(self, outline: Outline) -> bool {
        self.bits & outline.bit() != 0
    }

    /// Which of them a key is, that has this outline and stands as it does between its quotes.
    pub fn position(self, outline: Outline, key: &str) -> Option<usize> {
        if outline == Outline::ESCAPED {
            let key = unescape(key);
            return self.names.iter().position(|name| *name == key);
        }
        self.names.iter().position(|name| is_same(name, key))
    }
}

/// Whether two names are the same, by words of eight bytes: the sandbox's `memcmp` goes byte by byte.
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let ((words, _), (others, _)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let number = |word: &[u8; 8]| u64::from_le_bytes(*word);
    let alike = || (words.iter().zip(others)).all(|(word, other)| number(word) == number(other));
    match (one.last_chunk(), other.last_chunk()) {
        (Some(last), Some(others_last)) => number(last) == number(others_last) && alike(),
        _ => one.iter().zip(other).all(|(byte, other)| byte == other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Raw};

    /// With marks and without.
    fn values(text: &str, names: [&str; 3]) -> [[Option<String>; 3]; 2] {
        let document = Document::parse(text).unwrap();
        [document.root(), Raw::parse(text).unwrap()].map(|object| {
            let values = object.fields(names);
            values.map(|value| value.map(|value| value.text().to_owned()))
        })
    }

    #[test]
    fn names_are_found_however_they_are_written_and_the_last_one_counts() {
        let found = |one: &str, two: &str| [Some(one.to_owned()), Some(two.to_owned()), None];
        for (text, expected) in [
            (
                r#"{"ab": 1, "a\u0062": 2, "a long name": 3}"#,
                found("2", "3"),
            ),
            (
                r#"{"a\u0062": 1, "ab": 2, "a lon\u0067 name": 3}"#,
                found("2", "3"),
            ),
            // The same length, first and last byte.
            (
                r#"{"ab": 1, "a song name": 2, "a long name": 3, "nane": 4}"#,
                found("1", "3"),
            ),
            (
                r#"{"": 1, "ab": {"ab": 2}, "b": 3, "a long name": []}"#,
                found(r#"{"ab": 2}"#, "[]"),
            ),
        ] {
            let names = ["ab", "a long name", "none"];
            assert_eq!(values(text, names), [expected.clone(), expected], "{text}");
        }
    }
}
