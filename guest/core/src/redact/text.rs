//! Bytes of a text by position, without the risk of asking beyond its end.

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
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// What Base64 is written with, in either alphabet, and `=`.
pub(super) fn is_base64(byte: u8) -> bool {
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
    let has = |is: fn(&u8) -> bool| token.iter().any(is);
    has(u8::is_ascii_digit)
        || (token.len() >= 16 && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
        || longest_run(token) >= 20
}

/// How many letters and digits stand together at most.
pub(super) fn longest_run(token: &[u8]) -> usize {
    let runs = token.split(|byte| !byte.is_ascii_alphanumeric());
    runs.map(<[u8]>::len).max().unwrap_or(0)
}
