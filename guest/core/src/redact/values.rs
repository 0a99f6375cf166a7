//! What values look like: tokens, passwords, codes, and what only stands for a value.

use super::credentials::is_user_and_password;
use super::text::{is_word, stands_at};

/// How long a value is at most whose looks are gone into.
const NEAR: usize = 512;

/// Whether it stands for a value that is elsewhere.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    value.starts_with(b"${")
        || value.starts_with(b"{{")
        || value.starts_with(b"<")
        || value == b"[REDACTED"
        || value == super::REDACTED.as_bytes()
        || value
            .iter()
            .all(|byte| matches!(byte, b'*' | b'.' | b'x' | b'X'))
}

/// Whether a program says so: a variable, an attribute, a constant.
pub(super) fn is_code(value: &[u8]) -> bool {
    const CONSTANTS: [&[u8]; 10] = [
        b"none",
        b"null",
        b"nil",
        b"true",
        b"false",
        b"undefined",
        b"string",
        b"str",
        b"self",
        b"bool",
    ];
    let is_path = value.contains(&b'.')
        && value
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_'));
    is_path
        || stands_at(value, 0, b"$")
        || CONSTANTS
            .iter()
            .any(|constant| constant.eq_ignore_ascii_case(value))
}

/// Whether it looks like a token, or is a user and a password in Base64, as Docker's settings have them.
pub(super) fn is_token(value: &[u8]) -> bool {
    let is_long = value.len() >= 16
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && value
            .iter()
            .all(|byte| is_word(*byte) || b".+/=~:".contains(byte));
    is_long || (value.len() >= 8 && value.len() <= NEAR && is_user_and_password(value))
}

/// Whether it looks like a password: no blanks, letters, and something else among them.
pub(super) fn is_password(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic());
    (6..=NEAR).contains(&value.len())
        && letters.count() >= 3
        && value.iter().all(u8::is_ascii_graphic)
        && value
            .iter()
            .any(|byte| byte.is_ascii_digit() || b"!@#$%^&*+?".contains(byte))
        && !value.starts_with(b"/")
        && !is_placeholder(value)
}

/// Whether it looks like a code that somebody types: four to eight digits.
pub(super) fn is_digits(value: &[u8]) -> bool {
    (4..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}
