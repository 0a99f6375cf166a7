//! Personal data: e-mail addresses, telephone numbers, card numbers, bank accounts.

mod numbers;

use std::ops::Range;

use super::text::{byte, run_before, slice};

pub(super) use numbers::numbers;

/// RFC 5321, section 4.5.3.1: the longest local part, and the longest domain.
const LOCAL: usize = 64;
const DOMAIN: usize = 255;

/// Adds the e-mail addresses of a text.
pub(super) fn emails(text: &[u8], found: &mut Vec<Range<usize>>) {
    let is_local = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"._%+-!#$&'*/=?^{|}~".contains(&byte) || byte >= 0x80
    };
    let is_domain =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-' || byte >= 0x80;
    for at in memchr::memchr_iter(b'@', text) {
        let mut start = at - run_before(text, at, LOCAL, is_local);
        // What addresses are set off with.
        while start < at && !byte(text, start).is_ascii_alphanumeric() && byte(text, start) < 0x80 {
            start += 1;
        }
        let near = slice(text, at + 1, (at + 1 + DOMAIN).min(text.len()));
        let end = near
            .iter()
            .position(|byte| !is_domain(*byte))
            .unwrap_or(near.len());
        let mut domain = slice(near, 0, end);
        while let [rest @ .., b'.' | b'-'] = domain {
            domain = rest;
        }
        let mut labels = domain.rsplit(|byte| *byte == b'.');
        let top = labels.next().unwrap_or_default();
        let has_top = top.len() >= 2
            && top
                .iter()
                .any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
        let rest: Vec<_> = labels.collect();
        if start < at && has_top && !rest.is_empty() && rest.iter().all(|label| !label.is_empty()) {
            found.push(start..at + 1 + domain.len());
        }
    }
}

/// Luhn's check digit: ISO/IEC 7812-1, annex B.
fn has_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([false, true].into_iter().cycle())
        .map(|(digit, doubled)| {
            let digit = u32::from(digit - b'0');
            match (doubled, digit * 2) {
                (false, _) => digit,
                (true, twice @ 0..=9) => twice,
                (true, twice) => twice - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The check digits of a bank account's number, blanks left out: ISO 7064, MOD 97-10.
fn has_mod_97(account: &[u8]) -> bool {
    let (head, tail) = account.split_at_checked(4).unwrap_or((account, &[]));
    let moved = tail.iter().chain(head);
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    rest == 1
}
