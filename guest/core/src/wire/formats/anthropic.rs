//! Anthropic's messages: thinking, tool use, cached tokens. Also on Vertex AI, where the path names
//! the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Asked, Assemble, Format, path_part, unknown};
use crate::call::{Attribute, Operation};
use crate::json::{Kind, Node, Raw};
use crate::litellm::{some_text, usage};
use crate::wire::facts::{Facts, Tool};

pub(super) const FORMAT: Format = Format {
    name: "anthropic",
    doc: (
        "Anthropic messages, also on Vertex AI",
        "`…/messages`, `…/publishers/anthropic/models/{model}:rawPredict`, `:streamRawPredict`",
    ),
    home: Some("anthropic"),
    operation: Operation::Chat,
    verb: "chat",
    message_format: Some("anthropic"),
    path: |path| {
        (path.ends_with("/messages") && !path.contains("/threads/"))
            || (path.contains("/publishers/anthropic/")
                && (path.ends_with(":rawPredict") || path.ends_with(":streamRawPredict")))
    },
    body: |body| {
        body.get("messages")
            .is_some_and(|messages| messages.kind() == Kind::Array)
    },
    request,
    response,
    assemble: || Box::<Message>::default(),
    ..unknown::FORMAT
};

pub(super) fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    let [model, metadata, tools] = asked.body.fields(["model", "metadata", "tools"]);
    let of_path = path_part(asked.path, "/models/");
    let of_path = of_path.and_then(|part| part.rsplit_once(':').map(|(model, _)| model.to_owned()));
    facts.request_model = some_text(model).or(of_path.map(Cow::Owned));
    facts.user = some_text(metadata.and_then(|metadata| metadata.get("user_id")));
    facts.sampling(asked.body);
    let tools = tools.into_iter().flat_map(Raw::items);
    facts.tools(tools.filter_map(|tool| Tool::of(tool, "input_schema")));
}

pub(super) fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [id, model, reason, used] = response.fields(["id", "model", "stop_reason", "usage"]);
    facts.response_id = some_text(id);
    facts.response_model = some_text(model);
    facts.finished(std::iter::once(reason));
    facts.usage = used.and_then(usage::from_response);
    let tier = used.and_then(|used| used.get("service_tier"));
    if let Some(tier) = some_text(tier) {
        facts.attribute("anthropic.response.service_tier", Attribute::Text(tier));
    }
}

/// A stream of events: "Streaming messages" in Anthropic's documentation.
#[derive(Debug, Default)]
pub(super) struct Message {
    head: Node,
    blocks: BTreeMap<i64, Node>,
    complete: bool,
}

impl Assemble for Message {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let [kind, message, index, block, delta, usage] = data.fields([
            "type",
            "message",
            "index",
            "content_block",
            "delta",
            "usage",
        ]);
        let kind = some_text(kind).unwrap_or_default();
        let index = index.and_then(Raw::as_i64).unwrap_or(0);
        match (kind.as_ref(), delta) {
            ("message_start", _) => {
                for (key, value) in message.into_iter().flat_map(Raw::entries) {
                    if let Some(member) = self.head.member(&key) {
                        member.add(&key, value, 1);
                    }
                }
            }
            ("content_block_start", _) => {
                if let Some(block) = block {
                    self.blocks.entry(index).or_default().merge(block);
                }
            }
            ("content_block_delta", Some(delta)) => {
                grow(self.blocks.entry(index).or_default(), delta);
            }
            ("message_delta", _) => {
                for (key, value) in delta.into_iter().flat_map(Raw::entries) {
                    self.complete |= key == "stop_reason" && !value.is_null();
                    self.head.set(&key, Node::from(value));
                }
                // Beside the delta, such as `context_management`.
                let known = ["type", "delta", "usage"];
                let others = data
                    .entries()
                    .filter(|(key, _)| !known.contains(&key.as_ref()));
                self.head.set_all(others);
                // Counts so far: the last of each counts.
                if let (Some(usage), Some(member)) = (usage, self.head.member("usage")) {
                    member.merge(usage);
                }
            }
            ("message_stop", _) => self.complete = true,
            _ => {}
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        let mut message = self.head;
        let blocks = self.blocks.into_values().map(whole).collect();
        message.set("content", Node::List(blocks));
        message.json()
    }
}

fn grow(block: &mut Node, delta: Raw<'_>) {
    let [kind, citation] = delta.fields(["type", "citation"]);
    if let Some(citation) = citation {
        // The one that the stream calls `citation` is one of the block's `citations`.
        let list = format!("{{\"citations\":[{}]}}", citation.text());
        if let Ok(list) = Raw::parse(&list) {
            block.merge(list);
        }
        return;
    }
    let kind = some_text(kind).unwrap_or_default();
    for (key, piece) in delta.entries().filter(|(key, _)| key != "type") {
        let piece = piece.as_str();
        match (kind.as_ref(), piece) {
            ("signature_delta", Some(piece)) => block.set("signature", Node::text(&piece)),
            (_, Some(piece)) => block.grow(&key, &piece),
            _ => {}
        }
    }
}

/// A block as it would have come whole: the input of a tool is JSON that came in pieces of text.
fn whole(mut block: Node) -> Node {
    if let Some(pieces) = block.remove("partial_json") {
        let text = pieces.as_text().unwrap_or_default();
        match Raw::parse(text) {
            Ok(input) => block.set("input", Node::from(input)),
            Err(_) if text.is_empty() => {}
            Err(_) => block.set("input", pieces),
        }
    }
    block
}
