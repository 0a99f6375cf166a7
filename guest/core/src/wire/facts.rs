//! What a format reads out of bodies: the facts of a call, beside the bodies themselves.

use std::borrow::Cow;

use crate::call::{Attribute, Cost, Usage};
use crate::json::{Kind, Node, Raw};
use crate::litellm::some_text;

/// The facts of a call.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    /// The model that was asked for.
    pub request_model: Option<Cow<'a, str>>,
    /// The model that answered.
    pub response_model: Option<Cow<'a, str>>,
    /// The response's id.
    pub response_id: Option<Cow<'a, str>>,
    /// Why the model stopped, a reason a choice.
    pub finish_reasons: Vec<Cow<'a, str>>,
    /// Tokens used.
    pub usage: Option<Usage>,
    /// What the provider says that the call cost.
    pub cost: Option<Cost>,
    /// The tools the model could call, as OpenAI's API describes them: JSON.
    pub tools: Option<String>,
    /// The user, as the request has it.
    pub user: Option<Cow<'a, str>>,
    /// The session, as the request has it.
    pub session: Option<Cow<'a, str>>,
    /// Tags, as the request has them: `key:value` or a word.
    pub tags: Vec<Cow<'a, str>>,
    /// Plain attributes under their final names.
    pub attributes: Vec<(&'static str, Attribute<'a>)>,
}

impl<'a> Facts<'a> {
    /// Adds an attribute, unless it is there already.
    pub fn attribute(&mut self, name: &'static str, value: Attribute<'a>) {
        if self.attributes.iter().all(|(known, _)| *known != name) {
            self.attributes.push((name, value));
        }
    }

    /// Adds a member's value as an attribute, if it says something.
    pub fn json(&mut self, name: &'static str, value: Option<Raw<'a>>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.attribute(name, Attribute::Json(value));
        }
    }

    /// Adds the sampling parameters among an object's members.
    pub fn sampling(&mut self, parameters: Raw<'a>) {
        for (key, value) in parameters.entries() {
            if let (Some(name), false) = (sampling_name(&key), value.is_null()) {
                self.attribute(name, Attribute::Json(value));
            }
        }
    }

    /// Takes the reasons for which choices ended.
    pub fn finished(&mut self, reasons: impl Iterator<Item = Option<Raw<'a>>>) {
        self.finish_reasons.extend(reasons.filter_map(some_text));
    }

    /// Adds a tool that the model could call.
    pub fn tools(&mut self, tools: impl Iterator<Item = Tool<'a>>) {
        let tools: Vec<_> = tools.map(|tool| tool.node()).collect();
        if !tools.is_empty() {
            self.tools = Some(Node::List(tools).json());
        }
    }
}

/// The attribute of a sampling parameter, whichever provider spells it: OpenTelemetry semantic
/// conventions, GenAI spans.
fn sampling_name(key: &str) -> Option<&'static str> {
    Some(match key {
        "temperature" => "gen_ai.request.temperature",
        "top_p" | "topP" | "p" => "gen_ai.request.top_p",
        "top_k" | "topK" | "k" => "gen_ai.request.top_k",
        "max_tokens"
        | "maxTokens"
        | "max_completion_tokens"
        | "max_output_tokens"
        | "maxOutputTokens"
        | "max_gen_len"
        | "maxTokenCount"
        | "num_predict" => "gen_ai.request.max_tokens",
        "n" | "candidateCount" | "num_generations" => "gen_ai.request.choice.count",
        "seed" => "gen_ai.request.seed",
        "stop" | "stop_sequences" | "stopSequences" => "gen_ai.request.stop_sequences",
        "frequency_penalty" | "frequencyPenalty" => "gen_ai.request.frequency_penalty",
        "presence_penalty" | "presencePenalty" => "gen_ai.request.presence_penalty",
        "encoding_format" | "embedding_types" => "gen_ai.request.encoding_formats",
        "stream" => "gen_ai.request.stream",
        "dimensions" | "output_dimension" | "outputDimensionality" => {
            "gen_ai.embeddings.dimension.count"
        }
        "service_tier" => "openai.request.service_tier",
        _ => return None,
    })
}

/// A tool in whichever shape.
pub(super) struct Tool<'a> {
    /// Its name.
    pub name: Option<Raw<'a>>,
    /// What it does.
    pub description: Option<Raw<'a>>,
    /// The JSON Schema of its arguments.
    pub parameters: Option<Raw<'a>>,
}

impl<'a> Tool<'a> {
    /// A tool whose three members have these names.
    pub fn of(tool: Raw<'a>, parameters: &str) -> Option<Self> {
        let [name, description, parameters] = tool.fields(["name", "description", parameters]);
        name.filter(|name| name.kind() == Kind::String)?;
        Some(Self {
            name,
            description,
            parameters,
        })
    }

    /// As OpenAI's API describes a function.
    fn node(&self) -> Node {
        let mut function = Node::default();
        for (key, value) in [
            ("name", self.name),
            ("description", self.description),
            ("parameters", self.parameters),
        ] {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                function.set(key, Node::from(value));
            }
        }
        let mut tool = Node::default();
        tool.set("type", Node::text("function"));
        tool.set("function", function);
        tool
    }
}

/// Tokens where input and cached ones are counted apart or within, by members of these names.
pub(super) struct Counts {
    /// Of the prompt.
    pub input: Option<i64>,
    /// Of the answer.
    pub output: Option<i64>,
    /// What the provider says both are.
    pub total: Option<i64>,
}

impl Counts {
    /// The usage, whose total is at least the sum of its parts; None where nothing was counted.
    pub fn usage(self, details: Usage) -> Option<Usage> {
        let counted = self.input.or(self.output).or(self.total);
        counted?;
        let (input, output) = (self.input.unwrap_or(0), self.output.unwrap_or(0));
        Some(Usage {
            input,
            output,
            total: self.total.unwrap_or(0).max(input.saturating_add(output)),
            ..details
        })
    }
}

/// A count of tokens: a whole number that is not negative.
pub(super) fn count(value: Option<Raw<'_>>) -> Option<i64> {
    value.and_then(Raw::as_i64).filter(|count| *count >= 0)
}

/// The sum of what was counted; None where nothing was.
pub(super) fn sum(counts: &[Option<i64>]) -> Option<i64> {
    let counted = counts.iter().copied().flatten();
    counted.reduce(i64::saturating_add)
}
