//! Names and values in text: `name=value`, `name: value`, `"name": "value"`, `<name>value</name>`.
//!
//! Prose and programs have such pairs too. So a value that stands in quotes or as a parameter of a URL is a secret by
//! its name, another one has to look like one, and what calls a function or reads a variable is none.

use std::ops::Range;

use super::names::{self, Sensitivity};
use super::text::{
    Bytes, before, byte, is_word, looks_random, run, run_before, slice, stands_in_any_case,
};
use super::values::{is_code, is_placeholder};

/// The longest name.
const NAME: usize = 64;

/// How much of a value decides whether it is a secret.
const NEAR: usize = 256;

/// What ends a value without quotes.
static ENDS: Bytes = Bytes::of(b" \t\n\x0C\r\"'`<>;,(){}[]|\\");

/// A name before a separator.
pub(super) struct Pair {
    separator: usize,
    sensitivity: Sensitivity,
    /// Where the name begins.
    start: usize,
    /// Whether the name is a parameter of a URL, or an element of XML.
    of_url: bool,
    of_xml: bool,
    /// Whether blanks stand before the separator.
    spaced: bool,
}

/// The pair around the separator at `at`, if its name tells a secret. It does not look at the value.
pub(super) fn noticed(text: &[u8], at: usize) -> Option<Pair> {
    let mark = byte(text, at);
    let blanks = run_before(text, at, 4, |byte| byte == b' ' || byte == b'\t');
    let quotes = run_before(text, at - blanks, 8, |byte| {
        matches!(byte, b'"' | b'\'' | b'`' | b'\\')
    });
    let end = at - blanks - quotes;
    let is_part = |byte| is_word(byte) || byte == b'.';
    // The last byte tells most names to be none.
    if !before(text, end, 1).is_ascii_alphabetic() {
        return None;
    }
    let start = end - run_before(text, end, NAME, is_part);
    let name = slice(text, start, end);
    let of_url = mark == b'=' && matches!(before(text, start, 1), b'?' | b'&' | b'#');
    let of_xml = mark == b'>';
    if of_xml && before(text, start, 1) != b'<' && !is_prefixed(text, start) {
        return None;
    }
    let sensitivity = if of_url && names::is_secret_parameter(name) {
        Sensitivity::Secret
    } else {
        names::of_bytes(name)
    };
    let pair = Pair {
        separator: at,
        sensitivity,
        start,
        of_url,
        of_xml,
        spaced: blanks > 0,
    };
    (sensitivity != Sensitivity::Open).then_some(pair)
}

impl Pair {
    /// Where the value is, if it is a secret.
    pub fn secret(&self, text: &[u8]) -> Option<Range<usize>> {
        let mut at = self.separator + 1;
        // `:=`, `=>`; but `==` compares.
        match (byte(text, self.separator), byte(text, at)) {
            (b':', b'=') | (b'=', b'>') => at += 1,
            (_, b'=') => return None,
            _ => {}
        }
        if self.of_xml {
            return self.element(text, at);
        }
        let blanks = run(text, at, |byte| byte == b' ' || byte == b'\t');
        at += blanks;
        if byte(text, at) == b'[' {
            return self.listed(text, at + 1);
        }
        if let Some(len) = quotes(text, at) {
            return self.quoted(text, at, len);
        }
        if let Some(range) = self.credentials(text, at) {
            return Some(range);
        }
        self.bare(text, at, self.spaced || blanks > 0)
    }

    /// The text of an element of XML, on a line of its own or not.
    fn element(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let start = at + run(text, at, |byte| byte.is_ascii_whitespace());
        let len = run(text, start, |byte| byte != b'<' && byte != b'\n');
        let end = start + len;
        let after = run(text, end, |byte| byte.is_ascii_whitespace());
        let value = slice(text, start, end);
        let fits = match self.sensitivity {
            Sensitivity::Password | Sensitivity::Code => self.sensitivity.fits(value),
            _ => len > 0,
        };
        (fits && byte(text, end + after) == b'<').then_some(start..end)
    }

