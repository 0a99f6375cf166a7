//! Feedback on a call: an assessment of its trace in MLflow.
//!
//! MLflow REST API 3.0, `POST /mlflow/traces/{trace_id}/assessments`. The assessment's id follows from what it
//! says, so that the same feedback sent twice is one assessment.

use std::borrow::Cow;

use crate::event::{EventError, EventKey};
use crate::id::{self, TraceId};
use crate::json;

/// Feedback on a call.
#[derive(Clone, Debug)]
pub struct Feedback<'a> {
    /// Comes back in the delivery report.
    pub key: EventKey,
    /// What it is about.
    pub subject: Subject<'a>,
    /// What is judged, such as `helpful`.
    pub name: &'a str,
    /// The verdict.
    pub value: Value<'a>,
    /// Why, in words.
    pub rationale: Option<&'a str>,
    /// Who judged.
    pub source: Source<'a>,
    /// The experiment's name, instead of the configured one; with a call id, where its trace is.
    pub experiment: Option<&'a str>,
}

/// What feedback is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A call, by litellm's call id or the gateway's.
    Call(&'a str),
    /// A trace, by the id that MLflow shows.
    Trace(&'a str),
}

/// A verdict.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A score.
    Number(f64),
    /// In words.
    Text(&'a str),
}

/// Who judged.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What kind of judge.
    pub kind: Judge,
    /// Who exactly: a user, a model, a program.
    pub id: &'a str,
}

/// Kinds of judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// A person.
    Human,
    /// A model.
    LlmJudge,
    /// A program.
    Code,
}

impl Feedback<'_> {
    /// The request's body for the trace that it is about.
    pub(crate) fn body(&self, trace: &TraceId) -> Result<Vec<u8>, EventError> {
        if self.name.trim().is_empty() {
            return Err(invalid("feedback needs a `name` that is not empty"));
        }
        let value: Cow<'_, str> = match self.value {
            Value::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Value::Number(number) if number.is_finite() => Cow::Owned(number.to_string()),
            Value::Number(_) => return Err(invalid("feedback's `value` has to be finite")),
            Value::Text(text) => Cow::Owned(quoted(text)),
        };
        let kind = match self.source.kind {
            Judge::Human => "HUMAN",
            Judge::LlmJudge => "LLM_JUDGE",
            Judge::Code => "CODE",
        };
        let rationale = self.rationale.unwrap_or_default();
        let parts = [self.name, &value, rationale, kind, self.source.id];
        let mut identity = vec![trace.as_slice()];
        identity.extend(parts.iter().map(|part| part.as_bytes()));
        let id = id::hex(&id::derive(&identity).trace);
        let mut body = format!(
            "{{\"assessment\":{{\"assessment_id\":\"a-{id}\",\"assessment_name\":{},\
             \"source\":{{\"source_type\":\"{kind}\",\"source_id\":{}}},\"feedback\":{{\"value\":{value}}}",
            quoted(self.name),
            quoted(self.source.id),
        );
        if let Some(rationale) = self.rationale {
            body.push_str(",\"rationale\":");
            body.push_str(&quoted(rationale));
        }
        body.push_str("}}");
        Ok(body.into_bytes())
    }
}

/// A trace's id as MLflow shows it, `tr-` and 32 hexadecimal digits.
pub(crate) fn trace_id(shown: &str) -> Result<TraceId, EventError> {
    let digits = shown.strip_prefix("tr-").unwrap_or(shown);
    id::parse_hex(digits)
        .ok_or_else(|| invalid("a trace's id is `tr-` and 32 hexadecimal digits in lower case"))
}

fn quoted(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    json::write_str(text, &mut quoted);
    String::from_utf8(quoted).unwrap_or_default()
}

fn invalid(reason: &str) -> EventError {
    EventError::InvalidPayload(reason.to_owned())
}
