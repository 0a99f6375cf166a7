//! Ollama's chat and generate, streamed as one JSON object a line.

use super::{Asked, Assemble, Format, openai_chat, unknown};
use crate::call::{Operation, Usage};
use crate::json::{Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, count};

pub(super) const CHAT: Format = Format {
    name: "ollama_chat",
    doc: ("Ollama chat", "`/api/chat`"),
    home: Some("ollama"),
    operation: Operation::Chat,
    verb: "chat",
    path: |path| path.ends_with("/api/chat"),
    request,
    response,
    assemble: || Box::<Grown>::default(),
    ..unknown::FORMAT
};

pub(super) const GENERATE: Format = Format {
    name: "ollama_generate",
    doc: ("Ollama generate", "`/api/generate`"),
    operation: Operation::TextCompletion,
    verb: "text_completion",
    path: |path| path.ends_with("/api/generate"),
    ..CHAT
};

pub(super) fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    // Its tools are OpenAI's.
    openai_chat::request(asked, facts);
    if let Some(options) = asked.body.get("options") {
        facts.sampling(options);
    }
}

pub(super) fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [model, reason, input, output] =
        response.fields(["model", "done_reason", "prompt_eval_count", "eval_count"]);
    facts.response_model = some_text(model);
    facts.finished(std::iter::once(reason));
    let counts = Counts {
        input: count(input),
        output: count(output),
        total: None,
    };
    facts.usage = counts.usage(Usage::default());
}

/// A stream of objects, of which texts grow and else the last counts.
#[derive(Debug, Default)]
struct Grown {
    response: Node,
    complete: bool,
}

impl Assemble for Grown {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        if data.get("error").is_some() {
            return 0;
        }
        self.complete |= data.get("done").is_some_and(Raw::is_truthy);
        self.response.merge(data)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        self.response.json()
    }
}
