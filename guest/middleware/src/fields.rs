//! Header fields on their way through.

use crate::bindings::wasi::http::types::Fields;

/// Fields that are about one connection: RFC 9110, section 7.6.1. Hosts refuse most of them, and `host` is said by the
/// request's authority.
const NOT_PASSED: [&str; 9] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Name and value.
pub type Field = (String, Vec<u8>);

/// What passes of these.
pub fn passed(fields: &[Field]) -> Fields {
    let listed = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let listed: Vec<_> = listed.flat_map(|(_, value)| names(value)).collect();
    let passed = Fields::new();
    for (name, value) in fields {
        let lower = name.to_ascii_lowercase();
        if !NOT_PASSED.contains(&lower.as_str()) && !listed.contains(&lower) {
            // What the host does not let pass stays behind.
            let _ = passed.append(name, value);
        }
    }
    passed
}

fn names(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    text.split(',').map(|name| name.trim().to_owned()).collect()
}

/// A body's length as its sender says it.
pub fn length(fields: &[Field]) -> Option<u64> {
    let (_, value) = fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
