//! From [`Call`] to the bytes of one OTLP span, as MLflow wants its spans.
//!
//! Attribute names beginning with `mlflow.` are those that MLflow's OTLP ingest reads
//! (`mlflow/tracing/constant.py`); names beginning with `gen_ai.` are OpenTelemetry's semantic
//! conventions for generative AI.

mod trace_data;

use crate::call::{Attribute, Call, Cost, Exception, Inputs, Outcome, Usage};
use crate::event::Timestamp;
use crate::id::{Parent, TraceId};
use crate::json::{self, Cleaned, Kind, Raw, write_clean};
use crate::otlp::{Attributes, SpanHead, SpanWriter, Status};
use crate::policy::Policy;
use crate::settings::ParentMode;

/// The attribute that lists what was put right, replaced or cut.
const REPAIRS: &str = "llm_logger.repairs";

/// The levels that MLflow's own client gives its spans, after Python's `logging`.
const LEVEL_INFO: i64 = 20;
const LEVEL_ERROR: i64 = 40;

/// One span, encoded.
#[derive(Debug)]
pub struct Encoded {
    /// OTLP's `Span` message.
    pub bytes: Vec<u8>,
    /// The trace it belongs to.
    pub trace: TraceId,
}

/// Encodes a call. `events` are a stream's, encoded by [`write_chunk`]; `parent` says what a caller's
/// `traceparent` means.
pub fn encode(
    call: &Call<'_>,
    events: &[u8],
    parent: ParentMode,
    policy: &mut Policy<'_>,
) -> Encoded {
    let joined = call.parent.filter(|_| parent == ParentMode::Join);
    let linked = call.parent.filter(|_| parent == ParentMode::Link);
    let trace = trace_of(call, parent);
    let mut span = SpanWriter::new(&SpanHead {
        trace,
        span: call.ids.span,
        parent: joined.map(|parent| parent.span),
        name: &policy.text(&call.name),
        start: call.start,
        end: call.end,
    });
    let mut encoder = Encoder {
        attributes: span.attributes(),
        policy,
        repairs: call.repairs.clone(),
        scratch: Vec::new(),
    };
    encoder.content(call);
    encoder.model(call);
    encoder.accounting(call.usage, call.cost);
    encoder.others(&call.attributes);
    encoder.trace_data(call, joined.is_none());
    encoder.marks();
    span.events(events);
    let status = match &call.outcome {
        Outcome::Success => Status::Ok,
        Outcome::Failure(exception) => {
            if let Some(exception) = exception {
                write_exception(&mut span, exception, call.end, policy);
            }
            Status::Error
        }
    };
    if let Some(Parent {
        trace,
        span: id,
        flags,
    }) = linked
    {
        span.link(&trace, &id, flags);
    }
    let flags = joined.map_or(1, |parent| parent.flags);
    Encoded {
        bytes: span.finish(status, flags),
        trace,
    }
}

/// The trace that a call's span belongs to.
pub fn trace_of(call: &Call<'_>, parent: ParentMode) -> TraceId {
    match call.parent {
        Some(caller) if parent == ParentMode::Join => caller.trace,
        _ => call.ids.trace,
    }
}

/// Writes the event of one streamed chunk's choice to `out`: `streaming_chunk` with `delta`, as
/// litellm's `MlflowLogger` names them. `scratch` is used as it likes.
pub fn write_chunk(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    at: Timestamp,
    delta: Raw<'_>,
    policy: &mut Policy<'_>,
) {
    SpanWriter::write_event(out, scratch, at, "streaming_chunk", |attributes| {
        let mut json = Vec::with_capacity(delta.text().len());
        write_clean(delta, &mut json, 0, policy);
        attributes.string("delta", &json);
    });
}

fn write_exception(
    span: &mut SpanWriter,
    exception: &Exception<'_>,
    at: Timestamp,
    policy: &mut Policy<'_>,
) {
    let mut event = Vec::new();
    SpanWriter::write_event(&mut event, &mut Vec::new(), at, "exception", |attributes| {
        attributes.string("exception.type", exception.kind.as_bytes());
        let message = policy.text(&exception.message);
        attributes.string("exception.message", message.as_bytes());
        if let Some(stacktrace) = &exception.stacktrace {
            let stacktrace = policy.text(stacktrace);
            attributes.string("exception.stacktrace", stacktrace.as_bytes());
        }
    });
    span.events(&event);
}

