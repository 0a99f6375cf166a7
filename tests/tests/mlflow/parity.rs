//! The recorded cases of litellm's own logger, against what this one leaves of the same calls.

use std::fs;
use std::sync::OnceLock;

use e2e::parity::{self, Compared, Verdict};
use e2e::{Gateway, Mlflow, paths};
use serde_json::{Value, json};

fn measured() -> &'static [Compared] {
    static MEASURED: OnceLock<Vec<Compared>> = OnceLock::new();
    MEASURED.get_or_init(|| {
        let mlflow = Mlflow::shared().unwrap();
        parity::measure(mlflow, &Gateway::find().unwrap(), "parity").unwrap()
    })
}

fn held<'m>(case: &str, field: &str) -> Option<&'m Value> {
    let case = measured().iter().find(|compared| compared.name == case);
    let (_, verdict) = case?.fields.iter().find(|(name, _)| name == field)?;
    match verdict {
        Verdict::Other { values, .. } | Verdict::Unexplained(values) => values[1].as_ref(),
        Verdict::Same => None,
    }
}

#[test]
fn every_field_is_the_same_or_better_for_a_reason() {
    let mut unexplained = Vec::new();
    for case in measured() {
        for (field, verdict) in &case.fields {
            match verdict {
                Verdict::Same => {}
                Verdict::Other { reason, values } if reason.is_not_yet() => {
                    println!("not yet: {}, {field}: {values:?}", case.name);
                }
                Verdict::Other { .. } => {}
                Verdict::Unexplained([recorded, held]) => unexplained.push(format!(
                    "{}, {field}\n  recorded {recorded:?}\n  held     {held:?}",
                    case.name
                )),
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

#[test]
fn every_reason_explains_something() {
    let unused = parity::unused_reasons(measured());
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_document_is_up_to_date() {
    let written = fs::read_to_string(paths::root().join(parity::table::PATH)).unwrap_or_default();
    let document = parity::table::document(measured());
    let first = written
        .lines()
        .zip(document.lines())
        .find(|(written, now)| written != now);
    assert!(
        written == document,
        "{} is not up to date; write it anew: cargo xtask parity\n{first:#?}",
        parity::table::PATH
    );
}

/// There is nothing to compare these with, so what they have to hold is said here.
#[test]
fn what_the_original_loses_is_held_whole() {
    for case in ["end_none", "tags_none", "stream_lost"] {
        assert_eq!(held(case, "traces"), Some(&json!(1)), "{case}");
        assert_eq!(
            held(case, "span.inputs").map(|inputs| &inputs["messages"][1]["content"]),
            Some(&json!("What is 2+2?")),
            "{case}"
        );
    }
    assert_eq!(held("tags_none", "trace.state"), Some(&json!("OK")));
    assert_eq!(held("end_none", "trace.state"), Some(&json!("OK")));
    assert_eq!(held("stream_lost", "trace.state"), Some(&json!("ERROR")));
    let chunks = held("stream_lost", "events.streaming_chunk.delta");
    assert_eq!(
        chunks.and_then(Value::as_array).map(Vec::len),
        Some(2),
        "{chunks:?}"
    );
    assert_eq!(
        held("stream_lost", "events.exception.type"),
        Some(&json!(["Cancelled"]))
    );
}
