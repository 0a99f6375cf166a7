//! Streams in OpenAI's shape: the choices of a chunk, and what the choices of all chunks add up to.
//!
//! Both litellm's payloads and the wire of OpenAI-compatible servers have this shape.

use std::collections::BTreeMap;

use crate::json::{Kind, Node, Raw};

/// The choices of a chunk. A chunk of another API, that has none, counts as one itself.
pub fn choices(chunk: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let choices = chunk.get("choices");
    let itself = choices.is_none().then_some(chunk);
    choices.into_iter().flat_map(Raw::items).chain(itself)
}

/// The response that a stream's choices add up to. `head` is the first chunk, `usage` what a chunk
/// said of the tokens used.
pub fn assemble<'a>(
    head: Option<Raw<'a>>,
    choices: impl Iterator<Item = Raw<'a>>,
    usage: Option<Raw<'a>>,
) -> String {
    let mut answer = Answer::default();
    if let Some(head) = head {
        answer.add_head(head);
    }
    if let Some(usage) = usage {
        answer.head.set("usage", Node::from(usage));
    }
    for choice in choices {
        answer.add_choice(choice);
    }
    answer.finish()
}

/// An answer under way: OpenAI's `chat.completion` or `text_completion`, as the call would have
/// returned it without streaming. Choices of another API are listed as they came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    head: Node,
    choices: BTreeMap<i64, Node>,
    others: Vec<Node>,
}

impl Answer {
    /// Adds a chunk. Tells how many bytes that takes.
    pub fn add(&mut self, chunk: Raw<'_>) -> usize {
        let head = self.add_head(chunk);
        let choices = choices(chunk).map(|choice| self.add_choice(choice));
        head + choices.sum::<usize>()
    }

    /// Adds what a chunk says beside its choices.
    fn add_head(&mut self, chunk: Raw<'_>) -> usize {
        let mut grown = 0;
        for (key, value) in chunk.entries() {
            if matches!(key.as_ref(), "choices" | "object" | "obfuscation") || value.is_null() {
                continue;
            }
            // The first model named is the one that answers; Azure's first chunk names none.
            let stays = matches!(key.as_ref(), "id" | "created" | "model");
            if let Some(member) = self.head.member(&key)
                && (!stays || member.is_null())
                && (!stays || value.is_truthy())
            {
                grown += value.text().len();
                *member = Node::from(value);
            }
        }
        grown
    }

    /// Adds a choice of a chunk.
    fn add_choice(&mut self, choice: Raw<'_>) -> usize {
        let [index, delta, text, message, reason, kind] =
            choice.fields(["index", "delta", "text", "message", "finish_reason", "type"]);
        // The Responses API's events have a text of that name.
        let delta = delta.filter(|delta| delta.kind() != Kind::String);
        // A server may answer whole where a stream was asked for, and Azure's filter reports without a
        // delta. Events of other APIs, which have a type, are no choices.
        let is_choice = kind.is_none() && message.or(reason).is_some();
        if delta.or(text).is_none() && !is_choice {
            self.others.push(Node::from(choice));
            return choice.text().len();
        }
        let index = index.and_then(Raw::as_i64).unwrap_or(0);
        let part = self.choices.entry(index).or_default();
        let mut grown = 0;
        for (key, value) in choice.entries() {
            // Perplexity repeats beside each piece all that has come before it.
            if key == "message" && delta.is_some() {
                continue;
            }
            let key = if key == "delta" { "message" } else { &key };
            if let Some(member) = part.member(key) {
                grown += member.add(key, value, 1);
            }
        }
        grown
    }

    /// Whether every choice has come to its end.
    pub fn is_complete(&self) -> bool {
        let reason = |choice: &Node| choice.get("finish_reason").is_some_and(|r| !r.is_null());
        !self.choices.is_empty() && self.choices.values().all(reason)
    }

    /// The answer, as JSON.
    pub fn finish(self) -> String {
        if self.choices.is_empty() && !self.others.is_empty() {
            return Node::List(self.others).json();
        }
        let texts = self
            .choices
            .values()
            .any(|choice| choice.get("text").is_some());
        let object = if texts {
            "text_completion"
        } else {
            "chat.completion"
        };
        let mut answer = self.head;
        // A member that was only ever empty says nothing.
        if let Node::Object(members) = &mut answer {
            members.retain(|(_, value)| !value.is_null());
            members.insert(0, ("object".to_owned(), Node::text(object)));
        }
        let choices = self.choices.into_values().map(choice).collect();
        answer.set("choices", Node::List(choices));
        answer.json()
    }
}

fn choice(mut choice: Node) -> Node {
    if let Some(index) = choice.member("index").filter(|index| index.is_null()) {
        *index = Node::Whole("0".to_owned());
    }
    choice.member("finish_reason");
    if choice.get("text").is_some() {
        choice.remove("message");
        return choice;
    }
    if let Some(message) = choice.member("message") {
        if let Some(role) = message.member("role").filter(|role| role.is_null()) {
            *role = Node::text("assistant");
        }
        message.member("content");
        if message.get("reasoning_details").is_some()
            && let Some(Node::List(pieces)) = message.member("reasoning_details")
        {
            *pieces = thoughts(std::mem::take(pieces));
        }
        match message.member("tool_calls") {
            Some(Node::Indexed(calls)) => calls.values_mut().for_each(tool_call),
            Some(Node::List(_)) => {}
            _ => {
                message.remove("tool_calls");
            }
        }
    }
    choice
}

/// OpenRouter's details of the reasoning, whose texts come in pieces that may have no index of their own.
fn thoughts(pieces: Vec<Node>) -> Vec<Node> {
    let mut whole: Vec<Node> = Vec::new();
    for piece in pieces {
        let json = piece.json();
        match Raw::parse(&json) {
            Ok(raw) if is_thought(raw) => {
                match whole.last_mut().filter(|last| goes_on(last, raw)) {
                    Some(last) => {
                        last.merge(raw);
                    }
                    None => {
                        let mut first = Node::default();
                        first.merge(raw);
                        whole.push(first);
                    }
                }
            }
            _ => whole.push(piece),
        }
    }
    whole
}

/// Whether it is of a kind whose texts come in pieces.
fn is_thought(piece: Raw<'_>) -> bool {
    const GROWING: [&str; 2] = ["\"reasoning.text\"", "\"reasoning.summary\""];
    piece
        .get("type")
        .is_some_and(|kind| GROWING.contains(&kind.text()))
}

/// Whether a piece belongs to the same thought as those before: is of its kind, and says no other index or id.
fn goes_on(before: &Node, piece: Raw<'_>) -> bool {
    let said = |name| {
        let before = before.get(name).map(Node::json);
        let next = piece.get(name).map(|next| next.text().to_owned());
        [before, next].map(|said| said.filter(|said| said != "null"))
    };
    let [kind, next_kind] = said("type");
    let agree = |name| !matches!(said(name), [Some(before), Some(next)] if before != next);
    kind == next_kind && agree("index") && agree("id")
}

/// A whole tool call has a type, which pieces may lack, and no index.
fn tool_call(call: &mut Node) {
    call.remove("index");
    if let Some(kind) = call.member("type").filter(|kind| kind.is_null()) {
        *kind = Node::text("function");
    }
}
