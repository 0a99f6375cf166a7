//! Numbers of cards, accounts and telephones, as people write them: in groups set off by blanks and signs.

use std::ops::Range;

use super::{has_luhn, has_mod_97};
use crate::redact::Detectors;
use crate::redact::text::{before, byte, run, slice, stands_at};

/// How many groups of digits are looked at together.
const GROUPS: usize = 20;

/// Adds what the detectors look for.
pub(in crate::redact) fn numbers(
    text: &[u8],
    detectors: &Detectors,
    found: &mut Vec<Range<usize>>,
) {
    let mut at = 0;
    while at < text.len() {
        let first = byte(text, at);
        if !first.is_ascii_alphanumeric() && first != b'+' && first != b'(' {
            at += 1;
            continue;
        }
        let begins = !before(text, at, 1).is_ascii_alphanumeric() || is_escape(text, at);
        let hit = begins.then(|| number(text, at, detectors)).flatten();
        match hit {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            // To the end of the word or number.
            None => at += run(text, at, |byte| byte.is_ascii_alphanumeric()).max(1),
        }
    }
}

/// `\n` and its like, in JSON within JSON.
fn is_escape(text: &[u8], at: usize) -> bool {
    before(text, at, 2) == b'\\' && b"nrt".contains(&before(text, at, 1))
}

fn number(text: &[u8], at: usize, detectors: &Detectors) -> Option<usize> {
    let card = || detectors.card.then(|| card(text, at)).flatten();
    let iban = || detectors.iban.then(|| iban(text, at)).flatten();
    // Groups that others stand before are the rest of a longer number.
    let is_rest = before(text, at, 1) == b' ' && before(text, at, 2).is_ascii_digit();
    let phone = || {
        (detectors.phone && !is_rest)
            .then(|| phone(text, at))
            .flatten()
    };
    match byte(text, at) {
        b'0'..=b'9' => card().or_else(phone),
        b'+' | b'(' => phone(),
        _ => iban(),
    }
}

/// 13 to 19 digits that begin as cards do, in groups or not.
fn card(text: &[u8], start: usize) -> Option<usize> {
    if !(b'2'..=b'6').contains(&byte(text, start)) {
        return None;
    }
    let mut digits = [0; 19];
    let (mut len, mut at, mut end) = (0, start, None);
    while let (b'0'..=b'9', Some(slot)) = (byte(text, at), digits.get_mut(len)) {
        *slot = byte(text, at);
        len += 1;
        at += 1;
        let is_last = !byte(text, at).is_ascii_alphanumeric();
        let number = slice(&digits, 0, len);
        if is_last && is_of_brand(number) && has_luhn(number) {
            end = Some(at);
        }
        if matches!(byte(text, at), b' ' | b'-' | b'.') && byte(text, at + 1).is_ascii_digit() {
            at += 1;
        }
    }
    let same = digits
        .iter()
        .take(len)
        .all(|digit| digits.first() == Some(digit));
    end.filter(|_| !same)
}

/// Whether a brand's cards begin so and are as long.
fn is_of_brand(number: &[u8]) -> bool {
    let lengths = match number {
        [b'4', ..] => 13..=19,
        [b'5', b'0' | b'6'..=b'8', ..] | [b'6', ..] => 13..=19,
        [b'5', ..] | [b'2', b'2'..=b'7', ..] => 16..=16,
        [b'3', b'4' | b'7', ..] => 15..=15,
        [b'3', b'5', ..] => 16..=19,
        [b'3', b'0' | b'6' | b'8' | b'9', ..] => 14..=14,
        _ => return false,
    };
    lengths.contains(&number.len())
}

/// Two letters of the country, two check digits, 11 to 30 letters and digits.
fn iban(text: &[u8], start: usize) -> Option<usize> {
    let [a, b, c, d] = [0, 1, 2, 3].map(|offset| byte(text, start + offset));
    if !(a.is_ascii_alphabetic()
        && b.is_ascii_alphabetic()
        && c.is_ascii_digit()
        && d.is_ascii_digit())
    {
        return None;
    }
    let mut account = [0; 34];
    let (mut len, mut at, mut end) = (0, start, None);
    while let Some(slot) = account
        .get_mut(len)
        .filter(|_| byte(text, at).is_ascii_alphanumeric())
    {
        *slot = byte(text, at);
        len += 1;
        at += 1;
        let is_last = !byte(text, at).is_ascii_alphanumeric();
        if is_last && len >= 15 && has_mod_97(slice(&account, 0, len)) {
            end = Some(at);
        }
        if matches!(byte(text, at), b' ' | b'-') && byte(text, at + 1).is_ascii_alphanumeric() {
            at += 1;
        }
    }
    end
}

/// A telephone number: international (ITU-T E.164, at most 15 digits), North American, or with the trunk prefix 0.
fn phone(text: &[u8], start: usize) -> Option<usize> {
    let mut digits = Vec::with_capacity(16);
    let mut groups = Vec::with_capacity(6);
    let mut at = start;
    let is_international = (byte(text, at) == b'+' && byte(text, at + 1) != b'0')
        || (stands_at(text, at, b"00") && byte(text, at + 2) != b'0');
    at += usize::from(byte(text, at) == b'+');
    let mut end = at;
    let mut dots = 0;
    while groups.len() < GROUPS {
        let open = at;
        at += usize::from(byte(text, at) == b'(');
        let len = run(text, at, |byte| byte.is_ascii_digit()).min(20);
        if len == 0 || digits.len() + len > 17 {
            at = open;
            break;
        }
        digits.extend_from_slice(slice(text, at, at + len));
        groups.push(len);
        at += len;
        at += usize::from(
            byte(text, at) == b')'
                && text
                    .get(open..at)
                    .is_some_and(|group| group.contains(&b'(')),
        );
        end = at;
        dots += usize::from(byte(text, at) == b'.');
        let gap = run(text, at, |byte| matches!(byte, b' ' | b'-' | b'.' | b'/')).min(3);
        // A non-breaking blank, in UTF-8.
        let gap = if stands_at(text, at, "\u{a0}".as_bytes()) {
            2
        } else {
            gap
        };
        at += gap;
    }
    let more = byte(text, end).is_ascii_alphanumeric()
        || (at < text.len() && byte(text, at).is_ascii_digit());
    if more || !is_phone(&digits, &groups, is_international, dots) {
        return None;
    }
    Some(end)
}

fn is_phone(digits: &[u8], groups: &[usize], is_international: bool, dots: usize) -> bool {
    let count = digits.len();
    if is_international {
        return (8..=17).contains(&count) && dots < 3;
    }
    let north_american = |number: &[u8]| {
        matches!(number, [b'2'..=b'9', _, _, b'2'..=b'9', ..]) && number.len() == 10
    };
    match groups {
        [10] => north_american(digits),
        [3, 3, 4] | [3, 7] | [6, 4] => north_american(digits),
        [1, 3, 3, 4] | [11] | [1, 10] => {
            digits.first() == Some(&b'1') && north_american(digits.get(1..).unwrap_or_default())
        }
        [first, ..] => {
            let trunk = digits.first() == Some(&b'0') && !digits.starts_with(b"00");
            let shape = groups.len() == 1 || (*first >= 2 && dots != 1 && dots != 3);
            trunk && shape && (9..=12).contains(&count)
        }
        [] => false,
    }
}
