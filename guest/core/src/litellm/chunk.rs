//! Streams: the choices of a chunk, and what the choices of all chunks add up to.

use std::borrow::Cow;

use super::{scalar_text, some_text};
use crate::json::{self, Raw};

/// The choices of a chunk. A chunk of another API, that has none, counts as one itself.
pub fn choices(chunk: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let choices = chunk.get("choices");
    let itself = choices.is_none().then_some(chunk);
    choices.into_iter().flat_map(Raw::items).chain(itself)
}

/// The response that a stream's choices add up to, as the call would have returned it without
/// streaming: OpenAI's `chat.completion`, or `text_completion`. Choices of another API are listed as
/// they came. `head` is the first chunk, `usage` what a chunk said of the tokens used.
pub fn assemble<'a>(
    head: Option<Raw<'a>>,
    choices: impl Iterator<Item = Raw<'a>>,
    usage: Option<Raw<'a>>,
) -> String {
    let mut parts = Vec::new();
    let mut others = Vec::new();
    for choice in choices {
        if choice.get("delta").is_some() || choice.get("text").is_some() {
            if let Some(part) = part_of(&mut parts, choice) {
                part.add(choice);
            }
        } else {
            others.push(choice);
        }
    }
    let mut out = Vec::new();
    if parts.is_empty() {
        list(&mut out, &others, |out, choice| {
            out.extend_from_slice(choice.text().as_bytes())
        });
    } else {
        response(&mut out, head, &parts, usage);
    }
    // Only whole JSON values and escaped strings were written.
    String::from_utf8(out).unwrap_or_default()
}

/// What one choice's chunks add up to.
#[derive(Default)]
struct Part<'a> {
    index: i64,
    role: Option<Cow<'a, str>>,
    content: Option<String>,
    reasoning: Option<String>,
    text: Option<String>,
    tool_calls: Vec<ToolCall<'a>>,
    finish_reason: Option<Raw<'a>>,
}

#[derive(Default)]
struct ToolCall<'a> {
    index: i64,
    id: Option<Cow<'a, str>>,
    name: String,
    arguments: String,
}

fn part_of<'p, 'a>(parts: &'p mut Vec<Part<'a>>, choice: Raw<'a>) -> Option<&'p mut Part<'a>> {
    let index = choice.get("index").and_then(Raw::as_i64).unwrap_or(0);
    entry(
        parts,
        |part| part.index == index,
        || Part {
            index,
            ..Part::default()
        },
    )
}

/// The last element that `is` finds, or a new one at the end.
fn entry<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Option<&mut T> {
    let found = list.iter().rposition(is).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    list.get_mut(found)
}

impl<'a> Part<'a> {
    fn add(&mut self, choice: Raw<'a>) {
        let [delta, text, finish_reason] = choice.fields(["delta", "text", "finish_reason"]);
        append(&mut self.text, text);
        if let Some(reason) = finish_reason.filter(|reason| !reason.is_null()) {
            self.finish_reason = Some(reason);
        }
        let Some(delta) = delta else { return };
        let [role, content, reasoning, tool_calls] =
            delta.fields(["role", "content", "reasoning_content", "tool_calls"]);
        if self.role.is_none() {
            self.role = some_text(role);
        }
        append(&mut self.content, content);
        append(&mut self.reasoning, reasoning);
        for call in tool_calls.into_iter().flat_map(Raw::items) {
            self.add_tool_call(call);
        }
    }

    fn add_tool_call(&mut self, call: Raw<'a>) {
        let [index, id, function] = call.fields(["index", "id", "function"]);
        let index = index.and_then(Raw::as_i64).unwrap_or(0);
        let new = || ToolCall {
            index,
            ..ToolCall::default()
        };
        let Some(part) = entry(&mut self.tool_calls, |call| call.index == index, new) else {
            return;
        };
        if part.id.is_none() {
            part.id = some_text(id);
        }
        let [name, arguments] =
            function.map_or([None; 2], |function| function.fields(["name", "arguments"]));
        part.name
            .push_str(&name.and_then(scalar_text).unwrap_or_default());
        part.arguments
            .push_str(&arguments.and_then(scalar_text).unwrap_or_default());
    }
}

fn append(to: &mut Option<String>, piece: Option<Raw<'_>>) {
    if let Some(piece) = piece.and_then(scalar_text) {
        to.get_or_insert_default().push_str(&piece);
    }
}

fn response(out: &mut Vec<u8>, head: Option<Raw<'_>>, parts: &[Part<'_>], usage: Option<Raw<'_>>) {
    let object: &[u8] = if parts.iter().any(|part| part.text.is_some()) {
        b"{\"object\":\"text_completion\""
    } else {
        b"{\"object\":\"chat.completion\""
    };
    out.extend_from_slice(object);
    let head = head.map_or([None; 3], |head| head.fields(["id", "created", "model"]));
    let members = ["\"id\":", "\"created\":", "\"model\":"]
        .into_iter()
        .zip(head)
        .chain([("\"usage\":", usage)]);
    for (key, value) in members {
        if let Some(value) = value {
            member(out, key, |out| {
                out.extend_from_slice(value.text().as_bytes())
            });
        }
    }
    member(out, "\"choices\":", |out| list(out, parts, choice));
    out.push(b'}');
}

fn choice(out: &mut Vec<u8>, part: &Part<'_>) {
    out.extend_from_slice(b"{\"index\":");
    out.extend_from_slice(part.index.to_string().as_bytes());
    let reason = part.finish_reason.unwrap_or(Raw::NULL);
    member(out, "\"finish_reason\":", |out| {
        out.extend_from_slice(reason.text().as_bytes())
    });
    if let Some(text) = &part.text {
        member(out, "\"text\":", |out| json::write_str(text, out));
    } else {
        member(out, "\"message\":", |out| message(out, part));
    }
    out.push(b'}');
}

fn message(out: &mut Vec<u8>, part: &Part<'_>) {
    out.extend_from_slice(b"{\"role\":");
    json::write_str(part.role.as_deref().unwrap_or("assistant"), out);
    member(out, "\"content\":", |out| match &part.content {
        Some(content) => json::write_str(content, out),
        None => out.extend_from_slice(b"null"),
    });
    if let Some(reasoning) = &part.reasoning {
        member(out, "\"reasoning_content\":", |out| {
            json::write_str(reasoning, out)
        });
    }
    if !part.tool_calls.is_empty() {
        member(out, "\"tool_calls\":", |out| {
            list(out, &part.tool_calls, tool_call)
        });
    }
    out.push(b'}');
}

fn tool_call(out: &mut Vec<u8>, call: &ToolCall<'_>) {
    out.extend_from_slice(b"{\"type\":\"function\"");
    if let Some(id) = &call.id {
        member(out, "\"id\":", |out| json::write_str(id, out));
    }
    member(out, "\"function\":", |out| {
        out.extend_from_slice(b"{\"name\":");
        json::write_str(&call.name, out);
        member(out, "\"arguments\":", |out| {
            json::write_str(&call.arguments, out)
        });
        out.push(b'}');
    });
    out.push(b'}');
}

/// A further member of an object.
fn member(out: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.push(b',');
    out.extend_from_slice(key.as_bytes());
    value(out);
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}