    /// A list of values in quotes, as header fields are told: from the first to the last.
    fn listed(&self, text: &[u8], mut at: usize) -> Option<Range<usize>> {
        let mut found: Option<Range<usize>> = None;
        let mut is_secret = false;
        loop {
            at += run(text, at, |byte| byte.is_ascii_whitespace() || byte == b',');
            let Some(len) = quotes(text, at) else { break };
            let value = within_quotes(text, at, len);
            is_secret |= self.quoted(text, at, len).is_some();
            at = value.end + len;
            found = Some(found.map_or(value.start, |before| before.start)..value.end);
        }
        found.filter(|_| is_secret)
    }

    /// A value in quotes, which begin at `at` and are as long as `len`.
    fn quoted(&self, text: &[u8], at: usize, len: usize) -> Option<Range<usize>> {
        let range = within_quotes(text, at, len);
        let value = slice(text, range.start, range.end);
        let fits = match self.sensitivity {
            Sensitivity::Secret => !value.is_empty() && !is_placeholder(value),
            perhaps => perhaps.fits(value),
        };
        fits.then_some(range)
    }

    /// What follows `Authorization:` and `Cookie:`, without quotes.
    fn credentials(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        const SCHEMES: [&str; 9] = [
            "bearer ",
            "basic ",
            "token ",
            "apikey ",
            "negotiate ",
            "digest ",
            "aws4-hmac-sha256 ",
            "sharedkey ",
            "key ",
        ];
        let is_of = |name: &[u8]| {
            let end = slice(text, self.start, self.separator);
            let end = end
                .get(end.len().saturating_sub(name.len() + 8)..)
                .unwrap_or_default();
            end.to_ascii_lowercase()
                .windows(name.len())
                .any(|found| found == name)
        };
        if is_of(b"authorization") {
            let scheme = SCHEMES
                .iter()
                .find(|scheme| stands_in_any_case(text, at, scheme.as_bytes()))?;
            let start = at + scheme.len();
            let is_list = scheme.starts_with("digest") || scheme.starts_with("aws4");
            let end = if is_list {
                at + run(text, at, |byte| !matches!(byte, b'\r' | b'\n'))
            } else {
                start
                    + run(text, start, |byte| {
                        !byte.is_ascii_whitespace() && !b"\"'<`,;\\".contains(&byte)
                    })
            };
            return (end > start).then_some(start..end);
        }
        if !is_of(b"cookie") {
            return None;
        }
        let is_part = |byte| !matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'<' | b'`');
        let near = slice(text, at, (at + NEAR).min(text.len()));
        let has_value = slice(near, 0, run(near, 0, is_part)).contains(&b'=');
        has_value.then(|| at..at + run(text, at, is_part))
    }

    /// A value without quotes.
    fn bare(&self, text: &[u8], at: usize, spaced: bool) -> Option<Range<usize>> {
        let is_assigned = byte(text, self.separator) == b'=';
        let ends = |byte: u8| ENDS.hold(byte) || (is_assigned && byte == b'&');
        let near = slice(text, at, (at + NEAR).min(text.len()));
        let len = run(near, 0, |byte| !ends(byte));
        let mut value = slice(near, 0, len);
        // The end of a sentence.
        while let [rest @ .., b'.' | b':' | b'!' | b'?'] = value {
            value = rest;
        }
        let next = byte(text, at + len);
        if value.is_empty()
            || is_placeholder(value)
            || (!self.of_url && matches!(next, b'(' | b'['))
        {
            return None;
        }
        let is_field = slice(text, self.start, self.separator).contains(&b'-');
        let fits = if self.of_url {
            !value.is_empty()
        } else if is_field && self.sensitivity == Sensitivity::Secret {
            // No word of a program or of prose, but the name of a header field.
            value.len() >= 4 && (value.len() >= 8 || value.iter().any(u8::is_ascii_digit))
        } else if self.sensitivity != Sensitivity::Secret {
            self.sensitivity.fits(value) && !is_code(value)
        } else if spaced || byte(text, self.separator) == b':' {
            (value.len() >= 6 && value.iter().any(u8::is_ascii_digit))
                || (value.len() >= 16 && !value.contains(&b'.') && looks_random(value))
        } else {
            value.len() >= 3 && !is_code(value)
        };
        let is_cut = len == NEAR;
        let rest = || {
            if is_cut {
                run(text, at + len, |byte| !ends(byte))
            } else {
                0
            }
        };
        fits.then(|| at..at + value.len() + rest())
    }
}

