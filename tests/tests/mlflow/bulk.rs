//! Thousands of lines, some broken: every good one once.

use std::collections::BTreeSet;

use e2e::events::{self, SECOND};
use serde_json::json;

use crate::support::{assert_held, now, replay, traces};

/// How many lines.
const LINES: i64 = 3000;

#[test]
fn of_thousands_of_lines_each_good_one_is_held_once() {
    let experiment = "bulk";
    let start = now() - 3600 * SECOND;
    let mut file = String::new();
    let mut calls = Vec::new();
    let mut bad = Vec::new();
    for n in 0..LINES {
        let id = format!("bulk-{n}");
        let at = start + n * 1_000_003;
        let mut call = match n % 3 {
            0 => events::chat(&id, at),
            1 => events::failure(&id, at),
            _ => events::embedding(&id, at),
        };
        match n % 60 {
            7 => file.push_str("{\"hook\":\"success\",\"kwargs\":{\n"),
            31 => {
                call.lines[0]["kwargs"] = json!(null);
                file.push_str(&events::jsonl([&call]));
            }
            _ => {
                file.push_str(&events::jsonl([&call]));
                calls.push(call);
                continue;
            }
        }
        bad.push(n as u64 + 1);
    }

    let first = replay(experiment, &file, &[]);
    assert_eq!(first.code, Some(3), "{}", first.stderr);
    assert_eq!(first.report.events, LINES as u64);
    assert_eq!(first.report.delivered, calls.len() as u64);
    assert_eq!(first.report.rejected_lines(), bad);
    let reported: BTreeSet<_> = first.report.trace_ids.iter().cloned().collect();
    assert_eq!(reported.len(), calls.len());

    let held = traces(experiment);
    assert_eq!(held.len(), calls.len());
    assert_held(&calls, &held);
    let ids: BTreeSet<_> = held.into_iter().map(|trace| trace.info.trace_id).collect();
    assert_eq!(ids, reported);
}
