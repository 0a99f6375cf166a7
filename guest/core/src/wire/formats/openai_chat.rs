//! OpenAI's chat completions, which most servers speak: with `reasoning_content` (DeepSeek, vLLM),
//! `reasoning` and costs (OpenRouter), thinking parts (Mistral), usage in `x_groq` (Groq).

use std::borrow::Cow;

use super::{Asked, Assemble, Format, path_part, unknown};
use crate::call::{Cost, Operation, Usage};
use crate::chunks::{self, Answer};
use crate::json::{Kind, Raw};
use crate::litellm::{some_text, usage};
use crate::wire::facts::{Facts, Tool, count};

pub(super) const FORMAT: Format = Format {
    name: "openai_chat",
    doc: (
        "OpenAI chat completions, and all servers that speak it",
        "`…/chat/completions`",
    ),
    home: Some("openai"),
    operation: Operation::Chat,
    verb: "chat",
    message_format: Some("openai"),
    path: |path| path.ends_with("/chat/completions"),
    body: |body| {
        body.get("messages")
            .is_some_and(|messages| messages.kind() == Kind::Array)
    },
    request,
    response,
    assemble: || Box::<Chat>::default(),
    ..unknown::FORMAT
};

pub(super) fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    let [model, functions] = asked.body.fields(["model", "functions"]);
    let deployment = path_part(asked.path, "/deployments/").map(Cow::Owned);
    facts.request_model = some_text(model).or(deployment);
    identity(asked.body, facts);
    facts.sampling(asked.body);
    let tools = asked.body.get("tools").filter(|tools| tools.is_truthy());
    match tools {
        Some(tools) => facts.tools = Some(tools.text().to_owned()),
        None => {
            let functions = functions.into_iter().flat_map(Raw::items);
            facts.tools(functions.filter_map(|function| Tool::of(function, "parameters")));
        }
    }
}

/// Whose the call is, and what it belongs to: OpenAI's members, and those that litellm's proxy takes.
fn identity<'a>(body: Raw<'a>, facts: &mut Facts<'a>) {
    let [user, safety, session, litellm_session, metadata] = body.fields([
        "user",
        "safety_identifier",
        "session_id",
        "litellm_session_id",
        "metadata",
    ]);
    let [of_session, of_user, tags] = metadata.map_or([None; 3], |metadata| {
        metadata.fields(["session_id", "user_id", "tags"])
    });
    let first = |values: [Option<Raw<'a>>; 3]| values.into_iter().find_map(some_text);
    facts.user = first([user, safety, of_user]);
    facts.session = first([session, litellm_session, of_session]);
    let tags = tags.into_iter().flat_map(Raw::items);
    facts.tags.extend(tags.filter_map(Raw::as_str));
}

pub(super) fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [id, model, choices, used, tier, fingerprint, groq] = response.fields([
        "id",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
        "x_groq",
    ]);
    facts.response_id = some_text(id);
    facts.response_model = some_text(model);
    let choices = choices.into_iter().flat_map(Raw::items);
    facts.finished(choices.map(|choice| choice.get("finish_reason")));
    let used = used.filter(|used| !used.is_null());
    let used = used.or_else(|| groq.and_then(|groq| groq.get("usage")));
    facts.usage = used.and_then(read_usage);
    facts.cost = used.and_then(cost);
    facts.json("openai.response.service_tier", tier);
    facts.json("openai.response.system_fingerprint", fingerprint);
}

/// Usage in OpenAI's names, or in DeepSeek's, whose hits of the cache are part of the prompt as well.
pub(super) fn read_usage(used: Raw<'_>) -> Option<Usage> {
    let mut read = usage::from_response(used)?;
    read.cache_read = read
        .cache_read
        .or(count(used.get("prompt_cache_hit_tokens")));
    Some(read)
}

/// What Perplexity and OpenRouter say the call cost.
fn cost(used: Raw<'_>) -> Option<Cost> {
    let dollars = |value: Option<Raw<'_>>| {
        let dollars = value.and_then(Raw::as_f64);
        dollars.filter(|dollars| dollars.is_finite() && *dollars >= 0.0)
    };
    let cost = used.get("cost")?;
    let [input, output, total] =
        cost.fields(["input_tokens_cost", "output_tokens_cost", "total_cost"]);
    if let (Some(input), Some(output)) = (dollars(input), dollars(output)) {
        let parts = Cost::parts(input, output);
        // A request has a price of its own.
        return Some(Cost {
            total: dollars(total).unwrap_or(parts.total).max(parts.total),
            ..parts
        });
    }
    dollars(Some(cost)).map(Cost::of_total)
}

/// A stream of chunks.
#[derive(Debug, Default)]
pub(super) struct Chat(Answer);

impl Assemble for Chat {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let [choices, error] = data.fields(["choices", "error"]);
        if choices.is_none() && error.is_some() {
            return 0;
        }
        self.0.add(data)
    }

    fn chunks<'d>(&self, data: Raw<'d>) -> Vec<Raw<'d>> {
        let choices = chunks::choices(data);
        choices
            .map(|choice| choice.get("delta").unwrap_or(choice))
            .collect()
    }

    fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    fn finish(self: Box<Self>) -> String {
        self.0.finish()
    }
}
