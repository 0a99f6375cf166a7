//! Validation of a whole document, and the token ends that walking validated text needs.
//!
//! RFC 8259, but for two things Python's `json` writes: bare `NaN`, `Infinity` and `-Infinity`, and
//! surrogate escapes that stand alone.

use super::marks::Marker;
use super::names::Outline;
use crate::bytes;

/// Where and why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct ParseError {
    /// What is wrong.
    pub what: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
}

type Fault = (usize, &'static str);

/// Checks that `text` is one JSON value with nothing but white space around it, and tells where the values within it are.
pub(super) fn validate(text: &str, marker: &mut impl Marker) -> Result<(), ParseError> {
    document(text.as_bytes(), marker).map_err(|(at, what)| {
        let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column =
            1 + before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        ParseError { what, line, column }
    })
}

fn document(text: &[u8], marker: &mut impl Marker) -> Result<(), Fault> {
    let mut open = Vec::new();
    let mut at = white_space(text, 0);
    'value: loop {
        at = match byte(text, at) {
            b'{' => {
                let inner = white_space(text, at + 1);
                if byte(text, inner) != b'}' {
                    open.push(b'{');
                    at = member(text, inner, marker)?;
                    continue 'value;
                }
                inner + 1
            }
            b'[' => {
                let inner = white_space(text, at + 1);
                if byte(text, inner) != b']' {
                    open.push(b'[');
                    at = inner;
                    marker.begin((at, at), Outline::of(b""), at);
                    continue 'value;
                }
                inner + 1
            }
            b'"' => string(text, at)?.0,
            b't' => literal(text, at, b"true")?,
            b'f' => literal(text, at, b"false")?,
            b'n' => literal(text, at, b"null")?,
            b'N' => literal(text, at, b"NaN")?,
            b'I' => literal(text, at, b"Infinity")?,
            b'-' if byte(text, at + 1) == b'I' => literal(text, at, b"-Infinity")?,
            b'-' | b'0'..=b'9' => number(text, at)?,
            _ => return Err((at, "expected a value")),
        };
        loop {
            if !open.is_empty() {
                marker.end(at);
            }
            at = white_space(text, at);
            match (open.last(), byte(text, at)) {
                (None, _) if at >= text.len() => return Ok(()),
                (None, _) => return Err((at, "expected the end")),
                (Some(b'{'), b',') => {
                    at = member(text, white_space(text, at + 1), marker)?;
                    continue 'value;
                }
                (Some(b'['), b',') => {
                    at = white_space(text, at + 1);
                    marker.begin((at, at), Outline::of(b""), at);
                    continue 'value;
                }
                (Some(b'{'), b'}') | (Some(b'['), b']') => {
                    open.pop();
                    at += 1;
                }
                (Some(b'{'), _) => return Err((at, "expected `,` or `}`")),
                (Some(_), _) => return Err((at, "expected `,` or `]`")),
            }
        }
    }
}