/// A span's attributes under way.
struct Encoder<'o, 'p, 's> {
    attributes: Attributes<'o>,
    policy: &'p mut Policy<'s>,
    repairs: Vec<&'static str>,
    scratch: Vec<u8>,
}

impl Encoder<'_, '_, '_> {
    /// What was asked and answered.
    fn content(&mut self, call: &Call<'_>) {
        let capture = self.policy.content().capture;
        self.attributes
            .string("mlflow.spanType", call.operation.span_type().as_bytes());
        let level = match call.outcome {
            Outcome::Success => LEVEL_INFO,
            Outcome::Failure(_) => LEVEL_ERROR,
        };
        self.attributes.int("mlflow.spanLogLevel", level);
        match &call.inputs {
            _ if !capture.inputs => {}
            Inputs::Whole(inputs) => self.json("mlflow.spanInputs", *inputs),
            Inputs::Members(members) => {
                let kept = |name| capture.tools || !matches!(name, "tools" | "functions");
                let members = members.iter().filter(|(name, _)| kept(*name));
                self.object("mlflow.spanInputs", members);
            }
        }
        if let (true, Some(outputs)) = (capture.outputs, call.outputs) {
            self.json("mlflow.spanOutputs", outputs);
        }
        if let (true, Some(tools)) = (capture.tools, call.tools) {
            self.json("mlflow.chat.tools", tools);
        }
    }

    /// Who answered.
    fn model(&mut self, call: &Call<'_>) {
        let answered = call.response_model.as_ref().or(call.request_model.as_ref());
        let reasons = &call.finish_reasons;
        for (key, value) in [
            ("mlflow.llm.model", answered),
            ("mlflow.llm.provider", call.provider.as_ref()),
            ("gen_ai.request.model", call.request_model.as_ref()),
            ("gen_ai.response.model", call.response_model.as_ref()),
            ("gen_ai.response.id", call.response_id.as_ref()),
            ("gen_ai.provider.name", call.provider.as_ref()),
        ] {
            if let Some(value) = value {
                self.text(key, value);
            }
        }
        if let Some(operation) = call.operation.gen_ai_name() {
            self.attributes
                .string("gen_ai.operation.name", operation.as_bytes());
        }
        if !reasons.is_empty() {
            self.scratch.clear();
            self.scratch.push(b'[');
            for (position, reason) in reasons.iter().enumerate() {
                if position > 0 {
                    self.scratch.push(b',');
                }
                json::write_str(reason, &mut self.scratch);
            }
            self.scratch.push(b']');
            self.attributes
                .string("gen_ai.response.finish_reasons", &self.scratch);
        }
    }

    /// Tokens and dollars. MLflow refuses the whole batch where a count is no whole number.
    fn accounting(&mut self, usage: Option<Usage>, cost: Option<Cost>) {
        if let Some(usage) = usage {
            let mut counts = vec![
                ("input_tokens", usage.input),
                ("output_tokens", usage.output),
                ("total_tokens", usage.total),
            ];
            counts.extend(
                usage
                    .cache_read
                    .map(|count| ("cache_read_input_tokens", count)),
            );
            counts.extend(
                usage
                    .cache_creation
                    .map(|count| ("cache_creation_input_tokens", count)),
            );
            self.numbers("mlflow.chat.tokenUsage", &counts);
            for (key, count) in [
                ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
                ("gen_ai.usage.audio.input_tokens", usage.input_audio),
                ("gen_ai.usage.audio.output_tokens", usage.output_audio),
                ("gen_ai.usage.image.input_tokens", usage.input_image),
                ("gen_ai.usage.image.output_tokens", usage.output_image),
            ] {
                if let Some(count) = count {
                    self.attributes.int(key, count);
                }
            }
        }
        if let Some(cost) = cost {
            let costs = [
                ("input_cost", cost.input),
                ("output_cost", cost.output),
                ("total_cost", cost.total),
            ];
            self.numbers("mlflow.llm.cost", &costs);
        }
    }

    fn others(&mut self, attributes: &[(&'static str, Attribute<'_>)]) {
        let capture = self.policy.content().capture;
        for (key, value) in attributes {
            match value {
                Attribute::Text(text) => self.text(key, text),
                Attribute::Json(raw) => self.json(key, *raw),
                Attribute::Output(raw) if capture.outputs => self.json(key, *raw),
                Attribute::Headers(raw) if capture.headers => self.json(key, *raw),
                Attribute::Output(_) | Attribute::Headers(_) => {}
                Attribute::Int(value) => self.attributes.int(key, *value),
                Attribute::Double(value) => self.attributes.double(key, *value),
                Attribute::Null => self.attributes.null(key),
            }
        }
    }

    /// What was put right, replaced or cut.
    fn marks(&mut self) {
        if self.policy.redacted > 0 {
            self.repairs.push("secrets were replaced (`redact`)");
        }
        if self.policy.cut > 0 {
            self.repairs.push("values were cut (`max_value_bytes`)");
        }
        if self.repairs.is_empty() {
            return;
        }
        self.repairs.sort_unstable();
        self.repairs.dedup();
        self.scratch.clear();
        let separator = |first| if first { b'[' } else { b',' };
        for (position, repair) in self.repairs.iter().enumerate() {
            self.scratch.push(separator(position == 0));
            json::write_str(repair, &mut self.scratch);
        }
        self.scratch.push(b']');
        self.attributes.string(REPAIRS, &self.scratch);
    }

    fn text(&mut self, key: &str, text: &str) {
        let text = self.policy.text(text);
        self.attributes.text(key, &text);
    }

    /// A JSON value, as the kind of attribute that MLflow shows as that value.
    fn json(&mut self, key: &str, raw: Raw<'_>) {
        match raw.kind() {
            Kind::Null => self.attributes.null(key),
            Kind::Bool => self.attributes.bool(key, raw.as_bool() == Some(true)),
            Kind::String => self.text(key, &raw.as_str().unwrap_or_default()),
            Kind::Number => match (raw.text().parse(), raw.as_f64()) {
                (Ok(integer), _) => self.attributes.int(key, integer),
                (_, Some(float)) if raw.text().contains(['.', 'e', 'E']) => {
                    self.attributes.double(key, float)
                }
                _ => {
                    self.note(Cleaned {
                        numbers: true,
                        ..Cleaned::default()
                    });
                    self.attributes.string(key, raw.text().as_bytes());
                }
            },
            Kind::Array | Kind::Object => {
                self.scratch.clear();
                let cleaned = write_clean(raw, &mut self.scratch, 0, self.policy);
                self.note(cleaned);
                self.attributes.string(key, &self.scratch);
            }
        }
    }

    fn object<'i, 'a: 'i>(
        &mut self,
        key: &str,
        members: impl Iterator<Item = &'i (&'static str, Raw<'a>)>,
    ) {
        self.scratch.clear();
        self.scratch.push(b'{');
        for (name, value) in members {
            if self.scratch.len() > 1 {
                self.scratch.push(b',');
            }
            json::write_str(name, &mut self.scratch);
            self.scratch.push(b':');
            let cleaned = write_clean(*value, &mut self.scratch, 1, self.policy);
            self.note(cleaned);
        }
        self.scratch.push(b'}');
        self.attributes.string(key, &self.scratch);
    }

    fn numbers<T: std::fmt::Display>(&mut self, key: &str, members: &[(&str, T)]) {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        let object = format!("{{{}}}", members.join(","));
        self.attributes.string(key, object.as_bytes());
    }

    fn note(&mut self, cleaned: Cleaned) {
        for (happened, repair) in [
            (cleaned.numbers, "numbers beyond 64 bits became strings"),
            (cleaned.surrogates, "lone surrogates became U+FFFD"),
            (cleaned.depth, "what was nested too deep became a string"),
        ] {
            if happened {
                self.repairs.push(repair);
            }
        }
    }
}
