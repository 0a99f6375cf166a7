//! JSON that grows: what the pieces of a stream add up to.
//!
//! A piece is merged the way providers cut their answers up: texts of well-known names grow, items of
//! lists that carry an `index` meet their earlier part, identifying members stay as they came first,
//! and of everything else the last counts.

mod lists;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Kind, Raw, write_str};
use lists::{add_indexed, append, append_text, index, quoted, write_list};

/// How deep pieces are taken apart; what lies deeper is taken whole.
const DEPTH: usize = 12;

/// How many members an object may gain, far beyond any answer's.
const MEMBERS: usize = 512;

/// Members whose texts come in pieces.
const GROWING: [&str; 14] = [
    "arguments",
    "content",
    "data",
    "input",
    "partial_json",
    "reasoning",
    "reasoning_content",
    "refusal",
    "response",
    "signature",
    "summary",
    "text",
    "thinking",
    "transcript",
];

/// Members that identify what they are in: the first that is not empty stays.
const STAYING: [&str; 6] = ["created", "id", "index", "object", "role", "type"];

/// A value that pieces are added to.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A value as it came.
    Whole(String),
    /// A text that grows.
    Text(String),
    /// A list whose items come one after the other.
    List(Vec<Node>),
    /// A list whose items say by `index` which of them they are.
    Indexed(BTreeMap<i64, Node>),
    /// An object, its members in the order they came in.
    Object(Vec<(String, Node)>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

impl From<Raw<'_>> for Node {
    fn from(raw: Raw<'_>) -> Self {
        Self::Whole(raw.text().to_owned())
    }
}

impl Node {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// The member of this name, of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let member = members.iter().find(|(name, _)| name == key);
        member.map(|(_, value)| value)
    }

    /// The member of this name, null if it was not there. What is null becomes an object; anything else
    /// has no members, and an object past all measure gains none.
    pub fn member(&mut self, key: &str) -> Option<&mut Self> {
        if self.is_null() {
            *self = Self::default();
        }
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().position(|(name, _)| name == key);
        if found.is_none() && members.len() < MEMBERS {
            members.push((key.to_owned(), Self::from(Raw::NULL)));
        }
        let position = found.unwrap_or(members.len().checked_sub(1)?);
        let member = members.get_mut(position);
        member
            .filter(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Sets the member of this name.
    pub fn set(&mut self, key: &str, value: Self) {
        if let Some(member) = self.member(key) {
            *member = value;
        }
    }

    /// Sets members as they came.
    pub fn set_all<'a>(&mut self, members: impl Iterator<Item = (Cow<'a, str>, Raw<'a>)>) {
        for (key, value) in members {
            self.set(&key, Self::from(value));
        }
    }

    /// Takes the member of this name away.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let position = members.iter().position(|(name, _)| name == key)?;
        Some(members.remove(position).1)
    }

    /// Whether nothing was said yet.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Whole(text) if text == "null")
    }

    /// The text, of a text that grew.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Lets the text of this member grow.
    pub fn grow(&mut self, key: &str, piece: &str) {
        match self.member(key) {
            Some(Self::Text(text)) => text.push_str(piece),
            Some(member) => *member = Self::text(piece),
            None => {}
        }
    }

    /// Merges the members of a piece. Tells how many bytes that takes.
    pub fn merge(&mut self, piece: Raw<'_>) -> usize {
        self.merge_at(piece, 0)
    }

    fn merge_at(&mut self, piece: Raw<'_>, depth: usize) -> usize {
        let mut grown = 0;
        for (key, value) in piece.entries() {
            if let Some(member) = self.member(&key) {
                grown += member.add(&key, value, depth + 1);
            }
        }
        grown
    }

    /// Adds a piece to the member `key`, which this is.
    pub fn add(&mut self, key: &str, piece: Raw<'_>, depth: usize) -> usize {
        if self.is_null() && depth < DEPTH {
            // An empty object or list, to which the piece is added below.
            match piece.kind() {
                Kind::Object => *self = Self::default(),
                Kind::Array if piece.items().any(|item| index(item).is_some()) => {
                    *self = Self::Indexed(BTreeMap::new());
                }
                Kind::Array => *self = Self::List(Vec::new()),
                _ => {}
            }
        }
        match (&mut *self, piece.kind()) {
            (_, Kind::Null) => 0,
            (Self::Object(_), Kind::Object) => self.merge_at(piece, depth),
            (Self::Indexed(items), Kind::Array) => piece
                .items()
                .map(|item| add_indexed(items, item, depth))
                .sum(),
            (Self::List(items), Kind::Array) => {
                piece.items().map(|item| append(items, item, depth)).sum()
            }
            // Text after parts of other types: a part of its own.
            (Self::List(items), Kind::String) => append_text(items, piece, depth),
            (Self::Text(text), Kind::Array) => {
                let part = format!("[{{\"type\":\"text\",\"text\":{}}}]", quoted(text));
                let kept = !text.is_empty();
                *self = Self::List(Vec::new());
                let kept = Raw::parse(&part).ok().filter(|_| kept);
                kept.map_or(0, |part| self.add(key, part, depth)) + self.add(key, piece, depth)
            }
            (_, Kind::String) => self.add_text(key, piece),
            _ => self.replace(key, piece),
        }
    }

    fn add_text(&mut self, key: &str, piece: Raw<'_>) -> usize {
        let text = piece.as_str().unwrap_or_default();
        match self {
            // Some servers repeat a name with every piece, others cut it up.
            Self::Text(whole) if key == "name" && *whole == text => 0,
            Self::Text(whole) => {
                whole.push_str(&text);
                text.len()
            }
            _ if key == "name" || GROWING.contains(&key) => {
                *self = Self::text(&text);
                text.len()
            }
            _ if text.is_empty() && !self.is_null() => 0,
            _ => self.replace(key, piece),
        }
    }

    fn replace(&mut self, key: &str, piece: Raw<'_>) -> usize {
        let empty = matches!(self, Self::Whole(text) if text.is_empty() || text == "\"\"");
        if STAYING.contains(&key) && !self.is_null() && !empty {
            return 0;
        }
        *self = Self::from(piece);
        piece.text().len()
    }

    /// The value as JSON.
    pub fn json(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        // Only whole JSON values and escaped strings were written.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends the value as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(json) => out.extend_from_slice(json.as_bytes()),
            Self::Text(text) => write_str(text, out),
            Self::List(items) => write_list(items.iter(), out),
            Self::Indexed(items) => write_list(items.values(), out),
            Self::Object(members) => {
                out.push(b'{');
                for (position, (key, value)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    write_str(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}
