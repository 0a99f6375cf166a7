//! The JSON walker and cleaner, with `serde_json` as the oracle.

use logger_core::json::{KeepAll, Kind, Raw, unescape, write_clean, write_str};
use serde_json::Value;

/// Runs an input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut written = Vec::new();
    write_str(text, &mut written);
    let back: String = serde_json::from_slice(&written).expect("a string");
    assert_eq!(back, text);
    let _ = unescape(text);
    let serde = serde_json::from_str::<Value>(text);
    let Ok(raw) = Raw::parse(text) else {
        assert!(serde.is_err(), "refused, and yet JSON: {text}");
        return;
    };
    let mut out = Vec::new();
    write_clean(raw, &mut out, 0, &mut KeepAll);
    let cleaned: Value = serde_json::from_slice(&out).expect("what is cleaned is JSON");
    assert!(depth(&cleaned) <= 47, "what is cleaned is not deep");
    if let Ok(value) = serde {
        assert_eq!(kind(&value), raw.kind());
        if let Some(object) = value.as_object() {
            for (key, member) in object {
                let found = raw.get(key).expect("every member is found");
                assert_eq!(kind(member), found.kind());
            }
        }
        if let Some(array) = value.as_array() {
            assert_eq!(raw.items().count(), array.len());
        }
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
