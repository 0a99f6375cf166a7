//! Gemini's embeddings.

use super::{Asked, Format, gemini, unknown};
use crate::call::Operation;
use crate::json::Raw;
use crate::wire::facts::Facts;

pub(super) const FORMAT: Format = Format {
    name: "gemini_embed",
    doc: (
        "Gemini embeddings",
        "`…/models/{model}:embedContent`, `:batchEmbedContents`",
    ),
    operation: Operation::Embeddings,
    verb: "embeddings",
    message_format: None,
    path: |path| path.ends_with(":embedContent") || path.ends_with(":batchEmbedContents"),
    body: |_| false,
    request,
    response,
    assemble: unknown::FORMAT.assemble,
    reasoning: None,
    streams_array: |_| false,
    ..gemini::FORMAT
};

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    facts.request_model = gemini::model(asked.path);
    facts.sampling(asked.body);
}

fn response(_: Raw<'_>, _: &mut Facts<'_>) {
    // Vectors, and no usage.
}
