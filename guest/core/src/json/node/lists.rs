//! Lists that grow: by index, or at their end.

use std::collections::BTreeMap;

use super::Node;
use crate::json::Raw;

pub(super) fn index(item: Raw<'_>) -> Option<i64> {
    item.get("index").and_then(Raw::as_i64)
}

/// Adds a piece to the item of its index. A piece with another id and a name of its own is another
/// item all the same: some servers give every tool call the index 0.
pub(super) fn add_indexed(items: &mut BTreeMap<i64, Node>, piece: Raw<'_>, depth: usize) -> usize {
    let mut at = index(piece).unwrap_or(0);
    let [id, function] = piece.fields(["id", "function"]);
    let named = function.and_then(|function| function.get("name"));
    if let (Some(id), true) = (id, named.is_some_and(Raw::is_truthy)) {
        let other = items.get(&at).and_then(|item| item.get("id"));
        let differs = |other: &Node| !matches!(other, Node::Whole(other) if other == id.text());
        if id.is_truthy() && other.is_some_and(|other| !other.is_null() && differs(other)) {
            at = items
                .keys()
                .next_back()
                .map_or(0, |last| last.saturating_add(1));
        }
    }
    items.entry(at).or_default().merge_at(piece, depth + 1)
}

/// Adds an item to a list: to the last item, where both are parts of an answer of the same type.
pub(super) fn append(items: &mut Vec<Node>, item: Raw<'_>, depth: usize) -> usize {
    let kind = item.get("type").map(Raw::text);
    let same = |last: &&mut Node| {
        let last = last.get("type");
        kind.is_some()
            && matches!((last, kind), (Some(Node::Whole(last)), Some(kind)) if last == kind)
    };
    let is_part = matches!(kind, Some("\"text\"" | "\"thinking\""));
    if let (true, Some(last)) = (is_part, items.last_mut().filter(same)) {
        return last.merge_at(item, depth + 1);
    }
    let node = if is_part {
        let mut node = Node::default();
        node.merge_at(item, depth + 1);
        node
    } else {
        Node::from(item)
    };
    items.push(node);
    item.text().len()
}

pub(super) fn append_text(items: &mut Vec<Node>, text: Raw<'_>, depth: usize) -> usize {
    let part = format!("{{\"type\":\"text\",\"text\":{}}}", text.text());
    Raw::parse(&part).map_or(0, |part| append(items, part, depth))
}

pub(super) fn quoted(text: &str) -> String {
    Node::text(text).json()
}

pub(super) fn write_list<'n>(items: impl Iterator<Item = &'n Node>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        item.write(out);
    }
    out.push(b']');
}
