//! Ollama's embeddings.

use super::{Format, ollama, unknown};
use crate::call::Operation;

pub(super) const FORMAT: Format = Format {
    name: "ollama_embed",
    doc: ("Ollama embeddings", "`/api/embed`, `/api/embeddings`"),
    operation: Operation::Embeddings,
    verb: "embeddings",
    path: |path| path.ends_with("/api/embed") || path.ends_with("/api/embeddings"),
    assemble: unknown::FORMAT.assemble,
    ..ollama::CHAT
};
