//! Calls of every kind, read back field by field.

use std::process::Stdio;

use e2e::events::{self, SECOND};
use e2e::parent::Parent;
use e2e::{Gateway, Mlflow};
use serde_json::json;

use crate::support::{assert_held, file, now, replay, replay_all, traces};

#[test]
fn calls_of_every_kind_are_held_as_sent() {
    let experiment = "every-kind";
    let parent = Parent::open(Mlflow::shared().unwrap(), experiment, "agent").unwrap();
    let parent_trace = parent.trace_id();
    let calls = events::demo("kinds", now(), parent.traceparent());
    let replay = replay_all(experiment, events::jsonl(&calls));
    parent.end().unwrap();

    let traces = traces(experiment);
    assert_held(&calls, &traces);
    assert_eq!(
        traces.len(),
        calls.len(),
        "a trace a call, the parent's for the child"
    );
    let mut reported = replay.report.trace_ids;
    let mut held: Vec<_> = traces
        .iter()
        .map(|trace| trace.info.trace_id.clone())
        .collect();
    reported.sort();
    held.sort();
    assert_eq!(reported, held);

    let family = traces
        .iter()
        .find(|trace| trace.info.trace_id == parent_trace);
    let family = family.unwrap();
    assert_eq!(family.info.state, "OK");
    let root = family.root().unwrap();
    assert_eq!(root.name, "agent");
    assert_eq!(family.children(root).count(), 1);
}

#[test]
fn a_file_replayed_twice_leaves_the_traces_of_one_replay() {
    let experiment = "twice";
    let start = now() - 10 * SECOND;
    let calls = [
        events::chat("twice-chat", start),
        events::tool_stream("twice-stream", start),
        events::failure("twice-failure", start),
    ];
    let text = events::jsonl(&calls);
    let first = replay_all(experiment, &text);
    let held = traces(experiment);
    let second = replay_all(experiment, &text);
    assert_eq!(first.report.trace_ids, second.report.trace_ids);
    let again = traces(experiment);
    assert_eq!(held.len(), 3);
    assert_eq!(again.len(), 3);
    assert_held(&calls, &again);
}

#[test]
fn several_threads_deliver_what_one_does() {
    let experiment = "threads";
    let start = now() - 10 * SECOND;
    let calls: Vec<_> = (0..40)
        .map(|n| match n % 2 {
            0 => events::chat(&format!("threads-{n}"), start + n),
            _ => events::tool_stream(&format!("threads-{n}"), start + n),
        })
        .collect();
    let replay = replay(experiment, events::jsonl(&calls), &["--threads", "3"]);
    assert_eq!(replay.code, Some(0), "{replay:#?}");
    assert_eq!(replay.report.trace_ids.len(), 40);
    let traces = traces(experiment);
    assert_eq!(traces.len(), 40);
    assert_held(&calls, &traces);
}

#[test]
fn events_come_through_stdin() {
    let experiment = "stdin";
    let call = events::chat("stdin-chat", now());
    let file = file(events::jsonl([&call]));
    let uri = Mlflow::shared().unwrap().uri();
    let arguments = [
        "replay",
        "-",
        "--tracking-uri",
        &uri,
        "--experiment-name",
        experiment,
    ];
    let output = Gateway::find()
        .unwrap()
        .command(arguments)
        .stdin(Stdio::from(file.reopen().unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_held([&call], &traces(experiment));
}

/// MlflowLogger was handed a stream as success events, `kwargs.stream` being true.
#[test]
fn a_stream_of_success_events_is_one_span() {
    let experiment = "success-stream";
    let mut call = events::tool_stream("success-stream", now());
    for line in &mut call.lines {
        line["hook"] = json!("success");
    }
    replay_all(experiment, events::jsonl([&call]));
    let traces = traces(experiment);
    assert_eq!(traces.len(), 1);
    assert_held([&call], &traces);
}

#[test]
fn a_stream_that_fails_keeps_what_had_come() {
    let experiment = "failed-stream";
    let id = "failed-stream";
    let start = now();
    let mut call = events::tool_stream(id, start);
    let failure = events::failure(id, start);
    let last = call.lines.len() - 1;
    call.lines[last] = failure.lines[0].clone();
    replay_all(experiment, events::jsonl([&call]));

    let traces = traces(experiment);
    assert_eq!(traces.len(), 1, "one span a stream, whatever its end");
    assert_eq!(traces[0].info.state, "ERROR");
    let root = traces[0].root().unwrap();
    assert!(
        root.outputs.to_string().contains("Let me look."),
        "{:?}",
        root.outputs
    );
    assert!(root.events.iter().any(|event| event.name == "exception"));
    let chunks = root
        .events
        .iter()
        .filter(|event| event.name == "streaming_chunk");
    assert_eq!(chunks.count(), last);
}

#[test]
fn a_stream_that_never_ends_is_held_as_an_error() {
    let experiment = "open-stream";
    let mut call = events::tool_stream("open-stream", now());
    call.lines.pop();
    replay_all(experiment, events::jsonl([&call]));

    let traces = traces(experiment);
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].info.state, "ERROR");
    let root = traces[0].root().unwrap();
    assert!(
        root.outputs.to_string().contains("Let me look."),
        "{:?}",
        root.outputs
    );
}
