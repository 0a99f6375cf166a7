//! The form of a file: line ends, blank lines, times.

use e2e::events::{self, Call};
use serde_json::json;

use crate::support::{assert_held, now, replay, replay_all, traces};

#[test]
fn an_empty_file_is_no_error() {
    let replay = replay_all("empty", "");
    assert_eq!(replay.report.events, 0);
    assert!(replay.report.trace_ids.is_empty());
}

#[test]
fn blank_lines_count_as_lines_but_not_as_events() {
    let experiment = "blank-lines";
    let [first, last] = ["blank-1", "blank-2"].map(|id| events::chat(id, now()));
    let (first_line, last_line) = (&first.lines[0], &last.lines[0]);
    // A byte order mark, ends of lines as on Windows, and none after the last line.
    let text = format!("\u{feff}{first_line}\r\n\r\n  \r\nno event\r\n{last_line}");
    let replay = replay(experiment, text, &[]);
    assert_eq!(replay.code, Some(3), "{replay:#?}");
    assert_eq!(replay.report.events, 3);
    assert_eq!(replay.report.delivered, 2);
    assert_eq!(replay.report.rejected_lines(), [4]);
    assert_held([&first, &last], &traces(experiment));
}

#[test]
fn times_are_exact_in_every_form() {
    let experiment = "times";
    let start = 1_790_000_000_123_456_789;
    let forms = [
        ("utc", json!("2026-09-21T14:13:20.123456789Z"), start),
        ("naive", json!("2026-09-21 14:13:20.123456"), start - 789),
        (
            "offset",
            json!("2026-09-21T16:13:20.123456789+02:00"),
            start,
        ),
        ("integer", json!(start), start),
    ];
    let calls = forms.map(|(id, form, start_ns)| {
        let mut call: Call = events::embedding(&format!("times-{id}"), start_ns);
        call.lines[0]["start_time"] = form;
        call
    });
    replay_all(experiment, events::jsonl(&calls));
    assert_held(&calls, &traces(experiment));
}
