//! Redaction: what the first pass says, where things are found, and that they are gone.
//!
//! The first byte picks the detectors; the rest is the text.

use logger_core::json::write_str;
use logger_core::redact::Detectors;

/// Runs an input.
pub fn run(data: &[u8]) {
    let Some((how, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let detectors = Detectors {
        secrets: how & 1 == 0,
        email: how & 2 != 0,
        phone: how & 4 != 0,
        card: how & 8 != 0,
        iban: how & 16 != 0,
        patterns: Vec::new(),
    };
    let found = detectors.find(text);
    let mut end = 0;
    for range in &found {
        assert!(
            range.start >= end && range.start < range.end,
            "in order and apart"
        );
        assert!(text.get(range.clone()).is_some(), "whole characters");
        end = range.end;
    }
    let redacted = detectors.redact(text);
    assert_eq!(redacted.is_some(), !found.is_empty());
    if !found.is_empty() {
        assert!(
            detectors.may_find(text),
            "the first pass misses what is there"
        );
        let mut escaped = Vec::new();
        write_str(text, &mut escaped);
        let escaped = std::str::from_utf8(&escaped).expect("UTF-8");
        let escaped = &escaped[1..escaped.len() - 1];
        assert!(
            detectors.may_find(escaped),
            "the first pass misses what is escaped"
        );
    }
}
