//! One pass over a text: bytes that secrets are recognised by, each with its rules.

use std::ops::Range;

use super::credentials as c;
use super::prefixes::{self, Prefix};
use super::text::{Bytes, before, byte};
use super::{pairs, runs};

/// What was noticed.
enum Notice {
    Prefix(&'static Prefix, usize),
    Scheme,
    Address,
    Armour,
    Option,
    WebToken,
    Entra,
    Bot,
    Discord,
    Pair(pairs::Pair),
}

/// Bytes that secrets are recognised by.
static ANCHORS: Bytes = Bytes::of(b"-_.:=>/~AJKBbp");

/// Whether there may be a secret.
pub(super) fn suspects(text: &[u8]) -> bool {
    let noticed = |at| {
        let mut noticed = false;
        notices(text, at, &mut |_| noticed = true);
        noticed
    };
    first_anchor(text, 0, noticed).is_some()
        || runs::long_runs(text).any(|run| runs::is_key(text, &run))
}

/// Adds the secrets of a text.
pub(super) fn secrets(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = first_anchor(text, from, |_| true) {
        from = at + 1;
        notices(text, at, &mut |notice| {
            if let Some(range) = notice.secret(text, at) {
                from = from.max(range.end);
                found.push(range);
            }
        });
    }
    found.extend(runs::long_runs(text).filter(|run| runs::is_key(text, run)));
}

/// How many bytes are looked at together: what a vector holds.
const BLOCK: usize = 16;

/// How long a text is that is looked at in blocks. Short ones are names and ids, which have an anchor every few bytes.
const LONG: usize = 256;

/// The first position from `from` on that something may be noticed by, and that is wanted.
#[inline(always)]
fn first_anchor(
    text: &[u8],
    mut from: usize,
    is_wanted: impl Fn(usize) -> bool + Copy,
) -> Option<usize> {
    while text.len().saturating_sub(from) >= LONG {
        let around = from.checked_sub(1).and_then(|before| text.get(before..));
        let block = around.and_then(<[u8]>::first_chunk);
        if block.is_none_or(may_tell) {
            let found = anchor_within(text, from, from + BLOCK, is_wanted);
            if found.is_some() {
                return found;
            }
        }
        from += BLOCK;
    }
    anchor_within(text, from, text.len(), is_wanted)
}

/// The same up to an end. Four bytes at each turn of the loop, which takes the sandbox longer than a byte does.
fn anchor_within(
    text: &[u8],
    mut at: usize,
    end: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Option<usize> {
    let (fours, rest) = text.get(at..end)?.as_chunks::<4>();
    let is_found = |byte: u8, at: usize| is_anchor(byte) && is_telling(text, at) && is_wanted(at);
    for [first, second, third, fourth] in fours {
        if is_found(*first, at) {
            return Some(at);
        }
        if is_found(*second, at + 1) {
            return Some(at + 1);
        }
        if is_found(*third, at + 2) {
            return Some(at + 2);
        }
        if is_found(*fourth, at + 3) {
            return Some(at + 3);
        }
        at += 4;
    }
    let mut rest = (at..).zip(rest);
    rest.find_map(|(at, byte)| is_found(*byte, at).then_some(at))
}

/// Whether there may be an anchor that tells something in a block, which stands here with the bytes on both of its sides:
/// never wrong where it says no. Without a branch, so that it becomes vector instructions.
fn may_tell(block: &[u8; BLOCK + 2]) -> bool {
    let [before @ .., _, _] = block;
    let [_, here @ .., _] = block;
    let [_, _, after @ ..] = block;
    let mut found = false;
    for ((before, here), after) in before.iter().zip(here).zip(after) {
        let sign = here.wrapping_sub(b'-') <= b'/' - b'-' || here.wrapping_sub(b':') <= b'>' - b':';
        let letter = matches!(here, b'_' | b'~' | b'A' | b'J' | b'K');
        let small_b = (here | 0x20 == b'b') & (after & !0x24 == b'A');
        let small_p = (*here == b'p') & (*before == b'a');
        found |= sign | letter | small_b | small_p;
    }
    found
}

fn is_anchor(byte: u8) -> bool {
    ANCHORS.hold(byte)
}

/// Whether what stands beside an anchor lets it tell something: most letters are told to be none by it.
fn is_telling(text: &[u8], at: usize) -> bool {
    match byte(text, at) {
        b'p' => before(text, at, 1) == b'a',
        b'b' | b'B' => matches!(byte(text, at + 1) | 0x20, b'a' | b'e'),
        b'A' => byte(text, at + 1).is_ascii_uppercase(),
        b'K' => before(text, at, 1) == b'S',
        b'J' => before(text, at, 1) == b'y',
        b'~' => before(text, at, 1) == b'Q',
        b'/' => before(text, at, 1) == b'1',
        _ => true,
    }
}

/// Tells what the anchor at `at` gives notice of.
fn notices(text: &[u8], at: usize, tell: &mut dyn FnMut(Notice)) {
    match byte(text, at) {
        b'B' | b'b' => {
            if c::is_scheme(text, at) {
                tell(Notice::Scheme);
            }
            return;
        }
        b':' => {
            if c::is_url(text, at) {
                tell(Notice::Address);
            } else if let Some(pair) = pairs::noticed(text, at) {
                tell(Notice::Pair(pair));
            } else if byte(text, at + 1) == b'A' && before(text, at, 1).is_ascii_digit() {
                tell(Notice::Bot);
            }
            return;
        }
        b'=' | b'>' => {
            if let Some(pair) = pairs::noticed(text, at) {
                tell(Notice::Pair(pair));
            }
            return;
        }
        b'~' => return tell(Notice::Entra),
        b'J' => {
            if before(text, at, 2) == b'e' {
                tell(Notice::WebToken);
            }
            return;
        }
        b'-' if c::is_armour(text, at) => tell(Notice::Armour),
        b'-' if pairs::is_option(text, at) && pairs::option(text, at).is_some() => {
            tell(Notice::Option)
        }
        b'.' if c::is_discord(text, at) => tell(Notice::Discord),
        _ => {}
    }
    for (prefix, start) in prefixes::noticed(text, at) {
        tell(Notice::Prefix(prefix, start));
    }
}

impl Notice {
    /// The secret, if it is one.
    fn secret(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        match self {
            Self::Prefix(prefix, start) => prefixes::token(text, prefix, *start),
            Self::Scheme => c::of_scheme(text, at),
            Self::Address => c::user_info(text, at),
            Self::Armour => c::private_key(text, at),
            Self::Option => pairs::option(text, at),
            Self::WebToken => c::web_token(text, at),
            Self::Entra => c::entra_secret(text, at),
            Self::Bot => c::bot_token(text, at),
            Self::Discord => c::discord_token(text, at),
            Self::Pair(pair) => pair.secret(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_that_tells_something_is_passed_over() {
        let mut told = 0;
        for here in (0..=u8::MAX).filter(|byte| is_anchor(*byte)) {
            for before in 0..=u8::MAX {
                for after in 0..=u8::MAX {
                    if is_telling(&[before, here, after], 1) {
                        told += 1;
                        let mut block = [b' '; BLOCK + 2];
                        block[6..9].copy_from_slice(&[before, here, after]);
                        assert!(may_tell(&block), "{:?}", [before, here, after]);
                    }
                }
            }
        }
        assert!(told > 6 << 16, "{told}");
        assert!(!may_tell(b"a plain block of p"));
    }
}
