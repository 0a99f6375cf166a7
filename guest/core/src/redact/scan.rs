//! One pass over a text: bytes that secrets are recognised by, each with its rules.

use std::ops::Range;

use super::credentials as c;
use super::prefixes::{self, Prefix};
use super::text::{before, byte};
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
    Pair(pairs::Pair),
}

/// Bytes that secrets are recognised by.
const ANCHORS: [bool; 256] = {
    let mut table = [false; 256];
    let anchors = b"-_.:=>/~AJKBbp";
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "at compile time")]
    while at < anchors.len() {
        table[anchors[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether there may be a secret.
pub(super) fn suspects(text: &[u8]) -> bool {
    anchors(text, 0).any(|at| {
        let mut noticed = false;
        notices(text, at, &mut |_| noticed = true);
        noticed
    }) || runs::long_runs(text).any(|run| runs::is_key(text, &run))
}

/// Adds the secrets of a text.
pub(super) fn secrets(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    let mut next = anchors(text, from).next();
    while let Some(at) = next {
        from = at + 1;
        notices(text, at, &mut |notice| {
            if let Some(range) = notice.secret(text, at) {
                from = from.max(range.end);
                found.push(range);
            }
        });
        next = anchors(text, from).next();
    }
    found.extend(runs::long_runs(text).filter(|run| runs::is_key(text, run)));
}

/// Positions of anchors from `from` on.
fn anchors(text: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
    let rest = text.get(from..).unwrap_or_default();
    let all = rest.iter().enumerate();
    all.filter(|(_, byte)| is_anchor(**byte))
        .map(move |(at, _)| from + at)
}

fn is_anchor(byte: u8) -> bool {
    ANCHORS.get(usize::from(byte)).copied().unwrap_or(false)
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
        b'~' => {
            if before(text, at, 1) == b'Q' {
                tell(Notice::Entra);
            }
            return;
        }
        b'J' => {
            if before(text, at, 1) == b'y' && before(text, at, 2) == b'e' {
                tell(Notice::WebToken);
            }
            return;
        }
        b'-' if c::is_armour(text, at) => tell(Notice::Armour),
        b'-' if pairs::is_option(text, at) && pairs::option(text, at).is_some() => {
            tell(Notice::Option)
        }
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
            Self::Pair(pair) => pair.secret(text),
        }
    }
}
