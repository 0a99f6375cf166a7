//! What people, models or programs think of a call.

use serde::Serialize;

use crate::QUEUE;
use crate::bindings::llm_gateway::hooks::types::{Error, Feedback, FeedbackValue, Judge, Subject};

#[derive(Serialize)]
struct Entry<'a> {
    hook: &'static str,
    call_id: Option<&'a str>,
    trace_id: Option<&'a str>,
    name: &'a str,
    value: Value<'a>,
    rationale: Option<&'a str>,
    source: [&'a str; 2],
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Truth(bool),
    Number(f64),
    Text(&'a str),
}

/// Queues it as a line.
pub fn log(feedback: &Feedback) -> Result<(), Error> {
    let (call_id, trace_id) = match &feedback.subject {
        Subject::Call(id) => (Some(id.as_str()), None),
        Subject::Trace(id) => (None, Some(id.as_str())),
    };
    let kind = match feedback.source.kind {
        Judge::Human => "human",
        Judge::LlmJudge => "llm-judge",
        Judge::Code => "code",
    };
    let entry = Entry {
        hook: "feedback",
        call_id,
        trace_id,
        name: &feedback.name,
        value: match &feedback.value {
            FeedbackValue::Truth(value) => Value::Truth(*value),
            FeedbackValue::Number(value) => Value::Number(*value),
            FeedbackValue::Text(text) => Value::Text(text),
        },
        rationale: feedback.rationale.as_deref(),
        source: [kind, &feedback.source.id],
    };
    QUEUE.with_borrow_mut(|queue| queue.push(feedback.key, &entry))
}
