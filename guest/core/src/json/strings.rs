//! JSON strings: from escapes to text and back.

use std::borrow::Cow;

use super::scan::{is_plain, plain_end};

/// The text that stands escaped between two quotes. Surrogates that stand alone become U+FFFD.
pub fn unescape(escaped: &str) -> Cow<'_, str> {
    if is_plain(escaped) {
        return Cow::Borrowed(escaped);
    }
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    let mut next = memchr::memchr(b'\\', rest.as_bytes());
    while let Some(at) = next {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(before);
        let (character, length) = character(from);
        text.push(character);
        rest = from.get(length..).unwrap_or_default();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that the escape at the beginning of `from` stands for, and the escape's length.
fn character(from: &str) -> (char, usize) {
    let plain = |character| (character, 2);
    match from.as_bytes().get(1) {
        Some(b'n') => plain('\n'),
        Some(b't') => plain('\t'),
        Some(b'r') => plain('\r'),
        Some(b'b') => plain('\u{8}'),
        Some(b'f') => plain('\u{c}'),
        Some(b'u') => unicode(from),
        Some(other) if other.is_ascii() => plain(char::from(*other)),
        _ => (char::REPLACEMENT_CHARACTER, from.len()),
    }
}

fn unicode(from: &str) -> (char, usize) {
    let alone = (char::REPLACEMENT_CHARACTER, 6);
    let Some(unit) = code_unit(from) else {
        return alone;
    };
    if let 0xd800..=0xdbff = unit {
        let low = from
            .get(6..)
            .and_then(code_unit)
            .filter(|low| (0xdc00..=0xdfff).contains(low));
        let pair = low.map(|low| 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        return pair
            .and_then(char::from_u32)
            .map_or(alone, |character| (character, 12));
    }
    char::from_u32(unit).map_or(alone, |character| (character, 6))
}

fn code_unit(from: &str) -> Option<u32> {
    u32::from_str_radix(from.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// The same escapes with U+FFFD for every surrogate that stands alone; None if none does.
pub(super) fn without_lone_surrogates(escaped: &str) -> Option<String> {
    if is_plain(escaped) {
        return None;
    }
    let mut repaired = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', escaped.as_bytes().get(at..)?) {
        at += found;
        let from = escaped.get(at..)?;
        let (character, length) = character(from);
        let written = from.as_bytes().get(1) == Some(&b'u');
        if written && character == char::REPLACEMENT_CHARACTER && code_unit(from) != Some(0xfffd) {
            repaired.push_str(escaped.get(copied..at)?);
            repaired.push_str("\\ufffd");
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return None;
    }
    repaired.push_str(escaped.get(copied..)?);
    Some(repaired)
}

/// Appends `text` as a JSON string, quotes included. Only what has to be is escaped.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    loop {
        let at = plain_end(bytes, copied);
        out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        let Some(&byte) = bytes.get(at) else {
            break;
        };
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\t' => b't',
            b'\r' => b'r',
            _ => 0,
        };
        copied = at + 1;
        if short == 0 {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.push(b'"');
}

/// The text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    write_str(text, &mut quoted);
    // Whole characters and ASCII escapes were written.
    String::from_utf8(quoted).unwrap_or_default()
}
