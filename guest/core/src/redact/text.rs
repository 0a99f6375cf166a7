//! Bytes of a text by position, without the risk of asking beyond its end.

/// A set of bytes.
pub(super) struct Bytes([bool; 256]);

impl Bytes {
    /// These bytes.
    pub const fn of(bytes: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut at = 0;
        #[expect(clippy::indexing_slicing, reason = "at compile time")]
        while at < bytes.len() {
            table[bytes[at] as usize] = true;
            at += 1;
        }
        Self(table)
    }

    /// Whether it holds a byte.
    pub fn hold(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }
}

/// The byte at `at`, or 0 beyond the end.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte `distance` before `at`, or 0 before the beginning.
pub(super) fn before(text: &[u8], at: usize, distance: usize) -> u8 {
    at.checked_sub(distance).map_or(0, |at| byte(text, at))
}

/// Whether `part` stands at `at`.
pub(super) fn stands_at(text: &[u8], at: usize, part: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(part))
}

/// Whether `part` stands at `at`, in any case.
pub(super) fn stands_in_any_case(text: &[u8], at: usize, part: &[u8]) -> bool {
    text.get(at..at.saturating_add(part.len()))
        .is_some_and(|found| found.eq_ignore_ascii_case(part))
}

/// The bytes from `start` to `end`.
pub(super) fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// How many bytes from `start` on are part of it.
pub(super) fn run(text: &[u8], start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().take_while(|byte| is_part(**byte)).count()
}

/// How many bytes before `end` are part of it, looking at most `most` far.
pub(super) fn run_before(
    text: &[u8],
    end: usize,
    most: usize,
    is_part: impl Fn(u8) -> bool,
) -> usize {
    let rest = slice(text, end.saturating_sub(most), end);
    rest.iter().rev().take_while(|byte| is_part(**byte)).count()
}

/// Letters, digits, `_` and `-`.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// What Base64 is written with, in either alphabet, and `=`.
pub(super) const fn is_base64(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'/' | b'=')
}

/// Whether a word begins at `at`.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    let last = before(text, at, 1);
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    // `\n` and its like, in JSON within JSON, are no letters; nor is what a URL escapes, such as `%3D`.
    let is_escape = before(text, at, 2) == b'\\' && b"nrtbf".contains(&last);
    let is_percent = before(text, at, 3) == b'%'
        && before(text, at, 2).is_ascii_hexdigit()
        && last.is_ascii_hexdigit();
    let is_unicode = before(text, at, 6) == b'\\' && before(text, at, 5) == b'u';
    is_escape || is_percent || is_unicode
}

/// Whether it looks made by chance: a digit in it, letters in both cases, or no pause for long.
pub(super) fn looks_random(token: &[u8]) -> bool {
    is_random(token, 20)
}

/// The same, where so many letters together are long.
pub(super) fn is_random(token: &[u8], long: usize) -> bool {
    let (mut small, mut capital, mut together) = (false, false, 0);
    for byte in token {
        match byte {
            b'0'..=b'9' => return true,
            b'a'..=b'z' => small = true,
            b'A'..=b'Z' => capital = true,
            _ => {
                together = 0;
                continue;
            }
        }
        together += 1;
        if together >= long || (small && capital && token.len() >= 16) {
            return true;
        }
    }
    false
}
