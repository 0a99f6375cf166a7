//! Acme's text generation. A made-up API: put what the provider's reference says in its place.

use super::{Asked, Format, ollama, unknown};
use crate::call::{Operation, Usage};
use crate::json::Raw;
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, count};

pub(super) const FORMAT: Format = Format {
    name: "acme",
    // The line in docs/providers.md.
    doc: ("Acme text generation", "`/acme/v1/generate`"),
    // Whose format it is: `provider` in the gateway's configuration, or the host (see `wire/provider.rs`).
    home: Some("acme"),
    path: |path| path.ends_with("/acme/v1/generate"),
    operation: Operation::TextCompletion,
    // The span's name is the verb and the model.
    verb: "text_completion",
    request,
    response,
    // Its streams add up as Ollama's do: texts grow, of other members the last counts, and `done` is the end. One that adds
    // up in a way of its own has an `Assemble` of its own: that of `cohere_chat.rs` is easy to follow.
    assemble: ollama::CHAT.assemble,
    ..unknown::FORMAT
};

/// The request's and the response's bodies are logged as they are; here is read what else is to be known of them.
fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    let [model, user, options] = asked.body.fields(["model", "user", "options"]);
    facts.request_model = some_text(model);
    facts.user = some_text(user);
    if let Some(options) = options {
        facts.sampling(options);
    }
}

/// A whole response, or what a stream has added up to.
fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [id, model, reason, tokens] = response.fields(["id", "model", "stop_reason", "tokens"]);
    facts.response_id = some_text(id);
    facts.response_model = some_text(model);
    facts.finished(std::iter::once(reason));
    let counted = ["input", "output", "total"];
    let counted = tokens.map_or([None; 3], |tokens| tokens.fields(counted));
    let [input, output, total] = counted.map(count);
    let counts = Counts {
        input,
        output,
        total,
    };
    facts.usage = counts.usage(Usage::default());
}