/// Whether the name at `start` has a namespace's prefix in an element of XML.
fn is_prefixed(text: &[u8], start: usize) -> bool {
    if before(text, start, 1) != b':' {
        return false;
    }
    let prefix = run_before(text, start - 1, NAME, is_word);
    prefix > 0 && before(text, start - 1 - prefix, 1) == b'<'
}

/// How long the quotes are that begin at `at`, with what escapes them; none: there are none.
fn quotes(text: &[u8], at: usize) -> Option<usize> {
    let slashes = run(text, at, |byte| byte == b'\\');
    matches!(byte(text, at + slashes), b'"' | b'\'' | b'`').then_some(slashes + 1)
}

/// What stands in quotes, which begin at `at` and are as long as `len`.
fn within_quotes(text: &[u8], at: usize, len: usize) -> Range<usize> {
    let start = at + len;
    let open = slice(text, at, start);
    let rest = text.get(start..).unwrap_or_default();
    let mut ends =
        memchr::memmem::find_iter(rest, open).filter(|end| before(rest, *end, 1) != b'\\');
    start..start + ends.next().unwrap_or(rest.len())
}

/// The value of an option of a command, whose name begins behind the hyphen at `at`: `--password x`, `-u user:x`.
pub(super) fn option(text: &[u8], at: usize) -> Option<Range<usize>> {
    let name_end = at
        + 1
        + run(
            slice(text, at + 1, (at + 1 + NAME).min(text.len())),
            0,
            is_word,
        );
    let name = slice(text, at + 1, name_end);
    let is_long = before(text, at, 1) == b'-' && names::of_bytes(name) == Sensitivity::Secret;
    let is_user = name == b"u" || (name == b"user" && before(text, at, 1) == b'-');
    if byte(text, name_end) != b' ' || !(is_long || is_user) {
        return None;
    }
    let mut start = name_end + 1;
    let quote = byte(text, start);
    let is_quoted = matches!(quote, b'"' | b'\'');
    start += usize::from(is_quoted);
    let near = slice(text, start, (start + NEAR).min(text.len()));
    let ends = |byte: u8| {
        byte.is_ascii_whitespace() || (is_quoted && byte == quote) || b"|;`\"'".contains(&byte)
    };
    let mut value = slice(near, 0, run(near, 0, |byte| !ends(byte)));
    let end = start + value.len();
    if is_user {
        let colon = memchr::memchr(b':', value).filter(|colon| *colon > 0)?;
        value = value.get(colon + 1..).unwrap_or_default();
        start += colon + 1;
        // User and group, as numbers.
        if value.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    let fits = value.len() >= 3 && !is_placeholder(value) && !b"-$".contains(&byte(value, 0));
    fits.then_some(start..end)
}

/// Whether an option's name may begin behind the hyphen at `at`.
pub(super) fn is_option(text: &[u8], at: usize) -> bool {
    let next = byte(text, at + 1);
    (before(text, at, 1) == b'-' && next.is_ascii_alphabetic())
        || (next == b'u' && byte(text, at + 2) == b' ' && before(text, at, 1).is_ascii_whitespace())
}
