//! OpenAI's embeddings.

use super::{Format, openai_chat, unknown};
use crate::call::Operation;

pub(super) const FORMAT: Format = Format {
    name: "openai_embeddings",
    doc: ("OpenAI embeddings", "`…/embeddings`"),
    operation: Operation::Embeddings,
    verb: "embeddings",
    message_format: None,
    path: |path| path.ends_with("/embeddings"),
    body: |_| false,
    assemble: unknown::FORMAT.assemble,
    ..openai_chat::FORMAT
};
