//! `logger_core::json` against `serde_json`.

use logger_core::json::{Document, KeepAll, Kind, Raw, write_clean, write_str};
use proptest::prelude::*;
use serde_json::Value;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn cleaned(text: &str) -> String {
    let mut out = Vec::new();
    write_clean(Raw::parse(text).unwrap(), &mut out, 0, &mut KeepAll);
    String::from_utf8(out).unwrap()
}

/// Reads the value by walking it.
fn walked(raw: Raw<'_>) -> Value {
    match raw.kind() {
        Kind::Null => Value::Null,
        Kind::Bool => Value::from(raw.as_bool().unwrap()),
        Kind::Number => serde_json::from_str(raw.text()).unwrap(),
        Kind::String => Value::from(raw.as_str().unwrap().into_owned()),
        Kind::Array => raw.items().map(walked).collect(),
        Kind::Object => {
            let members = raw.entries();
            Value::Object(
                members
                    .map(|(key, value)| (key.into_owned(), walked(value)))
                    .collect(),
            )
        }
    }
}

proptest! {
    #[test]
    fn walking_finds_what_serde_finds(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        let expected = serde_json::from_str::<Value>(&text).unwrap();
        prop_assert_eq!(&walked(Raw::parse(&text).unwrap()), &expected);
        // The same by its marks.
        prop_assert_eq!(&walked(Document::parse(&format!(" {text}\n")).unwrap().root()), &expected);
    }

    #[test]
    fn cleaning_keeps_what_can_be_kept(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(cleaned(&text), text);
    }

    #[test]
    fn only_json_is_json(text in r#"[\[\]{}",:0-9eE+.\\untrflsa -]{0,12}"#) {
        let serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(Raw::parse(&text).is_ok(), serde, "{}", text);
    }

    #[test]
    fn anything_is_read_or_refused(text in any::<String>()) {
        if let Ok(raw) = Raw::parse(&text) {
            walked(raw);
        }
    }

    #[test]
    fn strings_come_back(text in any::<String>()) {
        let mut out = Vec::new();
        write_str(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

#[test]
fn what_mlflow_cannot_read_becomes_a_string() {
    let big = r#"{"a":18446744073709551616,"b":[-9223372036854775809,1e400,NaN],"c":9223372036854775807}"#;
    let kept = r#"{"a":"18446744073709551616","b":["-9223372036854775809","1e400","NaN"],"c":9223372036854775807}"#;
    assert_eq!(cleaned(big), kept);
}

#[test]
fn lone_surrogates_are_replaced_in_keys_and_values() {
    let text = r#"{"\ud800":"a\udc00b","ok":"\ud83d\ude00 \ufffd"}"#;
    assert_eq!(
        cleaned(text),
        r#"{"\ufffd":"a\ufffdb","ok":"\ud83d\ude00 \ufffd"}"#
    );
    let raw = Raw::parse(text).unwrap();
    assert_eq!(raw.get("ok").unwrap().as_str().unwrap(), "😀 \u{fffd}");
    assert_eq!(raw.get("\u{fffd}").unwrap().as_str().unwrap(), "a\u{fffd}b");
}

#[test]
fn deep_nesting_becomes_a_string_at_the_limit() {
    let nested = |open: &str, close: &str, depth| open.repeat(depth) + "1" + &close.repeat(depth);
    for (open, close, limit) in [("[", "]", 47), ("{\"a\":", "}", 31)] {
        let fits = nested(open, close, limit);
        assert_eq!(cleaned(&fits), fits);
        let deep = cleaned(&nested(open, close, 100_000));
        let depth = deep.matches(open).count();
        assert!(deep.starts_with(&(open.repeat(limit) + "\"")), "{limit}");
        assert!(serde_json::from_str::<Value>(&deep).is_ok(), "{depth}");
    }
}

#[test]
fn a_fault_is_told_with_its_place() {
    let error = Raw::parse("{\"a\": 1,\n \"b\" 2}").unwrap_err();
    assert_eq!(error.to_string(), "expected `:` at line 2 column 6");
    assert!(Raw::parse("").is_err());
}

#[test]
fn of_a_member_given_twice_the_last_counts() {
    let raw = Raw::parse(r#"{"a":1,"\u0061":2}"#).unwrap();
    assert_eq!(raw.get("a").unwrap().as_i64(), Some(2));
}
