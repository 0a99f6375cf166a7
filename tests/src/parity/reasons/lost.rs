//! Traces that the original loses.

use serde_json::Value;

use super::{Difference, Reason};

pub(super) const REASONS: &[Reason] = &[
    Reason {
        id: "no-end",
        because: "the original loses a call without an end time",
        detail: "`_handle_success` opens the span, then reads `end_time.timestamp()`: the `AttributeError` is swallowed into \
                 a debug log, the span stays open in the process, and MLflow never sees the trace. Here the start stands \
                 in for the end, and the span says so in `llm_logger.repairs`.",
        explains: |d| lost(d) && d.lines.iter().all(|line| line["end_time"].is_null()),
    },
    Reason {
        id: "null-tags",
        because: "the original loses a call whose `request_tags` are null",
        detail: "`_transform_tag_list_to_dict` loops over null: the `TypeError` is swallowed into a debug log, and MLflow \
                 never sees the trace. Here no tags are no tags.",
        explains: |d| lost(d) && d.lines.iter().all(|line| null_tags(line)),
    },
    Reason {
        id: "open-stream",
        because: "the original loses a stream that never ends",
        detail: "`_handle_stream_event` ends a stream's span only with its complete response. A stream that is cancelled \
                 stays in `_stream_id_to_span` as long as the process lives, and MLflow never sees the trace. Here it is \
                 ended when the logger is closed: status ERROR, an exception `Cancelled`, and what had come as output.",
        explains: |d| lost(d) && d.lines.iter().all(|line| unfinished(line)),
    },
];

fn lost(d: &Difference<'_>) -> bool {
    d.all_recorded.is_none()
}

fn null_tags(line: &Value) -> bool {
    let tags = line.pointer("/kwargs/standard_logging_object/request_tags");
    tags.is_some_and(Value::is_null)
}

fn unfinished(line: &Value) -> bool {
    let kwargs = &line["kwargs"];
    let whole = [
        "complete_streaming_response",
        "async_complete_streaming_response",
    ];
    kwargs["stream"] == true && whole.iter().all(|key| kwargs[*key].is_null())
}
