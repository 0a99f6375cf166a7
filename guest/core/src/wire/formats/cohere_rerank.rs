//! Cohere's reranking, whose shape Jina, Voyage and vLLM took over.

use super::{Format, cohere_embed};
use crate::call::Operation;
use crate::json::Raw;
use crate::litellm::some_text;
use crate::wire::facts::Facts;
use crate::wire::formats::{cohere_chat, openai_chat};

pub(super) const FORMAT: Format = Format {
    name: "cohere_rerank",
    doc: ("Cohere reranking, and servers of its shape", "`…/rerank`"),
    operation: Operation::Rerank,
    verb: "rerank",
    path: |path| path.ends_with("/rerank"),
    response,
    ..cohere_embed::FORMAT
};

fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    cohere_chat::response(response, facts);
    let [model, used] = response.fields(["model", "usage"]);
    facts.response_model = some_text(model);
    facts.usage = facts
        .usage
        .or_else(|| used.and_then(openai_chat::read_usage));
}
