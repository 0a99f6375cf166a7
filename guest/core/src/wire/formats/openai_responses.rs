//! OpenAI's Responses API. The event that ends a stream brings the whole response; where it does not
//! come, the answer is put together from the pieces.

use std::collections::BTreeMap;

use super::{Asked, Assemble, Format, openai_chat, unknown};
use crate::call::Operation;
use crate::json::{Kind, Node, Raw};
use crate::litellm::some_text;
use crate::wire::facts::{Facts, Tool};
use crate::wire::reasoning::Marked;

pub(super) const FORMAT: Format = Format {
    name: "openai_responses",
    doc: ("OpenAI responses", "`…/responses`"),
    home: Some("openai"),
    operation: Operation::Chat,
    verb: "chat",
    message_format: Some("openai"),
    path: |path| path.ends_with("/responses"),
    request,
    response,
    assemble: || Box::<Pieces>::default(),
    reasoning: Some(Marked {
        is: is_reasoning,
        members: &["summary", "content", "delta", "text", "part"],
    }),
    ..unknown::FORMAT
};

/// An item of the output that holds reasoning, or an event that brings a piece of it.
fn is_reasoning(object: Raw<'_>) -> bool {
    let kind = some_text(object.get("type")).unwrap_or_default();
    kind == "reasoning" || kind.starts_with("response.reasoning")
}

fn request<'a>(asked: &Asked<'a>, facts: &mut Facts<'a>) {
    openai_chat::request(asked, facts);
    let [tools, conversation] = asked.body.fields(["tools", "conversation"]);
    let conversation = conversation.map(|id| id.get("id").unwrap_or(id));
    facts.session = facts.session.take().or_else(|| some_text(conversation));
    // Tools of the provider's own have no name.
    facts.tools = None;
    let tools = tools.into_iter().flat_map(Raw::items);
    facts.tools(tools.filter_map(|tool| Tool::of(tool, "parameters")));
}

fn response<'a>(response: Raw<'a>, facts: &mut Facts<'a>) {
    openai_chat::response(response, facts);
    let [status, details, conversation] =
        response.fields(["status", "incomplete_details", "conversation"]);
    let reason = details.and_then(|details| details.get("reason"));
    // Of a response that has not ended the status is no reason.
    let ended = |status: &Raw<'_>| {
        matches!(
            status.text(),
            "\"completed\"" | "\"failed\"" | "\"cancelled\"" | "\"incomplete\""
        )
    };
    facts.finished(std::iter::once(reason.or(status.filter(ended))));
    let conversation = some_text(conversation.and_then(|conversation| conversation.get("id")));
    facts.session = facts.session.take().or(conversation);
}

/// A stream of events.
#[derive(Debug, Default)]
struct Pieces {
    /// The response as the last event that brought it had it.
    response: Option<String>,
    /// The output's items as far as they have come.
    items: BTreeMap<i64, Node>,
    complete: bool,
}

impl Assemble for Pieces {
    fn add(&mut self, _: &str, data: Raw<'_>) -> usize {
        let [kind, response, index, item] =
            data.fields(["type", "response", "output_index", "item"]);
        let kind = some_text(kind).unwrap_or_default();
        if let Some(response) = response.filter(|response| response.kind() == Kind::Object) {
            self.complete = matches!(
                kind.as_ref(),
                "response.completed" | "response.incomplete" | "response.failed"
            );
            self.response = Some(response.text().to_owned());
            return response.text().len();
        }
        let Some(index) = index.and_then(Raw::as_i64) else {
            return 0;
        };
        let entry = self.items.entry(index).or_default();
        match (kind.as_ref(), item) {
            ("response.output_item.added", Some(item)) => {
                entry.merge(item);
            }
            ("response.output_item.done", Some(item)) => *entry = Node::from(item),
            (kind, _) => {
                if let Some(what) = kind.strip_prefix("response.") {
                    grow(entry, what, data);
                }
            }
        }
        data.text().len()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn finish(self: Box<Self>) -> String {
        let whole = self
            .response
            .as_deref()
            .and_then(|text| Raw::parse(text).ok());
        let output = whole.and_then(|whole| whole.get("output"));
        let mut response = Node::default();
        response.set_all(whole.into_iter().flat_map(Raw::entries));
        if !output.is_some_and(Raw::is_truthy) && !self.items.is_empty() {
            response.set("output", Node::Indexed(self.items));
        }
        response.json()
    }
}

/// Lets an item grow by the delta of an event such as `response.output_text.delta`.
fn grow(item: &mut Node, what: &str, data: Raw<'_>) {
    let [delta, part, content, summary, annotation] = data.fields([
        "delta",
        "part",
        "content_index",
        "summary_index",
        "annotation",
    ]);
    let at = |list: &'static str, index: Option<Raw<'_>>| {
        index.and_then(Raw::as_i64).map(|index| (list, index))
    };
    let place = at("content", content).or_else(|| at("summary", summary));
    let piece = some_text(delta).unwrap_or_default();
    match (what, place) {
        ("content_part.added" | "reasoning_summary_part.added", Some((list, index))) => {
            if let (Some(part), Some(slot)) = (part, slot(item, list, index)) {
                slot.merge(part);
            }
        }
        ("output_text.delta", Some((list, index)))
        | ("reasoning_text.delta" | "reasoning_summary_text.delta", Some((list, index))) => {
            if let Some(slot) = slot(item, list, index) {
                slot.grow("text", &piece);
            }
        }
        ("refusal.delta", Some((list, index))) => {
            if let Some(slot) = slot(item, list, index) {
                slot.grow("refusal", &piece);
            }
        }
        ("output_text.annotation.added", Some((list, index))) => {
            let annotation = annotation.map_or("null", Raw::text);
            let list_of_one = format!("{{\"annotations\":[{annotation}]}}");
            if let (Ok(more), Some(slot)) = (Raw::parse(&list_of_one), slot(item, list, index)) {
                slot.merge(more);
            }
        }
        ("function_call_arguments.delta" | "mcp_call_arguments.delta", _) => {
            item.grow("arguments", &piece);
        }
        ("custom_tool_call_input.delta", _) => item.grow("input", &piece),
        ("code_interpreter_call_code.delta", _) => item.grow("code", &piece),
        _ => {}
    }
}

/// The part of an item's list at an index.
fn slot<'n>(item: &'n mut Node, list: &str, index: i64) -> Option<&'n mut Node> {
    let list = item.member(list)?;
    if !matches!(list, Node::Indexed(_)) {
        *list = Node::Indexed(BTreeMap::new());
    }
    match list {
        Node::Indexed(parts) => Some(parts.entry(index).or_default()),
        _ => None,
    }
}
