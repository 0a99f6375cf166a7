//! Cohere's embeddings.

use super::{Format, cohere_chat, unknown};
use crate::call::Operation;

pub(super) const FORMAT: Format = Format {
    name: "cohere_embed",
    doc: ("Cohere embeddings", "`/v2/embed`, `/v1/embed`"),
    operation: Operation::Embeddings,
    verb: "embeddings",
    path: |path| path.ends_with("/v2/embed") || path.ends_with("/v1/embed"),
    assemble: unknown::FORMAT.assemble,
    ..cohere_chat::FORMAT
};
