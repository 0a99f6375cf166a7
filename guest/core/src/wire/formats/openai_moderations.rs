//! OpenAI's moderations.

use super::{Format, openai_embeddings};
use crate::call::Operation;

pub(super) const FORMAT: Format = Format {
    name: "openai_moderations",
    doc: ("OpenAI moderations", "`…/moderations`"),
    operation: Operation::Other,
    verb: "moderation",
    path: |path| path.ends_with("/moderations"),
    ..openai_embeddings::FORMAT
};
