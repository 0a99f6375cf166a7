//! Credentials told by how they are used: HTTP authentication, addresses with passwords, private keys, tokens of a
//! form of their own.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::text::{
    before, begins_word, byte, is_base64, is_word, looks_random, run, run_before, slice, stands_at,
    stands_in_any_case,
};

/// How far something is looked for. What is found is taken whole; that much decides, since looking to the end
/// from every beginning would cost the square of a hostile text.
const NEAR: usize = 512;

/// `bearer` and `basic`, with what follows: RFC 6750, section 2.1, and RFC 7617, section 2.
pub(super) fn is_scheme(text: &[u8], at: usize) -> bool {
    let blank = |len| matches!(byte(text, at + len), b' ' | b'\t' | b'%');
    (stands_in_any_case(text, at, b"bearer") && blank(6))
        || (stands_in_any_case(text, at, b"basic") && blank(5))
}

/// The credentials after the scheme at `at`.
pub(super) fn of_scheme(text: &[u8], at: usize) -> Option<Range<usize>> {
    if !begins_word(text, at) {
        return None;
    }
    let is_bearer = stands_in_any_case(text, at, b"bearer");
    let mut start = at + if is_bearer { 6 } else { 5 };
    if stands_at(text, start, b"%20") {
        start += 3;
    } else {
        start += run(text, start, |byte| matches!(byte, b' ' | b'\t'));
    }
    let is_part = |byte| is_base64(byte) || byte == b'.' || byte == b'~';
    let near = slice(text, start, (start + NEAR).min(text.len()));
    let token = slice(near, 0, run(near, 0, is_part));
    let has_digit = token.iter().any(u8::is_ascii_digit);
    let fits = if is_bearer {
        (token.len() >= 6 && has_digit) || (token.len() >= 16 && looks_random(token))
    } else {
        token.len() >= 4 && is_user_and_password(token)
    };
    fits.then(|| start..start + run(text, start, is_part))
}

/// A user and a password in Base64: RFC 7617, section 2.
pub(super) fn is_user_and_password(token: &[u8]) -> bool {
    let bare = token
        .iter()
        .position(|byte| *byte == b'=')
        .unwrap_or(token.len());
    let whole = bare - bare % 4;
    let decoded = STANDARD_NO_PAD.decode(slice(token, 0, bare));
    let decoded = decoded.or_else(|_| STANDARD_NO_PAD.decode(slice(token, 0, whole)));
    decoded.is_ok_and(|decoded| {
        decoded.contains(&b':')
            && std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains(char::is_control))
    })
}

/// Whether an authority begins after the colon at `at`.
pub(super) fn is_url(text: &[u8], at: usize) -> bool {
    (stands_at(text, at + 1, b"//") || stands_at(text, at + 1, br"\/\/"))
        && before(text, at, 1).is_ascii_alphanumeric()
}

/// User and password in an address: RFC 3986, section 3.2.1.
pub(super) fn user_info(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + 1 + run(text, at + 1, |byte| matches!(byte, b'/' | b'\\'));
    let near = slice(text, start, (start + NEAR).min(text.len()));
    let ends = |byte: u8| byte.is_ascii_whitespace() || b"\"'<>`\\".contains(&byte);
    let url = slice(near, 0, run(near, 0, |byte| !ends(byte)));
    let authority = slice(url, 0, run(url, 0, |byte| !b"/?#".contains(&byte)));
    let found = memchr::memrchr(b'@', authority).or_else(|| {
        // A password may hold what ends an authority, though it ought to be escaped.
        let colon = memchr::memchr(b':', authority)?;
        let port = authority.get(colon + 1..).unwrap_or_default();
        let is_port = port.iter().all(u8::is_ascii_digit);
        memchr::memchr(b'@', url).filter(|_| !is_port)
    })?;
    (found > 0).then_some(start..start + found)
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// Whether a key's armour begins with the last of the dashes before `at`.
pub(super) fn is_armour(text: &[u8], at: usize) -> bool {
    byte(text, at + 1) == b'B' && at >= 4 && stands_at(text, at - 4, BEGIN)
}

/// A private key in its armour, to the end of the text if that is cut: RFC 7468.
pub(super) fn private_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let label_start = at + BEGIN.len() - 4;
    let label = run(text, label_start, |byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' '
    });
    let label = slice(text, label_start, label_start + label);
    memchr::memmem::find(label, b"PRIVATE")?;
    let rest = text.get(label_start..).unwrap_or_default();
    let end = memchr::memmem::find(rest, b"-----END ").and_then(|end| {
        let tail = rest.get(end + 9..)?;
        let close = memchr::memmem::find(slice(tail, 0, 80.min(tail.len())), b"-----")?;
        Some(label_start + end + 9 + close + 5)
    });
    Some(at - 4..end.unwrap_or(text.len()))
}

