//! Cohere's chat, version 2, and version 1, whose streams are lines that end with the whole response.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Asked, Assemble, Format, openai_chat, unknown};
use crate::call::{Operation, Usage};
use crate::json::{Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Counts, Facts, count};

pub(super) const FORMAT: Format = Format {
    name: "cohere_chat",
    doc: ("Cohere chat", "`/v2/chat`, `/v1/chat`"),
    home: Some("cohere"),
    operation: Operation::Chat,
    verb: "chat",
    path: |path| path.ends_with("/v2/chat") || path.ends_with("/v1/chat"),
    request,
    response,
    assemble: || Box::<Message>::default(),
    ..unknown::FORMAT
};

pub(super) fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    // Its tools are OpenAI's.
    openai_chat::request(asked, facts);
}

pub(super) fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    let [id, first_id, reason, used, meta] =
        response.fields(["id", "response_id", "finish_reason", "usage", "meta"]);
    facts.response_id = some_text(id).or_else(|| some_text(first_id));
    facts.finished(std::iter::once(reason));
    facts.usage = used.or(meta).and_then(usage);
}

/// The tokens used, or else those billed.
pub(super) fn usage(used: Raw<'_>) -> Option<Usage> {
    let [tokens, billed, cached] = used.fields(["tokens", "billed_units", "cached_tokens"]);
    let of = |object: Raw<'_>| {
        let [input, output] = object.fields(["input_tokens", "output_tokens"]).map(count);
        let counts = Counts {
            input,
            output,
            total: None,
        };
        counts.usage(Usage {
            cache_read: count(cached),
            ..Usage::default()
        })
    };
    tokens.and_then(of).or_else(|| billed.and_then(of))
}

/// A stream of events.
#[derive(Debug, Default)]
struct Message {
    head: Node,
    role: Option<String>,
    tool_plan: String,
    content: BTreeMap<i64, Node>,
    tool_calls: BTreeMap<i64, Node>,
    citations: BTreeMap<i64, Node>,
    complete: bool,
    /// What a stream of version 1 adds up to.
    first: Option<Node>,
}

impl Message {
    /// Takes an event of version 1 in.
    fn add_first(&mut self, kind: &str, data: Raw<'_>) -> usize {
        let [text, response, generation, citations, calls] = data.fields([
            "text",
            "response",
            "generation_id",
            "citations",
            "tool_calls",
        ]);
        let whole = self.first.get_or_insert_default();
        match kind {
            "stream-end" => {
                self.complete = true;
                if let Some(response) = response {
                    *whole = Node::from(response);
                }
            }
            "text-generation" => whole.grow("text", &some_text(text).unwrap_or_default()),
            _ => {
                for (key, value) in [
                    ("generation_id", generation),
                    ("citations", citations),
                    ("tool_calls", calls),
                ] {
                    let Some(value) = value else { continue };
                    if let Some(member) = whole.member(key) {
                        member.add(key, value, 1);
                    }
                }
            }
        }
        data.text().len()
    }
}

impl Assemble for Message {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        if let Some(kind) = some_text(data.get("event_type")) {
            return self.add_first(&kind, data);
        }
        let [kind, id, index, delta] = data.fields(["type", "id", "index", "delta"]);
        let index = index.and_then(Raw::as_i64).unwrap_or(0);
        let message = delta.and_then(|delta| delta.get("message"));
        let [role, plan, content, calls, citations] = message.map_or([None; 5], |message| {
            message.fields(["role", "tool_plan", "content", "tool_calls", "citations"])
        });
        let merge = |into: &mut BTreeMap<i64, Node>, piece: Option<Raw<'_>>| {
            if let Some(piece) = piece {
                into.entry(index).or_default().merge(piece);
            }
        };
        match some_text(kind).unwrap_or_default().as_ref() {
            "message-start" => {
                self.role = some_text(role).map(Cow::into_owned);
                if let Some(id) = id {
                    self.head.set("id", Node::from(id));
                }
            }
            "content-start" | "content-delta" => merge(&mut self.content, content),
            "tool-plan-delta" => {
                self.tool_plan
                    .push_str(&some_text(plan).unwrap_or_default());
            }
            "tool-call-start" | "tool-call-delta" => merge(&mut self.tool_calls, calls),
            "citation-start" => merge(&mut self.citations, citations),
            "message-end" => {
                self.complete = true;
                self.head.set_all(delta.into_iter().flat_map(Raw::entries));
            }
            _ => return 0,
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        if let Some(first) = self.first {
            return first.json();
        }
        let mut message = Node::default();
        message.set(
            "role",
            Node::text(self.role.as_deref().unwrap_or("assistant")),
        );
        if !self.tool_plan.is_empty() {
            message.set("tool_plan", Node::text(&self.tool_plan));
        }
        for (key, list) in [
            ("content", self.content),
            ("tool_calls", self.tool_calls),
            ("citations", self.citations),
        ] {
            if !list.is_empty() {
                message.set(key, Node::List(list.into_values().collect()));
            }
        }
        let mut response = self.head;
        response.set("message", message);
        response.json()
    }
}
