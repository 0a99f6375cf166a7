//! Feedback on a call: an assessment of its trace in MLflow.
//!
//! MLflow REST API 3.0, `POST /mlflow/traces/{trace_id}/assessments`. The assessment's id follows from what it
//! says, so that the same feedback sent twice is one assessment.

use std::borrow::Cow;

use crate::event::{Event, EventError, EventKey};
use crate::id::{self, TraceId};
use crate::json::{Kind, Raw, quoted};
use crate::litellm::some_text;
use crate::policy::Policy;

/// Feedback on a call.
#[derive(Clone, Debug)]
pub struct Feedback<'a> {
    /// Comes back in the delivery report.
    pub key: EventKey,
    /// What it is about.
    pub subject: Subject<'a>,
    /// What is judged, such as `helpful`.
    pub name: Cow<'a, str>,
    /// The verdict.
    pub value: Value<'a>,
    /// Why, in words.
    pub rationale: Option<Cow<'a, str>>,
    /// Who judged.
    pub source: Source<'a>,
    /// The experiment's name, instead of the configured one; with a call id, where its trace is.
    pub experiment: Option<&'a str>,
}

/// What feedback is about.
#[derive(Clone, Debug)]
pub enum Subject<'a> {
    /// A call, by litellm's call id or the gateway's.
    Call(Cow<'a, str>),
    /// A trace, by the id that MLflow shows.
    Trace(Cow<'a, str>),
}

/// A verdict.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A score.
    Number(f64),
    /// In words.
    Text(Cow<'a, str>),
}

/// Who judged.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// What kind of judge.
    pub kind: Judge,
    /// Who exactly: a user, a model, a program.
    pub id: Cow<'a, str>,
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

impl<'a> Feedback<'a> {
    /// Reads the payload of a feedback event: an object with `name`, `value`, and the call's id as
    /// `kwargs.litellm_call_id` or `call_id`, or `trace_id`; `rationale` and `source` may be left out.
    pub(crate) fn parse(event: &Event<'a>) -> Result<Self, EventError> {
        let document = Raw::parse(event.payload)
            .map_err(|error| EventError::InvalidPayload(format!("not JSON: {error}")))?;
        let [name, value, rationale, source, call, trace, kwargs] = document.fields([
            "name",
            "value",
            "rationale",
            "source",
            "call_id",
            "trace_id",
            "kwargs",
        ]);
        let in_kwargs = kwargs.and_then(|kwargs| kwargs.get("litellm_call_id"));
        let call = some_text(call).or_else(|| some_text(in_kwargs));
        let subject = match (some_text(trace), call) {
            (Some(trace), _) => Subject::Trace(trace),
            (None, Some(call)) => Subject::Call(call),
            (None, None) => {
                return Err(invalid(
                    "feedback has to say what it is about: `kwargs.litellm_call_id`, `call_id` or \
                     `trace_id`",
                ));
            }
        };
        let value = value.unwrap_or(Raw::NULL);
        let value = match value.kind() {
            Kind::Bool => Value::Bool(value.as_bool() == Some(true)),
            Kind::Number => Value::Number(value.as_f64().unwrap_or(f64::NAN)),
            Kind::String => Value::Text(value.as_str().unwrap_or_default()),
            other => {
                let found = other.name();
                return Err(EventError::InvalidPayload(format!(
                    "`value`: a boolean, a number or a string expected, {found} found"
                )));
            }
        };
        Ok(Self {
            key: event.key,
            subject,
            name: some_text(name).ok_or_else(|| invalid("`name` is missing: what is judged"))?,
            value,
            rationale: some_text(rationale),
            source: source.map_or_else(|| Ok(Source::unknown()), Source::parse)?,
            experiment: event.context.experiment,
        })
    }

    /// The request's body for the trace that it is about; people's words go through the policy.
    pub(crate) fn body(
        &self,
        trace: &TraceId,
        policy: &mut Policy<'_>,
    ) -> Result<Vec<u8>, EventError> {
        if self.name.trim().is_empty() {
            return Err(invalid("feedback needs a `name` that is not empty"));
        }
        let value: Cow<'_, str> = match &self.value {
            Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Value::Number(number) if number.is_finite() => Cow::Owned(number.to_string()),
            Value::Number(_) => return Err(invalid("feedback's `value` has to be finite")),
            Value::Text(text) => Cow::Owned(quoted(&policy.text(text))),
        };
        let kind = match self.source.kind {
            Judge::Human => "HUMAN",
            Judge::LlmJudge => "LLM_JUDGE",
            Judge::Code => "CODE",
        };
        let rationale = self.rationale.as_deref().map(|text| policy.text(text));
        let why = rationale.as_deref().unwrap_or_default();
        let name = policy.text(&self.name).into_owned();
        let who = match self.source.kind {
            Judge::Human => policy.user(&self.source.id),
            Judge::LlmJudge | Judge::Code => policy.text(&self.source.id),
        };
        let parts = [&*name, &*value, why, kind, &*who];
        let mut identity = vec![trace.as_slice()];
        identity.extend(parts.iter().map(|part| part.as_bytes()));
        let id = id::hex(&id::derive(&identity).trace);
        let mut body = format!(
            "{{\"assessment\":{{\"assessment_id\":\"a-{id}\",\"assessment_name\":{},\
             \"source\":{{\"source_type\":\"{kind}\",\"source_id\":{}}},\"feedback\":{{\"value\":{value}}}",
            quoted(&name),
            quoted(&who),
        );
        if let Some(rationale) = &rationale {
            body.push_str(",\"rationale\":");
            body.push_str(&quoted(rationale));
        }
        body.push_str("}}");
        Ok(body.into_bytes())
    }
}

impl<'a> Source<'a> {
    fn unknown() -> Self {
        Self {
            kind: Judge::Human,
            id: Cow::Borrowed("default"),
        }
    }

    /// A user's name, or an object with `type` (`HUMAN`, `LLM_JUDGE`, `CODE`) and `id`, which MLflow calls
    /// `source_type` and `source_id`.
    fn parse(source: Raw<'a>) -> Result<Self, EventError> {
        let mut parsed = Self::unknown();
        if let Some(id) = some_text(Some(source)) {
            parsed.id = id;
            return Ok(parsed);
        }
        let [kind, source_type, id, source_id] =
            source.fields(["type", "source_type", "id", "source_id"]);
        if let Some(id) = some_text(id).or_else(|| some_text(source_id)) {
            parsed.id = id;
        }
        if let Some(kind) = some_text(kind).or_else(|| some_text(source_type)) {
            parsed.kind = match kind.to_uppercase().as_str() {
                "HUMAN" => Judge::Human,
                "LLM_JUDGE" | "AI_JUDGE" => Judge::LlmJudge,
                "CODE" => Judge::Code,
                _ => {
                    return Err(EventError::InvalidPayload(format!(
                        "`source.type`: HUMAN, LLM_JUDGE or CODE expected, found {} other characters",
                        kind.chars().count()
                    )));
                }
            };
        }
        Ok(parsed)
    }
}

/// A trace's id as MLflow shows it, `tr-` and 32 hexadecimal digits.
pub(crate) fn trace_id(shown: &str) -> Result<TraceId, EventError> {
    let digits = shown.strip_prefix("tr-").unwrap_or(shown);
    id::parse_hex(digits)
        .ok_or_else(|| invalid("a trace's id is `tr-` and 32 hexadecimal digits in lower case"))
}

fn invalid(reason: &str) -> EventError {
    EventError::InvalidPayload(reason.to_owned())
}
