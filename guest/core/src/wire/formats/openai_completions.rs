//! OpenAI's legacy text completions, which vLLM and others still serve.

use super::{Format, openai_chat};
use crate::call::Operation;

pub(super) const FORMAT: Format = Format {
    name: "openai_completions",
    doc: ("OpenAI completions", "`…/completions`"),
    operation: Operation::TextCompletion,
    verb: "text_completion",
    message_format: None,
    path: |path| path.ends_with("/completions") && !path.ends_with("/chat/completions"),
    body: |body| {
        let [prompt, model] = body.fields(["prompt", "model"]);
        prompt.is_some() && model.is_some()
    },
    ..openai_chat::FORMAT
};
