//! Golden cases of call capture: a folder a format under `tests/wire`, a folder a case in it.
//!
//! `UPDATE_GOLDEN=1 cargo test -p logger-core --test wire` writes the expected spans anew; look at what
//! changed before you keep it. `tests/wire/README.md` says what the files of a case are.

#[path = "wire/cases.rs"]
mod cases;
mod support;

use std::fs;

use cases::{Coming, MILLISECOND, all, at_once, run, split};
use proptest::prelude::*;
use serde_json::{Value, json};
use transcripts::Transcript;

#[test]
fn every_case_gives_the_span_it_should() {
    let mut wrong = Vec::new();
    for case in all() {
        let span = format!("{:#}\n", paced(&case, &case.parts));
        let path = case.path.join("span.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &span).unwrap();
        }
        if fs::read_to_string(&path).unwrap_or_default() != span {
            wrong.push(format!("{}: {span}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_stream_gives_what_the_call_would_have_returned_whole() {
    let mut streams = 0;
    let mut wrong = Vec::new();
    for case in all() {
        let span = paced(&case, &case.parts);
        let whole = case.path.join("whole.json");
        if let Ok(whole) = fs::read_to_string(whole) {
            let whole: Value = serde_json::from_str(&whole).unwrap();
            let outputs = &span["attributes"]["mlflow.spanOutputs"];
            if *outputs != whole {
                wrong.push(format!("{}: {outputs}\n  instead of {whole}", case.name));
            }
            streams += 1;
        } else if case.is_stream() && span["status"] != "ERROR" {
            wrong.push(format!("{}: has no `whole.json`", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(streams > 10);
}

#[test]
fn every_format_has_a_case_and_a_line_in_the_documentation() {
    let docs = transcripts::root().join("../../../../docs/providers.md");
    let docs = fs::read_to_string(docs).unwrap();
    for format in logger_core::formats() {
        let all = all();
        let cases = all.iter().filter(|case| case.format == format.name).count();
        assert!(cases > 0, "tests/wire/{} has no case", format.name);
        let line = format!("| {} | {} |", format.api, format.paths);
        assert!(
            docs.contains(&line),
            "docs/providers.md lacks the line\n{line}"
        );
    }
    let formats: Vec<_> = logger_core::formats().map(|format| format.name).collect();
    for case in all() {
        assert!(
            formats.contains(&case.format.as_str()),
            "{} is of no format",
            case.name
        );
    }
}

#[test]
fn no_case_shows_a_credential() {
    for case in all() {
        let text = paced(&case, &case.parts).to_string();
        assert!(!text.contains("canary"), "{}: {text}", case.name);
    }
}

#[test]
fn bytes_one_by_one_give_the_same_span() {
    for case in all() {
        let body = case.body();
        let single: Vec<_> = body.chunks(1).collect();
        assert_eq!(
            at_once(&case, &single),
            at_once(&case, &[&body]),
            "{}",
            case.name
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_split_gives_the_same_span(
        chosen in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let cases = all();
        let case = chosen.get(&cases);
        let body = case.body();
        let pieces = split(&body, &cuts);
        prop_assert_eq!(at_once(case, &pieces), at_once(case, &[&body]), "{}", case.name);
    }

    #[test]
    fn no_bytes_make_it_panic(
        chosen in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 1..40),
        cut in any::<bool>(),
    ) {
        let cases = all();
        let case = chosen.get(&cases);
        let mut body = case.body();
        let at = at.index(body.len() + 1);
        if cut {
            body.truncate(at);
        } else {
            let end = (at + noise.len()).min(body.len());
            body.splice(at..end, noise);
        }
        let span = at_once(case, &[&body]);
        prop_assert!(span["status"] != json!("UNSET"));
    }
}

/// The span of a response that comes in these pieces, a millisecond after the other.
fn paced<P: AsRef<[u8]>>(case: &Transcript, pieces: &[P]) -> Value {
    let step = MILLISECOND;
    let coming = Coming {
        step,
        ..Coming::default()
    };
    run(case, pieces, coming)
}

#[test]
fn the_folder_says_where_its_shapes_are_from() {
    assert!(
        fs::read_to_string(transcripts::root().join("README.md"))
            .unwrap()
            .contains("API reference")
    );
}
