//! Reading one value of the settings; each error says what was expected.

use std::time::Duration;

use crate::json::{Kind, Raw};

/// A string that is not empty.
pub(super) fn text(value: Raw<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| expected("a string", value))?;
    if text.trim().is_empty() {
        return Err("a string that is not empty expected".to_owned());
    }
    Ok(text.trim().to_owned())
}

/// A string that can stand in an HTTP header field.
pub(super) fn header_value(value: Raw<'_>) -> Result<String, String> {
    let text = text(value)?;
    let allowed = |byte: u8| byte == b'\t' || (0x20..0x7f).contains(&byte) || byte >= 0x80;
    if !text.bytes().all(allowed) {
        return Err("it holds control characters, which an HTTP header cannot carry".to_owned());
    }
    Ok(text)
}

/// A truth value.
pub(super) fn truth(value: Raw<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| expected("true or false", value))
}

/// A whole number from `min` on.
pub(super) fn count(value: Raw<'_>, min: usize) -> Result<usize, String> {
    value
        .as_i64()
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| *number >= min)
        .ok_or_else(|| expected(&format!("a whole number of at least {min}"), value))
}

/// Milliseconds, at most a day.
pub(super) fn milliseconds(value: Raw<'_>, min: u64) -> Result<Duration, String> {
    const DAY: u64 = 86_400_000;
    value
        .as_i64()
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| (min..=DAY).contains(number))
        .map(Duration::from_millis)
        .ok_or_else(|| expected(&format!("milliseconds from {min} to {DAY}"), value))
}

/// An object's members.
pub(super) fn members<'a>(value: Raw<'a>, what: &str) -> Result<Vec<(String, Raw<'a>)>, String> {
    if value.kind() != Kind::Object {
        return Err(expected(what, value));
    }
    let members = value.entries();
    Ok(members
        .map(|(key, value)| (key.into_owned(), value))
        .collect())
}

/// Says the kind of what was found, never the value: it may be a secret.
pub(super) fn expected(what: &str, found: Raw<'_>) -> String {
    let kind = found.kind();
    match kind {
        Kind::Number | Kind::Bool => format!("{what} expected, found {}", found.text()),
        _ => format!("{what} expected, found {}", kind.name()),
    }
}
