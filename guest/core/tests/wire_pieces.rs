//! However a response comes - split, encoded, broken off - the span holds what came of it.

#[path = "wire/cases.rs"]
mod cases;
mod support;

use std::io::Write;

use cases::{Coming, all, at_once, run, split};
use proptest::prelude::*;
use serde_json::Value;
use transcripts::Transcript;

const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn coming(encoding: Option<&str>, broken: bool) -> Coming<'_> {
    let step = 0;
    Coming {
        step,
        encoding,
        broken,
    }
}

/// The cases that have an answer at all.
fn answered() -> Vec<Transcript> {
    let mut cases = all();
    cases.retain(|case| case.status() != 0);
    cases
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_split_in_any_encoding_gives_the_same_span(
        chosen in any::<prop::sample::Index>(),
        encoding in prop::sample::select(ENCODINGS.to_vec()),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let cases = answered();
        let case = chosen.get(&cases);
        let body = encoded(encoding, &case.parts);
        let span = run(case, &split(&body, &cuts), coming(Some(encoding), false));
        let plain = at_once(case, &[&case.body()]);
        prop_assert_eq!(
            timeless(span, encoding),
            timeless(plain, encoding),
            "{} in {}",
            case.name,
            encoding
        );
    }

    #[test]
    fn an_encoded_response_that_breaks_off_anywhere_is_an_error_with_what_came(
        chosen in any::<prop::sample::Index>(),
        encoding in prop::sample::select(ENCODINGS.to_vec()),
        cut in any::<prop::sample::Index>(),
    ) {
        let cases = answered();
        let case = chosen.get(&cases);
        let mut body = encoded(encoding, &case.parts);
        body.truncate(cut.index(body.len() + 1));
        let span = run(case, &[&body], coming(Some(encoding), true));
        prop_assert_eq!(&span["status"], "ERROR", "{} in {}", case.name, encoding);
    }
}

/// Each case in each encoding, in one piece: none is left to chance.
#[test]
fn every_encoding_of_every_case_gives_the_same_span() {
    for case in answered() {
        let plain = at_once(&case, &[&case.body()]);
        for encoding in ENCODINGS {
            let body = encoded(encoding, &case.parts);
            let span = run(&case, &[&body], coming(Some(encoding), false));
            let plain = timeless(plain.clone(), encoding);
            assert_eq!(
                timeless(span, encoding),
                plain,
                "{} in {encoding}",
                case.name
            );
        }
    }
}

#[test]
fn a_response_that_breaks_off_at_any_byte_is_an_error_that_keeps_what_came() {
    for case in all().iter().filter(|case| case.is_stream()) {
        let body = case.body();
        let mut most = 0;
        // All of the first bytes, and of the rest so many that it takes seconds.
        let rest = (200..body.len()).step_by(1 + body.len() / 400);
        for end in (0..200.min(body.len())).chain(rest).chain([body.len()]) {
            let span = run(case, &[&body[..end]], coming(None, true));
            assert_eq!(span["status"], "ERROR", "{} at {end}", case.name);
            let kept = text(&span["attributes"]["mlflow.spanOutputs"]);
            // Arguments that are whole lose the spaces between their members.
            assert!(
                kept + 8 >= most,
                "{} at {end}: {kept} after {most}",
                case.name
            );
            most = most.max(kept);
        }
        assert!(most > 0, "{} keeps nothing", case.name);
    }
}

/// What was flushed with a part of an encoded stream is kept where it breaks off right after.
#[test]
fn what_was_flushed_before_a_break_is_kept() {
    for case in all().iter().filter(|case| case.is_stream()) {
        for encoding in ["gzip", "deflate", "br"] {
            let half = &case.parts[..case.parts.len().div_ceil(2)];
            let mut body = encoded(encoding, half);
            // The end that the encoder wrote never came.
            body.truncate(body.len() - usize::from(encoding != "br"));
            let broken = run(case, &[&body], coming(Some(encoding), true));
            let plain = run(case, half, coming(None, true));
            let of = |span: &Value| span["attributes"]["mlflow.spanOutputs"].clone();
            assert_eq!(of(&broken), of(&plain), "{} in {encoding}", case.name);
        }
    }
}

/// A body in a content encoding, each of its parts flushed as it comes where the encoding can do that.
fn encoded(encoding: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    let level = Compression::default();
    match encoding {
        "gzip" => flushed(GzEncoder::new(Vec::new(), level), parts)
            .finish()
            .unwrap(),
        "deflate" => flushed(ZlibEncoder::new(Vec::new(), level), parts)
            .finish()
            .unwrap(),
        "br" => flushed(
            brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18),
            parts,
        )
        .into_inner(),
        "zstd" => ruzstd::encoding::compress_to_vec(
            parts.concat().as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        ),
        other => panic!("nothing encodes {other}"),
    }
}

fn flushed<W: Write>(mut encoder: W, parts: &[Vec<u8>]) -> W {
    for part in parts {
        encoder.write_all(part).unwrap();
        encoder.flush().unwrap();
    }
    encoder
}

/// A span without the times of its events where the encoding tells them at the end alone.
fn timeless(mut span: Value, encoding: &str) -> Value {
    let events = span["events"].as_array_mut().into_iter().flatten();
    for event in events.filter(|_| encoding == "zstd") {
        event["after_ms"] = Value::Null;
    }
    span
}

/// How much text a value holds.
fn text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text).sum(),
        Value::Object(members) => members.values().map(text).sum(),
        Value::Null => 0,
        other => other.to_string().len(),
    }
}
