//! Well-known secrets in text: API keys, access tokens, bearer credentials.
//!
//! A secret is told by its fixed prefix, which its issuer documents so that scanners can find it, at the
//! beginning of a word, and by enough token characters behind it. Scanning looks for the bytes that
//! are rare in prose and part of every prefix, so that text without secrets costs little.

use std::ops::Range;

/// What takes a secret's place.
pub const REDACTED: &str = "[REDACTED]";

/// Prefixes that end with `-`, `_` or `J`, and how many token characters have to follow.
const PREFIXES: [(&str, usize); 23] = [
    ("sk-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("gsk_", 20),
    ("hf_", 20),
    ("xai-", 20),
    ("pplx-", 20),
    ("nvapi-", 20),
    ("r8_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("ghu_", 20),
    ("ghr_", 20),
    ("xoxa-", 10),
    ("xapp-", 10),
    ("npm_", 20),
    ("eyJ", 40),
];

/// Prefixes that begin with `A`: Google's API keys, AWS's access key ids.
const CAPITAL_PREFIXES: [(&str, usize); 3] = [("AIza", 30), ("AKIA", 16), ("ASIA", 16)];

/// The text with every secret replaced; None if it holds none.
pub fn redact(text: &str) -> Option<String> {
    let mut found = secrets(text);
    if found.is_empty() {
        return None;
    }
    found.sort_unstable_by_key(|range| range.start);
    let mut redacted = String::with_capacity(text.len());
    let mut copied = 0;
    for range in found {
        // What overlaps one that was replaced already is gone.
        if range.start >= copied {
            redacted.push_str(text.get(copied..range.start).unwrap_or_default());
            redacted.push_str(REDACTED);
        }
        copied = copied.max(range.end);
    }
    redacted.push_str(text.get(copied..).unwrap_or_default());
    Some(redacted)
}

/// Whether [`redact`] may find something once the text is unescaped: quick, and rarely wrong.
pub fn may_hold_secret(escaped: &str) -> bool {
    let bytes = escaped.as_bytes();
    let by_end = memchr::memchr3_iter(b'-', b'_', b'J', bytes).any(|at| {
        let until = bytes.get(..=at).unwrap_or_default();
        PREFIXES
            .iter()
            .any(|(prefix, _)| until.ends_with(prefix.as_bytes()))
    });
    by_end
        || memchr::memchr3_iter(b'A', b'B', b'b', bytes).any(|at| {
            let from = bytes.get(at..).unwrap_or_default();
            is_bearer(from)
                || CAPITAL_PREFIXES
                    .iter()
                    .any(|(prefix, _)| from.starts_with(prefix.as_bytes()))
        })
}

/// Whether the value of a member of this name is a secret, whatever it looks like.
pub fn is_secret_name(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "api_key",
        "api-key",
        "apikey",
        "x-api-key",
        "authorization",
        "proxy-authorization",
        "aws_secret_access_key",
        "aws_session_token",
        "client_secret",
        "password",
        "access_token",
        "refresh_token",
        "azure_ad_token",
    ];
    // Most keys are told apart by their length alone.
    (6..=21).contains(&name.len()) && NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

fn secrets(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for at in memchr::memchr3_iter(b'-', b'_', b'J', bytes) {
        let until = bytes.get(..=at).unwrap_or_default();
        for (prefix, min) in PREFIXES {
            if until.ends_with(prefix.as_bytes()) {
                found.extend(token(bytes, at + 1 - prefix.len(), prefix, min));
            }
        }
    }
    for at in memchr::memchr3_iter(b'A', b'B', b'b', bytes) {
        let from = bytes.get(at..).unwrap_or_default();
        for (prefix, min) in CAPITAL_PREFIXES {
            if from.starts_with(prefix.as_bytes()) {
                found.extend(token(bytes, at, prefix, min));
            }
        }
        if is_bearer(from) && begins_word(bytes, at) {
            let start = at + "bearer ".len();
            let len = run(bytes, start, |byte| {
                is_token(byte) || b"./+=~".contains(&byte)
            });
            if len >= 16 {
                found.push(start..start + len);
            }
        }
    }
    found
}

/// The token with the prefix at `start`, if it is one: whole word, long enough, with a digit in it.
fn token(text: &[u8], start: usize, prefix: &str, min: usize) -> Option<Range<usize>> {
    let body = start + prefix.len();
    let is_part = |byte| is_token(byte) || (prefix == "eyJ" && byte == b'.');
    let len = run(text, body, is_part);
    let has_digit = text
        .get(body..body + len)
        .is_some_and(|body| body.iter().any(u8::is_ascii_digit));
    (len >= min && has_digit && begins_word(text, start)).then_some(start..body + len)
}

fn run(text: &[u8], start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().take_while(|byte| is_part(**byte)).count()
}

fn begins_word(text: &[u8], at: usize) -> bool {
    let before = |distance| at.checked_sub(distance).and_then(|before| text.get(before));
    // `\n` and its like, in JSON within JSON, are no letters.
    let escaped = before(2) == Some(&b'\\') && before(1).is_some_and(|byte| b"nrt".contains(byte));
    escaped || !before(1).is_some_and(|byte| is_token(*byte))
}

fn is_bearer(text: &[u8]) -> bool {
    text.get(..7)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"bearer "))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced() {
        for (text, redacted) in [
            ("key: sk-proj-abcDEF0123456789xyz.", "key: [REDACTED]."),
            ("sk-ant-api03-aaaaaaaaaaaaaaaa", "[REDACTED]"),
            (
                "Authorization: Bearer abc.def-012345678",
                "Authorization: Bearer [REDACTED]",
            ),
            ("\nAKIAIOSFODNN7EXAMPLE\n", "\n[REDACTED]\n"),
            ("AIzaSyA-0123456789abcdefghijklmnopqrstu", "[REDACTED]"),
            (
                "ghp_0123456789abcdefghij and hf_0123456789abcdefghij",
                "[REDACTED] and [REDACTED]",
            ),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
                "[REDACTED]",
            ),
            ("é sk-0123456789abcdef é", "é [REDACTED] é"),
            (r"line\nsk-0123456789abcdef", r"line\n[REDACTED]"),
        ] {
            assert!(may_hold_secret(text), "{text}");
            assert_eq!(redact(text).as_deref(), Some(redacted), "{text}");
        }
    }

    #[test]
    fn prose_is_kept() {
        for text in [
            "a risk-averse-and-careful-person",
            "task-0123456789abcdef0123",
            "sk-short1",
            "sk-learn-and-other-libraries",
            "the bearer of good news",
            "eyJ",
            "",
        ] {
            assert_eq!(redact(text), None, "{text}");
        }
    }

    #[test]
    fn names_tell_secrets_too() {
        assert!(is_secret_name("Authorization") && is_secret_name("api_key"));
        assert!(!is_secret_name("content") && !is_secret_name("max_tokens"));
    }
}
