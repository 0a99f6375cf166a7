//! Keys that nothing tells but their length and the words around them: Azure's and Mistral's 32 characters, Cohere's 40,
//! AWS's secret keys of 40, Azure storage's 88.

use std::ops::Range;

use super::text::{before, byte, is_base64, is_word, slice};

/// The shortest run that is looked at.
const SHORTEST: usize = 32;

/// The longest that is a key.
const LONGEST: usize = 128;

/// How far before it the words may stand.
const NEAR: usize = 64;

/// Runs of at least [`SHORTEST`] letters and digits and what Base64 has besides, in order.
///
/// Looks at one byte in 32, and around it where a run goes over it.
pub(super) fn long_runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut probe = SHORTEST - 1;
    std::iter::from_fn(move || {
        while probe < text.len() {
            if !is_base64(byte(text, probe)) {
                probe += SHORTEST;
                continue;
            }
            let mut start = probe;
            while is_base64(before(text, start, 1)) {
                start -= 1;
            }
            let mut end = probe + 1;
            while is_base64(byte(text, end)) {
                end += 1;
            }
            // The next run can begin behind this one's end.
            probe = end + SHORTEST;
            if end - start >= SHORTEST {
                return Some(start..end);
            }
        }
        None
    })
}

/// Whether a run is a key.
pub(super) fn is_key(text: &[u8], run: &Range<usize>) -> bool {
    let mut token = slice(text, run.start, run.end);
    while let [b'=' | b'/' | b'-', rest @ ..] = token {
        token = rest;
    }
    if !(SHORTEST..=LONGEST).contains(&token.len()) {
        return false;
    }
    // An Azure key of the new form says so itself.
    if token.len() >= 80 && memchr::memmem::find(token, b"JQQJ9").is_some() {
        return true;
    }
    let has = |is: fn(&u8) -> bool| token.iter().any(is);
    let random = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let plain = token
        .iter()
        .all(|byte| is_word(*byte) || b"+/=".contains(byte));
    let pauses = token
        .iter()
        .filter(|byte| matches!(byte, b'-' | b'_'))
        .count();
    random && plain && pauses <= 4 && has_context(text, run.start, token)
}

/// Whether the words before it speak of a key.
fn has_context(text: &[u8], start: usize, token: &[u8]) -> bool {
    const ISSUERS: [&[u8]; 11] = [
        b"mistral",
        b"cohere",
        b"azure",
        b"aws",
        b"openai",
        b"together",
        b"ai21",
        b"pinecone",
        b"algolia",
        b"akia",
        b"asia",
    ];
    const WORDS: [&[u8]; 7] = [
        b"key",
        b"secret",
        b"token",
        b"password",
        b"credential",
        b"akia",
        b"asia",
    ];
    const SECRETS: [&[u8]; 7] = [
        b"api key",
        b"apikey",
        b"api-key",
        b"api_key",
        b"secret key",
        b"secret access key",
        b"access token",
    ];
    let words = slice(text, start.saturating_sub(NEAR), start).to_ascii_lowercase();
    // Checksums and ids have the same looks: another word has to say whose key it is, or that it is secret.
    token.len() >= SHORTEST
        && has_one(&words, &WORDS)
        && (has_one(&words, &ISSUERS) || has_one(&words, &SECRETS))
}

/// Whether one of these stands somewhere in so few words that no search is worth preparing.
fn has_one(words: &[u8], these: &[&[u8]]) -> bool {
    let mut ends = (0..words.len()).map(|at| words.get(at..).unwrap_or_default());
    ends.any(|end| these.iter().any(|one| end.starts_with(one)))
}
