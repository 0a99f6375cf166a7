//! Feedback, as the hook's payload and as the typed call.

use std::collections::BTreeSet;

use logger_core::event::{Context, Event, Hook};
use logger_core::feedback::{Feedback, Judge, Source, Subject, Value};

use crate::Bytes;
use crate::sink::{self, NOW, START};

/// Runs an input: a byte, then texts up to 0xff each.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let how = input.byte();
    let mut logger = sink::logger("");
    let mut taken = BTreeSet::new();
    let success = r#"{"kwargs":{"litellm_call_id":"a"},"response_obj":{}}"#;
    let payload = input.text().unwrap_or_default();
    for (key, hook, payload) in [(1, Hook::Success, success), (2, Hook::Feedback, payload)] {
        let event = Event {
            hook,
            key,
            payload,
            start: Some(START),
            end: Some(START + 1),
            time: None,
            context: Context::default(),
        };
        if logger.log(NOW, &event).is_ok() {
            taken.insert(key);
        }
    }
    let [subject, name, value, why, who] =
        std::array::from_fn(|_| input.text().unwrap_or_default());
    let feedback = Feedback {
        key: 3,
        subject: match how & 1 {
            0 => Subject::Call(if how & 2 == 0 { "a" } else { subject }.into()),
            _ => Subject::Trace(subject.into()),
        },
        name: name.into(),
        value: match how >> 2 & 3 {
            0 => Value::Bool(how & 64 == 0),
            1 => Value::Number(value.parse().unwrap_or(f64::NAN)),
            _ => Value::Text(value.into()),
        },
        rationale: Some(why.into()),
        source: Source {
            kind: [Judge::Human, Judge::LlmJudge, Judge::Code][usize::from(how >> 4) % 3],
            id: who.into(),
        },
        experiment: None,
    };
    if logger.log_feedback(NOW, &feedback).is_ok() {
        taken.insert(3);
    }
    sink::drain(&mut logger, &taken);
}
