//! Bad input: every line becomes a rejection with its number and reason, or a trace that can be read;
//! and what stands beside it in the file is none the worse.

use e2e::events::{self, Call, SECOND};
use serde_json::{Value, json};

use crate::support::{assert_held, now, replay, traces};

/// What a line has to become.
enum Fate {
    /// A rejection whose reason contains this.
    Rejected(&'static str),
    /// A trace that can be read.
    Readable,
    /// Either.
    Either,
}

use Fate::{Either, Readable, Rejected};

#[test]
fn bad_lines_are_rejected_or_readable_and_harm_no_neighbour() {
    let experiment = "bad-lines";
    let mut file = Vec::new();
    let mut neighbours = Vec::new();
    let mut fates = Vec::new();
    for (n, (name, line, fate)) in bad_lines().into_iter().enumerate() {
        let neighbour = events::chat(&format!("neighbour-of-{name}"), now() - n as i64 * SECOND);
        file.extend_from_slice(events::jsonl([&neighbour]).as_bytes());
        file.extend_from_slice(&line);
        file.push(b'\n');
        neighbours.push(neighbour);
        fates.push((2 * n as u64 + 2, name, fate));
    }
    let replay = replay(experiment, file, &[]);
    let report = &replay.report;

    let mut complaints = Vec::new();
    for (line, name, fate) in &fates {
        let rejection = report
            .rejected
            .iter()
            .find(|rejection| rejection.line == *line);
        let reason = rejection.map(|rejection| rejection.reason.as_str());
        let fits = match (fate, reason) {
            (Rejected(word), Some(reason)) => reason.to_lowercase().contains(word),
            (Readable, None) => true,
            (Either, reason) => reason != Some(""),
            _ => false,
        };
        if !fits {
            complaints.push(format!("{name}: {reason:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(replay.code, Some(3), "{}", replay.stderr);
    let lines = 2 * fates.len() as u64;
    assert_eq!(report.events, lines);
    assert_eq!(report.delivered + report.rejected.len() as u64, lines);

    // One poisoned trace would keep the client from reading any of them.
    let traces = traces(experiment);
    assert_held(&neighbours, &traces);
    assert_eq!(
        traces.len() as u64,
        report.delivered,
        "each delivered line is one trace"
    );
    for trace in &traces {
        assert_ne!(trace.info.state, "IN_PROGRESS", "{trace:?}");
        let root = trace.root().unwrap();
        assert!(root.end_ns.unwrap() >= root.start_ns, "{root:?}");
    }
}

fn bad_lines() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let with = |id: &str, change: &dyn Fn(&mut Value)| changed(id, change).to_string().into_bytes();
    vec![
        ("no-json", text("this is not JSON"), Rejected("json")),
        (
            "cut-off",
            text(r#"{"hook":"success","kwargs":{"mod"#),
            Rejected("json"),
        ),
        ("array", text("[1, 2]"), Rejected("object")),
        (
            "no-kwargs",
            text(r#"{"hook":"success"}"#),
            Rejected("kwargs"),
        ),
        (
            "kwargs-text",
            with("kwargs-text", &|line| {
                line["kwargs"] = json!("model=gpt-4o")
            }),
            Rejected("kwargs"),
        ),
        (
            "hook",
            with("hook", &|line| line["hook"] = json!("sucess")),
            Rejected("hook"),
        ),
        (
            "time-type",
            with("time-type", &|line| line["start_time"] = json!({"at": 1})),
            Rejected("start_time"),
        ),
        (
            "time-text",
            with("time-text", &|line| line["end_time"] = json!("yesterday")),
            Rejected("end_time"),
        ),
        (
            "late",
            with("late", &|line| line["start_time"] = json!(u64::MAX)),
            Rejected("time"),
        ),
        ("wrong-types", with("wrong-types", &wrong_types), Readable),
        ("bare", with("bare", &bare), Readable),
        (
            "backwards",
            with("backwards", &|line| line["end_time"] = json!(1_000)),
            Readable,
        ),
        (
            "large",
            with("large", &|line| {
                line["kwargs"]["messages"][1]["content"] = json!("Ä".repeat(5_000_000 / 2));
            }),
            Readable,
        ),
        (
            "deep",
            replaced("deep", &nested(1000, "{\"a\":[", "]}")),
            Readable,
        ),
        (
            "deep-objects",
            replaced("deep-objects", &nested(2000, "{\"a\":", "}")),
            Readable,
        ),
        (
            "deep-arrays",
            replaced("deep-arrays", &nested(2000, "[", "]")),
            Readable,
        ),
        (
            "huge-integer",
            replaced("huge-integer", "123456789012345678901234567890"),
            Readable,
        ),
        (
            "negative",
            replaced("negative", "-9223372036854775809"),
            Readable,
        ),
        (
            "nested-integer",
            replaced("nested-integer", r#"{"seed":18446744073709551616}"#),
            Readable,
        ),
        (
            "surrogate",
            replaced("surrogate", r#""half \ud83c a flag""#),
            Readable,
        ),
        (
            "surrogate-key",
            replaced("surrogate-key", r#"{"\udfff":1}"#),
            Readable,
        ),
        ("nul", replaced("nul", r#""a\u0000b""#), Readable),
        ("not-a-number", replaced("not-a-number", "NaN"), Either),
        (
            "twice-the-key",
            replaced("twice-the-key", r#"{"a":1,"a":2}"#),
            Readable,
        ),
        ("latin-1", latin_1(), Either),
        (
            "traceparent",
            with("traceparent", &|line| {
                line["traceparent"] = json!("00-0-0-00")
            }),
            Either,
        ),
    ]
}

/// A chat call, changed.
fn changed(id: &str, change: &dyn Fn(&mut Value)) -> Value {
    let Call { mut lines, .. } = events::chat(id, now() - 3600 * SECOND);
    change(&mut lines[0]);
    lines.swap_remove(0)
}

/// A chat call whose second message's content is this text as it stands.
fn replaced(id: &str, content: &str) -> Vec<u8> {
    let mark = "the content";
    let line = changed(id, &|line| {
        line["kwargs"]["messages"][1]["content"] = json!(mark);
    });
    let quoted = json!(mark).to_string();
    line.to_string().replace(&quoted, content).into_bytes()
}

fn latin_1() -> Vec<u8> {
    let mut line = replaced("latin-1", "\"caf?\"");
    let at = line
        .windows(4)
        .position(|window| window == b"caf?")
        .unwrap();
    line[at + 3] = 0xe9;
    line
}

/// A number within so many pairs of brackets.
fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{}0{}", open.repeat(levels), close.repeat(levels))
}

fn wrong_types(line: &mut Value) {
    line["kwargs"]["messages"] = json!(17);
    line["kwargs"]["optional_params"] = json!("temperature=1");
    line["kwargs"]["litellm_params"] = json!([]);
    line["kwargs"]["model"] = json!({"name": "gpt-4o"});
    line["kwargs"]["stream"] = json!("no");
    line["kwargs"]["standard_logging_object"] = json!({
        "prompt_tokens": "25", "completion_tokens": -1, "total_tokens": 1.5, "request_tags": "a:b",
        "cost_breakdown": {"input_cost": "free", "output_cost": null}, "cache_hit": "maybe",
    });
    line["response_obj"] = json!({"choices": {"0": "?"}, "usage": [1, 2, 3], "model": 4});
}

fn bare(line: &mut Value) {
    line["kwargs"] = json!({});
    line["response_obj"] = Value::Null;
}