/// From a key to where its value begins.
fn member(text: &[u8], at: usize, marker: &mut impl Marker) -> Result<usize, Fault> {
    if byte(text, at) != b'"' {
        return Err((at, "expected a key in quotes"));
    }
    let (end, is_escaped) = string(text, at)?;
    let colon = white_space(text, end);
    if byte(text, colon) != b':' {
        return Err((colon, "expected `:`"));
    }
    let value = white_space(text, colon + 1);
    let outline = match text.get(at + 1..end - 1) {
        Some(name) if !is_escaped => Outline::of(name),
        _ => Outline::ESCAPED,
    };
    marker.begin((at + 1, end - 1), outline, value);
    Ok(value)
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Result<usize, Fault> {
    let end = at + word.len();
    match text.get(at..end) {
        Some(found) if found == word => Ok(end),
        _ => Err((at, "expected a value")),
    }
}

/// Where a string ends, and whether it has escapes.
fn string(text: &[u8], quote: usize) -> Result<(usize, bool), Fault> {
    let mut at = quote + 1;
    let mut is_escaped = false;
    loop {
        at = plain_end(text, at);
        match byte(text, at) {
            b'"' => return Ok((at + 1, is_escaped)),
            b'\\' => {
                is_escaped = true;
                at = escape(text, at)?;
            }
            _ if at >= text.len() => return Err((at, "a string does not end")),
            _ => return Err((at, "a control character in a string is not escaped")),
        }
    }
}

/// The first position from `at` of what ends a string's plain run: a quote, a backslash, a control character or the
/// text's end.
///
/// Looks at eight bytes at once.
#[inline(always)]
pub(super) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = plain_ends(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    last_plain_end(text, at)
}

/// The same where less than a word is left.
fn last_plain_end(text: &[u8], mut at: usize) -> usize {
    if let Some(last) = text.last_chunk()
        && at < text.len()
    {
        // Without what was looked at before: the control characters that take its place stand after the end.
        let seen = at + 8 - text.len();
        let found = plain_ends(u64::from_le_bytes(*last) >> (8 * seen));
        return at + (found.trailing_zeros() / 8) as usize;
    }
    while !matches!(byte(text, at), b'"' | b'\\' | 0..=0x1f) {
        at += 1;
    }
    at
}

/// The bytes of a word that end a plain run have their highest bit set; see [`bytes::below`].
fn plain_ends(word: u64) -> u64 {
    bytes::equal(word, b'"') | bytes::equal(word, b'\\') | bytes::below(word, 0x20)
}

/// Whether a string stands between its quotes as it is: it has no escapes.
#[inline(always)]
pub(super) fn is_plain(text: &str) -> bool {
    !bytes::has(text.as_bytes(), b'\\')
}

fn escape(text: &[u8], backslash: usize) -> Result<usize, Fault> {
    match byte(text, backslash + 1) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(backslash + 2),
        b'u' => match text.get(backslash + 2..backslash + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(backslash + 6),
            _ => Err((backslash, "invalid escape")),
        },
        _ => Err((backslash, "invalid escape")),
    }
}

fn number(text: &[u8], start: usize) -> Result<usize, Fault> {
    let invalid = (start, "invalid number");
    let mut at = start + usize::from(byte(text, start) == b'-');
    let integer = at;
    at = digits(text, at);
    if at == integer || (byte(text, integer) == b'0' && at > integer + 1) {
        return Err(invalid);
    }
    if byte(text, at) == b'.' {
        let fraction = at + 1;
        at = digits(text, fraction);
        if at == fraction {
            return Err(invalid);
        }
    }
    if matches!(byte(text, at), b'e' | b'E') {
        at += 1;
        at += usize::from(matches!(byte(text, at), b'+' | b'-'));
        let exponent = at;
        at = digits(text, exponent);
        if at == exponent {
            return Err(invalid);
        }
    }
    Ok(at)
}

fn digits(text: &[u8], mut at: usize) -> usize {
    while byte(text, at).is_ascii_digit() {
        at += 1;
    }
    at
}

/// The byte at `at`, or 0 at the end: no token begins with it.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The first position from `at` that is not white space.
pub(super) fn white_space(text: &[u8], mut at: usize) -> usize {
    while matches!(byte(text, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// In validated text: the position after the string that begins at `quote`.
pub(super) fn string_end(text: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    loop {
        at = plain_end(text, at);
        match byte(text, at) {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => return text.len(),
        }
    }
}

/// In validated text: the position after the value that begins at `at`.
pub(super) fn value_end(text: &[u8], at: usize) -> usize {
    match byte(text, at) {
        b'"' => string_end(text, at),
        b'{' | b'[' => container_end(text, at),
        _ => scalar_end(text, at),
    }
}

fn container_end(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    let mut depth = 1_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// In validated text: the position after the number or literal that begins at `at`.
pub(super) fn scalar_end(text: &[u8], mut at: usize) -> usize {
    while matches!(byte(text, at), b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') {
        at += 1;
    }
    at
}
