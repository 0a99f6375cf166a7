//! A span's attributes, category by category.

use std::fmt::Display;
use std::io::Write;

use super::provider::opentelemetry_name;
use super::{LEVEL_ERROR, LEVEL_INFO, REPAIRS, pieces};
use crate::call::{Attribute, Call, Cost, Inputs, Outcome, Usage};
use crate::json::{self, Cleaned, Filter, Kind, Node, Raw, write_clean};
use crate::otlp::Attributes;
use crate::policy::{self, Policy, Root};
use crate::redact::REDACTED;

/// Attributes that the GenAI conventions have as lists of strings, where APIs take a text as well.
const LISTS: [&str; 2] = [
    "gen_ai.request.encoding_formats",
    "gen_ai.request.stop_sequences",
];

/// A span's attributes under way.
pub(super) struct Encoder<'o, 'p, 's> {
    pub(super) attributes: Attributes<'o>,
    pub(super) policy: &'p mut Policy<'s>,
    pub(super) repairs: Vec<&'static str>,
    pub(super) scratch: Vec<u8>,
}

impl Encoder<'_, '_, '_> {
    /// What was asked and answered.
    pub(super) fn content(&mut self, call: &Call<'_>) {
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
            Inputs::Whole(inputs) => self.document("mlflow.spanInputs", Root::Inputs, *inputs),
            Inputs::Members(members) => {
                let kept =
                    |name| capture.tools || !matches!(name, "tools" | "functions" | "tool_choice");
                let members = members.iter().filter(|(name, _)| kept(*name));
                self.object("mlflow.spanInputs", members);
            }
        }
        if let (true, Some(outputs)) = (capture.outputs, call.outputs) {
            self.document("mlflow.spanOutputs", Root::Outputs, outputs);
        }
        // They repeat a part of the inputs, in another form.
        let tools = call
            .tools
            .filter(|_| capture.tools && !self.policy.has_paths(Root::Input("tools")));
        if let Some(tools) = tools {
            self.json("mlflow.chat.tools", tools);
        }
        if let Some(format) = call.message_format {
            self.attributes
                .string("mlflow.message.format", format.as_bytes());
        }
    }

    /// Who answered.
    pub(super) fn model(&mut self, call: &Call<'_>) {
        let answered = call.response_model.as_ref().or(call.request_model.as_ref());
        let reasons = &call.finish_reasons;
        for (key, value) in [
            ("mlflow.llm.model", answered),
            ("mlflow.llm.provider", call.provider.as_ref()),
            ("gen_ai.request.model", call.request_model.as_ref()),
            ("gen_ai.response.model", call.response_model.as_ref()),
            ("gen_ai.response.id", call.response_id.as_ref()),
        ] {
            if let Some(value) = value {
                self.text(key, value);
            }
        }
        if let Some(provider) = &call.provider {
            self.text("gen_ai.provider.name", opentelemetry_name(provider));
        }
        if let Some(operation) = call.operation.gen_ai_name() {
            self.attributes
                .string("gen_ai.operation.name", operation.as_bytes());
        }
        if !reasons.is_empty() {
            let reasons: Vec<_> = reasons
                .iter()
                .map(|reason| self.policy.text(reason).into_owned())
                .collect();
            self.strings("gen_ai.response.finish_reasons", &reasons);
        }
    }

    /// Tokens and dollars. MLflow refuses the whole batch where a count is no whole number or a cost no
    /// number, and computes a cost of its own where none is sent. A share that is not known is left out:
    /// MLflow then keeps the total alone for the span.
    pub(super) fn accounting(&mut self, usage: Option<Usage>, cost: Option<Cost>) {
        if let Some(usage) = usage {
            let counts = [
                ("input_tokens", Some(usage.input)),
                ("output_tokens", Some(usage.output)),
                ("total_tokens", Some(usage.total)),
                ("cache_read_input_tokens", usage.cache_read),
                ("cache_creation_input_tokens", usage.cache_creation),
            ];
            self.numbers("mlflow.chat.tokenUsage", counts);
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
                ("total_cost", Some(cost.total)),
            ];
            self.numbers("mlflow.llm.cost", costs);
        }
    }

    pub(super) fn others(&mut self, attributes: &[(&'static str, Attribute<'_>)]) {
        let capture = self.policy.content().capture;
        for (key, value) in attributes {
            if *key == "gen_ai.request.stop_sequences" && !capture.inputs {
                continue;
            }
            match value {
                Attribute::Text(text) => self.text(key, text),
                Attribute::Json(raw) if LISTS.contains(key) => self.list(key, *raw),
                Attribute::Json(raw) => self.json(key, *raw),
                Attribute::Output(raw) if capture.outputs => {
                    self.document(key, Root::Outputs, *raw)
                }
                Attribute::Headers(raw) if capture.headers => self.json(key, *raw),
                Attribute::Output(_) | Attribute::Headers(_) => {}
                Attribute::Int(value) => self.attributes.int(key, *value),
                Attribute::Double(value) => self.attributes.double(key, *value),
                Attribute::Null => self.attributes.null(key),
            }
        }
    }

    /// What was put right, replaced or cut.
    pub(super) fn marks(&mut self) {
        let did = self.policy.did;
        for (count, repair) in [
            (did.redacted, "secrets were replaced (`redact`)"),
            (did.cut, "values were cut (`max_value_bytes`)"),
            (did.described, "media were described (`media`)"),
            (
                did.unsaid,
                "texts repeated what is not captured (`capture`)",
            ),
        ] {
            if count > 0 {
                self.repairs.push(repair);
            }
        }
        if self.repairs.is_empty() {
            return;
        }
        self.repairs.sort_unstable();
        self.repairs.dedup();
        let repairs = std::mem::take(&mut self.repairs);
        self.strings(REPAIRS, &repairs);
    }

    /// A value that is a list even where it comes alone.
    fn list(&mut self, key: &str, raw: Raw<'_>) {
        let one = Node::List(vec![Node::from(raw)]).json();
        let list = Raw::parse(&one).unwrap_or(raw);
        let is_alone = raw.kind() == Kind::String;
        self.json(key, if is_alone { list } else { raw });
    }

    /// A list of strings.
    fn strings(&mut self, key: &str, strings: &[impl AsRef<str>]) {
        self.scratch.clear();
        self.scratch.push(b'[');
        for (position, string) in strings.iter().enumerate() {
            if position > 0 {
                self.scratch.push(b',');
            }
            json::write_str(string.as_ref(), &mut self.scratch);
        }
        self.scratch.push(b']');
        self.attributes.string(key, &self.scratch);
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        let text = match key {
            "litellm.user" | "litellm.end_user" => self.policy.user(text),
            _ => self.policy.text(text),
        };
        self.attributes.text(key, &text);
    }

    /// What was asked or answered: without the categories that are not captured, and with paths into it.
    pub(super) fn document(&mut self, key: &str, root: Root, raw: Raw<'_>) {
        self.policy.within(root);
        if self.policy.replaces_all() {
            self.attributes.string(key, REDACTED.as_bytes());
        } else {
            match policy::hide(raw, self.policy.content().capture) {
                Some(left) => self.json(key, Raw::parse(&left).unwrap_or(Raw::NULL)),
                None => self.json(key, raw),
            }
        }
        self.policy.within(Root::Other);
    }

    /// A JSON value, as the kind of attribute that MLflow shows as that value.
    pub(super) fn json(&mut self, key: &str, raw: Raw<'_>) {
        match raw.kind() {
            Kind::Null => self.attributes.null(key),
            Kind::Bool => self.attributes.bool(key, raw.as_bool() == Some(true)),
            Kind::String => {
                let text = raw.as_str().unwrap_or_default();
                let text = self.policy.whole(&text);
                self.attributes.text(key, &text);
            }
            Kind::Number if self.policy.number(raw.text()).is_some() => {
                self.attributes.string(key, REDACTED.as_bytes());
            }
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
                self.scratch.reserve(raw.text().len());
                let cleaned = if self.policy.grows_in_pieces(raw) {
                    pieces::write_list(self.policy, raw, &mut self.scratch)
                } else {
                    write_clean(raw, &mut self.scratch, 0, self.policy)
                };
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
            // Spaced as Python's `json` does: MLflow's previews show the text as it is.
            if self.scratch.len() > 1 {
                self.scratch.extend_from_slice(b", ");
            }
            json::write_str(name, &mut self.scratch);
            self.scratch.extend_from_slice(b": ");
            let hidden = policy::hide(*value, self.policy.content().capture);
            let value = hidden
                .as_deref()
                .map_or(*value, |left| Raw::parse(left).unwrap_or(Raw::NULL));
            self.policy.within(Root::Input(name));
            if self.policy.replaces_all() {
                json::write_str(REDACTED, &mut self.scratch);
            } else if let ("user", Some(user)) = (*name, value.as_str()) {
                json::write_str(&self.policy.user(&user), &mut self.scratch);
            } else {
                let cleaned = write_clean(value, &mut self.scratch, 1, self.policy);
                self.note(cleaned);
            }
        }
        self.policy.within(Root::Other);
        self.scratch.push(b'}');
        self.attributes.string(key, &self.scratch);
    }

    /// An object of those numbers that there are.
    fn numbers<T: Display, const N: usize>(&mut self, key: &str, members: [(&str, Option<T>); N]) {
        self.scratch.clear();
        for (name, value) in members {
            let before = if self.scratch.is_empty() { b'{' } else { b',' };
            if let Some(value) = value {
                self.scratch.push(before);
                json::write_str(name, &mut self.scratch);
                self.scratch.push(b':');
                // Writing to memory does not fail.
                let _ = write!(self.scratch, "{value}");
            }
        }
        self.scratch.push(b'}');
        self.attributes.string(key, &self.scratch);
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