/// A JSON Web Token, whose first letters stand for `{"`: RFC 7519.
pub(super) fn web_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(2)?;
    if !begins_word(text, start) {
        return None;
    }
    let is_part = |byte| is_word(byte) || byte == b'.';
    let near = slice(text, start, (start + NEAR).min(text.len()));
    let token = slice(near, 0, run(near, 0, is_part));
    let parts = token.split(|byte| *byte == b'.');
    let has_parts = parts.filter(|part| part.len() >= 4).count() >= 2;
    let is_long = token.len() >= 40 && token.iter().any(u8::is_ascii_digit);
    ((token.len() >= 20 && has_parts) || is_long).then(|| start..start + run(text, start, is_part))
}

/// A client secret of Microsoft Entra: three characters, a digit, `Q~`, and 31 to 34 characters.
pub(super) fn entra_secret(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_part = |byte| is_word(byte) || byte == b'.' || byte == b'~';
    let start = at.checked_sub(5)?;
    let prefix = slice(text, start, at);
    let fits = before(text, at, 1) == b'Q'
        && before(text, at, 2).is_ascii_digit()
        && prefix.iter().all(|byte| is_part(*byte));
    let near = slice(text, at + 1, (at + 65).min(text.len()));
    let len = run(near, 0, is_part);
    (fits && (30..=40).contains(&len)).then_some(start..at + 1 + len)
}

/// The token of a Telegram bot: its number, a colon, and 35 characters that begin with `AA`.
pub(super) fn bot_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    if !stands_at(text, at + 1, b"AA") {
        return None;
    }
    let digits = run_before(text, at, 12, |byte| byte.is_ascii_digit());
    let near = slice(text, at + 1, (at + 65).min(text.len()));
    let len = run(near, 0, is_word);
    (digits >= 7 && len >= 32).then_some(at - digits..at + 1 + len)
}

/// Whether the first of the two dots of a Discord bot's token may be at `at`.
pub(super) fn is_discord(text: &[u8], at: usize) -> bool {
    byte(text, at + 7) == b'.' && before(text, at, 1).is_ascii_alphanumeric()
}

/// The token of a Discord bot: its number in Base64, six characters of a time, and at least 27 of a signature.
pub(super) fn discord_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    // A snowflake has 17 to 20 digits.
    let is_number = |len: &usize| {
        let start = at.checked_sub(*len).unwrap_or(at);
        let decoded = STANDARD_NO_PAD.decode(slice(text, start, at));
        decoded.is_ok_and(|id| id.len() >= 17 && id.iter().all(u8::is_ascii_digit))
    };
    let number = [23, 24, 26, 27].into_iter().find(is_number)?;
    let is_time = slice(text, at + 1, at + 7)
        .iter()
        .all(|byte| is_word(*byte));
    let start = at + 8;
    let near = slice(text, start, (start + NEAR).min(text.len()));
    let fits = is_time && run(near, 0, is_word) >= 27;
    fits.then(|| at - number..start + run(text, start, is_word))
}
